# Short commands. Each makes the virtual environment first where there is none.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A folder's time changes with each file that comes or goes: then the links are made anew.
FOLDERS := $(shell find facewire codec models sender receiver call eval cli -type d -not -name __pycache__)

.PHONY: demo test test-slow fuzz check format bench train-more docs clean
demo: $(VENV)/installed            ## make a clip, encode it, decode it, show the figures
	$(BIN)/facewire demo --out out/demo

TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder
test: $(VENV)/installed            ## all tests but the slow ones, on all cores, a process each
	$(TESTS) -m "not slow"

test-slow: $(VENV)/installed       ## the slow ones: whole trainings, calls in real time, long streams
	$(TESTS) -m slow

fuzz: $(VENV)/installed            ## hostile bytes for FACEWIRE_FUZZ_SECONDS (default: 600)
	$(BIN)/python -m tests.fuzz

check: $(VENV)/installed           ## linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build && $(abspath $(BIN))/mypy --config-file ../pyproject.toml --strict -p facewire

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed           ## speed and memory; look at ratios, machines are noisy
	$(BIN)/python -m pytest benchmarks

MORE ?= out/more
MINUTES ?= 60
train-more: $(VENV)/installed      ## go on from the last weights; stop it whenever you like
	@test -n "$(DATA)" -a -n "$(HELD_OUT)" || { echo "make train-more DATA=clips/ HELD_OUT=clips-of-others/ [PEOPLE=people.csv] [MINUTES=60] [MORE=out/more] [LIKENESS=faces.pt]"; exit 2; }
	$(BIN)/facewire train --prepare-only --data $(DATA) --cache $(MORE)/cache --out $(MORE) $(if $(PEOPLE),--people $(PEOPLE))
	$(BIN)/facewire train --prepare-only --data $(HELD_OUT) --cache $(MORE)/held-out --out $(MORE)
	$(BIN)/facewire train --more --out $(MORE) --cache $(MORE)/cache --held-out $(MORE)/held-out \
		--minutes $(MINUTES) $(if $(LIKENESS),--likeness $(LIKENESS))

docs: $(VENV)/installed            ## the documentation as a site in out/site; links are checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build out *.egg-info

# `strict` links every file, so that mypy and others find the packages; a new file wants a new
# install, hence the folders.
$(VENV)/installed: pyproject.toml $(FOLDERS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]' --config-settings editable_mode=strict
	touch $@
