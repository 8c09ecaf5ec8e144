"""Makes the pictures for `sightline models check`: from a few of the sample photos, and two balls.

    python src/models/pictures/make.py      (needs Pillow)
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

HERE = Path(__file__).resolve().parent
PHOTOS = HERE.parents[2] / "tests" / "data" / "photos"
# In the public domain, or CC0.
CHOSEN = [
    "animals/clownfish.webp",
    "animals/crab.jpg",
    "animals/german_shepherd.jpg",
    "animals/giraffes.jpg",
    "animals/horses.jpg",
    "animals/panda.jpg",
    "buildings/colosseum.jpg",
    "buildings/windmills.jpg",
    "flowers/bee_on_aster.jpg",
    "flowers/tulips.png",
    "food/citrus_slices.jpg",
    "food/coffee.jpg",
    "night/rocket.jpg",
    "objects/scissors.jpg",
    "people/orchestra.jpg",
    "sea/rocky_shore.jpg",
]
SHORT_SIDE = 224

for name in CHOSEN:
    picture = ImageOps.exif_transpose(Image.open(PHOTOS / name))
    picture = picture.convert("RGB")
    scale = SHORT_SIDE / min(picture.size)
    size = [round(side * scale) for side in picture.size]
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    picture.save(HERE / (Path(name).stem + ".jpg"), quality=80, optimize=True)

# Equal but for their colour: a program that swaps red and blue takes one for the other.
for name, colour in {"red_ball": (220, 20, 20), "blue_ball": (20, 20, 220)}.items():
    picture = Image.new("RGB", (SHORT_SIDE, SHORT_SIDE), (255, 255, 255))
    ImageDraw.Draw(picture).ellipse((40, 40, 184, 184), fill=colour)
    picture.save(HERE / (name + ".jpg"), quality=80, optimize=True)
