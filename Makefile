# SPDX-License-Identifier: GPL-2.0-or-later
#
# The short front door; meson.build is the build itself.
#
#	make                    build into build/ (installs the Debian packages that are missing)
#	sudo make demo          a job from its first fork to its release agent, each step checked
#	sudo make test          every test, ends with "N passed, N failed, N skipped"
#	sudo make stress        the stress test at its large size
#	sudo make differential  the comparison with the kernel's cgroup v1 at its large size
#	make property           the core against a naive model, at its large size
#	sudo make bench         ucgroup beside the kernel's cgroup v1; draws docs/performance.svg
#	sudo make bench-scale   up to a million groups; draws docs/performance-scale.svg
#	make bench-check        instruction counts of the core beside those written down
#	make check              formatting, static analysis, sanitizers, valgrind, fuzzing
#	sudo make install       PREFIX=/usr/local, DESTDIR= for packages
#	make clean

PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build

# Under sudo the tree's owner builds, root only runs.
AS_OWNER := scripts/as-owner

all: build

deps:
	@scripts/install-deps

build: deps
	@$(AS_OWNER) scripts/build $(BUILD)

demo: build
	@scripts/as-root scripts/demo $(BUILD)

test: build
	@scripts/as-root scripts/run-tests $(BUILD)

stress: build
	@scripts/as-root scripts/run-tests $(BUILD) --large stress

differential: build
	@scripts/as-root env UCGROUP_BUILD=$(abspath $(BUILD)) tests/differential/run large

property: build
	@$(AS_OWNER) scripts/property $(BUILD)

bench: build
	@scripts/as-root bench/run $(BUILD)

bench-scale: build
	@scripts/as-root bench/scale $(BUILD)

bench-check: build
	@$(AS_OWNER) bench/check $(BUILD)

check: deps
	@$(AS_OWNER) scripts/check $(BUILD)

install: deps
	@$(AS_OWNER) scripts/build $(BUILD) -Dprefix=$(PREFIX)
	@DESTDIR="$(DESTDIR)" meson install -C $(BUILD) --no-rebuild --quiet
	@[ -n "$(DESTDIR)" ] || ldconfig

clean:
	rm -rf $(BUILD)

.PHONY: all deps build demo test stress differential property bench bench-scale bench-check check install clean
