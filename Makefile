# SPDX-License-Identifier: Apache-2.0
# The front door: `make help` lists the doors. The logic is in meson.build and tools/.
BUILD ?= build
PREFIX ?= /usr/local
ARGS ?=
SIM ?=

.DEFAULT_GOAL := build
.PHONY: help build run test check lint docs interop containers deb deb-test bench crash-sweep fuzz-long differential chaos day coverage valgrind clean install

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

interop: ## CoinGecko's own clients, schemathesis, other PostgreSQLs, readers of Parquet; they come from other registries
	@tools/interop.sh

containers: ## opt-in, as root: image and compose file in front of a real Docker Engine, some ten minutes
	@tools/containers.sh

deb: ## build/deb/geckotape_VERSION_ARCH.deb of what is committed, looked at by lintian
	@tools/deps.sh build package
	@tools/deb.sh $(BUILD)/deb

deb-test: deb ## opt-in, as root: that package in a bare chroot: installed, run, upgraded, purged; some minutes
	@GECKOTAPE_DEB=$$(ls $(abspath $(BUILD))/deb/geckotape_*.deb) PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -q tests/package $(ARGS)

bench: ## ratios against raw limits and nginx, measured in the same run
	@tools/deps.sh build test bench
	@tools/bench.sh

crash-sweep: ## opt-in: kill and fail every single I/O call; kill -9 at 60 random moments; PostgreSQL that goes away
	@tools/deps.sh build test
	@tools/build.sh $(BUILD)
	@GECKOTAPE_CRASH=full GECKOTAPE=$(abspath $(BUILD))/geckotape GECKOTAPE_MADE_TAPE=$(abspath $(BUILD))/tests/made_tape \
		PYTHONPATH=tests:tests/golden /usr/bin/python3 -m pytest -q -s tests/crash $(ARGS)

fuzz-long: ## opt-in: SECONDS_EACH=3600 of each fuzz target
	@tools/deps.sh build test
	@tools/fuzz.sh $(or $(SECONDS_EACH),3600)

differential: ## opt-in: CASES=1000 of each kind of made-up polls, the transform against Python's json, and WORLDS=20, the stores against an oracle
	@tools/deps.sh build test
	@tools/build.sh $(BUILD)
	@GECKOTAPE_CASES=$(or $(CASES),1000) meson test -C $(BUILD) --no-rebuild --print-errorlogs -t 0 golden_transform
	@GECKOTAPE_CASES=$(or $(WORLDS),20) meson test -C $(BUILD) --no-rebuild --print-errorlogs -t 0 golden_stores golden_queries

chaos: ## opt-in: CASES=40 random mixes of faults, each lived through and compared with what was served
	@tools/deps.sh build test
	@tools/build.sh $(BUILD)
	@GECKOTAPE=$(BUILD)/geckotape GECKOTAPE_CASES=$(or $(CASES),40) \
		PYTHONPATH=tests:tests/golden /usr/bin/python3 -m pytest -q tests/flow/test_chaos.py

day: ## opt-in: HOURS=24 of simulator and collector with clocks that run SPEED=60 times as fast, to the end of a budget; 24 minutes
	@tools/deps.sh build test
	@tools/build.sh $(BUILD)
	@GECKOTAPE=$(abspath $(BUILD))/geckotape GECKOTAPE_HOURS=$(or $(HOURS),24) GECKOTAPE_SPEED=$(or $(SPEED),60) \
		PYTHONPATH=tests:tests/golden /usr/bin/python3 -m pytest -q -s tests/flow/test_day.py

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
