# splinescope: every routine task is one target. Only Python (3.11 or later) with pip is needed; the rest is installed
# into .venv. Choose another interpreter with `make PYTHON=python3.12 ...`, another environment with `make VENV=...`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST_ARGS ?=
# Each process keeps the tests of a file together, which share what they make and compile; idle ones take from others.
PYTEST := -m pytest -n auto --maxprocesses=8 --dist worksteal --durations=20
# Tests run in one process per core, and in one thread each but for those that compare results of one and of two; with two
# they take an eighth longer. Bytecode is kept, since a hundred commands are started.
TEST_ENV := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONDONTWRITEBYTECODE=
INPUTS := pyproject.toml constraints.txt
# What `make thorough` runs: networks of each family that sweeps try, changed files that are read, and all Pythons that are
# found, pyenv's among them.
SWEEP ?= 100
FUZZ ?= 10000
PROCESSES ?= $(shell getconf _NPROCESSORS_ONLN)
PYTHONS ?= $(shell for version in 3.11 3.12 3.13; do \
	for python in python$$version $(HOME)/.pyenv/versions/$$version.*/bin/python; do \
	$$python -c "" 2>/dev/null && echo $$python && break; done; done)

.DEFAULT_GOAL := help
.PHONY: help demo test coverage thorough all-tests sweeps fuzz pythons check release-check notebooks format lint types imports docs viewer readme-picture clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "splinescope needs Python 3.11 or later; name one with `make PYTHON=python3.11`")'
	$(PYTHON) -m venv $(VENV)

# One stamp per set of packages; installs are editable, so that a changed source needs no new install. Bytecode is made when a
# module is first imported: making it for all 21,000 files of the packages takes a minute and a half.
INSTALL := $(PIP) install --no-compile -c constraints.txt
$(VENV)/.installed: $(INPUTS) | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(VENV)/.installed-test: $(INPUTS) | $(BIN)/python
	$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: $(INPUTS) | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

demo: $(VENV)/.installed  ## cut the tessellation of a digits network in a plane through three digits; see demo/
	$(BIN)/splinescope demo --out demo --force

test: $(VENV)/.installed-test  ## run the gate's tests and say which were the slowest twenty
	$(TEST_ENV) $(BIN)/python $(PYTEST) $(PYTEST_ARGS)

coverage: $(VENV)/.installed-test  ## the same, with coverage, which takes twice as long; fails below the floor
	$(TEST_ENV) $(BIN)/python $(PYTEST) --cov --cov-report=term $(PYTEST_ARGS)

thorough:  ## hours: all random numbers and sizes, long sweeps, the gate on every Python from 3.11 to 3.13 found
	$(MAKE) --keep-going all-tests sweeps fuzz pythons

all-tests: $(VENV)/.installed-test
	$(TEST_ENV) $(BIN)/python $(PYTEST) --thorough $(PYTEST_ARGS)

sweeps: $(VENV)/.installed-test
	failed=; \
	for kind in "1 complex" "2 complex" "3 complex" "2 graph"; do set -- $$kind; \
		echo "dimension $$1, $$2"; \
		OMP_NUM_THREADS=1 $(BIN)/python -m tests.reference.sweep --count $(SWEEP) --processes $(PROCESSES) \
			--limit 300 --dimension $$1 --engine $$2 || failed=1; \
	done; test -z "$$failed"

fuzz: $(VENV)/.installed-test  ## read FUZZ small files, changed at random: none may end in a foreign error, hang or crash
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --count $(FUZZ) --processes $(PROCESSES)

pythons:
	failed=; \
	for python in $(PYTHONS); do \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		$(MAKE) test PYTHON=$$python VENV=.venv-$$version || failed=1; \
	done; test -z "$$failed"

notebooks: $(VENV)/.installed-dev  ## run the tutorials as notebooks in a Jupyter kernel
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest tests/test_notebooks.py --thorough

# What is quick comes first; the tests compile the kernels, each once, which documentation and notebooks then find.
check: $(VENV)/.installed-dev  ## the whole gate: format, lint, types, imports, tests, docs, notebooks
	$(MAKE) -j2 types imports lint
	$(MAKE) test
	$(MAKE) -j2 docs notebooks

format: $(VENV)/.installed-dev  ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.installed-dev  ## format and lint rules, docstrings among them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev  ## static types
	$(BIN)/mypy

imports: $(VENV)/.installed-dev  ## which module may import which
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.installed-dev  ## the documentation with its executed gallery, in docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html

# The bundles are committed, so that nobody else needs Node.js; the first line of each names the source that it was made of.
VIEWER := src/splinescope/viewer
viewer:  ## bundle the viewer's scripts anew after a change of its source (needs Node.js)
	cd $(VIEWER)/source && npm ci --silent && npm run --silent build
	digest=$$(cat $(VIEWER)/source/*.ts | sha256sum | cut -d' ' -f1); \
	for script in $(VIEWER)/scripts/*.js; do \
		printf '/* %s */\n' "$$digest" | cat - $$script > $$script.tmp && mv $$script.tmp $$script; \
	done

# Each package is tried outside of the sources, in an environment that has nothing else.
release-check: $(VENV)/.installed-dev  ## build wheel and sdist, and run the demo from each in an empty environment of every Python
	rm -rf dist build/release
	$(BIN)/python -m build --outdir dist .
	set -e; for python in $(PYTHONS); do for package in dist/*.whl dist/*.tar.gz; do \
		place=$$(mktemp -d); echo "$$package with $$python"; \
		$$python -m venv $$place/venv; \
		$$place/venv/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt $$package; \
		(cd $$place && venv/bin/splinescope --version && venv/bin/splinescope demo --out demo && test -s demo/picture.png); \
		rm -rf $$place; \
	done; done

readme-picture: $(VENV)/.installed  ## make the README's picture anew, by a real run
	$(BIN)/python docs/readme_picture.py
	$(BIN)/python docs/comparison_picture.py
	$(BIN)/python docs/training_movie.py

clean:  ## remove the environment and everything that runs leave behind
	rm -rf $(VENV) demo build dist docs/_build docs/gallery docs/sg_execution_times.rst .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
