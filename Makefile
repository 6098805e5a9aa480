# Two commands do everything on a fresh machine: `make demo` and `make test`. `make` alone lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := uv==0.13.9# installs the 300 pinned packages in half a minute; pip needs four

.PHONY: help demo up down status test fast lint fix bench lock env sql new-source new-processor new-pipeline secrets compose-check wheel pictures docs

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

demo: $(STAMP)  ## Run the main job end to end against the sandbox (RECORDED=dir serves recorded answers, SOURCES=all)
	@$(BIN)/python -m devstack demo $(if $(RECORDED),--recorded "$(RECORDED)") $(if $(SOURCES),--sources "$(SOURCES)")

up: $(STAMP)  ## Start Postgres, the sandbox and Airflow, and wait until they are ready
	@$(BIN)/python -m devstack up $(if $(RECORDED),--recorded "$(RECORDED)")

down:  ## Stop every process that up or demo started, also after a crash
	@if [ -f $(STAMP) ]; then $(BIN)/python -m devstack down; else echo "nothing is installed here, nothing runs"; fi

status: $(STAMP)  ## Say what runs
	@$(BIN)/python -m devstack status

test: $(STAMP)  ## Run all tests, and the fast ones on each other Python of 3.11 to 3.13 that is here, 3.12 with Airflow 3.3.1
	@$(BIN)/python -m devstack.run_tests

fast: $(STAMP)  ## Run the tests that need no Airflow processes
	@$(BIN)/python -m pytest -m "not slow" -n 2

lint: $(STAMP)  ## Check style, types, density and that the pins resolve on 3.11 to 3.13 and with Airflow 3.3.1; edits nothing
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy include plugins
	@$(BIN)/python -m devstack.branches
	@$(BIN)/python -m devstack.pins

fix: $(STAMP)  ## Repair what the linter can repair
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

env: $(STAMP)  ## Create the environment only

lock: $(STAMP)  ## Write into requirements.txt what pyproject.toml asks for now
	@$(BIN)/python -m devstack.pins write

$(STAMP): requirements.txt devstack/engines.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11 to 3.13 is needed, this is %d.%d: make PYTHON=python3.12 ..." % v)'
	@echo "Installing the pinned packages into $(VENV) (about 2 GB, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check $(UV)
	@$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode -r requirements.txt
	@$(BIN)/python -m devstack.engines
	@touch $(STAMP)

pictures: $(STAMP)  ## Make the README's pictures anew, in a real browser (three minutes)
	@$(BIN)/python -m devstack.pictures

wheel: $(STAMP)  ## Build the installable package into dist/
	@$(BIN)/python -m hatchling build -t wheel

secrets: $(if $(SANDBOX),$(STAMP))  ## Write the secrets that docker-compose.yaml asks for (SANDBOX=1 leads it to the sandbox)
	@PYTHONPATH=. $(if $(SANDBOX),$(BIN)/python,$(PYTHON)) -m devstack.compose.secret_files $(if $(SANDBOX),sandbox)

compose-check: $(STAMP)  ## Say what is wrong with docker-compose.yaml; needs no Docker
	@PYTHONPATH=.:plugins $(BIN)/python -m devstack.compose.check

PAGES := dag_table dictionary page_document
NEW := new-source new-processor new-pipeline
$(NEW) docs: export AIRFLOW_HOME := $(CURDIR)/.airflow
$(NEW) docs: export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins
new-source: $(STAMP)  ## Write spec, parser and fixture of a new source (NAME=my_source)
new-processor: $(STAMP)  ## Write DAG, code and tests of a table that is made of other tables (NAME=my_table)
new-pipeline: $(STAMP)  ## Write a new source and a processor over it (NAME=my_flow)
$(NEW):
	@$(BIN)/python -m devstack.new_dag $@ "$(NAME)"
	@$(foreach page,$(PAGES),$(BIN)/python -m devstack.$(page) &&) true

docs: $(STAMP)  ## Write anew what code says in README, docs/dictionary.md and docs/page.md
	@$(foreach page,$(PAGES),$(BIN)/python -m devstack.$(page) &&) true

sql: export Q := $(Q)
sql: $(STAMP)  ## Read the warehouse of the local installation (Q="select ..."; without it: its tables)
	@. .airflow/env && exec airflow nba sql $${Q:+"$$Q"}

bench: $(STAMP)  ## Print what the product costs beside what it is compared with, as JSON lines and a table (ONLY=name)
	@PYTHONPATH=.:plugins $(BIN)/python -m devstack.bench $(ONLY)
