"""From the names in Meta's checkpoints of SAM and SAM 2 to those of transformers' models.

Names only: nothing here reads a file or needs torch. SAM: Kirillov et al. 2023, "Segment Anything";
SAM 2: Ravi et al. 2024, "SAM 2: Segment Anything in Images and Videos".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

Family = Literal["sam", "sam2"]
Dialect = Literal["meta", "transformers"]
Table = dict[str, tuple[str, ...]]
"""A name of transformers, and the names of the file that are joined to it, row under row."""

_SIGNS: tuple[tuple[str, Family, Dialect], ...] = (
    ("image_encoder.trunk.patch_embed.proj.weight", "sam2", "meta"),
    ("image_encoder.patch_embed.proj.weight", "sam", "meta"),
    ("vision_encoder.backbone.patch_embed.projection.weight", "sam2", "transformers"),
    ("vision_encoder.patch_embed.projection.weight", "sam", "transformers"),
)

_BOTH = (
    (r"\.norm(\d)\.", r".layer_norm\1."),
    (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.pe_layer\.positional_encoding_gaussian_matrix$", ".shared_embedding.positional_embedding"),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
)
_ONLY: Mapping[Family, tuple[tuple[str, str], ...]] = {
    "sam": (
        (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
        (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
        (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
        (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
        (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
        (r"^image_encoder\.", "vision_encoder."),
        (r"\.point_embeddings\.", ".point_embed."),
    ),
    "sam2": (
        (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
        (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
        (r"^sam_prompt_encoder\.", "prompt_encoder."),
        (r"^sam_mask_decoder\.", "mask_decoder."),
        (r"\.point_embeddings\.\d+\.", ".point_embed."),
        (r"\.out_proj\.", ".o_proj."),
        (r"^no_mem_embed$", "no_memory_embedding"),
    ),
}
# What follows objects through videos, and constants; a single picture needs none of it.
_UNUSED: Mapping[Dialect, re.Pattern[str]] = {
    "meta": re.compile(
        r"memory_attention\.|memory_encoder\.|mask_downsample\.|obj_ptr_proj\.|obj_ptr_tpos_proj\."
        r"|(maskmem_tpos_enc|no_mem_pos_enc|no_obj_ptr|no_obj_embed_spatial|pixel_mean|pixel_std)$"
    ),
    "transformers": re.compile(
        r"memory_attention\.|memory_encoder\.|mask_downsample\.|object_pointer_proj\."
        r"|temporal_positional_encoding_projection_layer\."
        r"|(memory_temporal_positional_encoding|no_memory_positional_encoding|no_object_pointer"
        r"|occlusion_spatial_embedding_parameter)$"
    ),
}
_CHAIN = re.compile(r"(.+)\.layers\.(\d+)\.(weight|bias)")
_TIED = (
    "shared_image_embedding.positional_embedding",
    "prompt_encoder.shared_embedding.positional_embedding",
)


def family_of(keys: Iterable[str]) -> tuple[Family, Dialect] | None:
    """Which model a file's tensors belong to, and whose names they have; None for neither."""
    there = set(keys)
    return next(((family, dialect) for sign, family, dialect in _SIGNS if sign in there), None)


def name_table(keys: Iterable[str], family: Family, dialect: Dialect) -> Table:
    """Where each tensor of transformers' model comes from; every key that counts is used.

    The positions' matrix stands under two names in transformers' models and under one in most
    files.
    """
    wanted = [key for key in keys if not _UNUSED[dialect].match(key)]
    sources: defaultdict[str, list[str]] = defaultdict(list)
    last = _last_links(wanted) if dialect == "meta" else {}
    for key in wanted:
        sources[_renamed(key, family, last) if dialect == "meta" else key].append(key)
    for one, other in (_TIED, _TIED[::-1]):
        if one not in sources and other in sources:
            sources[one] = sources[other]
    # Meta numbers what is joined, so their order is that of their names.
    return {name: tuple(sorted(found)) for name, found in sources.items()}


def _last_links(keys: Iterable[str]) -> dict[str, int]:
    """The number of the last dense layer of each chain of them."""
    last: dict[str, int] = {}
    for key in keys:
        if found := _CHAIN.fullmatch(key):
            last[found[1]] = max(last.get(found[1], 0), int(found[2]))
    return last


def _renamed(key: str, family: Family, last: Mapping[str, int]) -> str:
    if found := _CHAIN.fullmatch(key):
        chain, number, kind = found[1], int(found[2]), found[3]
        link = f"layers.{number - 1}"
        if number in (0, last[chain]):
            link = "proj_out" if number else "proj_in"
        key = f"{chain}.{link}.{kind}"
    for pattern, replacement in (*_ONLY[family], *_BOTH):
        key = re.sub(pattern, replacement, key)
    return key
