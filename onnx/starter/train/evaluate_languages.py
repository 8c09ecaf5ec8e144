"""Measures the shipped text towers in each language.

usage: evaluate_languages.py FLICKR8K EXTRA WORK_FOLDER STARTER_FOLDER [STAMPS_FOLDER]

WORK_FOLDER holds phrases.json; STAMPS_FOLDER is what stamps.py made. Prints a table: the share of
Multi30k's held-back sentences whose translation finds the English one first among all 954; how many
of the first ten of Flickr8k's 1,000 dev photos the names of the 150 held-back things have in common
with their English names; and R@1 and R@10 of stamps by their names. Then
the time that the other tower takes for a query.
"""

import json
import sys
from pathlib import Path

import numpy as np

import e5
from evaluate import Model, recalls, speed
from phrases import LANGUAGES
from texts import lists, rows


def main(flickr, extra, work, starter, stamps=None):
    english, other = (
        Model(starter, starter / 'tokenizer.json'),
        Model(starter, starter / 'tokenizer-other.json', 'text-other.onnx', e5.PREFIX),
    )
    tower, texts, things = (
        lambda code: english if code == 'en' else other,
        lists(flickr, extra, work),
        json.loads((work / 'phrases.json').read_text()),
    )
    photos = english.images([flickr / row['image'] for row in rows(flickr / 'captions_dev.jsonl')])
    first = {
        code: (tower(code).texts([thing[code][0] for thing in things['held']]) @ photos.T).argsort(
            1
        )[:, -10:]
        for code in LANGUAGES
    }
    sentences = english.texts(texts['multi30k-val-en'])
    if stamps:
        files = sorted(stamps.glob('*.png'))
        place, seen = {file.name: i for i, file in enumerate(files)}, english.images(files)
    print(
        '| language | translation found | first ten in common | stamps R@1 | R@10 |\n'
        '|---|---|---|---|---|'
    )
    for code in LANGUAGES:
        found = '–'
        if code != 'en' and f'multi30k-val-{code}' in texts:
            similarity = sentences @ tower(code).texts(texts[f'multi30k-val-{code}']).T
            found = f'{100 * (similarity.argmax(0) == np.arange(len(sentences))).mean():.1f}'
        shared = 100 * np.mean(
            [len(set(a) & set(b)) / 10 for a, b in zip(first[code], first['en'])]
        )
        named = '– | –'
        if stamps and (told := rows(stamps / f'{code}.jsonl')):
            similarity = seen @ tower(code).texts([row['captions'][0] for row in told]).T
            r = recalls(similarity, np.array([place[row['image']] for row in told]))
            named = f'{r[0]} | {r[2]}'
        print(f'| {code} | {found} | {shared:.0f} | {named} |', flush=True)
    print(f'{speed(other)[1]:.1f} ms per query in the other tower')


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:6]))
