"""A scan that runs ahead in a thread, kept on disk: totals are known and memory stays flat."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import astuple

from framekeep.media.scan import FoundFile


class Spool:
    """Iterate over found files while a thread goes on finding more.

    `written` counts what has been found so far; `complete` is true once that is all.
    An error of the scan is raised to the reader after the files before it.
    """

    def __init__(self, found: Iterator[FoundFile]) -> None:
        self.written = 0
        self.complete = False
        self._error: BaseException | None = None
        self._stop = False
        self._changed = threading.Condition()
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._thread = threading.Thread(
            target=self._fill, args=(found,), name="framekeep-scan", daemon=True
        )
        self._thread.start()

    def _fill(self, found: Iterator[FoundFile]) -> None:
        try:
            for file in found:
                if self._stop:
                    return
                self._append(json.dumps(astuple(file)) + "\n")
        except BaseException as exc:  # noqa: BLE001 - handed to the reader
            self._error = exc
        finally:
            with self._changed:
                self.complete = True
                self._changed.notify_all()

    def _append(self, line: str) -> None:
        with self._changed:
            self._file.seek(0, 2)
            self._file.write(line)
            self.written += 1
            self._changed.notify_all()

    def __iter__(self) -> Iterator[FoundFile]:
        position, read = 0, 0
        while True:
            with self._changed:
                while read == self.written and not self.complete:
                    self._changed.wait()
                if read == self.written:
                    break
                self._file.seek(position)
                lines = [self._file.readline() for _ in range(min(512, self.written - read))]
                position = self._file.tell()
            read += len(lines)
            for line in lines:
                yield FoundFile(*json.loads(line))
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop the scan and forget what it found."""
        self._stop = True
        self._thread.join()
        self._file.close()
