#!/usr/bin/env bash
# Builds and runs every test: the format, the Swift Testing suites, those of views and kernels once more with assertions, the rank
# tests (XCTest) under mpirun on 1, 2, 3 and 4 ranks, and the checks of the launch scripts, of README and of the pages.
#
# Ends with the tests that failed or were skipped, the slowest suites and, alone on the last line, "N passed, N failed, N skipped".
# The status is 0 only if nothing failed. See testing.sh for what counts.

set -euo pipefail

# shellcheck source=Tests/testing.sh
source "$(dirname "${BASH_SOURCE[0]}")/testing.sh"

scratch="${MILE_TEST_SCRATCH:-.build-tests}"

Tests/prerequisites.sh
run_lint

options=(--scratch-path "$scratch" -c release -Xswiftc -enable-testing)
build_tests "building the tests" --build-tests
binaries="$(swift build "${options[@]}" --show-bin-path)"
export MILE_DIST_EXECUTABLE="$binaries/mile-dist"
run_suites "suites" ""
run_rank_tests "$binaries/mile-distPackageTests.xctest" 1 2 3 4

# Slurm waits for its daemons and for a time limit meanwhile.
start_script cluster/tests/slurm.sh
run_script cluster/tests/slurm-stand-ins.sh
run_script cluster/tests/ssh.sh
run_script Tests/check-pages.sh
run_script Tests/check-pages.sh --self-test
run_script Tests/check-commands.sh
run_script Tests/check-commands.sh --self-test
run_script Tests/build-docs.sh "$logs/docs"

finish_scripts

# The bounds of views are assertions, which a release build leaves out. Optimized, or the kernels would take minutes.
run_with_assertions() {
    export MILE_TEST_TARGETS="TensorsTests KernelsTests LlamaModelTests OptimizationTests ShardingTests"
    local options=(
        --scratch-path "$scratch-assertions" -c release -Xswiftc -enable-testing -Xswiftc -assert-config -Xswiftc Debug)
    build_tests "building tests with assertions" --product mile-distPackageTests
    run_suites "suites with assertions" " with assertions"
    unset MILE_TEST_TARGETS
}
run_with_assertions

print_slowest
summarize
