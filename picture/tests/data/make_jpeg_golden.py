"""Writes the JPEGs in `jpeg/` and what libjpeg-turbo makes of them at reduced sizes.

The files differ in subsampling and in storage. Those with the same subsampling have the same
coefficients, so they share the reference pictures `<sampling>_<divisor>.png`, which Pillow decodes
with `Image.draft` (libjpeg-turbo's scaling).

    pip install pillow==13.0.0 opencv-python-headless==5.0.0 numpy
    python make_jpeg_golden.py
"""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
PHOTO = HERE / "../../../tests/data/photos/people/orchestra.jpg"
OUT = HERE / "jpeg"
SAMPLINGS = {
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}
# OpenCV's flags for each kind of storage.
KINDS = {
    "baseline": [],
    "optimized": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "restart": [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
}


def references(name: str, jpeg: bytes) -> dict[int, np.ndarray]:
    found = {}
    for divisor in (2, 4, 8):
        picture = Image.open(io.BytesIO(jpeg))
        width, height = picture.size
        picture.draft(picture.mode, (width // divisor, height // divisor))
        expected = (-(-width // divisor), -(-height // divisor))
        assert picture.size == expected, (name, divisor, picture.size)
        found[divisor] = np.asarray(picture.convert("RGB"))
    return found


def segments(jpeg: bytes) -> tuple[dict[int, bytes], bytes]:
    """The segments before the scan by their markers, and the scan's data."""
    found: dict[int, bytes] = {}
    at = 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        found[marker] = found.get(marker, b"") + jpeg[at : at + 2 + length]
        at += 2 + length
        if marker == 0xDA:
            return found, jpeg[at:-2]


def one_scan_each(photo: Image.Image) -> bytes:
    """Red, green and blue in separate scans, joined from three grey files."""
    joined = b""
    for channel in photo.split():
        memory = io.BytesIO()
        channel.save(memory, "JPEG", quality=85)
        found, data = segments(memory.getvalue())
        name = "RGB"[len(joined) and joined.count(b"\xff\xda")].encode()
        if not joined:
            frame = found[0xC0]
            parts = b"".join(bytes([c, 0x11, 0]) for c in b"RGB")
            frame = b"\xff\xc0\x00\x11" + frame[4:9] + b"\x03" + parts
            joined = b"\xff\xd8" + found[0xDB] + frame + found[0xC4]
        joined += b"\xff\xda\x00\x08\x01" + name + b"\x00\x00\x3f\x00" + data
    return joined + b"\xff\xd9"


def main() -> None:
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    # Odd sides, sharp details and colours: a part of the photo at its original resolution.
    photo = Image.open(PHOTO).convert("RGB").crop((210, 120, 210 + 151, 120 + 107))
    pixels = np.asarray(photo)
    files: dict[str, dict[str, bytes]] = {}
    for sampling, flag in SAMPLINGS.items():
        for kind, flags in KINDS.items():
            all_flags = [cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, flag]
            done, jpeg = cv2.imencode(".jpg", pixels[:, :, ::-1], all_flags + flags)
            assert done
            files.setdefault(sampling, {})[kind] = jpeg.tobytes()
    for kind, options in {"baseline": {}, "progressive": {"progressive": True}}.items():
        for sampling, picture, more in [
            ("grey", photo.convert("L"), {}),
            ("rgb", photo, {"keep_rgb": True, "subsampling": 0}),
        ]:
            memory = io.BytesIO()
            picture.save(memory, "JPEG", quality=85, **options, **more)
            files.setdefault(sampling, {})[kind] = memory.getvalue()
    files["rgb"]["scans"] = one_scan_each(photo)
    for sampling, kinds in files.items():
        common = references(sampling, kinds["baseline"])
        for kind, jpeg in kinds.items():
            (OUT / f"{sampling}_{kind}.jpg").write_bytes(jpeg)
            for divisor, pixels in references(sampling, jpeg).items():
                assert (pixels == common[divisor]).all(), (sampling, kind, divisor)
        for divisor, pixels in common.items():
            Image.fromarray(pixels).save(OUT / f"{sampling}_{divisor}.png", optimize=True)


if __name__ == "__main__":
    main()
