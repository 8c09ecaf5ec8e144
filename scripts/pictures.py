#!/usr/bin/env python3
"""Draws docs/questions.jpg, ten questions to an index of the sample photos with their answers, and
docs/gallery.jpg, a page of hits as the program writes it.

    python3 scripts/pictures.py target/release/sightline

Needs Chromium with a Chinese font, and Pillow. All answers are real output.
"""

import base64
import io
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from PIL import Image, ImageChops

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests/data"
SHOWN, SIZE, WIDTH = 4, 150, 960
QUESTIONS = [
    'sightline search "a bridge lit up at night"',
    'sightline search "夜晚的城市"',
    'sightline search "flowers -yellow type:png type:gif"',
    'sightline search "animals, no birds"',
    'sightline search "at night" --plus photos/buildings/taj_mahal.jpg',
    "sightline similar photos/sport/football_stadium.jpg",
    "sightline captions photos/animals/panda.jpg",
    "sightline captions photos/food/coffee.jpg --from bank",
    "sightline tag photos/nature/forest_stream.jpg",
    'sightline explain photos/flowers/bee_on_aster.jpg "a bee on a purple flower"',
]
GALLERY = [
    'sightline search "a dog looking out of a window" -k 4',
    'sightline search "bridge at night" -k 4',
]
STYLE = """
body { font: 15px/1.4 sans-serif; background: #fff; color: #1c1f26; margin: 20px; width: 920px }
code { font: 15px monospace; background: #1c1f26; color: #d5d8df; padding: 4px 10px; display: block }
section { margin-bottom: 18px } .hits { display: flex; gap: 10px; margin-top: 8px }
figure { margin: 0 } img { height: 150px; max-width: 230px; object-fit: cover; display: block }
img.map { height: 260px; max-width: 400px }
figcaption { color: #5a6372; font-size: 13px } ul { margin: 0 0 0 20px; padding: 0 }
"""


def run(program, index, command, *more):
    words = [program, "--quiet", "--index", index, *shlex.split(command)[1:], *more]
    done = subprocess.run(words, cwd=DATA, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"error: {shlex.join(words)} failed\n{done.stderr}")
    return done.stdout


def picture(path):
    """The picture as a small JPEG in a data URI."""
    with Image.open(DATA / path) as image:
        image.seek(0)
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
        image.thumbnail((2 * SIZE * 2, 2 * SIZE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def figure(path, words=""):
    return f'<figure><img src="{picture(path)}"><figcaption>{escape(words)}</figcaption></figure>'


def strength(hit):
    return "" if hit.get("confidence") is None else f'{hit["confidence"]:.2f} {hit["strength"]}'


def answer(program, index, command):
    verb, asked = shlex.split(command)[1:3]
    if verb == "explain":
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "map.png"
            run(program, index, command, "--output", str(out))
            return figure(out).replace("<img", '<img class="map"')
    found = json.loads(run(program, index, command, "--json"))
    if verb in ("search", "similar"):
        hits = found["hits"][:SHOWN]
        return "".join(figure(hit["path"], strength(hit)) for hit in hits)
    rows = found["hits"] if verb == "captions" else found["pictures"][0]["tags"]
    lines = [f'{row.get("text") or row["tag"]} – {strength(row)}' for row in rows[:SHOWN + 1]]
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return figure(asked) + f"<ul>{listed}</ul>"


def photograph(browser, page, width, out):
    """Saves what a browser shows of a page, without the empty rest below it."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        subprocess.run([browser, "--headless", "--no-sandbox", "--hide-scrollbars",
                        f"--window-size={width},3000", f"--screenshot={shot}", page.as_uri()],
                       check=True, capture_output=True)
        image = Image.open(shot).convert("RGB")
    empty = Image.new("RGB", image.size, image.getpixel((0, image.height - 1)))
    bottom = ImageChops.difference(image, empty).getbbox()[3]
    image.crop((0, 0, width, bottom + 20)).save(out, quality=82, optimize=True)


def main(program):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("error: Chromium is missing: install chromium")
    program = str(Path(program).resolve())
    with tempfile.TemporaryDirectory() as folder:
        index, page = f"{folder}/index", Path(folder) / "page.html"
        run(program, index, "sightline index photos --captions photos/captions.jsonl")
        sections = [
            f'<section><code>$ {escape(command)}</code><div class="hits">'
            f"{answer(program, index, command)}</div></section>"
            for command in QUESTIONS
        ]
        page.write_text(f"<meta charset=utf-8><style>{STYLE}</style>{''.join(sections)}")
        photograph(browser, page, WIDTH, ROOT / "docs/questions.jpg")
        page.unlink()
        for command in GALLERY:
            run(program, index, command, "--html", str(page), "--append")
        photograph(browser, page, 900, ROOT / "docs/gallery.jpg")


if __name__ == "__main__":
    main(sys.argv[1])
