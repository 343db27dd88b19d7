# make demo: install and run the main job on the bundled sample.   make test: lint, types, fast tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export FINSAE_CACHE ?= $(CURDIR)/data/cache

.PHONY: demo test test-slow lint types fast setup wheel clean

demo: setup
	$(BIN)/finsae demo --out reports/demo

test: lint types fast

test-slow: setup browser
	$(BIN)/python -m pytest -m "slow" --durations=10

fast: setup
	$(BIN)/python -m pytest -m "not slow and not gpu and not network" -n 2 --durations=5

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

setup: $(VENV)/.installed

# The stamp is renewed when what is installed changes; the code itself is installed in place.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

wheel: setup
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) data/cache reports/demo dist
