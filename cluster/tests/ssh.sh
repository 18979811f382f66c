#!/usr/bin/env bash
# Tests ../ssh.sh on the two hosts of two-hosts.sh.
#
#   cluster/tests/ssh.sh            tests .build/release/mile-dist, or the program that MILE_DIST_EXECUTABLE names
#
# Two ranks on two hosts must train to the bits of two ranks on one, through the wire alone and with no more bytes than the
# gradient and the parameters need; and a wire that is cut must end all of them, with a message. Prints a line for each check:
# "passed", "failed" or "skipped", a tab, its name and what else is known. The status is 0 if none failed. Takes a minute.

set -euo pipefail

folder_of_tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
program="${MILE_DIST_EXECUTABLE:-$folder_of_tests/../../.build/release/mile-dist}"

folder="$(mktemp -d "${TMPDIR:-/tmp}/mile-ssh-XXXXXX")"
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
failed=0

skip() {
    printf 'skipped\ttwo hosts: %s\n' "$1"
    exit 0
}

passed() { printf 'passed\ttwo hosts: %s\n' "$1"; }

failed() { # name and what was found, log
    printf 'failed\ttwo hosts: %s\n' "$1"
    failed=1
    sed 's/^/    /' "$2" >&2
}

check() { # name, log, expected, actual
    if [[ "$3" == "$4" ]]; then passed "$1"; else failed "$1: expected \"$3\", found \"$4\"" "$2"; fi
}

check_between() { # name, log, least, most, actual
    if (($3 <= $5 && $5 <= $4)); then passed "$1"; else failed "$1: expected $3 to $4, found $5" "$2"; fi
}

# Runs the rest of the arguments with the name $1 for its log, and leaves the status in `status`.
run() {
    local name="$1"
    shift
    status=0
    "$@" >"$folder/$name.log" 2>&1 || status=$?
}

# One line of hashes for parameters and moments of the newest checkpoint in the folder $1.
bits() {
    "$program" inspect "$folder/$1/checkpoints" --json | sed 's/.*"step":\([0-9]*\),"tensors":/\1 /' |
        sha256sum | cut -d' ' -f1
}

sent_bytes() { sed -n "s/^wire:.* node$2 sent \([0-9]*\) bytes.*/\1/p" "$folder/$1.log"; }

[[ -x "$program" ]] || skip "there is no $program; make build makes it"
cat >"$folder/run.yaml" <<'END'
model: {hidden_size: 128, intermediate_size: 256, num_hidden_layers: 4, num_attention_heads: 4, vocab_size: 257,
        max_position_embeddings: 32, initializer_range: 0.02}
data:
  tokenizer: bytes
  train:
    - {name: synthetic, path: "synthetic:train"}
  sequence_length: 32
optimizer: {learning_rate: 1.0e-3}
schedule: {warmup_steps: 2, total_steps: 20}
training: {global_batch_size: 4, micro_batch_size: 2, threads: 1, reproducible: true}
checkpoint: {every: 1000000}
logging: {every: 10}
END
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
here=(mpirun --oversubscribe --bind-to none -n 2)
there=("$folder_of_tests/two-hosts.sh" --rate 1gbit --)
train=("$program" train "$folder/run.yaml")

run plan "${there[@]}" "${train[@]}" --dry-run
if ((status == 69)); then skip "$(sed -n 's/^two-hosts: //p' "$folder/plan.log")"; fi

# What a rank needs, and all ranks of its node, in the words of the dry run.
memory_of_node() { sed -n 's/.*together \([0-9]*\) MiB, on this node \([0-9]*\) MiB.*/\1 \2/p' "$folder/$1.log"; }
run plan-here "${here[@]}" "${train[@]}" --dry-run
read -r rank node <<<"$(memory_of_node plan)"
check "a node has one rank" "$folder/plan.log" "$rank" "$node"
read -r rank node <<<"$(memory_of_node plan-here)"
# Both are rounded up.
check_between "on one host a node has two" "$folder/plan-here.log" "$((2 * rank - 1))" "$((2 * rank))" "$node"

run two "${there[@]}" "${train[@]}" --set "logging.directory=$folder/two"
check "training on two hosts ends with status 0" "$folder/two.log" 0 "$status"
run one "${here[@]}" "${train[@]}" --set "logging.directory=$folder/one"
run other "${here[@]}" "${train[@]}" --set "logging.directory=$folder/other" --set training.seed=112
check "its bits are those of two ranks on one host" "$folder/two.log" "$(bits one)" "$(bits two)"
if [[ "$(bits other)" != "$(bits one)" ]]; then
    passed "another seed has other bits"
else
    failed "another seed has other bits: the comparison shows nothing" "$folder/other.log"
fi

# Of P parameters each rank sends the other half of the gradient in 64-bit numbers, and half of the parameters in fp32:
# 8 P and 4 P in both directions together. Frames and what mpirun and ssh say take some percent.
parameters="$(sed -n 's/^run: \([0-9,]*\) parameters.*/\1/p' "$folder/two.log" | tr -d ,)"
bytes=$(($(sent_bytes two 1) + $(sent_bytes two 2)))
check_between "20 steps take 12 bytes a parameter and step on the wire, and at most 8 % more" "$folder/two.log" \
    "$((20 * 12 * parameters))" "$((20 * 12 * parameters * 108 / 100))" "$bytes"
check_between "without training next to nothing is sent" "$folder/plan.log" \
    0 "$((bytes / 100))" "$(($(sent_bytes plan 1) + $(sent_bytes plan 2)))"
echo "$parameters parameters, 20 steps: node1 sent $(sent_bytes two 1) bytes, node2 $(sent_bytes two 2)," \
    "$(awk -v bytes="$bytes" -v count="$parameters" 'BEGIN { printf "%.2f", bytes / count / 20 }')" \
    "a parameter and step"

# Seconds instead of the minute that ssh.sh allows.
export OMPI_MCA_oob_tcp_keepalive_time=4 OMPI_MCA_oob_tcp_keepalive_intvl=2 OMPI_MCA_oob_tcp_keepalive_probes=2
run cut timeout 120 "$folder_of_tests/two-hosts.sh" --cut-when "grep -q '^{\"step\": 20,' '$folder/cut/metrics.jsonl'" -- \
    "${train[@]}" --set "logging.directory=$folder/cut" --set schedule.total_steps=1000000
check "the wire is cut while both hosts train" "$folder/cut.log" 1 \
    "$(grep -c "cutting the wire; node2 runs .*mile-dist" "$folder/cut.log" || true)"
after="$(sed -n 's/.*mpirun ended with status [0-9]*, \([0-9]*\) s after the cut/\1/p' "$folder/cut.log")"
check_between "mpirun ends within a minute of the cut, with an error" "$folder/cut.log" 1 60 "$((status == 0 ? 0 : ${after:-0}))"
check "its message names the node that is lost" "$folder/cut.log" 1 \
    "$(grep -c "Remote daemon: .* on node node2" "$folder/cut.log" || true)"
check "nothing runs on that node any more" "$folder/cut.log" 1 \
    "$(grep -c "node2 runs nothing, " "$folder/cut.log" || true)"
grep -h "^two-hosts: " "$folder/cut.log" || true
exit "$failed"
