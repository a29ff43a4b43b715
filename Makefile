# Two commands are all a newcomer needs: `make run` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
# Another one than that of the environment has it made anew.
PYTHON ?= $(shell test -x $(BIN)/python && echo $(BIN)/python || echo python3)
ENVIRONMENT = $(PYTHON) deploy/environment.py

.PHONY: run test unit one lint lock digests clean help python

run: python  ## serve on this machine until Ctrl-C
	@$(ENVIRONMENT) run
	@exec setpriv --pdeathsig TERM $(BIN)/python -m deploy.run

test: lint  ## lint, types and every test
	$(BIN)/python -m pytest

unit: python  ## what needs no service, no Redis and no TensorFlow, within a minute
	@$(ENVIRONMENT) test
	$(BIN)/python -m pytest --unit

one: python  ## one file or case: make one T=tests/workers/test_queue.py
	@$(ENVIRONMENT) test
	$(if $(T),,$(error say which: make one T=tests/...))$(BIN)/python -m pytest $(T)

lint: python  ## format, style, types and the direction of imports
	@$(ENVIRONMENT) test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Punctual needs Python 3.11 or newer: make PYTHON=python3.11 ...")'

lock:  ## pin everything that setup.cfg pulls in
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet -e '.[web,worker,flower,run,redis,training,bench,test]'
	$(VENV)/lock/bin/python -m pip freeze --exclude-editable > constraints.txt

# By digest, what was tried is what runs; by tag, repairs come by themselves.
digests:  ## lines for .env that pin the base images of the containers to what they are today
	@sed -nE 's/.*\$$\{([A-Z]+_IMAGE):-([^}]+)\}.*/\1 \2/p' docker-compose.yml | while read -r name image; do \
	    docker pull --quiet "$$image" >&2 && \
	    echo "$$name=$$image@$$(docker image inspect --format '{{index .RepoDigests 0}}' "$$image" | cut -d@ -f2)"; \
	done

clean:  ## remove the environment
	rm -rf $(VENV)

help:  ## this list
	@sed -nE 's/^([a-z]+):.*  ## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 8
