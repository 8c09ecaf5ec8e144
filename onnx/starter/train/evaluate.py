"""Measures recall by exact scan and speed of a pair of ONNX files, as the program uses them.

usage: evaluate.py MODEL_FOLDER TOKENIZER_FILE DATASET.jsonl...

Lines of a data set: {"image": relative path, "captions": [...]}.
"""
import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image
from tokenizers import Tokenizer

from towers import CONTEXT_LENGTH, pixels


class Model:
    def __init__(self, folder, tokenizer):
        self.image, self.text = (ort.InferenceSession(folder / f, providers=['CPUExecutionProvider'])
                                 for f in ('image.onnx', 'text.onnx'))
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.enable_truncation(CONTEXT_LENGTH)
        self.tokenizer.enable_padding()

    def images(self, files, batch=16):
        return np.concatenate([self.image.run(None, {'pixel_values': np.stack([pixels(Image.open(f)) for f in files[i:i + batch]])})[0]
                               for i in range(0, len(files), batch)])

    def texts(self, texts, batch=64):
        order, parts = np.argsort([len(t) for t in texts], kind='stable'), []
        for i in range(0, len(texts), batch):
            tokens = self.tokenizer.encode_batch([texts[j] for j in order[i:i + batch]])
            ids, mask = (np.array([getattr(t, a) for t in tokens], np.int64) for a in ('ids', 'attention_mask'))
            parts.append(self.text.run(None, {'input_ids': ids, 'attention_mask': mask})[0])
        out = np.concatenate(parts)
        return out[np.argsort(order, kind='stable')]


def recalls(similarity, own):
    """R@1/5/10 in per cent, words to pictures and pictures to words, from similarities
    [images, captions] and the image of each caption. A picture counts as found if any of its
    captions is among the first k."""
    right = similarity[own, np.arange(len(own))]
    best = np.full(len(similarity), -2.0)
    np.maximum.at(best, own, right)
    t2i, i2t = (similarity > right).sum(0), (similarity > best[:, None]).sum(1)
    return [round(100 * float((ranks < k).mean()), 1) for ranks in (t2i, i2t) for k in (1, 5, 10)]


def measure(model, dataset):
    rows = [json.loads(line) for line in open(dataset)]
    own = np.concatenate([[i] * len(r['captions']) for i, r in enumerate(rows)])
    images = model.images([dataset.parent / r['image'] for r in rows])
    return len(rows), len(own), recalls(images @ model.texts([c for r in rows for c in r['captions']]).T, own)


def speed(model):
    """Pictures/s in batches of 16, and ms per query of 12 words."""
    batch, query = np.random.default_rng(0).normal(size=(16, 3, 260, 260)).astype(np.float32), 'a brown dog runs over wet sand beside the sea at sunset'
    model.image.run(None, {'pixel_values': batch}), model.texts([query])
    start = time.perf_counter()
    for _ in range(6):
        model.image.run(None, {'pixel_values': batch})
    middle = time.perf_counter()
    for _ in range(50):
        model.texts([query])
    return 96 / (middle - start), (time.perf_counter() - middle) * 20


if __name__ == '__main__':
    model = Model(Path(sys.argv[1]), sys.argv[2])
    for dataset in map(Path, sys.argv[3:]):
        n, m, r = measure(model, dataset)
        print(f'{dataset.name}: {n} pictures, {m} texts; words to pictures R@1/5/10 {r[0]} / {r[1]} / {r[2]}, '
              f'pictures to words {r[3]} / {r[4]} / {r[5]}', flush=True)
    print('{:.0f} pictures/s, {:.1f} ms per query'.format(*speed(model)))
