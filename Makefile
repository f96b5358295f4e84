# Equant. `make demo` and `make test` need only a Swift toolchain, apt and pip.
SWIFT ?= swift
CONFIGURATION ?= debug
OUT ?= results/demo
# Threads that wait asleep: spinning ones are a fifth faster alone on a machine, and several times
# slower beside other work.
OMP_WAIT_POLICY ?= passive
PEERS ?= $(HOME)/.cache/equant/peers

.PHONY: demo test fuzz test-databases build deps lint bench coverage-study docs clean

## install what is missing, build, draw faces, train, quantize, audit, print the tables
demo: deps
	EQUANT_DASHBOARD=0 $(SWIFT) build -c release --product equant
	OMP_WAIT_POLICY=$(OMP_WAIT_POLICY) $$($(SWIFT) build -c release --show-bin-path)/equant study --preset demo --out $(OUT)

## install what is missing, build and run every test (CONFIGURATION=release for optimised ones)
test: deps
	$(SWIFT) build -c $(CONFIGURATION) --build-tests --explicit-target-dependency-import-check error $(TESTING)
	OMP_WAIT_POLICY=$(OMP_WAIT_POLICY) $(SWIFT) test -c $(CONFIGURATION) --disable-xctest --skip-build $(TESTING)
ifeq ($(CONFIGURATION),release)
TESTING = -Xswiftc -enable-testing
endif

## the command, optimised: .build/release/equant
build: deps
	$(SWIFT) build -c release --product equant

## native libraries into .deps; safe to repeat
deps:
	@Scripts/deps

## formatting, one style for all
lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests

## Equant and its peers on the same work in one run (installs the peers into $(PEERS))
bench: build
	Benchmarks/run $(PEERS)

## how often the intervals of the statistics cover the truth, simulated
coverage-study: build
	Scripts/coverage-study

## a million seeded inputs to every reader of predictions, counts and policies
fuzz: deps
	Scripts/fuzz

## the audit's counts in real SQLite, PostgreSQL, DuckDB and Spark; installs them
test-databases: deps
	Scripts/test-databases

## documentation of the Fairness library; a broken link is an error
docs: deps
	Scripts/docs

clean:
	rm -rf .build results
