"""Trains the head of the multilingual text tower, with everything else as it is.

The pictures and the English head are fixed, so that a step costs little and thousands of them are
possible; training all heads together has time for a few hundred, which are too few to learn where
the English head puts names.
"""

import copy
import time

import torch
import torch.nn.functional as F

from heads import GatedHead, TextHead
from losses import average, contrast, contrast_pairs, schedule

RATE = 1e-3
N_TEXTS = 256  # of each kind, per step
N_PICTURES, EVERY = 500, 4  # captions of this many pictures, in one of this many steps
PAIR_SCALE, PULL = 30, 5
N_STEPS, WIDTH, DROPOUT, DECAY = 1500, 1536, 0.1, 0.05
# Of the head for Chinese, which learns mostly from captions of photos, and would soon know them.
N_CHINESE_STEPS, CHINESE_WIDTH, CHINESE_DROPOUT, CHINESE_DECAY = 750, 1024, 0.3, 0.2
N_GATE_STEPS = 300


@torch.no_grad()
def all_views(model, pictures):
    """The embeddings of all views of pictures: [n, views, 384]"""
    parts = torch.arange(len(pictures)).split(200)
    views = []
    for view in range(pictures.n_views()):
        inputs = (pictures.inputs(items, torch.full_like(items, view)) for items in parts)
        views.append(torch.cat([model.image(model.pooled(x)) for x in inputs]))
    return torch.stack(views, 1)


def pair_loss(english, other):
    """Of translations: each is to find the other among many, and to be near it."""
    return contrast_pairs(english, other, PAIR_SCALE) + PULL * (1 - (english * other).sum(1)).mean()


class Lessons:
    """All that the head learns from, with the texts in English as the English head places them."""

    @torch.no_grad()
    def __init__(self, source, model):
        place = lambda vectors: torch.cat([model.english(part) for part in vectors.split(5000)])
        self.scale, self.main = model.log_scale.exp(), source.main.texts
        self.seen = all_views(model, source.main)
        captions = [source.main.texts]
        if source.extra is not source.main:
            captions.append(source.extra.texts)
        join = lambda language: torch.cat([texts[language].vectors for texts in captions])
        # English through both towers: the multilingual one carries what it learns over to its other
        # languages.
        self.english = [
            (place(join('en')), join('other en')),
            (place(source.prompts.flatten(0, 1)), source.other_prompts.flatten(0, 1)),
            (place(source.nouns.english), source.nouns.others[0]),
        ]
        self.pairs, self.things = copy.copy(source.pairs), copy.copy(source.things)
        for texts in filter(None, (self.pairs, self.things)):
            texts.english = place(texts.english)

    def of_most_languages(self, head, step):
        """The loss of the head for most languages."""
        loss = 0
        for english, other in self.english:
            items = torch.randint(0, len(english), (N_TEXTS,))
            loss = loss + pair_loss(english[items], head(other[items]))
        for texts in filter(None, (self.pairs, self.things)):
            english, other = texts.draw(N_TEXTS)
            loss = loss + pair_loss(english, head(other))
        return loss if step % EVERY else loss + 0.6 * self.of_captions(head, 'other en')

    def of_chinese(self, head, step):
        """The loss of a head for Chinese: names, and captions by people."""
        items = torch.randint(0, len(self.things.english), (N_TEXTS,))
        names = self.things.others['zh']
        loss = pair_loss(self.things.english[items], head(names.vectors[names.firsts[items]]))
        return 0.3 * loss + self.of_captions(head, 'zh')

    def of_captions(self, head, language):
        items = torch.randperm(len(self.seen))[:N_PICTURES]
        views = torch.randint(0, self.seen.shape[1], (len(items),))
        texts, numbers, own = self.main[language].draw(items, 3)
        return contrast(self.seen[items, views], head(texts), own, numbers, self.scale)

    def of_gate(self, gated, step):
        """The loss of the gate."""
        draw = lambda texts: texts[torch.randint(0, len(texts), (N_TEXTS,))]
        names = [(texts.vectors, code == 'zh') for code, texts in self.things.others.items()]
        captions = [(self.main['zh'].vectors, True), (self.main['other en'].vectors, False)]
        captions += [(texts, False) for texts in self.pairs.others]
        opens = [
            (gated.opens(draw(texts)), float(is_chinese)) for texts, is_chinese in names + captions
        ]
        return sum(
            F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
            for logits, target in opens
        )


def learn(name, module, n_steps, decay, loss_of):
    """Trains a module by the loss of each step, and returns the moving average of its weights."""
    start, slow = time.time(), copy.deepcopy(module)
    optimizer = torch.optim.AdamW(module.train().parameters(), weight_decay=decay)
    for step in range(n_steps):
        optimizer.param_groups[0]['lr'] = RATE * schedule(step, n_steps)
        loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average(slow, module, step)
    print(
        f'{name}, {n_steps} steps, {time.time() - start:.0f} s: loss {loss.item():.3f}', flush=True
    )
    return slow.eval()


def learn_languages(source, model, untrained):
    """The head for the multilingual tower, trained. untrained: a head whose mean and straight map
    it starts with."""
    model.eval().requires_grad_(False)
    lessons = Lessons(source, model)

    def course(name, n_steps, width, dropout, decay, loss_of):
        head = TextHead(untrained.mean, untrained.straight.weight, width, dropout)
        return learn(name, head, n_steps, decay, lambda step: loss_of(head, step))

    of_most = lessons.of_most_languages
    most = course('languages', N_STEPS, WIDTH, DROPOUT, DECAY, of_most)
    if 'zh' not in lessons.main:  # without captions in it, Chinese is a language like others
        return most
    shape = CHINESE_WIDTH, CHINESE_DROPOUT, CHINESE_DECAY
    chinese = course('Chinese', N_CHINESE_STEPS, *shape, lessons.of_chinese)
    gated = GatedHead(chinese, most)
    of_gate = lambda step: lessons.of_gate(gated, step)
    gated.gate = learn('gate', gated.gate, N_GATE_STEPS, 0, of_gate)
    return gated
