"""Read a CLIP checkpoint in any of three dialects into one set of names.

The dialects are OpenAI's TorchScript archive, the names of transformers' CLIPModel, and
open_clip's. The architecture is read from the tensors' shapes. Two things shapes do not tell,
the activation and the number of heads, come from a ``config.json`` or ``open_clip_config.json``
beside the file; without one each dialect's own default holds: quick_gelu for OpenAI's and
transformers', gelu for open_clip's, and 64 channels per head (more in ViT-H and larger).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from framekeep.encoders.clip_arch import (
    BLOCKS,
    Activation,
    ClipArch,
    Dialect,
    Shapes,
    Source,
    expected_shapes,
    family_of,
    key_table,
    without_effect,
)
from framekeep.encoders.torchscript import is_torchscript, read_torchscript
from framekeep.errors import WeightsError

if TYPE_CHECKING:
    import torch

__all__ = ["Activation", "Checkpoint", "ClipArch", "Dialect", "peek_arch", "read_checkpoint"]

SIDECARS = ("open_clip_config.json", "config.json")
"""Files beside a checkpoint that are read with it; a copy of the one needs the other."""

_HEAD_WIDTH = 64
# OpenCLIP's big picture towers (ViT-H, ViT-g, ViT-bigG) are the exceptions, known by width.
_VISION_HEAD_WIDTHS = {1280: 80, 1408: 88, 1664: 104}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole model: `tensors` float32 on the CPU, under the names of `clip_torch.Clip`."""

    arch: ClipArch
    tensors: dict[str, torch.Tensor]
    dialect: Dialect


def peek_arch(path: Path, activation: Activation | None = None) -> ClipArch:
    """Read the architecture; a safetensors file is neither read whole nor is torch imported.

    `activation` wins over what the file's surroundings say. Raises WeightsError for a file that
    is missing, damaged, incomplete or not a CLIP checkpoint.
    """
    path = Path(path)
    if _is_safetensors(path):
        shapes: Shapes = _safetensors_shapes(path)
        archive = False
    else:
        tensors, archive = _load_torch_file(path)
        shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    arch, _dialect, _table = _understand(path, shapes, archive, activation)
    return arch


def read_checkpoint(path: Path, activation: Activation | None = None) -> Checkpoint:
    """Read a checkpoint whole.

    Nothing in a file is run: pickled state dicts are read with ``weights_only=True``, TorchScript
    archives by `torchscript`. Raises WeightsError for a file that is missing, damaged, incomplete
    or not a CLIP checkpoint, and for one with tensors whose effect framekeep does not know.
    """
    path = Path(path)
    if _is_safetensors(path):
        from safetensors.torch import load_file

        try:
            tensors, archive = cast("dict[str, torch.Tensor]", load_file(path)), False
        except Exception as exc:
            raise _damaged(path) from exc
    else:
        tensors, archive = _load_torch_file(path)
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    arch, dialect, table = _understand(path, shapes, archive, activation)
    ours = {name: _gather(tensors, source) for name, source in table.items()}
    for name, tensor in ours.items():
        if not bool(tensor.isfinite().all()):
            raise WeightsError(
                f"{path}: the tensor {table[name].keys[0]!r} holds values that are not numbers; "
                "fetch the file again."
            )
    return Checkpoint(arch, ours, dialect)


# --- understanding -----------------------------------------------------------------------------


def _understand(
    path: Path, shapes: Shapes, archive: bool, activation: Activation | None
) -> tuple[ClipArch, Dialect, dict[str, Source]]:
    """Tell the dialect and architecture, and check that every tensor is there and fits."""
    dialect = _dialect(path, shapes, archive)
    family = family_of(dialect)
    layers = {tower: _count_layers(shapes, prefix) for tower, prefix in BLOCKS[family].items()}
    table = key_table(dialect, max(1, layers["vision"]), max(1, layers["text"]))
    missing = [key for source in table.values() for key in source.keys if key not in shapes]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise WeightsError(
            f"{path} is not a whole CLIP checkpoint: it lacks {', '.join(missing[:3])}{more}; "
            "fetch the file again or take another one."
        )
    _refuse_more(path, shapes, table)
    found = {name: _joined_shape(shapes, source) for name, source in table.items()}
    arch = _read_arch(path, found, layers, _default_activation(dialect))
    arch = _ask_sidecar(path, arch)
    if activation is not None:
        arch = replace(arch, activation=activation)
    expected = expected_shapes(arch)
    for name, shape in found.items():
        if shape != expected[name]:
            raise WeightsError(
                f"{path}: the tensor {table[name].keys[0]!r} has the shape {shape}, which does "
                f"not fit the rest of the model ({expected[name]} is needed); the file is damaged "
                "or of a variant of CLIP that is not supported."
            )
    return arch, dialect, table


def _refuse_more(path: Path, shapes: Shapes, table: Mapping[str, Source]) -> None:
    """A tensor left out could change every vector, so only those known to change none may be."""
    used = {key for source in table.values() for key in source.keys}
    more = sorted(key for key in shapes if key not in used and not without_effect(key))
    if more:
        others = f" and {len(more) - 3} more" if len(more) > 3 else ""
        raise WeightsError(
            f"{path} is of a variant of CLIP that is not supported: it also holds "
            f"{', '.join(more[:3])}{others}; take a plain CLIP checkpoint."
        )


def _dialect(path: Path, shapes: Shapes, archive: bool) -> Dialect:
    if any(key.startswith("vision_model.") for key in shapes):
        return "transformers"
    if "visual.conv1.weight" in shapes or "token_embedding.weight" in shapes:
        return "openai" if archive or "input_resolution" in shapes else "open_clip"
    some = ", ".join(sorted(shapes)[:3]) or "no tensors at all"
    raise WeightsError(
        f"{path} is not a CLIP checkpoint that framekeep knows (it holds {some}); known are "
        "OpenAI's archive, and the files of transformers' CLIPModel and of open_clip."
    )


def _count_layers(shapes: Shapes, prefix: str) -> int:
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.")
    numbers = [int(match.group(1)) for key in shapes if (match := pattern.match(key))]
    return max(numbers, default=-1) + 1


def _joined_shape(shapes: Shapes, source: Source) -> tuple[int, ...]:
    parts = [tuple(shapes[key]) for key in source.keys]
    shape = parts[0]
    if len(parts) > 1 and shape:
        shape = (sum(part[0] if part else 0 for part in parts), *shape[1:])
    return shape[::-1] if source.transposed else shape


def _read_arch(
    path: Path, found: Shapes, layers: Mapping[str, int], activation: Activation
) -> ClipArch:
    try:
        vision_width, channels, patch, _patch = found["vision.patches.weight"]
        positions, _width = found["vision.positions"]
        vocab, text_width = found["text.tokens.weight"]
        context, _width = found["text.positions"]
        embed_dim, _width = found["vision.projection.weight"]
        grid = math.isqrt(positions - 1)
        arch = ClipArch(
            vision_width=vision_width,
            vision_layers=layers["vision"],
            vision_heads=max(1, vision_width // _vision_head_width(vision_width)),
            vision_mlp=found["vision.blocks.0.up.weight"][0],
            patch=patch,
            image_px=grid * patch,
            text_width=text_width,
            text_layers=layers["text"],
            text_heads=max(1, text_width // _HEAD_WIDTH),
            text_mlp=found["text.blocks.0.up.weight"][0],
            context=context,
            vocab=vocab,
            embed_dim=embed_dim,
            activation=activation,
        )
    except (ValueError, IndexError) as exc:
        raise WeightsError(
            f"{path}: the tensors' shapes are not those of a CLIP model with a vision transformer."
        ) from exc
    if channels != 3 or grid * grid + 1 != positions:
        raise WeightsError(f"{path}: the picture tower takes no square RGB pictures.")
    return arch


def _vision_head_width(width: int) -> int:
    return _VISION_HEAD_WIDTHS.get(width, _HEAD_WIDTH)


def _default_activation(dialect: Dialect) -> Activation:
    return "gelu" if dialect == "open_clip" else "quick_gelu"


def _ask_sidecar(path: Path, arch: ClipArch) -> ClipArch:
    """Take activation and heads from the configuration beside the file, where there is one."""
    for name in SIDECARS:
        try:
            config = json.loads((path.parent / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(config, dict):
            continue
        if isinstance(config.get("model_cfg"), dict):
            arch = _from_open_clip_config(config["model_cfg"], arch)
            break
        if "vision_config" in config or "text_config" in config:
            arch = _from_transformers_config(path, config, arch)
            break
    for tower in ("vision", "text"):
        width, heads = getattr(arch, f"{tower}_width"), getattr(arch, f"{tower}_heads")
        if not isinstance(heads, int) or heads < 1 or width % heads:
            raise WeightsError(
                f"{path}: {width} channels of the {tower} tower cannot be shared by {heads} heads."
            )
    return arch


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _from_open_clip_config(config: Mapping[str, Any], arch: ClipArch) -> ClipArch:
    vision, text = _section(config, "vision_cfg"), _section(config, "text_cfg")
    head_width = vision.get("head_width", _vision_head_width(arch.vision_width))
    return replace(
        arch,
        activation="quick_gelu" if config.get("quick_gelu") else "gelu",
        vision_heads=arch.vision_width // head_width
        if isinstance(head_width, int) and head_width
        else 0,
        text_heads=text.get("heads", arch.text_heads),
    )


def _from_transformers_config(path: Path, config: Mapping[str, Any], arch: ClipArch) -> ClipArch:
    vision, text = _section(config, "vision_config"), _section(config, "text_config")
    for tower, section in (("vision", vision), ("text", text)):
        layers = getattr(arch, f"{tower}_layers")
        if section.get("num_hidden_layers", layers) != layers:
            raise WeightsError(
                f"{path} has {layers} layers in its {tower} tower, but the configuration beside "
                f"it says {section['num_hidden_layers']}; fetch the file again."
            )
    activations = {part["hidden_act"] for part in (vision, text) if "hidden_act" in part}
    activation: Activation = arch.activation
    if activations == {"quick_gelu"}:
        activation = "quick_gelu"
    elif activations == {"gelu"}:
        activation = "gelu"
    elif activations:
        raise WeightsError(
            f"{path}: the configuration beside it asks for the activation "
            f"{' and '.join(sorted(map(str, activations)))}; known are quick_gelu and gelu."
        )
    return replace(
        arch,
        activation=activation,
        vision_heads=vision.get("num_attention_heads", arch.vision_heads),
        text_heads=text.get("num_attention_heads", arch.text_heads),
    )


# --- files -------------------------------------------------------------------------------------


def _is_safetensors(path: Path) -> bool:
    """By content: a length in 8 bytes, then a JSON object."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as exc:
        raise WeightsError(
            f"{path} cannot be opened ({exc.strerror or exc}); name a checkpoint file."
        ) from exc
    return path.suffix == ".safetensors" or head[8:9] == b"{"


def _damaged(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is damaged, or not a checkpoint (safetensors, or saved by PyTorch); "
        "fetch the file again."
    )


def _safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except Exception as exc:
        raise _damaged(path) from exc


def _load_torch_file(path: Path) -> tuple[dict[str, torch.Tensor], bool]:
    """The tensors of a file saved by PyTorch, and whether it is a TorchScript archive."""
    import torch

    try:
        if is_torchscript(path):
            state: Any = read_torchscript(path)
            archive = True
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            archive = False
    except Exception as exc:
        raise _damaged(path) from exc
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict):
        raise _damaged(path)
    tensors = {
        str(key).removeprefix("module."): value
        for key, value in state.items()
        if isinstance(value, torch.Tensor)
    }
    return tensors, archive


def _gather(tensors: Mapping[str, torch.Tensor], source: Source) -> torch.Tensor:
    import torch

    parts = [tensors[key].detach().to(torch.float32) for key in source.keys]
    whole = parts[0] if len(parts) == 1 else torch.cat(parts)
    return (whole.T if source.transposed else whole).contiguous()
