"""Makes the graphs for the tests of quantising, and the results of ONNX Runtime's own quantiser.

    python onnx/tests/data/make_quantized.py

Writes onnx/tests/data/quantize/. Needs torch, transformers, onnx, onnxscript, onnxruntime, numpy;
made with torch 2.15.0, transformers 5.23.0, onnx 1.23.2, onnxruntime 1.32.0. Seeds are fixed.

tower.onnx           a small CLIP picture tower, through torch's TorchScript exporter
tower_dynamo.onnx    the same through the dynamo exporter, its weights in tower_dynamo.onnx.data
forms.onnx           handmade: every form of a multiplication that the quantiser distinguishes
*_by_onnxruntime.onnx, expected.json
                     the towers by quantize_dynamic(per_channel=True, weight_type=QInt8)
"""

import json
import logging
import pathlib
import tempfile

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

HERE = pathlib.Path(__file__).parent / "quantize"
HEIGHT, WIDTH, DIMENSION = 24, 40, 20


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        config = CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=24,
            patch_size=8,
            projection_dim=DIMENSION,
        )
        self.inner = CLIPVisionModelWithProjection(config).eval()
        # With the usual initial weights, all embeddings would be nearly equal.
        with torch.no_grad():
            for parameter in self.inner.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(4.0)

    def forward(self, pixels):
        # The test's manifest makes pictures of 24 x 40; the tower takes squares.
        return self.inner(pixel_values=pixels[:, :, :, 8:32]).image_embeds


def towers():
    tower, example = Tower(), torch.randn(2, 3, HEIGHT, WIDTH)
    names = {"input_names": ["pixels"], "output_names": ["vector"]}
    with torch.no_grad():
        torch.onnx.export(
            tower,
            (example,),
            HERE / "tower.onnx",
            dynamic_axes={"pixels": {0: "batch"}, "vector": {0: "batch"}},
            opset_version=17,
            dynamo=False,
            **names,
        )
        torch.onnx.export(
            tower,
            (example,),
            HERE / "tower_dynamo.onnx",
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            opset_version=18,
            dynamo=True,
            **names,
        )
    # The exporter keeps small models in one file; move the weights beside it, as for large ones.
    file = HERE / "tower_dynamo.onnx"
    model = onnx.load(file)
    for node in model.graph.node:  # long, and with local paths
        del node.metadata_props[:]
    del model.graph.value_info[:]
    pathlib.Path(str(file) + ".data").unlink(missing_ok=True)
    onnx.save(
        model,
        file,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=file.name + ".data",
        size_threshold=256,
    )


def forms():
    """pixels [batch, 3, 24, 40] -> vector [batch, 20], by every form of a multiplication."""
    random = np.random.default_rng(5)
    initializers, nodes = [], []

    def weight(name, *shape, gain=1.0):
        values = (random.standard_normal(shape) * gain / np.sqrt(shape[0])).astype(np.float32)
        initializers.append(numpy_helper.from_array(values, name))
        return name

    def constant(name, values):
        initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], name=f"/{output}", **attributes))
        return output

    # A convolution stays as it is.
    x = node("Conv", ["pixels", weight("conv", 16, 3, 8, 8, gain=0.3)], "patches", strides=[8, 8])
    x = node("Reshape", [x, constant("flat", np.array([-1, 240]))], "flattened")
    x = node("MatMul", [x, weight("w_in", 240, 32, gain=2.0)], "x0")
    # Three multiplications of one activation, one of them by a matrix that another node uses.
    q = node("MatMul", [x, weight("w_q", 32, 32)], "q")
    k = node("MatMul", [x, weight("w_shared", 32, 32)], "k")
    v = node("Gemm", [x, weight("w_v", 48, 32), weight("b_v", 48)], "v", transB=1)
    # Both sides are computed: unchanged.
    scores = node("MatMul", [q, node("Transpose", [k], "kt", perm=[1, 0])], "scores")
    scores = node("Softmax", [scores], "softmax", axis=-1)
    x = node("MatMul", [scores, v], "attended")
    x = node("Gemm", [x, weight("w_g", 48, 32), weight("c_g", 1, 32, gain=0.2)], "scaled", alpha=0.5, beta=2.0)
    x = node("Add", [x, q], "residual")
    # No third input.
    x = node("Gemm", [x, "w_shared"], "again")
    # After Transpose, after Identity, and in a Constant node.
    turned = node("Transpose", [weight("w_turned", 24, 32)], "turned", perm=[1, 0])
    x = node("MatMul", [x, turned], "y1")
    same = node("Identity", [node("Identity", [weight("w_same", 24, 24)], "same0")], "same")
    x = node("MatMul", [x, same], "y2")
    value = (random.standard_normal((24, 24)) / 5).astype(np.float32)
    held = node("Constant", [], "held", value=numpy_helper.from_array(value))
    x = node("MatMul", [x, held], "y3")
    # First side transposed, constant on the left, stack of matrices, vector: unchanged.
    x = node("Gemm", [node("Transpose", [x], "xt"), weight("w_ta", 24, 24)], "y4", transA=1)
    left = node("MatMul", [weight("w_left", 1, 24, gain=0.05), node("Transpose", [x], "yt")], "left")
    stack = node("MatMul", [x, weight("w_stack", 1, 24, 24)], "stack")
    vector = node("MatMul", [x, weight("w_vector", 24)], "by_vector")
    x = node("Add", [x, node("Squeeze", [stack, constant("zero", np.array([0]))], "flat_stack")], "y5")
    x = node("Add", [x, node("Transpose", [left], "left_t")], "y6")
    column = node("Unsqueeze", [vector, constant("one", np.array([1]))], "column")
    x = node("Add", [x, column], "y7")
    # A matrix that is also used for lookups stays as floats beside its int8 form.
    table = weight("w_table", 24, 24, gain=2.0)
    row = node("Gather", [table, constant("index", np.array([3]))], "row", axis=0)
    x = node("Add", [node("MatMul", [x, table], "y8"), row], "y9")
    # Graphs inside a node: one uses a matrix from outside, the other its own.
    outside = weight("w_outside", 24, DIMENSION)

    def branch(name, matrix, own):
        output = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
        product = helper.make_node("MatMul", [x, matrix], [f"{name}_out"])
        return helper.make_graph([product], name, [], [output], own)

    values = (random.standard_normal((24, DIMENSION)) / 5).astype(np.float32)
    own = numpy_helper.from_array(values, "w_own")
    truth = constant("truth", np.array(True))
    node(
        "If",
        [truth],
        "vector",
        then_branch=branch("then", outside, []),
        else_branch=branch("else", "w_own", [own]),
    )
    graph = helper.make_graph(
        nodes,
        "forms",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", DIMENSION])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=False)
    onnx.save(model, HERE / "forms.onnx")


def by_onnxruntime(name):
    target = HERE / f"{name}_by_onnxruntime.onnx"
    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder) / "whole.onnx"
        onnx.save(onnx.load(HERE / f"{name}.onnx"), whole)
        quantize_dynamic(
            whole,
            target,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
    model = onnx.load(target)
    del model.graph.value_info[:]
    onnx.save(model, target)
    kinds = [node.op_type for node in model.graph.node]
    return {"quantized": kinds.count("MatMulInteger"), "kept": kinds.count("MatMul") + kinds.count("Gemm")}


def main():
    logging.getLogger().setLevel(logging.ERROR)
    HERE.mkdir(exist_ok=True)
    towers()
    forms()
    expected = {name: by_onnxruntime(name) for name in ("tower", "tower_dynamo")}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
