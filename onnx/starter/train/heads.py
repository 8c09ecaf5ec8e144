"""The image head and the text head, trained on top of the pretrained towers for a common space."""
import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

TOWERS = ('lite2', 'lite0')
DIMENSION, SENTENCE, FEATURES = 384, 384, 1280 * len(TOWERS)


class Bridge(nn.Module):
    """ConSE (Norouzi et al. 2014): the sentence embeddings of the class names, weighted by the 20
    largest class probabilities, so that words that occur in no training caption are still placed
    near the right pictures."""

    def __init__(self, weight, bias, names, k=20):
        super().__init__()
        self.k = k
        for name, value in (('weight', weight), ('bias', bias), ('names', names)):
            self.register_buffer(name, value)

    def logits(self, x):
        return x @ self.weight.T + self.bias

    def forward(self, x):
        p, i = self.logits(x).softmax(-1).topk(self.k, -1)
        return ((p / p.sum(-1, keepdim=True))[..., None] * self.names[i]).sum(-2)


class ImageHead(nn.Module):
    """Average-pooled features of the towers [n, 2560] -> unit vectors [n, 384]."""

    def __init__(self, bridge, mean, deviation, width=512, dropout=0.4):
        super().__init__()
        self.bridge = bridge
        self.register_buffer('mean', mean.clone())
        self.register_buffer('deviation', deviation.clone())
        self.up, self.down = nn.Linear(FEATURES, width), nn.Linear(width, DIMENSION)
        self.straight, self.dropout = nn.Linear(FEATURES, DIMENSION), nn.Dropout(dropout)
        self.named = nn.Linear(SENTENCE, DIMENSION, bias=False)
        nn.init.eye_(self.named.weight)
        self.down.weight.data *= 0.05
        self.straight.weight.data *= 0.05

    def forward(self, x):
        z = self.dropout((x - self.mean) / self.deviation)
        hidden = self.dropout(F.gelu(self.up(z)))
        return F.normalize(self.down(hidden) + self.straight(z) + self.named(self.bridge(x)), dim=-1)


class TextHead(nn.Module):
    """Sentence embeddings [n, 384] -> unit vectors [n, 384]."""

    def __init__(self, width=1024, dropout=0.2):
        super().__init__()
        self.up, self.down = nn.Linear(SENTENCE, width), nn.Linear(width, DIMENSION)
        self.straight, self.dropout = nn.Linear(SENTENCE, DIMENSION, bias=False), nn.Dropout(dropout)
        nn.init.eye_(self.straight.weight)
        self.down.weight.data *= 0.05

    def forward(self, t):
        t = F.normalize(t, dim=-1)
        return F.normalize(self.straight(t) + self.down(self.dropout(F.gelu(self.up(t * 10)))), dim=-1)


@torch.no_grad()
def merged(heads):
    """Merges heads of one tower, trained from different seeds, into one wide head that gives the
    mean of their outputs before normalisation. All start near the identity on the sentence space,
    so their spaces agree."""
    first, n = heads[0], len(heads)
    wide = copy.deepcopy(first)
    wide.up = nn.Linear(first.up.in_features, n * first.up.out_features)
    wide.down = nn.Linear(n * first.down.in_features, DIMENSION)
    wide.up.weight.copy_(torch.cat([h.up.weight for h in heads]))
    wide.up.bias.copy_(torch.cat([h.up.bias for h in heads]))
    wide.down.weight.copy_(torch.cat([h.down.weight for h in heads], 1) / n)
    for path in ('down.bias', 'straight.weight', 'straight.bias', 'named.weight'):
        layer, name = path.split('.')
        if getattr(getattr(first, layer, None), name, None) is not None:
            setattr(getattr(wide, layer), name, nn.Parameter(torch.stack([getattr(getattr(h, layer), name) for h in heads]).mean(0)))
    return wide


def bridge_of(work):
    """The towers' class layers as one (the mean of their logits), and the sentence embeddings of
    the class prompts [template, class, 384]."""
    layers = [torch.load(work / f'{t}-classes.pt') for t in TOWERS]
    classes = torch.from_numpy(np.load(work / 'classes-sentences.npy')).unflatten(0, (-1, 1000))
    return Bridge(torch.cat([c['weight'] for c in layers], 1) / len(layers), sum(c['bias'] for c in layers) / len(layers),
                  F.normalize(classes.mean(0), dim=-1)), classes
