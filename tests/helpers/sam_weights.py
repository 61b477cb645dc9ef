"""Random weights of SAM and SAM 2 as real files, in Meta's form and in transformers'.

Names and shapes are written down here a second time, apart from the reader's own tables, so that a
mistake there cannot hide. Those of the full sizes are Meta's: B, L, H, and SAM 2.1's four.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads cost tiny models more than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class SamSize:
    """SAM's picture encoder, and the width of prompts and masks."""

    width: int
    layers: int
    heads: int
    whole: tuple[int, ...]  # the layers that look at the whole picture
    grid: int = 64
    window: int = 14
    hidden: int = 256
    mlp: int = 2048


@dataclass(frozen=True)
class Sam2Size:
    """SAM 2's picture encoder, and the width of prompts and masks."""

    width: int
    heads: int
    blocks: tuple[int, ...]
    whole: tuple[int, ...]
    windows: tuple[int, ...] = (8, 4, 14, 7)
    background: int = 7
    hidden: int = 256
    mlp: int = 2048
    side: int = 1024
    memory: bool = True


SAM_SIZES = {
    "tiny": SamSize(32, 2, 2, (1,), grid=8, window=3, hidden=32, mlp=64),
    "sam-vit-b": SamSize(768, 12, 12, (2, 5, 8, 11)),
    "sam-vit-l": SamSize(1024, 24, 16, (5, 11, 17, 23)),
    "sam-vit-h": SamSize(1280, 32, 16, (7, 15, 23, 31)),
}
SAM2_SIZES = {
    "tiny": Sam2Size(
        8, 1, (1, 1, 2, 1), (3,), (4, 2, 4, 2), background=3, hidden=32, mlp=64, side=128
    ),
    "sam2.1-tiny": Sam2Size(96, 1, (1, 2, 7, 2), (5, 7, 9)),
    "sam2.1-small": Sam2Size(96, 1, (1, 2, 11, 2), (7, 10, 13)),
    "sam2.1-base-plus": Sam2Size(112, 2, (2, 3, 16, 3), (12, 16, 20), background=14),
    "sam2.1-large": Sam2Size(144, 2, (2, 6, 36, 4), (23, 33, 43), (8, 4, 16, 8)),
}
TINY_PX = 128


@dataclass
class _Maker:
    """Puts random tensors under names; on the meta device they are shapes alone."""

    device: str
    seed: int
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = torch.Generator().manual_seed(self.seed)

    def put(self, name: str, *shape: int, std: float = 0.1, mean: float = 0.0) -> None:
        if self.device == "meta":
            self.tensors[name] = torch.empty(shape, device="meta")
        else:
            self.tensors[name] = torch.randn(shape, generator=self._random) * std + mean

    def norm(self, name: str, width: int) -> None:
        self.put(f"{name}.weight", width, mean=1.0)
        self.put(f"{name}.bias", width)

    def dense(self, name: str, out: int, *rest: int) -> None:
        fan = 1
        for length in rest:
            fan *= length
        self.put(f"{name}.weight", out, *rest, std=1.5 * fan**-0.5)
        self.put(f"{name}.bias", out)

    def upscale(self, name: str, width: int, out: int) -> None:
        self.put(f"{name}.weight", width, out, 2, 2, std=width**-0.5)
        self.put(f"{name}.bias", out)

    def chain(self, name: str, *widths: int) -> None:
        for i, (width, out) in enumerate(itertools.pairwise(widths)):
            self.dense(f"{name}.layers.{i}", out, width)


def sam_tensors(size: str = "tiny", seed: int = 0, device: str = "cpu") -> dict[str, Tensor]:
    """A whole SAM under the names of Meta's checkpoints."""
    s = SAM_SIZES[size]
    make = _Maker(device, seed)
    make.put("image_encoder.pos_embed", 1, s.grid, s.grid, s.width, std=0.5)
    make.dense("image_encoder.patch_embed.proj", s.width, 3, 16, 16)
    for i in range(s.layers):
        at = f"image_encoder.blocks.{i}"
        reach = s.grid if i in s.whole else s.window
        make.norm(f"{at}.norm1", s.width)
        make.put(f"{at}.attn.rel_pos_h", 2 * reach - 1, s.width // s.heads)
        make.put(f"{at}.attn.rel_pos_w", 2 * reach - 1, s.width // s.heads)
        make.dense(f"{at}.attn.qkv", 3 * s.width, s.width)
        make.dense(f"{at}.attn.proj", s.width, s.width)
        make.norm(f"{at}.norm2", s.width)
        make.dense(f"{at}.mlp.lin1", 4 * s.width, s.width)
        make.dense(f"{at}.mlp.lin2", s.width, 4 * s.width)
    make.put("image_encoder.neck.0.weight", s.hidden, s.width, 1, 1)
    make.norm("image_encoder.neck.1", s.hidden)
    make.put("image_encoder.neck.2.weight", s.hidden, s.hidden, 3, 3)
    make.norm("image_encoder.neck.3", s.hidden)
    _prompts(make, "prompt_encoder", s.hidden)
    _masks(make, "mask_decoder", s.hidden, s.mlp, video=False)
    return make.tensors


def sam2_tensors(size: str = "tiny", seed: int = 0, device: str = "cpu") -> dict[str, Tensor]:
    """A whole SAM 2.1 under the names of Meta's checkpoints, with what follows videos."""
    s = SAM2_SIZES[size]
    make = _Maker(device, seed)
    trunk = "image_encoder.trunk"
    make.put(f"{trunk}.pos_embed", 1, s.width, s.background, s.background, std=0.5)
    make.put(f"{trunk}.pos_embed_window", 1, s.width, s.windows[0], s.windows[0], std=0.5)
    make.dense(f"{trunk}.patch_embed.proj", s.width, 3, 7, 7)
    number, before = 0, s.width
    for stage, count in enumerate(s.blocks):
        width = s.width * 2**stage
        for _ in range(count):
            at = f"{trunk}.blocks.{number}"
            make.norm(f"{at}.norm1", before)
            make.dense(f"{at}.attn.qkv", 3 * width, before)
            make.dense(f"{at}.attn.proj", width, width)
            make.norm(f"{at}.norm2", width)
            make.chain(f"{at}.mlp", width, 4 * width, width)
            if width != before:
                make.dense(f"{at}.proj", width, before)
            number, before = number + 1, width
    for i in range(4):
        make.dense(f"image_encoder.neck.convs.{i}.conv", s.hidden, s.width * 2 ** (3 - i), 1, 1)
    _prompts(make, "sam_prompt_encoder", s.hidden)
    _masks(make, "sam_mask_decoder", s.hidden, s.mlp, video=True)
    make.put("no_mem_embed", 1, 1, s.hidden)
    if s.memory:
        _memory(make, s.hidden)
    return make.tensors


def _prompts(make: _Maker, at: str, hidden: int) -> None:
    make.put(f"{at}.pe_layer.positional_encoding_gaussian_matrix", 2, hidden // 2, std=1.0)
    for i in range(4):
        make.put(f"{at}.point_embeddings.{i}.weight", 1, hidden, std=1.0)
    make.put(f"{at}.not_a_point_embed.weight", 1, hidden)
    make.dense(f"{at}.mask_downscaling.0", 4, 1, 2, 2)
    make.norm(f"{at}.mask_downscaling.1", 4)
    make.dense(f"{at}.mask_downscaling.3", 16, 4, 2, 2)
    make.norm(f"{at}.mask_downscaling.4", 16)
    make.dense(f"{at}.mask_downscaling.6", hidden, 16, 1, 1)
    make.put(f"{at}.no_mask_embed.weight", 1, hidden)


def _masks(make: _Maker, at: str, hidden: int, mlp: int, *, video: bool) -> None:
    def attention(name: str, inner: int) -> None:
        for letter in "qkv":
            make.dense(f"{name}.{letter}_proj", inner, hidden)
        make.dense(f"{name}.out_proj", hidden, inner)

    for i in range(2):
        layer = f"{at}.transformer.layers.{i}"
        attention(f"{layer}.self_attn", hidden)
        attention(f"{layer}.cross_attn_token_to_image", hidden // 2)
        attention(f"{layer}.cross_attn_image_to_token", hidden // 2)
        for number in (1, 2, 3, 4):
            make.norm(f"{layer}.norm{number}", hidden)
        if video:
            make.chain(f"{layer}.mlp", hidden, mlp, hidden)
        else:
            make.dense(f"{layer}.mlp.lin1", mlp, hidden)
            make.dense(f"{layer}.mlp.lin2", hidden, mlp)
    attention(f"{at}.transformer.final_attn_token_to_image", hidden // 2)
    make.norm(f"{at}.transformer.norm_final_attn", hidden)
    make.put(f"{at}.iou_token.weight", 1, hidden, std=1.0)
    make.put(f"{at}.mask_tokens.weight", 4, hidden, std=1.0)
    make.upscale(f"{at}.output_upscaling.0", hidden, hidden // 4)
    make.norm(f"{at}.output_upscaling.1", hidden // 4)
    make.upscale(f"{at}.output_upscaling.3", hidden // 4, hidden // 8)
    for i in range(4):
        make.chain(f"{at}.output_hypernetworks_mlps.{i}", hidden, hidden, hidden, hidden // 8)
    make.chain(f"{at}.iou_prediction_head", hidden, hidden, hidden, 4)
    if video:
        make.put(f"{at}.obj_score_token.weight", 1, hidden)
        make.chain(f"{at}.pred_obj_score_head", hidden, hidden, hidden, 1)
        make.dense(f"{at}.conv_s0", hidden // 8, hidden, 1, 1)
        make.dense(f"{at}.conv_s1", hidden // 4, hidden, 1, 1)


def _memory(make: _Maker, hidden: int) -> None:
    """Of what follows objects through videos, some of each kind: none of it may be in the way."""
    inner = hidden // 4
    make.put("maskmem_tpos_enc", 7, 1, 1, inner)
    make.put("no_mem_pos_enc", 1, 1, hidden)
    make.put("no_obj_ptr", 1, hidden)
    make.put("no_obj_embed_spatial", 1, inner)
    make.dense("mask_downsample", 1, 1, 4, 4)
    make.dense("obj_ptr_tpos_proj", inner, hidden)
    make.chain("obj_ptr_proj", hidden, hidden, hidden, hidden)
    make.dense("memory_attention.layers.0.self_attn.q_proj", hidden, hidden)
    make.norm("memory_attention.norm", hidden)
    make.dense("memory_encoder.out_proj", inner, hidden, 1, 1)
    make.put("memory_encoder.fuser.layers.0.gamma", hidden)


def transformers_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights under the names of transformers' SamModel or Sam2Model."""
    second = "no_mem_embed" in tensors
    parts = (
        ("sam_prompt_encoder", "prompt_encoder"),
        ("sam_mask_decoder", "mask_decoder"),
        ("image_encoder.trunk", "vision_encoder.backbone"),
        ("image_encoder.blocks", "vision_encoder.layers"),
        ("image_encoder", "vision_encoder"),
        ("patch_embed.proj.", "patch_embed.projection."),
        (".conv.", "."),
        ("norm_final_attn", "layer_norm_final_attn"),
        *((f".norm{i}.", f".layer_norm{i}.") for i in (1, 2, 3, 4)),
        *((f"neck.{i}.", f"neck.{name}.") for i, name in enumerate(_NECK)),
        *((f"mask_downscaling.{i}.", f"mask_embed.{name}.") for i, name in _DOWN),
        *((f"output_upscaling.{i}.", f"{name}.") for i, name in _UP),
        ("pe_layer.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    )
    chains = [f"output_hypernetworks_mlps.{i}" for i in range(4)]
    chains += ["iou_prediction_head", "pred_obj_score_head"]
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith(_VIDEO):
            continue
        for theirs, ours in parts:
            name = name.replace(theirs, ours)
        for chain in chains:
            name = name.replace(f"{chain}.layers.0.", f"{chain}.proj_in.")
            name = name.replace(f"{chain}.layers.1.", f"{chain}.layers.0.")
            name = name.replace(f"{chain}.layers.2.", f"{chain}.proj_out.")
        if second:
            name = name.replace(".mlp.layers.0.", ".mlp.proj_in.")
            name = name.replace(".mlp.layers.1.", ".mlp.proj_out.").replace("out_proj", "o_proj")
            name = name.replace("no_mem_embed", "no_memory_embedding")
        renamed[name.replace("point_embeddings", "point_embed")] = tensor
    if second:
        rows = [renamed.pop(f"prompt_encoder.point_embed.{i}.weight") for i in range(4)]
        renamed["prompt_encoder.point_embed.weight"] = torch.cat(rows)
    matrix = renamed["prompt_encoder.shared_embedding.positional_embedding"]
    renamed["shared_image_embedding.positional_embedding"] = matrix
    return {name: tensor.clone() for name, tensor in renamed.items()}


_NECK = ("conv1", "layer_norm1", "conv2", "layer_norm2")
_DOWN = ((0, "conv1"), (1, "layer_norm1"), (3, "conv2"), (4, "layer_norm2"), (6, "conv3"))
_UP = ((0, "upscale_conv1"), (1, "upscale_layer_norm"), (3, "upscale_conv2"))
_VIDEO = (
    "maskmem", "no_mem_pos", "no_obj", "mask_downsample", "obj_ptr", "memory_",
)  # fmt: skip


def sam2_config(size: str = "tiny") -> dict[str, Any]:
    """What a config.json of transformers' says of a size that shapes alone do not tell."""
    s = SAM2_SIZES[size]
    backbone = {
        "num_attention_heads_per_stage": [s.heads * 2**i for i in range(4)],
        "window_size_per_stage": list(s.windows),
        "global_attention_blocks": list(s.whole),
        "image_size": [s.side, s.side],
    }
    return {"model_type": "sam2", "vision_config": {"backbone_config": backbone}}


def write_sam(path: Path, seed: int = 0, form: str = "meta") -> Path:
    """A tiny SAM as Meta's .pth, or as transformers' .safetensors. Gives the file."""
    file = path / ("sam.pth" if form == "meta" else "model.safetensors")
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = sam_tensors(seed=seed)
    if form == "meta":
        torch.save(tensors, file)
    else:
        ours = transformers_tensors(tensors)
        # transformers saves what stands under two names once.
        del ours["prompt_encoder.shared_embedding.positional_embedding"]
        save_file(ours, file, metadata={"format": "pt"})
    return file


def write_sam2(path: Path, seed: int = 0, form: str = "meta") -> Path:
    """A tiny SAM 2.1 as Meta's .pt, or as transformers' .safetensors; config.json beside it."""
    file = path / ("sam2.pt" if form == "meta" else "model.safetensors")
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = sam2_tensors(seed=seed)
    if form == "meta":
        torch.save({"model": tensors}, file)
    else:
        save_file(transformers_tensors(tensors), file, metadata={"format": "pt"})
    (path / "config.json").write_text(json.dumps(sam2_config()))
    return file
