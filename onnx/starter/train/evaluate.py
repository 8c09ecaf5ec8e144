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
from PIL import Image, ImageOps
from tokenizers import Tokenizer

from towers import CONTEXT_LENGTH, SIZE, pixels


def opened(file):
    """A picture upright and on white, as the program opens it."""
    picture = ImageOps.exif_transpose(Image.open(file)).convert('RGBA')
    white = Image.new('RGBA', picture.size, 'white')
    white.alpha_composite(picture)
    return white.convert('RGB')


class Model:
    def __init__(self, folder, tokenizer, text='text.onnx', prefix=''):
        self.image, self.text = (
            ort.InferenceSession(folder / f, providers=['CPUExecutionProvider'])
            for f in ('image.onnx', text)
        )
        self.prefix = prefix
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.enable_truncation(CONTEXT_LENGTH)
        self.tokenizer.enable_padding()  # with any token: it is masked

    def images(self, files, batch=16):
        return np.concatenate(
            [
                self.image.run(
                    None,
                    {'pixel_values': np.stack([pixels(opened(f)) for f in files[i : i + batch]])},
                )[0]
                for i in range(0, len(files), batch)
            ]
        )

    def texts(self, texts, batch=64):
        order, parts = np.argsort([len(t) for t in texts], kind='stable'), []
        for i in range(0, len(texts), batch):
            tokens = self.tokenizer.encode_batch(
                [self.prefix + texts[j] for j in order[i : i + batch]]
            )
            ids, mask = (
                np.array([getattr(t, a) for t in tokens], np.int64)
                for a in ('ids', 'attention_mask')
            )
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


def without_hubs(similarity, images):
    """Similarities [images, captions] less the share of images and captions that are near
    everything (Chowdhury et al. 2024): for words to pictures, and for pictures to words. A picture's
    bias is its mean cosine to the 20 nearest others that are no copies of it, a caption's that to
    its 4 nearest pictures."""
    others = images @ images.T
    others[others > 0.9] = -2
    of_pictures = np.sort(others, 1)[:, -20:].mean(1, keepdims=True)
    of_captions = np.sort(similarity, 0)[-4:].mean(0, keepdims=True)
    return similarity - 0.25 * of_pictures, similarity - 0.5 * of_captions


def measure(model, dataset):
    """The numbers of pictures and captions, and recall without and with `without_hubs`."""
    rows = [json.loads(line) for line in open(dataset)]
    own = np.concatenate([[i] * len(r['captions']) for i, r in enumerate(rows)])
    images = model.images([dataset.parent / r['image'] for r in rows])
    similarity = images @ model.texts([c for r in rows for c in r['captions']]).T
    to_pictures, to_words = without_hubs(similarity, images)
    corrected = recalls(to_pictures, own)[:3] + recalls(to_words, own)[3:]
    return len(rows), len(own), recalls(similarity, own), corrected


def speed(model):
    """Pictures/s in batches of 16, and ms per query of 12 words."""
    batch = np.random.default_rng(0).normal(size=(16, 3, SIZE, SIZE)).astype(np.float32)
    query = 'a brown dog runs over wet sand beside the sea at sunset'
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
        n, m, plain, corrected = measure(model, dataset)
        print(f'{dataset.name}: {n} pictures, {m} texts', flush=True)
        for r, how in ((plain, ''), (corrected, ', less the bias of hubs')):
            print(
                f'  words to pictures R@1/5/10 {r[0]} / {r[1]} / {r[2]}, '
                f'pictures to words {r[3]} / {r[4]} / {r[5]}{how}',
                flush=True,
            )
    print('{:.0f} pictures/s, {:.1f} ms per query'.format(*speed(model)))
