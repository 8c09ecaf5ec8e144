#!/usr/bin/env python3
"""Makes tiny models of two folders, one for each tower, and the numbers expected of them.

    venv/bin/python make_golden_pairs.py

Run it after `make_golden_forms.py`, with the same Python. References: transformers for CLIP's
towers (the folders of Qdrant's `clip-ViT-B-32-vision` and `-text`), sentence-transformers for the
text towers with `modules.json`, and the lines of nomic's model cards (first patch of the picture;
mean over the tokens, `layer_norm` without weights) for its two.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    DistilBertConfig,
    DistilBertModel,
    ViTConfig,
    ViTModel,
)

import make_golden
from make_golden_forms import SPECIAL, bert_files, bert_vocabulary
from make_golden_layouts import OPENAI
from make_golden_parts import export, stir, write
from make_golden_reference import HUNDRED, PICTURES, TEXTS, read, with_processor

HERE = Path(__file__).parent
PAIRS = HERE / "pairs"
SEED = make_golden.SEED + 200
SIZE, LENGTH, N, WIDE = 24, 24, 16, 24


class States(torch.nn.Module):
    """A text tower's state for each token."""

    def __init__(self, tower):
        super().__init__()
        self.tower = tower

    def forward(self, input_ids, attention_mask):
        return self.tower(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class Patches(torch.nn.Module):
    """An image tower's state for each patch, after one for the whole picture."""

    def __init__(self, tower):
        super().__init__()
        self.tower = tower

    def forward(self, pixel_values):
        return self.tower(pixel_values=pixel_values).last_hidden_state


def processor_file(folder, **more):
    write(
        folder,
        "preprocessor_config.json",
        dict(
            {
                "crop_size": {"height": SIZE, "width": SIZE},
                "do_center_crop": True,
                "do_convert_rgb": True,
                "do_normalize": True,
                "do_rescale": True,
                "do_resize": True,
                "image_mean": OPENAI["mean"],
                "image_processor_type": "CLIPImageProcessor",
                "image_std": OPENAI["std"],
                "resample": 3,
                "rescale_factor": 1 / 255,
                "size": {"shortest_edge": SIZE},
            },
            **more,
        ),
    )


def text_graph(tower, file, length):
    ids = torch.full((2, 7), 5)
    export(
        States(tower),
        file,
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        ["last_hidden_state"],
        {"input_ids": length, "attention_mask": length},
    )


def image_graph(tower, file):
    export(
        Patches(tower),
        file,
        {"pixel_values": torch.zeros(2, 3, SIZE, SIZE)},
        ["last_hidden_state"],
        {"pixel_values": 0},
    )


def masked(tower, ids, output):
    ids = torch.tensor([ids])
    return getattr(tower(ids, torch.ones_like(ids)), output)


# ---------------------------------------------------------------------------- Qdrant


def make_qdrant():
    vision, texts = PAIRS / "clip-vision", PAIRS / "clip-text"
    vocabulary = read(HERE / "clip/tokenizer.json")["model"]["vocab"]
    end = vocabulary["<|endoftext|>"]
    config = CLIPConfig(
        projection_dim=N,
        text_config=dict(
            vocab_size=len(vocabulary),
            hidden_size=24,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=LENGTH,
            eos_token_id=end,
            bos_token_id=end - 1,
            pad_token_id=end,
            projection_dim=N,
        ),
        vision_config=dict(
            hidden_size=24,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=SIZE,
            patch_size=8,
            projection_dim=N,
        ),
    )
    config._attn_implementation = "eager"
    torch.manual_seed(SEED)
    clip = stir(CLIPModel(config))

    class Vision(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.vision, self.projection = clip.vision_model, clip.visual_projection

        def forward(self, pixel_values):
            out = self.vision(pixel_values=pixel_values)
            return self.projection(out.pooler_output), out.last_hidden_state

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.text, self.projection = clip.text_model, clip.text_projection

        def forward(self, input_ids, attention_mask):
            out = self.text(input_ids=input_ids, attention_mask=attention_mask)
            return self.projection(out.pooler_output), out.last_hidden_state

    image, text = Vision().eval(), Text().eval()
    ids = torch.full((2, 7), 5)
    export(
        image,
        vision / "model.onnx",
        {"pixel_values": torch.zeros(2, 3, SIZE, SIZE)},
        ["image_embeds", "last_hidden_state"],
        {"pixel_values": 0},
    )
    export(
        text,
        texts / "model.onnx",
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        ["text_embeds", "last_hidden_state"],
        {"input_ids": LENGTH, "attention_mask": LENGTH},
    )
    write(
        vision,
        "config.json",
        {
            "architectures": ["CLIPVisionModelWithProjection"],
            "attention_dropout": 0.0,
            "dropout": 0.0,
            "hidden_act": "quick_gelu",
            "hidden_size": 24,
            "image_size": SIZE,
            "initializer_factor": 1.0,
            "initializer_range": 0.02,
            "intermediate_size": 32,
            "layer_norm_eps": 1e-05,
            "model_type": "clip_vision_model",
            "num_attention_heads": 2,
            "num_channels": 3,
            "num_hidden_layers": 1,
            "patch_size": 8,
            "projection_dim": N,
            "torch_dtype": "float32",
            "transformers_version": "4.31.0.dev0",
        },
    )
    processor_file(vision)
    write(
        texts,
        "config.json",
        {
            "architectures": ["CLIPTextModelWithProjection"],
            "attention_dropout": 0.0,
            "bos_token_id": 0,
            "dropout": 0.0,
            "eos_token_id": 2,
            "hidden_act": "quick_gelu",
            "hidden_size": 24,
            "initializer_factor": 1.0,
            "initializer_range": 0.02,
            "intermediate_size": 32,
            "layer_norm_eps": 1e-05,
            "max_position_embeddings": LENGTH,
            "model_type": "clip_text_model",
            "num_attention_heads": 2,
            "num_hidden_layers": 1,
            "pad_token_id": 1,
            "projection_dim": N,
            "torch_dtype": "float32",
            "transformers_version": "4.31.0.dev0",
            "vocab_size": len(vocabulary),
        },
    )
    shutil.copy(HERE / "clip/tokenizer.json", texts)
    token = {
        "__type": "AddedToken",
        "lstrip": False,
        "normalized": True,
        "rstrip": False,
        "single_word": False,
    }
    write(
        texts,
        "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "bos_token": dict(token, content="<|startoftext|>"),
            "clean_up_tokenization_spaces": True,
            "do_lower_case": True,
            "eos_token": dict(token, content="<|endoftext|>"),
            "errors": "replace",
            "model_max_length": LENGTH,
            "pad_token": "<|endoftext|>",
            "tokenizer_class": "CLIPTokenizer",
            "unk_token": dict(token, content="<|endoftext|>"),
        },
    )
    write(
        texts,
        "special_tokens_map.json",
        {
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
        },
    )
    tokenizer = CLIPTokenizer.from_pretrained(texts)

    def ids_of(words):
        return tokenizer(words, truncation=True, max_length=LENGTH)["input_ids"]

    def vector(words):
        kept = torch.tensor([ids_of(words)])
        return text(kept, torch.ones_like(kept))[0][0]

    pixels = with_processor(vision, "clip")
    return lambda picture: image(torch.tensor(pixels(picture))[None])[0][0], ids_of, vector


# ---------------------------------------------------------------------------- sentence-transformers


def sentence_files(folder, length, prompts=None, others=()):
    modules = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), *others]
    write(
        folder,
        "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (_, path, kind) in enumerate(modules)
        ],
    )
    write(
        folder,
        "1_Pooling/config.json",
        {
            "word_embedding_dimension": WIDE,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    write(folder, "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})
    stated = {
        "__version__": {
            "sentence_transformers": "2.0.0",
            "transformers": "4.6.1",
            "pytorch": "1.8.1",
        }
    }
    write(folder, "config_sentence_transformers.json", dict(stated, **(prompts or {})))


def make_multilingual():
    """clip-ViT-B-32-multilingual-v1: DistilBERT, cased, mean, a linear layer without bias."""
    folder = PAIRS / "multilingual-text"
    folder.mkdir(parents=True)
    bert_files(folder, False)
    config = read(folder / "tokenizer_config.json")
    write(
        folder,
        "tokenizer_config.json",
        dict(
            config,
            tokenizer_class="DistilBertTokenizer",
            strip_accents=None,
            tokenize_chinese_chars=True,
            model_max_length=512,
            mask_token="[MASK]",
            name_or_path="distilbert-base-multilingual-cased",
        ),
    )
    settings = DistilBertConfig(
        vocab_size=len(bert_vocabulary()),
        dim=WIDE,
        hidden_dim=32,
        n_layers=1,
        n_heads=2,
        max_position_embeddings=LENGTH,
        pad_token_id=0,
    )
    settings._attn_implementation = "eager"
    torch.manual_seed(SEED + 1)
    tower = stir(DistilBertModel(settings))
    sentence_files(folder, 14, others=[("2", "2_Dense", "Dense")])
    write(
        folder,
        "2_Dense/config.json",
        {
            "in_features": WIDE,
            "out_features": N,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
    )
    dense = torch.nn.init.normal_(torch.empty(N, WIDE), 0, 0.3)
    save_file({"linear.weight": dense.numpy()}, folder / "2_Dense/model.safetensors")
    tower.save_pretrained(folder)
    text_graph(tower, folder / "onnx/model.onnx", LENGTH)
    model = SentenceTransformer(str(folder), device="cpu")

    def ids_of(words):
        return model.tokenize([words])["input_ids"][0].tolist()

    return folder, ids_of, lambda words: torch.tensor(model.encode(words))


def make_nomic():
    """nomic-embed-vision and -text: both towers without a projection of their own."""
    vision, texts = PAIRS / "nomic-vision", PAIRS / "nomic-text"
    texts.mkdir(parents=True)
    torch.manual_seed(SEED + 2)
    settings = ViTConfig(
        hidden_size=WIDE,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=SIZE,
        patch_size=8,
    )
    settings._attn_implementation = "eager"
    image = stir(ViTModel(settings, add_pooling_layer=False))
    image_graph(image, vision / "onnx/model.onnx")
    write(
        vision,
        "config.json",
        {
            "activation_function": "swiglu",
            "architectures": ["NomicVisionModel"],
            "img_size": SIZE,
            "model_type": "nomic_bert",
            "n_embd": WIDE,
            "n_head": 2,
            "n_inner": 32,
            "n_layer": 1,
            "patch_size": 8,
            "torch_dtype": "float32",
        },
    )
    processor_file(vision, size={"height": SIZE, "width": SIZE})
    bert_files(texts, True)
    config = read(texts / "tokenizer_config.json")
    write(
        texts,
        "tokenizer_config.json",
        dict(
            config,
            model_max_length=LENGTH,
            strip_accents=None,
            tokenize_chinese_chars=True,
            mask_token="[MASK]",
            clean_up_tokenization_spaces=True,
        ),
    )
    settings = BertConfig(
        vocab_size=len(bert_vocabulary()),
        hidden_size=WIDE,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=LENGTH,
        pad_token_id=0,
    )
    settings._attn_implementation = "eager"
    tower = stir(BertModel(settings, add_pooling_layer=False))
    sentence_files(
        texts,
        LENGTH,
        {
            "prompts": {"query": "search_query: ", "document": "search_document: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        [("2", "2_Normalize", "Normalize")],
    )
    tower.save_pretrained(texts)
    text_graph(tower, texts / "onnx/model.onnx", LENGTH)
    model = SentenceTransformer(str(texts), device="cpu")
    write(
        texts,
        "config.json",
        {
            "activation_function": "swiglu",
            "architectures": ["NomicBertModel"],
            "model_type": "nomic_bert",
            "n_embd": WIDE,
            "n_head": 2,
            "n_inner": 32,
            "n_layer": 1,
            "n_positions": LENGTH,
            "max_trained_positions": LENGTH,
            "vocab_size": len(bert_vocabulary()),
            "torch_dtype": "float32",
        },
    )

    def ids_of(words):
        return model.tokenize([words])["input_ids"][0].tolist()

    def normed(words):
        mean = masked(tower, ids_of(words), "last_hidden_state").mean(1)
        # sentence-transformers itself stops here.
        direct = torch.tensor(model.encode(words))
        assert torch.cosine_similarity(mean[0], direct, dim=0) > 0.99999
        return torch.nn.functional.layer_norm(mean, (WIDE,))[0]

    pixels = with_processor(vision, "clip")

    def first(picture):
        return image(torch.tensor(pixels(picture))[None]).last_hidden_state[0, 0]

    def mean(picture):
        states = image(torch.tensor(pixels(picture))[None]).last_hidden_state.mean(1)
        return torch.nn.functional.layer_norm(states, (WIDE,))[0]

    return first, mean, ids_of, normed, lambda words: torch.tensor(model.encode(words))


def main():
    shutil.rmtree(PAIRS, ignore_errors=True)
    pictures = {
        name: make_golden.decode(name, (make_golden.PICTURES / name).read_bytes())
        for name in PICTURES
    }
    tensors, ids = {}, {}

    def images(name, encode):
        for picture, image in pictures.items():
            tensors[f"{name}/{picture}"] = encode(image).numpy().astype(np.float32)

    def texts(name, ids_of, encode, prefix=""):
        ids[name] = [ids_of(prefix + text) for text in TEXTS]
        rows = [encode(prefix + text).numpy().astype(np.float32) for text in TEXTS]
        tensors[name] = np.stack(rows)

    with torch.no_grad():
        image, ids_of, vector = make_qdrant()
        images("clip-vision", image)
        texts("clip-text", ids_of, vector)
        _, ids_of, vector = make_multilingual()
        texts("multilingual-text", ids_of, vector)
        first, mean, ids_of, normed, plain = make_nomic()
        images("nomic-vision", first)
        images("nomic-vision, mean with layer norm", mean)
        texts("nomic-text", ids_of, plain)
        texts("nomic-text, query", ids_of, plain, "search_query: ")
        texts("nomic-text, caption", ids_of, plain, "search_document: ")
        texts("nomic-text, layer norm", ids_of, normed)
    # The graphs hold the weights.
    for file in PAIRS.rglob("model.safetensors"):
        if file.parent.name != "2_Dense":
            file.unlink()
    save_file(tensors, HERE / "pairs.safetensors")
    (HERE / "pairs.json").write_text(
        json.dumps(
            {"texts": TEXTS, "pictures": PICTURES, "ids": ids},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        + "\n"
    )
    n_bytes = sum(path.stat().st_size for path in PAIRS.rglob("*") if path.is_file())
    print(f"{len(tensors)} tensors, {n_bytes} bytes in the folders")


if __name__ == "__main__":
    main()
