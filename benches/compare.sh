#!/bin/sh
# How near does indexing come to the ideal, and how does it compare with a Python pipeline on the
# same files and the same graphs? Both are run in turn, and the median of the rounds is printed.
#
#   benches/compare.sh WORK [PHOTOS [MODELS [ROUNDS]]]
#
# WORK gets the models and the photos, about 3 GB, which are kept for the next time. PHOTOS:
# "12mp small" (the default) or one of them. MODELS: "vit-b32 vit-b32-int8 starter" or some of
# them. SIGHTLINE names the program (target/release/sightline), PYTHON a Python 3.11 or later with
# torch, transformers, onnx, onnxruntime, pillow and numpy (python3). LARGE and SMALL say how many
# photos of either kind to make (300 and 1000).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?"usage: benches/compare.sh WORK [PHOTOS [MODELS [ROUNDS]]]"}
photos=${2:-12mp small}
models=${3:-vit-b32 vit-b32-int8 starter}
rounds=${4:-3}
sightline=${SIGHTLINE:-$here/../target/release/sightline}
python=${PYTHON:-python3}
samples=$here/../tests/data/photos

mkdir -p "$work"
[ -d "$work/vit-b32-int8" ] || "$python" "$here/make_vit_b32.py" "$work/vit-b32" >/dev/null 2>&1
"$python" "$here/make_photos.py" "$samples" "$work/12mp" --number "${LARGE:-300}" --megapixels 12 >&2
"$python" "$here/make_photos.py" "$samples" "$work/small" --number "${SMALL:-1000}" --megapixels 0.3 >&2

results=$work/results.jsonl
: >"$results"
for set in $photos; do
    for model in $models; do
        case $model in
            starter) folder=$here/../onnx/starter ;;
            *) folder=$work/$model ;;
        esac
        round=1
        while [ "$round" -le "$rounds" ]; do
            echo "$set, $model, round $round of $rounds" >&2
            printf '{"photos": "%s", "model": "%s", "ours": ' "$set" "$model" >>"$results"
            "$sightline" bench --quiet --photos "$work/$set" --model "$folder" --rounds 1 --json |
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
