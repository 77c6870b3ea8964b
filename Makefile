# make run: serve at once, with a simulated node.  make test: everything that must hold.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.PHONY: help run test lint types check fix bench bench-micro clean install uninstall

help:
	@echo "make run     serve on 127.0.0.1:8080 with a simulated node"
	@echo "make test    install what the tests need, run them all"
	@echo "make check   lint, types and tests, as CI does"
	@echo "make fix     let ruff mend what it can"
	@echo "make install    as root: program, systemd units, example config (PREFIX, DESTDIR)"
	@echo "make uninstall  takes them away again, but for the config"
	@echo "make bench   what relaying an event costs, beside nginx and a C floor"
	@echo "make bench-micro  what each hot module costs; AGAINST=REV: compared with a commit"

$(VENV)/.run: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.test: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test,lint]'
	@touch $@ $(VENV)/.run

run: $(VENV)/.run
	$(BIN)/casedesk-proxy demo

test: $(VENV)/.test
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

check: lint types test

install:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' systemd/install

uninstall:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' systemd/install --remove

fix: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.run
	$(BIN)/python bench/relay_cost.py --json bench/out/relay_cost.json --markdown bench/out/relay_cost.md

bench-micro: $(VENV)/.run
	$(BIN)/python -m bench.micro $(if $(AGAINST),--against '$(AGAINST)')

clean:
	rm -rf $(VENV) build dist *.egg-info
