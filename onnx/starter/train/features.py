"""Caches the frozen towers' features of every picture and caption, so that training runs only the
heads.

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

from heads import TOWERS
from towers import SIZE, Body, Sentence, classifier, minilm, view

TEMPLATES = ['a photo of a {}.', 'a picture of a {}.', '{}', 'a close-up photo of the {}.']
BATCH = 16


def session(work, name):
    """The tower in ONNX Runtime, which is faster than torch on a CPU."""
    file, net = work / f'{name}.onnx', classifier(name)
    torch.save({'weight': net._fc.weight.data, 'bias': net._fc.bias.data}, work / f'{name}-classes.pt')
    torch.onnx.export(Body(net), (torch.zeros(1, 3, SIZE, SIZE),), file, input_names=['pixels'], output_names=['pooled'],
                      opset_version=17, dynamo=False, dynamic_axes={n: {0: 'n'} for n in ('pixels', 'pooled')})
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # batches run in parallel instead
    return ort.InferenceSession(file, options, providers=['CPUExecutionProvider'])


def encode_pictures(sessions, files, mirrored, out):
    """Pooled features of all files from each tower, written as
    out-TOWER-{plain,mirrored}.npy [n, 1280]."""
    start = time.time()

    def encode(first):
        batch = []
        for file in files[first:first + BATCH]:
            picture = Image.open(file)
            batch.append(view(picture, (0, 0, *picture.size), mirrored))
        return {name: s.run(None, {'pixels': np.stack(batch)})[0] for name, s in sessions.items()}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(encode, range(0, len(files), BATCH)))
    for name in sessions:
        np.save(f'{out}-{name}-{"mirrored" if mirrored else "plain"}.npy', np.concatenate([p[name] for p in parts]))
    print(f'{out.name}: {len(files) / (time.time() - start):.0f} pictures/s', flush=True)


@torch.no_grad()
def encode_texts(tokenizer, sentence, texts):
    """Sentence embeddings [n, 384]."""
    encoded, out = tokenizer.encode_batch(texts), np.empty((len(texts), 384), np.float32)
    lengths = np.array([sum(t.attention_mask) for t in encoded])
    for chosen in np.array_split(np.argsort(lengths, kind='stable'), math.ceil(len(texts) / 128)):
        longest = lengths[chosen].max()
        ids, mask = (torch.tensor([getattr(encoded[i], a)[:longest] for i in chosen]) for a in ('ids', 'attention_mask'))
        out[chosen] = sentence(ids, mask).numpy()
    return out


def main(data, work):
    tokenizer, bert = minilm(work)
    sentence = Sentence(bert)
    texts = {'classes': [t.format(n) for t in TEMPLATES for n in IMAGENET_CLASSNAMES]}
    sessions = {name: session(work, name) for name in TOWERS}
    for name, folder, listing in (*((s, data, data / f'captions_{s}.jsonl') for s in ('train', 'dev')),
                                  ('drawings', work, work / 'drawings.jsonl')):
        rows = [json.loads(line) for line in open(listing)]
        texts[name] = [c for r in rows for c in r['captions']]
        for mirrored in (False, True) if name == 'train' else (False,):
            encode_pictures(sessions, [folder / r['image'] for r in rows], mirrored, work / name)
    for name, said in texts.items():
        np.save(work / f'{name}-sentences.npy', encode_texts(tokenizer, sentence, said))


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
