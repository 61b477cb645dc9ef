"""What happens between processes: kill -9, a second writer, a reader beside a writer."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from framekeep.errors import LibraryLockedError
from framekeep.library import Library
from framekeep.settings import Settings
from framekeep.testing import HashEncoder
from tests.helpers.pictures import write_folder, write_picture

WRITER = """
import sys, time
from framekeep.library import Library
from framekeep.testing import HashEncoder

class Slow(HashEncoder):
    batch_size = 4
    def _embed_images(self, images):
        time.sleep(float(sys.argv[3]))
        return super()._embed_images(images)

with Library.open(sys.argv[1], Slow()) as library:
    for event in library.add(sys.argv[2]):
        print(event.kind, flush=True)
"""


def start_writer(library: Path, folder: Path, pause_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(library), str(folder), str(pause_s)],
        stdout=subprocess.PIPE,
        text=True,
    )


def media_in(catalog: Path) -> int:
    """How many media a catalog that another process writes has so far."""
    try:
        with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)) as reader:
            return int(reader.execute("select count(*) from media").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_for(writer: subprocess.Popen[str], kind: str, times: int) -> None:
    seen = 0
    for line in writer.stdout:
        seen += line.strip() == kind
        if seen == times:
            return
    raise AssertionError(f"the writer ended after {seen} times {kind}")


def test_kill_in_the_middle_loses_nothing(tmp_path):
    write_folder(tmp_path / "in", 60)
    with start_writer(tmp_path / "library", tmp_path / "in", 0.05) as writer:
        wait_for(writer, "indexed", 17)
        writer.send_signal(signal.SIGKILL)
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        acknowledged = library.status().media
        assert acknowledged >= 16
        events = list(library.add(tmp_path / "in"))
        assert events[-1].counts.unchanged >= 16
        assert events[-1].counts.failed == 0
        status = library.status()
        assert status.media == status.index_count == 60
        assert library.repair().clean


def test_second_writer_is_told_who_holds_the_library(tmp_path):
    write_folder(tmp_path / "in", 40)
    extra = write_picture(tmp_path / "extra.jpg", seed=500)
    with start_writer(tmp_path / "library", tmp_path / "in", 0.2) as writer:
        wait_for(writer, "indexed", 1)
        settings = Settings(lock_wait_s=0.2)
        with Library.open(tmp_path / "library", HashEncoder(), settings=settings) as library:
            with pytest.raises(LibraryLockedError, match=str(writer.pid)) as caught:
                list(library.add(extra))
            assert "since" in str(caught.value)
        writer.kill()
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        assert list(library.add(extra))[-1].counts.indexed == 1


def test_reader_sees_what_another_process_adds(tmp_path):
    write_folder(tmp_path / "first", 5)
    write_folder(tmp_path / "second", 6, start=100)
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        list(library.add(tmp_path / "first"))
        assert len(library.search("red", limit=100)) == 5
        with start_writer(tmp_path / "library", tmp_path / "second", 0) as writer:
            wait_for(writer, "done", 1)
        deadline = time.monotonic() + 2
        while len(library.search("red", limit=100)) < 11:
            assert time.monotonic() < deadline, "the new photos were not seen within two seconds"


def test_ctrl_c_ends_the_command_with_a_sentence(tmp_path):
    write_folder(tmp_path / "in", 400)
    env = {**os.environ, "FRAMEKEEP_LIBRARY": str(tmp_path / "library")}
    command = [sys.executable, "-m", "framekeep", "add", str(tmp_path / "in"), "--encoder"]
    with subprocess.Popen([*command, "starter"], env=env, stderr=subprocess.PIPE) as adding:
        while not media_in(tmp_path / "library" / "catalog.sqlite3"):
            assert adding.poll() is None
            time.sleep(0.02)
        adding.send_signal(signal.SIGINT)
        _, errors = adding.communicate(timeout=60)
    assert adding.returncode == 130
    assert b"Traceback" not in errors
    done = subprocess.run(
        [*command[:2], "framekeep", "status", "--json"], env=env, capture_output=True, check=True
    )
    status = json.loads(done.stdout)
    assert 0 < status["index_count"] == status["media"] < 400
