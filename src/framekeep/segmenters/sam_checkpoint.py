"""Read a checkpoint of SAM or SAM 2, Meta's or transformers', into transformers' model, strictly.

Every tensor of the file is used, or known to belong to what follows objects through videos; none
is missing and none has another shape. The file is mapped into memory, not copied.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framekeep.errors import SegmenterError, WeightsError
from framekeep.segmenters.sam_arch import SamArch, read_arch
from framekeep.segmenters.sam_names import Dialect, Family, family_of, name_table

if TYPE_CHECKING:
    import torch

SIDECAR = "config.json"
"""A file beside a checkpoint that is read with it; a copy of the one needs the other."""


@dataclass(frozen=True, slots=True)
class SamCheckpoint:
    """A whole model: `tensors` float32 on the CPU, under transformers' names."""

    arch: SamArch
    tensors: dict[str, torch.Tensor]
    dialect: Dialect


def sniff(path: Path) -> Family | None:
    """Whether a file is of SAM or of SAM 2, by its tensors' names; None for anything else."""
    try:
        found = family_of(_tensors(path))
    except WeightsError:
        return None
    return found[0] if found else None


def read_sam(path: Path) -> SamCheckpoint:
    """Read a checkpoint. Nothing in it is run: safetensors, or pickles with ``weights_only``.

    Raises WeightsError for a file that is missing, damaged, or of no model of SAM or SAM 2.
    """
    tensors = _tensors(path)
    found = family_of(tensors)
    if found is None:
        some = ", ".join(sorted(tensors)[:3]) or "no tensors at all"
        raise WeightsError(
            f"{path} is not a checkpoint of SAM or SAM 2 that framekeep knows (it holds {some}); "
            "known are Meta's and transformers'."
        )
    family, dialect = found
    table = name_table(tensors, family, dialect)
    try:
        ours = {name: _joined(tensors, keys) for name, keys in table.items()}
    except RuntimeError as exc:
        raise WeightsError(
            f"{path}: parts of one tensor do not fit each other ({exc}); the file is damaged."
        ) from exc
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.items()}
    arch = read_arch(str(path), shapes, family, _config(path))
    return SamCheckpoint(arch, ours, dialect)


def build_model(path: Path, checkpoint: SamCheckpoint) -> Any:
    """Transformers' SamModel or Sam2Model with the checkpoint's tensors, which are not copied.

    Raises SegmenterError where transformers is missing, WeightsError where a tensor is missing,
    too many, or of another shape.
    """
    import torch

    arch = checkpoint.arch
    with torch.device("meta"):
        try:
            model = _empty_model(arch)
        except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as exc:
            raise WeightsError(f"{path}: no model can have these tensors ({exc}).") from exc
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    _compare(path, expected, checkpoint.tensors)
    model.load_state_dict(checkpoint.tensors, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def check_sam(path: Path) -> Family:
    """Make sure that a file is a whole model whose tensors are numbers. Raises as `build_model`."""
    checkpoint = read_sam(path)
    build_model(path, checkpoint)
    for name, tensor in checkpoint.tensors.items():
        if not bool(tensor.isfinite().all()):
            raise WeightsError(
                f"{path}: the tensor {name!r} holds values that are not numbers; fetch the file "
                "again."
            )
    return checkpoint.arch.family


def _empty_model(arch: SamArch) -> Any:
    try:
        if arch.family == "sam":
            from transformers import SamConfig, SamModel, SamVisionConfig
            from transformers.models.sam.configuration_sam import (
                SamMaskDecoderConfig,
                SamPromptEncoderConfig,
            )

            return SamModel(
                SamConfig(
                    vision_config=SamVisionConfig(**arch.vision),
                    prompt_encoder_config=SamPromptEncoderConfig(**arch.prompt),
                    mask_decoder_config=SamMaskDecoderConfig(**arch.decoder),
                )
            )
        from transformers import Sam2Config, Sam2Model
        from transformers.models.sam2.configuration_sam2 import (
            Sam2HieraDetConfig,
            Sam2MaskDecoderConfig,
            Sam2PromptEncoderConfig,
            Sam2VisionConfig,
        )
    except ImportError as exc:
        raise SegmenterError(
            "SAM needs the package transformers, which is not installed here or too old: run "
            "`pip install 'framekeep[sam]'`."
        ) from exc
    backbone = Sam2HieraDetConfig(**(arch.backbone or {}))
    return Sam2Model(
        Sam2Config(
            vision_config=Sam2VisionConfig(backbone_config=backbone, **arch.vision),
            prompt_encoder_config=Sam2PromptEncoderConfig(**arch.prompt),
            mask_decoder_config=Sam2MaskDecoderConfig(**arch.decoder),
        )
    )


def _compare(
    path: Path, expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, torch.Tensor]
) -> None:
    missing, more = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected)
    if missing:
        raise WeightsError(
            f"{path} is not a whole model: it lacks {_some(missing)}; fetch the file again or take "
            "another one."
        )
    if more:
        raise WeightsError(
            f"{path} is of a variant of SAM that is not supported: it also holds {_some(more)}; "
            "take a plain checkpoint of SAM or SAM 2."
        )
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != shape:
            raise WeightsError(
                f"{path}: the tensor {name!r} has the shape {tuple(tensors[name].shape)}, which "
                f"does not fit the rest of the model ({shape} is needed); the file is damaged or "
                "of a variant that is not supported."
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _joined(tensors: Mapping[str, torch.Tensor], keys: tuple[str, ...]) -> torch.Tensor:
    import torch

    parts = [tensors[key].detach().to(torch.float32) for key in keys]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _config(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((path.parent / SIDECAR).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


# --- files -------------------------------------------------------------------------------------


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, mapped into memory."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as exc:
        raise WeightsError(
            f"{path} cannot be opened ({exc.strerror or exc}); name a checkpoint file."
        ) from exc
    try:
        # By content: a safetensors file begins with a length in 8 bytes and a JSON object.
        if path.suffix == ".safetensors" or head[8:9] == b"{":
            from safetensors.torch import load_file

            return dict(load_file(path))
        state = _unpickled(path)
    except Exception as exc:
        raise WeightsError(
            f"{path} is damaged, or not a checkpoint (safetensors, or saved by PyTorch); fetch "
            "the file again."
        ) from exc
    return state


def _unpickled(path: Path) -> dict[str, torch.Tensor]:
    import torch

    mapped = zipfile.is_zipfile(path)
    if mapped:
        with zipfile.ZipFile(path) as archive:
            # torch.load would hand a TorchScript archive on to what runs code in it.
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise ValueError("a TorchScript archive")
    state: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    return {
        str(key): value for key, value in dict(state).items() if isinstance(value, torch.Tensor)
    }
