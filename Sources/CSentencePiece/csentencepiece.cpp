// csentencepiece - the C functions over the C++ library.

#include "csentencepiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

using sentencepiece::util::Status;
using sentencepiece::util::StatusCode;

struct csp_processor {
    sentencepiece::SentencePieceProcessor library;
};

// Ids are handed over as they are.
static_assert(sizeof(int) == sizeof(int32_t), "the library's ids are ints");

namespace {

csp_status fail(csp_error error, csp_status status, const char *words) noexcept {
    if (error.capacity > 0) std::snprintf(error.text, error.capacity, "%s", words);
    return status;
}

csp_status result(const Status &status, csp_error error) {
    if (status.ok()) return 0;
    return fail(error, static_cast<csp_status>(status.code()), status.message());
}

/// The library counts bytes in ints.
bool fits_int(size_t count) { return count <= static_cast<size_t>(std::numeric_limits<int>::max()); }

csp_status too_long(csp_error error) noexcept {
    return fail(error, static_cast<csp_status>(StatusCode::kInvalidArgument), "it has 2^31 bytes or more");
}

/// Runs `body`, which returns a status, and turns what it throws into one.
template <typename Body>
csp_status guarded(csp_error error, Body body) noexcept {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return fail(error, CSP_OUT_OF_MEMORY, "no memory left");
    } catch (const std::exception &exception) {
        return fail(error, CSP_EXCEPTION, exception.what());
    } catch (...) {
        return fail(error, CSP_EXCEPTION, "an exception of unknown type");
    }
}

/// A copy that belongs to the caller; never null, also of nothing.
template <typename Element>
Element *copied(const void *elements, size_t count) {
    auto *memory = static_cast<Element *>(std::malloc(std::max<size_t>(count, 1) * sizeof(Element)));
    if (memory == nullptr) throw std::bad_alloc();
    if (count > 0) std::memcpy(memory, elements, count * sizeof(Element));
    return memory;
}

std::string_view view(const void *text, size_t count) {
    return count == 0 ? std::string_view() : std::string_view(static_cast<const char *>(text), count);
}

/// The library asks for one sentence after the other.
class Sentences final : public sentencepiece::SentenceIterator {
public:
    Sentences(const uint8_t *text, const size_t *ends, size_t count) : text_(text), ends_(ends), count_(count) {
        load();
    }

    bool done() const override { return index_ >= count_; }

    void Next() override {
        ++index_;
        load();
    }

    const std::string &value() const override { return value_; }

    Status status() const override { return Status(); }

private:
    void load() {
        if (done()) return;
        const size_t start = index_ == 0 ? 0 : ends_[index_ - 1];
        value_.assign(reinterpret_cast<const char *>(text_) + start, ends_[index_] - start);
    }

    const uint8_t *text_;
    const size_t *ends_;
    size_t count_;
    size_t index_ = 0;
    std::string value_;
};

std::string flag(int32_t value) { return value != 0 ? "true" : "false"; }

}  // namespace

csp_status csp_processor_create(
    const void *model, size_t count, csp_processor **processor, csp_error error) {
    return guarded(error, [&]() -> csp_status {
        if (!fits_int(count)) return too_long(error);
        auto created = std::make_unique<csp_processor>();
        const Status status = created->library.LoadFromSerializedProto(view(model, count));
        if (status.ok()) *processor = created.release();
        return result(status, error);
    });
}

void csp_processor_destroy(csp_processor *processor) { delete processor; }

int32_t csp_piece_count(const csp_processor *processor) { return processor->library.GetPieceSize(); }
int32_t csp_unknown_id(const csp_processor *processor) { return processor->library.unk_id(); }
int32_t csp_begin_id(const csp_processor *processor) { return processor->library.bos_id(); }
int32_t csp_end_id(const csp_processor *processor) { return processor->library.eos_id(); }
int32_t csp_padding_id(const csp_processor *processor) { return processor->library.pad_id(); }

csp_status csp_encode(
    const csp_processor *processor, const void *text, size_t count, int32_t **ids, size_t *id_count,
    csp_error error) {
    return guarded(error, [&]() -> csp_status {
        if (!fits_int(count)) return too_long(error);
        std::vector<int> encoded;
        const Status status = processor->library.Encode(view(text, count), &encoded);
        if (status.ok()) {
            *ids = copied<int32_t>(encoded.data(), encoded.size());
            *id_count = encoded.size();
        }
        return result(status, error);
    });
}

csp_status csp_encode_pieces(
    const csp_processor *processor, const void *text, size_t count, uint8_t **pieces, size_t **ends,
    size_t *piece_count, csp_error error) {
    return guarded(error, [&]() -> csp_status {
        if (!fits_int(count)) return too_long(error);
        std::vector<std::string> encoded;
        const Status status = processor->library.Encode(view(text, count), &encoded);
        if (!status.ok()) return result(status, error);
        std::string joined;
        std::vector<size_t> places;
        for (const std::string &piece : encoded) {
            joined += piece;
            places.push_back(joined.size());
        }
        std::unique_ptr<uint8_t, decltype(&std::free)> text_copy(
            copied<uint8_t>(joined.data(), joined.size()), &std::free);
        *ends = copied<size_t>(places.data(), places.size());
        *pieces = text_copy.release();
        *piece_count = places.size();
        return 0;
    });
}

csp_status csp_decode(
    const csp_processor *processor, const int32_t *ids, size_t id_count, uint8_t **text, size_t *count,
    csp_error error) {
    return guarded(error, [&]() -> csp_status {
        const std::vector<int> pieces(ids, ids + id_count);
        std::string decoded;
        const Status status = processor->library.Decode(pieces, &decoded);
        if (status.ok()) {
            *text = copied<uint8_t>(decoded.data(), decoded.size());
            *count = decoded.size();
        }
        return result(status, error);
    });
}

csp_status csp_train(
    const uint8_t *text, const size_t *ends, size_t sentence_count, csp_training settings, uint8_t **model,
    size_t *count, csp_error error) {
    return guarded(error, [&]() -> csp_status {
        const std::unordered_map<std::string, std::string> arguments = {
            {"model_type", settings.is_bpe != 0 ? "bpe" : "unigram"},
            {"vocab_size", std::to_string(settings.vocab_size)},
            {"character_coverage", std::to_string(settings.character_coverage)},
            {"byte_fallback", flag(settings.byte_fallback)},
            {"split_digits", flag(settings.split_digits)},
            {"allow_whitespace_only_pieces", flag(settings.allow_whitespace_only_pieces)},
            {"num_threads", std::to_string(settings.num_threads)},
            {"max_sentence_length", std::to_string(settings.max_sentence_length)},
            {"normalization_rule_name", settings.normalization_rule_name},
            {"remove_extra_whitespaces", flag(settings.remove_extra_whitespaces)},
            // Warnings name options that are not ours.
            {"minloglevel", settings.is_verbose != 0 ? "0" : "2"},
        };
        Sentences sentences(text, ends, sentence_count);
        std::string trained;
        const Status status = sentencepiece::SentencePieceTrainer::Train(arguments, &sentences, &trained);
        if (status.ok()) {
            *model = copied<uint8_t>(trained.data(), trained.size());
            *count = trained.size();
        }
        return result(status, error);
    });
}

void csp_release(void *memory) { std::free(memory); }
