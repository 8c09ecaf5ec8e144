"""Lists the English nouns for things that can be seen, from Debian's wordnet-base.

usage: nouns.py PACKAGES_FOLDER WORK_FOLDER

PACKAGES_FOLDER holds the unpacked package. Writes WORK_FOLDER/nouns.json, a sorted list. Both text
towers read them, so that the multilingual one learns where the English one puts a name; it carries
that over to the other languages by itself.
"""

import json
import re
import sys
from pathlib import Path

from wordfreq import zipf_frequency

# Lexicographer files of WordNet: acts, animals, artefacts, bodies, events, food, natural objects,
# people, phenomena, plants, substances.
SEEN = {4, 5, 6, 8, 11, 13, 17, 18, 19, 20, 27}
NAME = re.compile(r"[a-z][a-z' -]+")
LEAST_FREQUENCY = 2.4  # Zipf: the logarithm of occurrences in 10⁹ words


def main(packages, work):
    found = set()
    for line in open(packages / 'usr/share/wordnet/data.noun', encoding='latin-1'):
        if line.startswith('  '):  # the licence
            continue
        fields = line.split(' ')
        if int(fields[1]) in SEEN:
            n_words = int(fields[3], 16)
            found.update(fields[4 + 2 * i].replace('_', ' ') for i in range(n_words))
    nouns = sorted(
        name
        for name in found
        if NAME.fullmatch(name)
        and len(name.split()) <= 3
        and zipf_frequency(name, 'en') >= LEAST_FREQUENCY
    )
    (work / 'nouns.json').write_text(json.dumps(nouns))
    print(f'{len(nouns)} nouns')


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:3]))
