#!/usr/bin/env python3
"""Prints a table of the results of compare.sh: python benches/table.py results.jsonl"""

import json
import sys
from statistics import median

HEAD = ["photos", "model", "E", "D", "ideal", "P", "P / ideal", "CPU (E + D) / P", "batch",
        "Python", "P / Python", "memory", "end"]


def main():
    groups = {}
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            groups.setdefault((row["photos"], row["model"]), []).append(row)
    print("| " + " | ".join(HEAD) + " |")
    print("| " + " | ".join(["---"] * 2 + ["--:"] * (len(HEAD) - 2)) + " |")
    for (photos, model), rows in groups.items():
        ours = [row["ours"] for row in rows]
        cpu = [round["cpu_ms"] for row in ours for round in row["rounds"] if round["cpu_ms"]]
        cells = [
            photos,
            model,
            *(f"{median(row[key] for row in ours):.1f}" for key in ("encode", "decode", "ideal", "index")),
            f"{median(row['ratio'] for row in ours):.3f}",
            f"{median((ms['encode'] + ms['decode']) / ms['index'] for ms in cpu):.3f}" if cpu else "",
            "/".join(str(row["batch_size"]) for row in ours),
            f"{median(row['python']['index'] for row in rows):.1f}",
            f"{median(row['ours']['index'] / row['python']['index'] for row in rows):.2f}",
            f"{max(row['peak_memory'] or 0 for row in ours) / 1e6:.0f} MB",
            f"{100 * median(row['finish_share'] for row in ours):.0f} %",
        ]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
