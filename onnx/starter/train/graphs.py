"""Writes torch modules as ONNX graphs, and shrinks their weights to int8."""

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper


def export(model, inputs, names, file, **options):
    dynamic = {
        name: {0: 'batch', **({1: 'tokens'} if x.ndim == 2 else {})}
        for name, x in zip(names, inputs)
    }
    torch.onnx.export(
        model,
        inputs,
        file,
        input_names=list(names),
        output_names=['embedding'],
        dynamo=False,
        dynamic_axes={**dynamic, 'embedding': {0: 'batch'}},
        **{'opset_version': 17, **options},
    )


# Tensors of fewer weights stay fp32, and fp16. The first layers of the image towers are small, and
# int8 weights there make half of the error.
N_FP32, N_FP16 = 2048, 12_000


def shrink(source, target):
    """Converts weights to int8 with one scale per output channel (per row for an embedding table).
    `Cast` and `Mul` dequantise them; ONNX Runtime folds these when it loads the file, so it runs
    as fast as with fp32 weights."""
    model = onnx.load(source)
    graph = model.graph
    tensors = {t.name: t for t in graph.initializer}
    uses = {}
    for node in graph.node:
        for i, name in enumerate(node.input):
            uses.setdefault(name, []).append((node, i))
    nodes, head = list(graph.node), []
    for name, tensor in tensors.items():
        value = numpy_helper.to_array(tensor)
        if (
            value.dtype != np.float32
            or value.size < N_FP32
            or value.ndim < 2
            or len(uses.get(name, [])) != 1
        ):
            continue
        node, position = uses[name][0]
        if node.op_type == 'Conv' and position == 1:
            axis = 0
        elif node.op_type == 'Gemm' and position == 1:
            axis = 0 if any(a.name == 'transB' and a.i for a in node.attribute) else 1
        elif node.op_type == 'MatMul' and position == 1:
            axis = value.ndim - 1
        elif node.op_type == 'Gather' and position == 0:
            axis = 0
        else:
            continue
        if value.size < N_FP16 and node.op_type != 'Gather':
            graph.initializer.remove(tensor)
            half = numpy_helper.from_array(value.astype(np.float16), f'{name}:half')
            graph.initializer.append(half)
            head.append(helper.make_node('Cast', [half.name], [name], to=TensorProto.FLOAT))
            continue
        others = tuple(i for i in range(value.ndim) if i != axis)
        scale = np.maximum(np.abs(value).max(others, keepdims=True) / 127, 1e-12).astype(np.float32)
        codes = np.clip(np.round(value / scale), -127, 127).astype(np.int8)
        graph.initializer.remove(tensor)
        graph.initializer.extend(
            [
                numpy_helper.from_array(codes, f'{name}:codes'),
                numpy_helper.from_array(scale, f'{name}:scale'),
            ]
        )
        # Rows are gathered first, so that the table is never dequantised as a whole.
        if node.op_type == 'Gather':
            rows, output = node.input[1], node.output[0]
            at = nodes.index(node)
            nodes[at : at + 1] = [
                helper.make_node('Gather', [f'{name}:codes', rows], [f'{output}:codes']),
                helper.make_node('Gather', [f'{name}:scale', rows], [f'{output}:scale']),
                helper.make_node(
                    'Cast', [f'{output}:codes'], [f'{output}:cast'], to=TensorProto.FLOAT
                ),
                helper.make_node('Mul', [f'{output}:cast', f'{output}:scale'], [output]),
            ]
        else:
            head += [
                helper.make_node('Cast', [f'{name}:codes'], [f'{name}:cast'], to=TensorProto.FLOAT),
                helper.make_node('Mul', [f'{name}:cast', f'{name}:scale'], [name]),
            ]
    del graph.node[:]
    graph.node.extend(head + nodes)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def run(file, **inputs):
    return ort.InferenceSession(file, providers=['CPUExecutionProvider']).run(None, inputs)[0]
