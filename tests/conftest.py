"""Fixtures for every room: a clean environment, and the measuring photos where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PHOTOS = Path(os.environ.get("FRAMEKEEP_PHOTOS", Path(__file__).parents[2] / "shared" / "photos"))


@pytest.fixture(autouse=True)
def clean_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test sees the user's own libraries, models or settings, nor a model hub."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith("FRAMEKEEP_") and name != "FRAMEKEEP_PHOTOS":
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("FRAMEKEEP_OFFLINE", "1")


@pytest.fixture(scope="session")
def measuring_photos() -> Path:
    """The folder of 500 labelled photos; they may not be handed on, so they can be missing."""
    if not (PHOTOS / "labels.tsv").exists():
        pytest.skip(f"the labelled photos are not on this machine ({PHOTOS})")
    return PHOTOS
