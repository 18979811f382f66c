#!/usr/bin/env bash
# Compares the forms of text that `prepare` reads with each other and with pyarrow, by the program, on a large file.
#
#   Tests/data-forms.sh [MiB]     1024 MiB of text unless told; needs MILE_PYTHON, or a python3, with pyarrow
#
# MILE_DIST_EXECUTABLE names the program; .build/release/mile-dist unless set. It prints a line for each comparison, "passed" or
# "failed", a tab and its name. The status is 0 if all passed. `make test` does not run it: it takes minutes and disk.

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
program="$(realpath -m "${MILE_DIST_EXECUTABLE:-$root/.build/release/mile-dist}")"
export MILE_PYTHON="${MILE_PYTHON:-python3}"
mebibytes="${1:-1024}"
if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
export OMPI_MCA_rmaps_base_oversubscribe=1

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failures=0

# result NAME STATUS: prints the line of a comparison.
result() {
    if (($2 == 0)); then printf 'passed\t%s\n' "$1"; else
        printf 'failed\t%s\n' "$1"
        failures=$((failures + 1))
    fi
}

# Texts with nulls, characters of one to four bytes and escapes: plain, nested, coded, in many row groups and in one.
"$MILE_PYTHON" - "$mebibytes" <<'PYTHON'
import json, random, sys
import pyarrow as pa, pyarrow.parquet as pq

wanted = int(sys.argv[1]) << 20
random.seed(1)
words = ["the", "river", "Grüße", "\u4e2d\u6587", "\U0001f600", '"quoted"', "back\\slash", "line\nend", "tab\t", "\u2028", "x" * 40]
schema = pa.schema([
    ("text", pa.string()), ("a", pa.struct([("b", pa.large_string()), ("n", pa.int64())])), ("n", pa.int64()),
    ("meta", pa.struct([("pile_set_name", pa.string())]))])
many = pq.ParquetWriter("many.parquet", schema, compression="zstd")
size = row = 0
with open("plain.jsonl", "w", encoding="utf-8") as plain:
    while size < wanted:
        texts = []
        for _ in range(2000):
            text = None if random.random() < 0.01 else " ".join(random.choices(words, k=random.randrange(400)))
            texts.append(text)
            size += len(text.encode()) if text is not None else 0
        domains = ["P%d" % ((row + i) % 3) for i in range(len(texts))]
        many.write_table(pa.table({
            "text": pa.array(texts, pa.string()), "a": [None if x is None else {"b": x, "n": 1} for x in texts],
            "n": list(range(row, row + len(texts))), "meta": [{"pile_set_name": d} for d in domains]}, schema=schema))
        row += len(texts)
    many.close()
    # The documents as pyarrow gives them.
    for batch in pq.ParquetFile("many.parquet").iter_batches(batch_size=500, columns=["text", "meta"]):
        for text, meta in zip(batch["text"].to_pylist(), batch["meta"].to_pylist()):
            if text is not None:
                plain.write(json.dumps({"text": text, "meta": meta}, ensure_ascii=False) + "\n")
# One row group of all rows, written without holding them.
one = pq.ParquetWriter("one.parquet", schema, compression="snappy")
one.write_table(pq.read_table("many.parquet"), row_group_size=1 << 40)
one.close()
pq.write_table(schema.empty_table(), "empty.parquet")
print("texts:", size, "bytes,", row, "rows")
PYTHON

# hashes PREFIX: the hashes of a pair.
hashes() { cat "$1.bin" "$1.idx" | sha256sum; }

# prepared NAME FILES...: prepares the files, and compares the pair with that of the JSON lines.
prepared() {
    local name="$1" status=0
    shift
    "${launch[@]}" "$program" prepare --tokenizer bytes --output "$name" "$@" >"$name.log" 2>&1 || status=1
    if [[ "$name" != plain ]]; then [[ "$(hashes "$name")" == "$(hashes plain)" ]] || status=1; fi
    result "$name: $*" "$status"
    if ((status != 0)); then tail -n 5 "$name.log"; fi
    if [[ "$name" != plain ]]; then rm -f "$name".bin "$name".idx "$name".json; fi
}

launch=()
prepared plain plain.jsonl
# Peak memory of one rank and of Python, while the file is far larger.
measure='
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, "KiB", file=open(sys.argv[1], "w"))
sys.exit(status)'
for form in many one; do
    launch=("$MILE_PYTHON" -c "$measure" "memory-$form")
    prepared "$form" "$form.parquet" --threads 1
    result "memory of $form.parquet: $(cat "memory-$form")" "$(($(cut -d' ' -f1 "memory-$form") > 700000))"
done
launch=(mpirun -n 3)
prepared ranks many.parquet
prepared nested many.parquet --text-key a.b
launch=()
prepared with-empty empty.parquet many.parquet
gzip -1 -k plain.jsonl
zstd -q plain.jsonl -o plain.json.zst
prepared gzip plain.jsonl.gz
prepared zstd plain.json.zst
prepared standard-input - <plain.jsonl
launch=(mpirun -n 3)
prepared standard-input-of-ranks - <plain.jsonl.gz
launch=()
mkfifo pipe
cat plain.jsonl >pipe &
prepared pipe ./pipe
mkdir -p shards/deep
head -n 1000 plain.jsonl >shards/1.jsonl
tail -n +1001 plain.jsonl | gzip -1 >shards/deep.jsonl.gz
mv shards/deep.jsonl.gz shards/deep/2.JSONL.GZ
prepared directory shards
mv shards/deep/2.JSONL.GZ shards/2.jsonl.gz
prepared pattern 'shards/*.jsonl*'

# fails NAME WORDS COMMAND...: the command fails with the words in its one message, and writes no pair.
fails() {
    local name="$1" words="$2" status=0
    shift 2
    if "$@" >"$name.log" 2>&1; then status=1; fi
    grep -q "$words" "$name.log" || status=1
    if [[ -e bad.bin || -e bad.idx ]]; then status=1; fi
    result "$name" "$status"
    if ((status != 0)); then tail -n 5 "$name.log"; fi
    rm -rf bad.*
}
bad=("$program" prepare --tokenizer bytes --output bad)
fails pyarrow-absent 'pip install pyarrow' env MILE_PYTHON="$folder/no-python" "${bad[@]}" many.parquet
head -c 1000000 many.parquet >cut.parquet
fails beginning 'no Parquet file, or only its beginning' "${bad[@]}" cut.parquet
"$MILE_PYTHON" -c '
import pyarrow.parquet as pq
data = bytearray(open("many.parquet", "rb").read())
file = pq.ParquetFile("many.parquet").metadata
text = file.row_group(file.num_row_groups // 2).column(0)
middle = (text.dictionary_page_offset or text.data_page_offset) + text.total_compressed_size // 2
for i in range(middle, middle + min(4096, text.total_compressed_size // 4)): data[i] ^= 0x55
open("damaged.parquet", "wb").write(data)'
fails damaged 'pyarrow cannot read it' "${bad[@]}" damaged.parquet
# The child is killed when it has begun: it is the only process below this script that runs the interpreter with the file.
# shellcheck disable=SC2016 # the inner shell expands it
fails killed 'killed by signal 9' bash -c '
    "$@" & program=$!
    until child=$(pgrep -P "$program" -f MILEROWS); do sleep 0.02; done
    sleep 0.5
    kill -9 $child
    wait "$program"' bash "${bad[@]}" many.parquet --threads 1

echo "$failures failed"
exit $((failures > 0))
