#!/usr/bin/env python3
"""Makes the tiny models, the test pictures and the golden tensors beside this file.

The numbers come from the Python reference: Pillow decodes, the Hugging Face CLIP image processor
(its Pillow backend) resizes and normalises, `tokenizers` tokenizes, torch runs the towers. The Rust
tests compare every stage with them. Everything is seeded; run it again with

    python3 -m venv venv && venv/bin/pip install pillow==13.0.0 numpy==2.4.6 torch==2.15.0 \
        transformers==5.23.0 tokenizers==0.23.3 onnx==1.23.2 onnxscript==0.7.2 safetensors==0.8.0
    venv/bin/python make_golden.py
"""

import io
import json
import re
import shutil
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image, ImageDraw, ImageOps
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

HERE = Path(__file__).parent
PICTURES = HERE / "../../../picture/tests/data/pictures"
CLIP = HERE / "clip"
PLAIN = HERE / "plain"
SEED = 20261123

CORPUS = [
    "a dog runs over the green grass", "two dogs play in the snow", "a red bus in the street",
    "a cat sleeps on the warm sofa", "children build a castle of sand on the beach",
    "an old man reads a newspaper in the park", "the mountain lies under white clouds",
    "a plate with rice, fish and vegetables", "a bicycle leans against a yellow wall",
    "people walk along the river at night", "a boat on the lake, early in the morning",
    "it's raining; they've opened their umbrellas", "flowers in a blue vase on the table",
]

TEXTS = [
    "", " ", "a dog", "A DOG Runs!", "two dogs play in the snow", "it's   raining\tnow\n",
    "\U0001f436\u200d\U0001f9ba and \U0001f3d6\ufe0f", "一只狗在雪地里奔跑", "Ünïcödé naïve café ﬁsh",
    "3.14159 is 42% of nothing", "the mountain lies under white clouds " * 4, "word " * 10_000,
]


# ---------------------------------------------------------------------------- pictures

def pattern(width, height, seed):
    """Soft colours, hard edges and fine texture, so that every filter has an effect."""
    rng = np.random.default_rng(SEED + seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = x / width, y / height
    channels = []
    for _ in range(3):
        a, b, c, d = rng.uniform(0.5, 4.0, 4)
        channels.append(127 + 90 * np.sin(6 * a * x + b) * np.cos(5 * c * y + d))
    picture = np.stack(channels, axis=-1)
    picture += rng.normal(0, 3, picture.shape)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(4, 5 + width / 6)
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw.ellipse([cx - r, cy - r, cx + r, cy + r], fill=colour)
        draw.line([cx, cy, width - cx, height - cy], fill=colour, width=2)
    return image


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(array):
    """A PNG with 16 bits per channel, which Pillow cannot write in colour."""
    height, width, channels = array.shape
    colour = {3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    return (b"\x89PNG\r\n\x1a\n"
            + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
            + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b""))


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def strip_adobe(jpeg):
    at = jpeg.index(b"\xff\xee")
    length = struct.unpack(">H", jpeg[at + 2:at + 4])[0]
    return jpeg[:at] + jpeg[at + 2 + length:]


def make_pictures():
    """File name -> content. The names say which Pillow modes and formats they cover."""
    files = {}
    landscape, portrait = pattern(320, 214, 1), pattern(150, 235, 2)
    small = pattern(48, 31, 3)
    files["landscape_420.jpg"] = saved(landscape, format="JPEG", quality=88)
    files["portrait_444.jpg"] = saved(portrait, format="JPEG", quality=90, subsampling=0)
    files["landscape_422.jpg"] = saved(landscape, format="JPEG", quality=80, subsampling=1)
    files["progressive.jpg"] = saved(portrait, format="JPEG", quality=85, progressive=True)
    files["grey.jpg"] = saved(portrait.convert("L"), format="JPEG", quality=85)
    cmyk = np.asarray(pattern(90, 61, 4))
    ink = np.dstack([255 - cmyk, np.asarray(pattern(90, 61, 5).convert("L")) // 3])
    ink = Image.fromarray(ink, "CMYK")
    files["cmyk_adobe.jpg"] = adobe = saved(ink, format="JPEG", quality=92)
    files["cmyk_without_marker.jpg"] = strip_adobe(adobe)
    # The same numbers read as YCCK: an odd picture, but exact to compare.
    at = adobe.index(b"Adobe") + 11
    assert adobe[at] == 0
    files["ycck_adobe.jpg"] = adobe[:at] + b"\x02" + adobe[at + 1:]
    files["cmyk.tif"] = saved(ink, format="TIFF")
    for orientation in range(1, 9):
        files[f"exif_{orientation}.jpg"] = saved(
            small, format="JPEG", quality=95, subsampling=0, exif=exif(orientation))
    files["exif_6.png"] = saved(small, format="PNG", exif=exif(6))
    files["exif_8.webp"] = saved(small, format="WEBP", lossless=True, exif=exif(8))
    files["exif_5.tif"] = saved(small, format="TIFF", tiffinfo={0x0112: 5})
    png = files["exif_6.png"]
    start = png.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", png[start:start + 4])[0]
    tail = png.index(b"IEND") - 4
    files["exif_6_after_the_pixels.png"] = png[:start] + png[end:tail] + png[start:end] + png[tail:]
    alpha = np.asarray(pattern(70, 45, 6))
    ramp = np.linspace(0, 255, 70).astype(np.uint8)
    rgba = np.dstack([alpha, np.broadcast_to(ramp, (45, 70))])
    files["alpha.png"] = saved(Image.fromarray(rgba, "RGBA"), format="PNG")
    files["alpha.webp"] = saved(Image.fromarray(rgba, "RGBA"), format="WEBP", lossless=True)
    grey_alpha = Image.fromarray(rgba, "RGBA").convert("LA")
    files["grey_alpha.png"] = saved(grey_alpha, format="PNG")
    files["grey.png"] = saved(landscape.resize((96, 64)).convert("L"), format="PNG")
    files["one_bit.png"] = saved(landscape.resize((96, 64)).convert("1"), format="PNG")
    palette = portrait.resize((60, 94)).quantize(32, dither=Image.Dither.NONE)
    files["palette.png"] = saved(palette, format="PNG")
    files["palette_transparent.png"] = saved(palette, format="PNG", transparency=3)
    files["palette.bmp"] = saved(palette, format="BMP")
    deep = np.asarray(pattern(64, 41, 7)).astype(np.uint16) * 257 - 100 * (np.arange(64) % 3)[None, :, None]
    deep = np.clip(deep, 0, 65535).astype(np.uint16)
    files["rgb16.png"] = png16(deep)
    veil = np.linspace(0, 65535, 41).astype(np.uint16)
    files["rgba16.png"] = png16(np.dstack([deep, np.broadcast_to(veil[:, None], (41, 64))]))
    files["grey16.png"] = saved(Image.fromarray(deep[:, :, 0]), format="PNG")
    files["grey16.tif"] = saved(Image.fromarray(deep[:, :, 1]), format="TIFF")
    frames = [pattern(50, 33, 8), pattern(50, 33, 9)]
    files["animated.gif"] = saved(frames[0].quantize(64), format="GIF", save_all=True,
                                  append_images=[frames[1].quantize(64)], duration=100)
    files["animated.webp"] = saved(frames[0], format="WEBP", lossless=True, save_all=True,
                                   append_images=[frames[1]], duration=100)
    files["lossy.webp"] = saved(landscape, format="WEBP", quality=80)
    files["plain.tga"] = saved(small, format="TGA")
    files["plain.ppm"] = saved(small, format="PPM")
    files["plain.ico"] = saved(pattern(32, 32, 10).convert("RGBA"), format="ICO", sizes=[(32, 32)])
    files["png_named_jpg.jpg"] = saved(small, format="PNG")
    files["tiny.png"] = saved(pattern(13, 7, 11), format="PNG")
    files["one_pixel.png"] = saved(Image.new("RGB", (1, 1), (200, 30, 90)), format="PNG")
    files["column.png"] = saved(pattern(3, 200, 12), format="PNG")
    return files


def high_byte(image):
    """Pillow clips 16-bit grey instead of scaling it; in colour it takes the upper byte."""
    return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8), "L")


def decode(name, content):
    """The expected result of decoding: upright, on white, 8 bits, RGB."""
    image = Image.open(io.BytesIO(content))
    if image.mode.startswith("I;16") or image.mode == "I":
        image = high_byte(image)
    if name == "rgba16.png":
        assert image.mode == "RGBA"
    image = ImageOps.exif_transpose(image)
    if image.mode == "CMYK":
        image = image.convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def formula(width, height):
    """A 12-megapixel picture that is not stored: integer arithmetic, the same in Rust."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    red = (x * 255 // width + (x // 37 + y // 53) % 2 * 60) % 256
    green = (y * 255 // height + (x * y // 997) % 40) % 256
    blue = ((x + y) // 5 + (x // 400) * 31) % 256
    return Image.fromarray(np.dstack([red, green, blue]).astype(np.uint8), "RGB")


# ---------------------------------------------------------------------------- the CLIP model

def learn_merges(n):
    """The first n merges of byte-pair encoding (Sennrich et al. 2016) over the corpus. The
    library's own trainer breaks ties at random, this one alphabetically."""
    words = Counter(word for line in CORPUS for word in re.findall(r"[a-z]+", line))
    words = {tuple(word[:-1]) + (word[-1] + "</w>",): count for word, count in words.items()}
    merges = []
    for _ in range(n):
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        merged = {}
        for word, count in words.items():
            parts = []
            for part in word:
                if parts and (parts[-1], part) == best:
                    parts[-1] += part
                else:
                    parts.append(part)
            merged[tuple(parts)] = count
        words = merged
    return merges


def clip_tokenizer():
    """A byte-level BPE framed as CLIP's, with a few merges learned from the corpus."""
    split = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")

    def frame(model):
        tokenizer = Tokenizer(model)
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(split, behavior="removed", invert=True),
             pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        return tokenizer

    merges = learn_merges(40)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = alphabet + [c + "</w>" for c in alphabet]
    for a, b in merges:
        if a + b not in words:
            words.append(a + b)
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {word: i for i, word in enumerate(words)}
    tokenizer = frame(models.BPE(vocab=vocab, merges=merges, unk_token="<|endoftext|>",
                                 continuing_subword_prefix="", end_of_word_suffix="</w>"))
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    tokenizer.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", vocab["<|endoftext|>"]), ("<|startoftext|>", vocab["<|startoftext|>"]),
        trim_offsets=False, add_prefix_space=False)
    return tokenizer, vocab


class ClipVision(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.vision, self.projection = clip.vision_model, clip.visual_projection

    def forward(self, pixel_values):
        return self.projection(self.vision(pixel_values=pixel_values).pooler_output)


class ClipText(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.text, self.projection = clip.text_model, clip.text_projection

    def forward(self, input_ids, attention_mask):
        pooled = self.text(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        return self.projection(pooled)


def export(module, path, inputs, names, output, fixed=False):
    """Exports with a free batch size (and number of tokens, for texts), or with both fixed."""
    batch = torch.export.Dim("batch", min=1, max=4096)
    tokens = torch.export.Dim("n_tokens", min=2, max=24)
    shapes = tuple({0: batch} if value.dim() == 4 else {0: batch, 1: tokens} for value in inputs)
    program = torch.onnx.export(module.eval(), inputs, input_names=names, output_names=[output],
                                dynamic_shapes=None if fixed else shapes, opset_version=18, dynamo=True,
                                external_data=False, verbose=False)
    program.save(str(path), external_data=False)
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in list(model.graph.value_info):
        model.graph.value_info.remove(value)
    del model.metadata_props[:]
    model.producer_version = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def make_clip():
    CLIP.mkdir()
    (CLIP / "onnx").mkdir()
    tokenizer, vocab = clip_tokenizer()
    tokenizer.save(str(CLIP / "tokenizer.json"))
    end = vocab["<|endoftext|>"]
    config = CLIPConfig(
        projection_dim=24,
        text_config=dict(vocab_size=len(vocab), hidden_size=32, intermediate_size=64,
                         num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=24,
                         bos_token_id=vocab["<|startoftext|>"], eos_token_id=end, pad_token_id=end,
                         projection_dim=24),
        vision_config=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                           num_attention_heads=2, image_size=32, patch_size=8, projection_dim=24))
    config._attn_implementation = "eager"
    torch.manual_seed(SEED)
    clip = CLIPModel(config).eval()
    with torch.no_grad():  # larger than CLIP's initial values, so that inputs matter
        for name, parameter in clip.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.15)
    (CLIP / "config.json").write_text(json.dumps(config.to_dict(), indent=2, default=str) + "\n")
    processor = CLIPImageProcessorPil(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32})
    (CLIP / "preprocessor_config.json").write_text(processor.to_json_string())
    (CLIP / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 24,
        "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}, indent=2) + "\n")
    vision, text = ClipVision(clip).eval(), ClipText(clip).eval()
    ids = torch.full((2, 7), 5, dtype=torch.int64)
    export(vision, CLIP / "onnx/vision_model.onnx", (torch.zeros(2, 3, 32, 32),),
           ["pixel_values"], "image_embeds")
    export(text, CLIP / "onnx/text_model.onnx", (ids, torch.ones_like(ids)),
           ["input_ids", "attention_mask"], "text_embeds")
    reference = PreTrainedTokenizerFast(
        tokenizer_file=str(CLIP / "tokenizer.json"), bos_token="<|startoftext|>",
        eos_token="<|endoftext|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>",
        model_max_length=24)

    def encode_text(text_):
        tokens = reference(text_, truncation=True, max_length=24)["input_ids"]
        whole = reference(text_, truncation=False, verbose=False)["input_ids"]
        ids_ = torch.tensor([tokens])
        return tokens, len(whole) - len(tokens), text(ids_, torch.ones_like(ids_))

    return processor, vision, encode_text


# ---------------------------------------------------------------------------- the other model

class PlainImage(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 12, 5, stride=3, padding=1), torch.nn.ReLU(),
            torch.nn.AvgPool2d(2), torch.nn.Conv2d(12, 16, 3, padding=1), torch.nn.Tanh(),
            torch.nn.Flatten(), torch.nn.Linear(16 * 4 * 6, 20))

    def forward(self, pixels):
        return self.layers(pixels)


class PlainText(torch.nn.Module):
    """The mean of the unmasked tokens' vectors: unmasked padding would change it."""

    def __init__(self, n_words):
        super().__init__()
        self.words, self.types = torch.nn.Embedding(n_words, 20), torch.nn.Embedding(2, 20)
        self.head = torch.nn.Linear(20, 20)

    def forward(self, ids, mask, types):
        weight = mask.unsqueeze(-1).to(torch.float32)
        states = torch.tanh(self.words(ids) + self.types(types)) * weight
        return self.head(states.sum(1) / weight.sum(1))


def make_plain():
    PLAIN.mkdir()
    words = sorted({word for line in CORPUS for word in re.findall(r"[a-z]+", line)})
    letters = sorted({letter for word in words for letter in word})
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", ",", "!", "'"] + letters
    vocab += ["##" + letter for letter in letters] + [word for word in words if len(word) > 1]
    tokenizer = Tokenizer(models.WordPiece(
        vocab={word: i for i, word in enumerate(vocab)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    # Files of sentence encoders have settings like these, which must be ignored.
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8, pad_id=0, pad_token="[PAD]")
    tokenizer.save(str(PLAIN / "words.json"))
    tokenizer.no_padding()
    torch.manual_seed(SEED + 1)
    image, text = PlainImage().eval(), PlainText(tokenizer.get_vocab_size()).eval()
    ids = torch.full((2, 7), 5, dtype=torch.int32)
    export(image, PLAIN / "pictures.onnx", (torch.zeros(2, 3, 24, 40),), ["pixels"], "vector")
    export(text, PLAIN / "words.onnx", (ids, torch.ones_like(ids), torch.zeros_like(ids)),
           ["ids", "mask", "types"], "vector")
    ids = torch.full((2, 16), 5, dtype=torch.int32)
    export(image, PLAIN / "pictures_by_two.onnx", (torch.zeros(2, 3, 24, 40),), ["pixels"],
           "vector", fixed=True)
    export(text, PLAIN / "words_by_two.onnx", (ids, torch.ones_like(ids), torch.zeros_like(ids)),
           ["ids", "mask", "types"], "vector", fixed=True)
    (PLAIN / "sightline.toml").write_text("""\
name = "plain"
dimension = 20
license = "CC0-1.0"

[image]
file = "pictures.onnx"
input = "pixels"
output = "vector"
size = [24, 40]
resize = "squash"
interpolation = "bilinear"
crop = "none"
mean = [0.5, 0.4, 0.3]
std = [0.25, 0.5, 1.0]

[text]
file = "words.onnx"
input_ids = "ids"
attention_mask = "mask"
token_type_ids = "types"
output = "vector"
tokenizer = "words.json"
context_length = 16
pad = "context"
""")
    processor = CLIPImageProcessorPil(
        size={"height": 24, "width": 40}, resample=2, do_center_crop=False,
        image_mean=[0.5, 0.4, 0.3], image_std=[0.25, 0.5, 1.0])

    def encode_text(text_):
        tokenizer.no_truncation()
        whole = tokenizer.encode(text_).ids
        tokenizer.enable_truncation(16)
        tokens = tokenizer.encode(text_).ids
        ids_ = torch.tensor([tokens], dtype=torch.int32)
        vector = text(ids_, torch.ones_like(ids_), torch.zeros_like(ids_))
        return tokens, len(whole) - len(tokens), vector

    return processor, image, encode_text


# ---------------------------------------------------------------------------- golden tensors

def resize_cases(decoded):
    """Other resizes by Pillow itself: rule, edge, size, filter, and the expected result.

    Columns first, then rows, as Pillow always did before version 13; since then it resizes the rows
    of tall pictures first, which changes only the last bits.
    """
    filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
    cases = {}
    for picture in ["landscape_420.jpg", "portrait_444.jpg", "tiny.png", "column.png"]:
        image = decoded[picture]
        for rule in ["shortest-edge", "longest-edge", "squash"]:
            for name, code in filters.items():
                edge, (height, width) = 30, (27, 22)
                w, h = image.size
                if rule == "squash":
                    to = (width, height)
                elif rule == "shortest-edge":
                    to = (edge, int(edge * h / w)) if w <= h else (int(edge * w / h), edge)
                else:
                    long = max(w, h)
                    to = (max(1, int(edge * w / long + 0.5)), max(1, int(edge * h / long + 0.5)))
                resized = np.asarray(image.resize((to[0], h), code).resize(to, code))
                cases[f"{picture}/{rule}/{name}"] = crop(resized, height, width)
    return cases


def crop(array, height, width):
    """The Hugging Face centre crop, black where the picture is too small."""
    out = np.zeros((height, width, 3), np.uint8)
    h, w = array.shape[:2]
    top, left = (h - height) // 2, (w - width) // 2
    for row in range(height):
        for column in range(width):
            if 0 <= row + top < h and 0 <= column + left < w:
                out[row, column] = array[row + top, column + left]
    return out


def main():
    for folder in (PICTURES, CLIP, PLAIN):
        shutil.rmtree(folder, ignore_errors=True)
    PICTURES.mkdir()
    files = make_pictures()
    decoded = {}
    for name, content in files.items():
        (PICTURES / name).write_bytes(content)
        decoded[name] = decode(name, content)
    named = dict(decoded, **{"formula 4000 x 3000": formula(4000, 3000)})
    tensors, listing = {}, {"pictures": {}, "models": {}}
    rng = np.random.default_rng(SEED)
    for name, image in decoded.items():
        points = [[int(rng.integers(image.width)), int(rng.integers(image.height))] for _ in range(64)]
        listing["pictures"][name] = {
            "width": image.width, "height": image.height,
            "points": [p + list(image.getpixel(tuple(p))) for p in points]}
    with_pixels = ["landscape_420.jpg", "alpha.png", "tiny.png"]
    for model, (processor, tower, encode_text) in {"clip": make_clip(), "plain": make_plain()}.items():
        texts = []
        for name, image in named.items():
            resized = processor(image, do_rescale=False, do_normalize=False, return_tensors="np")
            resized = resized["pixel_values"][0].transpose(1, 2, 0)
            assert resized.min() >= 0 and resized.max() <= 255
            tensors[f"{model}/resized/{name}"] = np.ascontiguousarray(resized.astype(np.uint8))
            pixels = processor(image, return_tensors="pt")["pixel_values"].to(torch.float32)
            if name in with_pixels:
                tensors[f"{model}/pixels/{name}"] = pixels[0].numpy()
            with torch.no_grad():
                tensors[f"{model}/embedding/{name}"] = tower(pixels)[0].numpy().astype(np.float32)
        for i, text in enumerate(TEXTS):
            with torch.no_grad():
                tokens, dropped, vector = encode_text(text)
            texts.append({"text": text if len(text) < 1000 else None, "n_dropped": dropped,
                          "ids": tokens})
            tensors[f"{model}/text/{i}"] = vector[0].numpy().astype(np.float32)
        listing["models"][model] = {"texts": texts}
    for name, array in resize_cases(decoded).items():
        tensors[f"resize/{name}"] = array
    save_file(tensors, HERE / "golden.safetensors")
    (HERE / "golden.json").write_text(json.dumps(listing, ensure_ascii=False, separators=(",", ":")) + "\n")
    n_bytes = sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file())
    print(f"{len(files)} pictures, {len(tensors)} tensors, {n_bytes} bytes in all")


if __name__ == "__main__":
    main()
