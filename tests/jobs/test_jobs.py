"""Background work with real workers, real files and the starter encoder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import psutil
import pytest

import framekeep
from framekeep.errors import NotFoundError
from framekeep.jobs import Jobs, JobState
from framekeep.store.lock import WriterLock
from tests.helpers.films import make_film, scene
from tests.helpers.pictures import write_folder

PATIENCE_S = 90.0


def demo_photos() -> list[Path]:
    return sorted(Path(str(resources.files("framekeep") / "data" / "demo")).glob("*.jpg"))


def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.02)


def ended(jobs: Jobs, job_id: str) -> JobState:
    until(lambda: not jobs.state(job_id).active)
    return jobs.state(job_id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six demo photos and three files that are none."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in demo_photos()[:6]:
        shutil.copy(path, photos)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (photos / "empty.png").write_bytes(b"")
    (photos / "notes.txt").write_text("no photo")
    return photos


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough photos that a job can be stopped in the middle."""
    photos = tmp_path / "many"
    photos.mkdir()
    write_folder(photos, 160)
    return photos


@pytest.fixture
def library(tmp_path: Path) -> Path:
    place = tmp_path / "library"
    framekeep.open(place, encoder="starter").close()
    return place


@pytest.fixture
def jobs(library: Path) -> Iterator[Jobs]:
    made = Jobs(library)
    yield made
    made.close()


def media(library: Path) -> int:
    with framekeep.open(library) as lib:
        return lib.count()


def test_adding_tells_progress_and_every_failure_with_its_reason(
    jobs: Jobs, folder: Path, library: Path
) -> None:
    job_id = jobs.add([str(folder)], title="Adding the holiday")
    state = ended(jobs, job_id)
    assert (state.status, state.title) == ("done", "Adding the holiday")
    assert (state.done, state.total) == (9, 9)
    assert (state.counts.indexed, state.counts.failed, state.counts.skipped) == (6, 2, 1)
    assert {Path(p.path).name: p.state for p in state.failures} == {
        "broken.jpg": "failed",
        "empty.png": "failed",
        "notes.txt": "skipped",
    }
    assert all(problem.reason for problem in state.failures)
    assert state.failures_total == 3
    assert state.started_at is not None
    assert state.finished_at is not None
    assert media(library) == 6


def test_a_worker_is_of_low_priority(jobs: Jobs, many: Path) -> None:
    job_id = jobs.add([str(many)])
    until(lambda: bool(workers_of(os.getpid())))
    worker = workers_of(os.getpid())[0]
    until(lambda: worker.nice() > psutil.Process().nice())
    jobs.cancel(job_id)
    ended(jobs, job_id)


def test_pause_stops_the_work_and_resume_takes_it_up(jobs: Jobs, many: Path) -> None:
    job_id = jobs.add([str(many)])
    until(lambda: jobs.state(job_id).done > 0)
    jobs.pause(job_id)
    assert jobs.state(job_id).status == "paused"
    settled = -1
    while settled != (settled := jobs.state(job_id).done):
        time.sleep(2.0)  # a batch in work ends first, on a busy machine slowly
    assert settled < 160
    time.sleep(1.0)
    assert jobs.state(job_id).done == settled
    jobs.resume(job_id)
    state = ended(jobs, job_id)
    assert (state.status, state.counts.indexed) == ("done", 160)


def test_cancel_keeps_what_was_done(jobs: Jobs, many: Path, library: Path) -> None:
    job_id = jobs.add([str(many)])
    until(lambda: jobs.state(job_id).counts.indexed > 0)
    jobs.cancel(job_id)
    state = ended(jobs, job_id)
    assert state.status == "cancelled"
    kept = media(library)
    assert 0 < state.counts.indexed <= kept < 160
    jobs.resume(job_id)
    assert jobs.state(job_id).status == "cancelled"
    again = ended(jobs, jobs.add([str(many)]))
    assert again.status == "done"
    assert media(library) == 160


def test_jobs_wait_for_each_other_and_a_waiting_one_can_be_cancelled(
    jobs: Jobs, many: Path, folder: Path, library: Path
) -> None:
    first, second, third = (jobs.add([str(path)]) for path in (many, folder, folder))
    until(lambda: jobs.state(first).status == "running")
    assert jobs.state(second).status == "waiting"
    current = jobs.current()
    assert current is not None
    assert current.job_id == first
    jobs.cancel(third)
    assert jobs.state(third).status == "cancelled"
    jobs.cancel(first)
    assert ended(jobs, second).status == "done"
    assert jobs.current() is None
    assert [job.job_id for job in jobs.states()] == [third, second, first]


def test_a_killed_worker_fails_with_a_sentence_and_the_next_job_runs(
    jobs: Jobs, many: Path, folder: Path
) -> None:
    first, second = jobs.add([str(many)]), jobs.add([str(folder)])
    until(lambda: jobs.state(first).done > 0)
    workers_of(os.getpid())[0].send_signal(signal.SIGKILL)
    state = ended(jobs, first)
    assert state.status == "failed"
    assert "ended unexpectedly" in (state.message or "")
    assert ended(jobs, second).status == "done"


def test_an_error_of_the_library_is_told_in_its_own_words(jobs: Jobs, tmp_path: Path) -> None:
    state = ended(jobs, jobs.add([str(tmp_path / "nowhere")]))
    assert state.status == "failed"
    assert "There is no file or folder" in (state.message or "")


def test_a_job_waits_for_a_library_that_another_process_writes_to(
    jobs: Jobs, folder: Path, library: Path
) -> None:
    with WriterLock(library).hold("framekeep add", 1.0):
        job_id = jobs.add([str(folder)])
        until(lambda: jobs.state(job_id).message is not None)
        assert f"process {os.getpid()}" in (jobs.state(job_id).message or "")
        assert jobs.state(job_id).status == "running"
    assert ended(jobs, job_id).status == "done"


def test_a_job_can_be_cancelled_while_it_waits_for_the_library(
    jobs: Jobs, folder: Path, library: Path
) -> None:
    with WriterLock(library).hold("framekeep add", 1.0):
        job_id = jobs.add([str(folder)])
        until(lambda: jobs.state(job_id).message is not None)
        jobs.cancel(job_id)
        assert ended(jobs, job_id).status == "cancelled"


def test_repair_tells_what_it_found(jobs: Jobs, folder: Path) -> None:
    ended(jobs, jobs.add([str(folder)]))
    state = ended(jobs, jobs.repair())
    assert state.message == "Catalog and index agree on 6 vectors."


def test_fetching_what_cannot_be_fetched_is_told(jobs: Jobs) -> None:
    state = ended(jobs, jobs.pull("clip-vit-b-32"))
    assert state.status == "failed"
    assert "FRAMEKEEP_OFFLINE" in (state.message or "")


def test_closing_keeps_what_was_not_done_for_the_next_time(
    library: Path, many: Path, folder: Path
) -> None:
    jobs = Jobs(library)
    first, second = jobs.add([str(many)], title="Many"), jobs.add([str(folder)])
    until(lambda: jobs.state(first).done > 0)
    jobs.close()
    assert not workers_of(os.getpid())
    later = Jobs(library)
    try:
        assert [job.status for job in later.states()] == ["interrupted", "interrupted"]
        assert later.current() is None
        assert later.state(first).title == "Many"
        later.resume(first)
        assert ended(later, first).status == "done"
        later.dismiss(second)
        with pytest.raises(NotFoundError):
            later.state(second)
    finally:
        later.close()
    assert media(library) == 160
    assert not list(library.glob("jobs-*.json"))


SERVER = """
import sys, time
from pathlib import Path
from framekeep.jobs import Jobs
jobs = Jobs(Path(sys.argv[1]))
job = jobs.add([sys.argv[2]])
while not jobs.state(job).done:
    time.sleep(0.02)
print("going", flush=True)
time.sleep(600)
"""


def test_killing_the_server_leaves_no_worker_behind(library: Path, many: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(library), str(many)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "going\n"
        worker = workers_of(server.pid)[0]
        server.kill()
        server.wait()
        until(lambda: not worker.is_running())
    finally:
        server.kill()
        if server.stdout is not None:
            server.stdout.close()
        server.wait()
    jobs = Jobs(library)
    try:
        (left,) = jobs.states()
        assert left.status == "interrupted"
        jobs.resume(left.job_id)
        assert ended(jobs, left.job_id).status == "done"
    finally:
        jobs.close()
    assert media(library) == 160


def test_another_running_programs_jobs_are_left_alone(library: Path) -> None:
    theirs = library / f"jobs-{os.getppid()}.json"
    theirs.write_text(json.dumps([]))
    jobs = Jobs(library)
    jobs.close()
    assert theirs.exists()


def test_the_revision_changes_with_every_change(jobs: Jobs, folder: Path) -> None:
    before = jobs.revision
    ended(jobs, jobs.add([str(folder)]))
    assert jobs.revision > before


def workers_of(pid: int) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(pid).children()
        if "framekeep.jobs_worker" in " ".join(child.cmdline())
    ]


def test_a_film_in_work_tells_how_far_it_has_been_read(tmp_path: Path, library: Path) -> None:
    film = tmp_path / "film.mp4"
    make_film(film, [scene(seed) for seed in range(40)], 1.0, fps=10, moves=False)
    jobs = Jobs(library)
    try:
        job_id = jobs.add([str(film)])
        seen: set[tuple[str | None, tuple[float, float]]] = set()

        def looked() -> bool:
            state = jobs.state(job_id)
            if state.film_s is not None:
                seen.add((state.current, state.film_s))
            return not state.active

        until(looked)
        assert jobs.state(job_id).status == "done"
        assert {path for path, _ in seen} == {str(film)}
        read = sorted(film_s[0] for _, film_s in seen)
        assert 0 < read[0] < read[-1] <= 40.5
        assert {round(film_s[1]) for _, film_s in seen} == {40}
        assert jobs.state(job_id).film_s is None
        assert jobs.state(job_id).counts.frames >= 40
    finally:
        jobs.close()
