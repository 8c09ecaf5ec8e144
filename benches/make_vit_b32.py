#!/usr/bin/env python3
"""Makes a model of CLIP ViT-B/32's exact shape with random weights, for the benchmarks.

    python benches/make_vit_b32.py FOLDER

Both towers are built from the defaults of transformers' CLIPConfig (which are ViT-B/32's) with a
fixed seed, so the model is useless but costs as much as the real one. FOLDER gets the layout of
transformers.js: config.json, preprocessor_config.json, tokenizer.json and, below onnx/, both towers
in fp32 and, by onnxruntime's quantize_dynamic (per channel), in int8. FOLDER-int8 is the same model
with the int8 graphs under the plain names, for programs that know no others.

Needs torch, transformers, onnx, onnxruntime.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

SEED = 20261124
WORDS = "a an the of on in at with and photo picture dog cat bird car boat tree house sea sky".split()


class ImageTower(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.tower, self.projection = clip.vision_model, clip.visual_projection

    def forward(self, pixel_values):
        return self.projection(self.tower(pixel_values=pixel_values).pooler_output)


class TextTower(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.tower, self.projection = clip.text_model, clip.text_projection

    def forward(self, input_ids):
        return self.projection(self.tower(input_ids=input_ids).pooler_output)


def tokenizer(config):
    """A few words; all others are unknown. The real vocabulary of 49,408 entries is not needed."""
    end = config.text_config.eos_token_id
    vocabulary = {"<unk>": 0, **{word: place for place, word in enumerate(WORDS, 1)}}
    vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"] = end - 1, end
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", end - 1), ("<|endoftext|>", end)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<unk>",
        model_max_length=77,
    )


def export(tower, example, name, output, file):
    torch.onnx.export(
        tower.eval(),
        (example,),
        file,
        input_names=[name],
        output_names=[output],
        dynamic_axes={
            name: {0: "batch"} if example.dim() == 4 else {0: "batch", 1: "sequence"},
            output: {0: "batch"},
        },
        opset_version=17,
        dynamo=False,
    )


def main():
    folder = Path(sys.argv[1])
    graphs = folder / "onnx"
    graphs.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    config = CLIPConfig()
    # The end of a text is found by its token, as in the models that people use.
    config.text_config.eos_token_id = config.text_config.vocab_size - 1
    config.text_config.bos_token_id = config.text_config.vocab_size - 2
    clip = CLIPModel(config).eval()

    config.architectures = ["CLIPModel"]
    config.save_pretrained(folder)
    tokenizer(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "CLIPImageProcessor",
                "do_resize": True,
                "size": {"shortest_edge": 224},
                "resample": 3,
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 224},
                "do_rescale": True,
                "rescale_factor": 1 / 255,
                "do_normalize": True,
                "image_mean": [0.48145466, 0.4578275, 0.40821073],
                "image_std": [0.26862954, 0.26130258, 0.27577711],
                "do_convert_rgb": True,
            },
            indent=2,
        )
    )
    pixels = torch.rand(2, 3, 224, 224)
    ids = torch.tensor([[config.text_config.bos_token_id, 1, 2, config.text_config.eos_token_id]])
    ids = ids.repeat(2, 1)
    with torch.no_grad():
        export(ImageTower(clip), pixels, "pixel_values", "image_embeds", graphs / "vision_model.onnx")
        export(TextTower(clip), ids, "input_ids", "text_embeds", graphs / "text_model.onnx")

    beside = folder.with_name(folder.name + "-int8")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "onnx").mkdir(parents=True)
    for file in folder.glob("*.json"):
        shutil.copy(file, beside)
    for tower in ("vision_model", "text_model"):
        small = graphs / f"{tower}_int8.onnx"
        # Convolutions stay in fp32: onnxruntime has no fast kernel for dynamically quantized ones.
        quantize_dynamic(
            graphs / f"{tower}.onnx",
            small,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
        shutil.copy(small, beside / "onnx" / f"{tower}.onnx")
    sizes = {file.name: file.stat().st_size for file in sorted(graphs.iterdir())}
    print(json.dumps(sizes, indent=2))


if __name__ == "__main__":
    main()
