"""Segmenting, exporting and importing in the background, with real workers."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
from PIL import Image

import framekeep
from framekeep.jobs import Jobs, JobState
from framekeep.testing import GridSegmenter

PATIENCE_S = 120.0
COUNT = 3


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.02)


def ended(jobs: Jobs, job_id: str) -> JobState:
    until(lambda: not jobs.state(job_id).active)
    return jobs.state(job_id)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    demo = Path(str(resources.files("framekeep") / "data" / "demo"))
    for path in sorted(demo.glob("*.jpg"))[:COUNT]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    place = tmp_path_factory.mktemp("added") / "library"
    with framekeep.open(place, encoder="starter") as made:
        for _ in made.add(photos):
            pass
    return place


@pytest.fixture
def library(tmp_path: Path, added: Path) -> Path:
    return shutil.copytree(added, tmp_path / "library")


@pytest.fixture
def jobs(library: Path) -> Iterator[Jobs]:
    made = Jobs(library)
    yield made
    made.close()


def objects(library: Path) -> int:
    with framekeep.open(library) as lib:
        return lib.status().objects


def test_segmenting_tells_progress_and_ends(jobs: Jobs, library: Path) -> None:
    job_id = jobs.segment(segmenter="starter")
    assert jobs.state(job_id).title == "Drafting the main object of each photo"
    state = ended(jobs, job_id)
    assert (state.status, state.kind, state.message) == ("done", "segment", None)
    assert (state.done, state.total, state.unit) == (COUNT, COUNT, "files")
    assert state.counts.indexed == COUNT
    assert objects(library) >= COUNT
    again = ended(jobs, jobs.segment("bytes>0", "starter"))
    assert (again.counts.indexed, again.counts.unchanged) == (0, COUNT)


def test_segmenting_pauses_is_cancelled_and_goes_on(jobs: Jobs, library: Path) -> None:
    job_id = jobs.segment(segmenter="starter")
    until(lambda: jobs.state(job_id).status == "running")
    jobs.pause(job_id)
    assert jobs.state(job_id).status == "paused"
    jobs.cancel(job_id)
    state = ended(jobs, job_id)
    assert state.status == "cancelled"
    kept = objects(library)
    assert state.counts.indexed <= kept
    with framekeep.open(library) as lib:
        assert len(lib.search("an animal", of="objects", limit=99)) == kept
    state = ended(jobs, jobs.segment(segmenter="starter"))
    assert state.status == "done"
    assert state.counts.indexed + state.counts.unchanged == COUNT


def test_a_photo_that_cannot_be_read_is_a_failure_with_its_reason(
    jobs: Jobs, library: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.png"
    Image.new("RGB", (64, 48), "red").save(gone)
    with framekeep.open(library) as lib:
        for _ in lib.add(gone):
            pass
    gone.unlink()
    state = ended(jobs, jobs.segment('name:"gone.png"', "starter"))
    assert (state.status, state.counts.failed) == ("done", 1)
    ((path, reason),) = [(problem.path, problem.reason) for problem in state.failures]
    assert path == str(gone)
    assert reason


def test_a_segmenter_that_is_not_there_is_told(jobs: Jobs) -> None:
    job_id = jobs.segment(segmenter="no-such")
    assert jobs.state(job_id).title == "Finding objects with no-such"
    state = ended(jobs, job_id)
    assert state.status == "failed"
    assert "no-such" in (state.message or "")


def test_a_dataset_is_exported_and_taken_in_again(
    jobs: Jobs, library: Path, tmp_path: Path
) -> None:
    ended(jobs, jobs.segment(segmenter="starter"))
    out = tmp_path / "dataset"
    job_id = jobs.export({"format": "coco", "out": out})
    assert jobs.state(job_id).title == "Exporting to dataset"
    state = ended(jobs, job_id)
    assert (state.status, state.kind) == ("done", "export"), state.message
    assert f"{COUNT} photos with {objects(library)} objects" in (state.message or "")
    assert (out / "annotations.json").exists()
    with framekeep.open(tmp_path / "empty", encoder="starter"):
        pass
    other = Jobs(tmp_path / "empty")
    try:
        state = ended(other, other.import_dataset({"path": str(out)}))
    finally:
        other.close()
    assert (state.status, state.kind, state.title) == ("done", "import", "Importing dataset")
    assert state.message == f"{objects(library)} objects in {COUNT} photos were taken in."
    assert objects(tmp_path / "empty") == objects(library)


def test_an_export_into_a_folder_that_is_not_empty_is_refused(jobs: Jobs, photos: Path) -> None:
    state = ended(jobs, jobs.export({"format": "coco", "out": str(photos)}))
    assert state.status == "failed"
    assert photos.name in (state.message or "")


def test_a_former_export_is_made_again(jobs: Jobs, library: Path, tmp_path: Path) -> None:
    with framekeep.open(library) as lib:
        for _ in lib.segment(segmenter=GridSegmenter(1)):
            pass
    first, second = tmp_path / "first", tmp_path / "second"
    ended(jobs, jobs.export({"format": "yolo", "out": first}))
    job_id = jobs.export_again(str(first / "manifest.json"), str(second))
    assert jobs.state(job_id).title == "Exporting to second"
    state = ended(jobs, job_id)
    assert (state.status, state.kind) == ("done", "export"), state.message
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*.*"))
    assert len(names) > COUNT
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_all_that_does_not_fit_of_a_dataset_is_told(
    jobs: Jobs, library: Path, tmp_path: Path
) -> None:
    with framekeep.open(library) as lib:
        for _ in lib.segment(segmenter=GridSegmenter(1)):
            pass
        for _ in lib.export("coco", tmp_path / "set"):
            pass
    path = tmp_path / "set" / "annotations.json"
    document = json.loads(path.read_text("utf-8"))
    document["annotations"][0]["category_id"] = 77
    document["images"].append({"id": 9999, "file_name": "images/gone.jpg", "width": 4, "height": 4})
    path.write_text(json.dumps(document), encoding="utf-8")
    state = ended(jobs, jobs.import_dataset({"path": str(tmp_path / "set")}))
    assert state.status == "done", state.message
    assert "were there already" in (state.message or "")
    told = [problem.path + problem.reason for problem in state.failures]
    assert len(told) == len(set(told)) == 2, told
    assert any("77" in each for each in told)
    assert any("gone.jpg" in each for each in told)
