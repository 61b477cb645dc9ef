"""Bounded look-ahead: work in threads, at most so far before the consumer, order kept."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")
Passed = TypeVar("Passed")
Outcome = TypeVar("Outcome")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` items, in order."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def in_threads(
    items: Iterable[Item | Passed],
    kind: type[Item],
    work: Callable[[Item], Outcome],
    threads: int,
    ahead: int,
) -> Iterator[Outcome | Passed]:
    """Work on items of one kind in threads, at most `ahead` before the consumer.

    Items of other kinds pass through, in order with the outcomes.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="framekeep-decode")
    waiting: deque[Any] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item) if isinstance(item, kind) else item)
            while len(waiting) > ahead:
                yield _outcome(waiting.popleft())
        while waiting:
            yield _outcome(waiting.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(entry: Any) -> Any:
    return entry.result() if isinstance(entry, Future) else entry


def in_background(items: Iterator[T], ahead: int) -> Generator[T, None, None]:
    """The items of an iterator that runs in a thread of its own, at most `ahead` before this one.

    What it raises is raised here, in its turn. Closing this one stops that one and waits for it.
    """
    waiting: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(ahead)
    stop = threading.Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not stop.is_set():
            try:
                waiting.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return

    def run() -> None:
        try:
            for item in items:
                put(item, None)
                if stop.is_set():
                    break
        except BaseException as exc:  # noqa: BLE001 - it is raised where the items are taken
            put(None, exc)
        else:
            put(None, StopIteration())
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=run, name="framekeep-film", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # None only comes with an error
    finally:
        stop.set()
        thread.join()
