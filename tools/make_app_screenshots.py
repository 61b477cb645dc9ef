"""Take the documents' pictures of the web app, with Debian's Chromium.

    python tools/make_app_screenshots.py docs/images                the whole set
    python tools/make_app_screenshots.py docs/images app-dataset    some of them

The demo photos are added to a library made for it, and the shipped segmenter finds their objects;
the real command serves them.
"""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import framekeep

LABELS = {
    "label:*cat": "cat",
    "label:*spaniel": "dog",
    "label:otter": "otter",
    "label:kite": "bird",
}
# Components keep their pictures in shadow roots; lazy ones below the fold are never loaded.
LOADED = """() => {
  const pictures = (root) => [
    ...root.querySelectorAll("img"),
    ...[...root.querySelectorAll("*")].flatMap(
      (node) => node.shadowRoot ? pictures(node.shadowRoot) : []
    ),
  ];
  const seen = pictures(document).filter((image) => {
    const { top, bottom, width } = image.getBoundingClientRect();
    return width && bottom > 0 && top < innerHeight;
  });
  return seen.length > 0 && seen.every((image) => image.complete && image.naturalWidth > 0);
}"""
SIZE = {"width": 1280, "height": 800}


def keep(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    page.wait_for_function(LOADED)
    page.wait_for_timeout(200)  # what has loaded is painted
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=86, optimize=True)
    print(path)


def search(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    page.goto(f"{address}/?q=flowers+and+plants")
    page.locator(".score").first.wait_for()
    return page


def photo(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport=SIZE, color_scheme="dark")
    page.goto(f"{address}/?q=a+cat")
    page.locator(".tile").first.click()
    page.get_by_text("About this photo").wait_for()
    return page


def objects(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    page.goto(f"{address}/?q=an+animal&of=objects")
    page.locator(".tile svg path").first.wait_for(state="attached")
    page.locator(".tile").nth(1).focus()
    return page


def dataset(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    page.goto(f"{address}/datasets?where=source:person")
    page.get_by_role("button", name="Preview").click()
    page.locator(".fk-samples img").first.wait_for()
    return page


SHOTS: dict[str, Callable[[Browser, str], Page]] = {
    "app-search": search,
    "app-photo": photo,
    "app-objects": objects,
    "app-dataset": dataset,
}


@contextmanager
def served(library: Path) -> Iterator[str]:
    """The address of the app on a library."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = [sys.executable, "-m", "framekeep", "app", "--no-browser", "--port", str(port)]
    server = subprocess.Popen([*app, "--library", str(library)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health").close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def main(folder: Path, names: Sequence[str]) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium here: scripts/install-browser installs Debian's")
    if unknown := sorted(set(names) - set(SHOTS)):
        raise SystemExit(f"there is no picture {unknown[0]}: take some of {', '.join(SHOTS)}")
    demo = sorted(Path(str(resources.files("framekeep") / "data" / "demo")).glob("*.jpg"))
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "library"
        with framekeep.open(library, encoder="starter") as lib:
            list(lib.add(*demo))
            list(lib.segment(segmenter="starter"))
            for guess, name in LABELS.items():
                hits = lib.search(where=guess, of="objects", limit=10)
                ids = [hit.segment.segment_id for hit in hits if hit.segment]
                lib.label(ids, name)
                lib.accept(ids)
        with served(library) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            for name in names or SHOTS:
                keep(SHOTS[name](browser, address), folder / f"{name}.jpg")
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
