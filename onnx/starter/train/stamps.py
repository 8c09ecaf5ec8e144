"""Lists the cut-outs and clip-art of Debian's tuxpaint-stamps-default with their names, to measure
words in many languages.

usage: stamps.py PACKAGE WORK_FOLDER

PACKAGE holds the unpacked package. Writes WORK_FOLDER/stamps/*.png, composed on white, and
WORK_FOLDER/stamps/LANGUAGE.jsonl for each language, in the format of the captions' files; a
language has those stamps whose name it translates. They are never trained on.
"""

import json
import re
import sys
from pathlib import Path

from PIL import Image

from phrases import LANGUAGES

CODES = {'zh': 'zh_CN'}  # others are the language's own


def main(package, work):
    folder = work / 'stamps'
    folder.mkdir(parents=True, exist_ok=True)
    rows = {language: [] for language in LANGUAGES}
    for number, file in enumerate(sorted((package / 'usr/share/tuxpaint/stamps').rglob('*.txt'))):
        if not file.with_suffix('.png').exists():
            continue
        english, *others = file.read_text(errors='replace').splitlines()
        names = {
            'en': english,
            **{
                code: name
                for code, name in re.findall(r'^(\w+)\.utf8=(.+)$', '\n'.join(others), re.M)
            },
        }
        picture = Image.open(file.with_suffix('.png')).convert('RGBA')
        picture.thumbnail((400, 400))
        white = Image.new('RGBA', picture.size, 'white')
        white.alpha_composite(picture)
        white.convert('RGB').save(folder / f'{number:03}.png')
        for language in LANGUAGES:
            # A name that is left in English is no translation.
            name = names.get(CODES.get(language, language), '').strip()
            if name and (language == 'en' or name != english.strip()):
                rows[language].append({'image': f'{number:03}.png', 'captions': [name]})
    for language, found in rows.items():
        (folder / f'{language}.jsonl').write_text(
            ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in found)
        )
    print({language: len(found) for language, found in rows.items()})


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
