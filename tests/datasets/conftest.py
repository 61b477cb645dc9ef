"""A library of packaged photos with labelled objects, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from framekeep.library import Library
from framekeep.testing import MemoryVectorStore
from tests.helpers.datasets import demo_photos, label_all
from tests.helpers.library import memory_library

PHOTOS = 6


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MemoryVectorStore]:
    """The folder of a library, and its index."""
    folder = tmp_path_factory.mktemp("template") / "library"
    vectors = MemoryVectorStore()
    with memory_library(folder, vectors) as library:
        list(library.add(*demo_photos(PHOTOS)))
        label_all(library)
    return folder, vectors


@pytest.fixture
def library(template: tuple[Path, MemoryVectorStore], tmp_path: Path) -> Iterator[Library]:
    """Six photos with one object each, labelled dog, cat and bird by turns."""
    folder, vectors = template
    shutil.copytree(folder, tmp_path / "library")
    own = MemoryVectorStore()
    for space in vectors.spaces():
        for ids in vectors.ids(space):
            rows = vectors.get(space, ids)
            own.create(space, len(rows[ids[0]]))
            for media_id, row in rows.items():
                own.upsert(space, [media_id], row[None])
    with memory_library(tmp_path / "library", own) as library:
        yield library
