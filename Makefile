# make demo: install and run the main job on the bundled sample.   make test: lint, types, fast tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export FINSAE_CACHE ?= $(CURDIR)/data/cache

.PHONY: demo test test-slow lint types fast notebooks setup saelens browser audit wheel clean

demo: setup
	$(BIN)/finsae demo --out reports/demo

test: lint types fast

test-slow: setup saelens browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow" -n 2 --durations=10

# Two processes on two cores: one thread each.
fast: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu and not network" -n 2 --durations=5

# Runs the notebooks and keeps their outputs, figures as PNG.
notebooks: setup
	$(BIN)/python tests/executed.py

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

# SAELens brings some sixty packages, so only the slow tests install it (a minute and a half).
saelens: $(VENV)/.saelens

$(VENV)/.saelens: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[saelens]"
	touch $@

# The report is also looked at in a real browser, where Debian's packages can be had.
browser:
	@command -v chromium >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qqy install chromium >/dev/null; } \
	  || echo "no chromium here: the browser tests will be skipped"

# Asks the OSV database about what is installed; needs a network, and says so where there is none.
audit: setup
	$(BIN)/python tests/audit.py

wheel: setup
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) data/cache reports/demo dist
