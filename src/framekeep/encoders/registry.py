"""From an encoder's name to what is known of it, to its weights, and to the encoder itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framekeep.devices import likely_gpu
from framekeep.encoders.weights import KNOWN
from framekeep.errors import NotFoundError, OfflineError, PrecisionError, WeightsError
from framekeep.model_folder import (
    CARD,
    STARTER,
    ModelCard,
    ModelStatus,
    VerifyResult,
    cards,
    check_known,
    check_new_name,
    checkpoint_in,
    checkpoint_path,
    keep_copy,
    make_card,
    read_card,
    status_of,
    verify_card,
)
from framekeep.settings import Settings
from framekeep.types import EncoderInfo
from framekeep.weights import Progress, fetch, reachable, sha256_of

if TYPE_CHECKING:
    from framekeep.encoders.base import Encoder

__all__ = [
    "CARD",
    "DEFAULT",
    "KNOWN",
    "STARTER",
    "DefaultChoice",
    "ModelStatus",
    "VerifyResult",
    "add_model",
    "choose_default",
    "describe",
    "list_models",
    "load_encoder",
    "pull",
    "verify",
]

KIND = "clip"
DEFAULT = "clip-vit-b-32"
PREPROCESSING = "p1"
_CHECKPOINTS = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class DefaultChoice:
    """The encoder a new library takes, and the sentence that says why, where it is not CLIP."""

    name: str
    sentence: str | None = None


def list_models(settings: Settings) -> list[ModelStatus]:
    """The shipped encoder, the known models, and the user's own."""
    from framekeep.encoders.starter import starter_info, starter_status

    size, digest = starter_status()
    found = [
        ModelStatus(
            STARTER, "starter", starter_info().dim, True, size, "shipped, works offline", digest
        )
    ]
    own = {card.name: card for card in cards(settings, (KIND,))}
    for name in dict.fromkeys([*KNOWN, *own]):
        known = KNOWN.get(name)
        if name in own:
            note = known.note if known else "added by you"
            found.append(status_of(own[name], settings, KIND, note))
        elif known:
            found.append(ModelStatus(name, KIND, known.dim, False, known.approx_bytes, known.note))
    return found


def describe(name: str, settings: Settings) -> EncoderInfo:
    """An encoder's id and dimension, without loading it.

    Raises NotFoundError for an unknown name, WeightsError where its weights are not on disk.
    """
    if name == STARTER:
        from framekeep.encoders.starter import starter_info

        return starter_info()
    card = _require_card(name, settings)
    return EncoderInfo(name, f"{name}@{card.sha256[:12]}/{PREPROCESSING}", card.dim)


def load_encoder(name: str, settings: Settings, precision: str = "fp32") -> Encoder:
    """The encoder of that name.

    The engine is the settings' own; "auto" means ONNX Runtime for fp32 and int8 on a CPU, which
    is the quicker one there, and torch for bf16 and wherever a GPU is to be used.

    Raises NotFoundError, WeightsError, and PrecisionError where the precision is not to be had.
    """
    info = replace(describe(name, settings), precision=precision)
    if name == STARTER:
        if precision != "fp32":
            raise PrecisionError(f"The starter encoder runs in fp32 only, not in {precision}.")
        from framekeep.encoders.starter import StarterEncoder

        return StarterEncoder(info)
    card = _require_card(name, settings)
    checkpoint = checkpoint_path(card, settings)
    activation: Any = card.activation
    if _engine(settings, precision) == "torch":
        from framekeep.encoders.clip_torch import TorchClipEncoder

        return TorchClipEncoder(info, checkpoint, settings.device, activation)
    from framekeep.encoders.clip_onnx import OnnxClipEncoder

    cache = settings.models / name / "onnx"
    return OnnxClipEncoder(info, checkpoint, cache, settings.device, activation)


def _engine(settings: Settings, precision: str) -> str:
    if settings.engine == "onnx" and precision == "bf16":
        raise PrecisionError("bf16 runs on the torch engine: leave FRAMEKEEP_ENGINE at auto.")
    if settings.engine == "torch" and precision == "int8":
        raise PrecisionError("int8 runs on the onnx engine: leave FRAMEKEEP_ENGINE at auto.")
    if settings.engine != "auto":
        return settings.engine
    if precision == "int8":
        return "onnx"
    gpu = settings.device in ("cuda", "mps") or (settings.device == "auto" and likely_gpu())
    return "torch" if precision == "bf16" or gpu else "onnx"


def choose_default(settings: Settings, progress: Progress | None = None) -> DefaultChoice:
    """CLIP where its weights are on disk or can be fetched now (then they are), else `starter`."""
    if _card(DEFAULT, settings) is not None:
        return DefaultChoice(DEFAULT)
    if settings.offline:
        return _starter_because("FRAMEKEEP_OFFLINE forbids fetching CLIP")
    if not reachable(KNOWN[DEFAULT].sources, settings.connect_timeout_s):
        return _starter_because("no place that has CLIP's weights can be reached")
    try:
        pull(DEFAULT, settings, progress)
    except WeightsError as exc:
        return _starter_because(str(exc).rstrip("."))
    return DefaultChoice(DEFAULT)


def _starter_because(reason: str) -> DefaultChoice:
    return DefaultChoice(
        STARTER,
        f"This library uses the shipped starter encoder, because {reason}; to change later, run "
        f"`framekeep models pull {DEFAULT}` and `framekeep library encoder {DEFAULT}`.",
    )


def pull(name: str, settings: Settings, progress: Progress | None = None) -> ModelStatus:
    """Fetch a known model's weights; nothing is done where they are there already.

    Raises NotFoundError for an unknown name, OfflineError, WeightsError.
    """
    if name == STARTER or _card(name, settings) is not None:
        return _status(name, settings)
    if name not in KNOWN:
        raise NotFoundError(f"There is no model {name} to fetch: {_names(settings)}.")
    folder = settings.models / name
    path, source = fetch(
        name,
        KNOWN[name].sources,
        folder,
        offline=settings.offline,
        connect_timeout_s=settings.connect_timeout_s,
        progress=progress,
    )
    _write_card(name, path, source.sha256, source.address, "quick_gelu")
    return _status(name, settings)


def add_model(name: str, path: Path, settings: Settings) -> ModelStatus:
    """Take a local CLIP checkpoint, of any dialect, under a name of the user's own.

    `path` is a file, or a folder as the hub lays it out. The file is copied. A known model's name
    is taken only for a file with one of that model's own SHA-256s.
    Raises InputError for the name, NotFoundError for the path, WeightsError for the file.
    """
    check_new_name(name, settings)
    source = checkpoint_in(path, _CHECKPOINTS)
    digest = sha256_of(source)
    check_known(source, digest, KNOWN.get(name))
    from framekeep.encoders.checkpoint import SIDECARS, peek_arch

    arch = peek_arch(source)
    target = keep_copy(source, digest, settings.models / name, SIDECARS)
    _write_card(name, target, digest, str(source), arch.activation)
    return _status(name, settings)


def verify(settings: Settings, name: str | None = None) -> list[VerifyResult]:
    """Compare every checkpoint on disk with its SHA-256. Raises NotFoundError for a name."""
    from framekeep.encoders.starter import verify_starter

    if name is not None:
        describe(name, settings)
    results = []
    if name in (None, STARTER):
        folder, reason = verify_starter()
        results.append(VerifyResult(STARTER, not reason, folder, reason))
    results.extend(
        verify_card(card, settings)
        for card in cards(settings, (KIND,))
        if name in (None, card.name)
    )
    return results


def _status(name: str, settings: Settings) -> ModelStatus:
    return next(model for model in list_models(settings) if model.name == name)


def _names(settings: Settings) -> str:
    return f"there are {', '.join(model.name for model in list_models(settings))}"


def _require_card(name: str, settings: Settings) -> ModelCard:
    card = _card(name, settings)
    if card is not None and checkpoint_path(card, settings).exists():
        return card
    if name not in KNOWN:
        raise NotFoundError(f"There is no model {name}: {_names(settings)}.")
    error = OfflineError if settings.offline else WeightsError
    raise error(
        f"The weights of {name} are not on this machine: run `framekeep models pull {name}`, or "
        f"copy the file here and run `framekeep models add {name} FILE`."
    )


def _card(name: str, settings: Settings) -> ModelCard | None:
    card = read_card(name, settings)
    return card if card is not None and card.kind == KIND else None


def _write_card(name: str, path: Path, digest: str, source: str, activation: Any) -> None:
    from framekeep.encoders.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(path, activation)
    make_card(
        name,
        path,
        digest,
        source,
        KIND,
        dim=checkpoint.arch.embed_dim,
        activation=checkpoint.arch.activation,
        dialect=checkpoint.dialect,
    )
