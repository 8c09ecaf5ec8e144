"""Makes the list of English words, sorted, one per line, from the lists of SCOWL.

    apt-get download scowl=2020.12.07-2
    dpkg -x scowl_2020.12.07-2_all.deb scowl
    python3 onnx/data/english/make.py scowl/usr/share/dict/scowl > onnx/data/english/words.txt

The lists are graded from 10, the most common words, to 95. Words are taken up to 50, capitalized
words that are no names (`Christmas`, `Japanese`) and abbreviations up to 40, in American and
British spelling. Possessives are left out, and so are plurals in -s, which the program recognizes
by their singular.
"""

import itertools
import pathlib
import re
import sys

SPELLINGS = ["english", "american", "british", "british_z"]
KINDS = {"words": 50, "upper": 40, "abbreviations": 40}
GRADES = [10, 20, 35, 40, 50]
SHORTEST_PLURAL = 4


def main(lists):
    words = set()
    for spelling, (kind, highest) in itertools.product(SPELLINGS, KINDS.items()):
        for grade in GRADES:
            path = pathlib.Path(lists, f"{spelling}-{kind}.{grade}")
            if grade <= highest and path.exists():
                words.update(path.read_text("latin-1").lower().split())
    kept = set()
    # The shorter first: `brass` is no plural of `bras`, which is left out itself.
    for word in sorted(words, key=len):
        is_plural = len(word) >= SHORTEST_PLURAL and word.endswith("s") and word[:-1] in kept
        if re.fullmatch("[a-z]{2,}", word) and not is_plural:
            kept.add(word)
    print("\n".join(sorted(kept)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
