"""Trains the heads, then the heads with the last layers of the text tower, on what features.py cached.

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
from heads import TOWERS, ImageHead, TextHead, bridge_of
from towers import Sentence, minilm

BATCH, N_CAPTIONS, N_PSEUDO, N_DRAWINGS = 500, 3, 192, 192  # a step


class PseudoPictures:
    """Features of pictures of classes that the captions never name: real features moved along cov · w_class until
    that class wins by a margin."""

    def __init__(self, features, bridge):
        self.features, self.bridge = features, bridge
        towards = torch.cov(features.T) @ bridge.weight.T
        self.towards = (towards / (bridge.weight * towards.T).sum(-1)).T  # a step of 1 raises the class's logit by 1

    def draw(self, n):
        classes = torch.randint(0, len(self.towards), (n,))
        x = self.features[torch.randint(0, len(self.features), (n,))]
        logits = self.bridge.logits(x)
        gap = logits.max(-1).values - logits.gather(1, classes[:, None])[:, 0]
        return (x + (gap + torch.rand(n) * 6 + 2)[:, None] * self.towards[classes]).clamp_min(0), classes


def contrast(images, texts, n_captions, scale):
    """Symmetric InfoNCE of images [n, d] and their captions [n * n_captions, d], grouped by image. The other captions
    of the same image are no negatives of each other."""
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
    """InfoNCE where every pair of the same class is right."""
    s, right = images @ texts.T * scale, (classes[:, None] == classes[None]).float()
    by_image, by_text = s.log_softmax(1), s.log_softmax(0)
    return -0.5 * (((right * by_image).sum(1) / right.sum(1)).mean() + ((right * by_text).sum(0) / right.sum(0)).mean())


class Texts:
    """Cached texts, each as its sentence embedding and as the token states before the trained layers."""

    def __init__(self, work, name):
        self.sentences, self.tokens, self.starts = (np.load(work / f'{name}-{part}.npy') for part in ('sentences', 'tokens', 'starts'))

    def encode(self, sentence, chosen):
        """Sentence embeddings [n, 384] of the chosen texts: the cached ones, or those that `sentence` makes now."""
        if sentence is None:
            return torch.from_numpy(self.sentences[chosen])
        lengths, parts = self.starts[chosen + 1] - self.starts[chosen], []
        order = np.argsort(lengths, kind='stable')
        for group in np.array_split(order, max(1, len(chosen) // 200)):  # of like length, to pad little
            t = lengths[group].max()
            states = np.zeros((len(group), t, self.tokens.shape[1]), np.float32)
            for row, i in enumerate(group):
                first = self.starts[chosen[i]]
                states[row, :lengths[i]] = self.tokens[first:first + lengths[i]]
            mask = torch.from_numpy((np.arange(t) < lengths[group][:, None]).astype(np.int64))
            parts.append(sentence(torch.from_numpy(states), mask))
        return torch.cat(parts)[torch.from_numpy(np.argsort(order, kind='stable'))]


def pictures(work, name, views):
    """Average-pooled features of all towers, side by side: [view, n, 2560]"""
    views = [np.concatenate([np.load(work / f'{name}-{t}-{v}-pooled.npy') for t in TOWERS], 1) for v in views]
    return torch.from_numpy(np.stack(views))


class Training:
    def __init__(self, work, views=(0, 1, 2, 3), seed=0):
        torch.manual_seed(seed)
        np.random.seed(seed)
        torch.set_float32_matmul_precision('medium')  # bf16 products where the processor has them
        self.images, self.captions = pictures(work, 'train', views), Texts(work, 'train')
        self.dev_images, self.dev_captions = pictures(work, 'dev', [0])[0], Texts(work, 'dev')
        self.drawings, self.titles = pictures(work, 'drawings', [0]), Texts(work, 'drawings')
        self.n_titles = len(self.titles.sentences) // self.drawings.shape[1]  # of each drawing; the first is its name
        names = self.titles.sentences[::self.n_titles].round(4)
        self.drawn = torch.from_numpy(np.unique(names, axis=0, return_inverse=True)[1].ravel())  # the same name, the same class
        bridge, _ = bridge_of(work)
        self.prompts = Texts(work, 'classes')
        self.pseudo = PseudoPictures(self.images[0], bridge)
        self.image_head = ImageHead(bridge, self.images[0].mean(0), self.images[0].std(0) + 1e-2)
        self.text_head = TextHead()
        self.log_scale = nn.Parameter(torch.tensor(math.log(20.0)))

    def step(self, chosen, sentence, n_captions):
        """The loss of one batch of training pictures (rows of the training set)."""
        scale, said = self.log_scale.exp(), lambda texts, rows: self.text_head(texts.encode(sentence, rows))
        picked = np.random.rand(len(chosen), 5).argsort(1)[:, :n_captions]
        t = self.captions.encode(sentence, (chosen[:, None] * 5 + picked).ravel())
        t = F.normalize(t, dim=-1)
        t = self.text_head(t + 0.02 * torch.randn_like(t) * (torch.rand(len(t), 1) < 0.5))
        view = torch.randint(0, len(self.images), (len(chosen),))
        loss = contrast(self.image_head(self.images[view, torch.from_numpy(chosen)]), t, n_captions, scale)

        x, k = self.pseudo.draw(N_PSEUDO)
        prompts = np.random.randint(0, len(self.prompts.sentences) // 1000, N_PSEUDO) * 1000 + k.numpy()
        loss = loss + 0.5 * contrast_classes(self.image_head(x), said(self.prompts, prompts), k, scale)

        k = np.random.randint(0, self.drawings.shape[1], N_DRAWINGS)
        x = self.image_head(self.drawings[torch.randint(0, len(self.drawings), (N_DRAWINGS,)), torch.from_numpy(k)])
        titles = said(self.titles, k * self.n_titles + np.random.randint(0, self.n_titles, N_DRAWINGS))
        return loss + 0.25 * contrast_classes(x, titles, self.drawn[torch.from_numpy(k)], scale)

    def run(self, epochs, rate, sentence=None, sentence_rate=0.0, n_captions=N_CAPTIONS, decay=0.2, every=4):
        """Trains for so many epochs; afterwards the modules hold their moving averages."""
        trained = [self.image_head, self.text_head, *([sentence] if sentence else [])]
        slow, start, step = copy.deepcopy(trained), time.time(), 0
        groups = [{'params': [*self.image_head.parameters(), *self.text_head.parameters(), self.log_scale], 'lr': rate}]
        if sentence:
            groups.append({'params': list(sentence.parameters()), 'lr': sentence_rate, 'weight_decay': 0.01})
        optimizer = torch.optim.AdamW(groups, weight_decay=decay)
        rates = [group['lr'] for group in optimizer.param_groups]
        n = self.images.shape[1]
        n_steps = epochs * (n // BATCH)
        for epoch in range(epochs):
            for chosen in np.random.permutation(n)[:n // BATCH * BATCH].reshape(-1, BATCH):
                for group, full in zip(optimizer.param_groups, rates):
                    group['lr'] = full * min(1, (step + 1) / 50) * (0.5 * (1 + math.cos(math.pi * step / n_steps)) + 0.01)
                loss = self.step(chosen, sentence, n_captions)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                self.log_scale.data.clamp_(max=math.log(80))
                step += 1
                with torch.no_grad():
                    for average, now in zip(slow, trained):
                        for p, q in zip(average.parameters(), now.parameters()):
                            p.lerp_(q, max(0.02, 1 / step))
            if epoch % every == every - 1:
                print(f'epoch {epoch + 1}, {time.time() - start:.0f} s: loss {loss.item():.3f}, scale {self.log_scale.exp():.0f}, '
                      'dev', *self.evaluate(*slow), flush=True)
        for average, now in zip(slow, trained):
            now.load_state_dict(average.state_dict())

    @torch.no_grad()
    def evaluate(self, image_head, text_head, sentence=None):
        image_head.eval(), text_head.eval()
        captions = text_head(self.dev_captions.encode(sentence, np.arange(len(self.dev_captions.sentences))))
        out = recalls((image_head(self.dev_images) @ captions.T).numpy(), np.arange(len(captions)) // 5)
        image_head.train(), text_head.train()
        return out

    def save(self, sentence, file):
        states = {'image': self.image_head, 'text': self.text_head, 'sentence': sentence}
        torch.save({name: module.state_dict() for name, module in states.items()}, file)


if __name__ == '__main__':
    work = Path(sys.argv[1])
    training, sentence = Training(work), Sentence(minilm(work)[1]).requires_grad_(True)
    training.run(epochs=24, rate=1e-3)
    training.save(sentence, work / 'heads-only.pt')
    training.run(epochs=8, rate=2e-4, sentence=sentence, sentence_rate=3e-5, n_captions=2, every=1)
    training.save(sentence, work / 'heads.pt')
