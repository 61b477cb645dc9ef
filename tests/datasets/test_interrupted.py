"""An export that is stopped in the middle leaves nothing under the dataset's name."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from framekeep.errors import InputError
from framekeep.export.placing import placed
from tests.helpers.datasets import contents, last

SCRIPT = """
import sys, time
from pathlib import Path
from tests.helpers.library import memory_library
with memory_library(Path(sys.argv[1])) as library:
    for event in library.export("coco", sys.argv[2], overwrite=True):
        if event.kind == "written":
            print(event.done, flush=True)
            time.sleep(60 if event.done == 3 else 0)
"""


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_closing_the_events_leaves_nothing(library, tmp_path):
    for wanted in ("started", "written"):
        events = library.export("coco", tmp_path / "out")
        for event in events:
            if event.kind == wanted:
                break
        events.close()
        assert not (tmp_path / "out").exists()
        assert hidden(tmp_path) == []
    assert library._catalog.splits("x") == {}


def test_a_kill_leaves_the_former_dataset_and_the_next_run_clears_up(library, tmp_path):
    out = tmp_path / "out"
    last(library.export("yolo", out))
    before = contents(out)
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(library.path), str(out)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    try:
        assert child.stdout is not None
        assert [child.stdout.readline() for _ in range(3)] == ["1\n", "2\n", "3\n"]
        assert hidden(tmp_path) == [".out.framekeep-lock", ".out.framekeep-part"]
        with pytest.raises(InputError, match="Another process is writing to"):
            last(library.export("coco", out, overwrite=True))
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    assert contents(out) == before
    assert ".out.framekeep-part" in hidden(tmp_path)
    last(library.export("coco", out, overwrite=True))
    assert (out / "annotations.json").exists()
    assert hidden(tmp_path) == []


def test_a_dataset_that_was_set_aside_when_the_kill_came_is_put_back(tmp_path):
    out, former = tmp_path / "out", tmp_path / ".out.framekeep-former"
    former.mkdir()
    (former / "kept").write_text("x")
    with pytest.raises(RuntimeError), placed(out):
        raise RuntimeError
    assert (out / "kept").read_text() == "x"
    assert not former.exists()
    former.mkdir()
    with placed(out) as part:
        (part / "new").write_text("y")
    assert [path.name for path in out.iterdir()] == ["new"]
    assert hidden(tmp_path) == []


def test_one_process_at_a_time_writes_to_a_place(tmp_path):
    with FileLock(tmp_path / ".out.framekeep-lock"):
        with pytest.raises(InputError, match="Another process"), placed(tmp_path / "out"):
            pass
    with placed(tmp_path / "out"):
        pass
    assert (tmp_path / "out").is_dir()


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are those of POSIX")
def test_a_full_disk_is_one_sentence_and_nothing_is_written(library, tmp_path):
    # A limit on the size of files stands for the end of the disk: the same path through the code.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    events = library.export("coco", tmp_path / "out")
    next(events)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(InputError, match="no room left on the disk"):
            last(events)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    assert not (tmp_path / "out").exists()
    assert hidden(tmp_path) == []


def test_what_is_read_meanwhile_sees_the_former_dataset_or_the_new_one(library, tmp_path):
    out = tmp_path / "out"
    last(library.export("yolo", out))
    before = contents(out)
    for event in library.export("coco", out, overwrite=True):
        if event.kind != "done":
            assert contents(out) == before
    assert (out / "annotations.json").exists()
    assert time.time() - (out / "manifest.json").stat().st_mtime < 600
