"""From an encoder's name to what is known of it, to its weights, and to the encoder itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framekeep.encoders.weights import KNOWN, Progress, fetch, reachable, sha256_of
from framekeep.errors import (
    InputError,
    NotFoundError,
    OfflineError,
    PrecisionError,
    WeightsError,
)
from framekeep.settings import Settings
from framekeep.types import EncoderInfo

if TYPE_CHECKING:
    from framekeep.encoders.base import Encoder

STARTER = "starter"
DEFAULT = "clip-vit-b-32"
PREPROCESSING = "p1"
CARD = "model.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CHECKPOINTS = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model that can be named, and whether it can be used right now."""

    name: str
    kind: str
    dim: int
    on_disk: bool
    bytes: int
    note: str
    sha256: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is kept beside a checkpoint."""

    name: str
    file: str
    sha256: str
    dim: int
    activation: str
    dialect: str
    source: str
    added_at: str


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Whether a checkpoint still is what it was."""

    name: str
    ok: bool
    path: str
    reason: str = ""


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
    own = [path.parent.name for path in sorted(settings.models.glob(f"*/{CARD}"))]
    for name in dict.fromkeys([*KNOWN, *own]):
        card = _card(name, settings)
        known = KNOWN.get(name)
        note = known.note if known else "added by you"
        if card is None:
            if known:
                found.append(ModelStatus(name, "clip", known.dim, False, known.approx_bytes, note))
            continue
        path = settings.models / name / card.file
        size = path.stat().st_size if path.exists() else 0
        found.append(
            ModelStatus(name, "clip", card.dim, size > 0, size, note, card.sha256, str(path))
        )
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
    checkpoint = settings.models / name / card.file
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
    gpu = settings.device in ("cuda", "mps") or (settings.device == "auto" and _has_gpu())
    return "torch" if precision == "bf16" or gpu else "onnx"


def _has_gpu() -> bool:
    """Whether a GPU is likely there, told without importing torch."""
    return os.path.exists("/dev/nvidia0") or (  # noqa: PTH110 - not worth a Path
        sys.platform == "darwin" and os.uname().machine == "arm64"
    )


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
    if not _NAME.fullmatch(name) or name == STARTER:
        raise InputError(
            f"{name!r} cannot be a model's name: take small letters, digits, dots and hyphens, "
            f"and not {STARTER}."
        )
    if _card(name, settings) is not None:
        raise InputError(f"There is a model {name} already: choose another name.")
    source = _checkpoint_in(path)
    digest = sha256_of(source)
    if name in KNOWN and digest not in {known.sha256 for known in KNOWN[name].sources}:
        raise InputError(
            f"{source} is none of the files that {name} stands for: add it under another name."
        )
    from framekeep.encoders.checkpoint import SIDECARS, peek_arch

    arch = peek_arch(source)
    folder = settings.models / name
    target = folder / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            source.open("rb") as file,
            tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part,
        ):
            shutil.copyfileobj(file, part)
        Path(part.name).replace(target)
        for sidecar in SIDECARS:
            if (source.parent / sidecar).is_file():
                shutil.copyfile(source.parent / sidecar, folder / sidecar)
    except OSError as exc:
        raise WeightsError(f"{source} cannot be copied to {folder}: {exc.strerror}.") from exc
    if sha256_of(target) != digest:
        target.unlink()
        raise WeightsError(f"{source} changed while it was copied: add it again.")
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
    for path in sorted(settings.models.glob(f"*/{CARD}")):
        card = _card(path.parent.name, settings)
        if card is None or name not in (None, card.name):
            continue
        file = path.parent / card.file
        try:
            actual = sha256_of(file)
        except WeightsError as exc:
            results.append(VerifyResult(card.name, False, str(file), str(exc)))
            continue
        ok = actual == card.sha256
        reason = "" if ok else f"The file is damaged: delete {path.parent} and fetch or add it."
        results.append(VerifyResult(card.name, ok, str(file), reason))
    return results


def _status(name: str, settings: Settings) -> ModelStatus:
    return next(model for model in list_models(settings) if model.name == name)


def _names(settings: Settings) -> str:
    return f"there are {', '.join(model.name for model in list_models(settings))}"


def _require_card(name: str, settings: Settings) -> ModelCard:
    card = _card(name, settings)
    if card is not None and (settings.models / name / card.file).exists():
        return card
    if name not in KNOWN:
        raise NotFoundError(f"There is no model {name}: {_names(settings)}.")
    error = OfflineError if settings.offline else WeightsError
    raise error(
        f"The weights of {name} are not on this machine: run `framekeep models pull {name}`, or "
        f"copy the file here and run `framekeep models add {name} FILE`."
    )


def _card(name: str, settings: Settings) -> ModelCard | None:
    if not _NAME.fullmatch(name):
        return None
    path = settings.models / name / CARD
    try:
        return ModelCard(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as exc:
        raise WeightsError(
            f"{path} is damaged: delete {path.parent} and fetch or add the model again."
        ) from exc


def _write_card(name: str, path: Path, digest: str, source: str, activation: Any) -> None:
    from framekeep.encoders.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(path, activation)
    card = ModelCard(
        name=name,
        file=path.name,
        sha256=digest,
        dim=checkpoint.arch.embed_dim,
        activation=checkpoint.arch.activation,
        dialect=checkpoint.dialect,
        source=source,
        added_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    part = path.parent / (CARD + ".part")
    part.write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")
    part.replace(path.parent / CARD)


def _checkpoint_in(path: Path) -> Path:
    if path.is_dir():
        for file in _CHECKPOINTS:
            if (path / file).is_file():
                return path / file
        raise NotFoundError(f"There is no {', '.join(_CHECKPOINTS)} in the folder {path}.")
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}: check the spelling.")
    return path
