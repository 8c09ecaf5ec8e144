#!/usr/bin/env python3
"""Changes single keys of the golden model folders, and writes down what the reference does then.

Run it after `make_golden_layouts.py`, with the same Python:

    venv/bin/python make_golden_keys.py

`keys.json` lists the cases: folder, changed keys, and for texts and pictures "same", the reason for
which the reference refuses the folder, or the numbers that differ (ids there, vectors and pixels in
`keys.safetensors`). Keys that only describe a network are left out: the graph holds the network.
"""

import copy
import json
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import make_golden
from make_golden_parts import train_pieces
from make_golden_reference import PICTURES, PROBES, TEXTS, copied, pixels, read, tokens, tower

warnings.simplefilter("ignore")
HERE = Path(__file__).parent
ABSENT = object()
N_PIXELS = 48

IDS_MASK = {"input_ids": "ids", "attention_mask": "mask"}
IMAGE = {"pixel_values": "pixels"}
ONNX = ("onnx/vision_model.onnx", "onnx/text_model.onnx")

# Folder -> how the reference reads it, the most tokens of its graph, the graphs with their inputs
# and outputs, and inputs of the other tower where both are in one graph.
BASES = {
    "clip": dict(
        tokens="auto",
        limit=24,
        pixels="processor",
        image=(ONNX[0], IMAGE, "image_embeds"),
        text=(ONNX[1], IDS_MASK, "text_embeds"),
    ),
    "layouts/siglip": dict(
        tokens="siglip",
        limit=16,
        pixels="processor",
        image=(ONNX[0], IMAGE, "pooler_output"),
        text=(ONNX[1], {"input_ids": "ids"}, "pooler_output"),
    ),
    "layouts/siglip2": dict(
        tokens="siglip2",
        limit=12,
        pixels="processor",
        image=("vision_model.onnx", IMAGE, "pooler_output"),
        text=("text_model.onnx", {"input_ids": "ids"}, "pooler_output"),
    ),
    "layouts/chinese_clip": dict(
        tokens="bert",
        limit=20,
        pixels="processor",
        image=("onnx/model.onnx", IMAGE, "image_embeds"),
        text=("onnx/model.onnx", IDS_MASK, "text_embeds"),
        other={"pixel_values": (1, 3, 32, 32), "input_ids": (1, 4), "attention_mask": (1, 4)},
    ),
    "layouts/immich": dict(
        tokens="immich",
        limit=77,
        pixels="immich",
        image=("visual/model.onnx", {"image": "pixels"}, None),
        text=("textual/model.onnx", {"text": "ids"}, None),
    ),
    "layouts/open_clip": dict(
        tokens="open_clip",
        limit=14,
        pixels="open_clip",
        image=("visual.onnx", {"image": "pixels"}, None),
        text=("textual.onnx", {"text": "ids"}, None),
    ),
    "layouts/jina_clip": dict(
        tokens="file",
        limit=24,
        pixels="processor",
        image=("onnx/model.onnx", IMAGE, "l2norm_image_embeddings"),
        text=("onnx/model.onnx", IDS_MASK, "l2norm_text_embeddings"),
        other={"pixel_values": (1, 3, 28, 28), "input_ids": (1, 4), "attention_mask": (1, 4)},
    ),
    "layouts/mobileclip": dict(
        tokens="plain",
        limit=77,
        pixels="processor",
        image=(ONNX[0], IMAGE, "image_embeds"),
        text=(ONNX[1], {"input_ids": "ids"}, "text_embeds"),
    ),
}


class Result:
    """What the reference gives: ids and vectors of the texts, vectors and pixels of the pictures;
    a text in place of either says why it refused."""

    def __init__(self, texts, pictures):
        self.texts, self.pictures = texts, pictures


def short(error):
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return re.sub(r"/\S*/", "", line)[:160]


def fitted(spec, folder):
    """The most tokens: those of the graph, or fewer if config.json says so."""
    file = folder / "config.json"
    if spec["tokens"] in ("open_clip", "immich") or not file.is_file():
        return spec["limit"]
    given = (read(file).get("text_config") or {}).get("max_position_embeddings")
    return spec["limit"] if given is None else min(spec["limit"], given)


def run(base, folder, pictures):
    spec = BASES[base]
    towers = TOWERS[base]
    try:
        kind = tokens(spec["tokens"], folder, fitted(spec, folder))
        ids = [list(kind.encode(text)) for text in TEXTS]
        vectors = []
        for probe in PROBES:
            padded, mask = kind.padded(TEXTS[probe])
            vectors.append(towers[1](ids=padded, mask=mask))
        texts = (ids, np.stack(vectors))
    except Exception as error:
        texts = short(error)
    try:
        config = folder / "config.json"
        model_type = read(config).get("model_type") if config.is_file() else None
        step = pixels(spec["pixels"], folder, model_type)
        values = [step(picture) for picture in pictures]
        found = (values, np.stack([towers[0](pixels=value) for value in values]))
    except Exception as error:
        found = short(error)
    return Result(texts, found)


def read_as(base, folder, file, path, value, pictures):
    if (base, path, value) == ("layouts/siglip2", ("do_lower_case",), False):
        # Its class cannot do that. Read by the class that the file names, the folder can.
        usual = BASES[base]
        BASES[base] = dict(usual, tokens="file to the context")
        try:
            return run(base, folder, pictures)
        finally:
            BASES[base] = usual
    return run(base, folder, pictures)


# ---------------------------------------------------------------------------- the changes

# Values to try for a key that is there, besides its removal; and keys to add to a file.
TOKENIZER = {
    "padding_side": ["left", "right"],
    "truncation_side": ["left", "right"],
    "do_lower_case": [True, False],
    "strip_accents": [True, False, None],
    "tokenize_chinese_chars": [True, False],
    "add_bos_token": [True, False],
    "add_eos_token": [True, False],
    "add_prefix_space": [True, False],
    "clean_up_tokenization_spaces": [True, False],
    "model_max_length": [9, 512, 1000000000000000019884624838656],
    "split_special_tokens": [True, False],
    "use_fast": [False],
    "legacy": [True, False],
    "errors": ["replace"],
    "additional_special_tokens": [[], ["dog"]],
    "extra_special_tokens": [{}, {"mark": "dog"}],
    "added_tokens_decoder": [{}],
    "model_input_names": [["input_ids"]],
    "chat_template": ["{{ x }}"],
    "name_or_path": ["someone/something"],
    "processor_class": ["CLIPProcessor"],
    "special_tokens_map_file": [None],
    "tokenizer_file": [None],
    "sp_model_kwargs": [{}],
    "max_length": [8],
    "stride": [0],
    "truncation_strategy": ["longest_first"],
    "pad_to_multiple_of": [None, 8],
    "pad_token_type_id": [0],
    "do_basic_tokenize": [True],
    "never_split": [None],
    "mask_token": ["[MASK]"],
    "tokenizer_class": [
        "CLIPTokenizer",
        "BertTokenizer",
        "PreTrainedTokenizerFast",
        "GemmaTokenizer",
    ],
    "unknown_key": ["value"],
}
# Another special token of each folder, to stand in the place of one.
TOKENS = ("pad_token", "eos_token", "bos_token", "cls_token", "sep_token")
OTHER = {
    "clip": "<|startoftext|>",
    "layouts/siglip": "<unk>",
    "layouts/siglip2": "<bos>",
    "layouts/chinese_clip": "[MASK]",
    "layouts/immich": "<|startoftext|>",
    "layouts/open_clip": "</s>",
    "layouts/jina_clip": "<unk>",
    "layouts/mobileclip": "<|startoftext|>",
}
PROCESSOR = {
    "do_resize": [True, False],
    "do_center_crop": [True, False],
    "do_rescale": [True, False],
    "do_normalize": [True, False],
    "do_convert_rgb": [True, False],
    "do_pad": [True, False],
    "do_flip_channel_order": [True, False],
    "do_reduce_labels": [False],
    "do_color_quantize": [False],
    "pad_size": [None, {"height": 40, "width": 40}],
    "crop_pct": [0.875],
    "rescale_offset": [True, False],
    "include_top": [True, False],
    "resample": [0, 1, 2, 3, 4, 5, 9],
    "rescale_factor": [0.00784313725490196, 1],
    "default_to_square": [True, False],
    "size_divisor": [32],
    "data_format": ["channels_first"],
    "input_data_format": [None],
    "device": [None],
    "return_tensors": [None],
    "disable_grouping": [None],
    "processor_class": ["CLIPProcessor"],
    "image_seq_length": [None],
    "antialias": [True],
    "image_mean": [[0.5, 0.4, 0.3], None],
    "image_std": [[0.5, 0.4, 0.3], None],
    "mean": [[0.5, 0.4, 0.3]],
    "std": [[0.5, 0.4, 0.3]],
    "interpolation": ["bilinear", "nearest"],
    "resize_mode": ["longest", "squash"],
    "fill_color": [99],
    "unknown_key": ["value"],
    "image_processor_type": [
        "CLIPImageProcessor",
        "SiglipImageProcessor",
        "ViTImageProcessor",
        "ViTImageProcessorFast",
        "BitImageProcessor",
        "ConvNextImageProcessor",
        "EfficientNetImageProcessor",
        "ChineseCLIPImageProcessor",
        "DeiTImageProcessor",
        "MobileViTImageProcessor",
        "BlipImageProcessor",
        "LevitImageProcessor",
        "PoolFormerImageProcessor",
        "CLIPFeatureExtractor",
    ],
}
OPEN_CLIP_TEXT = {
    "context_length": [9],
    "hf_tokenizer_name": ["tiny/other", ""],
    "tokenizer_mode": [None, "clips", "tips"],
    "pad_id": [1],
    "eos_id": [2],
    "bos_id": [0],
    "pool_type": ["last", "argmax", "eos", "first"],
    "no_causal_mask": [True, False],
    "embed_cls": [True],
    "correct_cls_mask": [True],
    "proj_type": ["mlp"],
    "hf_model_name": ["tiny/model"],
    "hf_proj_type": ["mlp"],
    "hf_pooler_type": ["mean_pooler"],
    "final_ln_after_pool": [True],
    "act_kwargs": [{"approximate": "tanh"}],
    "norm_kwargs": [{"eps": 1e-6}],
    "proj_bias": [True],
    "output_tokens": [False],
    "unknown_key": ["value"],
}
OPEN_CLIP_KWARGS = {
    "clean": ["canonicalize", "lower", "whitespace", "other"],
    "strip_sep_token": [True, False],
    "do_lower_case": [True, False],
    "padding_side": ["left"],
    "unknown_key": ["value"],
    "additional_special_tokens": [["dog"]],
    "reduction_mask": ["simple"],
    "tokenizer_mode": ["clips"],
}
STEPS = {
    "mode": ["RGB", "L"],
    "mean": [[0.5, 0.4, 0.3]],
    "std": [[0.5, 0.4, 0.3]],
    "interpolation": ["bilinear", "bicubic", "random", "nearest"],
    "resize_mode": ["shortest", "longest", "squash"],
    "fill_color": [99, 0],
    "unknown_key": ["value"],
}
CONFIG = {
    "model_type": ["other", "clip"],
    "projection_dim": [8],
    "license": ["mit"],
    "unknown_key": ["value"],
    "transformers_version": ["4.1.0"],
    "architectures": [["CLIPModel"]],
}
CONFIG_TEXT = {
    "max_position_embeddings": [9, 512],
    "pad_token_id": [0],
    "bos_token_id": [3],
    "eos_token_id": [3],
    "vocab_size": [9],
    "hidden_size": [8],
    "model_type": ["other"],
    "unknown_key": ["value"],
}
CONFIG_VISION = {
    "image_size": [16],
    "hidden_size": [8],
    "patch_size": [4],
    "unknown_key": ["value"],
}


def sizes(file, key, value, base):
    """Other forms of a size that give the same, and others that do not."""
    side = (
        value
        if isinstance(value, int)
        else next(iter(value.values())) if isinstance(value, dict) else value[0]
    )
    forms = [
        side,
        [side],
        [side, side],
        {"height": side, "width": side},
        {"shortest_edge": side},
        {"longest_edge": side},
        {"max_height": side, "max_width": side},
        {"height": side + 8, "width": side + 8},
        {"shortest_edge": side + 8},
        {"shortest_edge": side, "longest_edge": side + 16},
        {"max_pixels": side * side},
        {"height": side, "width": side + 4},
        None,
    ]
    return [form for form in forms if form != value]


def changes(base):
    """File, path of the key and its new value, one at a time."""
    home = HERE / base
    for file in sorted(
        path
        for path in home.rglob("*.json")
        if path.name not in ("tokenizer.json", "words.json", "vocab.json")
    ):
        name, content = str(file.relative_to(home)), read(file)
        tables = {(): {}}
        if file.name == "tokenizer_config.json":
            tables[()] = dict(TOKENIZER, **{key: [None, OTHER[base], "[NEW]"] for key in TOKENS})
        elif file.name == "preprocessor_config.json":
            tables[()] = PROCESSOR
        elif file.name == "preprocess_cfg.json":
            tables[()] = STEPS
        elif file.name == "open_clip_config.json":
            tables = {
                ("model_cfg", "text_cfg"): OPEN_CLIP_TEXT,
                ("preprocess_cfg",): STEPS,
                ("model_cfg", "text_cfg", "tokenizer_kwargs"): OPEN_CLIP_KWARGS,
                ("model_cfg",): {
                    "custom_text": [False],
                    "quick_gelu": [True],
                    "embed_dim": [8],
                    "unknown_key": ["value"],
                    "init_logit_bias": [-10],
                },
                ("model_cfg", "vision_cfg"): {"image_size": [16], "unknown_key": ["value"]},
            }
        elif base == "layouts/immich" and name == "config.json":
            tables = {
                ("text_cfg",): OPEN_CLIP_TEXT,
                (): {"embed_dim": [8], "unknown_key": ["value"]},
                ("vision_cfg",): {"image_size": [16]},
                ("text_cfg", "tokenizer_kwargs"): OPEN_CLIP_KWARGS,
            }
        elif name == "config.json":
            tables = {(): CONFIG, ("text_config",): CONFIG_TEXT, ("vision_config",): CONFIG_VISION}
        for above, table in tables.items():
            below = content
            for key in above:
                below = (below or {}).get(key)
            if below is None:
                if above[-1] != "tokenizer_kwargs":
                    continue
                below = {}
                for key, values in table.items():
                    for value in values:
                        yield name, above, {key: value}
                continue
            for key, value in below.items():
                # An architecture is in the graph; of clip/config.json only what the tables name.
                if (
                    name == "config.json"
                    and above
                    and base != "layouts/immich"
                    and key not in table
                ):
                    continue
                if (
                    base == "clip"
                    and name == "config.json"
                    and key not in table
                    and key not in ("text_config", "vision_config")
                ):
                    continue
                yield name, (*above, key), ABSENT
                if key in ("size", "crop_size"):
                    for form in sizes(name, key, value, base):
                        yield name, (*above, key), form
                if (
                    isinstance(value, dict)
                    and "content" not in value
                    and key
                    not in (
                        "text_config",
                        "vision_config",
                        "text_cfg",
                        "vision_cfg",
                        "model_cfg",
                        "preprocess_cfg",
                        "tokenizer_kwargs",
                    )
                ):
                    for inner in value:
                        yield name, (*above, key, inner), ABSENT
            for key, values in table.items():
                for value in values:
                    if key not in below or below[key] != value:
                        yield name, (*above, key), value


def changed(folder, file, path, value):
    content = read(folder / file)
    below = content
    for key in path[:-1]:
        below = below.setdefault(key, {})
    if value is ABSENT:
        below.pop(path[-1], None)
    else:
        below[path[-1]] = copy.deepcopy(value)
    (folder / file).write_text(json.dumps(content))


# ---------------------------------------------------------------------------- the results


def is_same(a, b):
    return len(a) == len(b) and all(
        x.shape == y.shape and np.allclose(x, y, atol=1e-4) for x, y in zip(a, b)
    )


def probes(values):
    """Values of a picture's pixels, evenly spread."""
    flat = values.reshape(-1)
    return flat[[(flat.size - 1) * i // (N_PIXELS - 1) for i in range(N_PIXELS)]]


def noted(found, usual, tensors, name):
    """What the list says of a result."""
    case = {}
    if isinstance(found.texts, str):
        case["texts"] = {"refused": found.texts}
    else:
        ids = [a if a != b else None for a, b in zip(found.texts[0], usual.texts[0])]
        if all(one is None for one in ids) and is_same(found.texts[1], usual.texts[1]):
            case["texts"] = "same"
        else:
            case["texts"] = {"ids": ids}
            tensors[f"{name}/texts"] = found.texts[1].astype(np.float32)
    if isinstance(found.pictures, str):
        case["pictures"] = {"refused": found.pictures}
    elif is_same(found.pictures[0], usual.pictures[0]):
        case["pictures"] = "same"
    else:
        case["pictures"] = {"sizes": [list(value.shape[1:]) for value in found.pictures[0]]}
        tensors[f"{name}/pixels"] = np.stack([probes(value) for value in found.pictures[0]])
        tensors[f"{name}/pictures"] = found.pictures[1].astype(np.float32)
    return case


def towers(base):
    spec, other = BASES[base], BASES[base].get("other", {})
    return [
        tower(HERE / base / file, names, output, other)
        for file, names, output in (spec["image"], spec["text"])
    ]


TOWERS = {}


def usual_of(base, folder, pictures, tensors, listing):
    usual = run(base, folder, pictures)
    assert not isinstance(usual.texts, str), (base, usual.texts)
    assert not isinstance(usual.pictures, str), (base, usual.pictures)
    listing["folders"][base] = {"ids": usual.texts[0]}
    tensors[f"{base}/texts"] = usual.texts[1].astype(np.float32)
    tensors[f"{base}/pictures"] = usual.pictures[1].astype(np.float32)
    tensors[f"{base}/pixels"] = np.stack([probes(value) for value in usual.pictures[0]])
    return usual


def main():
    pictures = [
        make_golden.decode(name, (make_golden.PICTURES / name).read_bytes()) for name in PICTURES
    ]
    tensors = {}
    listing = {"texts": TEXTS, "pictures": PICTURES, "probes": PROBES, "folders": {}, "cases": []}
    home = Path(tempfile.mkdtemp())
    only = sys.argv[1:]
    for base in BASES:
        if only and base not in only:
            continue
        TOWERS[base] = towers(base)

        def prepared():
            copied(HERE / base, home / "model")
            if base == "layouts/siglip":
                train_pieces(home / "model", 120)
            return home / "model"

        usual = usual_of(base, prepared(), pictures, tensors, listing)
        tally = {}
        for file, path, value in changes(base):
            folder = prepared()
            changed(folder, file, path, value)
            found = read_as(base, folder, file, path, value, pictures)
            if value is None and isinstance(found.pictures, str):
                # transformers 5 refuses some nulls, which were no values in transformers 4.
                changed(folder, file, path, ABSENT)
                found = run(base, folder, pictures)
            name = str(len(listing["cases"]))
            case = {"folder": base, "file": file, "key": list(path)}
            if value is not ABSENT:
                case["value"] = value
            case.update(noted(found, usual, tensors, name))
            listing["cases"].append(case)
            for what in ("texts", "pictures"):
                state = case[what] if case[what] == "same" else next(iter(case[what]))
                tally[what, state] = tally.get((what, state), 0) + 1
        print(base, tally, flush=True)
    shutil.rmtree(home)
    save_file(tensors, HERE / "keys.safetensors")
    lines = [
        json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in listing.pop("cases")
    ]
    head = json.dumps(listing, ensure_ascii=False, separators=(",", ":"))
    (HERE / "keys.json").write_text(head[:-1] + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    print(len(lines), "cases")


if __name__ == "__main__":
    main()
