# make demo   installs oscbend here and plays a piece of music into it: demo.mp4 and demo.png
# make test   installs what the tests need and runs them

PYTHON ?= python3
TORCH ?= torch==2.13.0
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint clean

demo: .venv/installed
	.venv/bin/oscbend demo

test: .venv/tested
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile

lint: .venv/tested
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "oscbend needs Python 3.11 or later: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

# torch first and by exact version, so that no later package brings another build of it
.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) "$(TORCH)"
	$(PIP) --editable .
	touch $@

.venv/tested: .venv/installed
	$(PIP) --editable ".[test]"
	touch $@

clean:
	rm -rf .venv build *.egg-info
