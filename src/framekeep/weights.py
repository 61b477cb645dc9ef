"""Weights: where they come from, fetching them so that nothing half or wrong is ever used.

One streaming download serves hub and plain addresses alike: it resumes, has a deadline, reports
every block and checks the SHA-256 before the file gets its name. The hub's own client would keep a
second copy and retry for longer than a user waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framekeep.errors import OfflineError, WeightsError

if TYPE_CHECKING:
    import httpx

Progress = Callable[[str, int, int | None], None]

STALLED_S = 30.0
# Below the ten seconds that a user may be kept from knowing.
PROBE_S = 8.0

HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Source:
    """One place a checkpoint can be fetched from; `sha256` is that of this very file.

    `url` may begin with "hub:", which stands for the hub, or for what HF_ENDPOINT names.
    """

    url: str
    sha256: str

    @property
    def address(self) -> str:
        """The full address."""
        if self.url.startswith("hub:"):
            return os.environ.get("HF_ENDPOINT", HUB).rstrip("/") + "/" + self.url[4:]
        return self.url

    @property
    def file_name(self) -> str:
        """The name that the file is kept under."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be named without having been added; `dim` is 0 where it gives no vectors."""

    name: str
    dim: int
    approx_bytes: int
    note: str
    sources: tuple[Source, ...]
    kind: str = "clip"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as hex digits. Raises WeightsError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise WeightsError(f"{path} cannot be read: {_words(exc)}.") from exc


def fetch(
    name: str,
    sources: Sequence[Source],
    folder: Path,
    *,
    offline: bool,
    connect_timeout_s: float,
    progress: Progress | None = None,
) -> tuple[Path, Source]:
    """Download from the first source that gives the right file; resumes what was begun.

    Raises OfflineError where connections are forbidden, WeightsError with the reason of every
    source where none served.
    """
    if offline:
        raise OfflineError(
            f"{name} is not on this machine, and FRAMEKEEP_OFFLINE forbids fetching it: copy the "
            f"file here and run `framekeep models add NAME FILE`."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise WeightsError(f"{folder} cannot be made: {_words(exc)}.") from exc
    reasons = []
    for source in sources:
        try:
            path = _download(name, source, folder, connect_timeout_s, progress)
        except WeightsError as exc:
            reasons.append(f"{source.address.split('/')[2]}: {exc}")
        else:
            return path, source
    raise WeightsError(
        f"{name} could not be fetched ({'; '.join(reasons)}): try again later, or copy the file "
        f"here and run `framekeep models add NAME FILE`."
    )


def reachable(sources: Sequence[Source], connect_timeout_s: float) -> bool:
    """True where any source answers for its file; gives up after a few seconds whatever happens."""
    answers: queue.Queue[bool] = queue.Queue()

    def ask(source: Source) -> None:
        try:
            with _request(source.address, {"Range": "bytes=0-0"}, connect_timeout_s) as response:
                answers.put(response.status_code in (200, 206))
        except Exception:  # noqa: BLE001 - nobody waits for this thread any more
            answers.put(False)

    # A thread for each: looking up a host's name cannot be interrupted, only left behind.
    for source in sources:
        threading.Thread(target=ask, args=(source,), daemon=True).start()
    deadline = threading.Event()
    timer = threading.Timer(PROBE_S, deadline.set)
    timer.daemon = True
    timer.start()
    try:
        for _ in sources:
            while not deadline.is_set():
                try:
                    if answers.get(timeout=0.1):
                        return True
                except queue.Empty:
                    continue
                break
        return False
    finally:
        timer.cancel()


def _download(
    name: str, source: Source, folder: Path, connect_timeout_s: float, progress: Progress | None
) -> Path:
    part, state = folder / f"{source.sha256[:16]}.part", folder / f"{source.sha256[:16]}.json"
    begun = part.stat().st_size if part.exists() else 0
    headers = _resume_headers(begun, state, source)
    with _request(source.address, headers, connect_timeout_s) as response:
        if response.status_code == 416:
            _forget(part, state)
            raise WeightsError("the download begun earlier does not fit any more; it starts anew")
        if response.status_code not in (200, 206):
            raise WeightsError(f"it answers {response.status_code}")
        begun = begun if response.status_code == 206 else 0
        length = response.headers.get("content-length")
        total = begun + int(length) if length and length.isdigit() else None
        etag = response.headers.get("etag", "")
        try:
            state.write_text(json.dumps({"url": source.address, "etag": etag}), encoding="utf-8")
            _receive(response, part, begun, lambda done: progress and progress(name, done, total))
        except OSError as exc:
            raise WeightsError(f"{part} cannot be written: {_words(exc)}") from exc
    size = part.stat().st_size
    if total is not None and size < total:
        raise WeightsError(f"the connection broke off after {size:,} of {total:,} bytes")
    actual = sha256_of(part)
    if actual != source.sha256:
        _forget(part, state)
        raise WeightsError(f"the file is not the right one (SHA-256 {actual[:12]}…)")
    target = folder / source.file_name
    part.replace(target)
    state.unlink(missing_ok=True)
    return target


def _resume_headers(begun: int, state: Path, source: Source) -> dict[str, str]:
    """Ask for the rest of a file only where it is surely the same file."""
    try:
        told: dict[str, Any] = json.loads(state.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not begun or told.get("url") != source.address or not told.get("etag"):
        return {}
    return {"Range": f"bytes={begun}-", "If-Range": str(told["etag"])}


def _receive(
    response: httpx.Response, part: Path, begun: int, told: Callable[[int], object]
) -> None:
    import httpx

    with part.open("ab" if begun else "wb") as file:
        done = begun
        told(done)
        try:
            for block in response.iter_raw():
                file.write(block)
                done += len(block)
                told(done)
        except httpx.HTTPError as exc:
            raise WeightsError(
                f"the connection broke off after {done:,} bytes ({exc or type(exc).__name__})"
            ) from exc
        finally:
            file.flush()
            os.fsync(file.fileno())


def _forget(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextmanager
def _request(
    url: str, headers: dict[str, str], connect_timeout_s: float
) -> Iterator[httpx.Response]:
    import httpx

    timeout = httpx.Timeout(STALLED_S, connect=connect_timeout_s)
    # The bytes are counted and hashed as they are, so no coding may lie on top of them.
    headers = {"Accept-Encoding": "identity", **headers}
    try:
        with httpx.stream(
            "GET", url, headers=headers, timeout=timeout, follow_redirects=True
        ) as response:
            yield response
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise WeightsError(f"it cannot be reached ({exc or type(exc).__name__})") from exc


def _words(exc: OSError) -> str:
    return (exc.strerror or type(exc).__name__).lower()
