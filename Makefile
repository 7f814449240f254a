# Targets for working on chainctl. `make demo` and `make test` do all their set-up themselves.
PYTHON ?= python3
SOAK_CALLS ?= 1000000
CRASH_POINTS ?= 200
VENV ?= .venv
BIN := $(VENV)/bin
ENGINE ?= $(if $(CI),1,)
WORKERS ?= $(if $(ENGINE),2,0)

.PHONY: help setup lint types rooms check test test-unit test-docker test-swarm test-load test-kubernetes fuzz demo bench bench-quick bench-builds bench-releases bench-watch bench-stages bench-balance bench-scale soak crash golden clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## Make the virtual environment with everything that work on chainctl needs

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,examples]'
	touch $@

lint: setup ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Check types
	$(BIN)/mypy

rooms: setup ## Check that every room imports only rooms below it
	$(BIN)/lint-imports

check: lint types rooms ## All static checks

test: setup ## Run all tests; with CI=true (or ENGINE=1) by two workers, and a real Docker Engine is brought up first
	@if [ -n "$(ENGINE)" ]; then tests/engine/up >/dev/null; fi
	$(BIN)/python -m pytest -n $(WORKERS)

test-unit: setup ## Run the tests that need no engine
	$(BIN)/python -m pytest -m "not docker"

test-docker: setup ## Bring an engine up and run the tests that need it
	tests/engine/up >/dev/null
	CHAINCTL_TEST_REQUIRE_ENGINE=1 $(BIN)/python -m pytest -m docker

test-swarm: setup ## Bring an engine up, make it a swarm, and run all tests on it (about 4 minutes)
	tests/engine/up >/dev/null
	CHAINCTL_TEST_SWARM=1 $(BIN)/python -m pytest tests/docker -k swarm

test-load: setup ## Run the tests that count lost requests under load, and need the machine to themselves
	tests/engine/up >/dev/null
	CHAINCTL_TEST_LOAD=1 $(BIN)/python -m pytest -m load

test-kubernetes: setup ## Bring a Kubernetes cluster up and run the tests that need one (the first time it is built, ten minutes)
	@set -e; eval "$$(tests/cluster/up)"; $(BIN)/python -m pytest -m kubernetes

fuzz: setup ## Run the property tests with 3000 random examples each; what they find belongs in a test by name (about 20 minutes)
	$(BIN)/python -m pytest -q -p no:cacheprovider --hypothesis-profile fuzz $$(grep -rl "from hypothesis" tests --include="test_*.py")

demo: setup ## Push an example chain, call it, print the answer
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/demo

bench: setup ## Measure chainctl and its peers side by side; writes docs/benchmarks.md (about 10 minutes)
	$(BIN)/python -m tests.bench.run

bench-quick: setup ## Measure chainctl, the floor and one peer; prints the report (about 2 minutes)
	$(BIN)/python -m tests.bench.run --quick

bench-builds: setup ## Measure builds on a Docker Engine; writes docs/benchmarks-builds.md (about 6 minutes)
	tests/engine/up >/dev/null
	$(BIN)/python -m tests.bench.builds

bench-releases: setup ## Release under load, on an engine that is killed and as local processes; writes docs/benchmarks-releases.md (about 20 minutes)
	tests/engine/up >/dev/null
	$(BIN)/python -m tests.bench.releases

bench-watch: setup ## Edit a watched chain, idle and under load, on both targets; writes docs/benchmarks-watch.md (about 8 minutes)
	tests/engine/up >/dev/null
	$(BIN)/python -m tests.bench.watch

bench-stages: setup ## Measure stages and batches of a service against their bounds; writes docs/benchmarks-stages.md (half a minute; on a busy machine with `nice -n -10`)
	$(BIN)/python -m tests.bench.stages

bench-balance: setup ## Spread calls over unequal replicas and past dead ones, and print that against its bounds (two minutes; on a busy machine with `nice -n -10`)
	$(BIN)/python -m tests.bench.balance

bench-scale: setup ## Spread calls, wake a chain that sleeps, lose a node of a swarm, write large manifests; writes docs/benchmarks-scale.md (about 7 minutes)
	tests/engine/up >/dev/null
	$(BIN)/python -m tests.bench.scale

soak: setup ## Make a million calls, some of them cancelled, and check that nothing is left behind
	$(BIN)/python -m tests.soak.calls $(SOAK_CALLS)

crash: setup ## Kill pushes at 200 random points on both targets and check that nothing wrong is left (about 30 minutes)
	tests/engine/up >/dev/null
	$(BIN)/python -m tests.soak.crash $(CRASH_POINTS)

golden: setup ## Write the golden files anew from what the code says now
	$(BIN)/python -m pytest -q --golden-update tests/unit

clean: ## Remove what setup made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
