"""What the browser sends: stored by content, bounded, and gone where it did not arrive whole."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from framekeep.app.http import incoming
from framekeep.app.http.inbox import KEPT_BATCHES, Inbox
from framekeep.app.http.incoming import LONGEST_NAME, RefusedError, shown
from framekeep.errors import StoreError
from tests.app.http.conftest import BASE, DEMO, OURS

BATCH = "batch-0001"


def put(client, data=b"some bytes", name="a.jpg", batch=BATCH, **headers):
    given = {**OURS, "Origin": BASE, "X-Name": quote(name), **headers}
    return client.put(f"/fk/upload/{batch}", content=data, headers=given)


def files(folder):
    """Every file below a folder, but for the locks of running servers."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")


def small_inbox(site, **bounds):
    folder = site.parts.inbox.folder
    site.change(inbox=Inbox(folder, **{"max_bytes": 1_000_000, "min_free_bytes": 0, **bounds}))
    return site.parts.inbox


def test_a_file_lies_under_its_content_and_is_taken_once(site, client):
    data = (DEMO / "demo-05.jpg").read_bytes()
    sha = hashlib.sha256(data).hexdigest()
    answer = put(client, data, "Sommer/Köln 1.JPG")
    assert answer.status_code == 200
    assert answer.json() == {"name": "Sommer/Köln 1.JPG", "bytes": len(data), "sha256": sha}
    inbox = site.parts.inbox
    place = inbox.folder / sha[:2] / f"{sha}.jpg"
    assert place.read_bytes() == data
    (received,) = inbox.take(BATCH)
    assert (received.path, received.sha256, received.bytes) == (place, sha, len(data))
    assert inbox.take(BATCH) == []
    library = site.parts.library
    assert library.shown_names([str(place)]) == {str(place): "Sommer/Köln 1.JPG"}
    events = list(library.add(received.path))
    assert events[-1].counts.indexed == 1


def test_the_same_content_is_one_file(site, client):
    for name in ("a.jpg", "b.jpg"):
        assert put(client, name=name).status_code == 200
    assert len(files(site.parts.inbox.folder)) == 1
    assert [r.shown_name for r in site.parts.inbox.take(BATCH)] == ["a.jpg", "b.jpg"]


def test_a_file_that_was_damaged_on_disk_is_replaced(site, client):
    put(client, b"whole")
    (received,) = site.parts.inbox.take(BATCH)
    received.path.write_bytes(b"who")
    put(client, b"whole")
    assert received.path.read_bytes() == b"whole"


@pytest.mark.parametrize(
    ("name", "stored", "told"),
    [
        ("../../../x.jpg", ".jpg", "../../../x.jpg"),
        ("..\\..\\x.PNG", ".png", "..\\..\\x.PNG"),
        ("/etc/passwd", ".bin", "/etc/passwd"),
        ("a.jpg/../../b.html", ".bin", "a.jpg/../../b.html"),
        ("x.php\0.jpg", ".jpg", "x.php.jpg"),
        ("<img src=x onerror=alert(1)>.svg", ".bin", "<img src=x onerror=alert(1)>.svg"),
        ("line\r\nbreak.heic", ".heic", "linebreak.heic"),
        ("gpj.\u202eexe.jpg", ".jpg", "gpj.exe.jpg"),
        ("noending", ".bin", "noending"),
        (".jpg", ".bin", ".jpg"),
    ],
)
def test_a_name_is_shown_and_never_a_path(site, client, name, stored, told):
    before = set(site.parts.library.path.parent.rglob("*"))
    answer = put(client, b"hostile", name)
    assert answer.json()["name"] == told
    (received,) = site.parts.inbox.take(BATCH)
    digest = hashlib.sha256(b"hostile").hexdigest()
    folder = site.parts.inbox.folder
    assert received.path == folder / digest[:2] / f"{digest}{stored}"
    new = set(site.parts.library.path.parent.rglob("*")) - before
    assert {p for p in new if p.is_file() and p.suffix != ".lock"} == {received.path}


@pytest.mark.parametrize("name", ["", "%00%0a", "%20"])
def test_a_file_without_a_name_is_not_taken(site, client, name):
    answer = client.put(f"/fk/upload/{BATCH}", content=b"x", headers={**OURS, "X-Name": name})
    assert answer.status_code == 400
    assert answer.json()["error"] == "An uploaded file needs a name."
    assert files(site.parts.inbox.folder) == []


def test_a_name_that_is_no_text_still_arrives(client):
    answer = client.put(
        f"/fk/upload/{BATCH}", content=b"x", headers={**OURS, "X-Name": "%ff%fe.jpg"}
    )
    assert answer.json()["name"] == "\ufffd\ufffd.jpg"
    assert shown("x" * 1000 + ".jpg") == "x" * (LONGEST_NAME - 4) + ".jpg"


@pytest.mark.parametrize("batch", ["short", "x" * 65, "batch.0001", "batch 0001", "bätch-001"])
def test_odd_batches_are_not_taken(site, client, batch):
    assert put(client, batch=quote(batch)).status_code == 400
    assert files(site.parts.inbox.folder) == []


def test_a_file_with_nothing_in_it_is_taken(site, client):
    assert put(client, b"").json()["bytes"] == 0
    assert len(site.parts.inbox.take(BATCH)) == 1


# Bounds


def test_a_file_that_says_it_is_too_large(site, client):
    small_inbox(site, max_bytes=10)
    answer = put(client, b"x" * 11)
    assert answer.status_code == 413
    assert "FRAMEKEEP_MAX_BYTES" in answer.json()["error"]
    assert put(client, b"x" * 10).status_code == 200


def test_a_file_that_turns_out_too_large(site, client):
    inbox = small_inbox(site, max_bytes=2_500_000)
    answer = put(client, (b"x" * 100_000 for _ in range(26)))
    assert answer.status_code == 413
    assert files(inbox.folder) == []
    assert inbox.take(BATCH) == []
    assert put(client, (b"x" * 100_000 for _ in range(25))).status_code == 200


def test_a_batch_is_bounded_in_files(site, client):
    small_inbox(site, max_batch_files=2)
    answers = [put(client, bytes([n])).status_code for n in range(3)]
    assert answers == [200, 200, 413]
    assert len(site.parts.inbox.take(BATCH)) == 2
    assert put(client, b"more").status_code == 413
    assert put(client, b"more", batch="another-batch").status_code == 200


def test_a_batch_is_bounded_in_bytes_and_what_was_refused_does_not_count(site, client):
    inbox = small_inbox(site, max_batch_bytes=100)
    assert put(client, b"x" * 60).status_code == 200
    for _ in range(3):
        assert put(client, b"y" * 41).status_code == 413
    assert put(client, b"z" * 40).status_code == 200
    assert len(files(inbox.folder)) == 2


def test_little_room_on_the_disk(site, client, monkeypatch):
    inbox = small_inbox(site, min_free_bytes=1000)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(incoming.shutil, "disk_usage", lambda _: usage(10_000, 8_900, 1_100))
    assert put(client, b"x" * 100).status_code == 200
    answer = put(client, b"x" * 101)
    assert answer.status_code == 507
    assert "disk" in answer.json()["error"]
    assert put(client, iter([b"x" * 101])).status_code == 507
    assert len(files(inbox.folder)) == 1


@pytest.mark.parametrize(("code", "status"), [(errno.ENOSPC, 507), (errno.EIO, 500)])
def test_a_disk_that_fails_while_writing(site, client, monkeypatch, code, status):
    class Failing:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            raise OSError(code, os.strerror(code))

        def close(self):
            self.file.close()

    opened = incoming.PartFile.__init__

    def failing(self, path):
        opened(self, path)
        self._file = Failing(self._file)

    monkeypatch.setattr(incoming.PartFile, "__init__", failing)
    answer = put(client)
    assert answer.status_code == status
    assert answer.json()["error"].endswith(".")
    assert files(site.parts.inbox.folder) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may write anywhere")
def test_a_folder_that_may_not_be_written(site, client):
    site.parts.inbox.folder.mkdir()
    site.parts.inbox.folder.chmod(0o500)
    assert put(client).status_code == 500


def test_a_folder_that_is_a_file(site, client):
    site.parts.inbox.folder.write_text("in the way")
    answer = put(client)
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("The file cannot be written")


def test_a_catalog_that_cannot_be_written_loses_the_name_alone(site, client, monkeypatch, caplog):
    def broken(*_):
        raise StoreError("The catalog cannot be written.")

    monkeypatch.setattr(site.parts.library, "note_upload", broken, raising=False)
    assert put(client).status_code == 200
    assert len(site.parts.inbox.take(BATCH)) == 1
    assert "The name of an upload was not kept" in caplog.text


def test_many_at_once(site, client):
    contents = [bytes([n % 40]) * (50_000 + n % 40) for n in range(80)]
    with ThreadPoolExecutor(8) as pool:
        statuses = pool.map(
            lambda pair: put(client, pair[1], f"{pair[0]}.jpg").status_code, enumerate(contents)
        )
        assert set(statuses) == {200}
    received = site.parts.inbox.take(BATCH)
    assert {r.shown_name for r in received} == {f"{n}.jpg" for n in range(80)}
    assert len(files(site.parts.inbox.folder)) == 40
    for one in received:
        assert hashlib.sha256(one.path.read_bytes()).hexdigest() == one.sha256


# The inbox itself


def test_batches_are_bounded_but_none_that_is_on_its_way_is_dropped(tmp_path):
    inbox = Inbox(tmp_path, max_bytes=100, min_free_bytes=0)
    first = inbox.receive("the-first-one", "a.jpg")
    first.write(b"1")
    for number in range(KEPT_BATCHES + 10):
        inbox.receive(f"batch-{number:05}", "a.jpg").abort()
    first.finish()
    assert len(inbox.take("the-first-one")) == 1
    assert len(inbox._batches) == KEPT_BATCHES


def test_abort_leaves_nothing_and_may_be_said_twice(tmp_path):
    inbox = Inbox(tmp_path, max_bytes=100, min_free_bytes=0)
    coming = inbox.receive(BATCH, "a.jpg")
    coming.write(b"half")
    assert [p.suffixes for p in files(tmp_path)] == [[".part", ".jpg"]]
    coming.abort()
    coming.abort()
    assert files(tmp_path) == []
    with pytest.raises(RefusedError):
        inbox.receive("no", "a.jpg")


LEAVES_A_PART = """
import os, signal, sys
from pathlib import Path
from framekeep.app.http.inbox import Inbox
coming = Inbox(Path(sys.argv[1]), max_bytes=100, min_free_bytes=0).receive("batch-0001", "a.jpg")
coming.write(b"half")
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_server_left_is_deleted_but_not_what_a_living_one_holds(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES_A_PART, tmp_path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as server:  # fmt: skip
        assert server.stdout.readline() == b"ready\n"
        Inbox(tmp_path, max_bytes=100)
        assert len(files(tmp_path)) == 1
        server.kill()
        server.wait()
    (tmp_path / ".incoming" / "left-over.part").write_bytes(b"x")
    Inbox(tmp_path, max_bytes=100)
    assert list((tmp_path / ".incoming").iterdir()) == []
