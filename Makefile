# The README's two commands are `make demo` and `make test`; both build .venv on first use.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Two test processes at most: each may run two worker processes of its own.
TEST_JOBS ?= 2
# Flags of `make matrix`, for example MATRIX="--family padding --opset 11 --only-ours -v".
MATRIX ?=

# Modules of `make mutants`, for example MUTANTS="verdict metrics.ulp"; all without it.
MUTANTS ?=

# Environments of their own for the tests of other PaddleX versions; 3.7.2 is in .venv.
PADDLEX_ENVS     := build/paddlex
PADDLEX_VERSIONS := paddlex-3.0.1 paddlex-3.4.3 paddlex-3.5.0 paddleocr-3.7.0
NEEDS_paddlex-3.0.1   := paddlex[ocr]==3.0.1
NEEDS_paddlex-3.4.3   := paddlex[ocr-core]==3.4.3
NEEDS_paddlex-3.5.0   := paddlex[ocr-core]==3.5.0
NEEDS_paddleocr-3.7.0 := paddleocr==3.7.0 paddlex[ocr-core]==3.7.2

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast paddlex-matrix lint format bench matrix mutants clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

install: $(VENV)/installed ## Create .venv with everything

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
		|| { echo "error: paddle2om needs Python 3.11 or 3.12; set PYTHON=python3.11" >&2; exit 2; }
	@echo "installing paddlepaddle, PaddleX and the rest into $(VENV): about 1.8 GB, one to three minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[paddlex,test,dev]'
	touch $@
	@echo "done: source $(VENV)/bin/activate, then paddle2om --help"

demo: $(VENV)/installed ## Convert real OCR models and read a page with them
	$(BIN)/paddle2om demo -o build/demo

test: $(VENV)/installed ## Run every test, the slow ones too
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile

test-fast: $(VENV)/installed ## Run the tests that take no time
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -m "not slow"

paddlex-matrix: $(VENV)/installed $(PADDLEX_VERSIONS:%=$(PADDLEX_ENVS)/%/installed) ## Test with PaddleX 3.0 to 3.7
	PADDLE2OM_PADDLEX_MATRIX=required $(BIN)/python -m pytest tests/paddlex_runs

# PaddleX 3.0 pins a pandas that has no wheel after Python 3.11.
$(PADDLEX_ENVS)/%/installed:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "error: these environments need Python 3.11; set PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(PADDLEX_ENVS)/$*
	$(PADDLEX_ENVS)/$*/bin/python -m pip install --quiet --disable-pip-version-check \
		$(foreach need,$(NEEDS_$*),'$(need)') onnxruntime
	touch $@

lint: $(VENV)/installed ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed ## Compare a whole conversion with what people do today
	$(BIN)/python tests/benchmarks/bench_convert.py

matrix: $(VENV)/installed ## Convert hundreds of operators and models, ours against paddle2onnx alone
	$(BIN)/python -m tests.matrix $(MATRIX)

mutants: $(VENV)/installed ## Which changes of the accuracy gate would no test notice?
	$(BIN)/python -m tests.mutants $(MUTANTS)

clean: ## Remove what the other targets made
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
