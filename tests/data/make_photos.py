#!/usr/bin/env python3
"""Recreates tests/data/photos/ and its ATTRIBUTION.md from distribution packages.

Download and unpack the packages (nothing is installed), then run the script:

    mkdir pkgs && cd pkgs
    for p in PACKAGES; do apt-get download $p; dpkg -x ${p}_*.deb $p; done
    python3 make_photos.py pkgs

where PACKAGES are the keys of `PACKAGES` below, in the versions given there.
Needs Pillow and NumPy. captions.jsonl is written by hand and not changed.
"""

import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

OUT = Path(__file__).parent / "photos"
LONGEST = 800  # px
QUALITY = 82  # JPEG and WebP

# package: (version, file that names the author of each picture)
PACKAGES = {
    "gcompris-qt-data": (
        "3.1-2",
        "the README beside each picture in the upstream source of gcompris-qt names its Wikimedia Commons page, "
        "author and licence (the Debian copyright file lists the pictures of an earlier release)",
    ),
    "scratch": ("1.4.0.6~dfsg1-6.1", "debian/copyright, `Media/*`"),
    "lomiri-wallpapers-16.04": ("20.04.0-2", "debian/copyright, file by file"),
    "python3-skimage": ("0.19.3-8", "the notes of each function in `skimage/data/_fetchers.py`"),
    "python3-sklearn": ("1.2.1+dfsg-1", "`sklearn/datasets/images/README.txt`"),
    "palapeli-data": ("4:22.12.3-1", "the `.desktop` file beside each picture"),
    "libjxl-testdata": (
        "0.0~git20230110.d6168ff-1",
        "debian/copyright and `external/wesaturate/README.md`; the file name contains the photographer's name",
    ),
}

COMMONS = "https://commons.wikimedia.org/wiki/File:"
LICENCES = {
    "Public domain": None,
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-2.0": "https://creativecommons.org/licenses/by/2.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "BSD-3-Clause": "https://opensource.org/license/bsd-3-clause",
}
PD, CC0 = "Public domain", "CC0-1.0"
BY2, BY4, SA3, SA4 = "CC-BY-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"


def gcompris(activity, path, author, licence, page):
    rcc = f"usr/share/gcompris-qt/rcc/{activity}.rcc"
    inner = f"gcompris/src/activities/{activity}/resource/{path}.webp"
    return ("gcompris-qt-data", f"{rcc}!{inner}", author, licence, COMMONS + page)


def erase(name, author, licence, page):
    return gcompris("erase", name, author, licence, page)


def farm(name, author, page):
    return gcompris("explore_farm_animals", f"animals/{name}", author, PD, page)


def world(name, author, page):
    return gcompris("explore_world_animals", f"animals/{name}", author, PD, page)


def music(name, author, licence, page):
    return gcompris("explore_world_music", f"music/{name}", author, licence, page)


def wonder(name, author, licence, page):
    return gcompris("explore_monuments", name, author, licence, page)


def sorting(name, author, page, licence=PD):
    return gcompris("categorization", f"images/{name}", author, licence, page)


def scratch(path):
    return (
        "scratch",
        f"usr/share/scratch/Media/{path}",
        "Massachusetts Institute of Technology (Scratch team)",
        SA3,
        None,
    )


def lomiri(name, author, licence):
    return (
        "lomiri-wallpapers-16.04",
        f"usr/share/backgrounds/{name}.jpg",
        author,
        licence,
        None,
    )


def skimage(name, author, licence):
    base = "usr/lib/python3/dist-packages/skimage/data"
    return ("python3-skimage", f"{base}/{name}", author, licence, None)


def palapeli(name, author, page):
    base = "usr/share/palapeli/collection"
    return ("palapeli-data", f"{base}/{name}.jpg", author, PD, COMMONS + page)


def libjxl(path, author, licence):
    return ("libjxl-testdata", f"usr/share/libjxl-testdata/{path}.png", author, licence, None)


# our file: (source, encoding details)
PHOTOS = {
    "animals/butterfly.jpg": (erase("butterfly", "Jee & Rani Nature Photography", SA4, "Parantica_aglea_at_Nayikayam_Thattu.jpg"), {}),
    "animals/camels.jpg": (erase("camels", "Alexandr Frolov", SA4, "Camelus_bactrianus_in_western_Mongolia_02.jpg"), {}),
    "animals/clownfish.webp": (sorting("fishes/fish9", "Jan Derk", "Common_clownfish.jpg"), {}),
    "animals/cow.jpg": (farm("cow", "Dohduhdah", "Cow-IMG_2050.JPG"), {}),
    "animals/crab.jpg": (erase("crab", "Nosferattus", CC0, "Sally_Lightfoot_Crab_2019.jpg"), {}),
    "animals/elephant.png": (scratch("Costumes/Animals/elephant.gif"), {"alpha": True, "square": True}),
    "animals/german_shepherd.jpg": (farm("dog", "Hans Kemperman", "German-shepherd-4040871920._(2).jpg"), {}),
    "animals/giraffes.jpg": (world("giraffe", "Mike and Lara Wolfe", "Giraffe_courtship_(25657342808).jpg"), {}),
    "animals/hens.jpg": (farm("chicken", "Tranquilles", "Chickens_at_Tranquilles_B%26B.JPG"), {}),
    "animals/horses.jpg": (farm("horse", "Seth Zeigler", "Nokota_Horse_Stud_Band.jpg"), {}),
    "animals/kingfisher.jpg": (erase("kingfisher", "Frank-2.0", CC0, "Eisvogel_kingfisher.jpg"), {}),
    "animals/kitten.jpg": (erase("kitten", "GalgenTX", BY2, "A_posing_kitten_(Flickr).jpg"), {}),
    "animals/koala.jpg": (world("koala", "BurningWell", "Koala_Perth_Zoo.jpg"), {"orientation": 6}),
    "animals/macaw.jpg": (world("scarlet_macaw", "Dcoetzee", "Scarlet_macaw_at_Cougar_Mountain_Zoological_Park.jpg"), {"mode": "CMYK"}),
    "animals/meerkats.jpg": (erase("meerkats", "Charles J. Sharp", SA4, "Meerkat_(Suricata_suricatta)_Tswalu.jpg"), {}),
    "animals/panda.jpg": (world("panda", "Jeff Kubina", "Giant_Panda_2004-03-2.jpg"), {}),
    "animals/penguin.jpg": (erase("penguin", "Gordon Leggett", SA4, "2019-03-03_Chinstrap_penguin_on_Barrientos_Island,_Antarctica.jpg"), {}),
    "animals/spaniels_at_window.jpg": (lomiri("friends_by_Aitzol_Berasategi", "Aitzol Berasategi", BY4), {"orientation": 8}),
    "animals/swans.jpg": (erase("swans", "Charles J. Sharp", SA4, "Mute_swans_(Cygnus_olor)_and_cygnets.jpg"), {}),
    "buildings/colosseum.jpg": (wonder("wonders/colosseum", "Urse Ovidiu", PD, "Colosseum_Roma_2009.jpg"), {}),
    "buildings/eiffel_tower.jpg": (sorting("monuments/eiffelTower", "Alex Liivet", "Eiffel_Tower_(26514311499).jpg"), {}),
    "buildings/golden_temple.jpg": (wonder("india/goldenTemple", "Jasdeep Singh", PD, "Golden_Temple_.jpg"), {}),
    "buildings/machu_picchu.jpg": (wonder("wonders/machuPicchu", "Guillaume Pascal", PD, "Yet_another_pic_of_machu_picchu.jpg"), {}),
    "buildings/pagoda.jpg": (
        (
            "python3-sklearn",
            "usr/lib/python3/dist-packages/sklearn/datasets/images/china.jpg",
            "danielbuechele",
            BY2,
            "https://www.flickr.com/photos/danielbuechele/6061409035/",
        ),
        {},
    ),
    "buildings/solar_roof.jpg": (sorting("renewable/solar6", "Pujanak", "Solar_panels_on_a_roof.jpg"), {}),
    "buildings/taj_mahal.jpg": (wonder("wonders/tajMahal", "Yann", SA4, "Taj_Mahal,_Agra,_India.jpg"), {}),
    "buildings/windmills.jpg": (sorting("renewable/windmill3", "Ykliu", "Mykonos_windmills.jpg"), {}),
    "flowers/bee_on_aster.jpg": (palapeli("european-honey-bee", "John Severns", "European_honey_bee_extracts_nectar.jpg"), {}),
    "flowers/cherry_blossom.jpg": (libjxl("external/wesaturate/500px/u76c0g_bliznaca_srgb8", "bliznaca (wesaturate.com)", CC0), {}),
    "flowers/dandelions.jpg": (lomiri("seeding_by_Clements_Engelhardt", "Clemens Engelhardt", CC0), {}),
    "flowers/tulips.png": (libjxl("external/wesaturate/500px/tmshre_riaphotographs_alpha", "riaphotographs (wesaturate.com)", CC0), {"alpha": True, "longest": 400}),
    "flowers/zinnias.gif": (scratch("Backgrounds/Nature/flowers.gif"), {}),
    "food/citrus_slices.jpg": (palapeli("citrus-fruits", "US Department of Agriculture", "Citrus_fruits.jpg"), {}),
    "food/coffee.jpg": (skimage("coffee.png", "Rachel Michetti, for Pikolo Espresso Bar", CC0), {}),
    "food/fig.jpg": (lomiri("Picture_0B_by_freespace", 'Trevor "Freespace"', BY4), {}),
    "indoors/clothes_shop.jpg": (scratch("Backgrounds/Indoors/clothing-store.jpg"), {}),
    "indoors/drawing_room.jpg": (libjxl("jxl/hdr_room", "the JPEG XL Project Authors", "BSD-3-Clause"), {}),
    "indoors/drum_and_wine.jpg": (lomiri("Wine_by_Jakkub_Mede", "Jakub Mede", BY4), {}),
    "indoors/kitchen.jpg": (scratch("Backgrounds/Indoors/kitchen.jpg"), {}),
    "nature/forest_stream.jpg": (lomiri("life_by_Aitzol_Berasategi", "Aitzol Berasategi", BY4), {}),
    "nature/hay_bales.jpg": (scratch("Backgrounds/Outdoors/hay_field.jpg"), {}),
    "nature/mountain_path.jpg": (lomiri("picosdeeuropa_by_Aitzol_Berasategi", "Aitzol Berasategi", BY4), {}),
    "nature/railway_valley.jpg": (scratch("Backgrounds/Outdoors/train-tracks1.jpg"), {}),
    "nature/sunset_hills.jpg": (lomiri("sunset_by_Aitzol_Berasategi", "Aitzol Berasategi", BY4), {}),
    "night/city_skyline.jpg": (scratch("Backgrounds/Outdoors/city-with-water.jpg"), {}),
    "night/galaxies.jpg": (skimage("hubble_deep_field.jpg", "NASA (Hubble Space Telescope)", PD), {"longest": 500}),
    "night/rocket.jpg": (skimage("rocket.jpg", "SpaceX", PD), {}),
    "night/suspension_bridge.jpg": (palapeli("cincinnati-bridge", "Derek Jensen", "Cincinnati-roebling-suspension-bridge.jpg"), {}),
    "night/winter_palace.jpg": (sorting("monuments/zimniPalace", "AndreyA", "WinterPalactNight-center.jpg"), {}),
    "objects/cutlery.jpg": (sorting("others/knife", "Perblo", "Folke_Arstrom_Facette.jpg"), {}),
    "objects/drum_kit_and_guitar.jpg": (music("america", "Tom Harpel", BY2, "Onalaska-Practice6.jpg"), {}),
    "objects/light_bulb.png": (sorting("others/bulb", "Vitaium", "Philips_LED_bulb.jpg"), {"sixteen_bit": True, "longest": 160}),
    "objects/paintbrushes.jpg": (lomiri("Picture_1A_by_freespace", 'Trevor "Freespace"', BY4), {}),
    "objects/scissors.jpg": (sorting("tools/scissors1", "Evan-Amos", "Fiskars-scissors.jpg"), {}),
    "people/astronaut.jpg": (skimage("astronaut.png", "NASA", PD), {}),
    "people/breakdancers.gif": (
        scratch("Costumes/People/breakdancer1.gif"),
        {"frames": ["breakdancer1.gif", "breakdancer2.gif", "breakdancer3.gif"]},
    ),
    "people/mariachi.jpg": (music("mexico", "Elidealista", PD, "Wikipedia_10_Guadalajara_-_Mariachi.jpg"), {}),
    "people/orchestra.jpg": (music("orchestra", "ABC Informática", PD, "Orchestra_of_the_18th_Century.jpg"), {}),
    "people/photographer.jpg": (skimage("camera.png", "Lav Varshney", CC0), {"mode": "L"}),
    "people/taiko_drummers.jpg": (music("japan", "takami torao", PD, "Agidaiko03.jpg"), {}),
    "sea/beach.jpg": (scratch("Backgrounds/Nature/beach-malibu.jpg"), {}),
    "sea/rocky_shore.jpg": (libjxl("external/wesaturate/500px/cvo9xd_keong_macan_srgb8", "keong_macan (wesaturate.com)", CC0), {}),
    "sea/wave.jpg": (scratch("Backgrounds/Nature/wave.jpg"), {}),
    "snow/igloo.jpg": (sorting("others/igloo", "Estormiz", "Igloo_Cafe_Oulu_20180330_02.jpg"), {}),
    "sport/baseball_stadium.jpg": (scratch("Backgrounds/Sports/baseball-field.jpg"), {}),
    "sport/basketball_court.jpg": (scratch("Backgrounds/Sports/basketball-court1-a.jpg"), {}),
    "sport/football_stadium.jpg": (scratch("Backgrounds/Sports/football-field.jpg"), {}),
    "streets/brick_warehouse.jpg": (scratch("Backgrounds/Outdoors/building-fireproof.jpg"), {}),
    "streets/playground.jpg": (scratch("Backgrounds/Outdoors/atom-playground.jpg"), {}),
    "streets/shacks.jpg": (scratch("Backgrounds/Outdoors/houses.jpg"), {}),
    "vehicles/blue_car.png": (scratch("Costumes/Transportation/car-blue.gif"), {"alpha": True, "square": True}),
    "vehicles/bus.png": (scratch("Costumes/Transportation/bus.gif"), {"alpha": True, "square": True}),
    "vehicles/sailing_ship.png": (scratch("Costumes/Transportation/sail-boat.gif"), {"alpha": True, "square": True}),
}


def rcc_file(blob, wanted):
    """One file of a Qt binary resource (versions 1 to 3): big-endian tree, names and data."""
    version, tree, data, names = struct.unpack(">4I", blob[4:20])
    size = 14 if version == 1 else 22

    def entry(i):
        at = tree + i * size
        name_at, flags = struct.unpack(">IH", blob[at : at + 6])
        (length,) = struct.unpack(">H", blob[names + name_at : names + name_at + 2])
        start = names + name_at + 6
        return blob[start : start + 2 * length].decode("utf-16-be"), flags, at

    at = entry(0)[2]
    for part in wanted.split("/"):
        count, first = struct.unpack(">2I", blob[at + 6 : at + 14])
        named = {name: (flags, place) for name, flags, place in map(entry, range(first, first + count))}
        flags, at = named[part]
    start = data + struct.unpack(">I", blob[at + 10 : at + 14])[0]
    (length,) = struct.unpack(">I", blob[start : start + 4])
    body = blob[start + 4 : start + 4 + length]
    return zlib.decompress(body[4:]) if flags & 1 else body


def open_source(root, package, path):
    file, _, inner = path.partition("!")
    blob = (root / package / file).read_bytes()
    image = Image.open(BytesIO(rcc_file(blob, inner) if inner else blob))
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if profile and image.mode == "RGB":
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(BytesIO(profile)), srgb)
    return image


def scaled(image, longest):
    factor = longest / max(image.size)
    if factor >= 1:
        return image
    size = tuple(max(1, round(side * factor)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS)


def on_white(image):
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def save_sixteen_bit(image, path, longest):
    """Writes RGB with 16 bits per channel, which Pillow cannot write. Averages whole blocks of
    pixels, so that the low bits are used."""
    step = -(-max(image.size) // longest)
    pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    rows, columns = (side // step for side in pixels.shape[:2])
    blocks = pixels[: rows * step, : columns * step].reshape(rows, step, columns, step, 3)
    values = np.rint(blocks.mean(axis=(1, 3)) * 257).astype(">u2")

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    lines = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">2I5B", columns, rows, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    )


def save_animation(root, source, names, path):
    folder = (root / source[0] / source[1]).parent
    frames = [on_white(Image.open(folder / name)) for name in names]
    width, height = (max(frame.size[axis] for frame in frames) for axis in (0, 1))
    frames = [ImageOps.pad(frame, (width, height), color="white") for frame in frames]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=600, loop=0)


def make(root, name, source, special):
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    longest = special.get("longest", LONGEST)
    if "frames" in special:
        return save_animation(root, source, special["frames"], path)
    image = open_source(root, source[0], source[1])
    if special.get("sixteen_bit"):
        return save_sixteen_bit(image, path, longest)
    if path.suffix == ".gif":
        return image.save(path, optimize=True)
    if special.get("alpha"):
        image = scaled(image.convert("RGBA"), longest)
        if special.get("square"):
            side = max(image.size)
            image = ImageOps.pad(image, (side, side), color=(0, 0, 0, 0))
        return image.save(path, optimize=True)
    image = scaled(on_white(image), longest).convert(special.get("mode", "RGB"))
    if path.suffix == ".png":
        return image.save(path, optimize=True)
    options = {"quality": QUALITY}
    if path.suffix == ".jpg":
        options["optimize"] = True
    if "orientation" in special:
        turn = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[special["orientation"]]
        image = image.transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = special["orientation"]
        options["exif"] = exif
    image.save(path, **options)


def changes(name, special):
    done = [f"scaled to at most {special.get('longest', LONGEST)} px, recompressed as {Path(name).suffix[1:]}"]
    if name.endswith(".gif") and "frames" not in special:
        done = ["palette rewritten"]
    if "frames" in special:
        done = ["three cut-outs joined into an animation on white"]
    if special.get("square"):
        done = ["transparent GIF rewritten as PNG with alpha, on a square transparent canvas"]
    if "orientation" in special:
        done.append(f"stored turned, with EXIF orientation {special['orientation']}")
    if special.get("sixteen_bit"):
        done.append("16 bits a channel by averaging blocks")
    if special.get("mode") == "CMYK":
        done.append("converted to CMYK")
    return "; ".join(done)


def attribution():
    lines = [
        "# Photo credits",
        "",
        "`tests/data/make_photos.py` extracted every photo from a package of Debian 12. Each may be",
        "redistributed under the licence in its row, and was also converted to sRGB and stripped of metadata.",
        "A photo under a share-alike licence is under that licence in the form found here, too. The captions",
        "in `captions.jsonl` were written for this project. The script makes the files in `broken/`; they",
        "contain no pictures, but `truncated.jpg` is the first bytes of `buildings/colosseum.jpg`.",
        "",
        "| file | package | original file | author | licence | changes |",
        "|---|---|---|---|---|---|",
    ]
    for name, (source, special) in sorted(PHOTOS.items()):
        package, path, author, licence, page = source
        short = path.split("!")[-1].removeprefix("gcompris/src/activities/")
        if "frames" in special:
            short = ", ".join(f"{Path(path).parent}/{frame}" for frame in special["frames"])
        original = f"[{short}]({page})" if page else short
        link = LICENCES[licence]
        shown = f"[{licence}]({link})" if link else licence
        version = PACKAGES[package][0]
        lines.append(
            f"| {name} | {package} {version} | {original} | {author} | {shown} | {changes(name, special)} |"
        )
    lines += ["", "Where each package states authors and licences:", ""]
    lines += [f"- {package} {version}: {where}." for package, (version, where) in PACKAGES.items()]
    return "\n".join(lines) + "\n"


def broken():
    folder = OUT / "broken"
    folder.mkdir(exist_ok=True)
    (folder / "empty.jpg").write_bytes(b"")
    # Cut inside the tables, before the first scan, so that no decoder can read it.
    (folder / "truncated.jpg").write_bytes((OUT / "buildings/colosseum.jpg").read_bytes()[:400])
    (folder / "text.png").write_text("These words are not a picture, whatever the name of the file says.\n")


def main():
    root = Path(sys.argv[1])
    for name, (source, special) in PHOTOS.items():
        make(root, name, source, special)
    broken()
    (OUT / "ATTRIBUTION.md").write_text(attribution())
    print(f"{len(PHOTOS)} photos, {sum(f.stat().st_size for f in OUT.rglob('*')) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
