# make help lists the targets. Each target makes the environment it needs first, once.

PYTHON      ?= python3
TORCH       ?= auto
TORCH_INDEX ?=
CONSTRAINTS ?= constraints.txt
ARGS        ?=
DEVICE      ?= auto
EXPERIMENTS ?= evolution figure11 figure13 figure14 ablations limitations negatives mixing prompts figure15 styles table1 taste map aspects

BIN := .venv/bin
ENVIRONMENT = $(PYTHON) tools/environment.py --torch '$(TORCH)' --torch-index '$(TORCH_INDEX)' --constraints '$(CONSTRAINTS)'

.DEFAULT_GOAL := help
.PHONY: help demo docs test coverage test-browser screenshots lint view bench bench-store bench-full bench-first bench-workers bench-mating bench-view mutants attack experiments train-emoji card inventions notebook regenerate venv python npm
.SILENT:

help: ## this list
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	printf '%s\n' '' \
	  '  ARGS="…"           is handed to the command:             make test ARGS="-k prior"' \
	  '  TORCH=cpu|cuda     chooses the build of PyTorch:         make demo TORCH=cuda' \
	  '  DEVICE=cpu|cuda    chooses where a training runs:        make train-emoji DEVICE=cuda' \
	  '  TORCH_INDEX=URL    takes PyTorch from another package index, where pip'"'"'s own lacks that build' \
	  '  PYTHON=…           makes .venv with another Python (3.11 or newer): make demo PYTHON=python3.12' \
	  '  CONSTRAINTS=       installs the newest of everything, not the versions tested, in a new .venv'

demo: venv ## six pets that do not exist, and two children of them, in minutes
	$(BIN)/conceptree demo $(ARGS)

test: venv ## the tests; no network, no GPU; with ARGS=--slow all of them
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

coverage: venv ## all tests, and which lines and branches of core and evolve they reach (at least 95 %)
	$(BIN)/python -m pytest -n auto --dist loadfile --slow --cov --cov-report=term $(ARGS)

test-browser: python ## the workbench in a real browser (needs Chromium: sudo apt install chromium)
	command -v chromium >/dev/null || command -v google-chrome >/dev/null || { echo 'make test-browser needs Chromium: sudo apt install chromium' >&2; exit 1; }
	$(ENVIRONMENT) --extra browser
	$(BIN)/python -m pytest tests/browser -m browser $(ARGS)

screenshots: test-browser ## after a change of pages: the README's pictures of the workbench
	for page in tree breed jobs; do \
	  $(BIN)/python tools/webp.py .cache/screenshots/$$page-best.png docs/images/workbench-$$page.webp || exit; \
	done
	$(BIN)/python tools/webp.py .cache/screenshots/pad-four.png docs/images/workbench-pad.webp

lint: venv ## ruff: rules and format; mypy on core and evolve
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check . || { echo 'not formatted; mend it with: .venv/bin/ruff format .' >&2; exit 1; }
	$(BIN)/mypy --no-error-summary
	echo 'lint: ruff and mypy find nothing'

view: venv ## the workbench in a browser, on runs/
	$(BIN)/conceptree view $(ARGS)

docs: python ## the documentation as a site, in site/ (needs no network once it is installed)
	$(ENVIRONMENT) --extra docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict $(ARGS)
	echo 'open site/index.html; to search it as well: $(BIN)/python -m http.server --directory site --bind localhost'

bench: venv ## an optimizer step as published against ours, as ratios
	$(BIN)/python -m benchmarks.step $(ARGS)

bench-store: venv ## how runs of up to 100,000 concepts open and grow: time and memory (a quarter of an hour, 4 GB)
	$(BIN)/python -m benchmarks.store $(ARGS)

bench-full: venv ## the same step at Kandinsky's full size, with random weights: time and memory (long; takes 10 GB)
	$(BIN)/python -m benchmarks.full $(ARGS)

bench-first: venv ## where the first seconds of a command go: imports, loading, the first picture
	$(BIN)/python -m benchmarks.first $(ARGS)

bench-workers: venv ## time of two workers against one, for the same requests
	$(BIN)/python -m benchmarks.workers $(ARGS)

bench-mating: venv ## two starts and the early stop of children: closeness to their parents, steps, the judge's opinion
	$(BIN)/python -m benchmarks.mating $(ARGS)

bench-view: python ## until the family tree is seen in a browser, and until twelve usual clicks are answered (needs Chromium)
	$(ENVIRONMENT) --extra browser
	$(BIN)/python -m benchmarks.view $(ARGS)

mutants: venv ## deliberate faults; a test must notice each
	$(BIN)/python -m tests.mutants $(ARGS)

attack: venv ## failing disks, kills and damaged files, for two minutes; a table of tries and failures
	$(BIN)/python -m tools.attack $(ARGS)

experiments: venv ## the paper's experiments, into docs/experiments/ (hours; continues after a stop; keeps existing results)
	for name in $(EXPERIMENTS); do \
	  $(BIN)/python -m experiments $$name --to docs/experiments/$$name $(ARGS) || exit; \
	done

train-emoji: npm ## train the embedded model again, stage by stage (hours; resumes; needs npm)
	$(ENVIRONMENT) --extra train
	$(BIN)/python -m training.train --device '$(DEVICE)' $(ARGS)

card: npm ## measure the embedded model and write its card, core/emoji/CARD.md (needs npm for the drawings)
	$(ENVIRONMENT) --extra train
	$(BIN)/python -m tools.inventions
	$(BIN)/python -m training.card $(ARGS)

inventions: npm ## founders and children of seven categories: their figures, and their sheets in docs/images/
	$(ENVIRONMENT) --extra train
	$(BIN)/python -m tools.inventions $(ARGS)

notebook: venv ## execute docs/notebook.ipynb again, in place (a minute)
	$(BIN)/python -m tools.notebook

regenerate: npm ## after new weights: calibrate, measure and draw again all that is committed
	$(ENVIRONMENT) --extra train
	$(BIN)/python -m core.calibration
	$(MAKE) card
	rm -rf .cache/regenerate
	$(BIN)/conceptree demo --runs .cache/regenerate
	$(BIN)/python tools/webp.py .cache/regenerate/demo/sheet.png docs/images/demo.webp
	$(BIN)/python tools/example.py
	$(BIN)/python -m tools.notebook
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.mating --to docs/benchmarks/mating.csv
	mv docs/experiments .cache/experiments-$$(date +%Y%m%d-%H%M%S) # of the old weights
	echo 'the experiments start again; after a stop, continue with: make experiments'
	$(MAKE) experiments

venv: python ## the environment alone, e.g. make venv TORCH=cuda
	$(ENVIRONMENT)

python:
	command -v '$(PYTHON)' >/dev/null || { echo '$(PYTHON) is missing: sudo apt install python3 python3-venv' >&2; exit 1; }

npm: python
	command -v npm >/dev/null || { echo 'make train-emoji fetches the drawings with npm, which is missing: sudo apt install npm' >&2; exit 1; }
