# Everything runs in .venv, in the versions that constraints.txt pins. Needs Python 3.11+ and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TRAINABLE := $(VENV)/.trainable
DOCUMENTABLE := $(VENV)/.documentable
PAIR ?= build/tiny-pair
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Packages that pip builds on the way (ours among them) are built with pinned tools as well: older pips read the first, newer the second.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
unexport PYTHONPATH PYTHONHOME

COMMA := ,
# A process for each core does more than torch's threads do, on models as small as those of the tests. One that has nothing left takes tests
# from another, so that all end together.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-all lint format types imports check compat bench docs train clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; do printf '  make %-9s  %s\n' "$$target" "$$what"; done

install: $(INSTALLED) ## Create .venv with everything in it (once, and again when pyproject.toml or constraints.txt change)

demo: $(INSTALLED) ## Show base and aligned decoding together, in LangChain and in LlamaIndex
	@$(BIN)/python examples/demo.py

test: $(INSTALLED) ## Run the tests, but for the slow ones
	@$(PYTEST) -m 'not slow'

test-slow: $(INSTALLED) ## Run the slow tests: machine code, dry runs of benchmarks, the embedded pair's quality, the rest of long products
	@$(PYTEST) -m slow

test-all: $(INSTALLED) ## Run all tests
	@$(PYTEST)

lint: $(INSTALLED) ## Check style, format and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

format: $(INSTALLED) ## Put style and format right where a machine can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(INSTALLED) ## Check types
	$(BIN)/mypy

imports: $(INSTALLED) ## Check that imports go one way
	$(BIN)/lint-imports

check: lint types imports ## Check style, format, types and imports

compat: $(INSTALLED) ## Run the adapters' tests with the oldest and the newest frameworks that pyproject.toml allows
	@$(call with_core,langchain,langchain-core==1.7.0)
	@$(call with_core,langchain,langchain-core>=1.7$(COMMA)<2)
	@$(call with_core,llamaindex,llama-index-core==0.14.15)
	@$(call with_core,llamaindex,llama-index-core>=0.14.15$(COMMA)<0.15)

bench: $(INSTALLED) ## Measure tokens per second beside plain transformers
	@$(BIN)/python benchmarks/throughput.py

docs: $(DOCUMENTABLE) ## Build the documentation site into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'build/site/index.html'

train: $(TRAINABLE) ## Train the embedded pair from nothing, into the folder PAIR (build/tiny-pair)
	$(BIN)/python examples/train_tiny_pair/train.py --out $(PAIR)

clean: ## Remove .venv and every cache
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so an install that was cut short goes on where it stopped. An environment without a working pip, or of a Python
# that is too old, is made anew.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'baco needs Python 3.11 or newer, and `$(PYTHON)` is not. Name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	@echo '[1/4] $(VENV): a Python environment of its own'
	@$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(call pip_install,--upgrade pip)
	@echo '[2/4] PyTorch, the largest part (minutes on a slow line)'
	@$(call pip_install,torch)
	@echo '[3/4] everything else (about 100 packages)'
	@$(call pip_install,--editable '.[all]' --group dev)
	@echo '[4/4] installed'
	@touch $@

# What only training needs: `make install` leaves it out.
$(TRAINABLE): $(INSTALLED)
	@echo 'trl and datasets, for training'
	@$(call pip_install,--group train)
	@touch $@

# What only the documentation needs.
$(DOCUMENTABLE): $(INSTALLED)
	@echo 'mkdocs and its plugins, for the documentation'
	@$(call pip_install,--group docs)
	@touch $@

# The tests of one adapter, with one version of its framework laid over the pinned one.
define with_core
rm -rf build/core && env -u PIP_CONSTRAINT $(PIP) install --quiet --no-deps --target build/core '$(2)' && ls build/core | grep -E '_core-.*info' && \
	PYTHONPATH=build/core $(PYTEST) tests/$(1) --quiet
endef

# pip, cut down to a line for each download that takes a while. If it fails, its last words are shown and its exit status is kept.
define pip_install
{ $(PIP) install --progress-bar off $(1) 2>&1; echo $$? > $(VENV)/.status; } | tee $(VENV)/install.log \
	| { grep --line-buffered -E 'Downloading .*[MG]B\)|^Installing' || true; } | while read -r line; do printf '      %.100s\n' "$$line"; done; \
	test "$$(cat $(VENV)/.status)" = 0 || { tail -n 30 $(VENV)/install.log >&2; echo 'Install failed; all of pip says is in $(VENV)/install.log. Run the same command again to go on.' >&2; exit 1; }
endef
