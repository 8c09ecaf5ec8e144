#!/usr/bin/env python3
"""Compares the graph with hnswlib, usearch and faiss-HNSW: recall@10 against queries per second, one search thread.

    python3 -m venv venv && venv/bin/pip install numpy hnswlib usearch faiss-cpu numkong
    venv/bin/python benches/graph.py clustered /tmp/graph                  # 100,000 x 512, all libraries
    venv/bin/python benches/graph.py flickr8k /tmp/graph IMAGES.npy CAPTIONS.npy   # real embeddings
    venv/bin/python benches/graph.py codes /tmp/graph                      # scans of int8 codes: Sightline's and numkong's
    venv/bin/python benches/graph.py storage /tmp/graph                    # cost of f16 instead of f32
    venv/bin/python benches/graph.py draw /tmp/graph                       # tables and benches/graph.svg from stored results

All use the same data, M = 16, efConstruction = 200, inner product, and build with all cores. Each library gets all
queries in one call with one thread, where it has such a call, so that Python adds no overhead. Sightline is queried one
by one in Rust, through the whole reader (`IndexReader::nearest`). Three rounds, in turn; medians.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
EFS = [32, 48, 64, 96, 128, 192, 256, 384, 512]
K = 10
M = 16
EF_CONSTRUCTION = 200
ROUNDS = 3


def unit(rows):
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows, dtype=np.float32)


def clustered(n, n_queries, dimension=512, n_centres=100, spread=0.5, seed=5):
    """Vectors around random centres, as photos of one subject are near each other, and queries from the same distribution."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((n_centres, dimension), dtype=np.float32)

    def draw(count):
        parts = []
        for start in range(0, count, 50_000):
            size = min(50_000, count - start)
            near = centres[random.integers(0, n_centres, size)]
            parts.append(unit(near + spread * random.standard_normal((size, dimension), dtype=np.float32)))
        return np.concatenate(parts)

    return draw(n), draw(n_queries)


def true_neighbours(base, queries, k=K):
    found = []
    for start in range(0, len(queries), 100):
        part = queries[start : start + 100]
        best = np.full((len(part), 0), 0, dtype=np.int32)
        scores = np.full((len(part), 0), 0, dtype=np.float32)
        for row in range(0, len(base), 100_000):
            similarity = part @ base[row : row + 100_000].T
            top = np.argpartition(-similarity, min(k, similarity.shape[1] - 1), axis=1)[:, :k]
            best = np.hstack([best, (top + row).astype(np.int32)])
            scores = np.hstack([scores, np.take_along_axis(similarity, top, axis=1)])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found.append(np.take_along_axis(best, order, axis=1))
    return np.ascontiguousarray(np.concatenate(found), dtype=np.int32)


def recall(found, truth):
    right = sum(len(set(a[:K].tolist()) & set(b[:K].tolist())) for a, b in zip(found, truth))
    return right / (K * len(truth))


def memory():
    """Resident bytes of this process."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Hnswlib:
    name = "hnswlib"

    def build(self, base):
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=base.shape[1])
        self.index.init_index(max_elements=len(base), M=M, ef_construction=EF_CONSTRUCTION)
        self.index.add_items(base, num_threads=os.cpu_count())

    def search(self, queries, ef):
        self.index.set_ef(ef)
        return self.index.knn_query(queries, k=K, num_threads=1)[0]


class Faiss:
    name = "faiss-HNSW"

    def build(self, base):
        import faiss

        self.faiss = faiss
        faiss.omp_set_num_threads(os.cpu_count())
        self.index = faiss.IndexHNSWFlat(base.shape[1], M, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = EF_CONSTRUCTION
        self.index.add(base)

    def search(self, queries, ef):
        self.faiss.omp_set_num_threads(1)
        self.index.hnsw.efSearch = ef
        return self.index.search(queries, K)[1]


class Usearch:
    def __init__(self, dtype):
        self.dtype = dtype
        self.name = f"usearch {dtype}"

    def build(self, base):
        from usearch.index import Index

        self.index = Index(
            ndim=base.shape[1], metric="ip" if self.dtype == "f32" else "cos", dtype=self.dtype, connectivity=M,
            expansion_add=EF_CONSTRUCTION,
        )
        self.index.add(np.arange(len(base)), base, threads=os.cpu_count())

    def search(self, queries, ef):
        self.index.expansion_search = ef
        return self.index.search(queries, K, threads=1).keys


def program():
    """The Rust half, built by cargo, which prints its path."""
    said = subprocess.run(
        ["cargo", "bench", "--locked", "-p", "sightline-index", "--bench", "graph", "--no-run", "--message-format=json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    lines = [json.loads(line) for line in said.splitlines()]
    return next(line["executable"] for line in lines if line.get("target", {}).get("name") == "graph")


def ours(*arguments, **environment):
    said = subprocess.run([program(), *map(str, arguments)], check=True, capture_output=True, text=True,
                          env=os.environ | environment).stdout
    return [json.loads(line) for line in said.splitlines()]


def compare(folder, name, base, queries, libraries):
    truth = true_neighbours(base, queries)
    for part, rows in [("base", base), ("queries", queries), ("truth", truth)]:
        np.save(folder / f"{name}-{part}.npy", rows)
    index = folder / f"{name}-index"
    subprocess.run(["rm", "-rf", index], check=True)
    result = {"name": name, "n": len(base), "dimension": base.shape[1], "queries": len(queries), "libraries": {}}
    built = ours("build", index, folder / f"{name}-base.npy")[0]
    result["libraries"]["Sightline"] = {
        "build_s": built["build_s"], "bytes": None, "file_bytes": built["graph_bytes"], "points": {}
    }
    print(f"Sightline built in {built['build_s']:.1f} s", file=sys.stderr)
    for library in libraries:
        before = memory()
        start = time.perf_counter()
        library.build(base)
        seconds = time.perf_counter() - start
        result["libraries"][library.name] = {"build_s": seconds, "bytes": memory() - before, "points": {}}
        print(f"{library.name} built in {seconds:.1f} s", file=sys.stderr)
    rates = {}
    for round_number in range(ROUNDS):
        said = ours("search", index, folder / f"{name}-queries.npy", folder / f"{name}-truth.npy", K, *EFS)
        for line in said:
            rates.setdefault(("Sightline", line["ef"]), []).append(line["qps"])
            own = result["libraries"]["Sightline"]
            own["points"][line["ef"]] = [line["recall"], None]
            own["bytes"] = line["resident_bytes"]
        for library in libraries:
            library.search(queries, EFS[0])
            for ef in EFS:
                start = time.perf_counter()
                found = library.search(queries, ef)
                rates.setdefault((library.name, ef), []).append(len(queries) / (time.perf_counter() - start))
                result["libraries"][library.name]["points"][ef] = [recall(found, truth), None]
        print(f"round {round_number + 1} done", file=sys.stderr)
    for (library, ef), values in rates.items():
        result["libraries"][library]["points"][ef][1] = statistics.median(values)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1))
    print(table(result))


def rate_at(points, wanted):
    """Queries per second at a recall, interpolated between the nearest measured points; None where it is not reached."""
    points = sorted((recall, rate) for recall, rate in points.values())
    best = [rate for recall, rate in points if recall >= wanted]
    if not best:
        return None
    above = max((recall, rate) for recall, rate in points if rate == max(best))
    below = [(recall, rate) for recall, rate in points if recall < wanted and rate > above[1]]
    if not below:
        return above[1]
    low = max(below)
    share = (wanted - low[0]) / (above[0] - low[0])
    return low[1] * (above[1] / low[1]) ** share


def table(result):
    lines = [
        "| library | build | memory | " + " | ".join(f"ef {ef}" for ef in EFS) + " | queries/s at 0.99 |",
        "| --- | --: | --: | " + " | ".join("--:" for _ in EFS) + " | --: |",
    ]
    for name, found in result["libraries"].items():
        points = {int(ef): point for ef, point in found["points"].items()}
        cells = [f"{points[ef][1]:,.0f} at {points[ef][0]:.4f}" for ef in EFS]
        at = rate_at(points, 0.99)
        lines.append(
            f"| {name} | {found['build_s']:.1f} s | {found['bytes'] / 1e6:.0f} MB | " + " | ".join(cells)
            + f" | {'not reached' if at is None else f'{at:,.0f}'} |"
        )
    return "\n".join(lines)


def draw(folder, results):
    """Recall against queries per second, one panel per data set, as SVG without any library."""
    import math

    colours = {"Sightline": "#c2410c", "hnswlib": "#1d4ed8", "faiss-HNSW": "#15803d", "usearch f32": "#7e22ce",
               "usearch i8": "#a855f7"}
    width, height, left, top = 430, 320, 62, 44
    parts = []
    for number, result in enumerate(results):
        x0 = number * (width + 90) + left
        rates = [p[1] for l in result["libraries"].values() for p in l["points"].values()]
        low, high = math.log10(min(rates) * 0.9), math.log10(max(rates) * 1.1)
        # Recall as the number of nines, to spread 0.99 and 0.999.
        nines = lambda recall: -math.log10(max(1 - recall, 1e-4))
        worst = min(nines(p[0]) for l in result["libraries"].values() for p in l["points"].values())
        across = lambda recall: x0 + (nines(recall) - worst) / (4 - worst) * width
        up = lambda rate: top + height - (math.log10(rate) - low) / (high - low) * height
        parts.append(f'<text x="{x0}" y="{top - 16}" font-weight="600">{result["name"]}: {result["n"]:,} × '
                     f'{result["dimension"]}</text>')
        parts.append(f'<rect x="{x0}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>')
        for recall in [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999]:
            if nines(recall) >= worst:
                x = across(recall)
                parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + height}" stroke="#ddd"/>'
                             f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{recall:g}</text>')
        for rate in [m * 10**e for e in range(1, 6) for m in (1, 2, 5)]:
            if low <= math.log10(rate) <= high:
                y = up(rate)
                parts.append(f'<line x1="{x0}" y1="{y:.1f}" x2="{x0 + width}" y2="{y:.1f}" stroke="#ddd"/>'
                             f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{rate:,}</text>')
        parts.append(f'<text x="{x0 + width / 2}" y="{top + height + 36}" text-anchor="middle">recall@10</text>')
        for row, (name, found) in enumerate(result["libraries"].items()):
            colour = colours[name]
            line = [(across(p[0]), up(p[1])) for _, p in sorted(found["points"].items(), key=lambda e: int(e[0]))]
            parts.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}" fill="none" '
                         f'stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in line]
            y = top + height - 16 - 18 * (len(result["libraries"]) - 1 - row)
            parts.append(f'<line x1="{x0 + 10}" y1="{y - 4}" x2="{x0 + 32}" y2="{y - 4}" stroke="{colour}" '
                         f'stroke-width="3"/><text x="{x0 + 38}" y="{y}">{name}</text>')
    total = len(results) * (width + 90) + 10
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {top + height + 50}" font-family="sans-serif" '
           f'font-size="12" role="img" aria-label="Queries per second against recall at 10">'
           f'<rect width="100%" height="100%" fill="white"/>'
           f'<text transform="translate(14 {top + height / 2}) rotate(-90)" text-anchor="middle">queries per second, '
           f'one thread</text>{"".join(parts)}</svg>\n')
    (ROOT / "benches" / "graph.svg").write_text(svg)


def codes(folder):
    """Speed of scanning int8 codes with one thread, in our index and in numkong. Needs `clustered`."""
    import numkong

    base, queries = np.load(folder / "clustered-base.npy"), np.load(folder / "clustered-queries.npy")[:100]
    rows, ask = (np.clip(np.round(m / np.abs(m).max(1, keepdims=True) * 127), -127, 127).astype(np.int8)
                 for m in (base, queries))
    np.save(folder / "few-queries.npy", queries)
    files = [folder / "clustered-index", folder / "few-queries.npy", folder / "clustered-truth.npy"]
    own, other = [], []
    for _ in range(ROUNDS):
        # A width beyond the number of items: a scan of codes, the best rescored with full vectors.
        own.append(1 / ours("search", *files, K, 10**6, RAYON_NUM_THREADS="1")[0]["qps"])
        start = time.perf_counter()
        for one in ask:
            numkong.cdist(one[None], rows, metric="dot")
        other.append((time.perf_counter() - start) / len(ask))
    print(f"{len(base):,} x {base.shape[1]} codes, one query, one thread: ours with the best 10 ranked "
          f"{statistics.median(own) * 1000:.2f} ms, numkong's inner products alone {statistics.median(other) * 1000:.2f} ms")


def storage(folder):
    """Size, recall and error of f16 vectors. Needs `clustered`; uses `flickr8k` where it was run."""
    for name in ["clustered", "flickr8k-images", "flickr8k-captions"]:
        if not (folder / f"{name}-base.npy").exists():
            continue
        base, queries = np.load(folder / f"{name}-base.npy"), np.load(folder / f"{name}-queries.npy")
        half = base.astype(np.float16).astype(np.float32)
        found = true_neighbours(half, queries)
        truth = np.load(folder / f"{name}-truth.npy")
        error = np.abs(queries[:200] @ base.T - queries[:200] @ half.T).max()
        print(f"{name}: f32 {base.nbytes / 1e6:.0f} MB, f16 {base.nbytes / 2e6:.0f} MB; recall@10 of a scan of f16 "
              f"{recall(found, truth):.4f}, similarities off by up to {error:.1e}")


def main():
    what, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    peers = [Hnswlib(), Faiss(), Usearch("f32"), Usearch("i8")]
    if what == "clustered":
        compare(folder, "clustered", *clustered(100_000, 1_000), peers)
    elif what == "flickr8k":
        images, captions = (unit(np.load(path).astype(np.float32)) for path in sys.argv[3:5])
        # Captions look for pictures; and every fortieth caption, taken out, for the other captions.
        compare(folder, "flickr8k-images", images, captions[::40][:1000], peers)
        peers = [Hnswlib(), Faiss(), Usearch("f32"), Usearch("i8")]
        rest = np.ones(len(captions), dtype=bool)
        rest[::40] = False
        compare(folder, "flickr8k-captions", np.ascontiguousarray(captions[rest]), captions[::40][:1000], peers)
    elif what == "codes":
        codes(folder)
    elif what == "storage":
        storage(folder)
    if what in ("clustered", "flickr8k", "draw"):
        names = ["clustered", "flickr8k-images", "flickr8k-captions"]
        results = [json.loads((folder / f"{n}.json").read_text()) for n in names if (folder / f"{n}.json").exists()]
        draw(folder, results)
        if what == "draw":
            for result in results:
                print(f"\n{result['name']}\n\n{table(result)}")


if __name__ == "__main__":
    main()
