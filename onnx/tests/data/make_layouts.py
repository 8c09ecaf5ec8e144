#!/usr/bin/env python3
"""Makes one tiny model for each layout of model folders, and what the references make of it.

`layouts/NAME/` is a folder as that exporter writes it; `layouts.json` and `layouts.safetensors` hold
token ids, resized pictures and embeddings. They come from the references, not from Sightline: the
processors, tokenizers and models of transformers for CLIP, SigLIP, SigLIP 2 and Chinese-CLIP;
open_clip's transform, tokenizer and model for Immich's export, and its transform for jina-clip. The
vocabulary of CLIP's tokenizer is the one in the package open_clip_torch, cut to its first merges so
that the files stay small. Everything is seeded. Run it in the environment of `make_golden.py` with
`open_clip_torch==3.3.0 sentencepiece==0.2.3 onnxruntime==1.32.0` beside.
"""

import gzip
import io
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import open_clip
import sentencepiece
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from onnxruntime.quantization import QuantType, quantize_dynamic
from PIL import Image
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (BertTokenizer, ChineseCLIPConfig, ChineseCLIPModel, CLIPConfig, CLIPModel,
                          SiglipConfig, SiglipModel)
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip.tokenization_siglip import SiglipTokenizer

import make_golden
from make_golden import CORPUS, SEED, ClipText, ClipVision, decode, formula

HERE = Path(__file__).parent
LAYOUTS = HERE / "layouts"
FORMULA = "formula 4000 x 3000"
PICTURES = ["landscape_420.jpg", "portrait_444.jpg", "grey16.png", "palette.png", "alpha.png", "tiny.png",
            "column.png", FORMULA]
TEXTS = make_golden.TEXTS + ["كلب يركض على العشب", "two_dogs, (at) \"home\"!"]
CONTEXT = 16
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


# ---------------------------------------------------------------------------- exporting

def export(module, path, inputs, outputs):
    """`inputs`: name -> (example, which dimensions are free). Named dimensions are shared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dims, shapes = {}, []
    for _, free in inputs.values():
        shapes.append({axis: dims.setdefault(name, torch.export.Dim(name, min=1 if "batch" in name else 2,
                                                                    max=4096 if "batch" in name else CONTEXT))
                       for axis, name in free.items()})
    program = torch.onnx.export(module.eval(), tuple(value for value, _ in inputs.values()),
                                input_names=list(inputs), output_names=outputs, dynamic_shapes=tuple(shapes),
                                opset_version=18, dynamo=True, external_data=False, verbose=False)
    program.save(str(path), external_data=False)
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.producer_version = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


PIXELS = (torch.zeros(2, 3, 32, 32), {0: "batch"})


def ids_of(length, **free):
    return (torch.full((2, length), 5, dtype=torch.int64), free)


TEXT_IDS = (torch.full((2, 7), 5, dtype=torch.int64), {0: "batch", 1: "n_tokens"})
FIXED_IDS = (torch.full((2, CONTEXT), 5, dtype=torch.int64), {0: "batch"})


def spread(model):
    """Larger than the usual start values, so that inputs matter."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.15)
    return model.eval()


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, default=str) + "\n")


def tiny_clip(vocab_size, end, dimension=24):
    config = CLIPConfig(
        projection_dim=dimension,
        text_config=dict(vocab_size=vocab_size, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                         num_attention_heads=2, max_position_embeddings=CONTEXT, bos_token_id=end - 1,
                         eos_token_id=end, pad_token_id=end, projection_dim=dimension),
        vision_config=dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                           image_size=32, patch_size=8, projection_dim=dimension))
    config._attn_implementation = "eager"
    return config, spread(CLIPModel(config))


# ---------------------------------------------------------------------------- CLIP's own vocabulary

def clip_merges(n):
    """The first merges of CLIP's vocabulary, as the package open_clip_torch holds it."""
    text = gzip.open(open_clip.tokenizer.default_bpe()).read().decode()
    return text.split("\n")[:n + 1]


def clip_tokenizer(lines):
    """`tokenizer.json` of CLIP with these merges; the order of the vocabulary is CLIP's."""
    merges = [tuple(line.split()) for line in lines[1:]]
    alphabet = list(open_clip.tokenizer.bytes_to_unicode().values())
    words = alphabet + [c + "</w>" for c in alphabet] + ["".join(pair) for pair in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<|endoftext|>",
                                     continuing_subword_prefix="", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    split = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(split, behavior="removed", invert=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    tokenizer.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", vocab["<|endoftext|>"]), ("<|startoftext|>", vocab["<|startoftext|>"]),
        trim_offsets=False, add_prefix_space=False)
    return tokenizer, len(vocab)


def open_clip_ids(lines):
    with tempfile.NamedTemporaryFile(suffix=".gz") as file:
        file.write(gzip.compress("\n".join(lines).encode()))
        file.flush()
        tokenizer = open_clip.tokenizer.SimpleTokenizer(bpe_path=file.name, context_length=CONTEXT)

    def ids(text):
        n = len(tokenizer.encode(text)) + 2
        padded = tokenizer([text])[0]
        return padded[:min(n, CONTEXT)].tolist(), max(0, n - CONTEXT), padded
    return ids


# ---------------------------------------------------------------------------- the layouts

def hf_picture(processor):
    def resized(image):
        values = processor(image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
        return values[0].transpose(1, 2, 0)

    def pixels(image):
        return processor(image, return_tensors="pt")["pixel_values"].to(torch.float32)
    return resized, pixels


def open_clip_picture(**values):
    def transform(mean, std):
        return image_transform_v2(PreprocessCfg(**dict(values, mean=mean, std=std)), is_train=False)
    plain, normal = transform((0, 0, 0), (1, 1, 1)), transform(tuple(values["mean"]), tuple(values["std"]))
    return (lambda image: (plain(image) * 255).round().permute(1, 2, 0).numpy(),
            lambda image: normal(image)[None])


def siglip_towers(vocab_size, pad):
    config = SiglipConfig(
        text_config=dict(vocab_size=vocab_size, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                         num_attention_heads=2, max_position_embeddings=CONTEXT, projection_size=16,
                         pad_token_id=pad, bos_token_id=None, eos_token_id=pad),
        vision_config=dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                           image_size=32, patch_size=8))
    config._attn_implementation = "eager"
    model = spread(SiglipModel(config))

    class Vision(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tower = model.vision_model

        def forward(self, pixel_values):
            out = self.tower(pixel_values=pixel_values)
            return out.last_hidden_state, out.pooler_output

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tower = model.text_model

        def forward(self, input_ids):
            out = self.tower(input_ids=input_ids)
            return out.last_hidden_state, out.pooler_output
    return config, Vision().eval(), Text().eval()


def make_siglip(folder):
    """transformers.js: `onnx/`, the embedding is `pooler_output`, the tokenizer a Unigram model."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_writer=trained, vocab_size=110, model_type="unigram",
        normalization_rule_name="identity", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>",
        eos_piece="</s>", minloglevel=2, hard_vocab_limit=False)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())
    vocab = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(len(pieces))]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "spiece.model"
        file.write_bytes(trained.getvalue())
        reference = SiglipTokenizer(str(file), model_max_length=CONTEXT)
    config, vision, text = siglip_towers(len(vocab), 1)
    processor = SiglipImageProcessorPil(size={"height": 32, "width": 32}, resample=3)
    write_json(folder / "config.json", config.to_dict())
    (folder / "preprocessor_config.json").write_text(processor.to_json_string())
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "SiglipTokenizer", "model_max_length": CONTEXT, "do_lower_case": True,
        "pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"})
    export(vision, folder / "onnx/vision_model.onnx", {"pixel_values": PIXELS},
           ["last_hidden_state", "pooler_output"])
    export(text, folder / "onnx/text_model.onnx", {"input_ids": FIXED_IDS},
           ["last_hidden_state", "pooler_output"])

    def encode(text_):
        whole = reference(text_, truncation=False, verbose=False)["input_ids"]
        ids = reference(text_, truncation=True, max_length=CONTEXT)["input_ids"]
        padded = reference(text_, truncation=True, max_length=CONTEXT, padding="max_length")["input_ids"]
        return ids, len(whole) - len(ids), text(torch.tensor([padded]))[1]
    return hf_picture(processor), lambda pixels: vision(pixels)[1], encode


def make_siglip2(folder):
    """Optimum: graphs beside the other files; Gemma's kind of tokenizer, texts in lower case."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    special = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=special,
                                                             show_progress=False))
    settings = json.loads(tokenizer.to_str())
    # Bytes are fallbacks, not special tokens.
    settings["added_tokens"] = settings["added_tokens"][:4]
    tokenizer = Tokenizer.from_str(json.dumps(settings))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config, vision, text = siglip_towers(tokenizer.get_vocab_size(), 0)
    processor = SiglipImageProcessorPil(size={"height": 32, "width": 32}, resample=2)
    write_json(folder / "config.json", config.to_dict())
    (folder / "preprocessor_config.json").write_text(processor.to_json_string())
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "GemmaTokenizer", "model_max_length": CONTEXT, "do_lower_case": True,
        "pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>"})
    export(vision, folder / "vision_model.onnx", {"pixel_values": PIXELS}, ["last_hidden_state", "pooler_output"])
    export(text, folder / "text_model.onnx", {"input_ids": FIXED_IDS}, ["last_hidden_state", "pooler_output"])

    def encode(text_):
        bare = tokenizer.encode(text_.lower(), add_special_tokens=False).ids
        ids = bare[:CONTEXT - 1] + [1]
        padded = ids + [0] * (CONTEXT - len(ids))
        return ids, max(0, len(bare) + 1 - CONTEXT), text(torch.tensor([padded]))[1]
    return hf_picture(processor), lambda pixels: vision(pixels)[1], encode


def make_chinese_clip(folder):
    """One graph for both towers, as transformers.js has it, and a bare vocabulary of word pieces."""
    characters = sorted(set("一只狗在雪地里奔跑的猫和人"))
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(".,!?'%") + characters + letters
    words += ["##" + letter for letter in letters] + ["dog", "dogs", "the", "##ing", "snow"]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in words))
    config = ChineseCLIPConfig(
        projection_dim=24,
        text_config=dict(vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                         num_attention_heads=2, max_position_embeddings=CONTEXT, pad_token_id=0),
        vision_config=dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                           image_size=32, patch_size=8, projection_dim=24))
    config._attn_implementation = "eager"
    model = spread(ChineseCLIPModel(config))

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def images(self, pixel_values):
            return self.model.visual_projection(self.model.vision_model(pixel_values=pixel_values).pooler_output)

        def texts(self, input_ids, token_type_ids, attention_mask):
            states = self.model.text_model(input_ids=input_ids, token_type_ids=token_type_ids,
                                           attention_mask=attention_mask).last_hidden_state
            return self.model.text_projection(states[:, 0, :])

        def forward(self, input_ids, token_type_ids, pixel_values, attention_mask):
            images, texts = self.images(pixel_values), self.texts(input_ids, token_type_ids, attention_mask)
            logits = texts @ images.T
            return logits.T, logits, texts, images
    both = Both().eval()
    reference = BertTokenizer(str(folder / "vocab.txt"), model_max_length=CONTEXT)
    processor = ChineseCLIPImageProcessorPil(size={"height": 32, "width": 32},
                                             crop_size={"height": 32, "width": 32})
    write_json(folder / "config.json", config.to_dict())
    (folder / "preprocessor_config.json").write_text(processor.to_json_string())
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "BertTokenizer", "model_max_length": CONTEXT, "pad_token": "[PAD]"})
    example = TEXT_IDS[0]
    free = {0: "text_batch", 1: "n_tokens"}
    export(both, folder / "onnx/model.onnx", {
        "input_ids": (example, free), "token_type_ids": (torch.zeros_like(example), free),
        "pixel_values": (torch.zeros(3, 3, 32, 32), {0: "image_batch"}),
        "attention_mask": (torch.ones_like(example), free),
    }, ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"])

    def encode(text_):
        whole = reference(text_, truncation=False, verbose=False)["input_ids"]
        ids = reference(text_, truncation=True, max_length=CONTEXT)["input_ids"]
        row = torch.tensor([ids])
        return ids, len(whole) - len(ids), both.texts(row, torch.zeros_like(row), torch.ones_like(row))
    return hf_picture(processor), both.images, encode


def make_immich(folder):
    """Immich's export of an open_clip model: a folder a tower, token ids of 32 bits."""
    lines = clip_merges(700)
    tokenizer, vocab_size = clip_tokenizer(lines)
    cfg = {"embed_dim": 20,
           "vision_cfg": {"image_size": 32, "layers": 2, "width": 16, "patch_size": 8, "head_width": 8},
           "text_cfg": {"context_length": CONTEXT, "vocab_size": vocab_size, "width": 16, "heads": 2, "layers": 2}}
    model = spread(open_clip.CLIP(**cfg))
    preprocess = {"size": [32, 32], "mode": "RGB", "mean": CLIP_MEAN, "std": CLIP_STD,
                  "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0}
    write_json(folder / "config.json", cfg)
    write_json(folder / "visual/preprocess_cfg.json", preprocess)
    (folder / "textual").mkdir()
    tokenizer.save(str(folder / "textual/tokenizer.json"))
    write_json(folder / "textual/tokenizer_config.json", {"model_max_length": CONTEXT})

    class Visual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, image):
            return self.model.encode_image(image, normalize=True)

    class Textual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, text):
            return self.model.encode_text(text.to(torch.int64), normalize=True)
    visual, textual = Visual().eval(), Textual().eval()
    export(visual, folder / "visual/model.onnx", {"image": PIXELS}, ["embedding"])
    export(textual, folder / "textual/model.onnx",
           {"text": (FIXED_IDS[0].to(torch.int32), FIXED_IDS[1])}, ["text_embedding"])
    reference = open_clip_ids(lines)

    def encode(text_):
        # open_clip repairs typography (ftfy), which no tokenizer.json can say.
        if "\ufb01" in text_:
            return None
        ids, dropped, padded = reference(text_)
        return ids, dropped, textual(padded[None])
    picture = open_clip_picture(**dict(preprocess, size=(32, 32)))
    return picture, visual, encode


def make_mobileclip(folder):
    """transformers.js' export of MobileCLIP: pictures are not normalised, texts of one length."""
    lines = clip_merges(300)
    tokenizer, vocab_size = clip_tokenizer(lines)
    config, model = tiny_clip(vocab_size, vocab_size - 1)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "config.json", {"model_type": "clip", "projection_dim": 24,
                                        "text_config": {"max_position_embeddings": CONTEXT}})
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32},
                                      resample=2, do_normalize=False, image_mean=[0, 0, 0], image_std=[1, 1, 1])
    (folder / "preprocessor_config.json").write_text(processor.to_json_string())
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": CONTEXT, "pad_token": "<|endoftext|>"})
    vision, whole_text = ClipVision(model).eval(), ClipText(model).eval()

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.text = whole_text

        def forward(self, input_ids):
            return self.text(input_ids, torch.ones_like(input_ids))
    text = Text().eval()
    export(vision, folder / "onnx/vision_model.onnx", {"pixel_values": PIXELS}, ["image_embeds"])
    export(text, folder / "onnx/text_model.onnx", {"input_ids": FIXED_IDS}, ["text_embeds"])
    reference = open_clip_ids(lines)

    def encode(text_):
        if "\ufb01" in text_:
            return None
        ids, dropped, _ = reference(text_)
        padded = ids + [vocab_size - 1] * (CONTEXT - len(ids))
        return ids, dropped, text(torch.tensor([padded]))
    return hf_picture(processor), vision, encode


def make_jina(folder):
    """jina-clip's export: both towers in one graph, its own keys, embeddings of length 1 beside raw ones."""
    lines = clip_merges(300)
    tokenizer, vocab_size = clip_tokenizer(lines)
    _, model = tiny_clip(vocab_size, vocab_size - 1)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "config.json", {
        "model_type": "jina_clip", "projection_dim": 24,
        "text_config": {"embed_dim": 24, "max_position_embeddings": CONTEXT}, "vision_config": {"embed_dim": 24}})
    preprocess = {"size": 32, "mode": "RGB", "mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bicubic",
                  "resize_mode": "longest", "fill_color": 200}
    write_json(folder / "preprocessor_config.json", dict(
        preprocess, image_processor_type="JinaCLIPImageProcessor", processor_class="JinaCLIPProcessor"))
    write_json(folder / "tokenizer_config.json", {"model_max_length": CONTEXT, "pad_token": "<|endoftext|>"})
    vision, whole_text = ClipVision(model).eval(), ClipText(model).eval()

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.vision, self.text = vision, whole_text

        def forward(self, input_ids, pixel_values):
            texts = self.text(input_ids, torch.ones_like(input_ids))
            images = self.vision(pixel_values)
            return (texts, images, torch.nn.functional.normalize(texts, dim=-1),
                    torch.nn.functional.normalize(images, dim=-1))
    export(Both().eval(), folder / "onnx/model.onnx", {
        "input_ids": (TEXT_IDS[0], {0: "text_batch", 1: "n_tokens"}),
        "pixel_values": (torch.zeros(3, 3, 32, 32), {0: "image_batch"}),
    }, ["text_embeddings", "image_embeddings", "l2norm_text_embeddings", "l2norm_image_embeddings"])
    reference = open_clip_ids(lines)

    def encode(text_):
        if "\ufb01" in text_:
            return None
        ids, dropped, _ = reference(text_)
        row = torch.tensor([ids])
        return ids, dropped, whole_text(row, torch.ones_like(row))
    return open_clip_picture(**preprocess), vision, encode


def make_precisions(folder):
    """The tiny CLIP of `make_golden.py` in three precisions: fp16 by conversion, int8 by ONNX Runtime."""
    shutil.copytree(HERE / "clip", folder)
    for tower in ["vision_model", "text_model"]:
        plain = folder / f"onnx/{tower}.onnx"
        quantize_dynamic(str(plain), str(folder / f"onnx/{tower}_quantized.onnx"), per_channel=True,
                         weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
        from onnxruntime.transformers.float16 import convert_float_to_float16
        half = convert_float_to_float16(onnx.load(str(plain)), keep_io_types=tower == "text_model")
        onnx.save(half, str(folder / f"onnx/{tower}_fp16.onnx"))


def main():
    shutil.rmtree(LAYOUTS, ignore_errors=True)
    pictures = {}
    for name in PICTURES:
        pictures[name] = (formula(4000, 3000) if name == FORMULA
                          else decode(name, (HERE / "pictures" / name).read_bytes()))
    makers = {"siglip": make_siglip, "siglip2": make_siglip2, "chinese_clip": make_chinese_clip,
              "immich": make_immich, "mobileclip": make_mobileclip, "jina": make_jina}
    tensors, listing = {}, {}
    for number, (name, make) in enumerate(makers.items()):
        torch.manual_seed(SEED + 10 + number)
        (resized, pixels), tower, encode = make(LAYOUTS / name)
        texts = []
        with torch.no_grad():
            for picture, image in pictures.items():
                if (name, picture) == ("jina", "column.png"):
                    continue  # open_clip gives up where a side would come out below half a pixel
                values = resized(image)
                assert values.min() >= 0 and values.max() <= 255
                tensors[f"{name}/resized/{picture}"] = np.ascontiguousarray(values.astype(np.uint8))
                tensors[f"{name}/embedding/{picture}"] = tower(pixels(image))[0].numpy().astype(np.float32)
            for i, text in enumerate(TEXTS):
                encoded = encode(text)
                if encoded is None:
                    continue
                ids, dropped, vector = encoded
                texts.append({"number": i, "text": text if len(text) < 1000 else None, "n_dropped": dropped,
                              "ids": list(map(int, ids))})
                tensors[f"{name}/text/{i}"] = vector[0].numpy().astype(np.float32)
        listing[name] = {"texts": texts}
    make_precisions(LAYOUTS / "precisions")
    save_file(tensors, HERE / "layouts.safetensors")
    (HERE / "layouts.json").write_text(json.dumps(listing, ensure_ascii=False, separators=(",", ":")) + "\n")
    n_bytes = sum(path.stat().st_size for path in LAYOUTS.rglob("*") if path.is_file())
    print(f"{len(makers) + 1} models of {n_bytes} bytes in all, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
