# `make help` lists what there is. Nothing but Python 3.11+, make and a package registry is needed.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links
STACK_READY := $(VENV)/.stack-installed
DEV_READY := $(VENV)/.dev-installed

.PHONY: help demo up test test-long check bench fmt lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STACK_READY) ## Carry one transfer to 已办结 before your eyes; stays up until Ctrl-C, EXIT=1 stops when done
	@$(BIN)/yibao demo $(if $(filter-out 0,$(EXIT)),--exit)

up: $(STACK_READY) ## Run the whole system on this machine until Ctrl-C
	@$(BIN)/yibao up

test: $(DEV_READY) ## Run the test suite on real PostgreSQL and real Temporal, three files at a time
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(ARGS)

test-long: $(DEV_READY) ## Run the long proofs: fuzzing, kill lists
	@$(BIN)/python -m pytest -m long --timeout=1800 $(ARGS)

check: $(DEV_READY) ## Check format, lint, types, import contracts and the committed GraphQL schema
	@$(BIN)/ruff format --check --quiet --output-format concise .
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/yibao schema --check

bench: $(DEV_READY) ## Measure; prints a table and writes bench/latest.json
	@$(BIN)/python -m bench

fmt: $(DEV_READY) ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

lock: $(DEV_READY) ## Lock the newest versions of pyproject.toml's dependencies, with hashes; UPGRADE=1 moves all of them
	@$(LOCK) $(if $(UPGRADE),--upgrade) --extra stack --extra dev --output-file requirements/dev.txt
	@$(LOCK) --extra stack --constraint requirements/dev.txt --output-file requirements/stack.txt
	@$(LOCK) --constraint requirements/dev.txt --output-file requirements/production.txt

clean: ## Remove the virtual environment and the tools' caches; data directories stay
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# A second run costs nothing: the stamps are newer than what they were made from.
$(STACK_READY): requirements/stack.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages into $(VENV), about a minute ..."
	@$(PIP) install --require-hashes -r requirements/stack.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_READY): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages, development tools included, into $(VENV), about a minute ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(STACK_READY) $@

$(BIN)/python:
	@for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			$$candidate -m venv $(VENV) && exit 0; \
			rm -rf $(VENV); \
			echo "$$candidate cannot make a virtual environment: install its venv package (Debian: python3-venv)" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "Python 3.11 or newer is needed: install it, or name one with make PYTHON=/path/to/python3" >&2; exit 1
