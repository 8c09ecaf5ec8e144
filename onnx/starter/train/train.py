"""Trains the heads on the cached features from several seeds, and merges them.

usage: train.py WORK_FOLDER
"""
import copy
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from evaluate import recalls
from heads import TOWERS, ImageHead, TextHead, bridge_of, merged

N_SEEDS = 3
BATCH, N_CAPTIONS, N_PSEUDO, N_DRAWINGS = 500, 3, 192, 192  # per step


class PseudoPictures:
    """Features for classes that no caption names: real features moved along cov · w_class until
    that class wins by a margin."""

    def __init__(self, features, bridge):
        self.features, self.bridge = features, bridge
        towards = torch.cov(features.T) @ bridge.weight.T
        # A step of 1 raises the class's logit by 1.
        self.towards = (towards / (bridge.weight * towards.T).sum(-1)).T

    def draw(self, n):
        classes = torch.randint(0, len(self.towards), (n,))
        x = self.features[torch.randint(0, len(self.features), (n,))]
        logits = self.bridge.logits(x)
        gap = logits.max(-1).values - logits.gather(1, classes[:, None])[:, 0]
        return (x + (gap + torch.rand(n) * 6 + 2)[:, None] * self.towards[classes]).clamp_min(0), classes


def contrast(images, texts, n_captions, scale):
    """Symmetric InfoNCE of images [n, d] and their captions [n * n_captions, d], grouped by image.
    Captions of the same image are not negatives of each other."""
    n = len(images)
    similarity = images @ texts.T * scale  # [n, n * n_captions]
    own = torch.arange(n).repeat_interleave(n_captions)
    to_image = F.cross_entropy(similarity.T, own, label_smoothing=0.05)
    right = similarity[own, torch.arange(len(own))].view(n, n_captions)
    blocked = similarity.view(n, n, n_captions).masked_fill(torch.eye(n, dtype=torch.bool)[..., None], -1e4)
    others = blocked.view(n, -1).logsumexp(1, keepdim=True)
    to_text = (torch.logaddexp(right, others) - right).mean()
    return 0.5 * (to_image + to_text)


def contrast_classes(images, texts, classes, scale):
    """InfoNCE where all pairs of the same class are positives."""
    s, right = images @ texts.T * scale, (classes[:, None] == classes[None]).float()
    by_image, by_text = s.log_softmax(1), s.log_softmax(0)
    return -0.5 * (((right * by_image).sum(1) / right.sum(1)).mean() + ((right * by_text).sum(0) / right.sum(0)).mean())


def pictures(work, name, *views):
    """Average-pooled features of all towers, concatenated: [view, n, 2560]"""
    views = [np.concatenate([np.load(work / f'{name}-{t}-{v}.npy') for t in TOWERS], 1) for v in views]
    return torch.from_numpy(np.stack(views))


def sentences(work, name, per_item):
    """Sentence embeddings [n, texts of each item, 384]"""
    return torch.from_numpy(np.load(work / f'{name}-sentences.npy')).unflatten(0, (-1, per_item))


def any_of(texts, rows):
    """One random text per row: [n, 384]"""
    return texts[rows, torch.randint(0, texts.shape[1], (len(rows),))]


class Training:
    def __init__(self, work, seed):
        torch.manual_seed(seed)
        torch.set_float32_matmul_precision('medium')  # bf16 products where supported
        self.images, self.captions = pictures(work, 'train', 'plain', 'mirrored'), sentences(work, 'train', 5)
        self.dev_images, self.dev_captions = pictures(work, 'dev', 'plain')[0], sentences(work, 'dev', 5).flatten(0, 1)
        self.drawings, self.titles = pictures(work, 'drawings', 'plain')[0], sentences(work, 'drawings', 3)
        names = self.titles[:, 0].numpy().round(4)
        # Drawings with the same name have the same class.
        self.drawn = torch.from_numpy(np.unique(names, axis=0, return_inverse=True)[1].ravel())
        bridge, prompts = bridge_of(work)
        self.prompts = prompts.transpose(0, 1)  # [class, template, 384]
        self.pseudo = PseudoPictures(self.images[0], bridge)
        self.image_head = ImageHead(bridge, self.images[0].mean(0), self.images[0].std(0) + 1e-2)
        self.text_head = TextHead()
        self.log_scale = nn.Parameter(torch.tensor(math.log(20.0)))

    def step(self, chosen):
        """The loss of one batch of training pictures (rows of the training set)."""
        scale, n = self.log_scale.exp(), len(chosen)
        picked = torch.rand(n, 5).argsort(1)[:, :N_CAPTIONS]
        t = F.normalize(self.captions[chosen[:, None], picked].flatten(0, 1), dim=-1)
        t = self.text_head(t + 0.02 * torch.randn_like(t) * (torch.rand(len(t), 1) < 0.5))
        seen = self.image_head(self.images[torch.randint(0, len(self.images), (n,)), chosen])
        loss = contrast(seen, t, N_CAPTIONS, scale)

        x, k = self.pseudo.draw(N_PSEUDO)
        loss = loss + 0.5 * contrast_classes(self.image_head(x), self.text_head(any_of(self.prompts, k)), k, scale)

        k = torch.randint(0, len(self.drawings), (N_DRAWINGS,))
        x, t = self.image_head(self.drawings[k]), self.text_head(any_of(self.titles, k))
        return loss + 0.25 * contrast_classes(x, t, self.drawn[k], scale)

    def run(self, epochs=16, rate=1e-3, decay=0.2):
        """Trains, and returns the moving averages of the two heads."""
        trained = self.image_head, self.text_head
        slow, start, step = copy.deepcopy(trained), time.time(), 0
        parameters = [*self.image_head.parameters(), *self.text_head.parameters(), self.log_scale]
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
        n = self.images.shape[1]
        n_steps = epochs * (n // BATCH)
        for epoch in range(epochs):
            for chosen in torch.randperm(n)[:n // BATCH * BATCH].split(BATCH):
                for group in optimizer.param_groups:
                    group['lr'] = rate * min(1, (step + 1) / 50) * (0.5 * (1 + math.cos(math.pi * step / n_steps)) + 0.01)
                loss = self.step(chosen)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                self.log_scale.data.clamp_(max=math.log(80))
                step += 1
                with torch.no_grad():
                    for average, now in zip(slow, trained):
                        for p, q in zip(average.parameters(), now.parameters()):
                            p.lerp_(q, max(0.02, 1 / step))
            if epoch % 4 == 3:
                print(f'epoch {epoch + 1}, {time.time() - start:.0f} s: loss {loss.item():.3f}, scale {self.log_scale.exp():.0f}, '
                      'dev', *self.evaluate(*slow), flush=True)
        return slow

    @torch.no_grad()
    def evaluate(self, image_head, text_head):
        image_head.eval(), text_head.eval()
        similarity = image_head(self.dev_images) @ text_head(self.dev_captions).T
        return recalls(similarity.numpy(), np.arange(len(self.dev_captions)) // 5)


if __name__ == '__main__':
    work = Path(sys.argv[1])
    pairs = []
    for seed in range(N_SEEDS):
        training = Training(work, seed)
        pairs.append(training.run())
    image_head, text_head = (merged(heads) for heads in zip(*pairs))
    print('joined, dev', *training.evaluate(image_head, text_head))
    torch.save({'image': image_head.state_dict(), 'text': text_head.state_dict()}, work / 'heads.pt')
