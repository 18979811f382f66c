#!/usr/bin/env bash
# Runs the command lines of README, CONTRIBUTING and the pages: each "sh" block, and the lines after "$ " of each "console" block.
# The other lines of a "console" block are output. Each must be a line of the commands' output, in which any number stands for any
# other; a line that ends with "..." is the beginning of one.
#
#   Tests/check-commands.sh               prints a line for each block: "passed" or "failed", a tab, its page and line
#   Tests/check-commands.sh --self-test   runs broken pages, where each block must fail
#
# MILE_DIST_EXECUTABLE names the program; .build/release/mile-dist unless set. The status is 0 if all passed.
#
# The blocks of a page run one after another in a temporary folder, with small texts. Trainings are those of the page with a tiny
# model and four steps. Stand-ins take the place of mpirun (two or three ranks), make (-n) and of the programs of clusters: sbatch and
# srun run the launch scripts with two ranks, docker, kubectl and apptainer look at files and options.
#
# Comments before a block: <!-- check: file: NAME --> saves the block; <!-- check: dry-run --> adds --dry-run to trainings;
# <!-- check: skip: REASON --> does not run it, and looks at the program's options in it. <!-- check: with: trained tasks --> anywhere
# in a page gives its folder a trained model, and tasks; see fixture_* below for the names.

set -euo pipefail

self="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/$(basename "${BASH_SOURCE[0]}")"
root="${MILE_PAGES_ROOT:-$(cd "$(dirname "$self")/.." && pwd)}"
catalogue=Sources/mile-dist/mile-dist.docc
program="$(realpath -m "${MILE_DIST_EXECUTABLE:-$root/.build/release/mile-dist}")"
# Seconds of one block, far more than any takes.
limit=120

if [[ "${1:-}" == --page ]]; then
    folder="$MILE_CHECK_FOLDER"
else
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
fi
results="$folder/results"

# Open MPI refuses root unless told.
if ((EUID == 0)); then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
export OMP_NUM_THREADS=1 MILE_CHECK_PROGRAM="$program" MILE_CHECK_ROOT="$root" MILE_CHECK_FOLDER="$folder"
MILE_CHECK_MPIRUN="$(command -v mpirun)"
MILE_CHECK_MAKE="$(command -v make)"
export MILE_CHECK_MPIRUN MILE_CHECK_MAKE

# MARK: Stand-ins

make_stand_ins() {
    mkdir -p "$folder/bin" "$folder/help"
    cat >"$folder/bin/mile-dist" <<'END'
#!/usr/bin/env bash
# The program. Trainings get a tiny model and four steps.
set -euo pipefail
command=train
case "${1:-}" in
    train | eval | generate | inspect | export | import | tokenizer | prepare | compare | bench | plan | doctor | help) command="$1" ;;
esac
if [[ "$command" == bench && "${2:-}" == step ]]; then command="bench step"; fi
arguments=()
for argument in "$@"; do
    case "$argument" in
        training.stop_at_step=*) argument=training.stop_at_step=2 ;;
        *step-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]) argument="${argument%step-*}step-00000002" ;;
    esac
    if [[ "${before:-}" == --vocab-size ]]; then argument=300; fi
    before="$argument"
    arguments+=("$argument")
done
tiny=()
case "$command $*" in
    *--help* | *--dry-run* | *--print-config* | *--print-order* | *--version*) ;;
    train* | "bench step"*)
        for setting in model.hidden_size=32 model.intermediate_size=32 model.num_hidden_layers=1 model.num_attention_heads=2 \
            data.sequence_length=32 training.global_batch_size=4 training.micro_batch_size=2 training.threads=1 \
            schedule.warmup_steps=1 schedule.total_steps=4 evaluation.every=4 evaluation.sequences=2 checkpoint.every=2; do
            tiny+=(--set "$setting")
        done
        if [[ "$command" == "bench step" ]]; then tiny+=(--steps 1); fi
        ;;
esac
if [[ -n "${MILE_CHECK_DRY_RUN:-}" && "$command" == train ]]; then tiny=(--dry-run); fi
# Behind the subcommand and before what the page says, so that its own settings count.
skipped=0
if ((${#tiny[@]} > 0)); then
    case "${1:-}" in
        train) skipped=1 ;;
        bench) skipped=2 ;;
    esac
fi
exec "$MILE_CHECK_PROGRAM" "${arguments[@]:0:skipped}" "${tiny[@]}" "${arguments[@]:skipped}"
END
    cat >"$folder/bin/mpirun" <<'END'
#!/usr/bin/env bash
# Open MPI's launcher with at most three ranks on this machine.
set -euo pipefail
ranks=2
while (($# > 0)); do
    case "$1" in
        -n) ranks=$(($2 < 2 ? $2 : $2 % 2 ? 3 : 2)) && shift 2 ;;
        --hostfile) grep -q '^[a-z0-9]' "$2" && shift 2 ;;
        --oversubscribe) shift ;;
        --bind-to | --map-by | -x) shift 2 ;;
        --mca) shift 3 ;;
        -*) echo "the stand-in for mpirun does not know $1" >&2 && exit 1 ;;
        *) break ;;
    esac
done
# A job's variables would make Open MPI look for its Slurm.
for name in "${!SLURM_@}"; do unset "$name"; done
TMPDIR="$(mktemp -d "$MILE_CHECK_FOLDER/session.XXXXXX")" "$MILE_CHECK_MPIRUN" --oversubscribe -n "$ranks" "$@"
END
    cat >"$folder/bin/srun" <<'END'
#!/usr/bin/env bash
set -euo pipefail
while [[ "${1:-}" == -* ]]; do
    case "$1" in
        --mpi=pmix | --cpu-bind=cores | --cpus-per-task=*) shift ;;
        *) echo "the stand-in for srun does not know $1" >&2 && exit 1 ;;
    esac
done
exec mpirun -n 2 "$@"
END
    cat >"$folder/bin/sbatch" <<'END'
#!/usr/bin/env bash
set -euo pipefail
while [[ "${1:-}" == -* ]]; do
    case "$1" in
        --nodes=* | --time=* | --ntasks-per-node=* | --signal=B:USR1@*) shift ;;
        *) echo "the stand-in for sbatch does not know $1" >&2 && exit 1 ;;
    esac
done
export SLURM_JOB_ID=1 SLURM_NTASKS=2 SLURM_CPUS_PER_TASK=1
exec bash "$@"
END
    cat >"$folder/bin/make" <<'END'
#!/usr/bin/env bash
exec "$MILE_CHECK_MAKE" -n -C "$MILE_CHECK_ROOT" "$@" >/dev/null
END
    cat >"$folder/bin/kubectl" <<'END'
#!/usr/bin/env bash
[[ "$1 $2" == "apply -f" ]] && grep -q '^kind: MPIJob$' "$3"
END
    cat >"$folder/bin/apptainer" <<'END'
#!/usr/bin/env bash
# A definition and what it copies are there; the image is the program.
set -euo pipefail
[[ "$1" == build ]]
grep -q '^Bootstrap: docker$' "$3"
awk '/^%files$/ { on = 1; next } /^%|^Bootstrap/ { on = 0 } on && NF == 2 { print $1 }' "$3" |
    while read -r file; do [[ -e "$file" ]] || { echo "there is no $file" >&2 && exit 1; }; done
cp "$(command -v mile-dist)" "$2"
END
    cat >"$folder/bin/docker" <<'END'
#!/usr/bin/env bash
set -euo pipefail
case "$1" in
    build)
        [[ "$2" == -t && -e "$4/Dockerfile" ]]
        awk '$1 == "COPY" && $2 !~ /^--/ { for (i = 2; i < NF; i++) print $i }' "$4/Dockerfile" |
            while read -r file; do [[ -e "$file" ]] || { echo "there is no $file" >&2 && exit 1; }; done
        ;;
    push) [[ -n "$2" ]] ;;
    run)
        shift
        while [[ "$1" == -* ]]; do
            case "$1" in
                --rm | --shm-size=*) shift ;;
                --user | -v | --entrypoint) shift 2 ;;
                *) echo "the stand-in for docker does not know $1" >&2 && exit 1 ;;
            esac
        done
        [[ "$1" == mile-dist ]]
        ;;
    *) exit 1 ;;
esac
END
    chmod +x "$folder"/bin/*
}

# MARK: Folders of pages

# Text of $1 lines that a tokenizer can learn.
text() {
    awk -v lines="$1" -v seed="$2" 'BEGIN {
        split("ba ke li mo nu pa re si to vu dra fel gor han jin wex", syllables, " ")
        for (i = 0; i < lines; i++) {
            line = "Once"
            for (j = 0; j < 9; j++) {
                seed = (seed * 1103 + 12345) % 65536
                line = line " " syllables[int(seed / 16) % 16 + 1] syllables[int(seed / 256) % 16 + 1] syllables[int(seed / 4096) + 1]
            }
            print line "."
        }
    }'
}

# The texts, and links to what the repository has.
make_plain() {
    local here="$folder/plain/package"
    mkdir -p "$here/pile" "$folder/plain/shared/data"
    ln -s "$root/configs" "$root/cluster" "$root/Dockerfile" "$root/Package.swift" "$root/Sources" "$root/Tests" "$here"
    text 300 1 >"$here/books.txt"
    text 100 2 >"$here/books-validation.txt"
    text 100 3 | sed 's/.*/{"text": "&", "meta": {"pile_set_name": "Code"}}/' | zstd -q >"$here/code.jsonl.zst"
    text 50 4 | sed 's/.*/{"text": "&", "meta": {"pile_set_name": "Books"}}/' | zstd -q >"$here/pile/00.jsonl.zst"
    cp "$here/code.jsonl.zst" "$here/pile/01.jsonl.zst"
    cp "$here/books.txt" "$folder/plain/shared/data/tinyshakespeare-train.txt"
    cp "$here/books.txt" "$folder/plain/shared/data/tinyshakespeare-validation.txt"
    od -An -v -tu1 -w1 "$here/books.txt" | awk '{ printf "%c%c", $1, 0 }' >"$here/train.bin"
    # The configuration of the README is that of all pages.
    extract README.md | awk -F '\t' '$1 == "file" && $3 == "run.yaml" { print $4 }' | head -n 1 |
        { read -r block && cp "$block" "$here/run.yaml"; } || true
}

# Runs a command in the folder that is being made.
inside() { (cd "$here" && PATH="$folder/bin:$PATH" "$@"); }

fixture_trained() { inside mile-dist run.yaml; }
fixture_tokenizer() { inside mile-dist tokenizer train books.txt --vocab-size 300 --output my; }
fixture_cluster() { cp "$root/cluster/hostfile.example" "$here/hostfile"; }

fixture_tasks() {
    echo '{"task": "a", "context": "Once the", "choices": ["river", "bird"], "label": 0}' >"$here/hellaswag.jsonl"
    echo '{"task": "b", "context": "Once", "completion": " the"}' >"$here/lambada.jsonl"
}

fixture_study() {
    local kind seed
    for kind in cross_entropy mile; do
        for seed in 1 2; do
            inside mile-dist run.yaml --set "loss.kind=$kind" --set "training.seed=$seed" \
                --set "logging.directory=runs/study/$kind-$seed"
            cp -r "$here/runs/study/$kind-$seed" "$here/runs/${kind/cross_entropy/ce}-$seed"
        done
    done
}

# MARK: Blocks

# The blocks of the page $1, each in a file: kind (run, console, file, skip, dry-run), line, name or reason, file; a tab between them.
# Also "with", and the names of what the page needs.
extract() {
    mkdir -p "$folder/blocks/$1"
    awk -v out="$folder/blocks/$1" -v OFS='\t' '
        /^<!-- check: with: .* -->$/ { sub(/^<!-- check: with: /, ""); sub(/ -->$/, ""); print "with", NR, $0, ""; next }
        /^<!-- check: .* -->$/ { mark = $0; sub(/^<!-- check: /, "", mark); sub(/ -->$/, "", mark); next }
        !fenced && /^```/ {
            fenced = 1
            language = substr($0, 4)
            file = out "/" NR
            line = NR
            printf "" >file
            next
        }
        fenced && /^```/ {
            fenced = 0
            close(file)
            kind = ""
            name = ""
            if (mark ~ /^file: /) { kind = "file"; name = substr(mark, 7) }
            else if (mark ~ /^skip/) { kind = "skip"; name = mark; sub(/^skip:? */, "", name) }
            else if (mark == "dry-run") kind = "dry-run"
            else if (mark != "") { kind = "unknown"; name = mark }
            else if (language == "sh") kind = "run"
            else if (language == "console") kind = "console"
            if (kind != "") print kind, line, (name == "" ? "-" : name), file
            mark = ""
            next
        }
        fenced { print >file; next }
        NF { mark = "" }' "$1"
}

# The options in the block $1 that the program does not have, one message a line.
unknown_options() {
    local line words command option help own
    # A line of commands, without its comment and what another program does with its output.
    sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' "$1" | { grep -oE '(^|[ /])mile-dist( [^|;&#>]*)?' || true; } |
        while read -r line; do
            read -r -a words <<<"${line#*mile-dist}"
            command=train
            case "${words[0]:-}" in
                eval | generate | inspect | export | import | prepare | compare | plan | doctor) command="${words[0]}" ;;
                tokenizer | bench) command="${words[0]} ${words[1]:-}" ;;
            esac
            help="$folder/help/${command// /-}"
            # shellcheck disable=SC2086 # a subcommand of two words
            if ! [[ -e "$help" ]]; then
                # Two pages are checked at a time: the file appears as a whole.
                own="$help.$BASHPID"
                "$program" $command --help >"$own" 2>&1 || : >"$own"
                mv "$own" "$help"
            fi
            if ! [[ -s "$help" ]]; then
                echo "mile-dist has no command $command"
                continue
            fi
            for option in "${words[@]}"; do
                option="${option%%=*}"
                [[ "$option" == --* ]] || continue
                grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" "$help" || echo "mile-dist $command has no option $option"
            done
        done
}

# Lines with N for each number, and one blank for several.
normalized() { sed -E 's/[-+]?[0-9][0-9.,]*([eE][-+][0-9]+)?/N/g; s/[[:space:]]+/ /g; s/^ //; s/ $//'; }

# The lines of output in the console block $1 that the file $2 does not have.
missing_output() {
    local line
    normalized <"$2" >"$2.normalized"
    { grep -v '^\$ ' "$1" || true; } | normalized | while IFS= read -r line; do
        case "$line" in
            "") ;;
            *...) BEGINNING="${line%...}" awk 'index($0, ENVIRON["BEGINNING"]) == 1 { found = 1 } END { exit !found }' "$2.normalized" ||
                echo "$line" ;;
            *) grep -qxF -- "$line" "$2.normalized" || echo "$line" ;;
        esac
    done
}

record() { printf '%s\tcommands: %s\n' "$1" "$2"; }

# Runs the blocks of the page $1.
check_page() {
    local page="$1" here="$folder/pages/$1/package" kind line name file status problems missing needed list output fixtures
    list="$folder/pages/$1/list"
    output="$folder/pages/$1/output"
    mkdir -p "$(dirname "$here")"
    extract "$page" >"$list"
    grep -qE '^(run|console|skip|dry-run|unknown)' "$list" || return 0
    cp -r "$folder/plain/." "$(dirname "$here")"
    read -r -a fixtures <<<"$(awk -F '\t' '$1 == "with" { print $3 }' "$list" | paste -sd ' ')"
    for needed in "${fixtures[@]}"; do
        if ! "fixture_$needed" >"$output" 2>&1; then
            record failed "$page: the page's folder could not be made: $needed: $(tail -n 1 "$output")"
            return 0
        fi
    done
    while IFS=$'\t' read -r kind line name file; do
        status=0
        case "$kind" in
            file)
                cp "$file" "$here/$name"
                continue
                ;;
            with) continue ;;
            unknown)
                record failed "$page:$line: the mark \"$name\" is unknown"
                continue
                ;;
            skip)
                problems="$(unknown_options "$file")"
                if [[ "$name" == - ]]; then problems="a skip needs a reason"; fi
                if [[ -n "$problems" ]]; then
                    record failed "$page:$line: ${problems//$'\n'/; }"
                else
                    record passed "$page:$line: options (not run: $name)"
                fi
                continue
                ;;
            console) sed -n 's/^\$ //p' "$file" >"$file.sh" ;;
            *) cp "$file" "$file.sh" ;;
        esac
        if [[ ! -s "$file.sh" ]]; then
            record failed "$page:$line: the block has no command"
            continue
        fi
        (
            cd "$here"
            export PATH="$folder/bin:$PATH"
            if [[ "$kind" == dry-run ]]; then export MILE_CHECK_DRY_RUN=1; fi
            # Without -u: pages use variables of the shell, as $PWD.
            timeout --kill-after=5 "$limit" bash -eo pipefail "$file.sh"
        ) >"$output" 2>&1 </dev/null || status=$?
        missing=""
        if ((status == 0)) && [[ "$kind" == console ]]; then missing="$(missing_output "$file" "$output")"; fi
        if ((status == 0)) && [[ -z "$missing" ]]; then
            record passed "$page:$line"
        elif ((status == 0)); then
            tail -n 20 "$output"
            record failed "$page:$line: the output lacks: ${missing//$'\n'/; }"
        else
            tail -n 20 "$output"
            record failed "$page:$line: status $status: $(tail -n 1 "$output" | cut -c 1-200)"
        fi
    done <"$list"
}

check_all() {
    if ! [[ -x "$program" ]]; then
        echo "there is no program at $program: make build, or set MILE_DIST_EXECUTABLE" >&2
        exit 2
    fi
    make_stand_ins
    make_plain
    # Two pages at a time: most commands wait for files and messages.
    printf '%s\n' README.md CONTRIBUTING.md "$catalogue"/*.md |
        MILE_CHECK_FOLDER="$folder" xargs -P 2 -I PAGE "$self" --page PAGE | tee "$results"
    if ! grep -q '^passed' "$results"; then record failed "no page has a command" | tee -a "$results"; fi
    ! grep -q '^failed' "$results"
}

# MARK: Self-test

self_test() {
    local name pattern status=0 broken=0 copy="$folder/copy"
    mkdir -p "$copy/$catalogue"
    ln -s "$root/configs" "$root/cluster" "$root/Dockerfile" "$root/Makefile" "$root/Package.swift" "$root/Tests" "$copy"
    echo '# Rules' >"$copy/CONTRIBUTING.md"
    cp "$root/README.md" "$copy/README.md"
    # Of the README only the configuration.
    awk '/^<!-- check: file/ { on = 1 } on { print } on && /^```$/ { exit }' "$root/README.md" >"$copy/README.md"
    cat >"$copy/$catalogue/Broken.md" <<'END'
# Broken pages

```sh
mile-dist run.yaml --print-config
```

```sh
mile-dist run.yaml --no-such-option
```

```sh
mile-dist run.yaml --set model.no_such_key=1
```

```console
$ mile-dist inspect runs/nowhere
verified
```

```sh
false | cat
true
```

```sh
sbatch cluster/no-such-script.sbatch run.yaml
```

```sh
make no-such-target
```

<!-- check: skip: for the self-test -->
```sh
mpirun -n 4 mile-dist eval runs/run/checkpoints --no-such-option | head
```

<!-- check: skip -->
```sh
mile-dist --help
```

<!-- check: nothing -->
```sh
mile-dist --help
```

<!-- check: skip: for the self-test -->
```sh
mpirun -n 4 mile-dist eval runs/run/checkpoints --data books.txt --json
```

```console
output without a command
```

<!-- check: dry-run -->
```sh
mile-dist run.yaml
test ! -e runs
```

```console
$ mile-dist --version
mile-dist 99.0.7
built for ...
```

```console
$ mile-dist --version
mile-dist 99.0.7
built from nothing ...
```

```console
$ mile-dist --version
mile-dist
```
END
    MILE_PAGES_ROOT="$copy" "$self" >"$folder/self-test" 2>&1 || status=$?
    while IFS='|' read -r name pattern; do
        if ((status == 1)) && grep -qE "^${pattern/ /$'\t'commands: $catalogue/Broken.md:}" "$folder/self-test"; then
            printf 'passed\tcheck-commands.sh: %s\n' "$name"
        else
            printf 'failed\tcheck-commands.sh: %s: status %s, no line %s\n' "$name" "$status" "$pattern"
            broken=1
        fi
    done <<'END'
a command that runs passes|passed 3$
an unknown option is found|failed 7: status 2
an unknown key is found|failed 11: status 2
a failing command after "$ " is found|failed 15: status 3
a failing command of a pipe is found|failed 20: status 1
a missing launch script is found|failed 25: status 127
a missing target is found|failed 29: status 2
an unknown option of a skipped block is found|failed 34: mile-dist eval has no option --no-such-option$
a skip without a reason is found|failed 39: a skip needs a reason$
an unknown mark is found|failed 44: the mark "nothing" is unknown$
options of a skipped block pass|passed 49: options
a block without a command is found|failed 53: the block has no command$
a dry run trains nothing|passed 58$
output with other numbers passes|passed 63$
a line that the output lacks is found|failed 69: the output lacks: built from nothing ...$
a part of a line is no line|failed 75: the output lacks: mile-dist$
END
    if ((broken)); then cat "$folder/self-test"; fi
    ((!broken))
}

cd "$root"
case "${1:-}" in
    "") check_all ;;
    --page) check_page "$2" ;; # for this script itself
    --self-test) self_test ;;
    *)
        echo "usage: $0 [--self-test]" >&2
        exit 2
        ;;
esac
