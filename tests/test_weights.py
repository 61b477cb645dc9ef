"""Fetching over real HTTP from a server on this machine."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from pathlib import Path

import pytest

from framekeep.errors import OfflineError, WeightsError
from framekeep.weights import Source, fetch, reachable
from tests.helpers.http import Served, serving

CONTENT = os.urandom(3_000_000)


def source(served: Served, name: str = "model.bin", content: bytes = CONTENT) -> Source:
    return Source(f"{served.url}/{name}", hashlib.sha256(content).hexdigest())


def get(folder: Path, *sources: Source, offline: bool = False, progress=None) -> Path:
    path, _ = fetch("m", sources, folder, offline=offline, connect_timeout_s=2, progress=progress)
    return path


def test_a_file_is_fetched_verified_and_reported(tmp_path):
    told: list[tuple[str, int, int | None]] = []
    with serving(files={"model.bin": CONTENT}) as served:
        path = get(tmp_path / "m", source(served), progress=lambda *step: told.append(step))
    assert path.read_bytes() == CONTENT
    assert told[0] == ("m", 0, len(CONTENT))
    assert told[-1] == ("m", len(CONTENT), len(CONTENT))
    assert [step[1] for step in told] == sorted(step[1] for step in told)
    assert list((tmp_path / "m").iterdir()) == [path]


def test_a_cut_download_resumes_where_it_stopped(tmp_path):
    with serving(files={"model.bin": CONTENT}, cut_after=1_000_000) as served:
        with pytest.raises(WeightsError, match="broke off"):
            get(tmp_path, source(served))
        assert not (tmp_path / "model.bin").exists()
        served.cut_after = None
        assert get(tmp_path, source(served)).read_bytes() == CONTENT
    first, second = served.requests
    assert first == ("/model.bin", None)
    assert 0 < int(second[1].removeprefix("bytes=").rstrip("-")) <= 1_000_000


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": '"two"'}])
def test_it_starts_anew_where_resuming_is_not_safe(tmp_path, change):
    with serving(files={"model.bin": CONTENT}, cut_after=1_000_000) as served:
        with pytest.raises(WeightsError):
            get(tmp_path, source(served))
        served.cut_after = None
        for name, value in change.items():
            setattr(served, name, value)
        assert get(tmp_path, source(served)).read_bytes() == CONTENT


def test_a_wrong_file_never_gets_its_name(tmp_path):
    with serving(files={"model.bin": b"something else"}) as served:
        with pytest.raises(WeightsError, match="not the right one"):
            get(tmp_path, source(served))
    assert list(tmp_path.iterdir()) == []


def test_the_next_source_serves_where_the_first_does_not(tmp_path):
    with serving(files={"good.bin": CONTENT, "bad.bin": b"x"}) as served:
        path = get(
            tmp_path,
            source(served, "absent.bin"),
            source(served, "bad.bin"),
            Source("http://127.0.0.1:1/never.bin", "0" * 64),
            source(served, "good.bin"),
        )
    assert path.name == "good.bin"


def test_every_reason_is_told_where_none_serves(tmp_path):
    with serving(files={"bad.bin": b"x"}) as served, pytest.raises(WeightsError) as caught:
        get(tmp_path, source(served, "absent.bin"), source(served, "bad.bin"))
    assert "404" in str(caught.value)
    assert "not the right one" in str(caught.value)
    assert "models add" in str(caught.value)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with serving(files={"model.bin": CONTENT}) as served:
        with pytest.raises(WeightsError, match="cannot be made"):
            get(tmp_path / "file" / "m", source(served))


def test_offline_asks_nobody(tmp_path):
    with serving(files={"model.bin": CONTENT}) as served:
        with pytest.raises(OfflineError, match="FRAMEKEEP_OFFLINE"):
            get(tmp_path, source(served), offline=True)
    assert served.requests == []


def test_reachable_tells_within_the_deadline(monkeypatch):
    monkeypatch.setattr("framekeep.weights.PROBE_S", 1.0)
    with serving(files={"model.bin": CONTENT}) as served, serving(silent_s=30) as silent:
        assert reachable([source(silent), source(served)], 1)
        started = time.monotonic()
        assert not reachable([source(silent), source(served, "absent.bin")], 1)
        assert time.monotonic() - started < 9


def test_a_name_server_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr("framekeep.weights.PROBE_S", 0.5)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: time.sleep(20))
    started = time.monotonic()
    assert not reachable([Source("http://hub.invalid/x", "0" * 64)], 1)
    assert time.monotonic() - started < 9
