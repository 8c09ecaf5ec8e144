"""Graphs and tokenizers of the tiny models that `make_golden_layouts.py` makes."""

import gzip
import io
import json
import re
import warnings
from pathlib import Path

import onnx
import open_clip
import sentencepiece
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16
from open_clip.tokenizer import SimpleTokenizer, get_pairs
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import make_golden

N_MERGES = 1500


# ---------------------------------------------------------------------------- graphs

def finish(path):
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in list(model.graph.value_info):
        model.graph.value_info.remove(value)
    for value in list(model.graph.input) + list(model.graph.output) + list(model.graph.initializer):
        del value.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.producer_version = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def export(module, path, inputs, outputs, free=()):
    """`inputs`: name -> example. `free`: inputs with a free batch size (and length, for texts)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = []
    for name, value in inputs.items():
        dims = {}
        if name in free:
            dims[0] = torch.export.Dim("images" if value.dim() == 4 else "texts", min=1, max=4096)
            if value.dim() == 2 and free[name]:
                dims[1] = torch.export.Dim("n_tokens", min=2, max=free[name])
        shapes.append(dims or None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(), tuple(inputs.values()), input_names=list(inputs), output_names=outputs,
            dynamic_shapes=tuple(shapes) if any(shapes) else None, opset_version=18, dynamo=True,
            external_data=False, verbose=False)
    program.save(str(path), external_data=False)
    finish(path)


def copies(path):
    """The fp16 copy (16-bit inputs and outputs too) and the int8 copy of a graph, beside it."""
    half = convert_float_to_float16(onnx.load(str(path)), keep_io_types=False)
    onnx.save(half, str(path.with_name(path.stem + "_fp16.onnx")))
    target = path.with_name(path.stem + "_int8.onnx")
    quantize_dynamic(str(path), str(target), weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"MatMulConstBOnly": True})


def stir(model):
    """Larger than the usual initial values, so that inputs matter."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.15)
    return model.eval()


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n")


# ---------------------------------------------------------------------------- tokenizers

def train_pieces(folder, size):
    """A Unigram model learned by sentencepiece from the corpus: its serialized form."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(make_golden.CORPUS * 3), model_writer=out, vocab_size=size,
        model_type="unigram", normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, num_threads=1,
        hard_vocab_limit=False, pad_piece="<pad>")
    path = folder / "spiece.model"
    path.write_bytes(out.getvalue())
    return path


def unigram(pieces, unk, normalizer, template, special):
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unk, byte_fallback=False))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens([piece for piece, _ in special])
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    return tokenizer


def bytes_to_letters():
    return open_clip.tokenizer.bytes_to_unicode()


def clip_bpe(path, texts):
    """CLIP's tokenizer with its true ids and a part of its merges."""
    table = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.open(table).read().decode().split("\n")[1:49152 - 256 - 2 + 1]
    merges = [tuple(line.split()) for line in lines]
    letters = list(bytes_to_letters().values())
    words = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges]
    ids = {word: i for i, word in enumerate(words)}
    ranks = {pair: i for i, pair in enumerate(merges)}
    simple = SimpleTokenizer()
    needed = set(range(N_MERGES))
    for text in texts + ["a dog and two cats"]:
        cleaned = re.sub(r"\s+", " ", text).lower()[:4000]
        for token in simple.pat.findall(cleaned):
            word = [simple.byte_encoder[b] for b in token.encode()]
            word = tuple(word[:-1]) + (word[-1] + "</w>",)
            while len(word) > 1:
                ranked = {pair: ranks[pair] for pair in get_pairs(word) if pair in ranks}
                if not ranked:
                    break
                needed.update(ranked.values())
                best = min(ranked, key=ranked.get)
                joined, i = [], 0
                while i < len(word):
                    if i + 1 < len(word) and (word[i], word[i + 1]) == best:
                        joined.append(word[i] + word[i + 1])
                        i += 2
                    else:
                        joined.append(word[i])
                        i += 1
                word = tuple(joined)
    # Merged parts must be in the vocabulary.
    pending = sorted(needed)
    by_word = {}
    for i, pair in enumerate(merges):
        by_word.setdefault("".join(pair), i)
    while pending:
        for part in merges[pending.pop()]:
            rank = by_word.get(part)
            if rank is not None and rank not in needed:
                needed.add(rank)
                pending.append(rank)
    kept = [merges[i] for i in sorted(needed)]
    vocab = {word: ids[word] for word in words[:512]}
    vocab.update({"".join(pair): ids["".join(pair)] for pair in kept})
    vocab["<|startoftext|>"], vocab["<|endoftext|>"] = 49406, 49407
    added = [{"id": vocab[word], "content": word, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": True, "special": True} for word in ("<|startoftext|>", "<|endoftext|>")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
            {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {
                "Regex": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"},
             "behavior": "Removed", "invert": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
        "post_processor": {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 49407],
                           "cls": ["<|startoftext|>", 49406], "trim_offsets": False,
                           "add_prefix_space": False},
        "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<|endoftext|>",
                  "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": False,
                  "vocab": vocab, "merges": [" ".join(pair) for pair in kept]}},
        ensure_ascii=False, separators=(",", ":")) + "\n")
    return simple
