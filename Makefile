# Everything a newcomer needs: Python 3.11, pip and make. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A virtual environment made without its own pip is filled by the pip of the system.
PIP := $$(test -x $(BIN)/pip && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
PIP_INSTALL := $(PIP) install --quiet --disable-pip-version-check
WORKERS ?= 2
# The type checker comes from the lock; it need not ask anyone whether a newer one exists.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help setup demo test check bench campaign docs lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv from the hash-pinned lock (skipped when up to date)

# The lock goes in first and alone: pip refuses hashes for an editable project.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Accordant needs Python 3.11 or newer; set PYTHON=python3.x"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@echo "Installing the locked packages into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@echo "Compiling them, so that every start is a quick one ..."
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib src >/dev/null || true
	@touch $@

demo: setup ## play a seeded company and print what happened
	@$(BIN)/accordant demo

test: setup ## run the tests
	@$(BIN)/python -m pytest -n $(WORKERS)

check: setup ## what must be green before a merge: form, types, architecture, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -n $(WORKERS)

bench: setup ## measure against the floor and the rivals and write the report (QUICK=1: in a few minutes)
	@test -f bench/run.py || { echo "There is no benchmark in this tree yet: bench/run.py is missing."; exit 1; }
	@$(BIN)/python -m bench.run $(if $(QUICK),--quick)

campaign: setup ## run the long fault and kill campaigns
	@$(BIN)/python tools/campaign.py

docs: setup ## regenerate docs/reference, docs/flows and the tables of docs/guarantees.md from the code
	@$(BIN)/python -m accordant.canonical.export docs/reference/schemas
	@$(BIN)/python -m accordant.proving.guarantees docs
	@$(BIN)/python -m accordant.experience.flow_pages docs/flows

lock: ## resolve the dependencies anew and pin them by hash
	@test -x $(BIN)/uv || { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); $(PIP_INSTALL) uv; }
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --upgrade -o requirements.lock pyproject.toml
	@echo "requirements.lock is up to date; run make setup to install it."

clean: ## remove the environment, caches and build results
	@rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
