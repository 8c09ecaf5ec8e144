"""Writes the colour model of the whole-program tests: image.onnx, text.onnx, tokenizer.json.

A model without trained weights, whose embeddings can be calculated by hand. An embedding has 13
values: red, green and blue in −1…1 for each quarter of the picture, and a constant 0.5, so that
the embedding of a text without colour words is not zero.

- A picture is the mean colour of its four quarters.
- A text is the mean of its words: a colour word is a picture of that colour all over, any other
  word is zero but for the constant.

Run: python3 make.py (needs onnx and numpy; the files are committed, so tests need neither).
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent
COLOURS = {
    "red": (1, -1, -1),
    "green": (-1, 1, -1),
    "blue": (-1, -1, 1),
    "yellow": (1, 1, -1),
    "pink": (1, -1, 1),
    "cyan": (-1, 1, 1),
    "white": (1, 1, 1),
    "black": (-1, -1, -1),
}
CONSTANT = 0.5
DIMENSION = 13


def save(nodes, inputs, output, weights, name):
    graph = helper.make_graph(
        nodes,
        name,
        inputs,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", DIMENSION])],
        [numpy_helper.from_array(array, key) for key, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, FOLDER / f"{name}.onnx")


# [batch, 3, 8, 8] -> means of 4 × 4 -> [batch, 12], and the constant.
save(
    [
        helper.make_node(
            "AveragePool", ["pixel_values"], ["quarters"], kernel_shape=[4, 4], strides=[4, 4]
        ),
        helper.make_node("Flatten", ["quarters"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "widen", "constant"], ["embedding"]),
    ],
    [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, 8, 8])],
    "embedding",
    {
        "widen": np.eye(12, DIMENSION, dtype=np.float32),
        "constant": np.array([0] * 12 + [CONSTANT], dtype=np.float32),
    },
    "image",
)

# [batch, n_tokens] -> the words' vectors, averaged where the mask is 1.
words = ["[UNK]", *COLOURS]
table = np.zeros((len(words), DIMENSION), dtype=np.float32)
table[:, 12] = CONSTANT
for number, colour in enumerate(COLOURS.values(), start=1):
    table[number, :12] = np.repeat(colour, 4)
save(
    [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Mul", ["vectors", "weights"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "tokens"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "tokens"], ["n"], keepdims=0),
        helper.make_node("Div", ["sum", "n"], ["embedding"]),
    ],
    [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "n_tokens"]),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "n_tokens"]),
    ],
    "embedding",
    {"table": table, "last": np.array([2]), "tokens": np.array([1])},
    "text",
)

tokenizer = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "WordLevel",
        "vocab": {word: number for number, word in enumerate(words)},
        "unk_token": "[UNK]",
    },
}
(FOLDER / "tokenizer.json").write_text(json.dumps(tokenizer, indent=1) + "\n")
