# Everything a newcomer types. `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# faiss on the GPU where there is an NVIDIA device
EXTRA := $(shell test -e /dev/nvidia0 && echo gpu || echo cpu)
INSTALLED := $(VENV)/installed-$(EXTRA)

.PHONY: help install demo test chaos lint docs bench gpu ui clean

help:
	@echo "make install   set up $(VENV)"
	@echo "make demo      set up, sweep alpha x scale on the embedded data, write the report"
	@echo "make test      set up, run the tests"
	@echo "make chaos     set up, run the tests of kills and failing stores (LINGMIX_CHAOS_ROUNDS=8 for every place)"
	@echo "make lint      ruff, mypy and the import rules"
	@echo "make docs      set up, build the documentation into build/site"
	@echo "make bench     set up, run the comparisons in benchmarks/ (NAME=x for one)"
	@echo "make gpu       set up, run what only a GPU can show, in 10 minutes; without one, its stand-in"
	@echo "make ui        the MLflow UI on loopback"

install: $(INSTALLED)

# compiled on all processors, but for what is rarely imported or no Python
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lingmix needs Python 3.11 or newer, found " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[$(EXTRA),dev]'
	$(BIN)/python -m compileall -q -j 0 -x '/(models|tasks|tests|testing)/' $(VENV)/lib >/dev/null || true
	touch $@

demo: install
	$(BIN)/lingmix-train -m sweep=demo
	$(BIN)/lingmix-analyze name=demo

# a process more than cores: many tests wait for servers
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $$(($$(nproc) + 1)) --maxprocesses 4 --dist loadfile

chaos: install
	.ci/chaos

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

$(VENV)/installed-docs: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRA),dev,docs]'
	touch $@

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks $(NAME)

$(VENV)/installed-bench: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRA),dev,bench]'
	touch $@

gpu: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks gpu

ui: install
	$(BIN)/mlflow server --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///$(CURDIR)/multirun/mlflow.db

clean:
	rm -rf $(VENV)
