# The commands of this project. `make run` starts the app, `make test` checks everything; a second call wastes no time.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.PHONY: run test fast lint bench clean

run: .venv/.app
	$(BIN)/streamlit run app.py

test: .venv/.dev lint
	@$(BIN)/python tools/browser.py
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 --durations-min=5

fast: .venv/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not keras and not pages and not browser and not packs"

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.dev
	@$(BIN)/python tools/browser.py
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else \
	  f"cnnviz needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is {v[0]}.{v[1]}. Name another: make run PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.app: requirements.txt | $(BIN)/python
	@echo "Installing what the app needs into .venv (once; a few minutes)"
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing what the tests need into .venv (once; a few minutes)"
	@$(PIP) -r requirements-dev.txt
	@touch .venv/.app $@
