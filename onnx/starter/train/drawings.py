"""Lists captioned drawings: Debian's openclipart (public domain), and Noto's emoji (OFL) with
their CLDR names.

usage: drawings.py PACKAGES_FOLDER WORK_FOLDER

PACKAGES_FOLDER holds the packages unpacked by run.sh. Writes WORK_FOLDER/drawings/*.png, composed
on white, and drawings.jsonl in the format of the captions' files.
"""

import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import Image

KINDS = (
    'animals buildings containers decorations education electronics food office people '
    'plants recreation science tools '
    'transportation unsorted'
).split()
# Series of nearly equal drawings.
SERIES = re.compile(r'games/(cards|chess)|stickmen|roadsigns|aiga|bodypart/finger')
NO_TITLE = re.compile(r'clip ?art|architetto|various|symbol|people|untitled|^\W*$', re.I)
NO_WORD = {
    '',
    'hash',
    'menu',
    'mapsym',
    'unsorted',
    'openclipart',
    'symbol',
    'shape',
    'icon',
    'simple',
    'carbohydrate',
    'protein',
}


def words_of(title, keywords):
    """Three captions of a drawing, or None if its words are not usable."""
    keywords = [
        k
        for k in dict.fromkeys(k.strip().lower() for k in keywords)
        if k not in NO_WORD and 'architetto' not in k and not re.search(r'\d', k)
    ]
    title = re.sub(r'[\W\d_]+', ' ', title).strip().lower()
    if NO_TITLE.search(title):
        title = keywords.pop() if keywords else ''
    if not title:
        return None
    others = [k for k in keywords if k != title]
    return [
        title,
        f'a drawing of a {title}',
        ', '.join([title, *others]) if others else f'clip art: {title}',
    ]


def openclipart(root):
    png, svg = (root / f'usr/share/openclipart/{kind}' for kind in ('png', 'svg'))
    for kind in KINDS:
        for file in sorted((svg / kind).rglob('*.svg')):
            name = file.relative_to(svg).with_suffix('.png')
            found = re.search(r'<metadata.*?</metadata>', file.read_text(errors='replace'), re.S)
            if found and not SERIES.search(str(name)) and (png / name).exists():
                title = re.search(r'<dc:title>([^<]*)<', found[0])
                texts = words_of(
                    title[1] if title else '', re.findall(r'<rdf:li>([^<]*)<', found[0])
                )
                if texts:
                    yield Image.open(png / name), texts


def emoji(root):
    font = TTFont(root / 'usr/share/fonts/truetype/noto/NotoColorEmoji.ttf')
    glyphs, pictures, names, keywords = font.getBestCmap(), font['CBDT'].strikeData[0], {}, {}
    for entry in ET.parse(root / 'usr/share/unicode/cldr/common/annotations/en.xml').iter(
        'annotation'
    ):
        (names if entry.get('type') == 'tts' else keywords)[entry.get('cp')] = entry.text
    for symbol, name in names.items():
        symbol = symbol.rstrip('\ufe0f')
        glyph = glyphs.get(ord(symbol)) if len(symbol) == 1 else None
        if glyph in pictures and ord(symbol) > 0x2000:
            texts = words_of(name, (keywords.get(symbol) or '').split('|'))
            if texts:
                yield Image.open(io.BytesIO(pictures[glyph].imageData)), texts


def main(packages, work):
    folder = work / 'drawings'
    folder.mkdir(parents=True, exist_ok=True)
    with open(work / 'drawings.jsonl', 'w') as out:
        for source in (openclipart, emoji):
            for n, (picture, texts) in enumerate(source(packages)):
                name = f'{source.__name__}-{n:04}.png'
                picture.thumbnail((400, 400))
                picture = picture.convert('RGBA')
                white = Image.new('RGBA', picture.size, 'white')
                white.alpha_composite(picture)
                white.convert('RGB').save(folder / name)
                print(json.dumps({'image': f'drawings/{name}', 'captions': texts}), file=out)
            print(f'{source.__name__}: {n + 1} drawings')


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
