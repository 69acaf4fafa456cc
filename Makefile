# Crosshatch's targets; `make` alone lists them. Each line of the list is the comment behind `##`.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && exit; done; echo python3)
# A new lock, a new dependency or a moved folder asks for a new installation; nothing else does.
STAMP := .venv/.installed-$(shell (cat requirements.lock pyproject.toml; pwd) | cksum | tr ' ' '-')
BIN := .venv/bin
# uv brings its own certificates; a network that inspects TLS puts its own into the system's store.
UV := UV_SYSTEM_CERTS=1 $(BIN)/uv
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint format bench bench-gateway bench-search baseline-tables faults transparency bundle readme lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(STAMP) ## make .venv from requirements.lock (the preflight comes first; a second run does nothing)

$(STAMP):
	@$(PYTHON) integration/preflight.py
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@awk '/^[^ ]/ { keep = /^uv==/ } keep' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(UV) pip install --python $(BIN)/python --require-hashes -r requirements.lock \
		|| { echo 'uv could not install; pip tries, with the settings it has on this machine' >&2; \
		$(BIN)/python -m pip install --require-hashes -r requirements.lock; }
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@rm -f .venv/.installed-* && touch $@

demo: setup ## start engine, broker and worker, load a sample catalogue, search it, serve until Ctrl-C
	@$(BIN)/crosshatch demo

test: setup lint ## lint, format, types, then every test: those on the engine, and beside them the fast ones
	@$(BIN)/python -m tests.whole

test-fast: setup ## the tests that need neither engine nor broker
	@$(BIN)/python -m pytest -m 'not live'

lint: setup ## lint, format and types, without changing a file
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: setup ## format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: setup ## measure encoding, guarded writes and search on this machine
	@$(BIN)/python -m tests.bench

bench-gateway: setup ## what the gateway costs: added latency, processor time, throughput, a bulk of 100 MB (2 minutes)
	@$(BIN)/python -m tests.bench --only gateway

SIZE ?= 1000000
bench-search: setup ## every way to search, side by side at 10,000, 100,000 and SIZE=1000000 records (an hour; a second run less)
	@$(BIN)/python -m tests.bench.search --size $(SIZE)

baseline-tables: setup ## the published hashing methods on labelled sets, five seeds each (an hour; it goes on where it stopped)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench.baselines

faults: setup ## kill, wipe, fill up and cut off every part while records are encoded; nothing may be harmed (30 minutes)
	@$(BIN)/python -m tests.faults

transparency: setup ## OpenSearch's REST tests and unmodified clients, directly and through the gateway: each ends the same
	@$(BIN)/python -m tests.transparency

bundle: setup ## train the default encoder's bundles anew and measure them
	@$(BIN)/python -m encoders.training.default --data ../shared/data

readme: setup ## write the README's tables of settings and commands from the code
	@$(BIN)/python -m tests.documented

lock: setup ## resolve requirements.lock anew (wheels only, with hashes, for every supported Python)
	@$(UV) pip compile pyproject.toml --group dev --universal --python-version 3.11 --only-binary :all: --upgrade --quiet \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-build-options \
		--output-file requirements.lock

clean: ## remove .venv and caches; the data in .crosshatch stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
