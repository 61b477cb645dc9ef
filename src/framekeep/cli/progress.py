"""Bars in the terminal, fed by the same events that every other face reads."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from framekeep.cli.common import stderr
from framekeep.types import IngestCounts, IngestEvent

SHOWN_PROBLEMS = 10


@contextmanager
def download_bar() -> Iterator[Callable[[str, int, int | None], None]]:
    """A callback that shows bytes fetched; nothing appears until it is first called."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=stderr,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def update(name: str, done_bytes: int, total_bytes: int | None) -> None:
        if not tasks:
            bar.start()
        if name not in tasks:
            tasks[name] = bar.add_task(f"Fetching {name}", total=total_bytes)
        bar.update(tasks[name], completed=done_bytes, total=total_bytes)

    try:
        yield update
    finally:
        if tasks:
            bar.stop()


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """What the first Ctrl-C sets, so that the batch at hand is finished; a second one stops."""
    asked = threading.Event()

    def on_signal(number: int, frame: object) -> None:  # noqa: ARG001 - the form that signal wants
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    former = signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, former)


def follow(events: Generator[IngestEvent, None, None], what: str) -> IngestCounts:
    """Show a run's events as a bar with rate and time left; give the final counts.

    Raises KeyboardInterrupt after Ctrl-C, with what was begun written whole.
    """
    counts = IngestCounts()
    shown = 0
    # Nothing is drawn before the run has begun: an error then stands alone.
    first = next(events, None)
    with (
        asked_to_stop() as asked,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            console=stderr,
        ) as bar,
    ):
        task = bar.add_task(what, total=None, rate="")
        for event in chain([first] if first else [], events):
            if asked.is_set():
                events.close()
                raise KeyboardInterrupt
            counts = event.counts
            bar.update(task, completed=counts.done, total=counts.found or None, rate=_rate(event))
            if event.kind == "failed":
                shown += 1
                if shown <= SHOWN_PROBLEMS:
                    bar.console.print(f"{event.path}: {event.reason}", soft_wrap=True, markup=False)
                elif shown == SHOWN_PROBLEMS + 1:
                    bar.console.print("More problems follow: see `framekeep problems`.")
    return counts


def _rate(event: IngestEvent) -> str:
    rate = f"{event.rate_per_s:.1f}/s" if event.rate_per_s else ""
    if event.kind == "done" or event.time_left_s is None:
        return rate
    minutes, seconds = divmod(round(event.time_left_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{rate}, {hours}:{minutes:02}:{seconds:02} left"
