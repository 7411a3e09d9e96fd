# Everything one does with this project. `make help` lists it.
# PORT, HOST, PETPLACE_DATA_DIR, DATABASE_URL and REDIS_URL are read from the environment or from .env.

PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test proofs coverage check races bench bench-streams faults fmt clean bootstrap bootstrap-dev

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F '\t' '{printf "  make %-14s %s\n", $$1, $$2}'

run: bootstrap  ## Run the site: database, cache, web, worker and beat
	@exec $(PYTHON) manage.py up --with-parent

test: bootstrap-dev  ## Test rules, doors, pages, journeys in a browser and the main races, with servers of their own
	$(PYTHON) -m pytest -n 2 --dist worksteal -m "not long"

proofs: bootstrap-dev  ## Test what takes longer: servers killed and hung, every race, every page in both themes
	$(PYTHON) -m pytest -n 2 --dist worksteal -m long

coverage: bootstrap-dev  ## Run the tests of rules, doors and pages, and demand 95 % of all branches
	$(PYTHON) -m pytest -n 2 --dist worksteal -m "not (browser or race or fault)" --cov --cov-report=term-missing:skip-covered --cov-fail-under=95

check: bootstrap-dev  ## Check format, lint, templates, types, migrations, deployment and the layers
	$(PYTHON) scripts/check.py

races: bootstrap-dev  ## Book, answer, move and sign in at the same moment, 500 times, and print what came out
	PETPLACE_RACES=500 $(PYTHON) -m pytest tests/races tests/accounts/test_races.py tests/accounts/test_second_factor_races.py

bench: bootstrap  ## Measure search, slots and reservations on a database of its own
	$(PYTHON) -m petplace.embedded run -- $(PYTHON) -m benchmarks

bench-streams: bootstrap  ## Measure pages on one process beside a thousand open streams
	$(PYTHON) -m petplace.embedded run -- $(PYTHON) -m benchmarks.streams

faults: bootstrap-dev  ## Kill and hang the servers under load, at full length
	PETPLACE_FAULTS=full $(PYTHON) -m pytest tests/faults -v

fmt: bootstrap-dev  ## Format the code
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

clean:  ## Remove everything that can be made again, and the demo's data
	rm -rf node_modules static/vendor staticfiles htmlcov .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m petplace.embedded clean; fi
	@if [ ! -L .venv ]; then rm -rf .venv; fi

bootstrap:
	@scripts/bootstrap.sh

bootstrap-dev:
	@scripts/bootstrap.sh dev
