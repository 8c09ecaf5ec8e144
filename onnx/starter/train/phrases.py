"""Lists the names of things in 16 languages: those of CLDR's emoji (npm `cldr-annotations-full`).

usage: phrases.py CLDR_PACKAGE WORK_FOLDER

CLDR_PACKAGE is the unpacked npm package. Writes WORK_FOLDER/phrases.json:
{"train": [{language: [name, keyword...]}...], "held": [...]}. The held-back things of held.txt are
for measuring only: no training item has a held name as its name or keyword, in any language.
"""

import json
import re
import sys
from pathlib import Path

LANGUAGES = 'en zh de fr es it pt nl pl cs ru tr ar ja ko th'.split()
# CLDR lists the pictures in the order of their groups: from faces to objects, then signs and flags.
FIRST, LAST = '😀', '🏧'
NO_THING = re.compile(
    'skin tone|pointing|o’clock|-thirty|flag|arrow|button|ZZZ|hundred points'
    '|bookmark tabs|chart [di][en]creasing|gesturing'
)


def things(package):
    """{language: [name, keyword...]} for each picture that has a name in all languages."""
    tables = {}
    for language in LANGUAGES:
        file = package / 'annotations' / language / 'annotations.json'
        tables[language] = json.loads(file.read_text())['annotations']['annotations']
    symbols = list(tables['en'])
    for symbol in symbols[symbols.index(FIRST) : symbols.index(LAST)]:
        entries = {language: table.get(symbol, {}) for language, table in tables.items()}
        if all('tts' in entry for entry in entries.values()) and not NO_THING.search(
            entries['en']['tts'][0]
        ):
            yield {
                language: list(dict.fromkeys(entry['tts'] + entry.get('default', [])))
                for language, entry in entries.items()
            }


def main(package, work):
    wanted = (Path(__file__).parent / 'held.txt').read_text().splitlines()
    found, train = list(things(package)), []
    by_name = {item['en'][0]: item for item in found}
    held = [by_name[name] for name in wanted]
    names = {language: {item[language][0].casefold() for item in held} for language in LANGUAGES}
    for item in found:
        if any(item[language][0].casefold() in names[language] for language in LANGUAGES):
            continue
        train.append(
            {
                language: [text for text in texts if text.casefold() not in names[language]]
                for language, texts in item.items()
            }
        )
    (work / 'phrases.json').write_text(
        json.dumps({'train': train, 'held': held}, ensure_ascii=False)
    )
    print(
        f'{len(train)} things for training, {len(held)} held back, '
        f'{sum(len(t) for i in train for t in i.values())} texts'
    )


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
