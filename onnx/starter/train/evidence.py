"""Fits how the program weighs what is known of a picture: src/engine/search/evidence.rs.

usage: evidence.py STARTER_FOLDER DATASET.jsonl SAMPLES.jsonl

Lines: {"image": relative path, "captions": [...]}. Of the data set (Flickr8k's dev split), one
caption of each photo is the query and one to four others are known, in turn. Prints three logistic
regressions of right and wrong photos; R@1/5/10
with captions of all photos and of every second one; and for each bound of the log-odds, how many
hits among the first ten of SAMPLES (the sample photos) are right, how many right ones are there,
and how many of the data set's captions, of which there is no sample photo, have any hit. Then the
same for captions as the answer to a text.
"""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np

from calibrate import unrelated
from evaluate import Model

FOLDS = (0, (1, 2, 3, 4)), (1, (0, 2, 3, 4)), (2, (0,)), (3, (0, 1)), (4, (0,))
HUB_SHARE, N_HUB, SAME = 0.25, 20, 0.9
EQUAL_TEXTS = 8.03  # cosine 1, in deviations of unrelated texts
TEXT, TEXT_WORDS, TEXT_BASE = 1.73, 1.0, -10.30  # as in the program
OFFSET = 3  # of the odds: one picture in a hundred fits, not one in a thousand
STOP = set('a an and are as at be by for if in into is it of on or that the to was with'.split())


def words(text):
    """A plain stand-in for the word index: it stems only the plural."""
    return [
        w.removesuffix('s') for w in re.findall(r'\w+', text.lower()) if w not in STOP
    ]


def coverage(documents, queries):
    """The share of each query's words by inverse document frequency: [queries, documents]"""
    n, having = len(documents), {}
    for number, document in enumerate(documents):
        for word in set(document):
            having.setdefault(word, []).append(number)
    idf = lambda k: math.log1p((n - k + 0.5) / (k + 0.5))
    out = np.zeros((len(queries), n), np.float32)
    for row, query in zip(out, queries):
        weights = {word: idf(len(having.get(word, ()))) for word in set(query)}
        for word, weight in weights.items():
            row[having.get(word, [])] += weight / sum(weights.values())
    return out


class Set:
    def __init__(self, model, file):
        rows = [json.loads(line) for line in open(file)]
        self.captions = [row['captions'] for row in rows]
        self.own = np.concatenate([[i] * len(c) for i, c in enumerate(self.captions)])
        self.place = np.concatenate([np.arange(len(c)) for c in self.captions])
        self.images = model.images([file.parent / row['image'] for row in rows])
        self.texts = model.texts([c for of_photo in self.captions for c in of_photo])

    def pictures(self, texts):
        """Cosines [texts, pictures], less what pictures owe to being near everything."""
        others = self.images @ self.images.T
        others[others > SAME] = -2
        bias = np.sort(others, 1)[:, -N_HUB:].mean(1) if len(others) > 256 else np.zeros(len(others))
        return texts @ self.images.T - HUB_SHARE * (bias - bias.mean())

    def nearest_caption(self, texts, known):
        """The cosine of the nearest of some captions of each picture: [texts, pictures]"""
        out = np.full((len(texts), len(self.images)), -1, np.float32)
        for caption in np.flatnonzero(np.isin(self.place, known)):
            own = out[:, self.own[caption]]
            np.maximum(own, texts @ self.texts[caption], out=own)
        return out


def regression(inputs, is_right):
    """Weights and constant by Newton's method."""
    x = np.concatenate([inputs, np.ones((len(inputs), 1))], 1).astype(np.float64)
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = (x * (p * (1 - p))[:, None]).T @ x + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(slope, x.T @ (is_right - p))
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def standard(cosines, unrelated):
    return (cosines - unrelated[0]) / unrelated[1]


def fold(dev, pairs, query, known):
    """What is known of all pictures for each query, and which is right."""
    rows = np.flatnonzero(dev.place == query)
    texts = dev.texts[rows]
    asked = [words(dev.captions[i][query]) for i in dev.own[rows]]
    written = [[w for k in known for w in words(c[k])] for c in dev.captions]
    pictures = standard(dev.pictures(texts), pairs['text-picture'])
    captions = standard(dev.nearest_caption(texts, known), pairs['text-text'])
    right = dev.own[rows][:, None] == np.arange(len(dev.images))
    return pictures, captions, coverage(written, asked), right


def captions_of_texts(dev, pairs):
    """Of each photo one caption as the query and all other captions as what is searched: prints the
    regression of captions of the same photo, R@1/5/10 of the first of them by meaning, by ranks and
    by the program's weights, and how many hits are right from each bound on."""
    rows = np.flatnonzero(dev.place == np.arange(len(dev.images))[dev.own] % 5)
    mean = pairs['text-text'][0]
    near = (dev.texts[rows] @ dev.texts.T - mean) / ((1 - mean) / EQUAL_TEXTS)
    split = [words(c) for of_photo in dev.captions for c in of_photo]
    share = coverage(split, [split[row] for row in rows])
    right = dev.own[rows][:, None] == dev.own
    others = np.arange(len(dev.texts)) != rows[:, None]
    w = regression(np.stack([near[others], share[others]], 1), right[others])
    print('caption of a text:', *(f'{x:.2f}' for x in w))
    odds = TEXT * near + TEXT_WORDS * share + TEXT_BASE
    place = lambda values: np.where(others, -values, 9e9).argsort(1).argsort(1)
    fused = 1 / (60 + place(near)) + np.where(share > 0, 1 / (60 + place(share)), 0)
    for name, values in ('meaning', near), ('ranks', fused), ('weights', odds):
        best = np.where(right & others, values, -9e9).max(1)
        ranks = ((values > best[:, None]) & others).sum(1)
        print(f'  by {name} R@1/5/10', *(f'{100 * float((ranks < k).mean()):.1f}' for k in (1, 5, 10)))
    for bound in (0.73, 0.27, 0.05):
        above = (odds >= math.log(bound / (1 - bound))) & others
        print(f'  confidence {bound}: {100 * right[above].mean():.0f} % right')


def log_odds(weights, *known):
    return sum(w * x for w, x in zip(weights, known)) + weights[-1]


def main(starter, dataset, samples):
    model = Model(starter, starter / 'tokenizer.json')
    dev, photos = Set(model, dataset), Set(model, samples)
    pairs = unrelated(dev.images, dev.texts, dev.own)
    folds = [fold(dev, pairs, *f) for f in FOLDS]
    join = lambda *which: np.concatenate(
        [np.stack([f[i].ravel() for i in which], 1) for f in folds]
    )
    right = np.concatenate([f[3].ravel() for f in folds])
    alone, with_words, captioned = (
        regression(join(*which), right) for which in ((0,), (0, 2), (0, 1, 2))
    )
    print('log-odds, constants', f'{OFFSET} higher:')
    for name, w in ('picture', alone), ('picture, words', with_words), ('all', captioned):
        print(f'  {name}:', *(f'{x:.2f}' for x in w[:-1]), f'{w[-1] + OFFSET:.2f}')

    captions_of_texts(dev, pairs)

    for every in (1, 2):
        pictures, captions, share, is_right = fold(dev, pairs, 4, (0, 1, 2, 3))
        has = np.arange(len(dev.images)) % every == 0
        share = share * has
        without = log_odds(alone, pictures)
        without = np.where(
            share > 0, np.maximum(without, log_odds(with_words, pictures, share)), without
        )
        cost = 2 * (1 - np.clip((captions - 4) / 2, 0, 1))
        both = np.maximum(log_odds(captioned, pictures, captions, share), without - cost)
        odds = np.where(has, both, without)
        ranks = (odds > odds[is_right][:, None]).sum(1)
        for name, chosen in ('with', has), ('without', ~has):
            if chosen.any():
                found = [100 * float((ranks[chosen] < k).mean()) for k in (1, 5, 10)]
                print(f'captions of every {every}: photos {name} R@1/5/10', *(f'{f:.1f}' for f in found))

    of = lambda s, texts: log_odds(alone, standard(s.pictures(texts), pairs['text-picture']))
    hits, absent = of(photos, photos.texts) + OFFSET, of(photos, dev.texts) + OFFSET
    best, none = hits.max(1), np.sort(absent.max(1))
    below = (np.searchsorted(none, best, 'left') + np.searchsorted(none, best, 'right')) / 2
    print(f'AUC of the best hit, photo there or not: {below.mean() / len(none):.3f}')
    first = np.argsort(-hits, 1)[:, :10]
    values, is_own = np.take_along_axis(hits, first, 1), first == photos.own[:, None]
    for bound in range(-4, 3):
        above = values >= bound
        print(
            f'log-odds {bound}, confidence {1 / (1 + math.exp(-bound)):.2f}: '
            f'{100 * is_own[above].mean():.0f} % right, '
            f'{100 * is_own[above].sum() / len(hits):.0f} % found; '
            f'{100 * (absent.max(1) >= bound).mean():.0f} % of what is not there has a hit'
        )


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:4]))
