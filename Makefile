# Everything a person or CI runs. `make demo` on a fresh machine needs Python 3.11 to 3.13, make and access to PyPI.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?=
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
MAVEN ?= mvn
KAFKA_JARS := .kafka
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile

# The first Python that fits; set PYTHON to choose another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	"$$python" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo "$$python" && break; done)

.DEFAULT_GOAL := help
.PHONY: help venv demo dev test lint bench kafka lock clean clean-data

help:
	@echo "make demo [DATA=DIR]  run the demo, with the transcripts under DIR too"
	@echo "make dev              serve the Dagster UI until Ctrl-C"
	@echo "make test             linters, types, import rules, ONEX rules, tests"
	@echo "make lint             the same without the tests"
	@echo "make bench            benchmarks"
	@echo "make kafka            fetch Apache Kafka (Maven, Java 17+); without it a broker in memory is used"
	@echo "make venv             the environment alone"
	@echo "make lock             pin the dependencies anew"
	@echo "make clean            stop the servers, remove the environment and caches; data stay"
	@echo "make clean-data       stop the servers and remove what was learned"

venv: $(STAMP)

# Hashes make the lock authoritative, so no resolution is needed. Bytecode is compiled here, explicitly: without it every
# process compiles Dagster again (1.4 s instead of 0.5 s each), and the environment may forbid Python to write it later.
$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed; install one, or run make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) \
		|| { echo "the environment cannot be made; on Debian and Ubuntu install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@# First pip itself, by the lock: the one that comes with an older Python takes twice the time for the rest.
	@awk '/^[^ ]/ { wanted = /^pip==/ } wanted' requirements.lock > $(VENV)/pip.lock
	$(PIP_INSTALL) --require-hashes -r $(VENV)/pip.lock
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(PIP_INSTALL) --no-build-isolation --editable .
	-$(BIN)/python -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib debug_loop_pipeline >/dev/null 2>&1
	@touch $@

demo: $(STAMP)
	$(BIN)/debug-loop demo $(if $(DATA),--data "$(DATA)")

dev: $(STAMP)
	$(BIN)/debug-loop dev

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/debug-loop onex check

# One run over the three tiers (unit, integration, e2e), so that its last line counts them all. A file stays on one worker; files begin
# in the order they are collected, so that the kill tests, few and long, are not what one worker ends with alone. Bytecode is kept even where
# the environment forbids it: without it each worker compiles all tests anew (15 s), and each of the processes that tests start what it imports.
test: lint
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest tests -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks

kafka: $(KAFKA_JARS)/.fetched

$(KAFKA_JARS)/.fetched: deploy/kafka/pom.xml
	@command -v $(MAVEN) >/dev/null || { echo "Maven is needed to fetch Apache Kafka; without it debug-loop uses a broker in memory" >&2; exit 1; }
	@java="$${JAVA_HOME:+$$JAVA_HOME/bin/}java"; release=$$("$$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p'); \
		test "$${release:-0}" -ge 17 || { echo "Apache Kafka 4 needs Java 17 or newer, found $${release:-none}" >&2; exit 1; }
	rm -rf $(KAFKA_JARS)
	$(MAVEN) -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(CURDIR)/$(KAFKA_JARS).new"
	mv $(KAFKA_JARS).new $(KAFKA_JARS)
	@touch $@

# Without an index address: the lock has to work wherever the packages come from.
lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --all-extras --upgrade \
		--python-version 3.11 --output-file requirements.lock pyproject.toml

clean:
	@if test -x $(BIN)/debug-loop; then $(BIN)/debug-loop down; fi
	rm -rf $(VENV) $(VENV)-onex $(KAFKA_JARS) $(KAFKA_JARS).new .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

clean-data: $(STAMP)
	$(BIN)/debug-loop down --purge
