"""The folder of models: each checkpoint in a folder of its name, with a card that tells it."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from framekeep.errors import InputError, NotFoundError, WeightsError
from framekeep.settings import Settings
from framekeep.weights import KnownModel, sha256_of

CARD = "model.json"
STARTER = "starter"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model that can be named, and whether it can be used right now.

    `kind` is starter or clip for encoders, segmenter for what finds objects; `dim` is 0 there.
    """

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
    """What is kept beside a checkpoint; `kind` is clip, sam or sam2."""

    name: str
    file: str
    sha256: str
    dim: int
    activation: str
    dialect: str
    source: str
    added_at: str
    kind: str = "clip"


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Whether a checkpoint still is what it was."""

    name: str
    ok: bool
    path: str
    reason: str = ""


def make_card(
    name: str,
    path: Path,
    digest: str,
    source: str,
    kind: str,
    *,
    dim: int = 0,
    activation: str = "",
    dialect: str = "",
) -> ModelCard:
    """Write the card of a checkpoint that lies in its folder: from now on the model is there."""
    card = ModelCard(
        name=name,
        file=path.name,
        sha256=digest,
        dim=dim,
        activation=activation,
        dialect=dialect,
        source=source,
        added_at=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=kind,
    )
    part = path.parent / (CARD + ".part")
    part.write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")
    part.replace(path.parent / CARD)
    return card


def read_card(name: str, settings: Settings) -> ModelCard | None:
    """The card of a model, whatever it is; None where there is none.

    Raises WeightsError for a card that is damaged.
    """
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


def cards(settings: Settings, kinds: Sequence[str]) -> list[ModelCard]:
    """The cards of all models of these kinds, by name."""
    found = [
        read_card(path.parent.name, settings)
        for path in sorted(settings.models.glob(f"*/{CARD}"))
        if _NAME.fullmatch(path.parent.name)
    ]
    return [card for card in found if card is not None and card.kind in kinds]


def checkpoint_path(card: ModelCard, settings: Settings) -> Path:
    """Where a model's checkpoint lies, or should."""
    return settings.models / card.name / card.file


def status_of(card: ModelCard, settings: Settings, kind: str, note: str) -> ModelStatus:
    """What a model that was fetched or added can be told by."""
    path = checkpoint_path(card, settings)
    size = path.stat().st_size if path.exists() else 0
    return ModelStatus(card.name, kind, card.dim, size > 0, size, note, card.sha256, str(path))


def check_new_name(name: str, settings: Settings) -> None:
    """Raises InputError for a name that a model cannot have, or that one has already."""
    if not _NAME.fullmatch(name) or name == STARTER:
        raise InputError(
            f"{name!r} cannot be a model's name: take small letters, digits, dots and hyphens, "
            f"and not {STARTER}."
        )
    if read_card(name, settings) is not None:
        raise InputError(f"There is a model {name} already: choose another name.")


def check_known(source: Path, digest: str, known: KnownModel | None) -> None:
    """Raises InputError for a file that is none of those a known model stands for."""
    if known is not None and digest not in {place.sha256 for place in known.sources}:
        raise InputError(
            f"{source} is none of the files that {known.name} stands for: add it under another "
            "name."
        )


def checkpoint_in(path: Path, names: Sequence[str]) -> Path:
    """The file itself, or the first of `names` in a folder. Raises NotFoundError."""
    if path.is_dir():
        for file in names:
            if (path / file).is_file():
                return path / file
        raise NotFoundError(f"There is no {', '.join(names)} in the folder {path}.")
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}: check the spelling.")
    return path


def keep_copy(source: Path, digest: str, folder: Path, sidecars: Sequence[str]) -> Path:
    """Copy a checkpoint, and what lies beside it of `sidecars`, into its folder; gives the copy.

    Raises WeightsError where it cannot be copied, or was changed meanwhile.
    """
    target = folder / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            source.open("rb") as file,
            tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part,
        ):
            shutil.copyfileobj(file, part)
        Path(part.name).replace(target)
        for sidecar in sidecars:
            if (source.parent / sidecar).is_file():
                shutil.copyfile(source.parent / sidecar, folder / sidecar)
    except OSError as exc:
        raise WeightsError(f"{source} cannot be copied to {folder}: {exc.strerror}.") from exc
    if sha256_of(target) != digest:
        target.unlink()
        raise WeightsError(f"{source} changed while it was copied: add it again.")
    return target


def verify_card(card: ModelCard, settings: Settings) -> VerifyResult:
    """Compare a checkpoint with the SHA-256 on its card."""
    file = checkpoint_path(card, settings)
    try:
        actual = sha256_of(file)
    except WeightsError as exc:
        return VerifyResult(card.name, False, str(file), str(exc))
    ok = actual == card.sha256
    reason = "" if ok else f"The file is damaged: delete {file.parent} and fetch or add it."
    return VerifyResult(card.name, ok, str(file), reason)
