"""Joins towers and heads; writes and checks the ONNX files in fp32 and int8, the manifest and the
golden embeddings.

usage: export.py WORK_FOLDER STARTER_FOLDER
"""
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn as nn
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from heads import DIMENSION, TOWERS, ImageHead, TextHead, bridge_of
from towers import CONTEXT_LENGTH, MEAN, SIZE, STD, Body, Sentence, classifier, minilm, pixels

NAME = 'sightline-starter-1'


class ImageTower(nn.Module):
    """pixel_values [n, 3, 260, 260] -> unit embeddings [n, 384]"""

    def __init__(self, head):
        super().__init__()
        nets = [classifier(name) for name in TOWERS]
        self.bodies = nn.ModuleList([Body(net) for net in nets])
        self.head = head

    def forward(self, pixel_values):
        return self.head(torch.cat([body(pixel_values) for body in self.bodies], 1))


class TextTower(nn.Module):
    """input_ids and attention_mask [n, t] -> unit embeddings [n, 384]"""

    def __init__(self, sentence, head):
        super().__init__()
        self.sentence, self.head = sentence, head

    def forward(self, input_ids, attention_mask):
        return self.head(self.sentence(input_ids, attention_mask))


def export(model, inputs, names, file):
    dynamic = {name: {0: 'batch', **({1: 'tokens'} if x.ndim == 2 else {})} for name, x in zip(names, inputs)}
    torch.onnx.export(model, inputs, file, input_names=list(names), output_names=['embedding'], opset_version=17,
                      dynamo=False, dynamic_axes={**dynamic, 'embedding': {0: 'batch'}})


def shrink(source, target, smallest=2048):
    """Converts weights to int8 with one scale per output channel (per row for an embedding table).
    `Cast` and `Mul` dequantise them; ONNX Runtime folds these when it loads the file, so it runs
    as fast as with fp32 weights."""
    model = onnx.load(source)
    graph = model.graph
    tensors = {t.name: t for t in graph.initializer}
    uses = {}
    for node in graph.node:
        for i, name in enumerate(node.input):
            uses.setdefault(name, []).append((node, i))
    nodes, head = list(graph.node), []
    for name, tensor in tensors.items():
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.size < smallest or value.ndim < 2 or len(uses.get(name, [])) != 1:
            continue
        node, position = uses[name][0]
        if node.op_type == 'Conv' and position == 1:
            axis = 0
        elif node.op_type == 'Gemm' and position == 1:
            axis = 0 if any(a.name == 'transB' and a.i for a in node.attribute) else 1
        elif node.op_type == 'MatMul' and position == 1:
            axis = value.ndim - 1
        elif node.op_type == 'Gather' and position == 0:
            axis = 0
        else:
            continue
        others = tuple(i for i in range(value.ndim) if i != axis)
        scale = np.maximum(np.abs(value).max(others, keepdims=True) / 127, 1e-12).astype(np.float32)
        codes = np.clip(np.round(value / scale), -127, 127).astype(np.int8)
        graph.initializer.remove(tensor)
        graph.initializer.extend([numpy_helper.from_array(codes, f'{name}:codes'), numpy_helper.from_array(scale, f'{name}:scale')])
        # Rows are gathered first, so that the table is never dequantised as a whole.
        if node.op_type == 'Gather':
            rows, output = node.input[1], node.output[0]
            at = nodes.index(node)
            nodes[at:at + 1] = [
                helper.make_node('Gather', [f'{name}:codes', rows], [f'{output}:codes']),
                helper.make_node('Gather', [f'{name}:scale', rows], [f'{output}:scale']),
                helper.make_node('Cast', [f'{output}:codes'], [f'{output}:cast'], to=TensorProto.FLOAT),
                helper.make_node('Mul', [f'{output}:cast', f'{output}:scale'], [output])]
        else:
            head += [helper.make_node('Cast', [f'{name}:codes'], [f'{name}:cast'], to=TensorProto.FLOAT),
                     helper.make_node('Mul', [f'{name}:cast', f'{name}:scale'], [name])]
    del graph.node[:]
    graph.node.extend(head + nodes)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def run(file, **inputs):
    return ort.InferenceSession(file, providers=['CPUExecutionProvider']).run(None, inputs)[0]


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
file = "text.onnx"
input_ids = "input_ids"
attention_mask = "attention_mask"
output = "embedding"
tokenizer = "tokenizer.json"
context_length = {CONTEXT_LENGTH}
pad = "longest"
'''

GOLDEN_TEXTS = ['a dog runs on the beach', 'Two children play in the snow.', 'red', 'a photo of a lighthouse at night',
                'CAFÉ — naïve façade, 12 €', '日本の山', 'a man in a blue shirt rides a bicycle down a hill while his friends watch',
                'word ' * 100, 'sunset over mountains']


def golden_pictures(folder):
    """Non-square pictures drawn by formula: smooth, sharp, tall, wide, small and large."""
    folder.mkdir(exist_ok=True)
    for name, width, height, period in (('wide.png', 480, 200, 90), ('tall.png', 150, 420, 37), ('small.png', 40, 31, 9),
                                        ('photo.jpg', 640, 427, 160), ('portrait.jpg', 300, 451, 23), ('strip.png', 700, 64, 51),
                                        ('square.jpg', 333, 333, 120)):
        y, x = np.mgrid[:height, :width].astype(np.float64)
        waves = [np.sin(2 * np.pi * (x * c + y * (1 - c)) / period + 3 * c) for c in (0.9, 0.4, 0.1)]
        picture = np.stack([127.5 + 127.5 * w * np.cos(x * y / (period * 400)) for w in waves], -1)
        disc = (x - width * 0.4) ** 2 + (y - height * 0.55) ** 2 < (min(width, height) * 0.3) ** 2
        picture[disc] = (214, 60, 30) if period % 2 else (30, 160, 90)
        picture[: height // 6, width // 2:] = (240, 240, 250)
        Image.fromarray(picture.round().clip(0, 255).astype(np.uint8)).save(folder / name, quality=90)
        yield folder / name


def main(work, out):
    out.mkdir(exist_ok=True)
    bridge, _ = bridge_of(work)
    saved = torch.load(work / 'heads.pt')
    mean, deviation = saved['image']['mean'], saved['image']['deviation']
    width = {name: len(saved[name]['up.weight']) for name in ('image', 'text')}
    image_head, text_head = ImageHead(bridge, mean, deviation, width['image']), TextHead(width['text'])
    image_head.load_state_dict(saved['image']), text_head.load_state_dict(saved['text'])
    tokenizer, bert = minilm(work)
    image, text = ImageTower(image_head).eval(), TextTower(Sentence(bert), text_head).eval()

    files = list(golden_pictures(out / 'golden'))
    batch = torch.from_numpy(np.stack([pixels(Image.open(f)) for f in files]))
    tokens = tokenizer.encode_batch(GOLDEN_TEXTS)
    ids, mask = (torch.tensor([getattr(t, a) for t in tokens]) for a in ('ids', 'attention_mask'))
    with torch.no_grad():
        seen, said = image(batch).numpy(), text(ids, mask).numpy()
        alone = [text(torch.tensor([t.ids])[:, :sum(t.attention_mask)], torch.ones(1, sum(t.attention_mask))).numpy()[0] for t in tokens]
    assert least_cosine(said, np.stack(alone)) > 0.99999, 'padding must not change the embedding'

    fp32 = work / 'fp32'
    fp32.mkdir(exist_ok=True)
    export(image, (batch[:2],), ('pixel_values',), fp32 / 'image.onnx')
    export(text, (ids, mask), ('input_ids', 'attention_mask'), fp32 / 'text.onnx')
    for name, bar in (('image.onnx', 0.99), ('text.onnx', 0.99)):
        shrink(fp32 / name, out / name)
        inputs = {'pixel_values': batch.numpy()} if name == 'image.onnx' else {'input_ids': ids.numpy(), 'attention_mask': mask.numpy()}
        expected = seen if name == 'image.onnx' else said
        exact, small = (least_cosine(run(folder / name, **inputs), expected) for folder in (fp32, out))
        print(f'{name}: least cosine to torch {exact:.6f} in fp32, {small:.6f} in int8; {(out / name).stat().st_size / 1e6:.1f} MB')
        assert exact > 0.9999 and small > bar

    plain = json.loads((work / 'all-MiniLM-L6-v2' / 'tokenizer.json').read_text())
    plain['truncation'] = plain['padding'] = None  # both are set by the program
    (out / 'tokenizer.json').write_text(json.dumps(plain, ensure_ascii=False))
    (out / 'sightline.toml').write_text(MANIFEST)
    rounded = lambda rows: [[round(float(x), 6) for x in row] for row in rows]
    golden = {'pictures': [{'file': f'golden/{f.name}', 'embedding': e} for f, e in zip(files, rounded(seen))],
              'texts': [{'text': t, 'embedding': e} for t, e in zip(GOLDEN_TEXTS, rounded(alone))]}
    (out / 'golden.json').write_text(json.dumps(golden, ensure_ascii=False, indent=0) + '\n')


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
