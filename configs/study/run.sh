#!/bin/sh
# Makes a tokenizer, prepares the data, trains every arm with every seed, and compares. Run it from the package's root, again after an
# interruption: finished runs end at once, others resume. `make study` builds the program first.
#
#   MILE_DIST    the program            .build/release/mile-dist
#   STUDY_TEXT   folder of the texts    ../shared/data
#   STUDY_SEEDS  seeds of every arm     "1 2 3 4 5"
#   STUDY_JOBS   runs at a time         2
set -eu

program=${MILE_DIST:-.build/release/mile-dist}
text=${STUDY_TEXT:-../shared/data}
seeds=${STUDY_SEEDS:-1 2 3 4 5}
jobs=${STUDY_JOBS:-2}
arms="cross_entropy focal-1 mile-0.5 mile-1 mile-2"

# The tokenizer learns from the training text alone. It appears under its name when it is whole.
if ! [ -e study/tokenizer.model ]; then
    mkdir -p study
    "$program" tokenizer train "$text/train-00.jsonl.zst" "$text/train-01.jsonl.zst" --vocab-size 2048 \
        --output study/unfinished-tokenizer
    mv study/unfinished-tokenizer.model study/tokenizer.model
fi

# The parts of `split` from the files that follow; what is there already is recognised, other texts are refused.
prepare() {
    split=$1
    shift
    "$program" prepare --tokenizer study/tokenizer.model --split-domains --output "study/data/$split" "$@"
}

mkdir -p study/data runs/study
prepare train "$text/train-00.jsonl.zst" "$text/train-01.jsonl.zst"
prepare validation "$text/validation.jsonl.zst"

# Seeds outside, arms inside: a study that is cut off has whole pairs. xargs goes on after a failed run, and fails at
# the end.
runs=
for seed in $seeds; do
    for arm in $arms; do runs="$runs $arm:$seed"; done
done
export program
# shellcheck disable=SC2016,SC2086 # the inner shell expands these; a list of names without blanks
printf '%s\n' $runs | xargs -P "$jobs" -I RUN sh -c '
    arm=${1%:*} seed=${1#*:}
    directory="runs/study/$arm-seed-$seed"
    log="$directory/output.log"
    mkdir -p "$directory"
    # Programs that start side by side and share the folder of Open MPI sessions fail now and then (its issue 8510).
    TMPDIR=$(mktemp -d) || exit 1
    export TMPDIR
    trap "rm -rf \"$TMPDIR\"" EXIT
    begin=$(date +%s)
    if "$program" train "configs/study/$arm.yaml" --set "training.seed=$seed" --set "logging.directory=$directory" \
        >> "$log" 2>&1
    then echo "$1: done in $(($(date +%s) - begin)) s"
    else
        status=$?
        echo "$1: status $status, see $log" >&2
        exit 1
    fi' sh RUN

directories=
for seed in $seeds; do
    for arm in $arms; do directories="$directories runs/study/$arm-seed-$seed"; done
done
# shellcheck disable=SC2086 # a list of names without blanks
"$program" compare $directories --output study/report.html
