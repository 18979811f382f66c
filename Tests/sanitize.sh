#!/usr/bin/env bash
# Runs the suites of views, kernels, model, optimizer and sharding, and the rank tests on 2 ranks, under the address sanitizer; the
# thread pool, and the exchanges of the rank tests, under the thread sanitizer. Not part of "make test": two builds of their own.
#
#   Tests/sanitize.sh [address] [thread]     both unless named
#
# Ends with "N passed, N failed, N skipped". A report of a sanitizer ends the process that it is about, so its test fails.

set -euo pipefail

# shellcheck source=Tests/testing.sh
source "$(dirname "${BASH_SOURCE[0]}")/testing.sh"

suppressions="$root/Tests/sanitizers"
# A sanitizer slows everything down, mpirun's start too.
ranks_limit=1200

# Builds the test targets $2 with the sanitizer $1, and leaves the options in the array "options".
build_with() {
    export MILE_TEST_TARGETS="$2"
    options=(--scratch-path ".build-sanitize-$1" -c release -Xswiftc -enable-testing --sanitize="$1")
    build_tests "building tests with the $1 sanitizer" --product mile-distPackageTests
    bundle="$(swift build "${options[@]}" --show-bin-path)/mile-distPackageTests.xctest"
}

address() {
    build_with address "TensorsTests KernelsTests LlamaModelTests OptimizationTests ShardingTests RankTests"
    # Tests of traps and of limits of the address space start processes that end on purpose: only their status counts.
    export ASAN_OPTIONS="abort_on_error=1:detect_stack_use_after_return=0:detect_leaks=${MILE_DETECT_LEAKS:-0}"
    export LSAN_OPTIONS="suppressions=$suppressions/leak.supp:print_suppressions=0"
    run_suites "suites under the address sanitizer" " under the address sanitizer"
    run_rank_tests "$bundle" 2
}

thread() {
    build_with thread "KernelsTests RankTests"
    export TSAN_OPTIONS="suppressions=$suppressions/thread.supp:halt_on_error=1:abort_on_error=0:exitcode=66"
    run_suites "threads under the thread sanitizer" " under the thread sanitizer" \
        --filter "ThreadPoolTests|ThreadIndependenceTests|PhaseRecorderTests"
    run_rank_tests "$bundle" 2
}

Tests/prerequisites.sh
for sanitizer in "${@:-address thread}"; do
    for each in $sanitizer; do
        case "$each" in
            address | thread) ("$each") ;;
            *)
                echo "usage: $0 [address] [thread]" >&2
                exit 2
                ;;
        esac
    done
done

print_slowest
summarize
