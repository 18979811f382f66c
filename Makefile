# make run, make check, make test: each does all of its own set-up.

RANKS ?= 2
MPIRUN_OPTIONS ?= --oversubscribe
SOURCES = Package.swift Sources Tests
TEST_OPTIONS = --scratch-path .build-tests -c release -Xswiftc -enable-testing

# Open MPI refuses root unless told, which containers need.
ifeq ($(shell id -u),0)
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
endif

.PHONY: help run build check test sanitize test-images torture study docs check-pages prerequisites format lint clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 22

run: build ## build, then train the self-test job on 2 ranks (RANKS=4 for four)
	mpirun $(MPIRUN_OPTIONS) -n $(RANKS) .build/release/mile-dist

build: prerequisites ## build the program: .build/release/mile-dist
	swift build -c release --product mile-dist

check: ## before a commit: format, suites of modules, rank tests on 2 ranks, links of the pages
	@Tests/check.sh

test: ## build and run every test, the rank tests on 1 to 4 ranks
	@Tests/run.sh

sanitize: ## run suites and rank tests under the address sanitizer, threads and node exchange under the thread sanitizer
	@Tests/sanitize.sh

test-images: ## execute the steps of both images in clean Debian roots, and run the result: 10 to 30 minutes, as root
	@Tests/prerequisites.sh debootstrap
	cluster/tests/images.sh $(if $(PROGRAM),--program $(PROGRAM))

# What the environment or the command line sets goes before: make torture MILE_TORTURE_KILLS=20.
torture: export MILE_TORTURE_KILLS ?= 200
torture: export MILE_TORTURE_DAMAGES ?= 500
torture: export MILE_SIGNALS ?= 1000
torture: prerequisites ## kill runs, damage their checkpoints and send them signals, hundreds of times
	swift build $(TEST_OPTIONS) --build-tests
	MILE_DIST_EXECUTABLE="$$(swift build $(TEST_OPTIONS) --show-bin-path)/mile-dist" \
	    swift test $(TEST_OPTIONS) --skip-build --disable-xctest --filter "Torture|SignalTests"

study: build ## train five losses with five seeds each and compare them: under two hours on two cores
	configs/study/run.sh

docs: ## build the pages as a static site in .build/docs, without network and without the program
	@Tests/build-docs.sh

check-pages: ## check links and command lines of README and pages; the program must be built
	Tests/check-pages.sh
	Tests/check-commands.sh

prerequisites: ## install the Debian packages that are missing
	@Tests/prerequisites.sh

format: ## format all Swift files
	swift format --in-place --parallel --recursive $(SOURCES)

lint: ## check the format of all Swift files
	swift format lint --strict --parallel --recursive $(SOURCES)

clean: ## remove what was built
	rm -rf .build .build-tests .build-tests-assertions .build-sanitize-address .build-sanitize-thread
