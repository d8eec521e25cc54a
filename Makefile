# What one can do here: `make help`. Needs Python 3.11 to 3.14 with pip and venv, and GNU make; nothing else.
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python
# The Python to make .venv from; once it is there, the one that it was made from.
PYTHON ?= $(shell [ -x $(PY) ] && echo $(PY) || echo python3)

# Compiled sources are kept: every report is a process of its own, which would compile them anew, for a second each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup report test lint format bench kills parity test-kernels test-pythons mutants calibrate notebooks api gallery lab lock clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | sort | while IFS="$$(printf '\t')" read -r name what; do printf '  make %-10s %s\n' "$$name" "$$what"; done

setup: ## Make .venv from the lock file; seconds when nothing changed
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo "'$(PYTHON)' was not found. Install Python 3.11 to 3.14, or name it: make setup PYTHON=..." >&2; exit 2; }
	@"$(PYTHON)" tools/setup_venv.py

report: setup ## The main job on the demonstration study: reports/demo/report.html
	@$(BIN)/alliance report demo --notebook early_alliance --out reports/demo

test: setup ## The whole test suite
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: setup ## Style, types, spelling, notebooks without outputs
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(BIN)/codespell
	@$(PY) -m pytest -q tests/packaging/test_notebooks.py

format: setup ## Lay out the code as lint wants it
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench: setup ## Time the engine against its peers: docs/benchmarks.md (ten minutes; installs mixedlm under build/)
	@$(PY) benchmarks/bench.py

parity: setup ## Compare with R's programs (run anew when R is here): docs/validation.md
	@$(PY) tests/reference/refresh.py
	@$(PY) tests/reference/compare.py

test-kernels: setup ## The engine's tests under the kernels of other processors: docs/validation.md
	@$(PY) tools/test_kernels.py

mutants: setup ## Small mistakes in the code, and whether a test notices: docs/mutants.md (hours; SAMPLE=400; for maintainers)
	@$(PY) tools/mutants/run.py

kills: setup ## A batch of 40 reports under 100 random kills (for maintainers; about ten minutes)
	@$(PY) tools/kills.py

test-pythons: setup ## The whole suite under each Python that is here, and with the lowest versions allowed (hours)
	@$(PY) tools/test_pythons.py

calibrate: setup ## Coverage in simulation, every analysis: docs/calibration.md (days; "benchmarks/calibrate.py --help" for a part)
	@$(PY) benchmarks/calibrate.py

notebooks: setup ## Write the notebooks and the batch file's schema from the analyses (for maintainers)
	@$(PY) tools/notebooks.py

api: setup ## Write docs/api from the code (for maintainers)
	@$(PY) tools/make_api.py

gallery: setup ## Draw docs/gallery.md from the demonstration study (for maintainers)
	@MPLBACKEND=Agg $(PY) tools/make_gallery.py

lab: setup ## Open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks

lock: setup ## Resolve the dependencies anew into requirements.lock (for maintainers; needs the network)
	@$(PY) tools/lock.py

clean: ## Remove .venv and everything that was generated
	rm -rf .venv build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find reports -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
