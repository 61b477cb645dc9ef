"""The worker: one job in a process of its own, told by its standard input, telling by its output.

The first line on standard input is the job; later lines are "pause", "resume" or "cancel". The end
of the input means that whoever asked is gone: the worker ends orderly. Every line is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import asdict
from typing import Any

from framekeep.errors import FramekeepError, LibraryLockedError
from framekeep.library import Library
from framekeep.modelling import pull_model
from framekeep.settings import Settings, load_settings
from framekeep.types import IngestEvent

TELL_EVERY_S = 0.12
LOCK_POLL_S = 1.0


class Ended(Exception):  # noqa: N818 - an end, not an error
    """The job was cancelled, or its owner is gone."""


class Control:
    """What the owner wants, read from standard input in a thread."""

    def __init__(self) -> None:
        self.end: str | None = None
        self._going = threading.Event()
        self._going.set()

    def listen(self) -> None:
        """Follow the commands until the input ends."""
        for line in sys.stdin:
            command = line.strip().strip('"')
            if command == "pause":
                self._going.clear()
            elif command == "resume":
                self._going.set()
            elif command == "cancel":
                self._stop("cancelled")
                return
        self._stop("interrupted")

    def _stop(self, end: str) -> None:
        self.end = end
        self._going.set()

    def check(self) -> None:
        """Wait while the job is paused. Raises Ended where it is to end."""
        self._going.wait()
        if self.end:
            raise Ended(self.end)


class Teller:
    """Writes events, progress not too often."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        # Whatever else prints must not end up between the events.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._last = 0.0

    def tell(self, event: str, **values: object) -> None:
        """One event, at once."""
        self._out.write(json.dumps({"event": event, **values}) + "\n")
        self._out.flush()

    def progress(self, *, always: bool = False, **values: object) -> None:
        """How far the job is."""
        now = time.monotonic()
        if always or now - self._last >= TELL_EVERY_S:
            self._last = now
            self.tell("progress", **values)


def main() -> None:
    """Run the job that stands on the first line of standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(10)
    teller = Teller()
    job = json.loads(sys.stdin.readline())
    control = Control()
    threading.Thread(target=control.listen, daemon=True).start()
    try:
        message = _when_free(job, control, teller)
        teller.tell("end", status="done", message=message)
    except Ended as end:
        teller.tell("end", status=str(end), message=None)
    except FramekeepError as exc:
        teller.tell("end", status="failed", message=str(exc))
    except MemoryError:
        teller.tell("end", status="failed", message="There was not enough memory for this work.")
    # The listening thread may hold standard input: leave without waiting for it.
    sys.stderr.flush()
    os._exit(0)


def _when_free(job: dict[str, Any], control: Control, teller: Teller) -> str | None:
    """Do the job as soon as no other process writes to the library."""
    settings = load_settings().model_copy(update={"lock_wait_s": LOCK_POLL_S})
    run: dict[str, Callable[..., str | None]] = {
        "add": _add,
        "encoder": _encoder,
        "pull": _pull,
        "repair": _repair,
        "segment": _segment,
        "export": _export,
        "import": _import,
    }
    while True:
        try:
            return run[job["kind"]](job, settings, control, teller)
        except LibraryLockedError as exc:
            teller.tell("message", text=str(exc))
            control.check()


def _opened(job: dict[str, Any], settings: Settings, teller: Teller) -> Library:
    def fetched(_what: str, done: int, total: int | None) -> None:
        teller.progress(done=done, total=total, unit="bytes")

    return Library.open(job["library"], job["encoder"], settings=settings, progress=fetched)


def _add(job: dict[str, Any], settings: Settings, control: Control, teller: Teller) -> None:
    with _opened(job, settings, teller) as library:
        events = library.add(*job["paths"], retry=job["retry"])
        _follow(events, control, teller)


def _encoder(job: dict[str, Any], settings: Settings, control: Control, teller: Teller) -> None:
    with _opened(job, settings, teller) as library:
        _follow(library.use_encoder(job["name"], job["precision"]), control, teller)


def _segment(job: dict[str, Any], settings: Settings, control: Control, teller: Teller) -> None:
    with _opened(job, settings, teller) as library:
        events = library.segment(
            job["where"], job["segmenter"], again=job["again"], retry=job["retry"]
        )
        _follow(events, control, teller)


def _export(job: dict[str, Any], settings: Settings, control: Control, teller: Teller) -> str:
    with _opened(job, settings, teller) as library:
        again = "manifest" in job["options"]
        events = (library.export_again if again else library.export)(**job["options"])
        last = _follow_dataset(events, control, teller)
    report = last.report
    return (
        f"{report.image_count:,} photos with {report.object_count:,} objects are in {report.out}."
    )


def _import(job: dict[str, Any], settings: Settings, control: Control, teller: Teller) -> str:
    with _opened(job, settings, teller) as library:
        last = _follow_dataset(library.import_dataset(**job["options"]), control, teller)
    report = last.report
    for problem in report.problems:
        teller.tell("failure", path=problem.where, state="failed", reason=problem.what)
    there = f"{report.unchanged:,} were there already." if report.unchanged else ""
    said = f"{report.objects:,} objects in {report.images:,} photos were taken in."
    return " ".join(filter(None, [said, there, *report.notes]))


def _follow_dataset(events: Generator[Any, None, None], control: Control, teller: Teller) -> Any:
    """Tell the events of an export or an import; gives the last one, which carries the report."""
    event = None
    with contextlib.closing(events):
        for event in events:
            if event.kind == "left_out":  # an import's problems are told by its report
                reason = event.reason or ""
                teller.tell("failure", path=event.path or "", state="failed", reason=reason)
            teller.progress(
                always=event.kind == "done",
                done=event.done,
                total=event.total or None,
                unit="files",
                current=event.path,
            )
            control.check()
    return event


def _follow(events: Generator[IngestEvent, None, None], control: Control, teller: Teller) -> None:
    with contextlib.closing(events):
        for event in events:
            _tell(event, teller)
            control.check()


def _tell(event: IngestEvent, teller: Teller) -> None:
    if event.kind in ("failed", "skipped", "missing"):
        teller.tell("failure", path=event.path or "", state=event.kind, reason=event.reason or "")
    ended = event.kind == "done"
    teller.progress(
        always=ended,
        done=event.counts.done,
        total=event.counts.found if ended or event.time_left_s is not None else None,
        unit="files",
        counts=asdict(event.counts),
        rate_per_s=event.rate_per_s,
        time_left_s=event.time_left_s,
        current=event.path,
        film_s=event.film_s,
    )


def _pull(job: dict[str, Any], settings: Settings, control: Control, teller: Teller) -> str:
    def fetched(_what: str, done: int, total: int | None) -> None:
        control.check()
        teller.progress(done=done, total=total, unit="bytes")

    model = pull_model(job["name"], settings, fetched)
    return f"{model.name} is ready."


def _repair(job: dict[str, Any], settings: Settings, _control: Control, teller: Teller) -> str:
    with _opened(job, settings, teller) as library:
        report = library.repair()
    if report.clean:
        return f"Catalog and index agree on {report.checked:,} vectors."
    return (
        f"{report.checked:,} vectors compared: {report.added:,} added, {report.replaced:,} "
        f"replaced, {report.removed:,} removed."
    )


if __name__ == "__main__":
    main()
