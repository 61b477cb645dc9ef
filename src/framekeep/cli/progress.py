"""Bars in the terminal, fed by the same events that every other face reads."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import PurePath

from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from framekeep.cli.common import stderr
from framekeep.film_types import clock
from framekeep.types import IngestCounts, IngestEvent

SHOWN_PROBLEMS = 10
LONGEST_NAME = 40


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

    A film that is being read has a bar of its own below.
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
            _HowFar(),
            TextColumn("{task.fields[rate]}"),
            console=stderr,
        ) as bar,
    ):
        film = _FilmBar(bar)
        task = bar.add_task(what, total=None, rate="")
        for event in chain([first] if first else [], events):
            if asked.is_set():
                events.close()
                raise KeyboardInterrupt
            counts = event.counts
            bar.update(task, completed=counts.done, total=counts.found or None, rate=_rate(event))
            film.show(event)
            if event.kind == "failed":
                shown += 1
                if shown <= SHOWN_PROBLEMS:
                    bar.console.print(f"{event.path}: {event.reason}", soft_wrap=True, markup=False)
                elif shown == SHOWN_PROBLEMS + 1:
                    bar.console.print("More problems follow: see `framekeep problems`.")
    return counts


class _HowFar(MofNCompleteColumn):
    """Files done of all, or how far a film has been read."""

    def render(self, task: Task) -> Text:
        """The column's text."""
        read = task.fields.get("read")
        return super().render(task) if read is None else Text(read, style="progress.download")


class _FilmBar:
    """A second bar, there while a film is being read."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._path: str | None = None
        self._task: TaskID | None = None

    def show(self, event: IngestEvent) -> None:
        """Follow an event of the run."""
        reading = event.kind == "reading" and event.film_s is not None
        if self._task is not None and not (reading and event.path == self._path):
            self._bar.remove_task(self._task)
            self._task = None
        if event.film_s is None or not reading:
            return
        if self._task is None:
            self._path = event.path
            name = PurePath(event.path or "").name
            shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
            self._task = self._bar.add_task(f"  {escape(shown)}", total=None, rate="", read="")
        read_to_s, duration_s = event.film_s
        read = f"{clock(read_to_s)} of {clock(duration_s)}"
        self._bar.update(self._task, completed=read_to_s, total=duration_s or None, read=read)


def _rate(event: IngestEvent) -> str:
    rate = f"{event.rate_per_s:.1f}/s" if event.rate_per_s else ""
    if event.kind == "done" or event.time_left_s is None:
        return rate
    minutes, seconds = divmod(round(event.time_left_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{rate}, {hours}:{minutes:02}:{seconds:02} left"
