# Glassbox in two commands; both set up what they need, and only when it has changed.
#   make run       open the app        (make run ARGS="--server.port 8700" passes arguments on)
#   make test      check everything: format, lint, types, tests, the browser's included
#   make picture   take the README's picture again

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run test picture

help:
	@sed -n 's/^#   //p' Makefile

run: .venv/app
	$(BIN)/streamlit run app.py $(ARGS)

test: .venv/chromium
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

picture: .venv/chromium
	$(BIN)/python -m bench.picture

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Glassbox needs Python 3.11 or newer. Another one: make $(MAKECMDGOALS) PYTHON=python3.12"; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "This Python cannot make a .venv. On Debian and Ubuntu: apt install python3-venv"; \
		exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# A file in .venv stands for what was installed into it, and is as old as that.
.venv/app: requirements.txt | .venv/pyvenv.cfg
	$(BIN)/pip install -r requirements.txt
	@touch $@

.venv/tools: requirements-dev.txt .venv/app
	$(BIN)/pip install -r requirements-dev.txt
	$(BIN)/pip install --no-deps torchattacks==3.5.1 grad-cam==1.5.7 ttach==0.0.3
	@touch $@

.venv/chromium: .venv/tools
	.ci/chromium
	@touch $@
