#!/bin/sh
# Runs every check; called by `make test`:
#   test.sh ENV_FILE CARGO_FLAGS…
set -eu

. "$1"
shift

step() {
    echo
    echo "== $*"
}

step format
cargo fmt --all --check
step lints
cargo clippy "$@" --all-targets -- -D warnings
step without the server
# In a folder of its own, since other features mean other builds of nearly everything. Nothing is
# linked, so RocksDB is not compiled again: where it is does not matter.
ROCKSDB_LIB_DIR=$CARGO_TARGET_DIR CARGO_TARGET_DIR=$CARGO_TARGET_DIR/without-serve \
    cargo check "$@" --no-default-features --tests
step packages of tests
# The tests that need them fetch them too, but a failure to do so is clearer here.
python3 scripts/packages.py tests/mcp/requirements.txt "$CARGO_TARGET_DIR/tools/mcp-client"
python3 scripts/packages.py tests/api/requirements.txt "$CARGO_TARGET_DIR/tools/schemathesis"
step tests
cargo test "$@" --lib --bins --tests
step documentation examples
# Doctests run from a temporary folder, with no ONNX Runtime beside them.
ORT_DYLIB_PATH="$CARGO_TARGET_DIR/release/libonnxruntime.so" cargo test "$@" --doc
step documentation
RUSTDOCFLAGS='-D warnings' cargo doc "$@" --no-deps
step done
