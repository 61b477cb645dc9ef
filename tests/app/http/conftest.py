"""An app of our routes and guards alone, on a library of demo photos."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

import framekeep
from framekeep.app.http.inbox import Inbox
from framekeep.app.http.parts import Parts
from framekeep.app.http.queries import QueryImages
from framekeep.app.http.routes import routes
from framekeep.app.http.security import middleware
from framekeep.library import Library
from framekeep.testing import HashEncoder

DEMO = Path(framekeep.__file__).parent / "data" / "demo"
BASE = "http://127.0.0.1:8501"
OURS = {"X-Framekeep": "1"}


@dataclass
class Site:
    """The parts, which a test may change, and a browser that follows no redirects."""

    parts: Parts
    app: Starlette
    photos: Path

    def client(self, base: str = BASE) -> TestClient:
        return TestClient(self.app, base_url=base, follow_redirects=False)

    def change(self, **values: object) -> None:
        self.parts = replace(self.parts, **values)


async def page(websocket_or_request) -> object:
    from starlette.responses import HTMLResponse

    return HTMLResponse("<p>A page</p>")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        await websocket.send_text(message["text"])


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> Path:
    """A library of four demo photos, and the photos, to be copied."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "photos").mkdir()
    for number in (1, 2, 3, 4):
        shutil.copy(DEMO / f"demo-{number:02}.jpg", folder / "photos")
    return folder


@pytest.fixture
def site(filled: Path, tmp_path: Path) -> Iterator[Site]:
    from starlette.routing import Route, WebSocketRoute

    photos = tmp_path / "photos"
    shutil.copytree(filled / "photos", photos)
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        for _ in library.add(photos):
            pass
        parts = Parts(
            library,
            Inbox(library.path / "uploads", max_bytes=400_000_000),
            QueryImages(library.path / "queries"),
        )
        made: list[Site] = []

        def current() -> Parts:
            return made[0].parts

        app = Starlette(
            routes=[
                *routes(current),
                WebSocketRoute("/_stcore/stream", echo),
                Route("/_stcore/health", page),
                Route("/{rest:path}", page, methods=["GET", "PUT"]),
            ],
            middleware=middleware(current),
        )
        made.append(Site(parts, app, photos))
        yield made[0]


@pytest.fixture
def client(site: Site) -> TestClient:
    return site.client()


@pytest.fixture
def media_id(site: Site) -> Callable[[str], str]:
    return lambda name: site.parts.library.media_id(site.photos / name)
