# make run                      find a network for scikit-learn's digits, in a minute
# make test                     lint, types, tests, coverage
# make test PYTHON=python3.13   the same with another Python, in a virtual environment of its own
# make test WORKERS=0           tests in one process, for a debugger
# make test-reliability         the long tests: killed, full, damaged
# make bench                    how fast this machine trains
# make docs                     the documentation, into build/site

PYTHON ?= python3
WORKERS ?= 2
VENV := $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
SOURCES := $(shell find src -type f ! -name '*.pyc')
unexport PYTHONDONTWRITEBYTECODE  # tests start Python dozens of times

.PHONY: run test lint test-reliability bench docs clean

run: $(VENV)/.run
	$(BIN)/fleetgrad tune digits --budget 60s

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term

lint: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test-reliability: $(VENV)/.test
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m reliability

bench: $(VENV)/.run
	$(BIN)/fleetgrad bench

docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo build/site/index.html

clean:
	rm -rf .venv .venv-* .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Each kind of installation unmakes the other's mark where it would mislead: a copied package
# hides later edits from the tests; an editable one serves both.

$(VENV)/.run: $(VENV)/.python pyproject.toml README.md $(SOURCES)
	@echo "Installing into $(VENV) (a minute or two the first time) ..."
	@rm -f $(VENV)/.test
	@$(PIP) .
	@touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml
	@echo "Installing into $(VENV) with what the tests need (a minute or two the first time) ..."
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.python:
	@test -n "$(FOUND)" || { echo "PYTHON must be an installed Python, got $(PYTHON); name" \
	    "another: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(FOUND) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14) and \
	    "Python must be 3.11, 3.12 or 3.13, got " + sys.version.split()[0] + \
	    "; name another: make PYTHON=python3.12 ...")'
	@$(FOUND) -m venv $(VENV)
	@touch $@

# pyenv's stand-ins refuse versions that are installed but not chosen: then look behind them.
FOUND = $(shell $(PYTHON) -c '' 2>/dev/null && command -v $(PYTHON) || \
    ls "$$(pyenv root 2>/dev/null)"/versions/*/bin/$(notdir $(PYTHON)) 2>/dev/null | tail -n 1)
