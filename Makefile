# Everything runs in .venv; the only things needed beforehand are Python 3.11, make and git.
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
# Turns pip's line per package into one line that counts.
COUNT = awk -v n=$$(grep -c == requirements.lock) ' \
	/^Collecting/ { printf "\r  %d of %d packages", ++i, n; fflush() } \
	/^Installing/ { printf "\r  unpacking %d packages ...", n; fflush() } \
	END { print "" }'
export MPLBACKEND := Agg

.PHONY: run test check lint types imports fast lock clean

run: .venv/installed  ## From the bundled corpus to the report, at most ten minutes on two cores
	@$(BIN)/music-pipeline run $(ARGS)

test: .venv/installed  ## All tests, slow ones too: two at a time, then one by one those that watch the clock
	@$(BIN)/pytest -m "not alone" --numprocesses 2 --dist loadfile; together=$$?; \
		$(BIN)/pytest -m alone && exit $$together

fast: .venv/installed  ## Without the slow tests, two at a time: two minutes
	@$(BIN)/pytest -m "not slow and not alone" --numprocesses 2 --dist loadfile

check: lint types imports test  ## What CI runs

lint: .venv/installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/installed
	@$(BIN)/mypy

imports: .venv/installed
	@$(BIN)/lint-imports

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed: install it, or name it with make PYTHON=..." >&2; exit 1; }
	@echo "Installing the pinned requirements into .venv (about 2 minutes, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock | $(COUNT)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock:  ## Resolve the requirements anew (needs uv)
	@uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --extra dev --output-file requirements.lock pyproject.toml

clean:  ## Remove what can be made again; data/ and artifacts/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis test-output
