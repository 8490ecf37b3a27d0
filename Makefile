# Everything happens in .venv, which the first call makes. A stamp file a set of packages keeps later calls from
# installing again; a change of pyproject.toml or constraints.txt renews them.
#
#   PYTHON=...  the interpreter to make .venv with (default: the first of CANDIDATES that is 3.11 or newer)
#   ARGS=...    handed on to `shortlist demo` or pytest, as in: make test ARGS="tests/models -x"; with -n 0 among them
#               the tests run in one process, which a debugger needs
#   MINUTES=... how long `make fuzz` looks for a broken promise (default: 60)
#   BENCH=...   one benchmark alone, as in: make bench BENCH=course_lab
#   PART=...    scripts or parts of `make bench-full`, as in: make bench-full PART="gowalla/wals ease"

SHELL := /bin/sh
CANDIDATES := python3 python3.13 python3.12 python3.11 python
BENCH ?= *
MINUTES ?= 60
BIN := .venv/bin
DEFINITION := pyproject.toml constraints.txt packages/shortlist-movielens/pyproject.toml

# The environment variables reach the packages that pip needs to build ours, too.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check -qq install

.PHONY: help demo test test-services fuzz check bench bench-full tables clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    recommendations from MovieLens small, with their measured quality"
	@echo "make test    the test suite"
	@echo "make fuzz    random data, models and requests for MINUTES=60, held to what recommend promises"
	@echo "make test-services  the tests against PostgreSQL, which it installs and starts for itself"
	@echo "make check   format, lint, types, import contract, tables in the documents"
	@echo "make bench   the benchmarks beside their peers; renews benchmarks/results and the tables made from it"
	@echo "make bench-full  the long ones, part by part; called again, it goes on where it was cut off"
	@echo "make tables  the tables in README.md and docs, anew from benchmarks/results"
	@echo "make clean   remove .venv, caches and builds"

demo: .venv/base.stamp
	@$(BIN)/shortlist demo $(ARGS)

# A worker a core takes tests from the others when it has none left. Each has PyTorch in memory: eight are enough.
test: .venv/test.stamp
	@$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal $(ARGS)

fuzz: .venv/test.stamp
	@$(BIN)/python tests/contract/fuzz.py --minutes $(MINUTES) $(ARGS)

# The tests start a server of their own in a temporary folder, stop it and remove it, however they end.
test-services: .venv/test.stamp
	@tests/services/install_postgresql.sh
	@$(BIN)/python -m pytest -m services tests/services $(ARGS)

check: .venv/check.stamp
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo
	$(BIN)/python benchmarks/tables.py --check

# A script that lacks its data says so and ends with 77: it is left out, and the results it wrote before stay.
bench: .venv/bench.stamp
	@long=" $$($(BIN)/python benchmarks/full.py --scripts) "; \
	for script in benchmarks/bench_$(BENCH).py; do \
	  name=$${script#benchmarks/bench_}; name=$${name%.py}; \
	  case "$$long" in *" $$name "*) continue;; esac; \
	  echo "== $$script"; \
	  $(BIN)/python "$$script" || { status=$$?; [ $$status -eq 77 ] || exit $$status; }; \
	done
	@$(BIN)/python benchmarks/tables.py --print
	@$(BIN)/python benchmarks/tables.py

bench-full: .venv/bench.stamp
	@$(BIN)/python benchmarks/full.py $(PART)
	@$(BIN)/python benchmarks/tables.py

tables: .venv/base.stamp
	@$(BIN)/python benchmarks/tables.py

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks packages -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/made.stamp:
	@set -e; chosen=; \
	for candidate in $(or $(PYTHON),$(CANDIDATES)); do \
	  if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	  then chosen=$$candidate; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	  echo "shortlist needs Python 3.11 or newer with its venv module; none found among: $(or $(PYTHON),$(CANDIDATES))" >&2; \
	  echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name one you have:" >&2; \
	  echo "  make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "Making .venv with $$($$chosen --version)"; \
	"$$chosen" -m venv --clear .venv
	@touch $@

.venv/base.stamp: .venv/made.stamp $(DEFINITION)
	@echo "Installing shortlist and MovieLens small (about 150 MB to download the first time)"
	@$(PIP_INSTALL) -e '.[ranker]' -e packages/shortlist-movielens
	@touch $@

.venv/test.stamp: .venv/base.stamp
	@echo "Installing what the tests need (PyTorch among others: some minutes the first time)"
	@$(PIP_INSTALL) -e '.[test]'
	@touch $@

.venv/check.stamp: .venv/base.stamp
	@echo "Installing what the checks need"
	@$(PIP_INSTALL) -e '.[check]'
	@touch $@

.venv/bench.stamp: .venv/base.stamp
	@echo "Installing the peers that the benchmarks measure beside ours"
	@$(PIP_INSTALL) -e '.[bench]'
	@touch $@
