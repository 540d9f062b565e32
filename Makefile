# Every command a person needs. `make help` lists them.
# The first of these that runs and is of a version that spaCy and scispaCy support.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	$$python -c '$(FITS)' >/dev/null 2>&1 && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin

TRAINING := .venv-train
RELEASE := .venv-release
PEERS := .venv-peers

.PHONY: help setup demo test check lock bench bench-pages fuzz fuzz-intake fuzz-api load requests rejoin crash kill-channels prefect two-hosts day bench-queue bench-folder bench-end-to-end clean evaluate gate gate-figures release audit calibrate train bench-desk
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(VENV)/.installed ## create .venv from the lock file

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; name one with PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) tools/make_venv.py $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## two faxed packets: one judged, through the Prefect flow; one of which the rest is asked for by letter
	$(BIN)/python -m fixtures.demo

test: setup ## the tests (under 10 minutes on 2 cores)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

evaluate: setup ## accuracy, calibration and risk-coverage on our own packets, and PACKETS=folder (about 20 minutes)
	$(BIN)/python -m fixtures.written_packets evaluation/written
	-$(BIN)/triage evaluate-set evaluation/written --output evaluation/written.json --differences evaluation/differences
	$(BIN)/python -m fixtures.make_packets evaluation/made
	-$(BIN)/triage evaluate-set evaluation/made --output evaluation/made.json --differences evaluation/differences
	$(if $(PACKETS),-$(BIN)/triage evaluate-set "$(PACKETS)" --output evaluation/packets.json --differences evaluation/differences)
	$(BIN)/python -m tools.calibrate report evaluation/made evaluation/written \
		--table evaluation/confidence.md --picture evaluation/confidence.svg

gate: setup ## did anything get worse on 14 packets, by the committed figures (about a minute)
	$(BIN)/python -m fixtures.make_packets evaluation/gate --seed 3 --count 14
	$(BIN)/triage evaluate-set evaluation/gate --differences evaluation/differences --against benchmarks/gate.json

gate-figures: setup ## commit to the figures of the code as it stands
	$(BIN)/python -m fixtures.make_packets evaluation/gate --seed 3 --count 14
	-$(BIN)/triage evaluate-set evaluation/gate --output benchmarks/gate.json

calibrate: setup ## fit models/calibration.toml anew [REPORTS=labelled.jsonl] (about 20 minutes)
	rm -rf evaluation/models && mkdir -p evaluation && cp -r models evaluation/models
	printf '[fields]\n' > evaluation/models/calibration.toml
	$(BIN)/python -m fixtures.make_packets evaluation/fitted --seed 7 --count 153
	-TRIAGE_MODELS_DIR=evaluation/models $(BIN)/triage evaluate-set evaluation/fitted --output evaluation/fitted.json
	TRIAGE_MODELS_DIR=evaluation/models $(BIN)/python -m tools.calibrate fit evaluation/fitted \
		$(if $(REPORTS),--reports "$(REPORTS)") --models models

check: setup ## format, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup $(PEERS)/.installed ## all benchmarks with their peers, one table [ONLY="pages ..."] (about an hour)
	OCRMYPDF=$(PEERS)/bin/ocrmypdf PATH="$(CURDIR)/$(PEERS)/bin:$$PATH" MEDSPACY_PYTHON=$(PEERS)/medspacy/bin/python \
		$(BIN)/python benchmarks/bench.py $(if $(ONLY),--only $(ONLY))

$(PEERS)/.installed: benchmarks/peers.txt benchmarks/peers-medspacy.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; name one with PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) tools/make_venv.py $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	$(PYTHON) tools/make_venv.py $(PEERS)/medspacy
	$(PEERS)/medspacy/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers-medspacy.txt
	@command -v tesseract >/dev/null && command -v gs >/dev/null || \
		echo "OCRmyPDF needs tesseract and ghostscript (Debian: apt-get install tesseract-ocr ghostscript)"
	@touch $@

bench-pages: setup ## this reader and the bare engines on the same made-up pages (about 10 minutes)
	$(BIN)/python benchmarks/bench_pages.py --save benchmarks/pages.md

fuzz: setup ## 2,000 broken files through the reading processes (about 6 minutes)
	$(BIN)/python -m pytest -s tests/fuzz_pages.py

fuzz-intake: setup ## what nobody would send, to the intake server: 40 times the default run's (about 6 minutes)
	TRIAGE_TEST_FUZZ=40 $(BIN)/python -m pytest -s tests/test_intake_document.py -k bug

fuzz-api: setup ## thousands of odd requests to every operation of the desk's interface [SEED=n] (about 5 minutes)
	$(BIN)/python -m tests.fuzz_api $(if $(SEED),--seed $(SEED))

load: setup ## 50 reviewers on 1,000 cases: how long a case takes to open, beside what it takes one (about 3 minutes)
	$(BIN)/python benchmarks/bench_desk_load.py

crash: setup ## the service worked through while its parts are killed, on both databases [SEED=n] (about 20 minutes)
	$(BIN)/python -m tests.crash_run --database sqlite $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.crash_run --database postgresql $(if $(SEED),--seed $(SEED))

kill-channels: setup ## what each polled channel takes in while it is killed at random [SEED=n] (about 5 minutes)
	$(BIN)/python -m tests.channel_kills $(if $(SEED),--seed $(SEED))

prefect: setup ## triage deploy against a Prefect server that runs, hung runs included (about 5 minutes; PostgreSQL too with TRIAGE_TEST_POSTGRES)
	$(BIN)/python -m pytest tests/prefect_server.py

two-hosts: setup ## two hosts work one queue, one is cut off in the middle (about 5 minutes; root, for network namespaces)
	$(BIN)/python -m tests.two_hosts_run

day: setup ## a day of 24 hours in minutes, with an outage, a full disk and a restart, on both databases [SEED=n] (about 15 minutes)
	$(BIN)/python -m tests.day_run --database sqlite $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.day_run --database postgresql $(if $(SEED),--seed $(SEED))

bench-folder: setup ## a folder of 200 mixed packets through the service, beside what its stages cost (about 15 minutes)
	$(BIN)/python benchmarks/bench_folder.py

bench-end-to-end: setup ## a fax and a digital packet from file to case, beside bare Tesseract (about 5 minutes)
	$(BIN)/python benchmarks/bench_end_to_end.py

bench-queue: setup ## what the ledger and Prefect cost a submission; 1 to 16 workers (about 5 minutes)
	$(BIN)/python benchmarks/bench_queue.py

bench-desk: setup ## how soon a packet of 60 pages can be worked on at the desk (about 3 minutes)
	$(BIN)/python benchmarks/bench_desk.py

train: $(TRAINING)/.installed ## train the entity model, CORPORA=folder [OUTPUT=training] [QUICK=1] (over an hour; 1.5 GB of memory)
	@test -d "$(CORPORA)" || { echo "Say where the corpora are: make train CORPORA=folder (models/ner/README.md)"; exit 1; }
	$(TRAINING)/bin/python -m tools.ner --corpora "$(CORPORA)" --output $(or $(OUTPUT),training) $(if $(QUICK),--quick)
	$(TRAINING)/bin/python benchmarks/measure_ner.py --corpora "$(CORPORA)" --model $(or $(OUTPUT),training) --kinds

$(TRAINING)/.installed: tools/ner/requirements.txt tools/ner/requirements-base.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; name one with PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) tools/make_venv.py $(TRAINING)
	$(TRAINING)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/ner/requirements.txt
	$(TRAINING)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement tools/ner/requirements-base.txt
	@touch $@

release: $(RELEASE)/.installed ## the wheel in dist/, built twice alike and tried outside, SBOM and licences beside it
	$(RELEASE)/bin/python -m tools.release dist

audit: $(RELEASE)/.installed ## known vulnerabilities of the locked packages (asks PyPI)
	$(RELEASE)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

$(RELEASE)/.installed: tools/release/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; name one with PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) tools/make_venv.py $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/release/requirements.txt
	@touch $@

requests: setup ## what is asked for in every made-up story with every gap, held against its truth (about 2 minutes)
	$(BIN)/python -m pytest -s tests/requests_run.py

rejoin: setup ## a hundred letters answered by coarse fax: does each reply find its case (about 10 minutes)
	$(BIN)/python -m pytest -s tests/rejoin_round_trip.py

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --group fixtures --group dev pyproject.toml requirements-build.in -o requirements.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache demo-output training dist .venv-train .venv-release .venv-peers
