# Everything a fresh clone needs: `make demo` and `make test` set up .venv on their own. Wants Python 3.11 or newer, gcc and make.

PYTHON ?= python3
VENV   ?= .venv
# Which build of torch: `make test TORCH=torch==2.13.0+cpu`; README.md says where the builds come from.
TORCH  ?= $(shell grep '^torch==' constraints.txt)
# Processes that share the tests. One thread each: two threads that wait for each other are slower than one.
JOBS   ?= 2

BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
QUIET  := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE MLFLOW_DISABLE_TELEMETRY=true $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help venv demo test check units slow format clean distclean

help:  ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

venv: $(STAMP)  ## Make .venv and install the pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: make PYTHON=python3.12 ..." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(QUIET) $(BIN)/python -m pip install --quiet -c constraints.txt '$(TORCH)'
	$(QUIET) $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,onnx]'
	touch $@

demo: $(STAMP)  ## Sample data -> benchmark -> promote -> score -> report, in demo-output/
	$(BIN)/forecast demo --output demo-output

test: check units  ## Linters, types, layers, architecture, then every test that is not slow

check: $(STAMP)  ## The quick half: style, types, layers, size budgets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q tests/architecture

units: $(STAMP)  ## The tests themselves
	$(PYTEST) -q -n $(JOBS) --dist worksteal --ignore tests/architecture

slow: $(STAMP)  ## Proofs that take long
	$(PYTEST) -q -n $(JOBS) -m slow --timeout 900

format: $(STAMP)  ## Rewrite the code in the house style
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

clean:  ## Throw away caches and outputs
	rm -rf demo-output build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

distclean: clean  ## Throw away .venv too
	rm -rf $(VENV)
