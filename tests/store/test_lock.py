"""One writer at a time, in words, and free again whatever becomes of the holder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framekeep.errors import LibraryLockedError, StoreError
from framekeep.store.lock import WriterLock

HOLD = """
import sys, time
from pathlib import Path
from framekeep.store.lock import WriterLock
with WriterLock(Path(sys.argv[1])).hold("framekeep add", 10):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
print("free", flush=True)
"""

Hold = Callable[[float], "subprocess.Popen[str]"]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    """A second process that holds the lock for some seconds."""
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_the_holder_is_named(tmp_path: Path, hold: Hold) -> None:
    process = hold(60)
    waiting: list[str] = []
    with (
        pytest.raises(LibraryLockedError) as caught,
        WriterLock(tmp_path).hold("framekeep tag", 0.2, waiting.append),
    ):
        pytest.fail("two writers at once")
    message = str(caught.value)
    assert f"process {process.pid} (framekeep add), since 20" in message
    assert str(tmp_path) in message
    assert len(waiting) == 1
    assert f"process {process.pid}" in waiting[0]


def test_without_waiting_nobody_is_told_of_it(tmp_path: Path, hold: Hold) -> None:
    hold(60)
    waiting: list[str] = []
    with pytest.raises(LibraryLockedError), WriterLock(tmp_path).hold("x", 0, waiting.append):
        pytest.fail("two writers at once")
    assert waiting == []


def test_a_second_writer_waits(tmp_path: Path, hold: Hold) -> None:
    process = hold(0.5)
    waiting: list[str] = []
    with WriterLock(tmp_path).hold("framekeep tag", 30, waiting.append):
        assert process.wait(timeout=10) == 0
    assert len(waiting) == 1


def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path, hold: Hold) -> None:
    process = hold(60)
    process.kill()
    process.wait()
    left = WriterLock(tmp_path).holder()
    assert left is not None
    assert left.pid == process.pid
    assert not left.may_live
    with WriterLock(tmp_path).hold("framekeep add", 0):
        held = WriterLock(tmp_path).holder()
        assert held is not None
        assert held.pid == os.getpid()
        assert held.may_live
    assert WriterLock(tmp_path).holder() is None


def test_the_holders_file_may_be_unreadable(tmp_path: Path, hold: Hold) -> None:
    hold(60)
    (tmp_path / "writer.json").write_text("{")
    with (
        pytest.raises(LibraryLockedError, match="written to by another process"),
        WriterLock(tmp_path).hold("x", 0),
    ):
        pytest.fail("two writers at once")


def test_holding_again_in_the_same_thread(tmp_path: Path) -> None:
    with WriterLock(tmp_path).hold("outer", 0):
        with WriterLock(tmp_path).hold("inner", 0), WriterLock(tmp_path).hold("innermost", 0):
            pass
        holder = WriterLock(tmp_path).holder()
        assert holder is not None
        assert holder.what == "outer"
    assert WriterLock(tmp_path).holder() is None


def test_another_thread_waits(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with WriterLock(tmp_path).hold("second", 30):
            order.append("second")

    with WriterLock(tmp_path).hold("first", 0):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), WriterLock(tmp_path).hold("x", 0):
        raise ValueError("inside")
    with WriterLock(tmp_path).hold("y", 0):
        pass


def test_a_folder_that_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match="cannot be locked"),
        WriterLock(tmp_path / "file").hold("x", 0),
    ):
        pytest.fail("nothing to lock")
