# testing.sh - what the scripts that run tests share: runs, and their results. It is sourced.
#
# A test function counts once, a rank test once for each number of ranks that it applies to: one that skips on one rank and runs on
# more is listed, not counted. Where the data of the tests and a working mpirun are there, nothing has a reason to skip: then a skip
# counts as a failure.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the script that sources this one has some of the variables

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

# Far more than the tests take: it ends a run that hangs, with a message instead of silence.
suites_limit=1800
ranks_limit=300

# Open MPI refuses root unless told, which containers need, and more ranks than cores unless told.
if ((EUID == 0)); then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_rmaps_base_oversubscribe=1

logs="$(mktemp -d)"
beside=()      # the scripts that run beside something else, with their arguments
beside_pids=() # and their processes
# Ends scripts that still run beside: they clean up in folders below, so they are waited for. What they printed is shown.
clean_up() {
    local running number
    running="$(jobs -pr)"
    # shellcheck disable=SC2086 # one word to a process
    if [[ -n "$running" ]]; then kill $running || true; fi
    for number in "${!beside[@]}"; do
        wait "${beside_pids[number]}" || true
        heading "${beside[number]}, not waited for"
        cat "$logs/beside-$number.log"
    done
    rm -rf "$logs"
}
trap clean_up EXIT
results="$logs/results" # a line for each test: passed, failed or skipped, a tab, its name and what else is known
times="$logs/times"     # a line for each test, script or number of ranks: seconds, a tab, what took them
: >"$results"
: >"$times"

heading() { printf '\n== %s\n' "$*"; }

record() { printf '%s\t%s\n' "$1" "$2" >>"$results"; }

# Appends the results in the xUnit file $1, which Swift Testing writes with a test case to a line; $2 follows each name.
record_xunit() {
    awk -v suffix="${2:-}" '
        function attribute(name,   rest) {
            rest = $0
            if (!sub(".* " name "=\"", "", rest)) return ""
            sub("\".*", "", rest)
            return rest
        }
        function plain(text) {
            gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text); gsub(/&apos;/, "\x27", text)
            gsub(/&amp;/, "\\&", text)
            return text
        }
        function finish() {
            if (name != "") printf "%s\t%s\n", state, plain(name) suffix plain(note == "" ? "" : ": " note)
            name = ""
        }
        /^ *<testcase / {
            finish()
            name = attribute("classname") "." attribute("name"); state = "passed"; note = ""
            if (/\/>[ \t]*$/) finish()
        }
        /^ *<(failure|error)/ { state = "failed" }
        /^ *<skipped/ {
            if (state == "passed") state = "skipped"
            note = $0; sub(/^ *<skipped *\/?>/, "", note); sub(/<\/skipped>.*/, "", note)
        }
        /^ *<\/testcase>/ { finish() }
        END { finish() }
    ' "$1" >>"$results"
}

# A process that died leaves an empty report: what it had printed by then is all that is known. $2 follows each name.
record_console() {
    # Each line begins with a symbol: one word, whatever the locale.
    sed -nE -e '/Test run with/d' -e "s/^[^ ]+ Test (.*) passed after .*/passed\t\1${2:-}/p" \
        -e "s/^[^ ]+ Test (.*) failed after .*/failed\t\1${2:-}/p" \
        -e "s/^[^ ]+ Test (.*) skipped[.:] ?(.*)\$/skipped\t\1${2:-}: \2/p" \
        "$1" >>"$results"
}

# Appends the seconds of each suite in the event stream $1: the sum over its test cases, side by side or not. Program tests wait for
# cores meanwhile, so they write times of their own.
record_event_times() {
    sed -nE 's/.*"absolute":([0-9.]+).*"kind":"testCase(Started|Ended)".*"testID":"([^"\]*).*/\3\t\2\t\1/p' "$1" |
        awk -F '\t' '
            $1 !~ /^ProgramTests\.ProgramTests/ { seconds[$1] += $2 == "Ended" ? $3 : -$3 }
            END { for (suite in seconds) printf "%.3f\t%s\n", seconds[suite], suite }
        ' >>"$times"
}

# Runs suites of the tests that the build options in the array "options" made. $1 is the heading, $2 follows each test's name, and
# arguments of "swift test" follow.
run_suites() {
    local title="$1" suffix="$2" status=0 before known xml="$logs/suites.xml" log="$logs/suites.log"
    local events="$logs/events.jsonl"
    shift 2
    rm -f "$xml" "$events"
    heading "$title"
    before="$(grep -c '^failed' "$results" || true)"
    known="$(wc -l <"$results")"
    MILE_TEST_TIMES="$times" timeout --kill-after=10 "$suites_limit" swift test "${options[@]}" --skip-build \
        --disable-xctest --xunit-output "$xml" --event-stream-output-path "$events" --event-stream-version 0 "$@" \
        2>&1 | tee "$log" || status=$?
    if [[ -s "$events" ]]; then record_event_times "$events"; fi
    if [[ -s "$xml" ]] && grep -qE 'Test run with [0-9]+ tests? .*(passed|failed) after' "$log"; then
        record_xunit "$xml" "$suffix"
    else
        record_console "$log" "$suffix"
        record failed "$title: their process ended with status $status in the middle of the tests"
        return
    fi
    if ((status != 0)) && (($(grep -c '^failed' "$results" || true) == before)); then
        record failed "$title: status $status, although every test passed"
    fi
    if (($(wc -l <"$results") == known)); then
        record failed "$title: no test ran"
    fi
}

# The name that XCTest prints for the test that it lists as $1: Suite.test for Module.Suite/test.
printed_name() { sed 's|^[^.]*\.||; s|/|.|' <<<"$1"; }

# The rank tests of the test program $1 on $2 ranks. Each test must pass on every rank.
run_ranks() {
    local bundle="$1" ranks="$2" status=0 log="$logs/ranks-$2.log" classes test failed=0
    heading "rank tests on $ranks ranks"
    classes="$(sed 's|/.*||' "$logs/rank-tests" | sort -u | paste -sd, -)"
    timeout --kill-after=10 "$ranks_limit" mpirun --oversubscribe --tag-output -n "$ranks" \
        "$bundle" "$classes" >"$log" 2>&1 || status=$?
    while IFS= read -r test; do
        local name passed skipped
        name="$(printed_name "$test")"
        passed="$(grep -cF "Test Case '$name' passed (" "$log" || true)"
        skipped="$(grep -cF "Test Case '$name' skipped (" "$log" || true)"
        if ((passed == ranks)); then
            record passed "$name on $ranks ranks"
        elif ((skipped > 0 && passed + skipped == ranks)); then
            record skipped "$name on $ranks ranks: $(grep -F "$name : Test skipped" "$log" | head -n 1 |
                sed 's/.*Test skipped[: -]*//' || true)"
        else
            record failed "$name on $ranks ranks: passed on $passed"
            failed=$((failed + 1))
        fi
    done <"$logs/rank-tests"
    # The slowest rank's seconds of each test.
    sed -nE "s/.*Test Case '([^']*)' passed \(([0-9.]+) seconds.*/\\1\t\\2/p" "$log" | awk -F '\t' -v ranks="$ranks" '
        $2 > slowest[$1] { slowest[$1] = $2 }
        END { for (test in slowest) printf "%s\tRankTests.%s on %s ranks\n", slowest[test], test, ranks }
    ' | sed -E 's/(RankTests\.[^.]*)\.[^ ]*/\1/' >>"$times"
    if ((status == 124)); then
        printf 'ended after %s seconds\n' "$ranks_limit" >>"$log"
    fi
    if ((status != 0 && failed == 0)); then
        record failed "rank tests on $ranks ranks: status $status, although every test passed"
        failed=1
    fi
    if ((failed > 0)); then
        cat "$log"
    else
        printf 'passed: %s tests\n' "$(wc -l <"$logs/rank-tests")"
    fi
}

# The rank tests of the test program $1, on each of the numbers of ranks that follow.
run_rank_tests() {
    local bundle="$1" ranks
    shift
    # Not a pipe into grep: a listing that fails must not look like one without tests.
    "$bundle" --list-tests >"$logs/listing" || true
    grep -E '^RankTests\.' "$logs/listing" >"$logs/rank-tests" || true
    if ! [[ -s "$logs/rank-tests" ]]; then
        record failed "rank tests: the test program lists none"
        return
    fi
    for ranks in "$@"; do run_ranks "$bundle" "$ranks"; done
    # A test for several ranks skips on one; only a test that skips on 1, 2, 3 and 4 was not run. Fewer numbers say nothing.
    local test name
    while IFS= read -r test; do
        name="$(printed_name "$test")"
        if (($# < 4)) || grep -qE "^(passed|failed)"$'\t'"$name on " "$results"; then
            sed -i "s/^skipped\t$name on /inapplicable\t$name on /" "$results"
        fi
    done <"$logs/rank-tests"
}

# Runs the script $1 with the arguments behind it. One without results of its own is a test itself.
run_script() {
    local status=0 log="$logs/scripts.log" begin=$SECONDS
    heading "$*"
    timeout --kill-after=10 "$ranks_limit" "$@" 2>&1 | tee "$log" || status=$?
    record_script "$log" "$status" "$((SECONDS - begin))" "$*"
}

# Starts the script $1 beside what follows; finish_scripts waits for it. Launchers that share a TMPDIR disturb each other, so it
# gets one of its own, which other users may pass.
start_script() {
    local folder="$logs/beside-${#beside[@]}"
    mkdir "$folder"
    chmod 711 "$logs" "$folder"
    (
        begin=$EPOCHSECONDS
        status=0
        TMPDIR="$folder" timeout --kill-after=10 "$ranks_limit" "$@" &
        script=$!
        trap 'kill "$script"; wait "$script"; exit 1' TERM
        wait "$script" || status=$?
        echo "$((EPOCHSECONDS - begin))" >"$folder.seconds"
        exit "$status"
    ) >"$folder.log" 2>&1 &
    beside_pids+=("$!")
    beside+=("$*")
}

# Waits for the scripts that run beside, prints what they printed, and records their results.
finish_scripts() {
    local number status seconds
    for number in "${!beside[@]}"; do
        status=0
        wait "${beside_pids[number]}" || status=$?
        heading "${beside[number]}"
        cat "$logs/beside-$number.log"
        seconds="$(cat "$logs/beside-$number.seconds")"
        record_script "$logs/beside-$number.log" "$status" "$seconds" "${beside[number]}"
    done
    beside=()
    beside_pids=()
}

# Records the results of a script: $1 holds what it printed, $2 is its status, $3 its seconds, $4 its name and its
# arguments.
record_script() {
    local log="$1" status="$2" seconds="$3" name="${4%% "$logs"*}"
    printf '%s\t%s\n' "$seconds" "$name" >>"$times"
    if grep -qE "^(passed|failed|skipped)"$'\t' "$log"; then
        grep -E "^(passed|failed|skipped)"$'\t' "$log" >>"$results"
        if ((status != 0)) && ! grep -q '^failed' "$log"; then record failed "$name: status $status"; fi
    elif ((status == 0)); then
        record passed "$name"
    else
        record failed "$name: status $status"
    fi
}

# The format of all Swift files, as a test.
run_lint() {
    local begin=$SECONDS
    heading "format"
    if swift format lint --strict --parallel --recursive Package.swift Sources Tests; then
        record passed "the format of all Swift files"
    else
        record failed "the format of Swift files, which make format mends"
    fi
    printf '%s\tformat\n' "$((SECONDS - begin))" >>"$times"
}

# Builds what the arguments behind the heading $1 name, with the options in the array "options".
build_tests() {
    local begin=$SECONDS
    heading "$1"
    shift
    # A test that does not compile is not run: there is nothing to count.
    if ! swift build "${options[@]}" "$@"; then
        printf '\nThe tests do not build.\n0 passed, 1 failed, 0 skipped\n'
        exit 1
    fi
    printf '%s seconds\n' "$((SECONDS - begin))"
}

print_slowest() {
    heading "the ten slowest suites, by the seconds of their tests"
    awk -F '\t' '{ seconds[$2] += $1 } END { for (suite in seconds) printf "%8.1f  %s\n", seconds[suite], suite }' "$times" |
        sort -rn >"$logs/slowest"
    head -n 10 "$logs/slowest"
}

# What no Debian package gives a machine, in the reasons of skips: instructions of the processor, the right to mount, pyarrow.
lacking='this processor has no |needs rights that are not given here|golden runs are of |have no pyarrow'

# Whether every other skip lacks an excuse: the data are there and mpirun starts processes.
prerequisites_exist() {
    [[ -d "${MILE_SHARED_DATA:-../shared/data}" ]] && timeout 60 mpirun --oversubscribe -n 2 true >/dev/null 2>&1
}

summarize() {
    local passed failed skipped
    if prerequisites_exist; then
        sed -E -i "/$lacking/! s/^skipped(.*)\$/failed\1 (skipped, although all that the tests need is here)/" "$results"
    fi
    passed="$(grep -c '^passed' "$results" || true)"
    failed="$(grep -c '^failed' "$results" || true)"
    skipped="$(grep -c '^skipped' "$results" || true)"
    if ((failed > 0)); then
        heading "failed"
        sed -n 's/^failed\t/  /p' "$results"
    fi
    if grep -q '^inapplicable' "$results"; then
        heading "not for this number of ranks"
        sed -n 's/^inapplicable\t/  /p' "$results"
    fi
    heading "skipped"
    if ((skipped > 0)); then sed -n 's/^skipped\t/  /p' "$results"; else echo "  none"; fi
    printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0))
}
