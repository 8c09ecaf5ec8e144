#!/bin/sh
# Trains the model beside this folder from package names and a folder of captioned pictures.
# usage: run.sh DATA_FOLDER WORK_FOLDER
# Needs Python 3.11 or newer, and Debian's apt and dpkg for the drawings.
set -eu
data=$(realpath "$1") && mkdir -p "$2" && work=$(realpath "$2")
here=$(realpath "$(dirname "$0")") && starter=$(dirname "$here")

[ -d "$work/venv" ] || python3 -m venv "$work/venv"
python=$work/venv/bin/python
"$python" -m pip install --quiet --requirement "$here/requirements.txt"

mkdir -p "$work/packages"
(
    cd "$work/packages"
    for package in openclipart-png openclipart-svg fonts-noto-color-emoji unicode-cldr-core; do
        [ -f "$package.done" ] && continue
        apt-get download "$package"
        dpkg -x "$package"_*.deb . && touch "$package.done"
    done
)

[ -f "$work/drawings.jsonl" ] || "$python" "$here/drawings.py" "$work/packages" "$work"
"$python" "$here/features.py" "$data" "$work"
"$python" "$here/train.py" "$work"
"$python" "$here/export.py" "$work" "$starter"
for folder in "$work/fp32" "$starter"; do
    "$python" "$here/evaluate.py" "$folder" "$starter/tokenizer.json" \
        "$data/captions_dev.jsonl" "$data/captions_test.jsonl"
done
