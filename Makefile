# Every target makes .venv by itself, once, and again when the requirements change. Needed: Python 3.11 or newer, make.

PYTHON ?= python3.11 python3 python# candidates, in order; the first that runs and is new enough makes .venv
WORKERS ?= 2# parallel test processes
ARGS ?=# more arguments for demo, test and bench

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
CPU := requirements/cpu.txt

# One thread a test process: two processes on two cores beat one process with two threads.
THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv and install the package, editable, with what tests and demo need

demo: $(STAMP)  ## render a data set, train the three stages, evaluate: work_dirs/demo/report.html
	@$(BIN)/python tools/demo.py $(ARGS)

test: $(STAMP)  ## the whole test suite
	@$(THREADS) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(STAMP)  ## ruff and mypy, as the pre-commit hooks run them
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP)  ## let ruff repair and format what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP)  ## speed and memory of merging, input pipeline and training step
	@$(BIN)/python tools/analysis_tools/bench.py $(ARGS)

clean:  ## remove .venv, caches and build outputs; work_dirs and data stay
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes first, in the version of the constraints, so that nothing after it fetches another. Where pip's default
# index serves the CUDA build, name the index of PyTorch's CPU builds in the environment (PIP_EXTRA_INDEX_URL). The wheel
# of opencv-python needs the system's libGL and X libraries; where these are missing, the same release without windows
# is laid over it. lmms-eval asks for packages that it does not need here, of which one clashes with ours: it comes alone.
$(STAMP): setup.py $(wildcard requirements/*.txt) | $(BIN)/python
	@echo "Installing torch ..."
	@$(PIP) install -qq --constraint $(CPU) torch==2.13.0
	@echo "Installing elva and what it needs (a minute or more the first time) ..."
	@$(PIP) install -qq --constraint $(CPU) --editable '.[dev]'
	@$(PIP) install -qq --constraint $(CPU) --no-deps lmms-eval
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { echo "Installing OpenCV without windows ..."; \
	    $(PIP) install -qq --no-deps --force-reinstall --constraint $(CPU) opencv-python-headless; }
	@$(BIN)/python -c 'import elva, torch; print(f"Installed elva {elva.__version__} with torch {torch.__version__}.")'
	@touch $@

$(BIN)/python:
	@for candidate in $(PYTHON); do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$($$candidate --version) ..."; \
	        $$candidate -m venv $(VENV) && exit 0; \
	        rm -rf $(VENV); \
	        echo "error: '$$candidate -m venv' failed (on Debian and Ubuntu it needs: apt install python3-venv)" >&2; \
	        exit 1; \
	    fi; \
	done; \
	echo "error: no Python 3.11 or newer among: $(PYTHON). Install one, or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1
