"""The heads on top of the pretrained towers: one for pictures and one for each text tower, trained
for a common space."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from towers import TOWERS, Tail

DIMENSION, SENTENCE, FEATURES = 384, 384, 1280 * len(TOWERS)


class Bridge(nn.Module):
    """ConSE (Norouzi et al. 2014): the MiniLM embeddings of the class names, weighted by the 20
    largest class probabilities, so that words that occur in no training caption are still placed
    near the right pictures.

    weight [1000, 2560] and bias [1000]: the towers' class layers as one, the mean of their logits;
    names [1000, 384]."""

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
        return F.normalize(
            self.down(hidden) + self.straight(z) + self.named(self.bridge(x)), dim=-1
        )


class TextHead(nn.Module):
    """Sentence embeddings of a text tower [n, 384] -> unit vectors [n, 384].

    mean: subtracted from the embeddings after they are scaled to length 1, since those of e5 all
    lie near one direction; start: the linear map that training begins with."""

    def __init__(
        self, mean=torch.zeros(SENTENCE), start=torch.eye(SENTENCE), width=1024, dropout=0.2
    ):
        super().__init__()
        self.register_buffer('mean', mean.clone())
        self.up, self.down = nn.Linear(SENTENCE, width), nn.Linear(width, DIMENSION)
        self.straight, self.dropout = (
            nn.Linear(SENTENCE, DIMENSION, bias=False),
            nn.Dropout(dropout),
        )
        self.straight.weight.data.copy_(start)
        self.down.weight.data *= 0.05

    def placed(self, t):
        return F.normalize(F.normalize(t, dim=-1) - self.mean, dim=-1)

    def forward(self, t):
        t = self.placed(t)
        if self.training:  # on half of the texts
            t = t + 0.02 * torch.randn_like(t) * (torch.rand(len(t), 1) < 0.5)
        return F.normalize(
            self.straight(t) + self.down(self.dropout(F.gelu(self.up(t * 10)))), dim=-1
        )


class GatedHead(nn.Module):
    """Two heads for the sentence embeddings of one tower, and a gate that sees in the embedding
    which counts: one for Chinese, of which there are as many captions as of English, and one for
    the other languages, which would otherwise cost Chinese."""

    def __init__(self, chinese, rest):
        super().__init__()
        self.chinese, self.rest, self.gate = chinese, rest, nn.Linear(SENTENCE, 1)

    def opens(self, t):
        """The logit of the Chinese head: [n]"""
        return 10 * self.gate(self.chinese.placed(t))[:, 0]

    def forward(self, t):
        share = self.opens(t).sigmoid()[:, None]
        return F.normalize(share * self.chinese(t) + (1 - share) * self.rest(t), dim=-1)


@torch.no_grad()
def merged(heads):
    """Merges heads of one tower, trained from different seeds, into one wide head that gives the
    mean of their outputs before normalisation. All start near the identity on MiniLM's space, so
    their spaces agree."""
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
            setattr(
                getattr(wide, layer),
                name,
                nn.Parameter(
                    torch.stack([getattr(getattr(h, layer), name) for h in heads]).mean(0)
                ),
            )
    return wide


class Model(nn.Module):
    """The trained parts: the last blocks of the image towers, and the heads."""

    def __init__(self, bridge, features, mean, start):
        """features [n, 2560] of training pictures; mean and start: those of the other text tower's
        head (see TextHead)."""
        super().__init__()
        self.tails = nn.ModuleList(Tail(name) for name in TOWERS)
        self.image = ImageHead(bridge, features.mean(0), features.std(0) + 1e-2)
        self.english, self.other = TextHead(), TextHead(mean, start)
        self.log_scale = nn.Parameter(torch.tensor(math.log(20.0)))

    def pooled(self, states):
        """Average-pooled features [n, 2560] from the states before the last blocks."""
        with torch.autocast('cpu', torch.bfloat16):
            return torch.cat(
                [
                    tail(x.to(memory_format=torch.channels_last)).float()
                    for tail, x in zip(self.tails, states)
                ],
                1,
            )
