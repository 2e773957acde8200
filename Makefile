# Needs Python 3.11 to 3.14 and make. PYTHON=python3.12 chooses another Python than python3.
PYTHON ?= python3
BIN := .venv/bin
# Without a home, Dagster makes temporary ones, and its daemon refuses to start. Its commands read .env.
DAGSTER_HOME := .tmdb_dagster/dagster
# Dagster lets .env go before the environment; so written, what is typed before a command counts.
HOME_LINE = DAGSTER_HOME=$${DAGSTER_HOME:-$(CURDIR)/$(DAGSTER_HOME)}

# What is installed. A server has a Postgres of its own: LOCK=requirements.lock leaves the embedded one out.
LOCK ?= requirements-local.lock
INSTALLED := .venv/$(basename $(LOCK))
# What the processes of a deployment need beside the product itself.
SERVER := --extra celery --extra k8s --extra docker --extra s3-logs
COMPILE := $(BIN)/uv pip compile pyproject.toml --group build --universal --no-strip-extras --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links -q

# pip prints a line for each file, or nothing for minutes: this says how far it is. A pipe has the status of its last command.
SHOW_PROGRESS = awk -v all=$$(grep -c '==' $(1)) '/^(Collecting|Requirement already|Ignoring) / && ++n % 20 == 0 \
	{ print "  " n " of " all " packages fetched"; fflush() } \
	/^Installing collected/ { print "  Unpacking them ..."; fflush() } /^FAILED$$/ { exit 1 }'
PIP_INSTALL = { PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check \
	--require-hashes -r $(1) || echo FAILED; } | $(SHOW_PROGRESS)

.DEFAULT_GOAL := help
.PHONY: help install ingest ui migrate stop clean test test-long test-fleet lint format benchmark docs schema-dump screenshots lock

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
		|| { echo "Python 3.11 to 3.14 is needed; choose one: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the dependencies into .venv, which takes a minute or two ..."
	@$(call PIP_INSTALL,$(LOCK))
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@mkdir -p $(DAGSTER_HOME)
	@ln -sf ../../dagster.yaml $(DAGSTER_HOME)/dagster.yaml
	@umask 077; grep -qs '^DAGSTER_HOME=' .env || echo '$(HOME_LINE)' >> .env
	@chmod 600 .env  # it holds secrets
	@touch $@

.venv/dev: $(INSTALLED) requirements-dev.lock
	@echo "Installing the development dependencies into .venv, which takes a minute or two ..."
	@$(call PIP_INSTALL,requirements-dev.lock)
	@touch $@

install: $(INSTALLED) ## Make .venv with the pinned dependencies

ingest: $(INSTALLED) ## Discover and ingest movies now, by the job weekly_ingest
	@$(BIN)/tmdb-dagster ingest

ui: $(INSTALLED) ## Open the Dagster UI with the daemon; PORT=8080 chooses another port than 3000
	@$(BIN)/tmdb-dagster ui $(if $(PORT),--port $(PORT))

migrate: $(INSTALLED) ## Bring the database to the current schema
	@$(BIN)/tmdb-dagster migrate

stop: $(INSTALLED) ## Stop the UI, the embedded Postgres, the sandbox and the image server
	@$(BIN)/tmdb-dagster stop

clean: ## Remove all local state and the virtual environment
	@if test -x $(BIN)/tmdb-dagster; then $(BIN)/tmdb-dagster clean; fi
	@if test -f .env; then sed -i.old '/^DAGSTER_HOME=/d' .env && rm .env.old; test -s .env || rm .env; fi
	@rm -rf .venv .tmdb_dagster .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

lint: .venv/dev ## Check style, types and the rooms' borders
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@.ci/check-definitions

format: .venv/dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: lint ## Run everything that CI runs
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: .venv/dev ## Run the proofs that take minutes
	@$(BIN)/pytest -m long

test-fleet: .venv/dev ## Kill each process of a whole deployment; needs redis-server
	@$(BIN)/pytest -m fleet

benchmark: .venv/dev ## Measure enrichment beside a bare script
	@$(BIN)/python -m benchmarks.enrichment

docs: .venv/dev ## Write the documents that are made: the data model, and the cards' JSON schemas
	@$(BIN)/tmdb-dagster data-model > docs/data-model.md
	@$(BIN)/tmdb-dagster card-schema > docs/card.schema.json
	@$(BIN)/tmdb-dagster card-schema --short > docs/card_short.schema.json

schema-dump: .venv/dev ## Keep the schema of the version to be released with the tests
	@$(BIN)/python -m tmdb_dagster_tests.warehouse.schemas.dump

screenshots: .venv/dev ## Take the pictures in docs/images anew, with Chromium
	@SCREENSHOTS=docs/images $(BIN)/pytest -q tmdb_dagster_tests/defs/test_browser.py tmdb_dagster_tests/web

lock: .venv/dev ## Pin the dependencies anew
	@$(COMPILE) $(SERVER) -o requirements.lock
	@$(COMPILE) --extra local -c requirements.lock -o requirements-local.lock
	@$(COMPILE) $(SERVER) --extra local --extra dev -c requirements-local.lock -c requirements.lock -o requirements-dev.lock
