#!/usr/bin/env python3
"""Makes many different photos from a few, for the benchmarks.

    python benches/make_photos.py tests/data/photos OUT --number 300 --megapixels 12

Each is a random crop of one of the given pictures, possibly mirrored, scaled up to the requested
size, a little brighter or darker, with sensor-like grain, and saved as a phone does: JPEG of
quality 90 with 4:2:0 chroma. At 12 megapixels a file has 2 to 4 MB. The random numbers are seeded,
so two runs make the same files; existing files are kept. Needs Pillow, numpy.
"""

import argparse
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SEED = 20261124
GRAIN = 3.2


def make(job):
    number, source, target, width, height = job
    if target.exists():
        return target.stat().st_size
    rng = np.random.default_rng([SEED, number])
    picture = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
    # The largest crop of the right shape, shrunk a little, at a random place.
    scale = min(picture.width / width, picture.height / height) * rng.uniform(0.6, 0.95)
    piece = (width * scale, height * scale)
    left = rng.uniform(0, picture.width - piece[0])
    top = rng.uniform(0, picture.height - piece[1])
    box = (left, top, left + piece[0], top + piece[1])
    picture = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    # One strip of grain, applied from a different offset in each row: to a JPEG encoder as good as
    # fresh numbers for every pixel, and several times faster.
    strip = (rng.standard_normal(1 << 18) * GRAIN + rng.uniform(-8, 8)).astype(np.int16)
    starts = rng.integers(0, strip.size - width, height)
    grain = np.lib.stride_tricks.sliding_window_view(strip, width)[starts]
    pixels = np.asarray(picture).astype(np.int16)
    pixels += grain[:, :, None]
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    picture.save(target, quality=90, subsampling="4:2:0")
    return target.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--processes", type=int)
    args = parser.parse_args()
    sources = sorted(
        path
        for path in args.source.rglob("*.jpg")
        if "broken" not in path.parts and path.is_file()
    )
    if not sources:
        parser.error(f"no *.jpg below {args.source}")
    height = max(16, round((args.megapixels * 1e6 * 3 / 4) ** 0.5 / 8) * 8)
    width = height * 4 // 3
    jobs = []
    for number in range(args.number):
        # A thousand files per folder.
        folder = args.out / f"{number // 1000:03}"
        folder.mkdir(parents=True, exist_ok=True)
        source = sources[number % len(sources)]
        jobs.append((number, source, folder / f"{number:06}.jpg", width, height))
    with Pool(args.processes) as pool:
        sizes = list(pool.imap_unordered(make, jobs, chunksize=4))
    print(f"{len(sizes)} photos of {width} x {height}, {sum(sizes) / len(sizes) / 1e6:.2f} MB each")


if __name__ == "__main__":
    main()
