"""Bounded look-ahead: work in threads, at most so far before the consumer, order kept."""

from __future__ import annotations

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


_END: Any = object()


def in_background(items: Generator[T, None, None], ahead: int) -> Generator[T, None, None]:
    """What a generator yields, while it runs in a thread of its own, at most `ahead` before.

    What it raises is raised here, in its turn. Closing this one closes that one.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="framekeep-ahead")
    try:
        waiting = deque(pool.submit(next, items, _END) for _ in range(ahead))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, items, _END))
            yield item
    finally:
        try:
            pool.shutdown(wait=True, cancel_futures=True)
        finally:
            # Also where Ctrl-C breaks that off: what the thread uses is closed behind this.
            pool.shutdown(wait=True)
            items.close()
