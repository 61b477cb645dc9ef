"""The sizes of a CLIP model, and the names its tensors have in the three dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Activation = Literal["quick_gelu", "gelu"]
Dialect = Literal["openai", "transformers", "open_clip"]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ClipArch:
    """The sizes of a CLIP model: widths in channels, `patch` and `image_px` in pixels a side."""

    vision_width: int
    vision_layers: int
    vision_heads: int
    vision_mlp: int
    patch: int
    image_px: int
    text_width: int
    text_layers: int
    text_heads: int
    text_mlp: int
    context: int
    vocab: int
    embed_dim: int
    activation: Activation

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Source:
    """Where one of our tensors comes from: keys joined along axis 0, then transposed or not."""

    keys: tuple[str, ...]
    transposed: bool = False


_PER_DIALECT: dict[str, dict[str, str]] = {
    # our name -> the key in OpenAI's and open_clip's files
    "openai": {
        "vision.class_token": "visual.class_embedding",
        "vision.positions": "visual.positional_embedding",
        "vision.patches.weight": "visual.conv1.weight",
        "vision.norm_in": "visual.ln_pre",
        "vision.norm_out": "visual.ln_post",
        "vision.projection.weight": "visual.proj",
        "text.tokens.weight": "token_embedding.weight",
        "text.positions": "positional_embedding",
        "text.norm_out": "ln_final",
        "text.projection.weight": "text_projection",
    },
    "transformers": {
        "vision.class_token": "vision_model.embeddings.class_embedding",
        "vision.positions": "vision_model.embeddings.position_embedding.weight",
        "vision.patches.weight": "vision_model.embeddings.patch_embedding.weight",
        "vision.norm_in": "vision_model.pre_layrnorm",
        "vision.norm_out": "vision_model.post_layernorm",
        "vision.projection.weight": "visual_projection.weight",
        "text.tokens.weight": "text_model.embeddings.token_embedding.weight",
        "text.positions": "text_model.embeddings.position_embedding.weight",
        "text.norm_out": "text_model.final_layer_norm",
        "text.projection.weight": "text_projection.weight",
    },
}
BLOCKS = {
    "openai": {"vision": "visual.transformer.resblocks", "text": "transformer.resblocks"},
    "transformers": {"vision": "vision_model.encoder.layers", "text": "text_model.encoder.layers"},
}
_IN_BLOCK: dict[str, dict[str, tuple[str, ...]]] = {
    "openai": {
        "norm_1": ("ln_1.{}",),
        "qkv": ("attn.in_proj_{}",),
        "out": ("attn.out_proj.{}",),
        "norm_2": ("ln_2.{}",),
        "up": ("mlp.c_fc.{}",),
        "down": ("mlp.c_proj.{}",),
    },
    "transformers": {
        "norm_1": ("layer_norm1.{}",),
        "qkv": ("self_attn.q_proj.{}", "self_attn.k_proj.{}", "self_attn.v_proj.{}"),
        "out": ("self_attn.out_proj.{}",),
        "norm_2": ("layer_norm2.{}",),
        "up": ("mlp.fc1.{}",),
        "down": ("mlp.fc2.{}",),
    },
}


_WITHOUT_EFFECT = frozenset(
    {
        # Temperatures and biases of training.
        "logit_scale",
        "logit_bias",
        # Constants that older files keep: the causal mask, counted positions, sizes.
        "attn_mask",
        "vision_model.embeddings.position_ids",
        "text_model.embeddings.position_ids",
        "input_resolution",
        "context_length",
        "vocab_size",
    }
)


def without_effect(key: str) -> bool:
    """Whether a tensor of a checkpoint changes no vector, so that it may be passed over."""
    return key in _WITHOUT_EFFECT


def family_of(dialect: Dialect) -> str:
    """Whose names `dialect` uses: OpenAI's and open_clip's are the same."""
    return "transformers" if dialect == "transformers" else "openai"


def key_table(dialect: Dialect, vision_layers: int, text_layers: int) -> dict[str, Source]:
    """Each of our tensor names with the keys it comes from in a file of `dialect`."""
    family = family_of(dialect)
    table: dict[str, Source] = {}
    for ours, theirs in _PER_DIALECT[family].items():
        if ".norm_" in ours:
            for part in ("weight", "bias"):
                table[f"{ours}.{part}"] = Source((f"{theirs}.{part}",))
        else:
            flip = family == "openai" and ours.endswith("projection.weight")
            table[ours] = Source((theirs,), transposed=flip)
    for tower, layers in (("vision", vision_layers), ("text", text_layers)):
        for layer in range(layers):
            stem = f"{BLOCKS[family][tower]}.{layer}."
            for name, keys in _IN_BLOCK[family].items():
                for part in ("weight", "bias"):
                    source = tuple(stem + key.format(part) for key in keys)
                    table[f"{tower}.blocks.{layer}.{name}.{part}"] = Source(source)
    return table


def expected_shapes(arch: ClipArch) -> dict[str, tuple[int, ...]]:
    """Every tensor of a model of this architecture, under our names, with its shape."""
    v, t = arch.vision_width, arch.text_width
    shapes: dict[str, tuple[int, ...]] = {
        "vision.class_token": (v,),
        "vision.positions": ((arch.image_px // arch.patch) ** 2 + 1, v),
        "vision.patches.weight": (v, 3, arch.patch, arch.patch),
        "vision.projection.weight": (arch.embed_dim, v),
        "text.tokens.weight": (arch.vocab, t),
        "text.positions": (arch.context, t),
        "text.projection.weight": (arch.embed_dim, t),
    }
    for norm, width in (("vision.norm_in", v), ("vision.norm_out", v), ("text.norm_out", t)):
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (width,)
    towers = (
        ("vision", arch.vision_layers, v, arch.vision_mlp),
        ("text", arch.text_layers, t, arch.text_mlp),
    )
    for tower, layers, width, mlp in towers:
        for layer in range(layers):
            stem = f"{tower}.blocks.{layer}."
            for norm in ("norm_1", "norm_2"):
                shapes[f"{stem}{norm}.weight"] = shapes[f"{stem}{norm}.bias"] = (width,)
            for name, rows, columns in (
                ("qkv", 3 * width, width),
                ("out", width, width),
                ("up", mlp, width),
                ("down", width, mlp),
            ):
                shapes[f"{stem}{name}.weight"] = (rows, columns)
                shapes[f"{stem}{name}.bias"] = (rows,)
    return shapes
