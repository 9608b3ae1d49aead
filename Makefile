# Everything happens in .venv, which the first target makes from pyproject.toml and constraints.txt; until one of those
# two changes it costs nothing again. PYTHON=... picks the interpreter, PYTEST=... gives pytest more arguments.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SERVES := $(VENV)/.serves
PYTHON ?= $(firstword $(foreach candidate,python3.11 python3.12 python3.13 python3.14 python3, \
  $(shell command -v $(candidate) >/dev/null && $(candidate) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    2>/dev/null && echo $(candidate))))
PYTEST ?=
BENCHMARKS := $(filter-out benchmarks/soak.py benchmarks/training_experiment.py benchmarks/_%,$(wildcard benchmarks/*.py))

.PHONY: help setup demo demo-train test lint format bench test-integrations test-verl test-languages test-userns soak serve clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

# A server needs a fifth of what the tests do; whoever has that, has the server.
$(READY): EXTRAS := dev
$(SERVES): EXTRAS := server,sandbox
$(READY) $(SERVES): pyproject.toml constraints.txt
	@[[ -n "$(PYTHON)" ]] || { echo "error: Python 3.11 or later is needed; name it with PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than Python 3.11; name another with PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@[[ -x $(BIN)/python ]] || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "error: $(PYTHON) has no venv module; install it (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@ $(SERVES)

setup: $(READY) ## everything that training, the notebook and the tests need, in .venv

demo: $(SERVES) ## the product in a minute: server, environments, a learner that gets better
	@$(BIN)/python -m escalade.demo

demo-train: $(READY) ## ten minutes on two cores: a small model learns by GRPO, measured before and after
	@$(BIN)/python -m escalade.trainer.demo

test: lint ## lint, then every test; the end says what was skipped and why
	@$(BIN)/python -m pytest $(PYTEST)

test-languages: $(READY) ## the languages of the larger image, Java and Go among them; builds it (minutes, once)
	@ESCALADE_TEST_IMAGE=extra $(BIN)/python -m pytest tests/contract/sandbox/test_languages.py $(PYTEST)

test-userns: $(READY) ## the sandbox's contract on a second Docker engine with userns-remap, which it starts; takes root
	@$(BIN)/python -m pytest -m dockerd tests/contract/sandbox $(PYTEST)

lint: $(READY) ## style, types, import contracts, and models against migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; unset ESCALADE_DATABASE_URL; export ESCALADE_DATA=$$data; \
	  $(BIN)/alembic upgrade head && $(BIN)/alembic check

format: $(READY) ## rewrite what the style wants otherwise
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## every benchmark, each with its baseline and ratio
	@for benchmark in $(BENCHMARKS); do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

test-integrations: $(READY) ## the adapters with TRL, verifiers and Atropos themselves; installs those into .venv first
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -c constraints-peers.txt -r requirements-peers.txt
	@ESCALADE_TEST_REQUIRE=peers $(BIN)/python -m pytest tests/integration/peers $(PYTEST)

test-verl: $(READY) ## the adapter with verl itself, in an environment of its own (2 GB, some minutes)
	@[[ -x $(VENV)-verl/bin/python ]] || $(PYTHON) -m venv $(VENV)-verl
	@$(VENV)-verl/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-verl.txt -e '.[server,sandbox]'
	@ESCALADE_TEST_REQUIRE=verl $(VENV)-verl/bin/python -m pytest tests/integration/peers/test_verl.py \
	  tests/integration/peers/test_verl_itself.py $(PYTEST)

soak: $(READY) ## the long run: 10,000 sandbox jobs, looking for leaks; 200 kills of the server, looking for losses
	@$(BIN)/python benchmarks/soak.py
	@$(BIN)/python -m pytest -m long
	@ESCALADE_CRASHES=200 $(BIN)/python -m pytest tests/integration/test_crash.py

serve: $(SERVES) ## a server on 127.0.0.1:8700 with the embedded database
	@$(BIN)/escalade serve

clean: ## remove the virtual environment and every cache
	@rm -rf $(VENV) $(VENV)-verl .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
