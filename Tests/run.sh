#!/usr/bin/env bash
# Builds and runs every test: the Swift Testing suites, the rank tests (XCTest) under mpirun on 1, 2, 3 and 4 ranks, and
# the checks of the launch scripts, of README and of the pages.
#
# Ends with the tests that failed or were skipped and, alone on the last line, "N passed, N failed, N skipped".
# A test function counts once, a rank test once for each number of ranks that it applies to: one that skips on one rank
# and runs on more is listed, not counted. The status is 0 only if nothing failed. Where the data of the tests and a
# working mpirun are there, nothing has a reason to skip: then a skip counts as a failure.

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

scratch="${MILE_TEST_SCRATCH:-.build-tests}"
options=(--scratch-path "$scratch" -c release -Xswiftc -enable-testing)
# Far more than the tests take: it ends a run that hangs, with a message instead of silence.
suites_limit=1800
ranks_limit=300

# Open MPI refuses root unless told, which containers need, and more ranks than cores unless told.
if ((EUID == 0)); then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_rmaps_base_oversubscribe=1

logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT
results="$logs/results" # a line for each test: passed, failed or skipped, a tab, its name and what else is known
: >"$results"

heading() { printf '\n== %s\n' "$*"; }

record() { printf '%s\t%s\n' "$1" "$2" >>"$results"; }

# Appends the results in the xUnit file $1, which Swift Testing writes with a test case to a line.
record_xunit() {
    awk '
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
            if (name != "") printf "%s\t%s\n", state, plain(name (note == "" ? "" : ": " note))
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

# A process that died leaves an empty report: what it had printed by then is all that is known.
record_console() {
    # Each line begins with a symbol: one word, whatever the locale.
    sed -nE -e '/Test run with/d' -e 's/^[^ ]+ Test (.*) passed after .*/passed\t\1/p' \
        -e 's/^[^ ]+ Test (.*) failed after .*/failed\t\1/p' \
        -e 's/^[^ ]+ Test (.*) skipped[.:] ?(.*)$/skipped\t\1: \2/p' \
        "$1" >>"$results"
}

run_suites() {
    local status=0 xml="$logs/suites.xml" log="$logs/suites.log" before
    heading "suites"
    timeout --kill-after=10 "$suites_limit" swift test "${options[@]}" --skip-build --disable-xctest \
        --xunit-output "$xml" 2>&1 | tee "$log" || status=$?
    if [[ -s "$xml" ]] && grep -qE 'Test run with [0-9]+ tests? .*(passed|failed) after' "$log"; then
        record_xunit "$xml"
    else
        record_console "$log"
        record failed "the suites: their process ended with status $status in the middle of the tests"
        return
    fi
    before="$(grep -c '^failed' "$results" || true)"
    if ((status != 0 && before == 0)); then
        record failed "the suites: status $status, although every test passed"
    fi
    if ! grep -q . "$results"; then
        record failed "the suites: no test ran"
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

run_rank_tests() {
    local bundle="$1" ranks
    # Not a pipe into grep: a listing that fails must not look like one without tests.
    "$bundle" --list-tests >"$logs/listing" || true
    grep -E '^RankTests\.' "$logs/listing" >"$logs/rank-tests" || true
    if ! [[ -s "$logs/rank-tests" ]]; then
        record failed "rank tests: the test program lists none"
        return
    fi
    for ranks in 1 2 3 4; do run_ranks "$bundle" "$ranks"; done
    # A test for several ranks skips on one; only a test that skips on all of them was not run.
    local test name
    while IFS= read -r test; do
        name="$(printed_name "$test")"
        if grep -qE "^(passed|failed)"$'\t'"$name on " "$results"; then
            sed -i "s/^skipped\t$name on /inapplicable\t$name on /" "$results"
        fi
    done <"$logs/rank-tests"
}

# The checks of the launch scripts, and of README and pages, print results in our form.
run_script_checks() {
    run_script cluster/tests/slurm-stand-ins.sh
    run_script cluster/tests/slurm.sh
    run_script cluster/tests/ssh.sh
    run_script Tests/check-pages.sh
    run_script Tests/check-pages.sh --self-test
    run_script Tests/check-commands.sh
    run_script Tests/check-commands.sh --self-test
    run_script Tests/build-docs.sh "$logs/docs"
}

# Runs the script $1 with the arguments behind it. One without results of its own is a test itself.
run_script() {
    local status=0 log="$logs/scripts.log"
    heading "$*"
    timeout --kill-after=10 "$ranks_limit" "$@" 2>&1 | tee "$log" || status=$?
    if grep -qE "^(passed|failed|skipped)"$'\t' "$log"; then
        grep -E "^(passed|failed|skipped)"$'\t' "$log" >>"$results"
        if ((status != 0)) && ! grep -q '^failed' "$log"; then record failed "$*: status $status"; fi
    elif ((status == 0)); then
        record passed "$1"
    else
        record failed "$*: status $status"
    fi
}

# What no package gives a machine, in the reasons of skips: instructions of the processor, the right to mount.
lacking='this processor has no |needs rights that are not given here|golden runs are of '

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

Tests/prerequisites.sh

heading "building the tests"
# A test that does not compile is not run: there is nothing to count.
if ! swift build "${options[@]}" --build-tests; then
    printf '\nThe tests do not build.\n0 passed, 1 failed, 0 skipped\n'
    exit 1
fi
binaries="$(swift build "${options[@]}" --show-bin-path)"
export MILE_DIST_EXECUTABLE="$binaries/mile-dist"

run_suites
run_rank_tests "$binaries/mile-distPackageTests.xctest"
run_script_checks
summarize
