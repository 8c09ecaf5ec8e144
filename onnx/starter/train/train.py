"""Trains the heads from several seeds on the cached features and merges them; the last blocks of the
image towers, under the heads of some seeds; then the head of the multilingual text tower from
scratch, with all else as it is.

usage: train.py FLICKR8K EXTRA WORK_FOLDER [--free-only]

Writes WORK_FOLDER/model.pt, a `heads.Model`. What is finished is not trained again. --free-only
leaves out all pictures and texts whose licence forbids commercial use or is not stated, and writes
free-model.pt.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn

import data
from evaluate import recalls
from heads import Bridge, Model, merged
from languages import learn_languages
from losses import average, contrast, contrast_classes, schedule, unit
from texts import lists
from towers import TOWERS, classifier

N_SEEDS, N_TOWER_SEEDS = 5, 3
N_STEPS, N_TOWER_STEPS = 240, 160  # on Flickr8k, 20 and 8 epochs
# Per step:
N_MAIN, N_EXTRA, N_PSEUDO, N_DRAWINGS = 500, 200, 192, 192
N_TUNED = 300, 100, 48  # main, extra and drawings, while the towers are trained
RATE, TOWER_RATE = 1e-3, 3e-4
DECAY, TOWER_DECAY = 0.2, 0.01
SCALE = 21  # at most; training the heads settles there by itself
# By how much the bridge counts more than after training: training sees only what Flickr8k shows, and
# there the rest of the head knows more.
BRIDGE = 1.5


class PseudoPictures:
    """Features for classes that no caption names: real features moved along cov · w_class until
    that class wins by a margin."""

    def __init__(self, features, bridge):
        self.bridge = bridge
        towards = torch.cov(features.T) @ bridge.weight.T
        # A step of 1 raises the class's logit by 1.
        self.towards = (towards / (bridge.weight * towards.T).sum(-1)).T

    def draw(self, features, n):
        classes = torch.randint(0, len(self.towards), (n,))
        x = features[torch.randint(0, len(features), (n,))]
        logits = self.bridge.logits(x)
        gap = logits.max(-1).values - logits.gather(1, classes[:, None])[:, 0]
        moved = x + (gap + torch.rand(n) * 6 + 2)[:, None] * self.towards[classes]
        return moved.clamp_min(0), classes


class Data:
    """All that training and choosing read."""

    def __init__(self, flickr, extra, work, free_only):
        listed = lists(flickr, extra, work)
        self.dev = data.flickr(work, listed, 'dev')
        self.held = data.extra(extra, work, True, free_only)
        self.extra = data.extra(extra, work, False, free_only)
        self.main = self.extra if free_only else data.flickr(work, listed, 'train')
        self.drawings, self.drawn = data.drawings(work)
        self.pairs = None if free_only else data.multi30k(work, 'train')
        self.translations = data.multi30k(work, 'val')
        self.things, self.held_things = (data.things(work, kind) for kind in ('train', 'held'))
        self.nouns = data.nouns(work)
        self.prompts, self.other_prompts = data.prompts(work, 'minilm'), data.prompts(work, 'e5')
        items = torch.arange(len(self.main))
        self.features = self.main.features(items, torch.zeros_like(items))

    def bridge(self):
        layers = [classifier(name)._fc for name in TOWERS]
        return Bridge(
            torch.cat([c.weight for c in layers], 1) / len(layers),
            sum(c.bias for c in layers) / len(layers),
            unit(self.prompts.mean(1)),
        )

    def model(self):
        """An untrained model. The head of the other text tower starts as the linear map (ridge
        regression) from e5's embeddings of English texts to MiniLM's."""
        english = [
            self.main.texts['en'].vectors,
            self.prompts.flatten(0, 1),
            self.extra.texts['en'].vectors,
        ]
        other = [
            self.main.texts['other en'].vectors,
            self.other_prompts.flatten(0, 1),
            self.extra.texts['other en'].vectors,
        ]
        spoken = [texts.vectors for texts in self.things.others.values()] + (
            [self.main.texts['zh'].vectors, *self.pairs.others] if self.pairs else []
        )
        mean = torch.stack([unit(x).mean(0) for x in [*other, *spoken]]).mean(0)
        x, y = unit(unit(torch.cat(other)) - mean), unit(torch.cat(english))
        start = torch.linalg.solve(x.T @ x + 10 * torch.eye(x.shape[1]), x.T @ y).T
        return Model(self.bridge(), self.features, mean, start)


class Training:
    """One course of training: of the heads on the cached features, or (`of_towers`) of the towers'
    last blocks under these heads."""

    def __init__(self, source, model, of_towers):
        self.source, self.model, self.of_towers = source, model, of_towers
        self.pseudo = PseudoPictures(source.features, model.image.bridge)

    def see(self, parts):
        """The features of random views of pictures, [n, 2560], and the loss that keeps what the
        towers say of the 1,000 classes. parts: pictures and the numbers of some of them."""
        chosen = [(pictures, items, pictures.views(items)) for pictures, items in parts]
        before = torch.cat([pictures.features(items, views) for pictures, items, views in chosen])
        if not self.of_towers:
            return before, 0
        states = zip(*(pictures.inputs(items, views) for pictures, items, views in chosen))
        x = self.model.pooled([torch.cat(tower) for tower in states])
        logits = self.model.image.bridge.logits
        return x, -(logits(before).softmax(-1) * logits(x).log_softmax(-1)).sum(-1).mean()

    def step(self, main):
        """The loss of one batch: these main pictures, and others at random."""
        source, model, scale = self.source, self.model, self.model.log_scale.exp()
        n_extra, n_drawings = N_TUNED[1:] if self.of_towers else (N_EXTRA, N_DRAWINGS)
        others = torch.randperm(len(source.extra))[:n_extra]
        if source.main is source.extra:
            others = others[:0]
        drawn = torch.randint(0, len(source.drawings), (n_drawings,))
        parts = [(source.main, main), (source.extra, others), (source.drawings, drawn)]
        x, loss = self.see([part for part in parts if len(part[1])])
        images = model.image(x)
        photos, drawings = images[:-n_drawings], images[-n_drawings:]

        vectors, numbers, own = source.main.texts['en'].draw(main, 3)
        if len(others):
            more, more_numbers, more_own = source.extra.texts['en'].draw(others, 2)
            vectors, own = torch.cat([vectors, more]), torch.cat([own, len(main) + more_own])
            numbers = torch.cat([numbers, len(source.main.texts['en'].numbers) + more_numbers])
        loss = loss + contrast(photos, model.english(vectors), own, numbers, scale)
        titles = model.english(source.drawings.texts['en'].draw(drawn, 1)[0])
        loss = loss + 0.25 * contrast_classes(drawings, titles, source.drawn[drawn], scale)
        return loss if self.of_towers else loss + self.names(x[: len(main)], scale)

    def names(self, x, scale):
        """The loss of class names against pseudo-pictures near x."""
        pseudo, classes = self.pseudo.draw(x, N_PSEUDO)
        prompts = self.source.prompts[classes, torch.randint(0, 4, (N_PSEUDO,))]
        images, texts = self.model.image(pseudo), self.model.english(prompts)
        return 0.25 * contrast_classes(images, texts, classes, scale)

    def batches(self, n):
        """Numbers of n main pictures at random, in epochs without end."""
        n_main = len(self.source.main)
        n = min(n, n_main)
        while True:
            yield from torch.randperm(n_main)[: n_main // n * n].split(n)

    def run(self, name):
        """Trains, and returns the moving average of the model."""
        model, start = self.model.train(), time.time()
        heads = nn.ModuleList([model.image, model.english])
        if self.of_towers:
            model.log_scale.requires_grad_(False)
            heads.requires_grad_(False)
            trained = [p for p in model.tails.parameters() if p.requires_grad]
            n_steps, batch, rate, decay = N_TOWER_STEPS, N_TUNED[0], TOWER_RATE, TOWER_DECAY
        else:
            trained = [*heads.parameters(), model.log_scale]
            n_steps, batch, rate, decay = N_STEPS, N_MAIN, RATE, DECAY
        slow, optimizer = copy.deepcopy(model), torch.optim.AdamW(trained, weight_decay=decay)
        for step, main in zip(range(n_steps), self.batches(batch)):
            optimizer.param_groups[0]['lr'] = rate * schedule(step, n_steps)
            loss = self.step(main)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.log_scale.data.clamp_(max=math.log(SCALE))
            average(slow, model, step)
            if step % (n_steps // 4) == n_steps // 4 - 1:
                print(
                    f'{name}, step {step + 1}, {time.time() - start:.0f} s: '
                    f'loss {loss.item():.3f};',
                    report(self.source, slow, self.of_towers),
                    flush=True,
                )
        return slow


def captions_of(pictures, language):
    """All texts of a set and the picture of each."""
    texts = pictures.texts[language]
    return texts, np.repeat(np.arange(len(pictures)), texts.counts.numpy())


def seen(model, pictures, with_towers):
    """The embeddings of the first view of all pictures."""
    items, first = torch.arange(len(pictures)), torch.zeros(len(pictures), dtype=torch.long)
    if not with_towers:
        return model.image(pictures.features(items, first))
    pooled = [model.pooled(pictures.inputs(part, first[part])) for part in items.split(100)]
    return model.image(torch.cat(pooled))


def found(images, pictures, language, head):
    """Recall (words to pictures, pictures to words, R@1/5/10), where each text has one picture."""
    texts, own = captions_of(pictures, language)
    return recalls((images @ head(texts.vectors).T).numpy(), own)


@torch.no_grad()
def report(source, model, with_towers):
    """What choices are made by: recall on dev, and pictures to words on the held-back pictures,
    where any picture with the same text is right."""
    model.eval()
    dev = found(seen(model, source.dev, with_towers), source.dev, 'en', model.english)
    texts, own = captions_of(source.held, 'en')
    similarity = (seen(model, source.held, with_towers) @ model.english(texts.vectors).T).numpy()
    says = np.zeros((len(source.held), int(texts.numbers.max()) + 1), bool)
    says[own, texts.numbers.numpy()] = True
    best = np.where(says[:, texts.numbers.numpy()], similarity, -2).max(0)
    ranks = (similarity > best).sum(0)
    return f'dev {dev}; held {[round(100 * float((ranks < k).mean()), 1) for k in (1, 5, 10)]}'


@torch.no_grad()
def report_languages(source, model):
    """The same for the other text tower: recall on dev, the share of translations found, and that
    of the first ten pictures in common with English."""
    dev = seen(model, source.dev, True)
    recall = {code: found(dev, source.dev, code, model.other) for code in ('zh', 'other en')}
    english = model.english(source.translations.english)
    right = [
        (english @ model.other(o).T).argmax(0) == torch.arange(len(o))
        for o in source.translations.others
    ]
    first, shares = (model.english(source.held_things.english) @ dev.T).topk(10).indices, {}
    for code, texts in source.held_things.others.items():
        mine = (model.other(texts.vectors[texts.firsts]) @ dev.T).topk(10).indices
        shared = (mine[:, :, None] == first[:, None]).any(2)
        shares[code] = round(100 * float(shared.float().mean()))
    right = [round(100 * float(r.float().mean()), 1) for r in right]
    return f'dev {recall}; translations found, de fr cs {right}; first ten in common {shares}'


@torch.no_grad()
def merge(models):
    """One model of several that differ in their seeds."""
    out = copy.deepcopy(models[0])
    out.image = merged([model.image for model in models])
    out.english = merged([model.english for model in models])
    out.image.named.weight *= BRIDGE
    return out


def main(flickr, extra, work, free_only):
    torch.set_float32_matmul_precision('medium')  # bf16 products where supported
    prefix, source, models = 'free-' if free_only else '', Data(flickr, extra, work, free_only), []
    for seed in range(N_SEEDS):
        torch.manual_seed(seed)
        np.random.seed(seed)
        file = work / f'{prefix}heads-{seed}.pt'
        if file.exists():
            model = torch.load(file, weights_only=False)
        else:
            model = Training(source, source.model(), False).run(f'seed {seed}')
            torch.save(model, file)
        models.append(model)
    file = work / f'{prefix}towers.pt'
    if file.exists():
        towers = torch.load(file, weights_only=False)
    else:
        torch.manual_seed(N_TOWER_SEEDS)
        towers = Training(source, merge(models[:N_TOWER_SEEDS]), True).run('towers')
        torch.save(towers, file)
    # The heads that the towers were not trained under suit them as well as those that they were.
    model = merge(models)
    model.tails = towers.tails
    print('merged:', report(source, model, True), flush=True)
    torch.manual_seed(N_SEEDS)
    model.other = learn_languages(source, model, source.model().other)
    print('languages:', report_languages(source, model), flush=True)
    torch.save(model, work / f'{prefix}model.pt')


if __name__ == '__main__':
    arguments = argparse.ArgumentParser()
    for name in ('flickr8k', 'extra', 'work'):
        arguments.add_argument(name, type=Path)
    arguments.add_argument('--free-only', action='store_true')
    main(*vars(arguments.parse_args()).values())
