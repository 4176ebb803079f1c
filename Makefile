# make demo   one simulated shift, end to end; prints where to look
# make test   everything that CI does: system packages, format, lint, types, imports, tests, docs
# make check  the same without the system packages
# make test-fast   the parts: seconds, no root
# make test-system whole programs in real time, other people's readers, sweeps over every byte
# make test-root   what needs root: the units under real systemd in a container, loop mounts
# make test-picam  the real picamera2 in a system of its own, on libcamera's virtual camera; as root
# make test-guest  the installed units on a real kernel under QEMU, and their power cut; as root
# make bench  measurements beside picamera2's output classes
# make faults docs/FAULTS.md anew, of what the last `make test` measured
# make soak   long sweeps: 10,000 presses, 50 kills of each process, 5 minutes of fuzzing, 20 power cuts and 20,000 crash states; as root
# make vectors  the good and hostile files of tests/vectors, made anew
# make install    program, units, rules and configuration onto this camera, or with DESTDIR onto a card
# make uninstall  take them away again; recordings, keys and configuration stay
# make clean  remove what the above made

PYTHON ?= python3
OUT ?= out/demo
WORKERS ?= 2
DESTDIR ?=
PREFIX ?= /usr/local
# What the camera's environment gets beside the recorder itself (pyproject.toml).
EXTRAS ?= [media,camera]

VENV := .venv
BIN := $(VENV)/bin
# A new interpreter makes a new environment; a changed pyproject.toml is installed again.
PYTHON_ID := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
PROJECT_ID := $(shell sha256sum pyproject.toml | cut -c1-16)
VENV_STAMP := $(VENV)/.python-$(PYTHON_ID)
CAPTURE_STAMP := $(VENV)/.capture-$(PYTHON_ID)-$(PROJECT_ID)
DEV_STAMP := $(VENV)/.dev-$(PYTHON_ID)-$(PROJECT_ID)

# What the tests run beside Python: the command or folder that must be there, and Debian's package of it.
SYSTEM_TOOLS := pdftotext=poppler-utils pango-view=pango1.0-tools ffmpeg=ffmpeg openssl=openssl jose=jose chromium=chromium node=nodejs npm=npm softhsm2-util=softhsm2 systemd-analyze=systemd systemd-nspawn=systemd-container \
	mkfs.ext4=e2fsprogs qemu-storage-daemon=qemu-system-common fusermount3=fuse3 unshare=util-linux mount=mount strace=strace gcc=gcc /usr/include/stdio.h=libc6-dev sha256sum=coreutils mmdebstrap=mmdebstrap dtc=device-tree-compiler \
	/usr/share/doc/opencv-doc/examples/data/vtest.avi=opencv-doc \
	java=default-jre-headless \
	go=golang-go /usr/share/gocode/src/golang.org/x/mod/sumdb=golang-golang-x-mod-dev

WHEEL_STAMP := dist/.made
PACKAGE_FILES := pyproject.toml hardware/pins.toml $(shell find bodycam -type f -not -path '*/__pycache__/*')

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest

# Not by export: no rule but these shall see a DESTDIR.
INSTALL := DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" EXTRAS="$(EXTRAS)" systemd/install.sh

export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: demo test check format lint types imports tests test-fast test-system test-root test-picam test-guest faults docs bench soak vectors clean \
	wheel install uninstall install-deps install-system

demo: $(CAPTURE_STAMP)
	$(BIN)/bodycam demo --out "$(OUT)"

test: install-system
	@$(MAKE) --no-print-directory check

check: format lint types imports tests docs

format: $(DEV_STAMP)
	$(BIN)/ruff format --check .

lint: $(DEV_STAMP)
	$(BIN)/ruff check .

types: $(DEV_STAMP)
	$(BIN)/mypy

imports: $(DEV_STAMP)
	$(BIN)/lint-imports --no-cache

# The tiers, quick ones first: what is wrong is said early, and the others run all the same. Each says how
# long it took. Tier 2 has clocks of its own and goes on beside them, with what they leave of the processor;
# `timeout` makes one group of it, that ends with this.
tests: $(DEV_STAMP) $(WHEEL_STAMP)
	@mkdir -p build; rm -rf build/faults; \
	timeout 3600 nice -n 19 $(MAKE) --no-print-directory test-guest >build/guest.log 2>&1 & guest=$$!; \
	trap "kill $$guest" EXIT; \
	$(MAKE) -k --no-print-directory test-fast test-system test-root test-picam; code=$$?; \
	wait $$guest || code=2; trap - EXIT; cat build/guest.log; \
	$(BIN)/python -m tests.faults.table --check || code=2; exit $$code

tier = @began=$$(date +%s); $(2); code=$$?; \
	echo "make: tier $(1): $$(($$(date +%s) - began)) s"; exit $$code

# Whole programs run in real time, and a machine may be busy: what failed is run once more, by itself, and
# that is said. Not so the parts: what fails there is wrong.
again = || { test $$? -eq 1 && echo "make: what failed is run once more, by itself" && \
	$(PYTEST) -n 1 --dist loadgroup --last-failed --last-failed-no-failures none $(1); }

# Seconds, no root: the parts.
test-fast: $(DEV_STAMP)
	$(call tier,fast,$(PYTEST) -n $(WORKERS) --dist loadgroup -m "not system" --ignore tests/test_docs.py)

# Whole programs in real time: most of it is waiting, so there is one more at it than there are processors.
test-system: $(DEV_STAMP)
	$(call tier,system,$(PYTEST) -n $$(($(WORKERS) + 1)) --dist loadgroup -m system $(call again,-m system))

# What needs root: the installed units under the real systemd in a container, real small file systems.
test-root: $(DEV_STAMP) $(WHEEL_STAMP)
	$(call tier,root,$(PYTEST) tests/root $(PYTEST_ARGS) $(call again,tests/root $(PYTEST_ARGS)))

# Tier 1: the real picamera2 on libcamera's virtual camera, in a system of its own. Needs root.
test-picam:
	$(call tier,picam,timeout -k 5 400 \
		tests/tiers/enter.sh "$$(tests/tiers/rootfs.sh)" tests/picam/inside.sh $(PYTEST_ARGS))

# Tier 2: the installed units on a real kernel under QEMU, and their power cut. Needs root.
test-guest: $(DEV_STAMP) $(WHEEL_STAMP)
	$(call tier,guest,$(PYTEST) -n 2 --dist loadgroup tests/guest $(PYTEST_ARGS))

faults: $(DEV_STAMP)
	$(BIN)/python -m tests.faults.table

docs: $(DEV_STAMP)
	$(PYTEST) tests/test_docs.py

soak: $(DEV_STAMP) $(WHEEL_STAMP)
	$(PIP) -e '.[fuzz]'
	$(PYTEST) -m soak
	$(PYTEST) -m soak tests/root
	$(PYTEST) -n 2 --dist loadgroup -m soak tests/guest

vectors: $(DEV_STAMP)
	$(BIN)/python -m tests.vectors.make

bench: $(DEV_STAMP)
	$(BIN)/python bench/run.py
	$(BIN)/python -m bench.verify

wheel: $(WHEEL_STAMP)

install: $(WHEEL_STAMP)
	$(INSTALL) install dist/bodycam-*.whl

uninstall:
	$(INSTALL) uninstall

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	if [ -e out/demo/made-by-bodycam-demo ]; then rm -rf out/demo; fi

install-deps: $(DEV_STAMP)

install-system:
	@missing=""; \
	for tool in $(SYSTEM_TOOLS); do \
		command -v "$${tool%%=*}" >/dev/null || [ -e "$${tool%%=*}" ] || missing="$$missing $${tool##*=}"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then \
		echo "make: installing$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "make: the tests need:$$missing. Run: sudo apt-get install$$missing" >&2; \
		exit 2; \
	fi

$(VENV_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is not Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; \
		exit 2; \
	}
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		if [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
				apt-get install -y -qq python3-venv >/dev/null; \
		else \
			echo "make: $(PYTHON) cannot make environments. Run: sudo apt-get install python3-venv" >&2; \
			exit 2; \
		fi; \
	}
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(WHEEL_STAMP): $(PACKAGE_FILES) | $(VENV_STAMP)
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@touch $@

$(CAPTURE_STAMP): | $(VENV_STAMP)
	$(PIP) -e '.[capture]'
	@touch $@

$(DEV_STAMP): | $(VENV_STAMP)
	$(PIP) -e '.[capture,pkcs11,timestamp,pdf,c2pa,audit,spark,dev]'
	@touch $@ $(CAPTURE_STAMP)
