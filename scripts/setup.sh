#!/bin/sh
# Checks the prerequisites and fetches the libraries that the build, the program and tests need:
#   setup.sh BUILD_FOLDER
# Fast and offline when everything is already there.
set -eu

target=$1
tools=$target/tools
here=$(dirname "$0")

missing() {
    printf 'error: %s\n\nhint: %s\n' "$1" "$2" >&2
    exit 2
}

command -v cargo >/dev/null 2>&1 ||
    missing 'cargo not found' 'install Rust, for example with rustup'
compiler=${CXX:-c++}
command -v "$compiler" >/dev/null 2>&1 ||
    missing "C++ compiler $compiler not found" 'install one, for example: apt-get install g++'
command -v python3 >/dev/null 2>&1 ||
    missing 'python3 not found' 'install it, for example: apt-get install python3 python3-pip'
python3 -m pip --version >/dev/null 2>&1 ||
    missing 'pip for python3 not found' 'install it, for example: apt-get install python3-pip'

mkdir -p "$tools" "$target/release"

# ONNX Runtime's shared library goes beside the executable, where the program looks for it.
python3 "$here/fetch.py" onnxruntime "$tools"
if ! cmp -s "$tools/onnxruntime/libonnxruntime.so" "$target/release/libonnxruntime.so"; then
    cp "$tools/onnxruntime/libonnxruntime.so" "$target/release/libonnxruntime.so.new"
    mv "$target/release/libonnxruntime.so.new" "$target/release/libonnxruntime.so"
fi

# RocksDB's bindings are generated with libclang; the system's is preferred.
: >"$tools/env.new"
if [ -z "${LIBCLANG_PATH:-}" ] || [ "${LIBCLANG_PATH:-}" = "$tools/libclang" ]; then
    if { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep -q 'libclang[-.0-9]*\.so' &&
        [ ! -e "$tools/libclang/libclang.so" ]; then
        : # bindgen finds it by itself
    else
        python3 "$here/fetch.py" libclang "$tools"
        # The wheel has no headers; use the compiler's.
        headers=$("$compiler" -print-file-name=include)
        {
            echo "export LIBCLANG_PATH='$tools/libclang'"
            echo "export BINDGEN_EXTRA_CLANG_ARGS='-I$headers'"
        } >"$tools/env.new"
    fi
fi
mv "$tools/env.new" "$tools/env"

# Where the tests of the page run, they check its accessibility too.
if [ -x /usr/bin/chromedriver ]; then
    python3 "$here/fetch.py" axe-playwright-python "$tools"
fi
