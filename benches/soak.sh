#!/bin/sh
# Does memory stay flat however many pictures there are? Indexes 20,000 small photos and prints the
# memory in use after every thousand.
#
#   benches/soak.sh WORK [MODEL_FOLDER]
#
# WORK gets the photos (about 200 MB), which are kept. MODEL_FOLDER: the starter when left out. It
# takes about 20,000 / (images a second) seconds. SIGHTLINE and PYTHON as in compare.sh.
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
    sys.exit("this system does not tell the memory in use")
first = memory[min(n for n in memory if n >= 2000)]
last = memory[max(memory)]
peak, rate = report["peak_memory"] / 1e6, report["index"]
print(f"most in use {peak:.0f} MB, with the search graph built at the end")
print(f"from the 2,000th on {last - first:+.0f} MB, {1e3 * (last - first) / (max(memory) - 2000):+.2f} MB a thousand")
print(f"{rate:.1f} pictures/s")
'
