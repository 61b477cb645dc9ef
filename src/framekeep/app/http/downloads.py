"""A route that sends an exported dataset as one ZIP file, made while it is sent."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import quote

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from framekeep.app.folders import EXPORTS, is_former_export
from framekeep.app.http.answers import told
from framekeep.errors import NotFoundError

if TYPE_CHECKING:
    from framekeep.app.http.parts import Parts

CHUNK = 1 << 20
_TEXTS = frozenset([".json", ".jsonl", ".txt", ".yaml", ".csv"])


class _Sent:
    """A file that can only be written to, and that gives what was written on."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take data."""
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """Everything that was written since."""
        taken = b"".join(self._waiting)
        self._waiting.clear()
        return taken


def zipped(folder: Path) -> Iterator[bytes]:
    """A folder's files as a ZIP file, piece by piece, in the order of their names.

    Pictures are stored as they are; links are left out.
    """
    sent = _Sent()
    with zipfile.ZipFile(cast("IO[bytes]", sent), "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            name = str(Path(folder.name) / path.relative_to(folder))
            info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            text = path.suffix.lower() in _TEXTS
            info.compress_type = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
            with path.open("rb") as source, archive.open(info, "w") as target:
                while data := source.read(CHUNK):
                    target.write(data)
                    yield sent.take()
    yield sent.take()


def download_routes(parts: Callable[[], Parts]) -> list[BaseRoute]:
    """GET /fk/export/{name}: a dataset among the library's own exports, as a ZIP file."""

    async def download(request: Request) -> Response:
        name = request.path_params["name"]
        folder = await to_thread.run_sync(_found, parts().library.path / EXPORTS, name)
        headers = {
            "Cache-Control": "private, no-store",
            "Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}.zip",
        }
        return StreamingResponse(zipped(folder), media_type="application/zip", headers=headers)

    return [Route("/fk/export/{name}", told(download))]


def _found(exports: Path, name: str) -> Path:
    """The folder of a dataset. Raises NotFoundError for whatever is not listed as one."""
    folders = exports.iterdir() if exports.is_dir() else iter(())
    for folder in folders:
        if folder.name == name and not folder.is_symlink() and is_former_export(folder):
            return folder
    raise NotFoundError("There is no such dataset among the library's exports.")
