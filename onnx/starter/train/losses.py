"""The losses, and what all courses of training have in common."""

import math

import torch
import torch.nn.functional as F


def contrast(images, texts, own, numbers, scale, smooth=0.05):
    """Symmetric InfoNCE of images [n, d] and texts [m, d]; own [m]: the image of each text. A text
    that says the same as one of an image's is not its negative."""
    n, m = len(images), len(texts)
    similarity, mine = images @ texts.T * scale, own == torch.arange(n)[:, None]
    _, number = numbers.unique(return_inverse=True)
    says = torch.zeros(n, int(number.max()) + 1, dtype=torch.bool)
    says[own, number] = True
    right = says[:, number]
    blocked = right & ~mine
    by_text = similarity.masked_fill(blocked, -1e4).log_softmax(0)
    spread = by_text.masked_fill(blocked, 0).sum(0) / (~blocked).sum(0)
    to_image = -((1 - smooth) * by_text[own, torch.arange(m)] + smooth * spread).mean()
    own_similarity = similarity[own, torch.arange(m)]
    others = similarity.masked_fill(right, -1e4).logsumexp(1)[own]
    return 0.5 * (to_image + (torch.logaddexp(own_similarity, others) - own_similarity).mean())


def contrast_classes(images, texts, classes, scale):
    """InfoNCE where all pairs of the same class are positives."""
    s, right = images @ texts.T * scale, (classes[:, None] == classes[None]).float()
    by_image, by_text = s.log_softmax(1), s.log_softmax(0)
    return -0.5 * (
        ((right * by_image).sum(1) / right.sum(1)).mean()
        + ((right * by_text).sum(0) / right.sum(0)).mean()
    )


def contrast_pairs(english, other, scale):
    """Symmetric InfoNCE of texts and their translations."""
    similarity, at = english @ other.T * scale, torch.arange(len(other))
    return 0.5 * (F.cross_entropy(similarity, at) + F.cross_entropy(similarity.T, at))


def unit(x):
    return F.normalize(x, dim=-1)


def schedule(step, n_steps):
    """The share of the full rate: a short rise, then half a cosine."""
    return min(1, (step + 1) / 50) * (0.5 * (1 + math.cos(math.pi * step / n_steps)) + 0.01)


@torch.no_grad()
def average(slow, model, step):
    """Updates the moving average of a model's weights."""
    for p, q in zip(slow.parameters(), model.parameters()):
        p.lerp_(q, max(0.02, 1 / (step + 2)))
