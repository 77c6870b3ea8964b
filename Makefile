# make run: serve at once, with a simulated node.  make test: what the program must do.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.PHONY: help run test check-codex check-gemini-cli check-claude-code check-clients check-engines check-kubernetes check-run check-pipx check-deb check-image check-sdk-files check-sdk-responses test-around test-fast test-properties test-plain test-python test-pythons test-rest coverage lint prose types check fix bench bench-sweep bench-large bench-instances bench-micro clean install uninstall deb dist renew-constraints compatibility pages pictures docs html

help:
	@echo "make run     serve on 127.0.0.1:8080, or LISTEN=HOST:PORT, with a simulated node"
	@echo "make test    install what the tests need, run those of the program"
	@echo "make test-around   those of what is around it: packages, systemd, a narrow network, bench/"
	@echo "make test-fast   only those of the packages that do no I/O, in half a minute"
	@echo "make test-properties   those that hypothesis makes up, with many examples"
	@echo "make test-plain  the gateway's and the end-to-end tests without the tricks of fastpath/"
	@echo "make test-python PYTHON=python3.13   the tests of the package on another Python"
	@echo "make test-pythons  some of them on each other Python that is here, in a minute"
	@echo "make check-codex install OpenAI's Codex (400 MB) and drive it through the proxy"
	@echo "make check-gemini-cli  install Google's gemini-cli (100 MB) and give it a picture through the proxy"
	@echo "make check-claude-code  install Anthropic's Claude Code (240 MB) and drive it through the proxy"
	@echo "make check-clients  the code of docs/clients.md, with LangChain, LlamaIndex and others, which it installs"
	@echo "make check-engines  the start lines of docs/engines-quickstart.md, as far as a machine without a GPU can"
	@echo "make check-run   make run on a fresh clone"
	@echo "make check-pipx  the wheel, installed by pipx for a new user"
	@echo "make check-deb   the package in a fresh Debian 12, by README's own lines"
	@echo "make check-image    the image, built and run by buildah; BASE=IMAGE is its base"
	@echo "make check-kubernetes  packages/kubernetes.yaml against Kubernetes' schema"
	@echo "make check-sdk-files  the SDKs' own tests of files, which it downloads, against the proxy"
	@echo "make check-sdk-responses  openai-python's own tests of Responses, which it downloads, through the proxy"
	@echo "make coverage    which of their lines none of those tests reaches"
	@echo "make check   lint, types and tests, as CI does"
	@echo "make prose   the part of lint that reads messages and documents"
	@echo "make fix     let ruff mend what it can"
	@echo "make install    as root: program, systemd units, example config (PREFIX, DESTDIR)"
	@echo "make uninstall  takes them away again, but for the config"
	@echo "make dist    sdist, wheel and SBOM in dist/"
	@echo "make deb     a Debian package in dist/ (needs debhelper and python3-venv)"
	@echo "make compatibility  write docs/compatibility.md anew"
	@echo "make pages   write docs/configuration.md, docs/error-codes.md and docs/metrics.md anew"
	@echo "make pictures  take docs/pictures anew, in a real browser"
	@echo "make docs    the documentation as pages, in build/docs/html"
	@echo "make renew-constraints  pin the newest of what the tests install"
	@echo "make bench   what relaying costs, beside its peers, ten minutes; tables and plots in bench/out"
	@echo "make bench-sweep  how that grows with rate, size and number of streams"
	@echo "make bench-large  what streams notice of large requests and replies, six minutes"
	@echo "make bench-instances  two instances beside one, restarts, and prefix affinity, five minutes"
	@echo "make bench-micro  what each hot module costs; AGAINST=REV: compared with a commit"

# What is imported is compiled then: that saves a fifth of the time to the first line.
$(VENV)/.run: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --quiet --no-compile --editable .
	@touch $@

$(VENV)/.test: setup.cfg pyproject.toml tests/constraints.txt tests/node_sdks/package-lock.json
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint tests/constraints.txt --editable '.[test,lint,bench]'
	cd tests/node_sdks && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --ignore-scripts
	@touch $@ $(VENV)/.run

# The programs that tests start, where root may install them.
$(VENV)/.debian: $(VENV)/.test tests/fixtures/debian.py
	$(BIN)/python -m tests.fixtures.debian
	@touch $@

run: $(VENV)/.run
	$(BIN)/casedesk-proxy demo $(if $(LISTEN),--listen '$(LISTEN)')

# Files are shared out among processes; half of the time they wait for what they started.
WORKERS ?= $(shell expr $$(nproc) \* 2)
PYTEST_FLAGS ?=
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
# What is compiled is kept, whatever the environment wants: each process that a test starts and each
# that tests run in would compile it all anew.
export PYTHONDONTWRITEBYTECODE :=

# What is around the program: its packages and units in a real systemd, end-to-end tests once more over
# a narrow network, the scripts of bench/. A change seldom touches it; `make check` runs it, too.
AROUND := tests/bench tests/network tests/packages tests/systemd

test: $(VENV)/.debian
	$(PYTEST) -n $(WORKERS) $(AROUND:%=--ignore %) $(PYTEST_FLAGS)

test-around: $(VENV)/.debian
	$(PYTEST) -n $(WORKERS) $(AROUND) $(PYTEST_FLAGS)

# The packages that do no I/O, with few examples of each property.
PURE := terms wording errors jsonio wire config engines surfaces auth catalog dialects usage pools limits \
        openapi snapshot planning replying filing
PURE_TRICKS := admission_cache head_cache memory switches text_template
PURE_TESTS := $(wildcard $(PURE:%=tests/%) $(PURE:%=tests/test_%.py)) \
              $(PURE_TRICKS:%=tests/fastpath/test_%.py) tests/test_layering.py

test-fast: $(VENV)/.test
	$(PYTEST) -n $(shell nproc) -m "not long" --hypothesis-profile fast $(PURE_TESTS) $(PYTEST_FLAGS)

# Properties alone, with twenty times the examples that `make test` gives them.
test-properties: $(VENV)/.test
	$(PYTEST) -n $(shell nproc) -m hypothesis --hypothesis-profile thorough --timeout 1200 $(PYTEST_FLAGS)

# Bytes, log lines and metrics are the same without them, see docs/fastpath.md.
test-plain: $(VENV)/.test
	CASEDESK_PLAIN=1 $(PYTEST) -n $(WORKERS) --hypothesis-profile same tests/server tests/relay \
		tests/upstream/test_judging.py tests/e2e $(PYTEST_FLAGS)

# In an environment of its own, kept for the next time, with the very versions that are pinned: on 3.14 google-generativeai
# and the gRPC that google-api-core asks for there want different ones of protobuf, and pip would find no solution.
OTHER = build/python$(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
test-python:
	test -x $(OTHER)/bin/python || $(PYTHON) -m venv $(OTHER)
	$(OTHER)/bin/pip install --quiet --no-deps --requirement tests/constraints.txt --editable .
	$(OTHER)/bin/python -m pytest --dist loadfile --no-loadscope-reorder -n $(WORKERS) \
	    --ignore tests/bench --ignore tests/systemd --ignore tests/node_sdks $(PYTEST_FLAGS)

# On each other Python that setup.cfg names and this machine has; says which it has not.
test-pythons: $(VENV)/.test
	$(BIN)/python -m tests.suites.pythons

# No part of `make check`: it is as large as all the rest. Its tests never go beyond this machine.
check-codex: $(VENV)/.test
	cd tests/codex && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --ignore-scripts
	$(BIN)/python -m pytest --quiet tests/codex/check_codex.py $(PYTEST_FLAGS)

# As above: 100 MB, and ten seconds for each prompt. It never goes beyond this machine either.
check-gemini-cli: $(VENV)/.test
	cd tests/gemini_cli && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --ignore-scripts
	$(BIN)/python -m pytest --quiet tests/gemini_cli/check_gemini_cli.py $(PYTEST_FLAGS)

# As above: 240 MB. Its network has loopback alone.
check-claude-code: $(VENV)/.test
	cd tests/claude_code && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --ignore-scripts \
	    && PATH="$(abspath $(BIN)):$$PATH" node node_modules/@anthropic-ai/claude-code/install.cjs
	$(BIN)/python -m pytest --quiet tests/claude_code/check_claude_code.py $(PYTEST_FLAGS)

# Frameworks need an environment of their own: they want other versions of the SDKs than the tests do.
check-clients: $(VENV)/.test
	test -x build/clients/bin/python || $(PYTHON) -m venv build/clients
	build/clients/bin/pip install --quiet --constraint tests/clients/constraints.txt \
	    --requirement tests/clients/requirements.txt
	$(BIN)/python -m pytest --quiet tests/clients/check_clients.py $(PYTEST_FLAGS)

# The packages of engines, without what they would need to run: 500 MB.
check-engines: $(VENV)/.test
	$(BIN)/pip download --quiet --no-deps --only-binary :all: --dest build/engines/wheels vllm sglang transformers
	$(BIN)/python -m pytest --quiet tests/engine_commands/check_engines.py $(PYTEST_FLAGS)

# What a stranger does in the first hour. As root: a Debian, a user and networks are made for it.
check-run: $(VENV)/.test
	$(BIN)/python -m pytest --quiet tests/first_hour/check_run.py $(PYTEST_FLAGS)

check-pipx: $(VENV)/.test dist
	$(BIN)/python -m pytest --quiet tests/first_hour/check_pipx.py $(PYTEST_FLAGS)

check-deb: $(VENV)/.test
	$(BIN)/python -m pytest --quiet tests/first_hour/check_deb.py $(PYTEST_FLAGS)

check-image: $(VENV)/.test
	BASE='$(BASE)' $(BIN)/python -m pytest --quiet tests/first_hour/check_image.py $(PYTEST_FLAGS)

check-kubernetes:
	test -x build/kubernetes/bin/kubernetes-validate || $(PYTHON) -m venv build/kubernetes
	build/kubernetes/bin/pip install --quiet kubernetes-validate
	build/kubernetes/bin/kubernetes-validate --strict packages/kubernetes.yaml

# What the vendors test of files, of the installed versions. It downloads source distributions.
check-sdk-files: $(VENV)/.test
	$(BIN)/python -m tests.suites.sdk_files

# The same of Responses, against a scripted node alone and through the proxy: none may fail there alone.
check-sdk-responses: $(VENV)/.test
	$(BIN)/python -m tests.suites.openai_responses

# Every line of those packages is reached by an example in their own tests: what only a property
# reaches, it reaches by luck.
EXAMPLES := not hypothesis

coverage: $(VENV)/.test
	mkdir -p build/coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest --dist loadfile --no-loadscope-reorder -n $(WORKERS) \
	    --quiet -m "$(EXAMPLES)" $(PURE_TESTS) $(PYTEST_FLAGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# All that has not run under coverage, with the same examples of each property each time.
test-rest: $(VENV)/.debian
	$(PYTEST) -n $(WORKERS) --hypothesis-profile same --measured "$(PURE_TESTS)" $(PYTEST_FLAGS)

lint: $(VENV)/.test prose
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Spelling, style, and constructions of ours that readers stumble over (docs/prose-rules.toml). The
# generated pages say what the source says.
PROSE := $(wildcard *.md docs/*.md)
prose: $(VENV)/.test
	$(BIN)/codespell
	$(BIN)/proselint check --config docs/proselint.json $(filter-out CHANGELOG.md docs/compatibility.md,$(PROSE))
	$(BIN)/python docs/prose.py

types: $(VENV)/.test
	$(BIN)/mypy

# Every test once, and those of the tricks without them; the documents as pages; some on other Pythons. What runs tests has
# the machine for itself.
check: $(VENV)/.test
	$(MAKE) -j3 --output-sync lint types html
	$(MAKE) test-rest coverage test-plain test-pythons

install:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' systemd/install

uninstall:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' systemd/install --remove

# From what the code reads.
pages: $(VENV)/.run
	$(BIN)/python docs/pages.py

compatibility: $(VENV)/.run
	$(BIN)/python -c 'from casedesk_proxy.openapi.reference import *; print(end=write_reference())' \
	    >docs/compatibility.md

# Of the console, in a real Chromium; some of them are in docs/pictures.
pictures: $(VENV)/.test
	mkdir -p build/pictures
	CASEDESK_PICTURES=$(abspath build/pictures) $(BIN)/python -m pytest -q tests/console/test_pages.py -k wider
	for one in docs/pictures/*.png; do cp build/pictures/$$(basename $$one) docs/pictures/; done

docs: pages compatibility
	$(MAKE) html

# Of the documents as they are; tests/test_pages.py compares them with the code. Warnings, links that
# lead nowhere among them, are errors.
html:
	test -x build/docs/bin/sphinx-build || $(PYTHON) -m venv build/docs
	build/docs/bin/pip install --quiet --constraint tests/constraints.txt \
	    --constraint docs/constraints.txt --editable '.[docs]'
	build/docs/bin/sphinx-build -q -W --keep-going -c docs -b html . build/docs/html
	@echo "build/docs/html/docs/index.html"

# The newest of everything that the tests install, pinned anew.
renew-constraints:
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install --quiet --editable '.[test,lint,bench]'
	echo '# What the tests install, to the version; written by `make renew-constraints`.' >tests/constraints.txt
	build/constraints/bin/pip freeze --exclude-editable --exclude casedesk-proxy >>tests/constraints.txt
	build/constraints/bin/pip install --quiet --constraint tests/constraints.txt --editable '.[docs]'
	echo '# What `make html` installs beside it, to the version; written by `make renew-constraints`.' >docs/constraints.txt
	build/constraints/bin/pip freeze --exclude-editable --exclude casedesk-proxy | grep -vxFf tests/constraints.txt >>docs/constraints.txt
	rm -rf build/clients
	$(PYTHON) -m venv build/clients
	build/clients/bin/pip install --quiet --requirement tests/clients/requirements.txt
	echo '# What `make check-clients` installs, to the version; written by `make renew-constraints`.' >tests/clients/constraints.txt
	build/clients/bin/pip freeze >>tests/clients/constraints.txt

dist:
	test -x build/dist/bin/python || $(PYTHON) -m venv build/dist
	build/dist/bin/pip install --quiet build cyclonedx-bom
	build/dist/bin/python packages/build_dist.py

deb:
	packages/build-deb

fix: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.bench: setup.cfg pyproject.toml $(VENV)/.run
	$(BIN)/pip install --quiet --editable '.[bench]'
	@touch $@

OUT := bench/out
to = --json $(OUT)/$(1).json --markdown $(OUT)/$(1).md
VERBATIM := haproxy,envoy,vllm-router,smg
BENCH_FLAGS ?=

bench: $(VENV)/.bench
	$(BIN)/python bench/relay_cost.py --with $(VERBATIM) -n 110 $(BENCH_FLAGS) $(call to,relay_cost)
	$(BIN)/python bench/relay_cost.py --with transposed,litellm,portkey --without floor -n 40 --rate 20 --rounds 3 $(BENCH_FLAGS) $(call to,gateways)
	$(BIN)/python bench/unary.py --with $(VERBATIM),portkey,litellm $(BENCH_FLAGS) $(call to,unary)
	$(BIN)/python bench/arrivals.py --with $(VERBATIM),portkey $(BENCH_FLAGS) $(call to,arrivals)
	ulimit -n 20000; $(BIN)/python bench/memory.py --with $(VERBATIM) $(call to,memory)
	$(BIN)/python bench/plot.py $(OUT)

bench-sweep: $(VENV)/.bench
	$(BIN)/python bench/sweep.py --with $(VERBATIM) $(BENCH_FLAGS) $(call to,sweep)
	$(BIN)/python bench/plot.py $(OUT)

bench-large: $(VENV)/.bench
	$(BIN)/python bench/large.py $(BENCH_FLAGS) $(call to,large)
	$(BIN)/python bench/plot.py $(OUT)

bench-instances: $(VENV)/.bench
	$(BIN)/python -m bench.instances
	$(BIN)/python bench/restart.py
	$(BIN)/pip install --quiet --editable '.[test]'
	$(BIN)/python -m bench.affinity

bench-micro: $(VENV)/.run
	$(BIN)/python -m bench.micro $(if $(AGAINST),--against '$(AGAINST)')

clean:
	rm -rf $(VENV) tests/node_sdks/node_modules build dist *.egg-info
