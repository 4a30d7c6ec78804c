# The commands of the README, and those that developers need. Needs python3 (3.11 or newer) with venv, and make.

PYTHON ?= python3
VENV ?= .venv
# Another index for torch, such as the one with CPU builds or with a certain CUDA: make demo TORCH_INDEX=https://...
TORCH_INDEX ?=
TORCH := $(shell sed -n 's/^\(torch==[^ ;]*\).*/\1/p' constraints.txt)
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all bench results check constraints clean

demo: $(READY)  ## the whole story on data that comes with a dependency
	$(BIN)/unlearnable demo

test: $(READY)  ## what the software promises, in minutes
	$(BIN)/python -m pytest -m "not slow"

test-all: $(READY)  ## the slow tests too
	$(BIN)/python -m pytest

bench: $(READY)  ## how fast the search and the writing are, against the published way, the machine and Pillow
	rm -f build/speed.json
	$(BIN)/python benchmarks/speed.py --out build/speed.json
	$(BIN)/python benchmarks/applying.py --out build/applying.json
	$(BIN)/python benchmarks/applying.py --out build/applying-12.json --megapixels 12 --count 12 --pairs 1
	$(BIN)/python benchmarks/applying.py --out build/applying-48.json --megapixels 48 --count 2 --pairs 1

results: $(READY)  ## render the result files: tables and figures into results/cpu, and two pages of the docs
	$(BIN)/unlearnable experiment all --profile cpu --render
	$(BIN)/python docs/results.py
	$(BIN)/python benchmarks/performance.py

check: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

constraints: $(READY)  ## write the versions that are installed now
	( head -1 constraints.txt; $(BIN)/pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/' ) > constraints.new
	mv constraints.new constraints.txt

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
