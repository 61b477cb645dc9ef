"""Turns at an index folder, and what the stamp tells the next one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from framekeep.errors import IndexUnavailableError
from framekeep.store import index_guard
from framekeep.store.index_guard import STAMP_FILE, IndexGuard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "library" / "chroma"


def write(guard: IndexGuard, error: BaseException | None = None) -> None:
    with guard.turn(), guard.writing():
        if error is not None:
            raise error


def test_every_write_changes_the_stamp(folder: Path) -> None:
    guard, other = IndexGuard(folder), IndexGuard(folder)
    assert other.read().whole
    write(guard)
    first = other.read()
    write(guard)
    assert other.read() != first
    assert other.read().whole


def test_an_interrupt_leaves_a_whole_index_and_an_error_does_not(folder: Path) -> None:
    guard = IndexGuard(folder)
    with pytest.raises(KeyboardInterrupt):
        write(guard, KeyboardInterrupt())
    assert guard.read().whole
    with pytest.raises(OSError, match="disk"):
        write(guard, OSError("disk"))
    assert not guard.read().whole


def test_an_unreadable_stamp_is_that_of_a_write_cut_short(folder: Path) -> None:
    guard = IndexGuard(folder)
    write(guard)
    for content in ("", "whole", "a b c"):
        (folder / STAMP_FILE).write_text(content)
        assert not guard.read().whole
        assert not guard.torn(), "no vector file was written since"


def test_waiting_for_a_turn_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_guard, "WAIT_S", 0.1)
    guard, other = IndexGuard(folder), IndexGuard(folder)
    refused: list[BaseException] = []

    def wait() -> None:
        try:
            with other.turn():
                pytest.fail("two at once")
        except IndexUnavailableError as exc:
            refused.append(exc)

    with guard.turn():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert "was busy" in str(refused[0])
    with other.turn():
        pass
