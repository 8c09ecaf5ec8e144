"""What the reference implementations make of a model folder, whatever its files say.

`Reference` takes a folder and answers with token ids, pixel values and vectors. It reads the
folder's own files through transformers and open_clip, so that a changed file has the effect that
it has there; an exception means that the reference refuses the folder.
"""

import json
import os
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import onnxruntime
import open_clip
import torch
import transformers
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import image_transform_v2, PreprocessCfg
from tokenizers import Tokenizer, processors
from transformers import (
    AutoTokenizer,
    BertTokenizer,
    CLIPTokenizer,
    GemmaTokenizer,
    PreTrainedTokenizerFast,
    SiglipTokenizer,
)
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

import make_golden

transformers.logging.set_verbosity_error()

HUNDRED = " ".join(" ".join(make_golden.CORPUS * 2).split()[:100])
assert len(HUNDRED.split()) == 100

TEXTS = [
    "",
    " ",
    "a dog",
    "A DOG Runs!",
    "  white space at both ends\t\n",
    "Ünïcödé naïve CAFÉ, ÉCOLE",
    "Cafe\u0301 decomposed",
    "一只狗在雪地里奔跑",
    "一只狗 in the snow、两只猫",
    HUNDRED,
    "R&amp;D &lt;b&gt; &quot;it's&quot; 3.14 % of x_y , a - b !",
    "\U0001f436\u200d\U0001f9ba and \U0001f3d6\ufe0f",
    "do n't stop . OK ?",
]
# Of these texts vectors are stored.
PROBES = [2, 3, 5, 9]
PICTURES = ["alpha.png", "palette.png"]


def read(file):
    return json.loads(Path(file).read_text())


# ---------------------------------------------------------------------------- texts


class Tokens:
    """`encode(text)` -> ids without padding; `padded(text)` -> ids and mask as the tower sees
    them."""

    def __init__(self, encode, padded):
        self.encode, self.padded = encode, padded


def with_transformers(tokenizer, limit, pads):
    """`pads`: whether texts are padded to the limit, as SigLIP was trained, or left alone."""
    limit = min(limit, tokenizer.model_max_length)

    def encode(text):
        return tokenizer(text, truncation=True, max_length=limit)["input_ids"]

    def padded(text):
        kind = "max_length" if pads else False
        out = tokenizer(
            text, truncation=True, max_length=limit, padding=kind, return_attention_mask=True
        )
        return out["input_ids"], out["attention_mask"]

    return Tokens(encode, padded)


def with_open_clip(folder, file="open_clip_config.json", texts="."):
    """open_clip's tokenizer for a folder with its configuration. It pads by itself; what it pads
    with is cut off again to see the ids."""
    config = read(folder / file)
    config = config.get("model_cfg", config)
    home = folder / texts
    if file != "open_clip_config.json" or texts != ".":
        (home / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    tokenizer = open_clip.get_tokenizer(f"local-dir:{home}")
    is_clip = isinstance(tokenizer, SimpleTokenizer)
    if is_clip:  # with the part of its merges that the folder has
        part = read(home / "tokenizer.json")["model"]
        tokenizer.encoder = part["vocab"]
        tokenizer.bpe_ranks = {
            tuple(m if isinstance(m, list) else m.split()): i for i, m in enumerate(part["merges"])
        }
    pad = 0 if is_clip else tokenizer.tokenizer.pad_token_id
    side = "right" if is_clip else tokenizer.tokenizer.padding_side

    def padded(text):
        ids = tokenizer([text])[0].tolist()
        return ids, [1] * len(ids)

    def encode(text):
        ids = padded(text)[0]
        if not is_clip and tokenizer.tokenizer_mode:
            return ids
        if is_clip:
            return ids[: ids.index(tokenizer.eot_token_id) + 1]
        whole = tokenizer.tokenizer(tokenizer.clean_fn(text), truncation=True, max_length=len(ids))[
            "input_ids"
        ]
        n = len(whole)
        assert ids[n:] == [pad] * (len(ids) - n) if side == "right" else True
        return ids[:n] if side == "right" else ids[len(ids) - n :]

    return Tokens(encode, padded)


def siglip(folder, limit):
    """SigLIP's tokenizer needs the sentencepiece model, which only the reference sees."""
    file = folder / "tokenizer_config.json"
    keys = read(file) if file.is_file() else {}
    for key, value in keys.items():  # a form of older files, which this version no longer reads
        if key.endswith("_token") and isinstance(value, dict):
            keys[key] = value.get("content")
    file.write_text(json.dumps(keys))
    tokenizer = SiglipTokenizer.from_pretrained(folder)
    return with_transformers(tokenizer, limit, True)


def siglip2(folder, limit):
    tokenizer = Siglip2Tokenizer.from_pretrained(folder)
    if "padding_side" not in read(folder / "tokenizer_config.json"):
        # Its class pads at the left, but the model was trained otherwise, and its own files say so.
        tokenizer.padding_side = "right"
    end = (tokenizer.eos_token, tokenizer.eos_token_id)
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end[0]}", special_tokens=[end]
    )
    return with_transformers(tokenizer, limit, True)


def plain(folder, limit):
    """`tokenizers` with the folder's own file, padded to the context. transformers would make an
    ordinary word that is named as padding special in texts too; where the model was trained
    (open_clip) it is not."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    keys = read(folder / "tokenizer_config.json")
    limit = int(min(limit, keys.get("model_max_length") or limit))
    pad = keys.get("pad_token")
    pad_id = tokenizer.token_to_id(pad) if pad else 0
    tokenizer.enable_truncation(limit, direction=keys.get("truncation_side", "right"))

    def encode(text):
        tokenizer.no_padding()
        return tokenizer.encode(text).ids

    def padded(text):
        side = keys.get("padding_side", "right")
        tokenizer.enable_padding(direction=side, pad_id=pad_id, length=limit)
        out = tokenizer.encode(text)
        return out.ids, out.attention_mask

    return Tokens(encode, padded)


def tokens(kind, folder, limit):
    """The tokenizer of a folder, read by the class that its model was trained with."""
    match kind:
        case "auto":
            return with_transformers(AutoTokenizer.from_pretrained(folder), limit, False)
        case "auto to the context":
            return with_transformers(AutoTokenizer.from_pretrained(folder), limit, True)
        case "clip class":
            return with_transformers(CLIPTokenizer.from_pretrained(folder), limit, False)
        case "bert":
            return with_transformers(BertTokenizer.from_pretrained(folder), limit, False)
        case "file":
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
            return with_transformers(tokenizer, limit, False)
        case "file to the context":
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
            return with_transformers(tokenizer, limit, True)
        case "plain":
            return plain(folder, limit)
        case "gemma to the context":
            return with_transformers(GemmaTokenizer.from_pretrained(folder), limit, True)
        case "siglip":
            return siglip(folder, limit)
        case "siglip2":
            return siglip2(folder, limit)
        case "open_clip":
            return with_open_clip(folder)
        case "immich":
            return with_open_clip(folder, "config.json", "textual")
    raise ValueError(kind)


# ---------------------------------------------------------------------------- pictures


def processor_class(name, model_type):
    """The Pillow backend of the class that a file names, else that of the model type."""
    if name is None:
        of_type = {
            "siglip2": "Siglip",
            "jina_clip": "JinaCLIP",
            "siglip": "Siglip",
            "chinese_clip": "ChineseCLIP",
            "clip": "CLIP",
            "align": "EfficientNet",
            "blip": "Blip",
        }
        name = of_type[model_type] + "ImageProcessor"
    name = (
        name.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast").removesuffix("Pil")
    )
    return name


def with_processor(folder, model_type):
    file = folder / "preprocessor_config.json"
    if file.is_file():
        keys = read(file)
    else:
        keys = read(folder / "processor_config.json")["image_processor"]
    named = keys.get("image_processor_type") or keys.get("feature_extractor_type")
    name = processor_class(named, model_type)
    if name == "JinaCLIPImageProcessor":  # remote code on the hub, open_clip's steps by other keys
        return steps(
            dict(
                mean=keys.get("mean"),
                std=keys.get("std"),
                size=keys["size"],
                interpolation=keys.get("interpolation"),
                resize_mode=keys.get("resize_mode"),
                fill_color=keys.get("fill_color"),
            )
        )
    module = __import__("transformers", fromlist=[name])
    cls = getattr(module, name + "Pil")
    for key in ("image_processor_type", "feature_extractor_type"):
        keys.pop(key, None)
    processor = cls(**keys)

    def pixels(image):
        return processor(image, return_tensors="np")["pixel_values"][0].astype(np.float32)

    return pixels


def steps(cfg):
    cfg = {key: value for key, value in cfg.items() if value is not None}
    step = image_transform_v2(PreprocessCfg(**cfg), is_train=False)
    return lambda image: step(image).numpy()


def pixels(kind, folder, model_type):
    match kind:
        case "processor":
            return with_processor(folder, model_type)
        case "open_clip":
            both = read(folder / "open_clip_config.json")
            cfg = both.get("preprocess_cfg", {})
            vision = both["model_cfg"].get("vision_cfg", {})
            cfg.setdefault("size", vision.get("image_size", 224))
            return steps(cfg)
        case "immich":
            return steps(read(folder / "visual/preprocess_cfg.json"))
    raise ValueError(kind)


# ---------------------------------------------------------------------------- towers


def tower(file, names, output, joint=()):
    """Runs one tower of a graph. `names`: input name of the graph -> which value it takes."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    inputs = {port.name: port for port in session.get_inputs()}
    types = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}
    outputs = [output] if output else [session.get_outputs()[0].name]

    def run(**values):
        feed = {}
        for name, which in names.items():
            feed[name] = np.asarray(values[which])[None].astype(types[inputs[name].type])
        for name in inputs:
            if name not in feed:  # the other tower of a joint graph
                shape = joint[name]
                feed[name] = np.ones(shape, dtype=types[inputs[name].type])
        return session.run(outputs, feed)[0][0]

    return run


def copied(base, to):
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(base, to)
