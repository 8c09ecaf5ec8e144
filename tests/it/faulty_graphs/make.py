"""Writes towers for the colour model: some faulty, some nearly identical to its own.

Run: python3 make.py (needs onnx and numpy; the files are committed, so tests need neither).
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent
DIMENSION = 13
MEANS = [
    helper.make_node(
        "AveragePool", ["pixel_values"], ["quarters"], kernel_shape=[4, 4], strides=[4, 4]
    ),
    helper.make_node("Flatten", ["quarters"], ["flat"], axis=1),
]


def save(name, nodes, weights, dimension=DIMENSION):
    graph = helper.make_graph(
        MEANS + nodes,
        name,
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dimension])],
        [numpy_helper.from_array(array, key) for key, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, FOLDER / f"{name}.onnx")


def linear(name, widen, constant, dimension=DIMENSION):
    node = helper.make_node("Gemm", ["flat", "widen", "constant"], ["embedding"])
    save(name, [node], {"widen": widen, "constant": constant}, dimension)


def widened(dimension=DIMENSION):
    return np.eye(12, dimension, dtype=np.float32)


def constant(value, dimension=DIMENSION):
    return np.array([0] * (dimension - 1) + [value], dtype=np.float32)


nothing = np.zeros((12, DIMENSION), dtype=np.float32)
# The same embedding for every picture; a zero embedding.
linear("same", nothing, constant(1))
linear("zero", nothing, constant(0))
# The logarithm of means, some of which are negative in every ordinary picture.
linear_then_log = [
    helper.make_node("Gemm", ["flat", "widen", "constant"], ["before"]),
    helper.make_node("Log", ["before"], ["embedding"]),
]
save("nan", linear_then_log, {"widen": widened(), "constant": constant(-1)})
# The square root of means, which is not a number for a quarter without any of a colour.
nearly_one = np.full(DIMENSION, 0.9, dtype=np.float32)
linear_then_root = [
    helper.make_node("Gemm", ["flat", "widen", "constant"], ["before"]),
    helper.make_node("Sqrt", ["before"], ["embedding"]),
]
save("some_pictures", linear_then_root, {"widen": widened(), "constant": nearly_one})
# A dimension other than that of the manifest.
linear("wide", widened(14), constant(0.5, 14), 14)
# Like quantised copies: one close to the original, one too far from it.
linear("near", widened() + np.float32(0.004), constant(0.5))
linear("far", widened() + np.float32(0.3), constant(0.1))


COLOURS = ["red", "green", "blue", "yellow", "pink", "cyan", "white", "black"]


def texts(name, words, n_positions):
    """The sum of the rows of a text's words and positions."""
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["of_words"], axis=0),
        helper.make_node("CumSum", ["attention_mask", "tokens"], ["counted"]),
        helper.make_node("Sub", ["counted", "one"], ["places"]),
        helper.make_node("Gather", ["positions", "places"], ["of_places"], axis=0),
        helper.make_node("Add", ["of_words", "of_places"], ["both"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Mul", ["both", "weights"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis"], ["embedding"], keepdims=0),
    ]
    weights = {
        "words": words,
        "positions": np.zeros((n_positions, DIMENSION), dtype=np.float32),
        "tokens": np.array(1),
        "one": np.array(1),
        "last": np.array([2]),
        "axis": np.array([1]),
    }
    inputs = [
        helper.make_tensor_value_info(key, TensorProto.INT64, ["batch", "n_tokens"])
        for key in ["input_ids", "attention_mask"]
    ]
    graph = helper.make_graph(
        nodes,
        name,
        inputs,
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSION])],
        [numpy_helper.from_array(array, key) for key, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, FOLDER / f"{name}.onnx")


# A text tower that fails on some texts: "pink" is not a number, "cyan" alone is zero, and a text
# of more than eight words has positions without a row, which ends its run with an error.
words = np.zeros((1 + len(COLOURS), DIMENSION), dtype=np.float32)
words[:, 12] = 0.5
for place in range(len(COLOURS)):
    words[1 + place, place] = 1
words[1 + COLOURS.index("pink")] = np.nan
words[1 + COLOURS.index("cyan")] = 0
texts("some_texts", words, 8)
# One that fails on every text.
texts("no_texts", np.full_like(words, np.nan), 8)
