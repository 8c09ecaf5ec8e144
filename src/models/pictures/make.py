"""Makes the pictures for `sightline models check` from a few of the sample photos.

    python src/models/pictures/make.py      (needs Pillow)
"""

from pathlib import Path

from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
PHOTOS = HERE.parents[2] / "tests" / "data" / "photos"
# In the public domain, or CC0.
CHOSEN = [
    "animals/german_shepherd.jpg",
    "animals/horses.jpg",
    "animals/panda.jpg",
    "buildings/colosseum.jpg",
    "flowers/tulips.png",
    "food/citrus_slices.jpg",
    "food/coffee.jpg",
    "people/orchestra.jpg",
]
SHORT_SIDE = 224

for name in CHOSEN:
    picture = ImageOps.exif_transpose(Image.open(PHOTOS / name))
    picture = picture.convert("RGB")
    scale = SHORT_SIDE / min(picture.size)
    size = [round(side * scale) for side in picture.size]
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    picture.save(HERE / (Path(name).stem + ".jpg"), quality=80, optimize=True)
