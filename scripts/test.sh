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
step tests
cargo test "$@" --lib --bins --tests
step documentation examples
# Doctests run from a temporary folder, with no ONNX Runtime beside them.
ORT_DYLIB_PATH="$CARGO_TARGET_DIR/release/libonnxruntime.so" cargo test "$@" --doc
step documentation
RUSTDOCFLAGS='-D warnings' cargo doc "$@" --no-deps
step done
