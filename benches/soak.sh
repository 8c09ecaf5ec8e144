#!/bin/sh
# Memory over a long run: indexes 20,000 small photos and prints the memory in use after every
# thousand.
#
#   benches/soak.sh WORK [MODEL_FOLDER]
#
# WORK is the folder for the photos (about 200 MB), which later runs reuse. MODEL_FOLDER defaults to
# the starter model. SIGHTLINE and PYTHON as in compare.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?"usage: benches/soak.sh WORK [MODEL_FOLDER]"}
model=${2:-$here/../onnx/starter}
sightline=${SIGHTLINE:-$here/../target/release/sightline}
python=${PYTHON:-python3}

"$python" "$here/make_photos.py" "$here/../tests/data/photos" "$work/tiny" --number 20000 \
    --megapixels 0.02 >&2
"$sightline" bench --quiet --photos "$work/tiny" --model "$model" --rounds 1 --only-index --json |
    "$python" -c '
import json, sys
report = json.load(sys.stdin)
memory = {step["pictures"]: step["bytes"] / 1e6 for step in report["memory"]}
for pictures, megabytes in memory.items():
    print(f"{pictures:6} pictures {megabytes:7.0f} MB")
if not memory:
    sys.exit("this system does not report the memory in use")
first = memory[min(n for n in memory if n >= 2000)]
last = memory[max(memory)]
peak, rate = report["peak_memory"] / 1e6, report["index"]
print(f"peak {peak:.0f} MB, with the search graph built at the end")
print(f"after the 2,000th {last - first:+.0f} MB, {1e3 * (last - first) / (max(memory) - 2000):+.2f} MB per thousand")
print(f"{rate:.1f} pictures/s")
'
