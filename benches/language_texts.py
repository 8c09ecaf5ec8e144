"""Texts to measure the choice of a text tower with: lines of language code, tab, text.

    npm pack cldr-annotations-full@48.2.0 && tar xzf cldr-annotations-full-48.2.0.tgz
    python3 benches/language_texts.py phrases package > phrases.tsv
    python3 benches/language_texts.py sentences val.tsv.gz > sentences.tsv
    apt-get download tuxpaint-stamps-default && dpkg -x tuxpaint-stamps-default_*.deb stamps
    python3 benches/language_texts.py stamps stamps > stamps.tsv
    cargo build --release --workspace --example languages
    target/release/examples/languages en zh,de,fr,es,it,pt,nl,pl,cs,tr,ru,ar,ja,ko,th \
        sentences.tsv phrases.tsv stamps.tsv onnx/tests/data/queries.tsv \
        onnx/tests/data/queries-english.tsv

`phrases`: names of emoji of one to four words, in ten languages, from the unpacked npm package.
`sentences`: descriptions of photos in four languages, from a table with a column per language
(Multi30k's validation split).
`stamps`: names of up to three words of Tux Paint's stamps, in ten languages, from the unpacked
Debian package. A name that is left in English is no translation.
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


def stamps(package):
    for path in sorted(pathlib.Path(package, "usr/share/tuxpaint/stamps").rglob("*.txt")):
        if not path.with_suffix(".png").exists():
            continue
        # The name in English, then lines such as `de.utf8=Ein Frosch.`
        english, *others = path.read_text("utf-8", errors="replace").splitlines()
        names = dict(other.split(".utf8=", 1) for other in others if ".utf8=" in other)
        names["en"] = english
        for language in LANGUAGES:
            name = names.get(language, "").strip()
            is_translated = language == "en" or name != english.strip()
            is_short = len(name.split()) <= 3 and any(letter.isalpha() for letter in name)
            if is_translated and is_short:
                print(language, name, sep="\t")


KINDS = {"phrases": phrases, "sentences": sentences, "stamps": stamps}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    KINDS[sys.argv[1]](sys.argv[2])
