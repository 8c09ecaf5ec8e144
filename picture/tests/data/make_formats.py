#!/usr/bin/env python3
"""Writes pictures in every supported format, and what reference decoders make of them.

The files are written and read by common libraries: Pillow (libjpeg, libtiff, libwebp, libavif,
littlecms), pillow-heif (x265, libde265, libheif), pillow-jxl-plugin (libjxl), imagecodecs
(libavif for 10 bits), OpenEXR. Where no library writes what cameras and phones write (grids of
tiles, files without colour codes, RAW containers), the container is built here around their coded
pixels. There are no files of real cameras, since none were available under a free licence.
Everything is seeded; to run it again:

    python3 -m venv venv && venv/bin/pip install pillow==13.0.0 pillow-heif==1.8.1 numpy==2.4.6 \
        pillow-jxl-plugin==1.3.8 imagecodecs==2026.3.6 openexr==3.5.3
    venv/bin/python make_formats.py
"""

import gzip
import io
import json
import struct
import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import OpenEXR
import pillow_heif
import pillow_jxl  # noqa: F401 (registers itself)
from PIL import Image, ImageCms, ImageDraw, ImageOps

HERE = Path(__file__).parent
FOLDER = HERE / "formats"
SEED = 20261124
GOLDEN = {}

pillow_heif.register_heif_opener()


def pattern(width, height, seed):
    """Smooth colours with some hard edges."""
    rng = np.random.default_rng(SEED + seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = x / width, y / height
    channels = []
    for _ in range(3):
        a, b, c, d = rng.uniform(0.5, 2.0, 4)
        channels.append(127 + 110 * np.sin(4 * a * x + b) * np.cos(4 * c * y + d))
    image = Image.fromarray(np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(5, 5 + width / 6)
        draw.ellipse([cx - r, cy - r, cx + r, cy + r], fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def turned(image, orientation):
    """The picture as EXIF asks to show it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return ImageOps.exif_transpose(opened(saved(image, "PNG", exif=exif.tobytes())))


def alpha_of(width, height):
    x = np.linspace(0, 255, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    return Image.fromarray((x * (1 - y / 2)).astype(np.uint8), "L")


def on_white(image):
    rgba = np.asarray(image.convert("RGBA")).astype(np.float64)
    alpha = rgba[..., 3:] / 255
    return Image.fromarray(np.round(rgba[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))


def keep(name, data, expected, most=1, mean=0.5, note=""):
    """Writes a file and records 64 of its expected pixels. `most` and `mean` are the largest and
    the mean error that are allowed, in steps of 255."""
    (FOLDER / name).write_bytes(data)
    expected = expected.convert("RGB")
    rng = np.random.default_rng(SEED + sum(name.encode()))
    xs = rng.integers(0, expected.width, 64)
    ys = rng.integers(0, expected.height, 64)
    points = [[int(x), int(y), *expected.getpixel((int(x), int(y)))] for x, y in zip(xs, ys)]
    GOLDEN[name] = {"width": expected.width, "height": expected.height, "most": most,
                    "mean": mean, "points": points}


def keep_unsupported(name, data):
    """Writes a file that must be refused."""
    (FOLDER / f"broken_{name}").write_bytes(data)


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


# ---------------------------------------------------------------------------- colour profiles

def icc(colour_space, tags, pcs=b"XYZ ", kind=b"mntr"):
    """A profile of ICC.1:2010 (4.3) with these tags."""
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x04300000, kind, colour_space,
                         pcs)
    header += struct.pack(">6H4s", 2026, 11, 24, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    return header + bytes(128 - len(header)) + table + body


def xyz(values):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def text(words):
    data = words.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(data), 28) + data


def curve(gamma):
    return b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(gamma * 65536))


SRGB_CURVE = b"para" + bytes(4) + struct.pack(
    ">HH5i", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))


def matrix_profile(name, colorants, response):
    red, green, blue = colorants
    return icc(b"RGB ", {
        b"desc": text(name), b"wtpt": xyz((0.9642, 1.0, 0.8249)), b"rXYZ": xyz(red),
        b"gXYZ": xyz(green), b"bXYZ": xyz(blue), b"rTRC": response, b"gTRC": response,
        b"bTRC": response, b"cprt": text("none")})


# Colorants adapted to D50, as published for these colour spaces.
DISPLAY_P3 = matrix_profile("P3", [(0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189),
                                   (0.1571, 0.06657, 0.78407)], SRGB_CURVE)
ADOBE_RGB = matrix_profile("A98", [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087),
                                   (0.14919, 0.06322, 0.74457)], curve(563 / 256))
SRGB = matrix_profile("sRGB", [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708),
                               (0.14307, 0.06061, 0.7141)], SRGB_CURVE)
GREY_LINEAR = icc(b"GRAY", {b"desc": text("grey"), b"wtpt": xyz((0.9642, 1.0, 0.8249)),
                            b"kTRC": curve(1.0), b"cprt": text("none")})


def cmyk_profile():
    """Inks by a table of two steps each: a warm paper white and a bluish cyan."""
    table = bytearray()
    for c in (0, 1):
        for m in (0, 1):
            for y in (0, 1):
                for k in (0, 1):
                    light = 96 * (1 - 0.4 * c) * (1 - 0.45 * m) * (1 - 0.1 * y) * (1 - 0.9 * k)
                    a = (-20 * c + 60 * m - 5 * y + 2) * (1 - k)
                    b = (-45 * c - 5 * m + 80 * y + 4) * (1 - k)
                    table += bytes([round(light * 2.55), round(a) + 128, round(b) + 128])
    ramp = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    lut += struct.pack(">9i", *(65536 if n % 4 == 0 else 0 for n in range(9)))
    lut += ramp * 4 + bytes(table) + ramp * 3
    return icc(b"CMYK", {b"desc": text("inks"), b"wtpt": xyz((0.9642, 1.0, 0.8249)),
                         b"A2B0": lut, b"cprt": text("none")}, pcs=b"Lab ", kind=b"prtr")


def to_srgb(image, profile):
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.ImageCmsProfile(io.BytesIO(SRGB))
    flags = ImageCms.Flags.NOOPTIMIZE
    return ImageCms.profileToProfile(image, source, target, renderingIntent=0, outputMode="RGB",
                                     flags=flags)


def profiles():
    image = pattern(60, 44, 1)
    for name, format, options, most in [
            ("p3.jpg", "JPEG", {"quality": 95}, 4), ("p3.png", "PNG", {}, 2),
            ("p3.tif", "TIFF", {}, 2), ("p3.webp", "WEBP", {"lossless": True}, 2)]:
        data = saved(image, format, icc_profile=DISPLAY_P3, **options)
        keep(name, data, to_srgb(opened(data).convert("RGB"), DISPLAY_P3), most)
    data = saved(image, "PNG", icc_profile=ADOBE_RGB)
    keep("adobe.png", data, to_srgb(image, ADOBE_RGB), 2)
    data = saved(image, "PNG", icc_profile=SRGB)
    keep("srgb.png", data, image, 0, 0)
    # The profile's stream is valid, the profile is not.
    data = saved(image, "PNG", icc_profile=DISPLAY_P3[:300])
    keep("broken_profile.png", data, image, 0, 0)
    grey = image.convert("L")
    data = saved(grey, "PNG", icc_profile=GREY_LINEAR)
    keep("grey_linear.png", data, to_srgb(grey, GREY_LINEAR), 2)
    # Alpha is blended after the conversion.
    data = saved(Image.merge("RGBA", [*image.split(), alpha_of(60, 44)]), "PNG",
                 icc_profile=DISPLAY_P3)
    converted = to_srgb(image, DISPLAY_P3)
    keep("p3_alpha.png", data, on_white(Image.merge("RGBA", [*converted.split(),
                                                             alpha_of(60, 44)])), 2)
    inks = image.convert("CMYK")
    profile = cmyk_profile()
    data = saved(inks, "TIFF", icc_profile=profile)
    keep("inks_profile.tif", data, to_srgb(inks, profile), 4, 1.5)
    data = saved(inks, "JPEG", quality=95, icc_profile=profile)
    keep("inks_profile.jpg", data, to_srgb(opened(data), profile), 6, 1.5)
    # The same numbers as YCCK: strange colours, but exact to compare.
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    data = data[:at] + b"\x02" + data[at + 1:]
    keep("ycck_profile.jpg", data, to_srgb(opened(data), profile), 6, 1.5)
    # Not a CMYK profile: mixed as without one.
    data = saved(inks, "JPEG", quality=95, icc_profile=DISPLAY_P3)
    keep("inks_wrong_profile.jpg", data, opened(data).convert("RGB"), 3)


# ---------------------------------------------------------------------------- TIFF, EXR, HDR

def tiffs():
    image = pattern(61, 43, 2)
    palette = image.quantize(60)
    keep("palette.tif", saved(palette, "TIFF"), palette)
    keep("lzw.tif", saved(image, "TIFF", compression="tiff_lzw"), image)
    keep("deflate.tif", saved(image, "TIFF", compression="tiff_adobe_deflate"), image)
    keep("packbits.tif", saved(image, "TIFF", compression="packbits"), image)
    data = saved(image, "TIFF", compression="jpeg", quality=92)
    keep("jpeg.tif", data, opened(data), 4, 1)
    bits = image.convert("1")
    keep("bits.tif", saved(bits, "TIFF"), bits)
    keep("fax.tif", saved(bits, "TIFF", compression="group4"), bits)
    transparent = Image.merge("RGBA", [*image.split(), alpha_of(61, 43)])
    keep("alpha.tif", saved(transparent, "TIFF"), on_white(transparent))
    wide = (np.asarray(image).astype(np.uint16) * 257 + 77).clip(0, 65535)
    keep("rgb16.tif", tiff16(wide), Image.fromarray((wide >> 8).astype(np.uint8)))
    data = saved(image.convert("YCbCr"), "TIFF", compression="jpeg", quality=92)
    assert Image.open(io.BytesIO(data)).tag_v2[262] == 6
    keep("ycbcr.tif", data, opened(data), 5, 1)
    rgba = np.asarray(transparent).astype(np.float64)
    rgba[..., :3] = np.round(rgba[..., :3] * rgba[..., 3:] / 255)
    on_paper = Image.fromarray((rgba[..., :3] + 255 - rgba[..., 3:]).clip(0, 255).astype(np.uint8))
    keep("premultiplied.tif", page(rgba.astype(np.uint8).tobytes(), 61, 43, [8] * 4, 2, (338, [1])),
         on_paper, 2)
    grey = np.asarray(image.convert("L"))
    veiled = np.dstack([grey, np.asarray(alpha_of(61, 43))])
    keep_unsupported("grey_alpha.tif", page(veiled.tobytes(), 61, 43, [8] * 2, 1, (338, [2])))
    deep = np.asarray(image).astype("<u4") << 24 | 77
    keep_unsupported("rgb32.tif", page(deep.tobytes(), 61, 43, [32] * 3, 2))
    rng = np.random.default_rng(SEED)
    for bits in (1, 2, 4):
        places = grey >> (8 - bits)
        colours = rng.integers(0, 65536, (3, 2 ** bits))
        keep_unsupported(f"palette_{bits}.tif", page(packed(places, bits), 61, 43, [bits], 3,
                                                     (320, colours.ravel().tolist())))
    for bits, photometric in ((2, 1), (4, 0)):
        places = grey >> (8 - bits)
        stored = places if photometric else 2 ** bits - 1 - places
        keep_unsupported(f"grey_{bits}.tif", page(packed(stored, bits), 61, 43, [bits],
                                                  photometric))


def pages():
    """TIFFs of several pictures: which one is meant?"""
    image = pattern(31, 22, 12)
    small = pattern(9, 7, 13)
    mask = Image.new("L", (31, 22), 90)

    def stored(images, order="<"):
        """Pages one after the other: the picture, entries beside it, and the pictures below it."""
        data = b"II*\0\0\0\0\0" if order == "<" else b"MM\0*\0\0\0\0"
        link = 4
        pending = [(images, None)]
        while pending:
            group, sub_link = pending.pop(0)
            for picture, extra, below in group:
                pixels = picture.tobytes()
                bits = [8] * len(picture.getbands())
                entries = [(256, 3, [picture.width]), (257, 3, [picture.height]), (258, 3, bits),
                           (259, 3, [1]), (262, 3, [2 if len(bits) == 3 else 1]),
                           (273, 4, [len(data)]), (277, 3, [len(bits)]),
                           (278, 3, [picture.height]), (279, 4, [len(pixels)])]
                own = {tag for tag, _, _ in extra}
                entries = [entry for entry in entries if entry[0] not in own] + extra
                data += pixels + bytes(len(pixels) % 2)
                if below:
                    entries.append((330, 4, [0] * len(below)))
                start = len(data)
                made = directory(entries, start, order=order)
                if sub_link is not None:
                    data = patched(data, sub_link, start, order)
                    sub_link += 4
                else:
                    data = patched(data, link, start, order)
                    link = start + 2 + 12 * len(entries)
                data += made
                if below:
                    # A single offset stands in the entry itself.
                    at = start + 2 + 12 * sorted(entries).index((330, 4, [0] * len(below))) + 8
                    if len(below) > 1:
                        at = struct.unpack_from(order + "I", data, at)[0]
                    pending.append((below, at))
        return data

    def patched(data, at, value, order):
        return data[:at] + struct.pack(order + "I", value) + data[at + 4:]

    reduced, is_mask, page, depth = (lambda bits: [(254, 4, [bits])]), 4, 2, 8
    whole = (image, [], [])
    cases = {
        "preview_first": [(small, reduced(1), []), (image, reduced(0), [])],
        "old_preview_first": [(small, [(255, 3, [2])], []), (image, [(255, 3, [1])], [])],
        "mask_first": [(mask, reduced(is_mask), []), whole],
        "depth_first": [(mask, reduced(depth), []), whole],
        "picture_first": [whole, (small, reduced(1), [])],
        "reduced_mask_and_page": [(small, reduced(is_mask | 1), []), (image, reduced(page), [])],
        "fax_pages": [(image, reduced(page), []), (small, reduced(page), [])],
        "below": [(small, reduced(1), [(small, reduced(0x10001), []), whole]), (mask, [], [])],
        "below_one": [(small, reduced(1), [whole])],
        "below_upright_page": [whole, (small, [], [(mask, [], [])])],
        "all_reduced": [(image, reduced(1), []), (small, reduced(1), [])],
    }
    for name, images in cases.items():
        keep(f"pages_{name}.tif", stored(images), image, 0, 0)
    keep("pages_big_endian.tif", stored(cases["below"], ">"), image, 0, 0)
    # What the picture below does not say is said above; its own orientation counts.
    above = [(small, reduced(1) + [(274, 3, [6])], [whole])]
    keep("pages_turned_above.tif", stored(above), turned(image, 6), 0, 0)
    own = [(small, reduced(1) + [(274, 3, [6])], [(image, [(274, 4, [3])], [])])]
    keep("pages_turned_below.tif", stored(own), turned(image, 3), 0, 0)
    # Colours that are decoded without the `image` crate.
    palette = image.quantize(256)
    colours = np.array(palette.getpalette("RGB") + [0] * 768)[:768].reshape(256, 3).T * 257
    extra = [(262, 3, [3]), (320, 3, colours.ravel().tolist())]
    indexed = stored([(small, reduced(1), []), (palette, extra, [])])
    keep("pages_palette.tif", indexed, palette.convert("RGB"), 0, 0)


def packed(values, bits):
    """Packs values of a few bits; each row begins at a new byte."""
    rows = ("".join(f"{value:0{bits}b}" for value in row) for row in values)
    rows = (row + "0" * (-len(row) % 8) for row in rows)
    return b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)


def page(pixels, width, height, bits, photometric, extra=None):
    """A TIFF with one uncompressed strip."""
    entries = [(256, 3, [width]), (257, 3, [height]), (258, 3, bits), (259, 3, [1]),
               (262, 3, [photometric]), (273, 4, [600]), (277, 3, [len(bits)]), (278, 3, [height]),
               (279, 4, [len(pixels)])]
    if extra:
        entries.append((extra[0], 3, extra[1]))
    return (b"II*\0\x08\0\0\0" + directory(entries, 8)).ljust(600, b"\0") + pixels


def tiff16(values):
    height, width, _ = values.shape
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, 1),
               (262, 3, 1, 2), (273, 4, 1, 200), (277, 3, 1, 3), (278, 3, 1, height),
               (279, 4, 1, values.nbytes)]
    start = 16
    data = b"II*\0" + struct.pack("<I", start) + struct.pack("<3H", 16, 16, 16) + b"\0\0"
    data += struct.pack("<H", len(entries))
    for tag, kind, n, value in entries:
        data += struct.pack("<HHII", tag, kind, n, value)
    data += struct.pack("<I", 0)
    return data + bytes(200 - len(data)) + values.astype("<u2").tobytes()


def exposed(light):
    """The documented exposure: the 99th percentile of the brightest channel is white, then sRGB's
    curve."""
    brightest = np.sort(light[..., :3].max(axis=-1), axis=None)
    white = brightest[int((len(brightest) - 1) * 0.99)]
    shown = np.clip(light[..., :3] / white, 0, 1)
    shown = np.where(shown <= 0.0031308, 12.92 * shown, 1.055 * shown ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.round(shown * 255).astype(np.uint8))


def light():
    image = np.asarray(pattern(50, 36, 3)).astype(np.float32) / 255
    light = (image ** 2.2) * 37
    light[3, 4] = 9000
    half = light.astype(np.float16)
    with tempfile.TemporaryDirectory() as folder:
        for name, compression, values in [
                ("zip.exr", OpenEXR.ZIP_COMPRESSION, half),
                ("piz.exr", OpenEXR.PIZ_COMPRESSION, half),
                ("float.exr", OpenEXR.NO_COMPRESSION, light)]:
            path = str(Path(folder) / name)
            header = {"compression": compression, "type": OpenEXR.scanlineimage}
            with OpenEXR.File(header, {"RGB": values}) as file:
                file.write(path)
            keep(name, Path(path).read_bytes(), exposed(values.astype(np.float32)))
    # Radiance's shared exponents, uncompressed.
    exponent = np.ceil(np.log2(light.max(axis=-1)) + 1e-9)
    mantissa = np.floor(light / 2 ** exponent[..., None] * 256).clip(0, 255)
    rgbe = np.concatenate([mantissa, exponent[..., None] + 128], axis=-1).astype(np.uint8)
    data = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 36 +X 50\n" + rgbe.tobytes()
    keep("plain.hdr", data, exposed(mantissa * 2.0 ** (exponent[..., None] - 8)), 2)


# ---------------------------------------------------------------------------- HEIC and AVIF

def boxes(data):
    """The names and contents of boxes (ISO/IEC 14496-12)."""
    at = 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8:at + size]
        at += size


def box(name, content):
    return struct.pack(">I4s", len(content) + 8, name) + content


def full(name, content, version=0, flags=0):
    return box(name, struct.pack(">I", version << 24 | flags) + content)


def coded(image, **options):
    """The configuration and the coded pixels of an HEVC picture, from x265's file."""
    heif = pillow_heif.from_pillow(image)
    out = io.BytesIO()
    heif.save(out, quality=90, **options)
    data = out.getvalue()
    meta = dict(boxes(data))[b"meta"][4:]
    meta = dict(boxes(meta))
    properties = dict(boxes(dict(boxes(meta[b"iprp"]))[b"ipco"]))
    pixels = dict(boxes(data))[b"mdat"]
    return properties[b"hvcC"], pixels


def heif(items, references, properties, primary, brand=b"heic"):
    """A HEIF file. An item is (type, content, indices of its properties, starting at 1)."""
    infos = b"".join(full(b"infe", struct.pack(">HH4s", n, 0, kind) + b"\0", 2)
                     for n, (kind, _, _) in enumerate(items, 1))
    refs = b"".join(box(kind, struct.pack(f">HH{len(to)}H", source, len(to), *to))
                    for kind, source, to in references)
    # Transformations are essential.
    associations = b""
    for n, (_, _, indices) in enumerate(items, 1):
        associations += struct.pack(">HB", n, len(indices))
        for index in indices:
            name = properties[index - 1][4:8]
            essential = 0x80 if name in (b"irot", b"imir", b"clap", b"hvcC") else 0
            associations += bytes([index | essential])

    def meta(start):
        locations = b""
        for n, (_, content, _) in enumerate(items, 1):
            locations += struct.pack(">HHHII", n, 0, 1, start, len(content))
            start += len(content)
        content = full(b"hdlr", bytes(4) + b"pict" + bytes(13))
        content += full(b"pitm", struct.pack(">H", primary))
        content += full(b"iloc", b"\x44\x00" + struct.pack(">H", len(items)) + locations)
        content += full(b"iinf", struct.pack(">H", len(items)) + infos)
        if refs:
            content += full(b"iref", refs)
        content += box(b"iprp", box(b"ipco", b"".join(properties))
                       + full(b"ipma", struct.pack(">I", len(items)) + associations))
        return full(b"meta", content)

    kind = box(b"ftyp", brand + bytes(4) + b"mif1" + brand)
    start = len(kind) + len(meta(0)) + 8
    content = b"".join(content for _, content, _ in items)
    return kind + meta(start) + box(b"mdat", content)


def ispe(width, height):
    return full(b"ispe", struct.pack(">II", width, height))


def inner(data, name):
    """The content of the only box of this name, wherever it is nested."""
    at = data.index(name)
    return data[at + 4:at - 4 + int.from_bytes(data[at - 4:at], "big")]


def nclx(primaries, transfer, matrix, full_range):
    return box(b"colr", b"nclx" + struct.pack(">3HB", primaries, transfer, matrix,
                                              0x80 if full_range else 0))


def heics():
    image = pattern(70, 52, 4)
    for name, source, options in [
            ("plain.heic", image, {}), ("grey.heic", image.convert("L"), {}),
            ("odd.heic", image.crop((0, 0, 69, 51)), {})]:
        heif_file = pillow_heif.from_pillow(source)
        out = io.BytesIO()
        heif_file.save(out, quality=80, **options)
        keep(name, out.getvalue(), opened(out.getvalue()), 2)
    transparent = Image.merge("RGBA", [*image.split(), alpha_of(70, 52)])
    out = io.BytesIO()
    pillow_heif.from_pillow(transparent).save(out, quality=90)
    keep("alpha.heic", out.getvalue(), on_white(opened(out.getvalue())), 2)
    # Ten bits.
    wide = (np.asarray(image).astype(np.uint16) * 257)
    out = io.BytesIO()
    pillow_heif.encode("RGB;16", (70, 52), wide.tobytes(), out, quality=90)
    # libheif drops the lower two bits; we round.
    keep("10bit.heic", out.getvalue(), opened(out.getvalue()), 2, 1)
    # The profile that phones write.
    wrapped = pillow_heif.from_pillow(image)
    wrapped.info["icc_profile"] = DISPLAY_P3
    wrapped.info["icc_profile_type"] = "prof"
    out = io.BytesIO()
    wrapped.save(out, quality=90)
    data = out.getvalue()
    assert b"prof" in data
    keep("p3.heic", data, to_srgb(opened(data).convert("RGB"), DISPLAY_P3), 3)

    # EXIF has an orientation: it counts where the container neither rotates nor mirrors, which
    # libheif leaves to its callers. The size is in whole blocks of at least 64, so that nothing is
    # padded.
    image = pattern(72, 64, 4)
    config, pixels = coded(image)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = [box(b"hvcC", config), ispe(72, 64), nclx(1, 13, 6, True)]
    exif_item = (b"Exif", struct.pack(">I", 6) + exif.tobytes(), [])
    item = (b"hvc1", pixels, [1, 2, 3])
    data = heif([item, exif_item], [(b"cdsc", 2, [1])], plain, 1)
    pixels_as_stored = opened(heif([item], [], plain, 1))
    keep("exif_6.heic", data, turned(pixels_as_stored, 6), 2)
    assert opened(data).size == (72, 64)

    # All rotations and mirrorings, in both orders, and a crop before them.
    clap = box(b"clap", struct.pack(">8I", 42, 1, 32, 1, 2**32 - 5, 1, 4, 1))
    cases = {
        "irot_90": [box(b"irot", b"\1")], "irot_180": [box(b"irot", b"\2")],
        "irot_270": [box(b"irot", b"\3")], "imir_0": [box(b"imir", b"\0")],
        "imir_1": [box(b"imir", b"\1")],
        "irot_imir": [box(b"irot", b"\1"), box(b"imir", b"\0")],
        "imir_irot": [box(b"imir", b"\0"), box(b"irot", b"\1")],
        "clap_irot": [clap, box(b"irot", b"\3")],
    }
    for name, turns in cases.items():
        properties = plain + turns
        data = heif([(b"hvc1", pixels, list(range(1, len(properties) + 1)))], [], properties, 1)
        keep(f"{name}.heic", data, opened(data), 2)
    for name, turns in {"irot_0": [box(b"irot", b"\0")], "irot_90": cases["irot_90"],
                        "imir_0": cases["imir_0"], "clap": [clap]}.items():
        properties = plain + turns
        item = (b"hvc1", pixels, list(range(1, len(properties) + 1)))
        shown = opened(heif([item], [], properties, 1))
        data = heif([item, exif_item], [(b"cdsc", 2, [1])], properties, 1)
        keep(f"exif_6_{name}.heic", data, turned(shown, 6) if name == "clap" else shown, 2)

    # No colour codes in the container, as phones write it: the coded picture's count.
    data = heif([(b"hvc1", pixels, [1, 2])], [], plain[:2], 1)
    assert b"colr" not in data
    keep("no_colr.heic", data, opened(data), 2)
    for matrix, is_full in [(1, False), (9, True)]:
        options = {"matrix_coefficients": matrix, "full_range_flag": int(is_full),
                   "color_primaries": 1, "transfer_characteristics": 13}
        config_m, pixels_m = coded(image, **options)
        for label, colour in [("told", [nclx(1, 13, matrix, is_full)]), ("untold", [])]:
            properties = [box(b"hvcC", config_m), ispe(72, 64), *colour]
            data = heif([(b"hvc1", pixels_m, list(range(1, len(properties) + 1)))], [],
                        properties, 1)
            keep(f"matrix_{matrix}_{label}.heic", data, opened(data), 2, 0.75)

    for chroma in (422, 444):
        out = io.BytesIO()
        pillow_heif.from_pillow(image).save(out, quality=80, chroma=chroma)
        keep_unsupported(f"{chroma}.heic", out.getvalue())

    # A grid of 3 x 2 tiles that exceeds the picture, rotated, as phones write it.
    width, height, side = 150, 100, 64
    whole = pattern(3 * side, 2 * side, 5)
    items, configs = [], []
    for n in range(6):
        x, y = n % 3 * side, n // 3 * side
        config, pixels = coded(whole.crop((x, y, x + side, y + side)))
        configs.append(config)
        items.append((b"hvc1", pixels, [1, 2, 3]))
    assert len(set(configs)) == 1
    grid = bytes([0, 0, 1, 2]) + struct.pack(">HH", width, height)
    items.append((b"grid", grid, [4, 3, 5]))
    properties = [box(b"hvcC", configs[0]), ispe(side, side), nclx(1, 13, 6, True),
                  ispe(width, height), box(b"irot", b"\3")]
    references = [(b"dimg", 7, list(range(1, 7)))]
    data = heif(items, references, properties, 7)
    keep("grid.heic", data, opened(data), 2)
    # The same without a rotation, but with EXIF, and without the length that an EXIF item begins
    # with.
    plain = items[:6] + [(b"grid", grid, [4, 3])]
    shown = opened(heif(plain, references, properties[:4], 7))
    exif_item = (b"Exif", exif.tobytes(), [])
    data = heif(plain + [exif_item], references + [(b"cdsc", 8, [7])], properties[:4], 7)
    keep("grid_exif_6.heic", data, turned(shown, 6), 2)
    # A tile is missing.
    missing = heif(items[:5] + items[6:], [(b"dimg", 6, list(range(1, 6)))], properties, 6)
    keep_unsupported("grid.heic", missing)


def avifs():
    image = pattern(70, 52, 6)
    for name, source, options in [
            ("plain.avif", image, {}), ("444.avif", image, {"subsampling": "4:4:4"}),
            ("422.avif", image, {"subsampling": "4:2:2"}),
            ("400.avif", image.convert("L"), {"subsampling": "4:0:0"}),
            ("limited.avif", image, {"range": "limited"}),
            ("odd.avif", image.crop((0, 0, 69, 51)), {})]:
        data = saved(source, "AVIF", quality=85, **options)
        # libavif interpolates the last column of colours with zeros where the width is odd.
        keep(name, data, opened(data), 20 if name == "odd.avif" else 6, 1.5)
    transparent = Image.merge("RGBA", [*image.split(), alpha_of(70, 52)])
    data = saved(transparent, "AVIF", quality=85)
    keep("alpha.avif", data, on_white(opened(data)), 6, 1.5)
    data = saved(image, "AVIF", quality=85, icc_profile=DISPLAY_P3)
    keep("p3.avif", data, to_srgb(opened(data).convert("RGB"), DISPLAY_P3), 8, 2)
    exif = Image.Exif()
    for orientation in (3, 5, 6, 8):
        exif[0x0112] = orientation
        data = saved(image, "AVIF", quality=85, exif=exif.tobytes())
        keep(f"turned_{orientation}.avif", data, ImageOps.exif_transpose(opened(data)), 6, 1.5)
    # EXIF alone, as some phones write it.
    data = saved(image, "AVIF", quality=85)
    config, pixels = inner(data, b"av1C"), data[data.index(b"mdat") + 4:]
    exif[0x0112] = 8
    item = (b"av01", pixels, [1, 2, 3])
    exif_item = (b"Exif", struct.pack(">I", 6) + exif.tobytes(), [])
    properties = [box(b"av1C", config), ispe(70, 52), nclx(1, 13, 6, True)]
    data = heif([item, exif_item], [(b"cdsc", 2, [1])], properties, 1, brand=b"avif")
    keep("exif_8.avif", data, turned(opened(heif([item], [], properties, 1, b"avif")), 8), 6, 1.5)
    data = saved(image, "AVIF", quality=85, save_all=True,
                 append_images=[pattern(70, 52, 7), pattern(70, 52, 8)])
    keep("animated.avif", data, opened(data), 6, 1.5)
    for n_bits in (10, 12):
        wide = (np.asarray(image).astype(np.uint16) << (n_bits - 8))
        data = imagecodecs.avif_encode(wide, level=90, bitspersample=n_bits)
        back = imagecodecs.avif_decode(data)
        keep(f"{n_bits}bit.avif", data,
             Image.fromarray(np.round(back / (2 ** n_bits - 1) * 255).astype(np.uint8)), 6, 1.5)


# ---------------------------------------------------------------------------- JPEG XL

def jxls():
    image = pattern(300, 270, 9)
    small = pattern(70, 52, 9)
    for name, source, options in [
            ("lossy.jxl", image, {"quality": 80}), ("lossless.jxl", small, {"lossless": True}),
            ("grey.jxl", small.convert("L"), {"lossless": True}),
            ("progressive.jxl", small, {"quality": 80, "progressive": True})]:
        data = saved(source, "JXL", **options)
        keep(name, data, opened(data), 0 if "lossless" in options else 3)
    transparent = Image.merge("RGBA", [*small.split(), alpha_of(70, 52)])
    data = saved(transparent, "JXL", lossless=True)
    keep("alpha.jxl", data, on_white(opened(data)))
    # imagecodecs writes 16 bits as linear light; the expected colours come from the profile that
    # libjxl returns.
    wide = np.asarray(small).astype(np.uint16) * 257
    data = imagecodecs.jpegxl_encode(wide, lossless=True)
    seen = opened(data)
    keep("linear16.jxl", data, to_srgb(seen, seen.info["icc_profile"]), 2)
    # Losslessly transcoded from a JPEG.
    jpeg = saved(small, "JPEG", quality=90)
    data = imagecodecs.jpegxl_encode_jpeg(jpeg)
    keep("from_jpeg.jxl", data, opened(data), 3, 0.75)


# ---------------------------------------------------------------------------- SVG

def svgs():
    """Shapes whose colours are known without a renderer. 384 x 192 is drawn at 768 x 384."""
    shapes = """<?xml version="1.0" encoding="UTF-8"?>
<!-- made by make_formats.py -->
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
     width="384" height="192" viewBox="0 0 384 192">
  <defs><rect id="box" width="64" height="64"/></defs>
  <use xlink:href="#box" fill="#ff0000"/>
  <use xlink:href="#box" x="64" fill="rgb(0,128,0)"/>
  <g opacity="0.5"><use xlink:href="#box" x="128" fill="#0000ff"/></g>
  <path d="M192 0h64v64h-64z" fill="#123456" transform="translate(0 64)"/>
  <image x="256" y="0" width="64" height="64" xlink:href="data:image/png;base64,PNG"/>
  <image x="320" y="0" width="64" height="64" xlink:href="/etc/hostname.png"/>
  <image x="320" y="64" width="64" height="64" xlink:href="http://127.0.0.1/a.png"/>
  <text x="10" y="150" font-size="40">left out</text>
</svg>
"""
    import base64
    png = base64.b64encode(saved(Image.new("RGB", (8, 8), (200, 100, 50)), "PNG")).decode()
    shapes = shapes.replace("PNG", png, 1)
    expected = Image.new("RGB", (768, 384), "white")
    draw = ImageDraw.Draw(expected)
    for x, y, colour in [(0, 0, (255, 0, 0)), (64, 0, (0, 128, 0)), (128, 0, (127, 127, 255)),
                         (192, 64, (0x12, 0x34, 0x56)), (256, 0, (200, 100, 50))]:
        draw.rectangle([2 * x, 2 * y, 2 * x + 127, 2 * y + 127], fill=colour)
    keep("shapes.svg", shapes.encode(), expected, 1)
    keep("shapes.svgz", gzip.compress(shapes.encode(), mtime=0), expected, 1)
    square = ("<?xml version='1.0' encoding='{}'?>"
              "<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'>"
              "<title>caf\xe9</title><rect width='4' height='8' fill='teal'/></svg>")
    expected = Image.new("RGB", (768, 768), "white")
    ImageDraw.Draw(expected).rectangle([0, 0, 383, 767], fill="teal")
    keep("utf16.svg", square.format("UTF-16").encode("utf-16"), expected, 0, 0)
    keep("latin1.svg", square.format("ISO-8859-1").encode("latin-1"), expected, 0, 0)


# ---------------------------------------------------------------------------- camera RAW

def directory(entries, start, after=0, order="<"):
    """A TIFF directory at an offset, followed by its longer values."""
    data = struct.pack(order + "H", len(entries))
    values = b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, kind, value in sorted(entries):
        letter, size = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4), 7: ("B", 1)}[kind]
        content = struct.pack(f"{order}{len(value)}{letter}", *value)
        if len(content) > 4:
            content_at = struct.pack(order + "I", behind + len(values))
            values += content + bytes(len(content) % 2)
            content = content_at
        data += struct.pack(order + "HHI", tag, kind, len(value)) + content.ljust(4, b"\0")
    return data + struct.pack(order + "I", after) + values


def raws():
    full_size = pattern(90, 64, 10)
    jpeg = saved(full_size, "JPEG", quality=92)
    thumbnail = saved(pattern(24, 16, 11), "JPEG")
    sensor = bytes(range(256)) * 8
    shown = opened(jpeg)

    def tiff(entries, sub, magic=b"II*\0\x08\0\0\0", orientation=6, extra=b""):
        """The thumbnail in the first directory, sensor data and the JPEG in its subdirectories."""
        start = len(magic) + len(extra)
        head = magic[:4] + struct.pack("<I", start) + magic[8:] + extra
        base = start + 400
        places = {"JPEG": base, "THUMB": base + len(jpeg),
                  "SENSOR": base + len(jpeg) + len(thumbnail)}
        filled = lambda es: [(t, k, [places.get(v, v) for v in vs]) for t, k, vs in es]
        first = filled(entries) + [(274, 3, [orientation])]
        first_data = directory(first + ([(330, 4, [0] * len(sub))] if sub else []), start)
        at, offsets, subs = start + len(first_data), [], b""
        for entries_below in sub:
            offsets.append(at)
            below = directory(filled(entries_below), at)
            at += len(below)
            subs += below
        first_data = directory(first + ([(330, 4, offsets)] if sub else []), start)
        data = head + first_data + subs
        assert len(data) <= base, len(data) - base
        return data.ljust(base, b"\0") + jpeg + thumbnail + sensor

    thumb = [(259, 3, [6]), (513, 4, ["THUMB"]), (514, 4, [len(thumbnail)])]
    raw_values = [(256, 4, [32]), (257, 4, [32]), (258, 3, [16]), (262, 3, [32803]),
                  (273, 4, ["SENSOR"]), (279, 4, [len(sensor)])]
    listed = [(256, 4, [90]), (257, 4, [64]), (259, 3, [7]), (262, 3, [6]), (273, 4, ["JPEG"]),
              (279, 4, [len(jpeg)])]
    by_offset = [(259, 3, [6]), (513, 4, ["JPEG"]), (514, 4, [len(jpeg)])]
    keep("plain.dng", tiff([(50706, 1, [1, 4, 0, 0])] + thumb, [raw_values + [(259, 3, [1])],
                                                             listed]), turned(shown, 6), 3)
    keep("plain.nef", tiff(thumb, [by_offset, raw_values + [(259, 3, [34713])]], orientation=8),
         turned(shown, 8), 3)
    keep("plain.arw", tiff(by_offset, [raw_values + [(259, 3, [32767])]], orientation=1), shown, 3)
    keep("plain.cr2", tiff([(259, 3, [6]), (273, 4, ["JPEG"]), (279, 4, [len(jpeg)])], [],
                           magic=b"II*\0\x10\0\0\0CR\2\0\0\0\0\0", orientation=3),
         turned(shown, 3), 3)
    # The preview is only listed in the maker note, so it must be searched for.
    keep("plain.orf", tiff(thumb, [], magic=b"IIRO\x08\0\0\0", orientation=6), turned(shown, 6), 3)
    keep("plain.pef", tiff(thumb + [(262, 3, [32803])], [], orientation=1), shown, 3)
    keep("plain.rw2", rw2(jpeg, 8), turned(shown, 8), 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    with_exif = saved(full_size, "JPEG", quality=92, exif=exif.tobytes())
    raf = b"FUJIFILMCCD-RAW 0201FF389501" + b"X-T0".ljust(32, b"\0") + bytes(24)
    raf += struct.pack(">II", 160, len(with_exif))
    keep("plain.raf", raf.ljust(160, b"\0") + with_exif + sensor,
         ImageOps.exif_transpose(opened(with_exif)), 3)
    settings = b"II*\0\x08\0\0\0" + directory([(274, 3, [6])], 8)
    moov = box(b"moov", box(b"uuid", bytes(16) + box(b"CMT1", settings)))
    preview = box(b"uuid", bytes(16) + box(b"PRVW", bytes(16) + jpeg))
    cr3 = box(b"ftyp", b"crx \0\0\0\1crx isom") + moov + preview + box(b"mdat", thumbnail + sensor)
    keep("plain.cr3", cr3, turned(shown, 6), 3)
    # A RAW file without any JPEG.
    (FOLDER / "no_preview.dng").write_bytes(
        b"II*\0\x08\0\0\0" + directory([(50706, 1, [1, 4, 0, 0]), (262, 3, [32803])], 8) + sensor)


def rw2(jpeg, orientation):
    entries = [(46, 7, list(jpeg)), (274, 3, [orientation])]
    return b"IIU\0\x18\0\0\0" + bytes(16) + directory(entries, 24)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    for make in (profiles, tiffs, pages, light, heics, avifs, jxls, svgs, raws):
        make()
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}"
                       for name, entry in sorted(GOLDEN.items()))
    (HERE / "formats.json").write_text("{\n" + lines + "\n}\n")
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(GOLDEN)} pictures, {total} bytes")
