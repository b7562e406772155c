# make run ARGS="model=xgboost backend=dask"   makes the environment where there is none, and runs
# make test                                    the same, and the whole test suite; PROCESSES=0: in one process
# make test-fast                               the tests that start no engine and no program
# make coverage                                the whole test suite, and the lines and branches that it reaches
# make check                                   what the pre-commit hooks check
# make docs                                    the manual, into site/
# make bench ARGS="--rounds 3"                 our search time beside that of other programs
# make env | clean                             only the environment | without it and without caches

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
TESTS ?= tests
PROCESSES ?= 2
XDIST = -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder
# Where it is set, each of the many processes that tests start would compile this package anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test test-fast coverage check lint format types imports spelling docs bench env clean

run: env
	@$(BIN)/python -m optibench $(ARGS)

# Tests of the measurement compare times, so they run after the others and alone. Exit code 5: no test was selected.
test: env
ifeq ($(TESTS),tests)
	$(BIN)/python -m pytest tests --ignore=tests/measure $(XDIST) $(ARGS)
	$(BIN)/python -m pytest tests/measure $(ARGS) || [ $$? -eq 5 ]
else
	$(BIN)/python -m pytest $(TESTS) $(XDIST) $(ARGS)
endif

test-fast: env
	$(BIN)/python -m pytest $(TESTS) $(XDIST) -m "not dask and not spark and not slow" $(ARGS)

coverage: env
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(TESTS) $(XDIST) $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered

check: lint format types imports spelling docs

lint: env
	$(BIN)/ruff check

format: env
	$(BIN)/ruff format --check

types: env
	$(BIN)/mypy

imports: env
	$(BIN)/lint-imports --no-logo

spelling: env
	$(BIN)/codespell src tests benchmarks scripts docs conf *.md .ci Makefile

# A broken link and a page that is in no menu are errors. The variable silences a notice about MkDocs 2.
docs: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.peers $(ARGS)

env: $(VENV)/.dev

# A stamp is as new as the last good installation: a second call starts at once, a changed pin installs again.
$(VENV)/.%: pyproject.toml constraints.txt scripts/make_env.sh src/optibench/_version.py
	@sh scripts/make_env.sh $(VENV) $*
	@touch $@

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
