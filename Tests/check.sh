#!/usr/bin/env bash
# What a contributor runs before a commit, within minutes: format, suites of modules, the rank tests on 2 ranks,
# and the pages' links. Says at the end what only "make test" runs, and ends with "N passed, N failed, N skipped".

set -euo pipefail

# shellcheck source=Tests/testing.sh
source "$(dirname "${BASH_SOURCE[0]}")/testing.sh"

options=(--scratch-path "${MILE_TEST_SCRATCH:-.build-tests}" -c release -Xswiftc -enable-testing)

Tests/prerequisites.sh
run_lint
build_tests "building the tests" --build-tests
run_suites "suites" "" --skip ProgramTests
run_rank_tests "$(swift build "${options[@]}" --show-bin-path)/mile-distPackageTests.xctest" 2
run_script Tests/check-pages.sh

print_slowest
heading "left to make test"
cat <<'END'
  ProgramTests: they start the program hundreds of times
  rank tests on 1, 3 and 4 ranks: most take every path on 2
  suites with assertions: a build of its own
  cluster/tests, Tests/check-commands.sh, Tests/build-docs.sh, self-tests of the checks: minutes
END
summarize
