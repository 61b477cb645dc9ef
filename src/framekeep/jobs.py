"""Work in the background: a queue for one library, each job in a process of low priority."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from framekeep.errors import NotFoundError
from framekeep.jobs_records import ACTIVE, JobKind, JobState, JobStatus, segmenting_title
from framekeep.types import IngestCounts, Problem

__all__ = ["ACTIVE", "JobKind", "JobState", "JobStatus", "Jobs"]


KEPT_FAILURES = 500
KEPT_ENDED = 20
WORKER = "framekeep.jobs_worker"


class Jobs:
    """The queue of one library: one job at a time, the others wait. Thread-safe.

    What has not ended when the program does is kept in the library's folder, and shown as
    interrupted by the next `Jobs` there.
    """

    def __init__(self, library: Path, encoder: str | None = None) -> None:
        self._library = Path(library)
        self._encoder = encoder
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._states: dict[str, JobState] = {}
        self._orders: dict[str, dict[str, Any]] = {}
        self._worker: subprocess.Popen[str] | None = None
        self._running: str | None = None
        self._closing = False
        self._revision = 0
        self._adopt()
        self._thread = threading.Thread(target=self._serve, daemon=True, name="framekeep-jobs")
        self._thread.start()

    # Orders

    def add(self, paths: Sequence[str], *, retry: bool = False, title: str | None = None) -> str:
        """Add files and folders; gives the job's id. With `retry`, failed files are read again."""
        order = {"paths": list(paths), "retry": retry}
        return self._enqueue("add", title or "Adding photos and films", order)

    def use_encoder(self, name: str, precision: str = "fp32") -> str:
        """Read every photo again with another encoder, then search with that one."""
        order = {"name": name, "precision": precision}
        return self._enqueue("encoder", f"Reading every photo with {name}", order)

    def segment(
        self,
        where: str | None = None,
        segmenter: str | None = None,
        again: bool = False,
        *,
        retry: bool = False,
    ) -> str:
        """Find the objects in photos; `where`, `again` and `retry` as for `Library.segment`."""
        order = {"where": where, "segmenter": segmenter, "again": again, "retry": retry}
        return self._enqueue("segment", segmenting_title(segmenter), order)

    def export(self, options: dict[str, Any]) -> str:
        """Write a dataset; `options` are those of `Library.export`, as JSON has them."""
        order = {"options": _plain(options)}
        return self._enqueue("export", f"Exporting to {Path(str(options['out'])).name}", order)

    def export_again(self, manifest: str, out: str) -> str:
        """Write the dataset of a manifest once more, to the folder `out`."""
        order = {"options": {"manifest": manifest, "out": out}}
        return self._enqueue("export", f"Exporting to {Path(out).name}", order)

    def import_dataset(self, options: dict[str, Any]) -> str:
        """Take in a dataset; `options` are those of `Library.import_dataset`."""
        order = {"options": _plain(options)}
        return self._enqueue("import", f"Importing {Path(str(options['path'])).name}", order)

    def pull(self, model: str) -> str:
        """Fetch the weights of an encoder or a segmenter."""
        return self._enqueue("pull", f"Fetching {model}", {"name": model})

    def repair(self) -> str:
        """Compare the index with the catalog, and mend it."""
        return self._enqueue("repair", "Checking the index", {})

    def pause(self, job_id: str) -> None:
        """Have a running job wait; nothing happens where it does not run."""
        self._command(job_id, "pause", "running", "paused")

    def resume(self, job_id: str) -> None:
        """Have a paused job go on, or do an interrupted one from where it stopped."""
        with self._lock:
            if self.state(job_id).status == "interrupted":
                self._set(job_id, status="waiting", finished_at=None, message=None)
                self._save()
                self._wake.notify_all()
                return
        self._command(job_id, "resume", "paused", "running")

    def cancel(self, job_id: str) -> None:
        """End a job; what it has done is kept."""
        with self._lock:
            status = self.state(job_id).status
            if status in ("waiting", "interrupted"):
                self._finish(job_id, "cancelled")
            elif status in ("running", "paused"):
                self._set(job_id, status="stopping")
                self._send("cancel")

    def dismiss(self, job_id: str) -> None:
        """Forget a job that has ended or was interrupted."""
        with self._lock:
            if not self.state(job_id).active:
                self._forget(job_id)
                self._save()

    # Looking

    @property
    def revision(self) -> int:
        """Changes with every change of any job."""
        return self._revision

    def states(self) -> list[JobState]:
        """All jobs that are known, newest first."""
        with self._lock:
            return sorted(self._states.values(), key=lambda job: job.created_at, reverse=True)

    def state(self, job_id: str) -> JobState:
        """One job. Raises NotFoundError."""
        with self._lock:
            try:
                return self._states[job_id]
            except KeyError:
                raise NotFoundError(
                    f"There is no job {job_id}; it may have been forgotten."
                ) from None

    def current(self) -> JobState | None:
        """The job in work, else the next one that waits."""
        with self._lock:
            running = self._states.get(self._running or "")
            return running if running is not None and running.active else self._next()

    def close(self, wait_s: float = 20.0) -> None:
        """Stop the job in work orderly and let go; what has not ended is kept as interrupted."""
        with self._lock:
            self._closing = True
            self._wake.notify_all()
            if self._worker is not None and self._worker.stdin is not None:
                with contextlib.suppress(OSError):
                    self._worker.stdin.close()
        self._thread.join(wait_s)
        with self._lock:
            if self._worker is not None:
                self._worker.kill()
        self._thread.join(5.0)

    # The queue

    def _enqueue(self, kind: JobKind, title: str, order: dict[str, Any]) -> str:
        job_id = uuid.uuid4().hex[:12]
        with self._lock:
            self._orders[job_id] = order
            self._states[job_id] = JobState(job_id, kind, title, "waiting", datetime.now(UTC))
            self._changed()
            self._save()
            self._wake.notify_all()
        return job_id

    def _serve(self) -> None:
        while True:
            with self._lock:
                job = self._next()
                while job is None and not self._closing:
                    self._wake.wait()
                    job = self._next()
                if self._closing or job is None:
                    return
                self._running = job.job_id
                self._set(job.job_id, status="running", started_at=datetime.now(UTC), message=None)
            try:
                self._work(job)
            finally:
                with self._lock:
                    self._running = self._worker = None

    def _next(self) -> JobState | None:
        waiting = [job for job in self.states() if job.status == "waiting"]
        return waiting[-1] if waiting else None

    def _work(self, job: JobState) -> None:
        """Run the worker on one job and follow its events to the end."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            try:
                worker = self._start(said)
            except OSError as exc:
                self._finish(job.job_id, "failed", f"The worker could not be started: {exc}.")
                return
            order = {
                "kind": job.kind,
                "library": str(self._library),
                "encoder": self._encoder,
                **self._orders[job.job_id],
            }
            with self._lock:
                self._worker = worker
                self._send(json.dumps(order))
                if self._closing and worker.stdin is not None:
                    worker.stdin.close()
            for line in worker.stdout or ():
                self._hear(job.job_id, json.loads(line))
            code = worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            if self.state(job.job_id).active:
                self._finish(job.job_id, *self._died(code, said))

    def _start(self, said: IO[str]) -> subprocess.Popen[str]:
        low = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            encoding="utf-8",
            start_new_session=True,
            creationflags=low,
        )

    def _died(self, code: int, said: IO[str]) -> tuple[JobStatus, str | None]:
        """How a job ends whose worker has gone without a word."""
        if self._closing:
            return "interrupted", None
        said.seek(0)
        last = [line.strip() for line in said.read()[-4000:].splitlines() if line.strip()][-1:]
        why = f": {last[0]}" if last else ""
        return "failed", (
            f"The worker ended unexpectedly (code {code}){why}. What was done is kept; start the "
            "work again to go on."
        )

    def _hear(self, job_id: str, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        with self._lock:
            state = self._states[job_id]
            if kind == "progress":
                if "counts" in event:
                    event["counts"] = IngestCounts(**event["counts"])
                if event.get("film_s"):
                    event["film_s"] = tuple(event["film_s"])
                self._set(job_id, **event, message=None)
            elif kind == "failure":
                failures = (*state.failures, Problem(**event))[-KEPT_FAILURES:]
                self._set(job_id, failures=failures, failures_total=state.failures_total + 1)
            elif kind == "message":
                self._set(job_id, message=event["text"])
            elif kind == "end":
                self._finish(job_id, event["status"], event["message"])

    def _command(self, job_id: str, command: str, before: JobStatus, after: JobStatus) -> None:
        with self._lock:
            if self.state(job_id).status == before:
                self._set(job_id, status=after)
                self._send(command)

    def _send(self, line: str) -> None:
        if self._worker is not None and self._worker.stdin is not None:
            # A worker that has just gone is told by the end of its output.
            with contextlib.suppress(OSError, ValueError):
                self._worker.stdin.write(line + "\n")
                self._worker.stdin.flush()

    def _set(self, job_id: str, **values: Any) -> None:
        self._states[job_id] = replace(self._states[job_id], **values)
        self._changed()

    def _finish(self, job_id: str, status: JobStatus, message: str | None = None) -> None:
        with self._lock:
            self._set(
                job_id,
                status=status,
                message=message,
                current=None,
                film_s=None,
                time_left_s=None,
                finished_at=datetime.now(UTC),
            )
            ended = [job for job in self.states() if not job.active and job.status != "interrupted"]
            for job in ended[KEPT_ENDED:]:
                self._forget(job.job_id)
            self._save()

    def _forget(self, job_id: str) -> None:
        self._states.pop(job_id, None)
        self._orders.pop(job_id, None)
        self._changed()

    def _changed(self) -> None:
        self._revision += 1

    # What outlives the program

    @property
    def _file(self) -> Path:
        return self._library / f"jobs-{os.getpid()}.json"

    def _save(self) -> None:
        """Write down what has not ended; without a library yet there is nothing to keep."""
        kept = [
            {
                "job_id": job.job_id,
                "kind": job.kind,
                "title": job.title,
                "created_at": job.created_at.isoformat(),
                "order": self._orders[job.job_id],
            }
            for job in self.states()
            if job.active or job.status == "interrupted"
        ]
        with contextlib.suppress(OSError):
            if not kept:
                self._file.unlink(missing_ok=True)
                return
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(kept), encoding="utf-8")
            part.replace(self._file)

    def _adopt(self) -> None:
        """Take over what a program that has ended left behind."""
        for file in sorted(self._library.glob("jobs-*.json")):
            pid = file.stem.removeprefix("jobs-")
            if pid.isdigit() and int(pid) != os.getpid() and _lives(int(pid)):
                continue
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                for job in json.loads(file.read_text("utf-8")):
                    self._orders[job["job_id"]] = job["order"]
                    self._states[job["job_id"]] = JobState(
                        job["job_id"],
                        job["kind"],
                        job["title"],
                        "interrupted",
                        datetime.fromisoformat(job["created_at"]),
                        message="The app ended before this was done.",
                    )
            with contextlib.suppress(OSError):
                file.unlink()
        self._save()


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options as they come out of JSON, paths as texts."""
    plain: dict[str, Any] = json.loads(json.dumps(options, default=str))
    return plain


def _lives(pid: int) -> bool:
    if os.name == "nt":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # there, but another user's
    return True
