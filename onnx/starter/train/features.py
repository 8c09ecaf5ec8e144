"""Caches what the frozen part of the image towers makes of every training and dev picture, so that
training runs only their last blocks and the heads.

usage: features.py FLICKR8K EXTRA WORK_FOLDER [--free-only]

Writes to WORK_FOLDER/pictures, for each set of pictures in the order of its captions' file:
SET-TOWER.npy, float16 [n, views, channels, height, width], the states before the last blocks;
SET-pooled.npy, float16 [n, views, 2560], the average-pooled features of the towers as their
packages ship them. A set whose pictures have not changed is not encoded again. --free-only leaves out
the sets that training on the free rows alone does not read. Test splits are never read.
"""

import hashlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from PIL import Image

from texts import kept_sets
from towers import STATES, TOWERS, TRAINED_SIZE, Tail, Trunk, pixels, view

# Views: c centre square, s the whole picture squashed, r a random part
# squashed; capitals mirrored.
FLICKR = {'dev': 'c', 'train': 'cCSrrr'}
EXTRA_VIEWS = 'cSrr'
DRAWINGS = 'sC'
LEAST_PART = 0.4  # of the area, of a random part
CHUNK = 4  # pictures per run of a tower, with all their views


def part(picture, random):
    """A random box of at least LEAST_PART of the picture, with sides of 3:4 to 4:3."""
    width, height = picture.size
    for _ in range(10):
        area, ratio = (
            random.uniform(LEAST_PART, 1) * width * height,
            np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3))),
        )
        w, h = np.sqrt(area * ratio), np.sqrt(area / ratio)
        if w <= width and h <= height:
            x, y = random.uniform(0, width - w), random.uniform(0, height - h)
            return x, y, x + w, y + h
    return 0, 0, width, height


def views(file, kinds, seed):
    """The views of a picture: [len(kinds), 3, 260, 260]"""
    random, picture = np.random.default_rng(seed), Image.open(file).convert('RGB')
    centre, whole = pixels(picture, TRAINED_SIZE), (0, 0, *picture.size)
    made = {
        'c': lambda: centre,
        'C': lambda: centre[:, :, ::-1],
        's': lambda: view(picture, whole, False),
        'S': lambda: view(picture, whole, True),
        'r': lambda: view(picture, part(picture, random), random.random() < 0.5),
    }
    return np.stack([made[kind]() for kind in kinds])


def session(module, shape, file):
    """A module in ONNX Runtime, which is faster than torch on a CPU."""
    torch.onnx.export(
        module,
        (torch.zeros(1, *shape),),
        file,
        input_names=['x'],
        output_names=['y'],
        opset_version=17,
        dynamo=False,
        dynamic_axes={name: {0: 'n'} for name in 'xy'},
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # chunks run in parallel instead
    return ort.InferenceSession(file, options, providers=['CPUExecutionProvider'])


def encode(folder, name, files, kinds, trunks, tails):
    stamp, done = (
        hashlib.sha256(''.join(map(str, [kinds, *files])).encode()).hexdigest(),
        folder / f'{name}.done',
    )
    if done.exists() and done.read_text() == stamp:
        return
    start, n_views = time.time(), len(kinds)
    states = {
        t: np.lib.format.open_memmap(
            folder / f'{name}-{t}.npy', 'w+', np.float16, (len(files), n_views, *STATES[t])
        )
        for t in TOWERS
    }
    pooled = np.empty((len(files), n_views, 1280 * len(TOWERS)), np.float16)

    def chunk(first):
        seen = np.concatenate(
            [views(file, kinds, first + i) for i, file in enumerate(files[first : first + CHUNK])]
        )
        for t, tower in enumerate(TOWERS):
            x = trunks[tower].run(None, {'x': seen})[0]
            states[tower][first : first + CHUNK] = x.reshape(-1, n_views, *x.shape[1:])
            pooled[first : first + CHUNK, :, 1280 * t : 1280 * (t + 1)] = (
                tails[tower].run(None, {'x': x})[0].reshape(-1, n_views, 1280)
            )

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(chunk, range(0, len(files), CHUNK)))
    np.save(folder / f'{name}-pooled.npy', pooled)
    done.write_text(stamp)
    print(
        f'{name}: {len(files)} pictures, '
        f'{len(files) * n_views / (time.time() - start):.0f} views/s',
        flush=True,
    )


def main(flickr, extra, work, *options):
    free_only, folder = '--free-only' in options, work / 'pictures'
    folder.mkdir(exist_ok=True)
    trunks = {
        t: session(Trunk(t), (3, TRAINED_SIZE, TRAINED_SIZE), folder / f'{t}-trunk.onnx')
        for t in TOWERS
    }
    tails = {t: session(Tail(t), STATES[t], folder / f'{t}-tail.onnx') for t in TOWERS}
    sets = [
        (name, flickr, flickr / f'captions_{name}.jsonl', kinds)
        for name, kinds in FLICKR.items()
        if name == 'dev' or not free_only
    ]
    names = kept_sets(extra, free_only)
    sets += [(name, extra / name, extra / name / 'captions.jsonl', EXTRA_VIEWS) for name in names]
    for name, parent, listing, kinds in [
        *sets,
        ('drawings', work, work / 'drawings.jsonl', DRAWINGS),
    ]:
        files = [parent / json.loads(line)['image'] for line in open(listing)]
        encode(folder, name, files, kinds, trunks, tails)


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:4]), *sys.argv[4:])
