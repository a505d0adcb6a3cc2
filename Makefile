# make quarter and make test are the only set-up commands: each makes .venv from the lock files by
# itself and does nothing again when nothing changed.
QUARTER ?= 2022Q2
PYTHON ?= python3
BIN := .venv/bin
export HOTLINE_HOME ?= $(CURDIR)/warehouse

TICKETS ?= 1000000

.PHONY: quarter test test-slow test-bi test-spark test-mutation test-faults test-load test-fuzz test-edits \
	test-attack bench bench-growth bench-backfill sbom lint ui docs pictures lock clean
.DELETE_ON_ERROR:

quarter: .venv/.runtime
	@$(BIN)/hotline run $(QUARTER) $(if $(REASON),--reason "$(REASON)")

# In the files' order: by number of tests, the few long ones would come last, one beside an idle core.
IN_PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

test: .venv/.dev
	$(BIN)/pytest $(IN_PARALLEL) -m "not slow"

# Ten minutes: what takes several whole runs, and a dozen figures changed.
test-slow: .venv/.dev
	$(BIN)/pytest $(IN_PARALLEL) -m slow

# More than an hour: 220 random kills, one at each step's start and at each rename, and accidents.
# In parts: FAULTS="--first 0 --count 100 --jobs 2 --results faults.jsonl --bases /tmp/bases"
test-faults: .venv/.dev
	$(BIN)/python tests/faults/faults.py $(FAULTS)

# Two minutes: readers without a pause while versions are published.
test-load: .venv/.dev
	$(BIN)/python tests/faults/load.py

# make test-slow changes 12 figures; this many take some minutes.
MUTATIONS ?= 220
test-mutation: .venv/.dev
	$(BIN)/pytest tests/mutation --mutations $(MUTATIONS)

# make test tries 60 inputs for each reader; 10,000 take half an hour on a quiet machine.
FUZZ_INPUTS ?= 10000
test-fuzz: .venv/.dev
	$(BIN)/pytest tests/fuzz --inputs $(FUZZ_INPUTS) -n auto

# make test tries 20 random edits of a quarter's files; this many take half an hour on two cores.
# In parts, side by side: EDITS=1000 FIRST=0, EDITS=1000 FIRST=1000.
EDITS ?= 2000
FIRST ?= 0
test-edits: .venv/.dev
	$(BIN)/pytest tests/edits --edits $(EDITS) --first-edit $(FIRST)

# make test tries 25 districts; 2000 take five minutes on a quiet machine.
DISTRICTS ?= 2000
test-attack: .venv/.dev
	$(BIN)/python tests/attack.py $(DISTRICTS)

# The bill of materials (CycloneDX) of what a run is made of.
sbom: .venv/.dev
	@$(BIN)/python tests/sbom.py $(HOTLINE_HOME)/sbom.json

# Slow: dbt's MetricFlow and Apache Superset, each in an environment of its own.
test-bi: .venv/.dev .venv-metricflow/.done .venv-superset/.done
	$(BIN)/pytest tests/bi

# Slow: a Spark cluster of three processes on this machine. Needs Java 17.
test-spark: .venv/.dev .venv-spark/.done
	TICKETS=$(TICKETS) $(BIN)/pytest -s tests/spark

# An hour on a quiet machine, most of it at ten million tickets; SIZES="10000 100000" takes minutes.
# Results go to $(HOTLINE_HOME)/bench. dlt has an environment of its own and is left out without it.
SIZES ?= 10000 100000 1000000 10000000
bench: .venv/.dev
	@$(MAKE) --no-print-directory .venv-dlt/.done || echo "dlt 装不上，略过"
	@$(BIN)/python tests/benchmarks/bench_ingest.py --tickets $(TICKETS)
	@$(BIN)/python tests/benchmarks/bench_quarter.py --sizes $(SIZES) --dlt .venv-dlt/bin/python

# Fifteen minutes and half an hour on 2 cores; neither may share the machine with other work.
QUARTERS ?= 40
bench-growth: .venv/.dev
	@$(BIN)/python tests/benchmarks/bench_growth.py --quarters $(QUARTERS)

bench-backfill: .venv/.dev
	@$(BIN)/python tests/benchmarks/bench_backfill.py --quarters $(QUARTERS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests

ui: .venv/.runtime
	@$(BIN)/hotline ui

docs: .venv/.runtime
	@$(BIN)/hotline docs $(QUARTER)

# The documents' pictures of the sample quarter, which must be published. Needs Chromium.
pictures: .venv/.dev
	$(BIN)/python tests/pictures.py $(HOTLINE_HOME) docs/images

# Needs uv. --no-deps at installation is safe because the lock holds the whole closure.
UV_COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --no-annotate --no-header
lock:
	$(UV_COMPILE) pyproject.toml --extra dev -o requirements-dev.lock
	$(UV_COMPILE) pyproject.toml -c requirements-dev.lock -o requirements.lock
	$(UV_COMPILE) tests/bi/metricflow.in -o tests/bi/metricflow.lock
	$(UV_COMPILE) tests/bi/superset.in -o tests/bi/superset.lock
	$(UV_COMPILE) tests/benchmarks/dlt.in -o tests/benchmarks/dlt.lock
	$(UV_COMPILE) pyproject.toml --extra spark -c requirements-dev.lock -o tests/spark/spark.lock

clean:
	rm -rf .venv .venv-* dbt_project/target

.venv/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c "$$FITTING_PYTHON"
	@echo "正在按锁文件安装（首次约需一分钟）……"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

.venv-spark/.done: tests/spark/spark.lock pyproject.toml
	@$(PYTHON) -m venv .venv-spark
	@.venv-spark/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@.venv-spark/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-%/.done: tests/bi/%.lock
	$(OWN_VENV)

.venv-%/.done: tests/benchmarks/%.lock
	$(OWN_VENV)

# Any Python 3 can run this one, also one that is too old or too new for the project.
define FITTING_PYTHON
import re, sys
text = open("pyproject.toml", encoding="utf-8").read()
first, end = map(int, re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text).groups())
if not (3, first) <= sys.version_info[:2] < (3, end):
    sys.exit("需要 Python 3.%d 至 3.%d，这是 %d.%d；另装一个后 make PYTHON=python3.%d …\n"
             "(Python 3.%d to 3.%d is needed)"
             % (first, end - 1, *sys.version_info[:2], end - 1, first, end - 1))
endef
export FITTING_PYTHON

define OWN_VENV
@$(PYTHON) -m venv .venv-$*
@.venv-$*/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
@touch $@
endef
