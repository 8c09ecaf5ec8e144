"""Measures what the cosines of a model mean, and writes that to its manifest.

usage: calibrate.py STARTER_FOLDER DATASET.jsonl

Lines of the data set (Flickr8k's dev split): {"image": relative path, "captions": [...]}.
"""

import json
import sys
from pathlib import Path

import numpy as np

from evaluate import Model

TITLE = '# Cosines of unrelated pairs, of the dev photos of Flickr8k and their captions.'


def unrelated(images, texts, own):
    """Mean and standard deviation of the cosines of pairs that do not belong together, by kind.
    own: the picture of each text."""
    pictures = np.arange(len(images))
    kinds = {
        'text-picture': (texts @ images.T, own, pictures),
        'text-text': (texts @ texts.T, own, own),
        'picture-picture': (images @ images.T, pictures, pictures),
    }
    return {
        kind: (float((apart := c[a[:, None] != b]).mean()), float(apart.std()))
        for kind, (c, a, b) in kinds.items()
    }


def table(pairs):
    lines = [
        f'{kind} = {{ mean = {mean:.4f}, deviation = {deviation:.4f} }}'
        for kind, (mean, deviation) in pairs.items()
    ]
    return '\n'.join([TITLE, '[unrelated]', *lines, ''])


def main(folder, dataset):
    model = Model(folder, folder / 'tokenizer.json')
    rows = [json.loads(line) for line in open(dataset)]
    images = model.images([dataset.parent / row['image'] for row in rows])
    texts = model.texts([caption for row in rows for caption in row['captions']])
    own = np.repeat(np.arange(len(rows)), [len(row['captions']) for row in rows])
    manifest = folder / 'sightline.toml'
    before = manifest.read_text().split(TITLE)[0].rstrip()
    manifest.write_text(f'{before}\n\n{table(unrelated(images, texts, own))}')


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
