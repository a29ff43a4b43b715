# Two commands are all a newcomer needs: `make run` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
# Another one than that of the environment has it made anew.
PYTHON ?= $(shell test -x $(BIN)/python && echo $(BIN)/python || echo python3)
ENVIRONMENT = $(PYTHON) -m deploy.environment

.PHONY: run test unit one lint lint-pipeline lock digests clean help python

run: python  ## serve on this machine until Ctrl-C
	@$(ENVIRONMENT) run
	@exec setpriv --pdeathsig TERM $(BIN)/python -m deploy.run

# Services wait more than they compute, so more files than two cores can take run beside each other.
test: lint  ## lint, types and every test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

unit: python  ## what needs no service, no Redis and no TensorFlow, in a minute or so
	@$(ENVIRONMENT) test
	$(BIN)/python -m pytest --unit -n 2 --dist loadfile

one: python  ## one file or case: make one T=tests/workers/test_queue.py
	@$(ENVIRONMENT) test
	$(if $(T),,$(error say which: make one T=tests/...))$(BIN)/python -m pytest $(T)

lint: python  ## format, style, types and the direction of imports
	@$(ENVIRONMENT) test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-pipeline: python  ## scripts, workflows and templates that deploy
	@$(ENVIRONMENT) pipeline
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/actionlint
	$(BIN)/zizmor --offline .github/workflows
	$(BIN)/shellcheck .ci/run deploy/*.sh deploy/pipeline/*.sh
	$(BIN)/hadolint deploy/Dockerfile deploy/serverless/Dockerfile
	$(BIN)/cfn-lint deploy/serverless/template.yaml

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Punctual needs Python 3.11 or newer: make PYTHON=python3.11 ...")'

lock:  ## pin everything that setup.cfg pulls in
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet -e '.[web,worker,flower,traces,run,redis,serverless,training,bench,test,pipeline]'
	$(VENV)/lock/bin/python -m pip freeze --exclude-editable > constraints.txt

# By digest, what was tried is what runs; by tag, repairs come by themselves.
digests:  ## lines for .env that pin the base images of the containers to what they are today
	@sed -nE 's/.*\$$\{([A-Z]+_IMAGE):-([^}]+)\}.*/\1 \2/p' docker-compose.yml | while read -r name image; do \
	    docker pull --quiet "$$image" >&2 && \
	    echo "$$name=$$image@$$(docker image inspect --format '{{index .RepoDigests 0}}' "$$image" | cut -d@ -f2)"; \
	done

clean:  ## remove the environment and what pages fetched
	rm -rf $(VENV) web/pages/assets

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
