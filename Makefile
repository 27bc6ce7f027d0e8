# `make` lists the targets. Everything runs from a fresh clone: each target installs what it needs.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh

# make install PYTHON=3.12 chooses the Python; the environment's own PYTHON does not.
PYTHON :=
BIN := .venv/bin
# A worker imports TensorFlow and takes up to 2 GB; there is one more of them than processors, up to
# four; ARGS='-n 0' takes none. The tests of a file share what it makes; files come in the order of
# collection, so that the longest tests are not the last.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help install run test lint format rooms audit sbom constraints test-tfx-1.21 test-airflow bench mutants clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## Create or complete .venv; PYTHON=... chooses the Python
	@DLPIPE_PYTHON='$(PYTHON)' scripts/install.sh

run: install ## Train, gate and push the images task on its sample, then predict
	@$(BIN)/dlpipe run images
	@$(BIN)/dlpipe predict images --sample
	@echo 'Next, with your own data:  . $(BIN)/activate; dlpipe run images --data my_pictures/'

test: install ## Run every test, several side by side; ARGS=... goes to pytest
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

lint: install ## Check style, types, imports and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/rooms.py --check
	@$(BIN)/codespell

format: install ## Rewrite the sources in the house format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

rooms: install ## Draw the rooms and their imports in docs/architecture.md
	@$(BIN)/python scripts/rooms.py

audit: install ## Hold the locks against known vulnerabilities; ARGS=--refresh asks OSV first
	@$(BIN)/python scripts/audit.py $(ARGS)

sbom: install ## Write a CycloneDX bill of materials for each lock to build/sbom/
	@$(BIN)/python scripts/sbom.py $(ARGS)

constraints: ## Resolve constraints/*.txt anew; ARGS=--upgrade takes newer versions
	@scripts/lock.sh $(ARGS)

test-tfx-1.21: ## Run every test with TFX 1.21, on Python 3.11 and 3.13; PYTHON=3.12 on that one
	@PYTHONS='$(PYTHON)' SIDE_BY_SIDE='$(SIDE_BY_SIDE)' scripts/test-tfx-1.21.sh $(ARGS)

test-airflow: install ## Run a DAG on a real Airflow with PostgreSQL; ARGS=3 takes Airflow 3
	@scripts/test-airflow.sh $(ARGS)

mutants: install ## Try edits that tests must notice; ARGS="-k gates" chooses
	@$(BIN)/python scripts/mutants.py $(ARGS)

bench: install ## Measure what the pipeline costs besides its work
	@$(BIN)/python benchmarks/pipeline_overhead.py $(ARGS)

clean: ## Remove environments, tools and caches; the workspace stays
	@rm -rf .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache build dist dlpipe.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
