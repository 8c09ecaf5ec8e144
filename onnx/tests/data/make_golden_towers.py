#!/usr/bin/env python3
"""Makes a tiny model of two text towers for different languages, and the numbers expected of them.

    venv/bin/python make_golden_towers.py

Run it after `make_golden_forms.py`, with the same Python. The first text tower has BERT's
tokenizer. The other one is a BERT of transformers over the pieces of a SentencePiece model with a
normalization map of its own; its word table and matrices are stored in 4 bits, as ggml's Q4_0 has
them: rows of the table are gathered and then unpacked, matrices are `MatMulNBits`. References:
transformers and sentencepiece for ids, torch in fp32 with the weights rounded alike for vectors.
"""

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import sentencepiece
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, BertTokenizer

import make_golden
from make_golden_forms import bert_files
from make_golden_layouts import Picture, Words
from make_golden_parts import export, stir

HERE = Path(__file__).parent
TOWERS = HERE / "towers"
SEED = make_golden.SEED + 300
SIZE, LENGTH, N, WIDE, BLOCK, N_PIECES = 24, 20, 16, 32, 32, 420

LINES = [
    "一只狗在雪地里奔跑",
    "两只猫睡在温暖的沙发上",
    "孩子们在海滩上用沙子堆城堡",
    "一位老人在公园里看报纸",
    "桌子上的蓝色花瓶里有花",
    "人们晚上沿着河边散步",
    "白云下的山",
    "街上的红色公共汽车",
    "ein hund läuft über das grüne gras",
    "zwei hunde spielen im schnee",
    "ein roter bus auf der straße",
    "eine katze schläft auf dem warmen sofa",
    "kinder bauen am strand eine burg aus sand",
    "blumen in einer blauen vase auf dem tisch",
    "menschen gehen nachts am fluss entlang",
    "un chien court sur l'herbe verte",
    "deux chiens jouent dans la neige",
    "un bus rouge dans la rue",
    "des enfants construisent un château de sable sur la plage",
    "la montagne est sous des nuages blancs",
    "un vieil homme lit un journal dans le parc",
    "des fleurs dans un vase bleu sur la table",
]

# Texts whose ids and vectors are stored: widths, capitals, ligatures, white space, unknown signs.
TEXTS = [
    "",
    "一只狗在雪地里奔跑",
    "两只猫",
    "ein Hund läuft über das grüne Gras",
    "ZWEI HUNDE!",
    "un chien court sur l'herbe verte",
    "  des   fleurs\tdans un vase  ",
    "ｂｕｓ　ｒｏｕｇｅ",
    "la ﬁn",
    "ÜBER DEM FLUSS",
    "\U0001f436 一只狗",
    "山、河。",
    "des nuages blancs " * 9,
    "a dog",
    "query: chien",
]


def rules():
    """Wide letters become plain ones, capitals small ones, ligatures letters."""
    pairs = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    pairs.update({c: c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜÉÈÂÇ"})
    pairs.update({wide: narrow.lower() for wide, narrow in pairs.items()})
    pairs.update({"\u3000": " ", "\t": " ", "\n": " ", "ﬁ": "fi", "ﬂ": "fl"})
    codes = lambda text: " ".join(f"{ord(c):X}" for c in text)
    return "".join(f"{codes(a)}\t{codes(b)}\n" for a, b in sorted(pairs.items()))


def train_pieces(folder):
    file = folder / "rules.tsv"
    file.write_text(rules())
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 3),
        model_writer=out,
        vocab_size=N_PIECES,
        model_type="unigram",
        normalization_rule_tsv=str(file),
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        character_coverage=1.0,
        minloglevel=2,
        num_threads=1,
        hard_vocab_limit=False,
    )
    file.unlink()
    return out.getvalue()


def unigram(serialized, file):
    """The same pieces and the same map for `tokenizers`, as transformers converts XLM-R's."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(serialized)
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    charsmap = proto.normalizer_spec.precompiled_charsmap
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(charsmap),
            normalizers.Strip(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    file.write_text(tokenizer.to_str() + "\n")
    assert base64.b64encode(charsmap).decode() in file.read_text()
    return len(pieces)


# ---------------------------------------------------------------------------- 4 bits


def q4(matrix):
    """Rows of 4-bit numbers and a scale per block of 32, as in Q4_0: the largest becomes -8."""
    blocks = matrix.reshape(matrix.shape[0], -1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(2, keepdims=True), 2)
    scales = (largest / -8).astype(np.float32)
    numbers = np.clip(np.round(blocks / np.where(scales == 0, 1, scales)) + 8, 0, 15).astype(
        np.uint8
    )
    return numbers, scales[..., 0]


def rounded(matrix):
    numbers, scales = q4(matrix)
    return ((numbers.astype(np.float32) - 8) * scales[..., None]).reshape(matrix.shape)


def is_matrix(name, tensor):
    return (
        tensor.dim() == 2
        and tensor.shape[1] % BLOCK == 0
        and "position" not in name
        and "type" not in name
    )


class Sentences(torch.nn.Module):
    def __init__(self, n_pieces):
        super().__init__()
        config = BertConfig(
            vocab_size=n_pieces,
            hidden_size=WIDE,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=2 * WIDE,
            max_position_embeddings=LENGTH,
            pad_token_id=0,
        )
        config._attn_implementation = "eager"
        self.tower = BertModel(config, add_pooling_layer=False)
        self.head = torch.nn.Linear(WIDE, N)

    def forward(self, input_ids, attention_mask):
        states = self.tower(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(torch.float32)
        return self.head((states * weight).sum(1) / weight.sum(1))


def store_in_four_bits(file):
    """Replaces the word table and the constant matrices of a graph by their 4-bit numbers."""
    model = onnx.load(str(file))
    graph = model.graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    nodes, replaced = [], []

    def add(name, array):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    for node in graph.node:
        table = constants.get(node.input[0]) if node.op_type == "Gather" else None
        matrix = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if table is not None and table.ndim == 2 and table.shape[0] > 2 * LENGTH:
            replaced.append(node.input[0])
            numbers, scales = q4(table)
            add(
                "q_table",
                (numbers[..., : BLOCK // 2] | (numbers[..., BLOCK // 2 :] << 4)).reshape(
                    len(table), -1
                ),
            )
            add("q_scales", scales)
            add("q_low", np.array(15, np.uint8))
            add("q_shift", np.array(4, np.uint8))
            add("q_zero", np.array(8, np.float32))
            add("q_blocks", np.array([0, 0, WIDE // BLOCK, 1, BLOCK // 2], np.int64))
            add("q_rows", np.array([0, 0, WIDE], np.int64))
            add("q_axes", np.array([3, 4], np.int64))
            ids, out = node.input[1], node.output[0]
            nodes += [
                helper.make_node("Gather", ["q_table", ids], ["q_bytes"]),
                helper.make_node("Gather", ["q_scales", ids], ["q_factors"]),
                helper.make_node("BitwiseAnd", ["q_bytes", "q_low"], ["q_first"]),
                helper.make_node(
                    "BitShift", ["q_bytes", "q_shift"], ["q_second"], direction="RIGHT"
                ),
                helper.make_node("Reshape", ["q_first", "q_blocks"], ["q_first_block"]),
                helper.make_node("Reshape", ["q_second", "q_blocks"], ["q_second_block"]),
                helper.make_node(
                    "Concat", ["q_first_block", "q_second_block"], ["q_numbers"], axis=3
                ),
                helper.make_node("Cast", ["q_numbers"], ["q_floats"], to=TensorProto.FLOAT),
                helper.make_node("Sub", ["q_floats", "q_zero"], ["q_centred"]),
                helper.make_node("Unsqueeze", ["q_factors", "q_axes"], ["q_wide"]),
                helper.make_node("Mul", ["q_centred", "q_wide"], ["q_scaled"]),
                helper.make_node("Reshape", ["q_scaled", "q_rows"], [out]),
            ]
        elif matrix is not None and matrix.shape[0] % BLOCK == 0 and matrix.shape[1] != N:
            replaced.append(node.input[1])
            name, (k, n) = node.input[1], matrix.shape
            numbers, scales = q4(matrix.T.copy())
            add(f"{name}_4", numbers[..., 0::2] | (numbers[..., 1::2] << 4))
            add(f"{name}_scales", scales.ravel())
            nodes.append(
                helper.make_node(
                    "MatMulNBits",
                    [node.input[0], f"{name}_4", f"{name}_scales"],
                    node.output,
                    domain="com.microsoft",
                    K=k,
                    N=n,
                    bits=4,
                    block_size=BLOCK,
                )
            )
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for one in list(graph.initializer):
        if one.name in replaced:
            graph.initializer.remove(one)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.ir_version = 8
    onnx.save(model, str(file))
    return len(replaced)


# ---------------------------------------------------------------------------- the folder

MANIFEST = """# Two text towers for different languages. Written by make_golden_towers.py.
name = "towers"
dimension = 16
license = "CC0-1.0"

[image]
file = "image.onnx"
input = "pixel_values"
output = "image_embeds"
size = [24, 24]
resize = "squash"
interpolation = "bicubic"
crop = "none"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[text]
languages = ["en"]
file = "text.onnx"
input_ids = "input_ids"
attention_mask = "attention_mask"
output = "text_embeds"
tokenizer = "tokenizer.json"
context_length = 20
pad = "longest"

[[text.other]]
languages = ["zh", "de", "fr"]
file = "text-other.onnx"
input_ids = "input_ids"
attention_mask = "attention_mask"
output = "text_embeds"
tokenizer = "tokenizer-other.json"
context_length = 20
pad = "longest"
query_prefix = "query: "
"""


def export_text(module, file):
    ids = torch.full((2, 7), 5)
    export(
        module,
        file,
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        ["text_embeds"],
        {"input_ids": LENGTH, "attention_mask": LENGTH},
    )


def main():
    shutil.rmtree(TOWERS, ignore_errors=True)
    TOWERS.mkdir()
    (TOWERS / "sightline.toml").write_text(MANIFEST)
    torch.manual_seed(SEED)
    export(
        stir(Picture(N)),
        TOWERS / "image.onnx",
        {"pixel_values": torch.zeros(2, 3, SIZE, SIZE)},
        ["image_embeds"],
        {"pixel_values": 0},
    )
    bert_files(TOWERS, True)
    words = BertTokenizer.from_pretrained(TOWERS)
    for name in ("vocab.txt", "tokenizer_config.json"):
        (TOWERS / name).unlink()
    torch.manual_seed(SEED + 1)
    first = stir(Words(N, LENGTH, masked=True))
    export_text(first, TOWERS / "text.onnx")

    serialized = train_pieces(TOWERS)
    pieces = sentencepiece.SentencePieceProcessor(model_proto=serialized)
    n_pieces = unigram(serialized, TOWERS / "tokenizer-other.json")
    torch.manual_seed(SEED + 2)
    other = stir(Sentences(n_pieces))
    n_matrices = 0
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            if is_matrix(name, parameter) and not name.startswith("head"):
                parameter.copy_(torch.tensor(rounded(parameter.numpy())))
                n_matrices += 1
    export_text(other, TOWERS / "text-other.onnx")
    n_stored = store_in_four_bits(TOWERS / "text-other.onnx")
    assert n_stored == n_matrices == 7, (n_stored, n_matrices)

    def first_ids(text):
        return words(text, truncation=True, max_length=LENGTH)["input_ids"]

    def other_ids(text):
        return [1, *pieces.encode(text)[: LENGTH - 2], 2]

    def vector(tower, ids):
        ids = torch.tensor([ids])
        return tower(ids, torch.ones_like(ids))[0].numpy().astype(np.float32)

    ids = {
        "first": [first_ids(text) for text in TEXTS],
        "other": [other_ids(text) for text in TEXTS],
    }
    with torch.no_grad():
        tensors = {
            "first": np.stack([vector(first, one) for one in ids["first"]]),
            "other": np.stack([vector(other, one) for one in ids["other"]]),
            "other, query": np.stack(
                [vector(other, other_ids("query: " + text)) for text in TEXTS]
            ),
        }
    save_file(tensors, HERE / "towers.safetensors")
    listing = {"texts": TEXTS, "ids": ids}
    (HERE / "towers.json").write_text(
        json.dumps(listing, ensure_ascii=False, separators=(",", ":")) + "\n"
    )
    n_bytes = sum(path.stat().st_size for path in TOWERS.iterdir())
    print(f"{n_pieces} pieces, {n_stored} matrices in 4 bits, {n_bytes} bytes in the folder")


if __name__ == "__main__":
    main()
