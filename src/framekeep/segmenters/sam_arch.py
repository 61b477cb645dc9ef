"""What shapes tell of a SAM or SAM 2: transformers' configuration, without transformers.

Of SAM everything can be read from the shapes; of SAM 2's picture encoder the heads, the windows
and the blocks that look at the whole picture cannot, so they are written down here for Meta's four
sizes, and read from a ``config.json`` beside the file for others.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from framekeep.errors import WeightsError
from framekeep.segmenters.sam_names import Family

Shapes = Mapping[str, tuple[int, ...]]
_DECODER_HEADS = 8


@dataclass(frozen=True, slots=True)
class SamArch:
    """The arguments of transformers' configurations; `image_px` is the side that a model sees."""

    family: Family
    image_px: int
    vision: dict[str, Any]
    backbone: dict[str, Any] | None
    prompt: dict[str, Any]
    decoder: dict[str, Any]

    @property
    def embedding_bytes(self) -> int:
        """What one picture's embedding takes in memory, in float32."""
        width, side = int(self.prompt["hidden_size"]), self.image_px // self.prompt["patch_size"]
        if self.family == "sam":
            return int(4 * width * side**2)
        # With it come finer maps: 1/4 of the channels at twice the side, 1/8 at four times.
        return int(4 * (width + (width // 8) * 16 + (width // 4) * 4) * side**2)


@dataclass(frozen=True, slots=True)
class _Hiera:
    """What the shapes of SAM 2's picture encoder do not tell."""

    heads: list[int]
    windows: list[int]
    whole: list[int]
    image_px: int = 1024


def _hiera(heads: int, last_windows: tuple[int, int], whole: list[int]) -> _Hiera:
    return _Hiera([heads, 2 * heads, 4 * heads, 8 * heads], [8, 4, *last_windows], whole)


_HIERA: Mapping[tuple[int, tuple[int, ...]], _Hiera] = {
    (96, (1, 2, 7, 2)): _hiera(1, (14, 7), [5, 7, 9]),
    (96, (1, 2, 11, 2)): _hiera(1, (14, 7), [7, 10, 13]),
    (112, (2, 3, 16, 3)): _hiera(2, (14, 7), [12, 16, 20]),
    (144, (2, 6, 36, 4)): _hiera(2, (16, 8), [23, 33, 43]),
}
"""Meta's four sizes, by width and blocks per stage."""

SIZES = {
    ("sam", 768, 12): "sam-vit-b",
    ("sam", 1024, 24): "sam-vit-l",
    ("sam", 1280, 32): "sam-vit-h",
    ("sam2", 96, 12): "sam2.1-tiny",
    ("sam2", 96, 16): "sam2.1-small",
    ("sam2", 112, 24): "sam2.1-base-plus",
    ("sam2", 144, 48): "sam2.1-large",
}
"""By family, width and blocks: the known model of that size."""


def read_arch(what: str, shapes: Shapes, family: Family, config: Mapping[str, Any]) -> SamArch:
    """The architecture that tensors of these shapes (under transformers' names) belong to.

    `config` is what a config.json beside the file says, or empty. Raises WeightsError, beginning
    with `what`, for shapes that are not those of the family.
    """
    try:
        return (_sam if family == "sam" else _sam2)(what, shapes, config)
    except (KeyError, ValueError, IndexError, ZeroDivisionError, TypeError) as exc:
        raise WeightsError(
            f"{what}: the tensors' shapes are not those of a whole model of SAM or SAM 2 "
            f"({exc} is wrong or missing); fetch the file again or take another one."
        ) from exc


def size_of(arch: SamArch) -> str | None:
    """The known model of this architecture's size, if it is one's."""
    part = arch.backbone or arch.vision
    blocks = part.get("num_hidden_layers") or sum(part["blocks_per_stage"])
    return SIZES.get((arch.family, part["hidden_size"], blocks))


def _sam(_what: str, shapes: Shapes, _config: Mapping[str, Any]) -> SamArch:
    width, _channels, patch, _patch = shapes["vision_encoder.patch_embed.projection.weight"]
    _one, side, _side, _width = shapes["vision_encoder.pos_embed"]
    layers = _count(shapes, "vision_encoder.layers")
    tables = [shapes[f"vision_encoder.layers.{i}.attn.rel_pos_h"] for i in range(layers)]
    reach = [(rows + 1) // 2 for rows, _ in tables]
    windows = {found for found in reach if found != side}
    if len(windows) > 1:
        raise ValueError("the size of the attention's windows")
    image_px = side * patch
    vision = {
        "hidden_size": width,
        "output_channels": shapes["vision_encoder.neck.conv1.weight"][0],
        "num_hidden_layers": layers,
        "num_attention_heads": width // tables[0][1],
        "image_size": image_px,
        "patch_size": patch,
        "mlp_dim": shapes["vision_encoder.layers.0.mlp.lin1.weight"][0],
        "window_size": windows.pop() if windows else side,
        "global_attn_indexes": [i for i, found in enumerate(reach) if found == side],
        "num_pos_feats": shapes["shared_image_embedding.positional_embedding"][1],
    }
    points = _count(shapes, "prompt_encoder.point_embed")
    mlp = shapes["mask_decoder.transformer.layers.0.mlp.lin1.weight"][0]
    prompt = _prompt(shapes, image_px, patch, points)
    return SamArch("sam", image_px, vision, None, prompt, _decoder(shapes, mlp))


def _sam2(what: str, shapes: Shapes, config: Mapping[str, Any]) -> SamArch:
    stem = "vision_encoder.backbone"
    width, _channels, kernel, _kernel = shapes[f"{stem}.patch_embed.projection.weight"]
    blocks = _blocks_per_stage(shapes, stem)
    ends = [sum(blocks[: i + 1]) - 1 for i in range(len(blocks))]
    widths = [shapes[f"{stem}.blocks.{end}.attn.proj.weight"][0] for end in ends]
    rest = _told(config) or _HIERA.get((width, tuple(blocks)))
    if rest is None or len(rest.heads) != len(blocks):
        raise WeightsError(
            f"{what} is of no size of SAM 2 that framekeep knows ({width} channels, blocks "
            f"{blocks}): put the config.json that belongs to it beside the file."
        )
    if any(channels % heads for channels, heads in zip(widths, rest.heads, strict=True)):
        raise ValueError("the number of heads")
    backbone = {
        "hidden_size": width,
        "num_attention_heads": rest.heads[0],
        "image_size": [rest.image_px, rest.image_px],
        "patch_kernel_size": [kernel, kernel],
        "blocks_per_stage": blocks,
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": rest.heads,
        "window_size_per_stage": rest.windows,
        "global_attention_blocks": rest.whole,
        "window_positional_embedding_background_size": list(shapes[f"{stem}.pos_embed"][2:]),
        "mlp_ratio": shapes[f"{stem}.blocks.0.mlp.proj_in.weight"][0] / width,
    }
    hidden = shapes["vision_encoder.neck.convs.0.weight"][0]
    vision = {
        "backbone_channel_list": widths[::-1],
        "backbone_feature_sizes": [[rest.image_px // by] * 2 for by in (4, 8, 16)],
        "fpn_hidden_size": hidden,
    }
    mlp = shapes["mask_decoder.transformer.layers.0.mlp.proj_in.weight"][0]
    prompt = _prompt(shapes, rest.image_px, 16, shapes["prompt_encoder.point_embed.weight"][0])
    return SamArch("sam2", rest.image_px, vision, backbone, prompt, _decoder(shapes, mlp))


def _prompt(shapes: Shapes, image_px: int, patch: int, points: int) -> dict[str, Any]:
    return {
        "hidden_size": shapes["prompt_encoder.no_mask_embed.weight"][1],
        "image_size": image_px,
        "patch_size": patch,
        "mask_input_channels": shapes["prompt_encoder.mask_embed.conv2.weight"][0],
        "num_point_embeddings": points,
    }


def _decoder(shapes: Shapes, mlp_dim: int) -> dict[str, Any]:
    stem = "mask_decoder"
    tokens, hidden = shapes[f"{stem}.mask_tokens.weight"]
    inner = shapes[f"{stem}.transformer.layers.0.cross_attn_token_to_image.q_proj.weight"][0]
    return {
        "hidden_size": hidden,
        "mlp_dim": mlp_dim,
        "num_hidden_layers": _count(shapes, f"{stem}.transformer.layers"),
        "num_attention_heads": _DECODER_HEADS,
        "attention_downsample_rate": hidden // inner,
        "num_multimask_outputs": tokens - 1,
        "iou_head_depth": _count(shapes, f"{stem}.iou_prediction_head.layers") + 2,
        "iou_head_hidden_dim": shapes[f"{stem}.iou_prediction_head.proj_in.weight"][0],
    }


def _count(shapes: Shapes, stem: str) -> int:
    """How many are numbered below a name."""
    pattern = re.compile(re.escape(stem) + r"\.(\d+)\.")
    return max((int(found[1]) + 1 for key in shapes if (found := pattern.match(key))), default=0)


def _blocks_per_stage(shapes: Shapes, stem: str) -> list[int]:
    """A stage begins where the width changes, which is where a block has a projection."""
    total = _count(shapes, f"{stem}.blocks")
    starts = [i for i in range(1, total) if f"{stem}.blocks.{i}.proj.weight" in shapes]
    edges = [0, *starts, total]
    return [end - start for start, end in itertools.pairwise(edges)]


def _told(config: Mapping[str, Any]) -> _Hiera | None:
    """What a configuration of transformers' form says of the picture encoder, where it says all."""
    vision = config.get("vision_config")
    part = vision.get("backbone_config") if isinstance(vision, Mapping) else None
    if not isinstance(part, Mapping):
        return None
    keys = ("num_attention_heads_per_stage", "window_size_per_stage", "global_attention_blocks")
    lists = [part.get(key) for key in keys]
    if not all(isinstance(found, list) for found in lists):
        return None
    heads, windows, whole = ([int(number) for number in found or ()] for found in lists)
    side = part.get("image_size", 1024)
    return _Hiera(heads, windows, whole, int(side[0] if isinstance(side, list) else side))
