# `make demo` shows the main job on real photos, `make test` runs every check. Both set up what
# they need on a fresh machine, without root.

SHELL := /bin/sh
# The build folder also holds the fetched tools, so that both are reused together.
export CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
TOOLS := $(CARGO_TARGET_DIR)/tools
PROGRAM := $(CARGO_TARGET_DIR)/release/sightline
# Environment that the fetched tools need while compiling.
ENV := . '$(TOOLS)/env'
# One profile only: RocksDB's C++ takes many minutes to compile.
CARGO := cargo
FLAGS := --release --locked --workspace
# Folder of photos for the demo; the sample photos by default.
PHOTOS ?=
# Where `make install` puts things; DESTDIR comes before it, for packages.
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: help setup build install demo test bench clean

help:
	@echo 'make demo                      build, index the sample photos, search them'
	@echo 'make demo PHOTOS=~/Pictures    the same on your own photos'
	@echo 'make test                      every check: format, lints, tests, documentation'
	@echo 'make build                     only build: $(PROGRAM)'
	@echo 'make install PREFIX=~/.local   the program, ONNX Runtime, manual pages and completions'
	@echo 'make bench                     the benchmarks'

setup:
	@./scripts/setup.sh '$(CARGO_TARGET_DIR)'

build: setup
	@$(ENV) && $(CARGO) build $(FLAGS)

# Only builds what is missing, so that `make build && sudo make install` runs no cargo as root.
install: $(PROGRAM)
	@./scripts/install.sh '$(PROGRAM)' '$(TOOLS)/onnxruntime' '$(patsubst ~%,$(HOME)%,$(PREFIX))' '$(DESTDIR)'

$(PROGRAM):
	@$(MAKE) build

demo: build
	@./scripts/demo.sh '$(PROGRAM)' $(if $(PHOTOS),'$(patsubst ~%,$(HOME)%,$(PHOTOS))')

test: setup
	@./scripts/test.sh '$(TOOLS)/env' $(FLAGS)

bench: setup
	@$(ENV) && $(CARGO) bench --locked --workspace --benches

clean:
	cargo clean
