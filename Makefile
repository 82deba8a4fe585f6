# `make` alone lists what there is.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo up down test chaos contract fuzz-api mutate lint check bench format lock

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/run.installed: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev.installed: requirements-dev.txt $(VENV)/run.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/run.installed ## Set everything up, impute a study on two nodes, print the results
	@$(BIN)/python manage.py platform up
	@$(BIN)/python manage.py platform demo

up: $(VENV)/run.installed ## Start the platform and print its addresses
	@$(BIN)/python manage.py platform up

down: ## Stop the platform
	@test ! -x $(BIN)/python || $(BIN)/python manage.py platform down

test: $(VENV)/dev.installed ## Set up what the tests need and run them, but for the longest; with TESTS=whole all
	@$(BIN)/python -m tests

chaos: $(VENV)/dev.installed ## The hard times at full length: 10 GB, 1,000 jobs, every point of a crash
	@$(BIN)/python -m pytest tests/chaos -m "long or not long"

contract: $(VENV)/dev.installed ## Judge the server at URL=… by the legacy API, or one of our own
	@$(BIN)/python -m tests.contract $(if $(URL),--url $(URL)) $(if $(CREDENTIALS),--credentials $(CREDENTIALS))

fuzz-api: $(VENV)/dev.installed ## Search the API for wrong answers, as nobody, a researcher and an administrator
	@$(BIN)/python -m tests.fuzz

mutate: $(VENV)/dev.installed ## Take each permission check out of the code: the walk must notice
	@$(BIN)/python -m tests.security.mutate

lint: $(VENV)/dev.installed ## Format, lint, import contracts, types, migrations, generated docs, secrets
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy .
	ENVIRONMENT=check DEPLOYMENT=monolith $(BIN)/python manage.py makemigrations --check --dry-run
	ENVIRONMENT=check DEPLOYMENT=node-afr $(BIN)/python manage.py makemigrations --check --dry-run
	ENVIRONMENT=check $(BIN)/python manage.py makemigrations --check --dry-run --settings federated_imputation.settings.typecheck
	$(BIN)/python -m cogapp --check -r $$(git ls-files '*.md')
	$(BIN)/python -m tests.secret_scan

check: export TESTS := whole
check: lint test ## Lint, then every test

format: $(VENV)/dev.installed ## Format and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python -m cogapp -r $$(git ls-files '*.md')

bench: $(VENV)/dev.installed ## Measure, and write docs/reference/benchmarks.md
	@$(BIN)/python -m benchmarks

lock: ## Pin all packages again (needs uv)
	uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q -o requirements.txt
	{ echo "-r requirements.txt"; uv pip compile pyproject.toml --extra dev -c requirements.txt --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -q; } > requirements-dev.txt
