# Two commands do everything: `make demo` and `make test`. The virtual environment is made when it is missing
# or the lock has changed; an interrupted installation is repeated.

SHELL := /bin/bash
VENV := .venv
STAMP := $(VENV)/installed
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	if command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; break; fi; done)
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --no-input
export PIP_ROOT_USER_ACTION := ignore

.PHONY: demo test lint up clean

demo: $(STAMP)
	$(VENV)/bin/ris demo

# Two files at a time, each in a process with a database server of its own; in order, the long ones come first.
test: $(STAMP)
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

up: $(STAMP)
	$(VENV)/bin/ris up

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "RIS needs Python 3.11 or newer: install it, or name one with make PYTHON=..."; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' || { echo "$(PYTHON) lacks the venv module: install it (on Debian: the package python3-venv)"; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)
	$(PIP) install --quiet --requirement requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	@touch $(STAMP)

clean:
	-$(VENV)/bin/ris down --delete
	rm -rf $(VENV) .ris
