"""The cached features and sentence embeddings as training draws them."""

import json

import numpy as np
import torch

from texts import EXTRA, is_kept
from towers import TOWERS

HELD = 10, 7  # of ten pictures of an extra set, this one is held back to measure on


def rows_of(file):
    return [json.loads(line) for line in open(file)]


def sentences(work, tower, name):
    return torch.from_numpy(np.load(work / f'texts/{tower}/{name}.npy').astype(np.float32))


class Texts:
    """The sentence embeddings of some items' texts. Texts that say the same have the same
    number."""

    def __init__(self, vectors, texts, counts):
        self.vectors, self.counts = vectors, torch.as_tensor(counts)
        self.firsts = self.counts.cumsum(0) - self.counts
        numbers = {}
        self.numbers = torch.tensor(
            [numbers.setdefault(text.strip(' .。').lower(), len(numbers)) for text in texts]
        )

    def draw(self, items, n):
        """n random texts of each item, different ones where it has as many: embeddings [items * n,
        384], numbers, and the place in `items` of each."""
        counts = self.counts[items][:, None]
        order = (
            torch.rand(len(items), int(counts.max()))
            .masked_fill(torch.arange(int(counts.max())) >= counts, 2)
            .argsort(1)
        )
        rows = (
            self.firsts[items][:, None] + order[:, torch.arange(n) % order.shape[1]] % counts
        ).flatten()
        return self.vectors[rows], self.numbers[rows], torch.arange(len(items)).repeat_interleave(n)


class Pictures:
    """Pictures of several sets, the views of each, and texts about them by language."""

    def __init__(self, work, chosen):
        """chosen: {set: numbers of its pictures}"""
        self.places = torch.tensor(
            [(s, i) for s, numbers in enumerate(chosen.values()) for i in numbers]
        )
        folder = work / 'pictures'
        self.pooled = [torch.from_numpy(np.load(folder / f'{name}-pooled.npy')) for name in chosen]
        self.states = [
            [np.load(folder / f'{name}-{t}.npy', mmap_mode='r') for t in TOWERS] for name in chosen
        ]
        self.texts = {}

    def __len__(self):
        return len(self.places)

    def n_views(self):
        """How many views every one has at least."""
        return min(p.shape[1] for p in self.pooled)

    def views(self, items):
        """A random view of each item."""
        n_views = torch.tensor([p.shape[1] for p in self.pooled])[self.places[items, 0]]
        return (torch.rand(len(items)) * n_views).long()

    def features(self, items, views):
        """What the towers made of these views before they were trained: [items, 2560]"""
        return torch.stack(
            [self.pooled[s][i, v] for (s, i), v in zip(self.places[items].tolist(), views.tolist())]
        ).float()

    def inputs(self, items, views):
        """What the trained part of each tower gets: [items, channels, height, width] each"""
        where = list(zip(self.places[items].tolist(), views.tolist()))
        return [
            torch.from_numpy(np.stack([self.states[s][t][i, v] for (s, i), v in where])).float()
            for t in range(len(TOWERS))
        ]

    def add(self, language, vectors, texts, counts):
        self.texts[language] = Texts(vectors, texts, counts)


def flickr(work, listed, split):
    """The pictures of a split of Flickr8k with English captions in both towers' spaces and Chinese
    ones in e5's."""
    pictures = Pictures(work, {split: range(len(listed[f'{split}-en']) // 5)})
    for language, tower, name in (
        ('en', 'minilm', 'en'),
        ('other en', 'e5', 'en'),
        ('zh', 'e5', 'zh'),
    ):
        texts = listed[f'{split}-{name}']
        pictures.add(
            language, sentences(work, tower, f'{split}-{name}'), texts, [5] * (len(texts) // 5)
        )
    return pictures


def extra(folder, work, held, free_only):
    """The pictures of the extra sets that are trained on, or those held back."""
    chosen, kept = {}, {'minilm': [], 'e5': []}
    texts, counts = [], []
    for name in EXTRA:
        rows = rows_of(folder / name / 'captions.jsonl')
        numbers = [
            i
            for i, row in enumerate(rows)
            if (i % HELD[0] == HELD[1]) == held and is_kept(row, free_only)
        ]
        if not numbers:
            continue
        chosen[name] = numbers
        firsts = np.cumsum([0] + [len(row['captions']) for row in rows])
        for i in numbers:
            texts += rows[i]['captions']
            counts.append(len(rows[i]['captions']))
        for tower, vectors in kept.items():
            whole = sentences(work, tower, f'{name}-en')
            vectors += [whole[firsts[i] : firsts[i + 1]] for i in numbers]
    pictures = Pictures(work, chosen)
    for language, tower in (('en', 'minilm'), ('other en', 'e5')):
        pictures.add(language, torch.cat(kept[tower]), texts, counts)
    return pictures


def drawings(work):
    """Drawings with their titles, and the class of each: drawings with the same title have the
    same."""
    titles = [text for row in rows_of(work / 'drawings.jsonl') for text in row['captions']]
    pictures = Pictures(work, {'drawings': range(len(titles) // 3)})
    pictures.add('en', sentences(work, 'minilm', 'drawings-en'), titles, [3] * len(pictures))
    return pictures, pictures.texts['en'].numbers[::3]


def prompts(work, tower):
    """Class prompts: [class, template, 384]"""
    return sentences(work, tower, 'classes-en').unflatten(0, (-1, 1000)).transpose(0, 1)


class Pairs:
    """Texts of the same meaning in English (MiniLM) and in other languages (e5)."""

    def __init__(self, english, others):
        self.english, self.others = english, others

    def draw(self, n):
        kept = torch.randint(0, len(self.english), (n,))
        language = self.others[int(torch.randint(0, len(self.others), (1,)))]
        return self.english[kept], language[kept]


class Things:
    """Names of things in English (MiniLM) [n, 384], and names or keywords in the other languages
    (e5): the `Texts` of each."""

    def __init__(self, english, others):
        self.english, self.others = english, others

    def draw(self, n):
        """n of them, each in one of the other languages. Of its words, the first counts most."""
        kept = torch.randint(0, len(self.english), (n,))
        language, said = (
            torch.randint(0, len(self.others), (n,)),
            torch.empty(n, self.english.shape[1]),
        )
        for number, texts in enumerate(self.others.values()):
            items = kept[language == number]
            word = torch.where(
                torch.rand(len(items)) < 0.6, 0, torch.rand(len(items)) * texts.counts[items]
            ).long()
            said[language == number] = texts.vectors[texts.firsts[items] + word]
        return self.english[kept], said


def multi30k(work, split):
    return Pairs(
        sentences(work, 'minilm', f'multi30k-{split}-en'),
        [sentences(work, 'e5', f'multi30k-{split}-{other}') for other in ('de', 'fr', 'cs')],
    )


def nouns(work):
    """In English for both towers."""
    return Pairs(sentences(work, 'minilm', 'nouns-en'), [sentences(work, 'e5', 'nouns-en')])


def things(work, kind):
    """Those of phrases.json."""
    items = json.loads((work / 'phrases.json').read_text())[kind]
    counts = {code: [len(item[code]) for item in items] for code in items[0]}
    english = sentences(work, 'minilm', f'phrases-{kind}-en')[
        np.cumsum([0] + counts.pop('en'))[:-1]
    ]
    return Things(
        english,
        {
            code: Texts(
                sentences(work, 'e5', f'phrases-{kind}-{code}'),
                [text for item in items for text in item[code]],
                n,
            )
            for code, n in counts.items()
        },
    )
