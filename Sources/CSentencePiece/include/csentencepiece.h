// csentencepiece - the few operations of the C++ library SentencePiece that are used, as C functions.
//
// Swift cannot call the library itself: its classes are virtual, its strings are std::string. Texts have explicit lengths,
// so that zero bytes are text like any other. No C++ exception crosses this border: every failure is a status.

#ifndef CSENTENCEPIECE_H
#define CSENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// 0: done. 1 to 16: the library's own `sentencepiece::util::StatusCode`. CSP_OUT_OF_MEMORY and CSP_EXCEPTION: what C++
/// threw.
typedef int32_t csp_status;
enum { CSP_OUT_OF_MEMORY = 100, CSP_EXCEPTION = 101 };

/// Where a failing function leaves its words: `capacity` bytes of the caller's, of which the text takes what fits, ended by
/// a zero byte.
typedef struct {
    char *text;
    size_t capacity;
} csp_error;

/// A loaded model. Encoding and decoding do not change it: any number of threads may use one.
typedef struct csp_processor csp_processor;

/// Loads the bytes of a `.model` file. The caller owns `*processor` and ends it with csp_processor_destroy.
csp_status csp_processor_create(
    const void *model, size_t count, csp_processor **processor, csp_error error);

void csp_processor_destroy(csp_processor *processor);

int32_t csp_piece_count(const csp_processor *processor);

/// The ids with a role; -1 where the model has none.
int32_t csp_unknown_id(const csp_processor *processor);
int32_t csp_begin_id(const csp_processor *processor);
int32_t csp_end_id(const csp_processor *processor);
int32_t csp_padding_id(const csp_processor *processor);

/// The ids of a text of at most INT32_MAX bytes. The caller owns `*ids` and gives it to csp_release.
csp_status csp_encode(
    const csp_processor *processor, const void *text, size_t count, int32_t **ids, size_t *id_count,
    csp_error error);

/// The pieces of a text of at most INT32_MAX bytes: piece i is bytes ends[i - 1] to ends[i] of `*pieces`. The caller owns
/// `*pieces` and `*ends` and gives both to csp_release.
csp_status csp_encode_pieces(
    const csp_processor *processor, const void *text, size_t count, uint8_t **pieces, size_t **ends,
    size_t *piece_count, csp_error error);

/// The text of ids, each of which must be the model's. The caller owns `*text` and gives it to csp_release.
csp_status csp_decode(
    const csp_processor *processor, const int32_t *ids, size_t id_count, uint8_t **text, size_t *count,
    csp_error error);

/// What a model is trained with; the names are the library's.
typedef struct {
    int32_t is_bpe;
    int32_t vocab_size;
    double character_coverage;
    int32_t byte_fallback;
    int32_t split_digits;
    int32_t allow_whitespace_only_pieces;
    int32_t num_threads;
    int32_t max_sentence_length;
    const char *normalization_rule_name;
    int32_t remove_extra_whitespaces;
    /// Whether it logs on standard error what it does; otherwise errors only.
    int32_t is_verbose;
} csp_training;

/// Trains a model on `sentence_count` sentences: sentence i is bytes ends[i - 1] to ends[i] of `text`. The caller owns
/// `*model`, the bytes of a `.model` file, and gives it to csp_release.
csp_status csp_train(
    const uint8_t *text, const size_t *ends, size_t sentence_count, csp_training settings, uint8_t **model,
    size_t *count, csp_error error);

/// Frees what a function above returned.
void csp_release(void *memory);

#ifdef __cplusplus
}
#endif

#endif
