"""The real command, a real server, a real browser."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    expect,
    sync_playwright,
)

import framekeep
from framekeep.testing import GridSegmenter

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
SCREENS = Path(__file__).parents[2] / "test-output" / "app"


def demo_photos() -> list[Path]:
    return sorted(Path(str(resources.files("framekeep") / "data" / "demo")).glob("*.jpg"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Debian's Chromium (or another) is."""
    named = os.environ.get("FRAMEKEEP_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get("FRAMEKEEP_NEED_BROWSER"):
            pytest.fail("no Chromium here: run scripts/install-browser")
        pytest.skip("no Chromium here: scripts/install-browser installs Debian's")
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@dataclass
class Server:
    """A running `framekeep app`."""

    address: str
    library: Path
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    def stop(self) -> int:
        """Stop it as Ctrl-C does, and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode


def assert_no_traceback(log: str) -> None:
    """Fail where the server has told of an exception of its own.

    A page that is closed while its websocket is being opened makes Streamlit raise; that is none.
    """
    errors = log.count("Traceback (most recent call last)")
    gone = log.count("starlette.websockets.WebSocketDisconnected: WebSocket is not connected")
    # Streamlit raises once more while it handles that one.
    assert errors <= 2 * gone, log


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(library: Path, log_file: Path, *options: str, **environment: str) -> Server:
    port = int(options[options.index("--port") + 1]) if "--port" in options else free_port()
    command = [sys.executable, "-m", "framekeep", "app", "--no-browser", "--port", str(port)]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, "--library", str(library), *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
    server = Server(f"http://127.0.0.1:{port}", library, process, log_file)
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, server.log
        assert time.monotonic() < deadline, server.log
        try:
            if httpx.get(f"{server.address}/_stcore/health").status_code == 200:
                return server
        except httpx.TransportError:
            time.sleep(0.1)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start `framekeep app` on a library; all are stopped at the end, and must not have failed."""
    started: list[Server] = []

    def start(library: Path, *options: str, **environment: str) -> Server:
        log = tmp_path / f"server-{len(started)}.log"
        started.append(start_server(library, log, *options, **environment))
        return started[-1]

    yield start
    for server in started:
        server.stop()
        assert_no_traceback(server.log)


@pytest.fixture(scope="session")
def demo_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the demo photos; copy it to change it."""
    folder = tmp_path_factory.mktemp("demo") / "library"
    with framekeep.open(folder, encoder="starter") as library:
        assert list(library.add(*demo_photos()))[-1].counts.indexed == len(demo_photos())
    return folder


@pytest.fixture(scope="session")
def gridded_library(demo_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo library with four objects in each photo; copy it to change it."""
    folder = tmp_path_factory.mktemp("gridded") / "library"
    shutil.copytree(demo_library, folder)
    with framekeep.open(folder) as library:
        assert list(library.segment(segmenter=GridSegmenter(2)))[-1].counts.failed == 0
    return folder


@pytest.fixture
def own_library(demo_library: Path, tmp_path: Path) -> Path:
    """A copy of the demo library that a test may change."""
    return Path(shutil.copytree(demo_library, tmp_path / "own-library"))


@pytest.fixture(scope="session")
def shared_server(demo_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that change nothing but searches and tags."""
    folder = tmp_path_factory.mktemp("shared")
    library = Path(shutil.copytree(demo_library, folder / "library"))
    environment = {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    server = start_server(library, folder / "log", FRAMEKEEP_OFFLINE="1", **environment)
    yield server
    server.stop()
    assert_no_traceback(server.log)


@pytest.fixture(scope="session")
def objects_server(
    gridded_library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for looking at objects, some of them judged and labelled, and at a dataset."""
    folder = tmp_path_factory.mktemp("objects")
    library = Path(shutil.copytree(gridded_library, folder / "library"))
    with framekeep.open(library) as opened:
        ids = [hit.segment.segment_id for hit in opened.search(of="objects", limit=40)]
        for number, name in enumerate(("dog", "Katze", "a rather long name of a class")):
            opened.label(ids[5 * number : 5 * number + 4], name)
        opened.accept(ids[:6])
        opened.reject(ids[30:33])
        opened.tag_segments(ids[2:4], "blurred")
        list(opened.export("coco", library / "exports" / "first", split="80/10/10"))
    environment = {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    server = start_server(library, folder / "log", FRAMEKEEP_OFFLINE="1", **environment)
    yield server
    server.stop()
    assert_no_traceback(server.log)


@dataclass
class Watch:
    """What must not happen in any page."""

    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def context(self, context: BrowserContext) -> BrowserContext:
        context.on("request", self._request)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.set_default_timeout(PATIENCE_MS)
        return context

    def _request(self, request: object) -> None:
        url = str(request.url)  # type: ignore[attr-defined]
        if not re.match(r"(https?://127\.0\.0\.1[:/]|data:|blob:|about:)", url):
            self.outside.append(url)


@pytest.fixture
def watch() -> Iterator[Watch]:
    seen = Watch()
    yield seen
    assert seen.outside == [], "the browser asked for something outside"
    assert seen.errors == []


@pytest.fixture
def new_page(browser: Browser, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Make pages, each in a browser session of its own."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> Page:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        contexts.append(watch.context(browser.new_context(**options)))  # type: ignore[arg-type]
        return contexts[-1].new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails tells what its pages showed, and keeps their pictures."""
    report = yield
    browser: Browser | None = getattr(item, "funcargs", {}).get("browser")
    if report.when == "call" and report.failed and browser is not None:
        pages = [page for context in browser.contexts for page in context.pages]
        name = re.sub(r"\W+", "-", item.name)
        for number, page in enumerate(pages):
            # A page that crashed has nothing to tell, and must not end the other tests.
            with contextlib.suppress(Error, OSError):
                report.sections.append((page.url, page.locator("body").inner_text(timeout=5000)))
                keep_screen(page, f"failed-{name}-{number}")
    return report


def search(page: Page, text: str) -> None:
    """Type into the search box and press Enter; wait for results with scores."""
    box = page.get_by_role("textbox").first
    box.fill(text)
    box.press("Enter")
    page.wait_for_url(f"**q={text.replace(' ', '+')}*")
    settled(page)
    page.locator(".score").first.wait_for()


def names(page: Page) -> list[str]:
    """The names of the photos that are shown, in order."""
    return [
        (label or "").split(",")[0]
        for label in page.locator("[role=option].tile").evaluate_all(
            "tiles => tiles.map(tile => tile.getAttribute('aria-label'))"
        )
    ]


def focused(page: Page) -> str:
    """The label or text of what has the focus."""
    return str(
        page.evaluate(
            "() => { let a = document.activeElement;"
            " while (a?.shadowRoot) a = a.shadowRoot.activeElement;"
            " return a?.getAttribute('aria-label') || a?.textContent || '' }"
        )
    )


def eventually(page: Page, holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold before patience ends; slow machines need longer."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not holds():
        if time.monotonic() > deadline:
            return False
        page.wait_for_timeout(100)
    return True


def settled(page: Page) -> None:
    """Wait until no script runs for this page, and what it sent is drawn."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(200)


def keep_screen(page: Page, name: str) -> None:
    """Keep a picture of the page as test output."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png")
