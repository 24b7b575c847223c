# make run    what is missing is installed, built, and one simulated charger started
# make test   the same set-up, then all checks
SHELL := bash
.DEFAULT_GOAL := help
ENV := source ./env.sh
ARGS ?=
PYTEST_ARGS ?=
export PYTHON

.PHONY: help setup run test lint browser bench clean
help: ## what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: ## install what is missing and build
	@tools/setup.sh

run: setup ## start one simulated charger; make run ARGS='...' passes arguments to `charger up` (simulated unless they name --config or --depot)
	@$(ENV) && exec charger up $(if $(findstring --config,$(ARGS))$(filter --sim --depot --help -h,$(ARGS)),,--sim) $(ARGS)

lint: setup ## ruff and mypy
	@$(ENV) && ruff check . && mypy

browser: ## Chromium for the page's tests, where it may be installed
	@tools/browser.sh

# Three files at a time, because most live tests wait for real seconds. One that misses a time bound
# because something else had the cores is run once more, and the summary counts it as a rerun.
test: lint browser ## all checks; make test PYTEST_ARGS='-k team' for some
	@$(ENV) && exec python -m pytest -n 3 --dist loadfile --reruns 1 $(PYTEST_ARGS)

bench: setup ## every benchmark, printed as tables (see bench/README.md)
	@$(ENV) && for b in bench/[a-z]*.py; do echo "== $$b" && python $$b || exit 1; done

clean: ## remove what was built and installed here
	rm -rf .venv build install log
