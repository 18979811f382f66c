#!/usr/bin/env python3
"""Writes Golden/*.json: small tokenizers, texts, and the ids and decoded texts of the Python package tokenizers (0.23).

Each file holds {"tokenizer": TEXT of a tokenizer.json, "cases": [{"text", "ids", "decoded", "skipped"}, ...]}. "decoded"
is left out where it is the text, "skipped" (without special tokens) where it is "decoded".
With a folder of data as argument, compares at full size instead: every document of its *.jsonl.zst and *.txt files and
20,000 random texts, for each tokenizer.json that follows. MILE_DIST_EXECUTABLE names the program: `prepare` encodes the texts,
`tokenizer decode` turns the package's ids back into text.
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Golden")
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS = "the of and to in is that it was for on are as with his they at be this have from or had by word but what".split()
HOSTILE = [
    "", "\0", "a\0b", " ", "\n\n \n", "\ufeff", "it's I'LL we'Re don't", "12345 678", "  leading", "trailing  ",
    "\r\n\r", "e\u0301\u0323", "e\u0323\u0301", "\u0301\u0301", "\u1e9b\u0323", "한국어", "中文没有空格", "ＡＢＣ", "ﷺ",
    "👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈", "\u200b\u202e\xa0\u3000\u180e\u2028", "ſ K ß İ ǆ", "<0x41>", "▁▁ ▁", "Ġ",
    "\U0010ffff\U000e0001", "\u1c89 \U0002ebf0 \U00010940", "㎞½", "#@!...,,--", "a\u166db\U000111c9c\u2e43d", "\t\tx", "a" * 300, "the" * 60,
]


def random_texts(count, seed):
    chance = random.Random(seed)
    pools = [
        range(0x20, 0x7F), range(0x300, 0x340), range(0xA0, 0x250), range(0x4E00, 0x4F00), range(0x1F300, 0x1F700),
        [9, 10, 13, 32, 32, 0xA0, 0x2028, 0x3000, 0x200B, 0x200D, 0xFE0F, 0x2581], range(0xAC00, 0xAD00),
        range(0x900, 0x980), range(0x1100, 0x1200), range(0x600, 0x700),
    ]
    anything = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = []
    for _ in range(count):
        chosen = [anything] if chance.random() < 0.15 else chance.sample(pools, 3)
        texts.append("".join(chr(chance.choice(chance.choice(chosen))) for _ in range(chance.randint(1, 40))))
    return texts


def sentences():
    chance = random.Random(1)
    for _ in range(400):
        words = [chance.choice(WORDS) for _ in range(12)]
        yield " ".join(words).capitalize() + f", {chance.randint(0, 9999)}; don't.\n"


def byte_level(pattern=None, digits=False):
    steps = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    if digits:
        steps.append(pre_tokenizers.Digits(individual_digits=True))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None))
    return steps[0] if len(steps) == 1 else pre_tokenizers.Sequence(steps)


def trained(model, pre_tokenizer, decoder, normalizer=None, **options):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    tokenizer.train_from_iterator(sentences(), trainers.BpeTrainer(show_progress=False, **options))
    return tokenizer


def byte_tokenizer(pre_tokenizer, normalizer=None, ignore_merges=False):
    return trained(
        models.BPE(ignore_merges=ignore_merges), pre_tokenizer, decoders.ByteLevel(), normalizer, vocab_size=360,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), special_tokens=["<|endoftext|>"])


def byte_fallback():
    vocabulary = {token: id for id, token in enumerate(["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)])}
    merges = []
    for character in "▁abcdefghijklmnopqrstuvwxyz":
        vocabulary[character] = len(vocabulary)
    for word in WORDS:
        token = "▁"
        for character in word:
            if token + character not in vocabulary:
                vocabulary[token + character] = len(vocabulary)
                merges.append((token, character))
            token += character
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def charsmap():
    """A double array with the rules 'A' to 'a', 'ﬁ' to 'fi' and U+00A0 to a blank, in the layout of SentencePiece."""
    rules = {b"A": b"a", "ﬁ".encode(): b"fi", "\xa0".encode(): b" "}
    texts, offsets = b"", {}
    for key, value in rules.items():
        offsets[key] = len(texts)
        texts += value + b"\0"
    units = [0] * 256

    def place(prefix, node):
        """Gives the node of `prefix` 256 units of its own: the value first, then a child for each byte."""
        block = len(units)
        units.extend([0] * 256)
        units[node] |= (block ^ node) << 10
        if prefix in rules:
            units[node] |= 1 << 8
            units[block] = 1 << 31 | offsets[prefix]
        for byte in sorted({key[len(prefix)] for key in rules if key.startswith(prefix) and len(key) > len(prefix)}):
            units[block ^ byte] = byte
            place(prefix + bytes([byte]), block ^ byte)

    place(b"", 0)
    return struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + texts


def unigram():
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁", -3.2)]
    pieces += [(character, -4.5 - index / 7) for index, character in enumerate("etaoinshrdlucmfwypvbgkjqxz.,'")]
    pieces += [("▁" + word, -5.123456789012345 - index / 3) for index, word in enumerate(WORDS)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


def added():
    tokenizer = byte_tokenizer(byte_level(), normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()]))
    tokenizer.add_tokens([
        AddedToken("<A>", lstrip=True, normalized=False), AddedToken("<B>", rstrip=True, normalized=True),
        AddedToken("word", single_word=True, normalized=False), AddedToken("the thing"),
        AddedToken("the thing is"), AddedToken("Straße", single_word=True, lstrip=True), AddedToken("É", rstrip=True),
    ])
    tokenizer.add_special_tokens(
        [AddedToken("<|end|>", special=True, rstrip=True, normalized=False), AddedToken("[S]", special=True, normalized=True)])
    return tokenizer


def prefixed():
    tokenizer = trained(
        models.BPE(unk_token="[UNK]", continuing_subword_prefix="##", end_of_word_suffix="</w>"),
        pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_previous")]),
        decoders.BPEDecoder("</w>"), normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()]), vocab_size=300,
        special_tokens=["[UNK]"], continuing_subword_prefix="##", end_of_word_suffix="</w>")
    return tokenizer


TOKENIZERS = {
    "gpt2": lambda: byte_tokenizer(byte_level()),
    "llama3": lambda: byte_tokenizer(byte_level(LLAMA3), ignore_merges=True),
    "qwen2": lambda: byte_tokenizer(byte_level(LLAMA3.replace("{1,3}", "")), normalizers.NFC()),
    "smollm": lambda: byte_tokenizer(byte_level(digits=True)),
    "llama2": byte_fallback,
    "unigram": unigram,
    "added": added,
    "prefixed": prefixed,
}


def cases(tokenizer):
    extra = [
        "x <A> y<B>  z", "word words a word", "the thing is", "THE THING", "strasse straße STRASSE", "Éa é b",
        "<|end|>  <|endoftext|>[S][s]", "A\xa0ﬁ Ａ  b", "</s><s><unk>é<unk>",
    ]
    for text in HOSTILE + extra + random_texts(45, 2):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        case = {"text": text, "ids": ids}
        # The text itself, and the same text again, are left out.
        decoded = tokenizer.decode(ids, skip_special_tokens=False) if ids else ""
        skipped = tokenizer.decode(ids, skip_special_tokens=True) if ids else ""
        if decoded != text:
            case["decoded"] = decoded
        if skipped != decoded:
            case["skipped"] = skipped
        yield case


def write():
    os.makedirs(FOLDER, exist_ok=True)
    for name, make in TOKENIZERS.items():
        tokenizer = make()
        golden = {"tokenizer": tokenizer.to_str(pretty=False), "cases": list(cases(tokenizer))}
        with open(os.path.join(FOLDER, name + ".json"), "w") as file:
            json.dump(golden, file, separators=(",", ":"), ensure_ascii=False)
            file.write("\n")


def documents(folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".jsonl.zst"):
            lines = subprocess.run(["zstdcat", path], check=True, capture_output=True).stdout.decode().split("\n")
            yield from (json.loads(line)["text"] for line in lines if line.strip())
        elif name.endswith(".txt"):
            with open(path) as file:
                yield file.read()


def decoding_differences(program, path, tokenizer, encoded):
    """Lists of ids whose text is another by `tokenizer decode`. A text may have several lines; a line of END follows each."""
    end = tokenizer.encode("END", add_special_tokens=False).ids
    lines = "".join(" ".join(map(str, ids)) + "\n" + " ".join(map(str, end)) + "\n" for ids in encoded)
    output = subprocess.run(
        [program, "tokenizer", "decode", "--tokenizer", path], check=True, input=lines.encode(), capture_output=True).stdout
    border = f"\n{tokenizer.decode(end, skip_special_tokens=False)}\n".encode()
    expected = [tokenizer.decode(ids, skip_special_tokens=False).encode() for ids in encoded]
    found = output.split(border)
    if len(found) != len(expected) + 1:
        return len(expected)
    return sum(a != b for a, b in zip(found, expected))


def compare(folder, paths):
    program = os.environ["MILE_DIST_EXECUTABLE"]
    texts = [text for text in list(documents(folder)) + HOSTILE + random_texts(20000, 3) if text]
    failures = 0
    for path in paths:
        tokenizer = Tokenizer.from_file(path)
        with tempfile.TemporaryDirectory() as work:
            # A tokenizer_config.json beside the file would name an end token, which decoding leaves out.
            copied = shutil.copy(path, work + "/tokenizer.json")
            with open(work + "/texts.jsonl", "w") as file:
                file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
            subprocess.run(
                [program, "prepare", "--tokenizer", copied, "--end-token", "0", "--output", work + "/out",
                 work + "/texts.jsonl"], check=True, stdout=subprocess.DEVNULL)
            with open(work + "/out.bin", "rb") as file:
                data = file.read()
            form = "H" if tokenizer.get_vocab_size() < 65500 else "i"
            found = struct.unpack(f"<{len(data) // struct.calcsize(form)}{form}", data)
            encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
            wrong = decoding_differences(program, copied, tokenizer, encoded)
        position = different = 0
        for ids in encoded:
            different += list(found[position:position + len(ids) + 1]) != ids + [0]
            position += len(ids) + 1
        different += position != len(found)
        failures += different + wrong
        print(f"{path}: {different} of {len(texts)} texts differ in ids, {wrong} decoded", flush=True)
    return failures


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(1 if compare(sys.argv[1], sys.argv[2:]) else 0)
    write()
