#!/usr/bin/env python3
"""Makes one tiny model for each layout of a model folder, and the numbers expected of it.

Uses the pictures of `make_golden.py`: run that first, then this with the same Python and

    venv/bin/pip install open_clip_torch==3.3.0 sentencepiece==0.2.3 onnxruntime==1.32.0 ftfy==6.3.1
    venv/bin/python make_golden_layouts.py

References: the processors, tokenizers and models of transformers for SigLIP, SigLIP 2 and
Chinese-CLIP; open_clip's transform and tokenizer for Immich's exports, folders with
open_clip_config.json, jina-clip and MobileCLIP (whose towers are small stand-ins with the inputs,
outputs and shapes of the real exports). Everything is seeded. CLIP's byte pairs come from the file
that open_clip ships; only the first merges and all that the texts below need are kept, with their
true numbers, so that the ids are those of the whole vocabulary.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import open_clip
import sentencepiece
import torch
from open_clip.tokenizer import basic_clean, canonicalize_text, whitespace_clean
from open_clip.transform import image_transform
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (ChineseCLIPConfig, ChineseCLIPModel, PreTrainedTokenizerFast, SiglipConfig,
                          SiglipModel, SiglipTokenizer)
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

import make_golden
from make_golden_parts import clip_bpe, copies, export, stir, train_pieces, unigram, write

HERE = Path(__file__).parent
LAYOUTS = HERE / "layouts"
SEED = make_golden.SEED
TEXTS = make_golden.TEXTS + [
    "كلب يركض في الثلج", "Snake_case, kebab-case & CamelCase: all at once!",
    "\U0001f600\U0001f697\U0001f1eb\U0001f1f7", "一只狗 in the snow، 两只猫",
]
PICTURES = ["landscape_420.jpg", "portrait_444.jpg", "grey.png", "palette.png", "rgb16.png", "grey16.png",
            "alpha.png", "tiny.png", "column.png", "one_pixel.png"]


def normalized(x):
    return x / x.norm(dim=-1, keepdim=True)


class Model:
    """A layout's reference: `pixels(image)` -> [1, 3, h, w] and `resized(image)` -> u8; `ids(text)`
    -> (ids without padding, number of tokens dropped); and the towers that take them."""

    def __init__(self, pixels, resized, image, ids, text):
        self.pixels, self.resized, self.image, self.ids, self.text = pixels, resized, image, ids, text


def with_processor(processor, image, ids, text):
    def resized(picture):
        values = processor(picture, do_rescale=False, do_normalize=False, return_tensors="np")
        return values["pixel_values"][0].transpose(1, 2, 0)

    def pixels(picture):
        return processor(picture, return_tensors="pt")["pixel_values"].to(torch.float32)

    return Model(pixels, resized, image, ids, text)


def with_open_clip(cfg, image, ids, text):
    step = image_transform(cfg["size"], is_train=False, mean=cfg["mean"], std=cfg["std"],
                           interpolation=cfg["interpolation"], resize_mode=cfg["resize_mode"],
                           fill_color=cfg.get("fill_color", 0))

    def pixels(picture):
        return step(picture).unsqueeze(0)

    def resized(picture):
        mean, std = (torch.tensor(cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
        return ((pixels(picture)[0] * std + mean) * 255).round().permute(1, 2, 0).numpy()

    return Model(pixels, resized, image, ids, text)


def cut(ids, limit):
    """Truncates to `limit` ids and keeps the last one."""
    return (ids, 0) if len(ids) <= limit else (ids[:limit - 1] + ids[-1:], len(ids) - limit)


def clip_ids(simple, limit):
    """Ids as in open_clip, without the zeros after them. Its repair of broken Unicode (ftfy) is
    left out, as in Immich and transformers; only one of the texts here needs it."""
    def ids(text):
        words = whitespace_clean(text).lower()
        whole = [simple.sot_token_id, *simple.encode(words), simple.eot_token_id]
        # The reference itself frames and truncates; where its repair changes nothing, they agree.
        if open_clip.tokenizer.basic_clean(text) == text.strip():
            theirs = simple([text], context_length=limit)[0].tolist()
            assert theirs == cut(whole, limit)[0] + [0] * (limit - len(cut(whole, limit)[0])), text
        return cut(whole, limit)
    return ids


# ---------------------------------------------------------------------------- towers

class Picture(torch.nn.Module):
    """Stand-in for an image tower: patches, one layer, a mean, a projection."""

    def __init__(self, dimension, patch=8, unit=False):
        super().__init__()
        self.patches, self.mix = torch.nn.Conv2d(3, 24, patch, stride=patch), torch.nn.Linear(24, 24)
        self.head, self.unit = torch.nn.Linear(24, dimension), unit

    def forward(self, pixels):
        x = torch.tanh(self.patches(pixels).flatten(2).transpose(1, 2))
        x = self.head(torch.tanh(self.mix(x)).mean(1))
        return normalized(x) if self.unit else x


class Words(torch.nn.Module):
    """Stand-in for a text tower that sees its padding if it has no mask. The embedding table is
    folded, so that the true token ids need no table of 49,408 rows."""

    def __init__(self, dimension, length, masked=False, unit=False):
        super().__init__()
        self.words, self.places = torch.nn.Embedding(499, 24), torch.nn.Embedding(length, 24)
        self.mix, self.head = torch.nn.Linear(24, 24), torch.nn.Linear(24, dimension)
        self.masked, self.unit = masked, unit

    def forward(self, ids, mask=None):
        ids = ids.to(torch.int64)
        places = self.places.weight[:ids.shape[1]].unsqueeze(0)
        x = torch.tanh(self.mix(torch.tanh(self.words.weight[ids % 499] + places)))
        if self.masked:
            weight = mask.unsqueeze(-1).to(torch.float32)
            x = (x * weight).sum(1) / weight.sum(1)
        else:
            x = x.mean(1)
        x = self.head(x)
        return normalized(x) if self.unit else x


class Joint(torch.nn.Module):
    def __init__(self, image, text, unit):
        super().__init__()
        self.image, self.text, self.unit = image, text, unit

    def forward(self, input_ids, pixel_values, attention_mask):
        text, image = self.text(input_ids, attention_mask), self.image(pixel_values)
        if self.unit:  # jina-clip: unscaled, and normalised
            return text, image, normalized(text), normalized(image)
        text, image = normalized(text), normalized(image)
        return image @ text.T, text @ image.T, text, image


def padded(ids, length, pad):
    return torch.tensor([ids + [pad] * (length - len(ids))])


# ---------------------------------------------------------------------------- SigLIP

class SiglipTower(torch.nn.Module):
    def __init__(self, tower):
        super().__init__()
        self.tower = tower

    def forward(self, values):
        out = self.tower(values)
        return out.last_hidden_state, out.pooler_output


def siglip_model(folder, n_words, size, length, pad, eos):
    config = SiglipConfig(
        text_config=dict(vocab_size=n_words, hidden_size=32, intermediate_size=48, num_hidden_layers=1,
                         num_attention_heads=2, max_position_embeddings=length, pad_token_id=pad,
                         eos_token_id=eos, bos_token_id=None, projection_size=32),
        vision_config=dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1,
                           num_attention_heads=2, image_size=size, patch_size=8))
    config._attn_implementation = "eager"
    torch.manual_seed(SEED + n_words)
    model = stir(SiglipModel(config))
    # As on the hub: defaults are left out.
    write(folder, "config.json", {
        "model_type": "siglip",
        "text_config": {"hidden_size": 32, "max_position_embeddings": length, "model_type": "siglip_text_model",
                        "vocab_size": n_words},
        "vision_config": {"hidden_size": 32, "image_size": size, "patch_size": 8,
                          "model_type": "siglip_vision_model"}})
    return SiglipTower(model.vision_model).eval(), SiglipTower(model.text_model).eval()


def siglip_graphs(folder, vision, text, size, length):
    outputs = ["last_hidden_state", "pooler_output"]
    export(vision, folder / "vision_model.onnx", {"pixel_values": torch.zeros(2, 3, size, size)}, outputs,
           {"pixel_values": 0})
    export(text, folder / "text_model.onnx", {"input_ids": torch.full((2, length), 5)}, outputs,
           {"input_ids": 0})


def make_siglip(folder):
    size, length = 24, 16
    spiece = train_pieces(folder, 120)
    reference = SiglipTokenizer(str(spiece), model_max_length=length)
    pieces = [(reference.sp_model.id_to_piece(i), reference.sp_model.get_score(i))
              for i in range(reference.sp_model.get_piece_size())]
    spiece.unlink()
    punctuation = Regex(r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]""")
    normalizer = normalizers.Sequence([
        normalizers.Lowercase(), normalizers.Replace(punctuation, ""), normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip()])
    tokenizer = unigram(pieces, 2, normalizer, "$A </s>", [("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    write(folder, "tokenizer_config.json", {
        "tokenizer_class": "SiglipTokenizer", "model_max_length": length, "do_lower_case": True,
        "pad_token": {"content": "</s>", "lstrip": True, "rstrip": True, "normalized": False},
        "eos_token": "</s>", "unk_token": "<unk>"})
    processor = SiglipImageProcessorPil(size={"height": size, "width": size})
    write(folder, "preprocessor_config.json", {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3,
        "image_processor_type": "SiglipImageProcessor", "image_std": [0.5] * 3, "resample": 3,
        "rescale_factor": 1 / 255, "size": {"height": size, "width": size}})
    vision, text = siglip_model(folder, len(pieces), size, length, 1, 1)
    siglip_graphs(folder / "onnx", vision, text, size, length)
    for name in ("vision_model", "text_model"):
        copies(folder / "onnx" / f"{name}.onnx")

    def ids(text_):
        whole = reference(text_, verbose=False)["input_ids"]
        kept = reference(text_, truncation=True, max_length=length)["input_ids"]
        return kept, len(whole) - len(kept)

    def encode(kept):
        return text(padded(kept, length, 1))[1]

    return with_processor(processor, lambda x: vision(x)[1], ids, encode)


def make_siglip2(folder):
    """Optimum: the graphs at the top level. The tokenizer's own file does not lowercase."""
    size, length = 32, 12
    merges = []
    for a, b in make_golden.learn_merges(60):
        if "</w>" not in a + b:
            merges.append((a, b))
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = sorted({c for line in make_golden.CORPUS for c in line if c != " "} | {"▁"})
    words = special + [f"<0x{i:02X}>" for i in range(256)] + letters + [a + b for a, b in merges]
    vocab = {word: i for i, word in enumerate(dict.fromkeys(words))}
    reference = Siglip2Tokenizer(vocab=dict(vocab), merges=[tuple(m) for m in merges])
    frame = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    reference._tokenizer.post_processor = frame
    plain = Tokenizer.from_str(reference._tokenizer.to_str())
    plain.normalizer = normalizers.Replace(" ", "▁")
    plain.post_processor = frame
    plain.no_padding()
    plain.no_truncation()
    plain.save(str(folder / "tokenizer.json"))
    write(folder, "tokenizer_config.json", {
        "tokenizer_class": "GemmaTokenizer", "model_max_length": length, "do_lower_case": True,
        "padding_side": "right", "pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"})
    processor = SiglipImageProcessorPil(size={"height": size, "width": size}, resample=2)
    write(folder, "preprocessor_config.json", {
        "image_processor_type": "SiglipImageProcessorFast", "resample": 2,
        "size": {"height": size, "width": size}})
    vision, text = siglip_model(folder, len(vocab), size, length, 0, 1)
    siglip_graphs(folder, vision, text, size, length)

    def ids(text_):
        return cut(reference._tokenizer.encode(text_).ids, length)

    return with_processor(processor, lambda x: vision(x)[1], ids,
                          lambda kept: text(padded(kept, length, 0))[1])


# ---------------------------------------------------------------------------- Chinese-CLIP

class ChineseJoint(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.clip = clip

    def forward(self, input_ids, pixel_values, attention_mask):
        text = self.clip.get_text_features(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        image = self.clip.get_image_features(pixel_values=pixel_values).pooler_output
        text, image = normalized(text), normalized(image)
        return image @ text.T, text @ image.T, text, image


def make_chinese_clip(folder):
    """One graph for both towers; BERT's tokenizer as tokenizer.json and as a plain vocabulary."""
    size, length = 32, 20
    words = sorted({word for line in make_golden.CORPUS for word in re.findall(r"[a-z]+", line)})
    letters = sorted({letter for word in words for letter in word} | set("0123456789éïü"))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,!'%&:،-", *"一只狗在雪地里奔跑两猫"] + letters
    pieces += ["##" + letter for letter in letters] + [word for word in words if len(word) > 1]
    pieces = list(dict.fromkeys(pieces))
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    tokenizer = Tokenizer(models.WordPiece(vocab={w: i for i, w in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(pieces[:5])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    reference = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]",
                                        unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")
    write(folder, "tokenizer_config.json", {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512,
        "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"})
    config = ChineseCLIPConfig(
        projection_dim=24,
        text_config=dict(vocab_size=len(pieces), hidden_size=32, intermediate_size=48, num_hidden_layers=1,
                         num_attention_heads=2, max_position_embeddings=length, pad_token_id=0),
        vision_config=dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1, projection_dim=24,
                           num_attention_heads=2, image_size=size, patch_size=8))
    config._attn_implementation = "eager"
    torch.manual_seed(SEED + 3)
    clip = stir(ChineseCLIPModel(config))
    write(folder, "config.json", {
        "model_type": "chinese_clip", "projection_dim": 24,
        "text_config": {"hidden_size": 32, "max_position_embeddings": length, "vocab_size": len(pieces)},
        "vision_config": {"hidden_size": 32, "image_size": size, "patch_size": 8}})
    processor = ChineseCLIPImageProcessorPil(size={"height": size, "width": size}, do_center_crop=False)
    write(folder, "preprocessor_config.json", {
        "do_center_crop": False, "do_normalize": True, "do_resize": True,
        "feature_extractor_type": "ChineseCLIPFeatureExtractor",
        "image_mean": list(processor.image_mean), "image_std": list(processor.image_std),
        "resample": 3, "size": {"height": size, "width": size}})
    ids = torch.full((2, 7), 5)
    export(ChineseJoint(clip).eval(), folder / "onnx/model.onnx",
           {"input_ids": ids, "pixel_values": torch.zeros(3, 3, size, size), "attention_mask": torch.ones_like(ids)},
           ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"],
           {"input_ids": length, "pixel_values": 0, "attention_mask": length})

    def numbers(text_):
        whole = reference(text_, verbose=False)["input_ids"]
        kept = reference(text_, truncation=True, max_length=length)["input_ids"]
        return kept, len(whole) - len(kept)

    def encode(kept):
        kept = torch.tensor([kept])
        return clip.get_text_features(input_ids=kept, attention_mask=torch.ones_like(kept)).pooler_output

    return with_processor(processor, lambda x: clip.get_image_features(pixel_values=x).pooler_output,
                          numbers, encode)


# ---------------------------------------------------------------------------- open_clip

OPENAI = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}


def make_immich(folder):
    """Immich's exporter: batch size fixed to 1, 32-bit ids, one normalised output."""
    size, length = 29, 77
    simple = clip_bpe(folder / "textual/tokenizer.json", TEXTS)
    write(folder, "textual/tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"})
    cfg = dict(OPENAI, size=[size, size], mode="RGB", interpolation="bicubic", resize_mode="shortest",
               fill_color=0)
    write(folder, "visual/preprocess_cfg.json", cfg)
    write(folder, "config.json", {
        "embed_dim": 20, "vision_cfg": {"image_size": size, "layers": 1, "width": 24, "patch_size": 8},
        "text_cfg": {"context_length": length, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 1}})
    torch.manual_seed(SEED + 4)
    image, text = stir(Picture(20, unit=True)), stir(Words(20, length, unit=True))
    export(image, folder / "visual/model.onnx", {"image": torch.zeros(1, 3, size, size)}, ["embedding"])
    export(text, folder / "textual/model.onnx", {"text": torch.ones(1, length, dtype=torch.int32)}, ["embedding"])
    return with_open_clip(cfg, image, clip_ids(simple, length), lambda kept: text(padded(kept, length, 0)))


def make_open_clip(folder):
    """A folder from the hub: longest edge with padding, its own tokenizer, cleaned texts."""
    size, length = 30, 14
    spiece = train_pieces(folder, 110)
    reader = sentencepiece.SentencePieceProcessor(model_file=str(spiece))
    pieces = [(reader.id_to_piece(i), reader.get_score(i)) for i in range(reader.get_piece_size())]
    spiece.unlink()
    tokenizer = unigram(pieces, 2, None, "$A </s>", [("</s>", 1), ("<pad>", 0)])
    tokenizer.save(str(folder / "tokenizer.json"))
    write(folder, "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>"})
    cfg = dict(size=size, mode="RGB", mean=[0.5, 0.4, 0.3], std=[0.5, 0.25, 0.5], interpolation="bilinear",
               resize_mode="longest", fill_color=128)
    write(folder, "open_clip_config.json", {
        "model_cfg": {
            "embed_dim": 20, "custom_text": True, "vision_cfg": {"image_size": size, "timm_model_name": "vit"},
            "text_cfg": {"context_length": length, "vocab_size": len(pieces), "hf_tokenizer_name": "tiny/pieces",
                         "tokenizer_kwargs": {"clean": "canonicalize"}, "no_causal_mask": True}},
        "preprocess_cfg": cfg})
    torch.manual_seed(SEED + 5)
    image, text = stir(Picture(20, patch=10)), stir(Words(20, length))
    export(image, folder / "visual.onnx", {"image": torch.zeros(2, 3, size, size)}, ["image_features"], {"image": 0})
    export(text, folder / "textual.onnx", {"text": torch.ones(2, length, dtype=torch.int64)}, ["text_features"],
           {"text": 0})

    def ids(text_):
        return cut(tokenizer.encode(canonicalize_text(basic_clean(text_))).ids, length)

    return with_open_clip(cfg, image, ids, lambda kept: text(padded(kept, length, 0)))


def make_jina_clip(folder):
    """jina-clip: other keys in preprocessor_config.json, one graph, four outputs."""
    size, length = 28, 24
    spiece = train_pieces(folder, 100)
    reader = sentencepiece.SentencePieceProcessor(model_file=str(spiece))
    pieces = [(reader.id_to_piece(i), reader.get_score(i)) for i in range(3, reader.get_piece_size())]
    spiece.unlink()
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + pieces
    special = [("<s>", 0), ("</s>", 2), ("<pad>", 1), ("<unk>", 3)]
    tokenizer = unigram(pieces, 3, normalizers.NFKC(), "<s> $A </s>", special)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(folder, "tokenizer_config.json", {
        "tokenizer_class": "XLMRobertaTokenizer", "model_max_length": length, "pad_token": "<pad>"})
    cfg = dict(OPENAI, size=size, interpolation="bicubic", resize_mode="shortest", fill_color=0)
    write(folder, "preprocessor_config.json", dict(
        cfg, image_processor_type="JinaCLIPImageProcessor", processor_class="JinaCLIPProcessor"))
    write(folder, "config.json", {"model_type": "jina_clip", "projection_dim": 20,
                                  "text_config": {"embed_dim": 20}, "vision_config": {"embed_dim": 20}})
    torch.manual_seed(SEED + 6)
    image, text = stir(Picture(20, patch=7)), stir(Words(20, length, masked=True))
    ids = torch.full((2, 7), 5)
    export(Joint(image, text, unit=True).eval(), folder / "onnx/model.onnx",
           {"input_ids": ids, "pixel_values": torch.zeros(3, 3, size, size), "attention_mask": torch.ones_like(ids)},
           ["text_embeddings", "image_embeddings", "l2norm_text_embeddings", "l2norm_image_embeddings"],
           {"input_ids": length, "pixel_values": 0, "attention_mask": length})

    def numbers(text_):
        return cut(tokenizer.encode(text_).ids, length)

    def encode(kept):
        kept = torch.tensor([kept])
        return text(kept, torch.ones_like(kept))

    return with_open_clip(cfg, image, numbers, encode)


def make_mobileclip(folder):
    """MobileCLIP for transformers.js: no mean or deviation, bilinear, texts of exactly 77 tokens."""
    size, length = 32, 77
    simple = clip_bpe(folder / "tokenizer.json", TEXTS)
    # Its tower sees padding. The reference pads with zeros, the id of "!".
    write(folder, "tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "!"})
    processor = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size},
                                      resample=2, do_normalize=False)
    write(folder, "preprocessor_config.json", {
        "crop_size": {"height": size, "width": size}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": False, "do_rescale": True, "do_resize": True,
        "image_processor_type": "CLIPFeatureExtractor", "resample": 2, "rescale_factor": 1 / 255,
        "size": {"shortest_edge": size}})
    write(folder, "config.json", {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 20})
    torch.manual_seed(SEED + 7)
    image, text = stir(Picture(20)), stir(Words(20, length))
    export(image, folder / "onnx/vision_model.onnx", {"pixel_values": torch.zeros(2, 3, size, size)},
           ["image_embeds"], {"pixel_values": 0})
    export(text, folder / "onnx/text_model.onnx", {"input_ids": torch.ones(2, length, dtype=torch.int64)},
           ["text_embeds"], {"input_ids": 0})
    return with_processor(processor, image, clip_ids(simple, length), lambda kept: text(padded(kept, length, 0)))


MAKERS = {"siglip": make_siglip, "siglip2": make_siglip2, "chinese_clip": make_chinese_clip,
          "immich": make_immich, "open_clip": make_open_clip, "jina_clip": make_jina_clip,
          "mobileclip": make_mobileclip}


def main():
    shutil.rmtree(LAYOUTS, ignore_errors=True)
    decoded = {name: make_golden.decode(name, (make_golden.PICTURES / name).read_bytes()) for name in PICTURES}
    decoded["formula 4000 x 3000"] = make_golden.formula(4000, 3000)
    tensors, listing = {}, {}
    for name, make in MAKERS.items():
        folder = LAYOUTS / name
        folder.mkdir(parents=True)
        model = make(folder)
        texts = []
        for picture, image in decoded.items():
            if (name, picture) == ("open_clip", "column.png"):
                continue  # 3 x 200 would become 0 pixels wide, which open_clip cannot do
            resized = model.resized(image)
            assert resized.min() >= 0 and resized.max() <= 255
            tensors[f"{name}/resized/{picture}"] = np.ascontiguousarray(resized.astype(np.uint8))
            pixels = model.pixels(image)
            if picture == "landscape_420.jpg":
                tensors[f"{name}/pixels/{picture}"] = pixels[0].numpy()
            with torch.no_grad():
                tensors[f"{name}/image/{picture}"] = model.image(pixels)[0].numpy().astype(np.float32)
        for i, text in enumerate(TEXTS):
            kept, dropped = model.ids(text)
            with torch.no_grad():
                tensors[f"{name}/text/{i}"] = model.text(kept)[0].numpy().astype(np.float32)
            texts.append({"text": text if len(text) < 1000 else None, "ids": kept, "n_dropped": dropped})
        listing[name] = {"texts": texts}
        n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{name}: {n_bytes} bytes")
    save_file(tensors, HERE / "layouts.safetensors")
    (HERE / "layouts.json").write_text(json.dumps(listing, ensure_ascii=False, separators=(",", ":")) + "\n")
    n_bytes = sum(path.stat().st_size for path in LAYOUTS.rglob("*") if path.is_file())
    print(f"{len(MAKERS)} models, {len(tensors)} tensors, {n_bytes} bytes in the folders")


if __name__ == "__main__":
    main()
