"""Random CLIP weights as real files in each of the three dialects.

The shapes and the names are written down here a second time, apart from the reader's own
tables, so that a mistake there cannot hide.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from framekeep.encoders.checkpoint import ClipArch
from framekeep.encoders.clip_torch import Clip

Size = Literal["tiny", "b32"]


@dataclass(frozen=True)
class Sizes:
    vision: tuple[int, int, int]  # width, layers, heads
    text: tuple[int, int, int]
    patch: int
    image_px: int
    embed_dim: int
    context: int = 77
    vocab: int = 49408


SIZES: dict[str, Sizes] = {
    "tiny": Sizes(vision=(128, 2, 2), text=(64, 3, 1), patch=16, image_px=64, embed_dim=32),
    "b32": Sizes(vision=(768, 12, 12), text=(512, 12, 8), patch=32, image_px=224, embed_dim=512),
}


def tiny_arch() -> ClipArch:
    """The architecture of the "tiny" size."""
    return ClipArch(
        vision_width=128, vision_layers=2, vision_heads=2, vision_mlp=512, patch=16, image_px=64,
        text_width=64, text_layers=3, text_heads=1, text_mlp=256, context=77, vocab=49408,
        embed_dim=32, activation="quick_gelu",
    )  # fmt: skip


def tiny_clip(seed: int = 0) -> Clip:
    """A small model of ours with random weights."""
    torch.manual_seed(seed)
    model = Clip(tiny_arch())
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            nn.init.normal_(parameter, std=0.08)
    return model.eval().requires_grad_(False)


def openai_tensors(config: Size = "tiny", seed: int = 0, fp16: bool = False) -> dict[str, Tensor]:
    """Random weights under OpenAI's names, float32; with `fp16`, rounded to what fp16 can hold."""
    sizes = SIZES[config]
    rng = np.random.default_rng(seed)
    tensors: dict[str, Tensor] = {}

    def put(name: str, *shape: int, std: float = 0.02, mean: float = 0.0) -> None:
        values = rng.standard_normal(shape, dtype=np.float32) * std + mean
        tensor = torch.from_numpy(values)
        tensors[name] = tensor.half().float() if fp16 else tensor

    def norm(name: str, width: int) -> None:
        put(f"{name}.weight", width, std=0.1, mean=1.0)
        put(f"{name}.bias", width, std=0.1)

    def blocks(stem: str, width: int, layers: int) -> None:
        for i in range(layers):
            at = f"{stem}.resblocks.{i}"
            norm(f"{at}.ln_1", width)
            put(f"{at}.attn.in_proj_weight", 3 * width, width, std=width**-0.5)
            put(f"{at}.attn.in_proj_bias", 3 * width)
            put(f"{at}.attn.out_proj.weight", width, width, std=width**-0.5 / 2)
            put(f"{at}.attn.out_proj.bias", width)
            norm(f"{at}.ln_2", width)
            put(f"{at}.mlp.c_fc.weight", 4 * width, width, std=width**-0.5)
            put(f"{at}.mlp.c_fc.bias", 4 * width)
            put(f"{at}.mlp.c_proj.weight", width, 4 * width, std=width**-0.5 / 4)
            put(f"{at}.mlp.c_proj.bias", width)

    width, layers, _heads = sizes.vision
    put("visual.class_embedding", width, std=0.5)
    put("visual.positional_embedding", (sizes.image_px // sizes.patch) ** 2 + 1, width, std=0.3)
    put("visual.conv1.weight", width, 3, sizes.patch, sizes.patch, std=1 / sizes.patch / 2)
    norm("visual.ln_pre", width)
    blocks("visual.transformer", width, layers)
    norm("visual.ln_post", width)
    put("visual.proj", width, sizes.embed_dim, std=width**-0.5)
    width, layers, _heads = sizes.text
    put("token_embedding.weight", sizes.vocab, width, std=0.3)
    put("positional_embedding", sizes.context, width, std=0.1)
    blocks("transformer", width, layers)
    norm("ln_final", width)
    put("text_projection", width, sizes.embed_dim, std=width**-0.5)
    tensors["logit_scale"] = torch.tensor(4.6052)
    return tensors


def transformers_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights under the names of transformers' CLIPModel."""
    renamed: dict[str, Tensor] = {}
    plain = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "logit_scale": "logit_scale",
    }
    parts = (
        ("visual.ln_pre", "vision_model.pre_layrnorm"),
        ("visual.ln_post", "vision_model.post_layernorm"),
        ("ln_final", "text_model.final_layer_norm"),
        ("visual.transformer.resblocks", "vision_model.encoder.layers"),
        ("transformer.resblocks", "text_model.encoder.layers"),
        ("ln_1", "layer_norm1"),
        ("ln_2", "layer_norm2"),
        ("attn.out_proj", "self_attn.out_proj"),
        ("mlp.c_fc", "mlp.fc1"),
        ("mlp.c_proj", "mlp.fc2"),
    )
    for name, tensor in tensors.items():
        if name in plain:
            renamed[plain[name]] = tensor
        elif name == "visual.proj":
            renamed["visual_projection.weight"] = tensor.T
        elif name == "text_projection":
            renamed["text_projection.weight"] = tensor.T
        else:
            for ours, theirs in parts:
                name = name.replace(ours, theirs)
            if ".attn.in_proj_" in name:
                kind = name.rsplit("_", 1)[1]
                for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                    at = name.split(".attn.")[0]
                    renamed[f"{at}.self_attn.{letter}_proj.{kind}"] = part
            else:
                renamed[name] = tensor
    return {name: tensor.clone().contiguous() for name, tensor in renamed.items()}


def transformers_config(config: Size = "tiny") -> dict[str, object]:
    """What transformers writes to config.json, as far as it matters here."""
    sizes = SIZES[config]
    vision, text = sizes.vision, sizes.text
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": sizes.embed_dim,
        "vision_config": {
            "hidden_size": vision[0], "intermediate_size": 4 * vision[0],
            "num_hidden_layers": vision[1], "num_attention_heads": vision[2],
            "patch_size": sizes.patch, "image_size": sizes.image_px,
            "projection_dim": sizes.embed_dim, "hidden_act": "quick_gelu",
        },
        "text_config": {
            "hidden_size": text[0], "intermediate_size": 4 * text[0],
            "num_hidden_layers": text[1], "num_attention_heads": text[2],
            "max_position_embeddings": sizes.context, "vocab_size": sizes.vocab,
            "projection_dim": sizes.embed_dim, "hidden_act": "quick_gelu",
            "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 1,
        },
    }  # fmt: skip


def write_transformers_checkpoint(
    path: Path, config: Size = "tiny", seed: int = 0, fp16: bool = False
) -> Path:
    """Write `path` (a .safetensors, or a .bin file pickled by torch) and config.json beside it.

    A `path` without extension is taken as a folder, and gets model.safetensors. Gives the file.
    """
    path = Path(path)
    file = path if path.suffix else path / "model.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = transformers_tensors(openai_tensors(config, seed, fp16))
    if file.suffix == ".bin":
        torch.save(tensors, file)
    else:
        save_file(tensors, file, metadata={"format": "pt"})
    (file.parent / "config.json").write_text(json.dumps(transformers_config(config)))
    return file


def write_open_clip_checkpoint(
    path: Path,
    config: Size = "tiny",
    seed: int = 0,
    fp16: bool = False,
    quick_gelu: bool | None = True,
) -> Path:
    """Write `path` (.safetensors, or .pt by torch), and open_clip_config.json beside it.

    With `quick_gelu` None there is no configuration beside it. Gives the file.
    """
    file = Path(path) if Path(path).suffix else Path(path) / "open_clip_model.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = openai_tensors(config, seed, fp16)
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save({"epoch": 1, "state_dict": {f"module.{k}": v for k, v in tensors.items()}}, file)
    if quick_gelu is not None:
        config_file = file.parent / "open_clip_config.json"
        model = {"embed_dim": SIZES[config].embed_dim, "quick_gelu": quick_gelu}
        config_file.write_text(json.dumps({"model_cfg": model}))
    return file


class _Archive(nn.Module):
    """A module whose state dict has OpenAI's names; it computes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 1


def write_openai_checkpoint(path: Path, config: Size = "tiny", seed: int = 0) -> Path:
    """Write a TorchScript archive of fp16 weights, as OpenAI published them. Gives the file."""
    file = Path(path) if Path(path).suffix else Path(path) / "model.pt"
    file.parent.mkdir(parents=True, exist_ok=True)
    root = _Archive()
    sizes = SIZES[config]
    tensors = {k: v.half() for k, v in openai_tensors(config, seed).items()}
    extras = {
        "input_resolution": sizes.image_px,
        "context_length": sizes.context,
        "vocab_size": sizes.vocab,
    }
    tensors |= {name: torch.tensor(value) for name, value in extras.items()}
    for name, tensor in tensors.items():
        module: nn.Module = root
        *parents, leaf = name.split(".")
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, _Archive())
            module = getattr(module, parent)
        module.register_buffer(leaf, tensor)
    with warnings.catch_warnings():
        # TorchScript is deprecated, but it is what OpenAI's files are.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(root), str(file))  # type: ignore[no-untyped-call]
    return file
