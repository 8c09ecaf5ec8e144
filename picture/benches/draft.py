"""Measures in Pillow, on libjpeg-turbo, what `jpeg.rs` and onnx's `decode.rs` measure.

    SIGHTLINE_BENCH_FILE=/tmp/photo.jpg cargo bench -p sightline-picture --bench jpeg
    python picture/benches/draft.py /tmp/photo.jpg
"""

import sys
import time

from PIL import Image

EDGE = 260


def milliseconds(work, n: int = 20) -> float:
    """The median of `n` runs."""
    times = []
    for _ in range(n):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[n // 2] * 1000


def decoded(path: str, divisor: int) -> Image.Image:
    picture = Image.open(path)
    if divisor > 1:
        picture.draft("RGB", (picture.width // divisor, picture.height // divisor))
    picture.load()
    return picture


def prepared(path: str, divisor: int) -> Image.Image:
    picture = decoded(path, divisor)
    scale = EDGE / min(picture.size)
    size = (int(picture.width * scale), int(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for divisor in (1, 2, 4, 8):
            print(f"1/{divisor}: {milliseconds(lambda: decoded(name, divisor)):.1f} ms")
        print(f"1/4 and resize: {milliseconds(lambda: prepared(name, 4)):.1f} ms")
