"""Texts to measure the choice of a text tower with: lines of language code, tab, text.

    npm pack cldr-annotations-full@48.2.0 && tar xzf cldr-annotations-full-48.2.0.tgz
    python3 benches/language_texts.py phrases package > phrases.tsv
    python3 benches/language_texts.py sentences val.tsv.gz > sentences.tsv
    cargo build --release --workspace --example languages
    target/release/examples/languages en zh,de,fr,es,it,pt,nl,pl,cs,tr,ru,ar,ja,ko,th \
        sentences.tsv phrases.tsv onnx/tests/data/queries.tsv

`phrases`: names of emoji of one to four words, in ten languages, from the unpacked npm package.
`sentences`: descriptions of photos in four languages, from a table with a column per language
(Multi30k's validation split).
"""

import csv
import gzip
import json
import pathlib
import sys

LANGUAGES = ["cs", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "tr"]


def phrases(package):
    for language in LANGUAGES:
        path = pathlib.Path(package, "annotations", language, "annotations.json")
        names = json.loads(path.read_text("utf-8"))["annotations"]["annotations"].values()
        names = {name for one in names for name in one.get("tts", [])}
        for name in sorted(names):
            if 1 <= len(name.split()) <= 4 and any(letter.isalpha() for letter in name):
                print(language, name, sep="\t")


def sentences(table):
    with gzip.open(table, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            for language in LANGUAGES:
                if language in row:
                    print(language, row[language], sep="\t")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("phrases", "sentences"):
        sys.exit(__doc__)
    {"phrases": phrases, "sentences": sentences}[sys.argv[1]](sys.argv[2])
