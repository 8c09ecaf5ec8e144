#!/bin/sh
# Installs what was built; called by `make install`:
#   install.sh SIGHTLINE ONNXRUNTIME_FOLDER PREFIX [DESTDIR]
# DESTDIR is put before PREFIX, for packages.
set -eu

program=$1
runtime=$2
prefix=$3
to=${4:-}$prefix
here=$(cd "$(dirname "$0")/.." && pwd)

case $prefix in
/*) ;;
*)
    printf 'error: PREFIX %s is not absolute\n' "$prefix" >&2
    exit 2
    ;;
esac
mkdir -p "$to" && [ -w "$to" ] || {
    printf 'error: cannot write to %s\n\nhint: %s\n' "$to" \
        'install for yourself with `make install PREFIX=$HOME/.local`, or as root' >&2
    exit 2
}

# Copies a file that names the program or its folder.
with_prefix() {
    mkdir -p "$(dirname "$2")"
    sed "s|/usr/local/|$prefix/|g" "$1" >"$2"
    chmod 644 "$2"
}

install -D -m 755 "$program" "$to/bin/sightline"
install -D -m 644 "$runtime/libonnxruntime.so" "$to/lib/sightline/libonnxruntime.so"

"$program" --quiet man "$to/share/man/man1"
completions() {
    mkdir -p "$(dirname "$to/share/$2")"
    "$program" completions "$1" >"$to/share/$2"
}
completions bash bash-completion/completions/sightline
completions fish fish/vendor_completions.d/sightline.fish
completions zsh zsh/site-functions/_sightline

with_prefix "$here/packaging/sightline.desktop" "$to/share/applications/sightline.desktop"
with_prefix "$here/packaging/sightline.service" "$to/lib/systemd/user/sightline.service"
install -D -m 644 "$here/packaging/sightline.svg" \
    "$to/share/icons/hicolor/scalable/apps/sightline.svg"

for text in LICENSE-MIT LICENSE-APACHE; do
    install -D -m 644 "$here/$text" "$to/share/doc/sightline/$text"
done
for text in LICENSE ThirdPartyNotices.txt; do
    install -D -m 644 "$runtime/$text" "$to/share/doc/sightline/onnxruntime/$text"
done
