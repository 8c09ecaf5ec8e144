#!/usr/bin/env python3
"""A straightforward, good Python pipeline, to compare with `sightline index`.

    python benches/python_pipeline.py MODEL_FOLDER PHOTOS [--rounds N] [--json]

Like rclip and clip-retrieval, a pool of threads decodes with Pillow, whose draft mode lets libjpeg
decode at 1/2, 1/4 or 1/8 of the size, then resizes, crops and normalises with numpy, while
onnxruntime encodes an earlier batch. Pillow and numpy release the interpreter's lock while they
work, so the threads use all cores. The draft asks for twice the model's size, as Sightline does.
Vectors are scaled to length 1 and kept in memory; unlike Sightline, nothing is written to disk.

The model is a folder in the layout of transformers.js, or a folder with `image.onnx` and
`sightline.toml` like the starter's. Needs numpy, onnxruntime, Pillow; Python 3.11.
"""

import argparse
import json
import os
import time
import tomllib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class Model:
    """The preprocessing that the model's files describe, and a session."""

    def __init__(self, folder, options):
        manifest = folder / "sightline.toml"
        if manifest.exists():
            image = tomllib.loads(manifest.read_text())["image"]
            file, self.output = folder / image["file"], image["output"]
            self.height, self.width = image["size"]
            self.edge = image.get("edge", self.height)
            assert image["resize"] == "shortest-edge", image["resize"]
            self.filter = FILTERS[image["interpolation"]]
            self.mean, self.std = image["mean"], image["std"]
        else:
            config = json.loads((folder / "preprocessor_config.json").read_text())
            file, self.output = folder / "onnx" / "vision_model.onnx", "image_embeds"
            self.edge = config["size"]["shortest_edge"]
            self.height, self.width = config["crop_size"]["height"], config["crop_size"]["width"]
            self.filter = Image.Resampling(config["resample"])
            self.mean, self.std = config["image_mean"], config["image_std"]
        self.mean = np.array(self.mean, np.float32)
        self.scale = 1 / np.array(self.std, np.float32)
        self.session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name

    def prepare(self, path):
        with Image.open(path) as picture:
            picture.draft("RGB", (2 * self.edge, 2 * self.edge))
            picture = ImageOps.exif_transpose(picture).convert("RGB")
        factor = self.edge / min(picture.size)
        size = (max(self.edge, round(picture.width * factor)),
                max(self.edge, round(picture.height * factor)))
        picture = picture.resize(size, self.filter, reducing_gap=None)
        left, top = (size[0] - self.width) // 2, (size[1] - self.height) // 2
        picture = picture.crop((left, top, left + self.width, top + self.height))
        pixels = np.asarray(picture, np.float32) / np.float32(255)
        pixels = (pixels - self.mean) * self.scale
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def encode(self, batch):
        rows = self.session.run([self.output], {self.input: np.stack(batch)})[0]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def run(model, paths, threads, batch_size):
    """Encodes all paths, with two batches prepared ahead; returns pictures per second."""
    vectors = []
    with ThreadPoolExecutor(threads) as pool:
        waiting, rest = deque(), iter(paths)
        began = time.perf_counter()

        def ask(n):
            for _, path in zip(range(n), rest):
                waiting.append(pool.submit(model.prepare, path))

        ask(3 * batch_size)
        while waiting:
            batch = [waiting.popleft().result() for _ in range(min(batch_size, len(waiting)))]
            ask(batch_size)
            vectors.append(model.encode(batch))
        took = time.perf_counter() - began
    assert sum(map(len, vectors)) == len(paths)
    return len(paths) / took


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--spin", action="store_true", help="onnxruntime's default: wait busily")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    if not args.spin:
        # Better on few cores: waiting threads leave the cores to the decoders.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = Model(args.model, options)
    paths = sorted(path for path in args.photos.rglob("*.jpg"))
    model.encode([model.prepare(paths[0])])
    rates = sorted(run(model, paths, args.threads, args.batch) for _ in range(args.rounds))
    rate = rates[len(rates) // 2]
    if args.json:
        print(json.dumps({"pictures": len(paths), "index": rate, "rates": rates}))
    else:
        print(f"{len(paths)} pictures, {rate:.1f}/s")


if __name__ == "__main__":
    main()
