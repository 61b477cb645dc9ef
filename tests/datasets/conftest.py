"""A library of packaged photos with labelled objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from framekeep.library import Library
from tests.helpers.datasets import demo_photos, label_all
from tests.helpers.library import memory_library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with memory_library(tmp_path / "library") as library:
        list(library.add(*demo_photos(6)))
        label_all(library)
        yield library
