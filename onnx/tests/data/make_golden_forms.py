#!/usr/bin/env python3
"""Makes tiny models of the forms that `make_golden_layouts.py` has no folder for, and the numbers
expected of them and of the forms that other folders take.

    venv/bin/pip install sentence-transformers==6.2.0
    venv/bin/python make_golden_forms.py

Run it after `make_golden_layouts.py`, with the same Python. `forms.json` lists the cases: a folder,
what is changed in it, and what the reference makes of it, as in `make_golden_keys.py`.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import make_golden
import make_golden_keys
from make_golden_keys import BASES, IDS_MASK, IMAGE, ONNX, TOWERS, noted, towers, usual_of
from make_golden_layouts import OPENAI, Picture, Words
from make_golden_parts import export, stir, train_pieces, write
from make_golden_reference import PICTURES, PROBES, TEXTS, copied, read

HERE = Path(__file__).parent
FORMS = HERE / "forms"
SEED = make_golden.SEED + 100
SIZE, LENGTH, N = 24, 20, 16
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def bert_vocabulary():
    """Lower and upper case, with and without accents, so that every rule shows in the ids."""
    words = sorted({word for line in make_golden.CORPUS for word in re.findall(r"[a-z]+", line)})
    letters = sorted(
        set("abcdefghijklmnopqrstuvwxyz") | set("ADGRCEFÜÉLO") | set("0123456789éïüñöı")
    )
    pieces = [*SPECIAL, *".,!'%&:;-_<>/\"?、", *"一只狗在雪地里奔跑两猫"] + letters
    pieces += (
        ["##" + letter for letter in letters]
        + ["##狗", "##在", "##只"]
        + [w for w in words if len(w) > 1]
    )
    pieces += [
        "Runs",
        "DOG",
        "CAFÉ",
        "café",
        "cafe",
        "naïve",
        "naive",
        "É",
        "ÉCOLE",
        "école",
        "ecole",
    ]
    return list(dict.fromkeys(pieces))


def bert_files(folder, lowercase):
    pieces = bert_vocabulary()
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    tokenizer = Tokenizer(
        models.WordPiece(vocab={w: i for i, w in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": lowercase,
            "model_max_length": LENGTH,
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
        },
    )


def image_files(folder, name, output, inputs="pixel_values"):
    torch.manual_seed(SEED)
    image = stir(Picture(N))
    export(image, folder / name, {inputs: torch.zeros(2, 3, SIZE, SIZE)}, [output], {inputs: 0})


def make_bert(folder):
    """BERT's tokenizer with capitals and accents; a mean over the tokens that are not masked."""
    bert_files(folder, True)
    write(
        folder,
        "config.json",
        {
            "model_type": "chinese_clip",
            "projection_dim": N,
            "text_config": {"max_position_embeddings": LENGTH},
        },
    )
    write(
        folder,
        "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "size": {"shortest_edge": SIZE},
            "crop_size": {"height": SIZE, "width": SIZE},
        },
    )
    image_files(folder, ONNX[0], "image_embeds")
    torch.manual_seed(SEED + 1)
    ids = torch.full((2, 7), 5)
    export(
        stir(Words(N, LENGTH, masked=True)),
        folder / ONNX[1],
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        ["text_embeds"],
        {"input_ids": LENGTH, "attention_mask": LENGTH},
    )


def make_clipa(folder):
    """CLIPA for open_clip: BERT's tokens, whose end becomes a zero."""
    bert_files(folder, True)
    write(
        folder,
        "open_clip_config.json",
        {
            "model_cfg": {
                "embed_dim": N,
                "vision_cfg": {
                    "image_size": SIZE,
                    "layers": 1,
                    "width": 24,
                    "patch_size": 8,
                    "no_ln_pre": True,
                    "pool_type": "avg",
                    "final_ln_after_pool": True,
                },
                "text_cfg": {
                    "context_length": LENGTH,
                    "vocab_size": 32000,
                    "hf_tokenizer_name": "bert-base-uncased",
                    "tokenizer_kwargs": {"strip_sep_token": True},
                    "width": 24,
                    "heads": 2,
                    "layers": 1,
                    "pool_type": "last",
                    "no_causal_mask": True,
                },
            },
            "preprocess_cfg": dict(
                OPENAI,
                size=SIZE,
                mode="RGB",
                interpolation="bilinear",
                resize_mode="squash",
                fill_color=0,
            ),
        },
    )
    image_files(folder, "visual.onnx", "image_features", "image")
    torch.manual_seed(SEED + 2)
    export(
        stir(Words(N, LENGTH)),
        folder / "textual.onnx",
        {"text": torch.ones(2, LENGTH, dtype=torch.int64)},
        ["text_features"],
        {"text": 0},
    )


def make_open(folder):
    """A text tower of free length that attends to its padding, which its type does not say."""
    bert_files(folder, True)
    write(
        folder,
        "config.json",
        {
            "model_type": "altclip",
            "projection_dim": N,
            "text_config": {"max_position_embeddings": LENGTH},
        },
    )
    write(
        folder,
        "preprocessor_config.json",
        {
            "image_processor_type": "CLIPImageProcessor",
            "size": {"shortest_edge": SIZE},
            "crop_size": {"height": SIZE, "width": SIZE},
        },
    )
    image_files(folder, ONNX[0], "image_embeds")
    torch.manual_seed(SEED + 3)
    export(
        stir(Words(N, LENGTH)),
        folder / ONNX[1],
        {"input_ids": torch.full((2, 7), 5)},
        ["text_embeds"],
        {"input_ids": LENGTH},
    )


MAKERS = {"forms/bert": make_bert, "forms/clipa": make_clipa, "forms/open": make_open}
FORM_BASES = {
    "forms/bert": dict(
        tokens="bert",
        limit=LENGTH,
        pixels="processor",
        image=(ONNX[0], IMAGE, "image_embeds"),
        text=(ONNX[1], IDS_MASK, "text_embeds"),
    ),
    "forms/clipa": dict(
        tokens="open_clip",
        limit=LENGTH,
        pixels="open_clip",
        image=("visual.onnx", {"image": "pixels"}, None),
        text=("textual.onnx", {"text": "ids"}, None),
    ),
    "forms/open": dict(
        tokens="auto to the context",
        limit=LENGTH,
        pixels="processor",
        image=(ONNX[0], IMAGE, "image_embeds"),
        text=(ONNX[1], {"input_ids": "ids"}, "text_embeds"),
    ),
}


# ---------------------------------------------------------------------------- the forms


def key(file, path, value):
    return {"file": file, "key": path.split("/"), "value": value}


def without(file, path=None):
    return {"file": file, "key": path.split("/")} if path else {"file": file}


CONFIG, TOKENIZER, OPEN = "tokenizer_config.json", "tokenizer.json", "open_clip_config.json"
KWARGS, TEXT = "model_cfg/text_cfg/tokenizer_kwargs", "model_cfg/text_cfg"


def bert_forms():
    """Casing, accents and Chinese characters, with and without a tokenizer.json that says
    otherwise."""
    settings = [
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"do_lower_case": True, "strip_accents": False},
        {"strip_accents": True},
        {"strip_accents": None},
        {"tokenize_chinese_chars": False},
        {"do_lower_case": None},
        {"do_lower_case": False, "strip_accents": False, "tokenize_chinese_chars": False},
    ]
    for setting in settings:
        edits = [key(CONFIG, name, value) for name, value in setting.items()]
        said = ", ".join(f"{name} = {json.dumps(value)}" for name, value in setting.items())
        yield f"tokenizer.json with {said}", "forms/bert", edits, "bert"
        yield f"vocab.txt with {said}", "forms/bert", [without(TOKENIZER), *edits], "bert"
    yield "vocab.txt alone", "forms/bert", [without(TOKENIZER), without(CONFIG)], "bert"
    no_frame = key(TOKENIZER, "post_processor", None)
    yield "begin and end in tokenizer_config.json only", "forms/bert", [no_frame], "bert"
    yield "no frame, plain class", "forms/bert", [
        no_frame,
        key(CONFIG, "tokenizer_class", "PreTrainedTokenizerFast"),
    ], "file"
    yield "cut at the left", "forms/bert", [key(CONFIG, "truncation_side", "left")], "bert"
    yield "padded at the left", "forms/bert", [key(CONFIG, "padding_side", "left")], "bert"
    yield "a shorter context", "forms/bert", [key(CONFIG, "model_max_length", 11)], "bert"


def clipa_forms():
    base = "forms/clipa"
    for clean in ("canonicalize", "lower", "whitespace"):
        yield f"clean = {clean}", base, [key(OPEN, f"{KWARGS}/clean", clean)], None
    yield "end token kept", base, [without(OPEN, f"{KWARGS}/strip_sep_token")], None
    cased = [
        key(CONFIG, "do_lower_case", False),
        key(OPEN, f"{TEXT}/hf_tokenizer_name", "bert-base-cased"),
    ]
    yield "cased", base, cased, None
    yield "cased, with vocab.txt only", base, [without(TOKENIZER), *cased], None
    yield "cased by tokenizer_kwargs", base, [key(OPEN, f"{KWARGS}/do_lower_case", False)], None
    yield "padded at the left", base, [key(CONFIG, "padding_side", "left")], None
    yield "tokenizer mode clips", base, [
        key(OPEN, f"{TEXT}/tokenizer_mode", "clips"),
        key(CONFIG, "bos_token", "[CLS]"),
        key(CONFIG, "eos_token", "[SEP]"),
    ], None


def clip_forms():
    frameless = key(TOKENIZER, "post_processor", None)
    yield "no frame in tokenizer.json", "clip", [frameless], "auto"
    parts = [
        {"file": "vocab.json", "from": ["model", "vocab"]},
        {"file": "merges.txt", "from": ["model", "merges"]},
    ]
    yield "vocab.json and merges.txt", "clip", [*parts, without(TOKENIZER)], "auto"
    yield "vocab.json and merges.txt alone", "clip", [
        *parts,
        without(TOKENIZER),
        without(CONFIG),
    ], "clip class"
    parts_of_mobile = [*parts, without(TOKENIZER)]
    name = "vocab.json and merges.txt, padded with a word"
    yield name, "layouts/mobileclip", parts_of_mobile, "unchanged"
    yield "vocab.json and merges.txt in open_clip", "layouts/immich", [
        {"file": "textual/vocab.json", "from": ["model", "vocab"]},
        {"file": "textual/merges.txt", "from": ["model", "merges"]},
        without("textual/tokenizer.json"),
    ], None


def siglip_forms():
    """SigLIP with another class, or without one."""
    for lower in (True, False):
        named = [
            key(CONFIG, "tokenizer_class", "PreTrainedTokenizerFast"),
            key(CONFIG, "do_lower_case", lower),
        ]
        kind = "siglip2" if lower else "file to the context"
        yield f"a plain class, do_lower_case = {json.dumps(lower)}", "layouts/siglip2", named, kind
    yield "padded at the left", "layouts/siglip", [key(CONFIG, "padding_side", "left")], None
    yield "cut at the left", "layouts/siglip", [key(CONFIG, "truncation_side", "left")], None
    frameless = key(TOKENIZER, "post_processor", None)
    for bos, eos in ((False, True), (True, True), (True, False), (False, False)):
        flags = [key(CONFIG, "add_bos_token", bos), key(CONFIG, "add_eos_token", eos)]
        said = f"add_bos_token = {json.dumps(bos)}, add_eos_token = {json.dumps(eos)}"
        yield said, "layouts/siglip2", [
            frameless,
            key(CONFIG, "do_lower_case", False),
            key(CONFIG, "padding_side", "right"),
            *flags,
        ], "gemma to the context"


def processor_forms():
    """Whole files of the processors that people have, at this model's size."""
    side = {"height": 32, "width": 32}
    of_clip = {
        "crop_size": side,
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": OPENAI["mean"],
        "image_std": OPENAI["std"],
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 32},
    }
    half = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": side,
    }
    forms = {
        "ConvNextImageProcessor": [
            dict(half, size={"shortest_edge": 32}),
            dict(half, size={"shortest_edge": 32}, crop_pct=0.875),
            dict(half, size={"shortest_edge": 384}, crop_pct=0.875),
            dict(half, size=32, crop_pct=1.0),
        ],
        "BitImageProcessor": [of_clip, dict(of_clip, size={"shortest_edge": 40}, crop_size=32)],
        "EfficientNetImageProcessor": [
            dict(half, rescale_offset=False, include_top=False, do_center_crop=False),
            dict(half, rescale_offset=True, include_top=True, do_center_crop=False, resample=0),
            dict(
                half,
                rescale_offset=True,
                rescale_factor=1 / 127.5,
                include_top=True,
                do_center_crop=False,
            ),
            dict(
                half,
                rescale_offset=False,
                include_top=True,
                size=dict(height=40, width=40),
                do_center_crop=True,
                crop_size=side,
            ),
        ],
        "ViTImageProcessor": [
            half,
            dict(half, size=32),
            dict(half, resample=2, do_convert_rgb=None),
        ],
        "DeiTImageProcessor": [
            dict(half, crop_size=side, do_center_crop=True, size={"height": 36, "width": 36})
        ],
        "ChineseCLIPImageProcessor": [dict(of_clip, size=side, do_center_crop=False)],
        "BlipImageProcessor": [
            dict(half, image_mean=OPENAI["mean"], image_std=OPENAI["std"], do_convert_rgb=True)
        ],
        "MobileViTImageProcessor": [
            dict(
                size={"shortest_edge": 36}, crop_size=side, resample=2, do_flip_channel_order=True
            ),
            dict(
                size={"shortest_edge": 36}, crop_size=side, resample=2, do_flip_channel_order=False
            ),
        ],
        "LevitImageProcessor": [
            dict(of_clip, size={"shortest_edge": 32}),
            dict(of_clip, size=side),
        ],
        "PoolFormerImageProcessor": [dict(of_clip, crop_pct=0.9), dict(of_clip, crop_pct=None)],
        "SiglipImageProcessor": [half, dict(half, resample=2), dict(half, do_convert_rgb=True)],
        "CLIPImageProcessor": [
            of_clip,
            dict(of_clip, size=dict(height=40, width=40)),
            dict(of_clip, size=side, do_center_crop=False),
            dict(of_clip, do_rescale=False),
            dict(of_clip, do_normalize=False),
            dict(of_clip, do_resize=False),
            dict(of_clip, size={"shortest_edge": 32, "longest_edge": 64}),
            dict(of_clip, size=36, crop_size=32),
            dict(of_clip, do_convert_rgb=False),
        ],
        "Owlv2ImageProcessor": [dict(of_clip, do_pad=True)],
    }
    for name, contents in forms.items():
        for i, content in enumerate(contents, 1):
            content = dict(content, image_processor_type=name)
            edit = {"file": "preprocessor_config.json", "content": content}
            yield f"{name} {i}", "clip", [edit], None
            if i == 1:
                nested = {
                    "file": "processor_config.json",
                    "content": {"processor_class": "CLIPProcessor", "image_processor": content},
                }
                yield f"{name} in processor_config.json", "clip", [
                    without("preprocessor_config.json"),
                    nested,
                ], None
    bare = {
        "file": "preprocessor_config.json",
        "content": {
            name: value
            for name, value in of_clip.items()
            if name not in ("image_mean", "image_std")
        },
    }
    for model_type in ("clip", "siglip", "chinese_clip", "align", "blip"):
        typed = key("config.json", "model_type", model_type)
        yield f"no type, of {model_type}", "clip", [bare, typed], None


def applied(folder, edits):
    for edit in edits:
        file = folder / edit["file"]
        if "content" in edit:
            file.write_text(json.dumps(edit["content"]))
        elif "from" in edit:
            value = read(file.parent / TOKENIZER)
            for name in edit["from"]:
                value = value[name]
            lines = ["#version: 0.2"] + [m if isinstance(m, str) else " ".join(m) for m in value]
            file.write_text("\n".join(lines) + "\n" if file.suffix == ".txt" else json.dumps(value))
        elif "key" not in edit:
            file.unlink()
        else:
            value = (
                edit.get("value", make_golden_keys.ABSENT)
                if "value" in edit
                else make_golden_keys.ABSENT
            )
            make_golden_keys.changed(folder, edit["file"], edit["key"], value)


def main():
    shutil.rmtree(FORMS, ignore_errors=True)
    for base, make in MAKERS.items():
        (HERE / base).mkdir(parents=True)
        make(HERE / base)
    pictures = [
        make_golden.decode(name, (make_golden.PICTURES / name).read_bytes()) for name in PICTURES
    ]
    BASES.update(FORM_BASES)
    listing = {"texts": TEXTS, "pictures": PICTURES, "probes": PROBES, "folders": {}}
    tensors, cases, usual = {}, [], {}
    home = Path(tempfile.mkdtemp())

    def prepared(base):
        copied(HERE / base, home / "model")
        if base == "layouts/siglip":
            train_pieces(home / "model", 120)
        return home / "model"

    forms = [*bert_forms(), *clipa_forms(), *clip_forms(), *siglip_forms(), *processor_forms()]
    for base in [*FORM_BASES, *dict.fromkeys(base for _, base, _, _ in forms)]:
        if base not in usual:
            TOWERS[base] = towers(base)
            usual[base] = usual_of(base, prepared(base), pictures, tensors, listing)
    for name, base, edits, kind in forms:
        folder = prepared(base)
        if (
            kind == "unchanged"
        ):  # the same tokenizer in other files, of which the reference knows nothing
            kind = None
        else:
            applied(folder, edits)
        spec, BASES[base] = BASES[base], dict(BASES[base], tokens=kind or BASES[base]["tokens"])
        found = make_golden_keys.run(base, folder, pictures)
        BASES[base] = spec
        case = {"name": name, "folder": base, "edits": edits}
        case.update(noted(found, usual[base], tensors, str(len(cases))))
        cases.append(case)
        print(base, "|", name, "|", *(str(case[what])[:150] for what in ("texts", "pictures")))
    shutil.rmtree(home)
    save_file(tensors, HERE / "forms.safetensors")
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    head = json.dumps(listing, ensure_ascii=False, separators=(",", ":"))
    (HERE / "forms.json").write_text(head[:-1] + ',"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
