# SPDX-License-Identifier: Apache-2.0
# The front door: `make help` lists the doors. The logic is in meson.build and tools/.
BUILD ?= build
PREFIX ?= /usr/local
ARGS ?=
SIM ?=

.DEFAULT_GOAL := build
.PHONY: help build run test check lint docs interop bench crash-sweep fuzz-long coverage valgrind clean install

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

build: ## build/geckotape
	@tools/deps.sh build
	@tools/build.sh $(BUILD)

run: build ## build and collect into ./data (SIM=1: from the simulator into ./data-sim; ARGS="--top 100 …")
	@exec $(BUILD)/geckotape run $(if $(SIM),--simulate) $(ARGS)

check: ## the quick part of the tests, under a minute
	@tools/deps.sh build test
	@tools/build.sh $(BUILD)
	@tools/test.py --build $(BUILD) --suite check

test: ## every suite that needs Debian packages only, with sanitizers and 10 s of each fuzz target
	@tools/deps.sh build test
	@tools/test.py --all

lint: ## format, static analysis, layers, docs, scripts
	@tools/deps.sh build test lint
	@tools/lint.sh

docs: build ## write the docs that are made from the tables of options and metrics anew
	@tools/docs.sh $(BUILD)

interop: ## what needs packages of other registries
	@tools/interop.sh

bench: ## ratios against raw limits, measured in the same run
	@tools/deps.sh build test
	@tools/bench.sh

crash-sweep: ## opt-in: kill, ENOSPC and EIO at every single I/O call; kill -9 at 60 random moments
	@tools/deps.sh build test
	@tools/build.sh $(BUILD)
	@GECKOTAPE_CRASH=full /usr/bin/python3 -m pytest -q tests/crash

fuzz-long: ## opt-in: SECONDS_EACH=3600 of each fuzz target
	@tools/deps.sh build test
	@tools/fuzz.sh $(or $(SECONDS_EACH),3600)

coverage: ## opt-in: line coverage by file
	@tools/deps.sh build test lint
	@tools/coverage.sh

valgrind: ## opt-in: the unit tests under valgrind
	@tools/deps.sh build test lint
	@tools/build.sh $(BUILD)
	@meson test -C $(BUILD) --suite unit --wrapper 'valgrind --error-exitcode=1 --leak-check=full -q' --timeout-multiplier 30

clean: ## remove everything built
	@rm -rf build build-*

install: build ## into $(PREFIX)
	@meson configure $(BUILD) -Dprefix=$(PREFIX) && meson install -C $(BUILD) --strip
