"""An exported dataset as a ZIP file: whole, streamed, and nothing else."""

from __future__ import annotations

import io
import os
import zipfile

import pytest

from framekeep.app.http.downloads import CHUNK, zipped
from framekeep.testing import GridSegmenter


@pytest.fixture
def dataset(site):
    library = site.parts.library
    list(library.segment(segmenter=GridSegmenter(2)))
    folder = library.path / "exports" / "Hunde & “Katzen”"
    list(library.export("yolo", folder, split="50/50"))
    return folder


def test_all_files_of_a_dataset_come_in_one(client, dataset):
    answer = client.get("/fk/export/Hunde%20%26%20%E2%80%9CKatzen%E2%80%9D")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=utf-8''Hunde%20%26%20%E2%80%9CKatzen%E2%80%9D.zip"
    )
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {
        f"{dataset.name}/{path.relative_to(dataset)}": path.read_bytes()
        for path in dataset.rglob("*")
        if path.is_file()
    }


def test_a_large_file_is_sent_in_pieces(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    content = os.urandom(3 * CHUNK + 5)
    (folder / "a.jpg").write_bytes(content)
    pieces = list(zipped(folder))
    assert max(map(len, pieces)) < CHUNK + 10_000
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.read("set/a.jpg") == content


@pytest.mark.parametrize(
    "name", ["nothing", "..", "%2e%2e", "..%2fchroma", "chroma", "linked", "no-export", ".hidden"]
)
def test_nothing_but_a_dataset_is_sent(client, site, dataset, tmp_path, name):
    exports = dataset.parent
    (exports / "no-export").mkdir()
    (exports / "linked").symlink_to(dataset)
    (dataset / "secret.txt").symlink_to(site.photos / "demo-01.jpg")
    answer = client.get(f"/fk/export/{name}")
    assert answer.headers.get("content-type") != "application/zip"
    assert answer.status_code == 404 or answer.headers["content-type"].startswith("text/html")
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(dataset)))) as archive:
        assert not [path for path in archive.namelist() if path.endswith("secret.txt")]
