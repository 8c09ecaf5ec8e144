#!/bin/sh
# How near does indexing come to the ideal, and how does it compare with a Python pipeline on the
# same files and the same graphs? Both are run in turn, and the median of the rounds is printed.
#
#   benches/compare.sh WORK [PHOTOS [MODELS [ROUNDS]]]
#
# WORK gets the models and the photos, about 3 GB, which are kept for the next time. PHOTOS:
# "12mp small" (the default) or one of them. MODELS: "vit-b32 vit-b32-int8 vit-b32-added starter" or
# some of them; with `vit-b32-added` both are given the same fp32 model, Python as a folder and
# Sightline by `models add`, which checks the int8 copy beside it and uses that where it is quicker.
# SIGHTLINE names the program (target/release/sightline), PYTHON a Python 3.11 or later with
# torch, transformers, onnx, onnxruntime, pillow and numpy (python3). LARGE and SMALL say how many
# photos of either kind to make (300 and 1000).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?"usage: benches/compare.sh WORK [PHOTOS [MODELS [ROUNDS]]]"}
photos=${2:-12mp small}
models=${3:-vit-b32 vit-b32-int8 vit-b32-added starter}
rounds=${4:-3}
sightline=${SIGHTLINE:-$here/../target/release/sightline}
python=${PYTHON:-python3}
samples=$here/../tests/data/photos

mkdir -p "$work"
[ -d "$work/vit-b32-int8" ] || "$python" "$here/make_vit_b32.py" "$work/vit-b32" >/dev/null 2>&1
"$python" "$here/make_photos.py" "$samples" "$work/12mp" --number "${LARGE:-300}" --megapixels 12 >&2
"$python" "$here/make_photos.py" "$samples" "$work/small" --number "${SMALL:-1000}" --megapixels 0.3 >&2

# The models that are known by name, apart from the user's own.
export XDG_DATA_HOME="$work/data"
results=$work/results.jsonl
: >"$results"
for set in $photos; do
    for model in $models; do
        case $model in
            starter) folder=$here/../onnx/starter ours=$folder ;;
            vit-b32-added)
                folder=$work/vit-b32 ours=$model
                [ -d "$XDG_DATA_HOME/sightline/models/$ours" ] ||
                    "$sightline" models add "$folder" --name "$ours" >&2
                ;;
            *) folder=$work/$model ours=$folder ;;
        esac
        round=1
        while [ "$round" -le "$rounds" ]; do
            echo "$set, $model, round $round of $rounds" >&2
            printf '{"photos": "%s", "model": "%s", "ours": ' "$set" "$model" >>"$results"
            "$sightline" bench --quiet --photos "$work/$set" --model "$ours" --rounds 1 --json |
                tr -d '\n' >>"$results"
            printf ', "python": ' >>"$results"
            "$python" "$here/python_pipeline.py" "$folder" "$work/$set" --json |
                tr -d '\n' >>"$results"
            printf '}\n' >>"$results"
            round=$((round + 1))
        done
    done
done
"$python" "$here/table.py" "$results"
