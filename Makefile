# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
# Everything is installed into .venv; nothing outside this folder changes but the model home
# (DUOLOGUE_MODELS, by default under the user's data folder).
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

DEMO_EXTRAS = espeak,neural,rooms,plots,analysis,remote,meaning,live,asr
TEST_EXTRAS = $(DEMO_EXTRAS),world,protect,audit,board,postgres,dev

.PHONY: demo test test-all lint bench peers clean help

help:
	@echo "make demo      install, build the demo corpus, call and score a system, write report.html"
	@echo "make test      install, lint, type-check, run the tests (a few minutes)"
	@echo "make test-all  the longer proofs too"
	@echo "make bench     the benchmarks, each prints its ratios"
	@echo "make peers     other projects' voice clients and data loaders, which the tests then run against our servers and exports"

demo:
	@PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS="$(DEMO_EXTRAS)" WORKERS="$(WORKERS)" scripts/demo

test: $(VENV)/.installed-test lint
	$(BIN)/python -m pytest -m "not long" -n $(WORKERS) --dist loadgroup

test-all: $(VENV)/.installed-test lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

lint: $(VENV)/.installed-test
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy src

bench: $(VENV)/.installed-test
	@for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

# In an environment of their own, as they pin other versions of what Duologue uses. Moshi's client needs no torch; Lhotse does.
peers:
	@[ -x .venv-peers/bin/python ] || $(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check "pipecat-ai[openai,google]" sphn aiohttp
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps moshi
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check "torch==2.13.0" lhotse datasets webdataset mlcroissant praatio soundfile

$(VENV)/.installed-test: pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" scripts/install "$(TEST_EXTRAS)"
	@VENV="$(VENV)" scripts/install-postgres
	@$(BIN)/duologue models fetch kokoro whisper silero e5 smart-turn
	@touch $@

clean:
	rm -rf $(VENV) .venv-peers data report.html .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
