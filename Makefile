# Two commands are all a newcomer needs: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test one lint lock clean help

run: $(VENV)/.run  ## serve on this machine until Ctrl-C
	@exec setpriv --pdeathsig TERM $(BIN)/python deploy/run.py

test: lint  ## lint, types and every test
	$(BIN)/python -m pytest

one: $(VENV)/.test  ## one file or case: make one T=tests/workers/test_queue.py
	$(if $(T),,$(error say which: make one T=tests/...))$(BIN)/python -m pytest $(T)

lint: $(VENV)/.test  ## format, style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.run: setup.cfg constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Punctual needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@echo "Making the environment in $(VENV): once, a minute or two."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) -e '.[web,worker,flower,run]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "Adding TensorFlow and the test tools to $(VENV): once, a few minutes."
	@$(INSTALL) -e '.[web,worker,flower,run,training,bench,test]'
	@touch $@

lock:  ## pin everything that setup.cfg pulls in
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet -e '.[web,worker,flower,run,training,bench,test]'
	$(VENV)/lock/bin/python -m pip freeze --exclude-editable > constraints.txt

clean:  ## remove the environment
	rm -rf $(VENV)

help:  ## this list
	@sed -nE 's/^([a-z]+):.*  ## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 8
