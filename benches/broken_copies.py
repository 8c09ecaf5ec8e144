"""Which mistakes in a model's files does `sightline models check` see?

    python3 benches/broken_copies.py target/release/sightline

Copies the starter model without its tower of other languages, makes one mistake in each copy, as a wrong manifest or tokenizer would,
checks it, and prints a table. Nothing outside a temporary folder is written.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

STARTER = Path(__file__).resolve().parents[1] / "onnx" / "starter"
MEAN, STD = "mean = [0.498, 0.498, 0.498]", "std = [0.502, 0.502, 0.502]"
PAD = 'pad = "longest"'


def replaced(*pairs):
    def edit(manifest, tokenizer):
        for old, new in pairs:
            assert old in manifest, old
            manifest = manifest.replace(old, new)
        return manifest

    return edit


def tokenizer_with(change):
    def edit(manifest, tokenizer):
        change(tokenizer)
        return manifest

    return edit


def normalizer(**values):
    return tokenizer_with(lambda tokenizer: tokenizer["normalizer"].update(values))


def frame(part):
    def change(tokenizer):
        template = tokenizer["post_processor"]["single"]
        tokenizer["post_processor"]["single"] = template[part]

    return tokenizer_with(change)


def shifted(tokenizer):
    vocabulary = tokenizer["model"]["vocab"]
    n = len(vocabulary) - 999
    for word, at in vocabulary.items():
        if at >= 999:
            vocabulary[word] = 999 + (at - 999 + 1) % n


COPIES = {
    "none": replaced(),
    "values rescaled twice": replaced((MEAN, "rescale = 0.0000153787\n" + MEAN)),
    "values not rescaled": replaced((MEAN, "rescale = 1.0\n" + MEAN)),
    "mean 0, deviation 1": replaced((MEAN, "mean = [0, 0, 0]"), (STD, "std = [1, 1, 1]")),
    "CLIP's mean and deviation": replaced(
        (MEAN, "mean = [0.481, 0.458, 0.408]"), (STD, "std = [0.269, 0.261, 0.276]")
    ),
    "red and blue swapped": replaced((MEAN, 'channels = "bgr"\n' + MEAN)),
    "stretched, not cropped": replaced(('"shortest-edge"', '"squash"')),
    "padded, not cropped": replaced(('"shortest-edge"', '"longest-edge"')),
    "nearest, not bicubic": replaced(('"bicubic"', '"nearest"')),
    "another vocabulary (ids shifted by 1)": tokenizer_with(shifted),
    "not lowercased": normalizer(lowercase=False),
    "accents kept": normalizer(strip_accents=False),
    "no begin token": frame(slice(1, None)),
    "no end token": frame(slice(0, -1)),
    "padding not masked": replaced(
        (PAD, 'pad = "context"\nmask = "all"\npad_token = "[PAD]"')
    ),
    "wrong pad token, not masked": replaced(
        (PAD, 'pad = "context"\nmask = "all"\npad_token = "[MASK]"')
    ),
}


def check(program, folder, data):
    command = [program, "models", "check", str(folder), "--json"]
    environment = {**os.environ, "XDG_DATA_HOME": str(data)}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    measured = json.loads(ran.stdout)["precisions"][0]
    said = [line for line in ran.stderr.splitlines() if line.strip()]
    return measured, "\n".join(said), ran.returncode


def verdict(name, notes, status):
    if status != 0:
        return "refused"
    marks = ["a good model misses few", "red and blue are probably swapped", "capitals change"]
    if any(mark in notes for mark in marks):
        return "noted"
    return "good" if name == "none" else "not seen"


def main():
    program = sys.argv[1]
    # The first row is the model as it is.
    print("| mistake | own photo first, of 16 | red and blue | in capitals | with accents | verdict |")
    print("|---|---|---|---|---|---|")
    for name, edit in COPIES.items():
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work) / "copy"
            folder.mkdir()
            for graph in ["image.onnx", "text.onnx"]:
                (folder / graph).symlink_to(STARTER / graph)
            tokenizer = json.loads((STARTER / "tokenizer.json").read_text())
            manifest, _, _ = (STARTER / "sightline.toml").read_text().partition("[[text.other]]")
            manifest = edit(manifest, tokenizer)
            (folder / "sightline.toml").write_text(manifest)
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
            measured, notes, status = check(program, folder, Path(work) / "data")
        capitals, accents = measured["capitals"], measured["accents"]
        print(
            f"| {name} | {measured['texts_first']} | {measured['colours']:+.2f}"
            f" | cosine {abs(capitals['cosine']):.2f}, {capitals['texts_first']} of 16"
            f" | cosine {abs(accents['cosine']):.2f}, {accents['texts_first']} of 16"
            f" | {verdict(name, notes, status)} |"
        )


if __name__ == "__main__":
    main()
