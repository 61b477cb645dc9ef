"""What opening a library decides: the encoder of a new one, and where the index lies."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from framekeep.encoders import registry
from framekeep.errors import (
    EncoderMismatchError,
    InputError,
    NotFoundError,
    PrecisionError,
    StoreError,
)
from framekeep.settings import Settings
from framekeep.store.catalog import Catalog
from framekeep.store.chroma import ChromaStore
from framekeep.store.lock import WriterLock
from framekeep.types import EncoderInfo

if TYPE_CHECKING:
    from framekeep.encoders.base import Encoder
    from framekeep.store.vectors import VectorStore

CATALOG_FILE = "catalog.sqlite3"
CHROMA_FOLDER = "chroma"

Notice = Callable[[str], None]
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """The encoder of a new library, and the sentence that tells why it is this one."""

    info: EncoderInfo
    encoder: Encoder | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a library is joined from; `encoder` only where one was passed in."""

    catalog: Catalog
    vectors: VectorStore
    encoder: Encoder | None
    sentence: str | None


def open_parts(
    folder: Path,
    encoder: str | Encoder | None,
    create: bool,
    vectors: str | None,
    settings: Settings,
    progress: Progress | None,
    notice: Notice | None,
) -> Parts:
    """Open or make the library in `folder`; see `Library.open`."""
    new = _is_new(folder)
    if new and not create:
        raise NotFoundError(
            f"There is no library in {folder} yet: make one with `framekeep add FOLDER`."
        )
    choice = choose_encoder(encoder, settings, progress) if new else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(f"The library {folder} cannot be made: {exc.strerror}.") from exc
    lock = WriterLock(folder).hold("framekeep open", settings.lock_wait_s, notice)
    with lock if new else nullcontext():
        catalog = Catalog.open(folder / CATALOG_FILE)
        try:
            if catalog.get_meta("encoder_id") is None:
                if (folder / CHROMA_FOLDER).exists():
                    raise _emptied(folder)
                choice = choice or choose_encoder(encoder, settings, progress)
                settle_encoder(catalog, choice.info, vectors or settings.vectors)
            elif encoder is not None:
                check_fits(encoder, stored_info(catalog), folder, settings)
            index = open_index(folder, catalog, vectors)
        except BaseException:
            catalog.close()
            raise
    given = encoder if not isinstance(encoder, str) else None
    return Parts(catalog, index, given, choice.sentence if choice else None)


def _is_new(folder: Path) -> bool:
    """Whether there is no library yet. Raises InputError where none can be, StoreError."""
    try:
        if "\0" in str(folder):
            raise ValueError("a name has no null character")
        str(folder).encode()
        if folder.exists() and not folder.is_dir():
            raise InputError(f"A library is a folder, and {folder} is a file: name another place.")
        catalog = folder / CATALOG_FILE
        if catalog.exists() and not catalog.stat().st_size and (folder / CHROMA_FOLDER).exists():
            raise _emptied(folder)
        return not catalog.exists()
    except UnicodeEncodeError as exc:
        raise InputError(
            f"The library's folder {str(folder)!a} is not valid UTF-8: name another place."
        ) from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise InputError(f"The library {str(folder)!r} cannot be opened: {reason}.") from exc


def _emptied(folder: Path) -> StoreError:
    return StoreError(
        f"The catalog {folder / CATALOG_FILE} has been emptied, though its index is there: restore "
        "that file from a backup, or move the folder away and add your photos again."
    )


def stored_info(catalog: Catalog) -> EncoderInfo:
    """The encoder that a catalog's vectors come from."""
    get = catalog.get_meta
    return EncoderInfo(
        get("encoder_name") or "",
        get("encoder_id") or "",
        int(get("encoder_dim") or 0),
        get("encoder_precision") or "fp32",
    )


def check_fits(
    encoder: str | Encoder, stored: EncoderInfo, folder: Path, settings: Settings
) -> None:
    """Raise EncoderMismatchError where an encoder is not the one of the library's vectors."""
    wanted = registry.describe(encoder, settings) if isinstance(encoder, str) else encoder.info
    if wanted.id != stored.id:
        raise EncoderMismatchError(
            f"The vectors in {folder} come from {stored.id}, not from {wanted.id}: open it without "
            f"naming an encoder, or change it with `framekeep library encoder {wanted.name}`."
        )


def choose_encoder(
    encoder: str | Encoder | None, settings: Settings, progress: Progress | None
) -> Choice:
    """The encoder of a new library: what was asked for, else CLIP where it can be had."""
    if encoder is not None and not isinstance(encoder, str):
        return Choice(encoder.info, encoder)
    sentence = None
    name = encoder or settings.encoder
    if name is None:
        default = registry.choose_default(settings, progress)
        name, sentence = default.name, default.sentence
    if settings.precision == "int8":
        raise PrecisionError(
            "int8 must pass a check on your own photos first: add them with fp32, then run "
            "`framekeep library check int8`."
        )
    info = replace(registry.describe(name, settings), precision=settings.precision)
    return Choice(info, None, sentence)


def settle_encoder(catalog: Catalog, info: EncoderInfo, vectors: str | None = None) -> None:
    """Write down which encoder the library's vectors come from, its id last."""
    catalog.set_meta("encoder_name", info.name)
    catalog.set_meta("encoder_dim", str(info.dim))
    catalog.set_meta("encoder_precision", info.precision)
    if catalog.get_meta("library_id") is None:
        catalog.set_meta("library_id", uuid.uuid4().hex)
        catalog.set_meta("vectors", vectors)
    catalog.set_meta("encoder_id", info.id)
    catalog.bump_generation()


def open_index(folder: Path, catalog: Catalog, vectors: str | None) -> VectorStore:
    """The index of a library, in its folder or on the server it was made with."""
    url = catalog.get_meta("vectors")
    if vectors is not None and vectors != url:
        raise InputError(
            f"The library in {folder} keeps its index {f'on {url}' if url else 'in its folder'}, "
            f"not on {vectors}: leave --vectors out."
        )
    if url:
        return ChromaStore.server(url, namespace=catalog.get_meta("library_id") or "")
    return ChromaStore.local(folder / CHROMA_FOLDER)


def bytes_below(folder: Path) -> int:
    """What the files in a folder add up to; those that go meanwhile are left out."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(inner, name)).st_size  # noqa: PTH116, PTH118 - quick
    return total
