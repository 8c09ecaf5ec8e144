"""Writes image towers for the colour model: some faulty, some nearly identical to its own.

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
# A dimension other than that of the manifest.
linear("wide", widened(14), constant(0.5, 14), 14)
# Like quantised copies: one close to the original, one too far from it.
linear("near", widened() + np.float32(0.004), constant(0.5))
linear("far", widened() + np.float32(0.3), constant(0.1))
