#!/bin/sh
# Compares the indexing rate with its upper bound and with a Python pipeline on the same files and
# the same graphs. Both run in turn; prints the medians of the rounds.
#
#   benches/compare.sh WORK [PHOTOS [MODELS [ROUNDS]]]
#
# WORK is the folder for the models and the photos, about 3 GB, which later runs reuse. PHOTOS:
# "12mp small" (the default) or one of them. MODELS: "vit-b32 vit-b32-int8 vit-b32-added starter" or
# some of them; with `vit-b32-added` both get the same fp32 model, Python as a folder and Sightline
# by `models add`, which checks the int8 copy beside it and uses that where it is faster.
# Environment: SIGHTLINE is the program (default: target/release/sightline), PYTHON a Python 3.11 or
# later with torch, transformers, onnx, onnxruntime, pillow and numpy (default: python3), LARGE and
# SMALL the number of photos of each kind (default: 300 and 1000).
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

# Keeps the user's own models out.
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
