"""What all browser sessions share: one library, one loaded model, one worker; made at start."""

from __future__ import annotations

import shutil
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from framekeep.app.http.inbox import MAX_BATCH_BYTES, Inbox
from framekeep.app.http.parts import Parts
from framekeep.app.http.queries import QueryImages
from framekeep.app.http.sessions import Sessions
from framekeep.errors import FramekeepError
from framekeep.jobs import Jobs
from framekeep.library import Library
from framekeep.modelling import list_models
from framekeep.settings import Settings, load_settings
from framekeep.types import Hit

KEPT_RESULTS = 64
KEPT_LATENCIES = 500


@dataclass(frozen=True)
class Signing:
    """Who is let in: with a token, by an identity provider, or (neither) anyone on this machine."""

    token: str | None
    hosts: tuple[str, ...]
    users: tuple[str, ...] | None
    sessions: Sessions


@dataclass
class Context:
    """The parts the pages work on. Thread-safe."""

    library: Library
    jobs: Jobs
    parts: Parts
    settings: Settings
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_LATENCIES))
    _results: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _model: threading.Lock = field(default_factory=threading.Lock)

    def kept(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What `make` gave for this key, as long as the library has not changed since."""
        full = (self.library.generation(), self.library.info.space, *key)
        with self._lock:
            if full in self._results:
                self._results.move_to_end(full)
                return self._results[full]
        made = make()
        with self._lock:
            self._results[full] = made
            while len(self._results) > KEPT_RESULTS:
                self._results.popitem(last=False)
        return made

    def count(self, where: str = "") -> int:
        """How many media match a filter, or are there at all."""
        return int(self.kept(("count", where), lambda: self.library.count(where or None)))

    def objects(self) -> int:
        """How many objects there are in all."""
        return int(self.kept(("objects",), self.library.object_counts)["segments"])

    def warm(self) -> None:
        """Load the model, once, whoever asks first."""
        with self._model:
            _ = self.library.encoder

    def timed(self, search: Callable[[], list[Hit]]) -> list[Hit]:
        """Run a search with the warm model, and note how long it took."""
        self.warm()
        started = time.perf_counter()
        hits = search()
        self.latencies_s.append(time.perf_counter() - started)
        return hits


_context: Context | None = None
_guard = threading.Lock()


def context() -> Context:
    """The running app's parts."""
    if _context is None:
        raise FramekeepError("The app has not been started: run `framekeep app`.")
    return _context


def started() -> bool:
    """Whether there is a running app in this process."""
    return _context is not None


def start(
    library: Path | None = None,
    token: str | None = None,
    hosts: Sequence[str] = (),
    users: tuple[str, ...] | None = None,
) -> Context:
    """Open the library and all that works on it; loads the model in the background."""
    global _context
    settings = load_settings()
    with _guard:
        signing = Signing(token, tuple(hosts), users, Sessions())
        made = _made(library or settings.library, settings, signing)
        _context = made
    threading.Thread(target=_warm_quietly, args=(made,), daemon=True, name="warm").start()
    return made


def stop() -> None:
    """End the work in hand orderly and close the library."""
    global _context
    with _guard:
        ending, _context = _context, None
    if ending is not None:
        ending.jobs.close()
        ending.library.close()


def clear_library() -> None:
    """Forget everything in the library, and open it anew with the same encoder."""
    global _context
    with _guard:
        old = context()
        name = old.library.info.name
        folder = old.library.path
        old.jobs.close()
        try:
            old.library.clear()
        except FramekeepError:
            _context = replace(old, jobs=Jobs(folder))
            raise
        shutil.rmtree(old.parts.queries.folder, ignore_errors=True)
        for left in folder.glob("jobs-*.json"):
            left.unlink(missing_ok=True)  # work for a library that is no more
        parts = old.parts
        signing = Signing(parts.token, parts.hosts, parts.users, parts.sessions)
        _context = _made(folder, old.settings, signing, name)


def _made(folder: Path, settings: Settings, signing: Signing, encoder: str = "") -> Context:
    library = Library.open(folder, encoder or _first_encoder(folder, settings), settings=settings)
    parts = Parts(
        library=library,
        inbox=Inbox(
            library.path / "uploads",
            max_bytes=settings.max_bytes,
            max_film_bytes=settings.max_film_bytes,
            max_batch_bytes=max(MAX_BATCH_BYTES, settings.max_film_bytes),
        ),
        queries=QueryImages(library.path / "queries"),
        token=signing.token,
        users=signing.users,
        hosts=signing.hosts or Parts.hosts,
        sessions=signing.sessions,
    )
    return Context(library, Jobs(library.path), parts, settings)


def _first_encoder(folder: Path, settings: Settings) -> str | None:
    """For a new library: no download stands before the first page, which offers it instead."""
    if (folder / "catalog.sqlite3").exists() or settings.encoder:
        return None
    on_disk = {model.name for model in list_models(settings) if model.on_disk}
    return "clip-vit-b-32" if "clip-vit-b-32" in on_disk else "starter"


def _warm_quietly(made: Context) -> None:
    with suppress(FramekeepError):  # told in the page by the first search
        made.warm()
