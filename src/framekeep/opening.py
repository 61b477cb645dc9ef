"""What opening a library decides: the encoder of a new one, and where the index lies."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from framekeep.encoders import registry
from framekeep.errors import InputError, PrecisionError
from framekeep.settings import Settings
from framekeep.store.catalog import Catalog
from framekeep.store.chroma import ChromaStore
from framekeep.types import EncoderInfo

if TYPE_CHECKING:
    from framekeep.encoders.base import Encoder
    from framekeep.store.vectors import VectorStore

CHROMA_FOLDER = "chroma"

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """The encoder of a new library, and the sentence that tells why it is this one."""

    info: EncoderInfo
    encoder: Encoder | None = None
    sentence: str | None = None


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
