# make quarter and make test are the only set-up commands: each makes .venv from the lock files by
# itself and does nothing again when nothing changed.
QUARTER ?= 2022Q2
PYTHON ?= python3
BIN := .venv/bin
export HOTLINE_HOME ?= $(CURDIR)/warehouse

TICKETS ?= 1000000

.PHONY: quarter test test-bi test-spark test-mutation test-faults bench lint ui docs lock clean
.DELETE_ON_ERROR:

quarter: .venv/.runtime
	@$(BIN)/hotline run $(QUARTER) $(if $(REASON),--reason "$(REASON)")

test: .venv/.dev
	$(BIN)/pytest -n auto --dist loadfile

# An hour: 200 random kills and one at each step's start.
test-faults: .venv/.dev
	$(BIN)/python tests/faults/kills.py

# make test changes 12 figures; this many take some minutes.
MUTATIONS ?= 220
test-mutation: .venv/.dev
	$(BIN)/pytest tests/mutation --mutations $(MUTATIONS)

# Slow: dbt's MetricFlow and Apache Superset, each in an environment of its own.
test-bi: .venv/.dev .venv-metricflow/.done .venv-superset/.done
	$(BIN)/pytest tests/bi

# Slow: a Spark cluster of three processes on this machine. Needs Java 17.
test-spark: .venv/.dev .venv-spark/.done
	TICKETS=$(TICKETS) $(BIN)/pytest -s tests/spark

# Some minutes on a quiet machine; results go to $(HOTLINE_HOME)/bench.
bench: .venv/.dev
	@$(BIN)/python tests/benchmarks/bench_ingest.py --tickets $(TICKETS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests

ui: .venv/.runtime
	@$(BIN)/hotline ui

docs: .venv/.runtime
	@$(BIN)/hotline docs $(QUARTER)

# Needs uv. --no-deps at installation is safe because the lock holds the whole closure.
UV_COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --no-annotate --no-header
lock:
	$(UV_COMPILE) pyproject.toml --extra dev -o requirements-dev.lock
	$(UV_COMPILE) pyproject.toml -c requirements-dev.lock -o requirements.lock
	$(UV_COMPILE) tests/bi/metricflow.in -o tests/bi/metricflow.lock
	$(UV_COMPILE) tests/bi/superset.in -o tests/bi/superset.lock
	$(UV_COMPILE) pyproject.toml --extra spark -c requirements-dev.lock -o tests/spark/spark.lock

clean:
	rm -rf .venv .venv-* dbt_project/target

.venv/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "需要 Python 3.11 或更新版本 (Python 3.11+ is needed)")'
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
	@$(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@
