#!/bin/sh
# Checks for what must be there and fetches the two libraries that the build and the program need:
#   setup.sh BUILD_FOLDER
# Quick and offline when everything is there already.
set -eu

target=$1
tools=$target/tools
here=$(dirname "$0")

missing() {
    echo "error: $1: $2" >&2
    exit 2
}

command -v cargo >/dev/null 2>&1 ||
    missing 'cargo is missing' 'install Rust, as with rustup'
compiler=${CXX:-c++}
command -v "$compiler" >/dev/null 2>&1 ||
    missing "no C++ compiler ($compiler)" 'install one, as in: apt-get install g++'
command -v python3 >/dev/null 2>&1 ||
    missing 'python3 is missing' 'install it, as in: apt-get install python3 python3-pip'
python3 -m pip --version >/dev/null 2>&1 ||
    missing 'python3 has no pip' 'install it, as in: apt-get install python3-pip'

mkdir -p "$tools" "$target/release"

# ONNX Runtime's shared library, beside the executable, where the program looks for it.
python3 "$here/fetch.py" onnxruntime "$tools"
if ! cmp -s "$tools/onnxruntime/libonnxruntime.so" "$target/release/libonnxruntime.so"; then
    cp "$tools/onnxruntime/libonnxruntime.so" "$target/release/libonnxruntime.so.new"
    mv "$target/release/libonnxruntime.so.new" "$target/release/libonnxruntime.so"
fi

# RocksDB's bindings are generated with libclang: the system's when there is one.
: >"$tools/env.new"
if [ -z "${LIBCLANG_PATH:-}" ] || [ "${LIBCLANG_PATH:-}" = "$tools/libclang" ]; then
    if { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep -q 'libclang[-.0-9]*\.so' &&
        [ ! -e "$tools/libclang/libclang.so" ]; then
        : # bindgen finds it by itself
    else
        python3 "$here/fetch.py" libclang "$tools"
        # The wheel has no headers of its own; the compiler's serve.
        headers=$("$compiler" -print-file-name=include)
        {
            echo "export LIBCLANG_PATH='$tools/libclang'"
            echo "export BINDGEN_EXTRA_CLANG_ARGS='-I$headers'"
        } >"$tools/env.new"
    fi
fi
mv "$tools/env.new" "$tools/env"
