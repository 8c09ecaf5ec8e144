"""Caches what the frozen towers say of every picture and caption, so that training touches only what is trained.

usage: features.py DATA_FOLDER WORK_FOLDER
"""
import json
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from PIL import Image

from towers import SIZE, Sentence, Tail, Trunk, Words, classifier, minilm, pixels

N_VIEWS = 6  # of each training picture: as it is, mirrored, and random boxes
TEMPLATES = ['a photo of a {}.', 'a picture of a {}.', '{}', 'a close-up photo of the {}.']
BATCH = 16


class Cached(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.trunk, self.tail = Trunk(net), Tail(net)

    def forward(self, x):
        deep = self.trunk(x)
        return deep, self.tail(deep)


def session(work, name):
    """The tower in ONNX Runtime, three times as quick on a processor as in torch."""
    file, net = work / f'{name}.onnx', classifier(name)
    torch.save({'weight': net._fc.weight.data, 'bias': net._fc.bias.data}, work / f'{name}-classes.pt')
    torch.onnx.export(Cached(net), (torch.zeros(1, 3, SIZE, SIZE),), file, input_names=['pixels'],
                      output_names=['deep', 'pooled'], opset_version=17, dynamo=False,
                      dynamic_axes={n: {0: 'n'} for n in ('pixels', 'deep', 'pooled')})
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # the batches run side by side instead
    return ort.InferenceSession(file, options, providers=['CPUExecutionProvider'])


def random_box(rng, width, height):
    """A box of 50 to 100 % of the area whose sides differ by up to a third more than the picture's own."""
    while True:
        area, ratio = rng.uniform(0.5, 1), np.exp(rng.uniform(-1, 1) * np.log(4 / 3))
        w, h = (area * ratio) ** 0.5, (area / ratio) ** 0.5
        if w <= 1 and h <= 1:
            left, top = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
            return left * width, top * height, (left + w) * width, (top + h) * height


def encode_view(sessions, files, view, out):
    """One view of all files through all towers, written as out-NAME-VIEW-{deep,pooled}.npy (16-bit and 32-bit)."""
    start = time.time()

    def encode(first):
        rng, batch = np.random.default_rng([view, first]), []
        for file in files[first:first + BATCH]:
            picture = Image.open(file)
            box = random_box(rng, *picture.size) if view > 1 else None
            batch.append(pixels(picture, box, mirrored=view == 1 or (view > 1 and rng.random() < 0.5)))
        results = {name: s.run(None, {'pixels': np.stack(batch)}) for name, s in sessions.items()}
        return {name: (deep.astype(np.float16), pooled) for name, (deep, pooled) in results.items()}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(encode, range(0, len(files), BATCH)))
    for name in sessions:
        np.save(f'{out}-{name}-{view}-deep.npy', np.concatenate([p[name][0] for p in parts]))
        np.save(f'{out}-{name}-{view}-pooled.npy', np.concatenate([p[name][1] for p in parts]))
    print(f'{out.name}, view {view}: {len(files) / (time.time() - start):.0f} pictures/s', flush=True)


@torch.no_grad()
def encode_texts(tokenizer, words, sentence, texts, out):
    """Writes out-sentences.npy [n, 384], out-tokens.npy (the states of all real tokens in a row, 16-bit) and
    out-starts.npy [n + 1], where each text's tokens start."""
    encoded = tokenizer.encode_batch(texts)
    lengths = np.array([sum(t.attention_mask) for t in encoded])
    starts = np.concatenate([[0], lengths.cumsum()])
    tokens, sentences = np.empty((starts[-1], 384), np.float16), np.empty((len(texts), 384), np.float32)
    order = np.argsort(lengths, kind='stable')
    for chosen in np.array_split(order, math.ceil(len(texts) / 128)):
        t = lengths[chosen].max()
        ids, mask = (torch.tensor([getattr(encoded[i], a)[:t] for i in chosen]) for a in ('ids', 'attention_mask'))
        states = words(ids, mask)
        sentences[chosen] = sentence(states, mask).numpy()
        for i, state in zip(chosen, states.numpy()):
            tokens[starts[i]:starts[i + 1]] = state[:lengths[i]]
    for name, value in (('sentences', sentences), ('tokens', tokens), ('starts', starts)):
        np.save(f'{out}-{name}.npy', value)


def main(data, work):
    work.mkdir(parents=True, exist_ok=True)
    tokenizer, bert = minilm(work)
    words, sentence = Words(bert), Sentence(bert)
    texts = {'classes': [t.format(n) for t in TEMPLATES for n in IMAGENET_CLASSNAMES]}
    sessions = {name: session(work, name) for name in ('lite2', 'lite0')}
    sets = {split: (data, data / f'captions_{split}.jsonl') for split in ('dev', 'train', 'test')}
    sets['drawings'] = work, work / 'drawings.jsonl'
    views = [('dev', 0), ('train', 0), ('test', 0), ('train', 1), ('drawings', 0), *(('train', v) for v in range(2, N_VIEWS)),
             ('drawings', 2)]
    files = {}
    for name, (folder, listing) in sets.items():
        rows = [json.loads(line) for line in open(listing)]
        files[name] = [folder / r['image'] for r in rows]
        texts[name] = [c for r in rows for c in r['captions']]
    for name, said in texts.items():  # what an earlier run has written stays
        if not (work / f'{name}-starts.npy').exists():
            encode_texts(tokenizer, words, sentence, said, work / name)
    for name, view in views:
        if not (work / f'{name}-lite0-{view}-pooled.npy').exists():
            encode_view(sessions, files[name], view, work / name)


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
