"""Fixtures for every room: a clean environment, and the measuring photos where they are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# Machines are noisy: no test fails for being slow.
settings.register_profile("framekeep", deadline=None)
settings.load_profile("framekeep")

BROWSER_TESTS = "tests/e2e/"
PHOTOS = Path(os.environ.get("FRAMEKEEP_PHOTOS", Path(__file__).parents[2] / "shared" / "photos"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a browser come first, as they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(BROWSER_TESTS))


class BrowserTestsTogether(LoadFileScheduling):
    """Files go to processes as a whole, those of the browser tests all to one: two browsers at once
    would wait for each other longer than pages are waited for.
    """

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER_TESTS if nodeid.startswith(BROWSER_TESTS) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BrowserTestsTogether:
    """How tests are handed to several processes."""
    return BrowserTestsTogether(config, log)


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


@pytest.fixture(scope="session")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Chroma server of this environment, on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = Path(sys.executable).with_name("chroma")
    folder = tmp_path_factory.mktemp("chroma-server")
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [command, "run", "--path", folder / "data", "--port", str(port), "--host", "127.0.0.1"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ANONYMIZED_TELEMETRY": "False", "DO_NOT_TRACK": "1"},
        )
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
        else:
            pytest.fail(f"chroma run did not answer: {log.read_text()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
