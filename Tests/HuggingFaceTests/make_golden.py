#!/usr/bin/env python3
"""Writes Golden/tokenizers.json: small SentencePiece models, the tokenizer files that `mile-dist export` writes for them (as
hashes), and the ids that transformers' AutoTokenizer gives with these files, which must be SentencePiece's own.

    pip install transformers==5.24.0 sentencepiece==0.1.97
    python3 make_golden.py PATH/mile-dist

Texts and models are base64. Texts that hold the name of a special token are left out: those are tokens to transformers.
"""

import base64
import hashlib
import io
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import sentencepiece
import transformers

WORDS = """the ship sails over a quiet sea and night falls while old lanterns burn in every harbour window
function return value index 42 1999 count-- ++x == (a[i] + b[j]) * 3.14 # comment the café naïve straße
日本語の文章 と 漢字 слово за словом ﬁsh ｆｕｌｌ""".split()

TEXTS = [
    "", " ", "  ", "   ", "     the", "the     ", "a  b   c    d     e", "\tone\ttwo\t\t", "line one\nline two\r\n\n  three\n",
    "The ship sails over a quiet sea, and night falls.", "café naïve straße", "cafe\u0301 nai\u0308ve A\u030a Å Ω",
    "ＡＢｃ １２３ ！？ ｆｕｌｌ", "ﬁsh ﬂow oﬃce ﬁ\u0301", "½ ² x³ ① Ⅲ", "¨ ´ a\u00a0b \u2003c\u3000d", "ｶﾞﾊﾟ か\u3099", "한글 \u1112\u1161\u11ab",
    "\U0001F600 \U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F1E9\U0001F1EA", "\0", "a\0b", "\x01\x02\x07\x1b[0m \x7f \x85",
    "\u200b\u200d\u2028\ufeff\u00ad", "日本語の文章と漢字。", "слово за словом", "مرحبا ﻻ", "हिन्दी", "▁", " ▁ ", "a▁b▁▁c", "▁▁▁the",
    "\ue000\U0010ffff \ufffd", "<0x41> <0x0A>", "1234567890 3.14e-10", "aaaa aaa aa a", "x" * 60, " " * 40 + "x", "ab " * 30,
    "the<sep>ship <sep> <mask>sea", "<sep>", "<sep> the", "  <sep>  the  ", "<se p>", "return  x\n    return  y",
]

# Rules like those of nfkc, of which the whole table has a quarter of a megabyte.
RULES = "FB01\t66 69\nFF46\t66\nFF55\t75\nFF4C\t6C\n65 301\tE9\n3000\t20\nA0\t20\n"

MODELS = {
    "bpe": dict(model_type="bpe", byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True,
                normalization_rule_name="identity", remove_extra_whitespaces=False, vocab_size=400),
    "bpe-trimmed": dict(model_type="bpe", normalization_rule_name="identity", character_coverage=0.98, vocab_size=120),
    "bpe-bare": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False,
                     vocab_size=360),
    "bpe-symbols": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", vocab_size=380,
                        remove_extra_whitespaces=False, user_defined_symbols=["<sep>", "<mask>"]),
    "bpe-behind": dict(model_type="bpe", normalization_rule_name="identity", vocab_size=140,
                       treat_whitespace_as_suffix=True),
    "bpe-rules": dict(model_type="bpe", vocab_size=140, rules=True),
    "unigram": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="identity",
                    remove_extra_whitespaces=False, vocab_size=400),
    "unigram-rules": dict(model_type="unigram", vocab_size=140, rules=True, pad_id=3, bos_id=-1),
    "word": dict(model_type="word", vocab_size=40, normalization_rule_name="identity"),
}


def train(folder, rules=False, **options):
    source = random.Random(1)
    lines = [" ".join(source.choice(WORDS) for _ in range(source.randint(1, 20))) for _ in range(2000)]
    if rules:
        (folder / "rules.tsv").write_text(RULES)
        options["normalization_rule_tsv"] = str(folder / "rules.tsv")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, num_threads=1, minloglevel=2, **options)
    return model.getvalue()


def write_directory(folder, model):
    """A LLaMA of zeros with a vocabulary of 512."""
    folder.mkdir()
    sizes = {"hidden_size": 4, "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 512,
             "max_position_embeddings": 2048}
    configuration = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "tie_word_embeddings": True, **sizes}
    (folder / "config.json").write_text(json.dumps(configuration))
    shapes = {"model.embed_tokens.weight": [512, 4], "model.norm.weight": [4]}
    for name in ["input_layernorm", "post_attention_layernorm"]:
        shapes[f"model.layers.0.{name}.weight"] = [4]
    for name in [f"self_attn.{x}_proj" for x in "qkvo"] + [f"mlp.{x}_proj" for x in ["gate", "up", "down"]]:
        shapes[f"model.layers.0.{name}.weight"] = [4, 4]
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    (folder / "tokenizer.model").write_bytes(model)


def golden(program, folder, model):
    write_directory(folder / "in", model)
    for command in (["import", folder / "in", "--output", folder / "checkpoints"],
                    ["export", folder / "checkpoints", "--output", folder / "out"]):
        subprocess.run([program, *map(str, command)], check=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "out")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    cases = []
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        assert ids == processor.encode(text), (text, ids, processor.encode(text))
        cases.append(ids)
    assert (tokenizer.eos_token_id, len(tokenizer)) == (processor.eos_id(), processor.get_piece_size())
    assert all((id_ if id_ is not None else -1) == own for id_, own in (
        (tokenizer.bos_token_id, processor.bos_id()), (tokenizer.pad_token_id, processor.pad_id()),
        (tokenizer.unk_token_id, processor.unk_id())))
    files = {}
    for name in ["tokenizer.json", "tokenizer_config.json", "tokenizer.model"]:
        path = folder / "out" / name
        if path.exists():
            files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"class": type(tokenizer).__name__, "files": files, "model": base64.b64encode(model).decode(), "ids": cases}


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    content = {
        "transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__,
        "texts": [base64.b64encode(text.encode()).decode() for text in TEXTS], "models": {},
    }
    for name, options in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            content["models"][name] = golden(program, folder, train(folder, **options))
    path = pathlib.Path(__file__).parent / "Golden" / "tokenizers.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")


main()
