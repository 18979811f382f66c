#!/usr/bin/env python3
"""Writes Golden/*.json: two small models, and what Python's sentencepiece makes of awkward texts with them and with LLaMA's.

    pip install sentencepiece==0.1.97
    python3 make_golden.py [PATH/llama-tokenizer.model]

Bytes are base64: texts hold zero bytes and bytes that are no UTF-8.
"""

import base64
import io
import json
import pathlib
import random
import sys

import sentencepiece

WORDS = """the ship sails over a quiet sea and night falls while old lanterns burn in every harbour window
function return value index 42 1999 count-- ++x == (a[i] + b[j]) * 3.14 # comment the café naïve straße
日本語の文章 と 漢字 слово за словом""".split()

TEXTS = [
    b"", b" ", b"   ", b"\n", b"\n\n\n", b"\t", b"a", b" a", b"a ", b"  two  spaces  ", b"Hello, world!",
    b"line one\nline two\r\n\n  indented\n\ttab\n", "café naïve straße".encode(), "日本語の文章と漢字。".encode(),
    "слово за словом".encode(), "\U0001F600 \U0001F468‍\U0001F469‍\U0001F467 flags \U0001F1E9\U0001F1EA".encode(),
    b"\0", b"a\0b", b"\0\0 c\0", b"\xff", b"x\xff\xfey", b"\xc3", b"caf\xc3", b"\xe2\x96", b"\xe2\x96\n\x81 z",
    b"\xed\xa0\x80 surrogate", b"\xf4\x90\x80\x80", b"\xc0\xaf overlong", "▁ and ▅ themselves ▁▁".encode(),
    b"<s> </s> <unk> <0x41> <pad>", "e\u0301 \u00e9 \ufb01 \u2126 \u00a0nbsp \u200bzero".encode(), b"1234567890 0x7f 3.14e-10",
    b"def f(x):\n    return x ** 2\n\n\nclass A:\n        pass\n", "\ufeffmark".encode(), b"x" * 300, b"ab " * 100,
    bytes(range(256)), "\u0000\u007f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff".encode(),
]


def encoded(data):
    return base64.b64encode(data).decode()


def cases(processor):
    result = []
    for text in TEXTS:
        ids = processor.encode(text, out_type=int)
        result.append({"text": encoded(text), "ids": ids, "decoded": encoded(processor.decode(ids).encode())})
    return result


def train(model_type, vocab_size, **options):
    source = random.Random(1)
    lines = [" ".join(source.choice(WORDS) for _ in range(source.randint(1, 20))) for _ in range(2000)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type=model_type, vocab_size=vocab_size,
        num_threads=1, minloglevel=2, **options)
    return model.getvalue()


def write(name, model, keeps_model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    content = {
        "pieces": processor.get_piece_size(), "unknown": processor.unk_id(), "begin": processor.bos_id(),
        "end": processor.eos_id(), "padding": processor.pad_id(), "cases": cases(processor),
    }
    if keeps_model:
        content["model"] = encoded(model)
    path = pathlib.Path(__file__).parent / "Golden" / f"{name}.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")


write("bpe", train(
    "bpe", 420, byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True,
    normalization_rule_name="identity", remove_extra_whitespaces=False), True)
# Unknown characters stay unknown, blanks are removed, there is a padding id and no begin id.
write("unigram", train(
    "unigram", 130, normalization_rule_name="identity", character_coverage=0.98, pad_id=3, bos_id=-1), True)
if len(sys.argv) > 1:
    write("llama", pathlib.Path(sys.argv[1]).read_bytes(), False)
