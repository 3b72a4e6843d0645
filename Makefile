# The house in a few words: `make help`. Needs Python 3.11 to 3.13 with venv, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
SERVICES := $(BIN)/python -m smartmaint.services

.DEFAULT_GOAL := help
.PHONY: help install demo up test lint format timescale timescale-stop stop status bench \
	requirements clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

install: $(VENV)/.installed ## Create .venv and install what a run needs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "smartmaint needs Python 3.11, 3.12 or 3.13. Name one: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "This Python cannot make virtual environments. On Debian and Ubuntu:" \
			"apt-get install python3-venv" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python requirements/base.txt requirements/embedded.txt
	$(PIP) install --require-hashes -r requirements/base.txt -r requirements/embedded.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

demo: install ## Run the golden path end to end on a database of its own
	@$(SERVICES) demo $(ARGS)

up: install ## Serve everything at http://127.0.0.1:8000 until Ctrl-C
	@$(SERVICES) up

test: $(VENV)/.installed-dev ## Run the tests (ARGS="-k word" narrows them)
	@$(SERVICES) run -- python -m pytest $(ARGS)

lint: $(VENV)/.installed-dev ## Check style, types, import contracts, migrations and deployment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(SERVICES) run -- mypy .
	$(BIN)/lint-imports
	@$(SERVICES) run -- python manage.py makemigrations --check --dry-run
	@$(SERVICES) run -- env DEBUG=0 SECURE=1 ALLOWED_HOSTS=smartmaint.example \
		PUBLIC_URL=https://smartmaint.example \
		python manage.py check --deploy --fail-level WARNING

format: $(VENV)/.installed-dev ## Let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

timescale: install ## Get and start TimescaleDB (Debian, root) and print its DATABASE_URL
	@$(SERVICES) timescale

timescale-stop: install ## Stop that TimescaleDB; its data stays
	@$(SERVICES) timescale-stop

status: install ## Say which embedded servers run
	@$(SERVICES) status

stop: install ## Stop what a killed run left behind
	@$(SERVICES) stop

bench: install ## Measure the hot paths
	@$(SERVICES) run -- python bench/run.py $(ARGS)

requirements: ## Pin requirements/*.txt again from *.in (needs uv)
	cd requirements && for name in base embedded dev; do \
		uv pip compile $$name.in -o $$name.txt --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --quiet \
			--custom-compile-command "make requirements" || exit 1; done

clean: ## Remove .venv and caches; keeps .data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
