# The index of habits. `make help` lists them.
PYTHON ?= python3
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := .venv/bin/python
DATA ?= experiments/demo/sounds
PORT ?= 5000
N ?= 200

# Python may keep what it has compiled: where it may not, every start compiles torch anew and takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo scan train ui play sync test check lint format lock bench torture eval-selftest presets clean clean-cache

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: .venv/.ready ## create .venv with the pinned, hashed requirements

demo: setup ## train on the 18 sounds that come with the project, two to ten minutes
	$(RUN) train.py experiment=demo

scan: setup ## look at your folder before training: make scan DATA=~/sounds
	$(RUN) scan.py "data.root=$(DATA)"

train: setup ## train on your folder: make train DATA=~/sounds
	$(RUN) train.py "data.root=$(DATA)"

ui: setup ## open http://127.0.0.1:5000 to compare runs in the browser (PORT=…)
	$(RUN) -m sda ui $(PORT)

play: setup ## play with the last run in the browser, on this machine alone
	$(RUN) play.py

sync: setup ## deliver to MLflow what could not be delivered, close runs whose process is gone
	$(RUN) -m sda sync

test: check ## everything that must pass: quick checks, then all tests
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 3 --dist worksteal

check: lint ## quick checks: lint, types, order of dependence
	.venv/bin/mypy
	.venv/bin/lint-imports

lint: setup ## ruff, without changing anything
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: setup ## let ruff put the code in order
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: setup ## how fast it is, as ratios measured side by side; see experiments/bench
	$(RUN) -m experiments.bench

torture: setup ## kill trainings in every way, continue them, compare bit by bit: make torture N=200
	$(RUN) -m experiments.torture --n $(N)

eval-selftest: setup ## does the evaluation say of known sound what must be said of it? about ten minutes
	$(RUN) -m experiments.selftest

presets: setup ## which preset for how many files? hours; make presets ESC10=PATH/TO/ESC-10
	OMP_NUM_THREADS=1 $(RUN) experiments/005-presets-by-file-count/run.py $(ESC10) tracking=none

lock: .uv/bin/uv ## pin the newest requirements that fit pyproject.toml
	.uv/bin/uv pip compile pyproject.toml --extra dev --extra eval --extra export --extra sweep --extra slurm --extra ray --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" --upgrade --output-file requirements.txt

clean-cache: setup ## remove decoded sound from the cache; it is made again when it is needed
	$(RUN) -c "from sda.data.cache import SoundCache; cache = SoundCache(); cache.clear(); print('emptied', cache.folder)"

clean: ## remove what setup and the tools made; runs and MLflow's store stay
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist

.venv/.ready: requirements.txt pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv && $(UV) pip uninstall --quiet --python $(RUN) sda  # its former name, another's on PyPI
	$(UV) pip install --quiet --python $(RUN) --no-deps --require-hashes -r requirements.txt
	$(UV) pip install --quiet --python $(RUN) --no-deps --no-build-isolation -e . && touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
