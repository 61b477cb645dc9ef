"""Take the documents' pictures of the web app, with Debian's Chromium.

    python tools/make_app_screenshots.py docs/images

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
from importlib import resources
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import framekeep

LABELS = {
    "label:*cat": "cat",
    "label:*spaniel": "dog",
    "label:otter": "otter",
    "label:kite": "bird",
}
DRAWN = """() => {
  const all = [...document.querySelectorAll(".fk-samples img")];
  return all.length && all.every((image) => image.naturalWidth);
}"""
SIZE = {"width": 1280, "height": 800}


def keep(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=86, optimize=True)
    print(path)


def main(folder: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium here: scripts/install-browser installs Debian's")
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
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport=SIZE, color_scheme="light")
                page.goto(f"http://127.0.0.1:{port}/?q=flowers+and+plants")
                page.locator(".score").first.wait_for()
                keep(page, folder / "app-search.jpg")
                page = browser.new_page(viewport=SIZE, color_scheme="dark")
                page.goto(f"http://127.0.0.1:{port}/?q=a+cat")
                page.locator(".tile").first.click()
                page.get_by_text("About this photo").wait_for()
                keep(page, folder / "app-photo.jpg")
                page = browser.new_page(viewport=SIZE, color_scheme="light")
                page.goto(f"http://127.0.0.1:{port}/?q=an+animal&of=objects")
                page.locator(".tile svg path").first.wait_for(state="attached")
                page.locator(".tile").nth(1).focus()
                keep(page, folder / "app-objects.jpg")
                page.goto(f"http://127.0.0.1:{port}/datasets?where=source:person")
                page.get_by_role("button", name="Preview").click()
                page.wait_for_function(DRAWN)
                keep(page, folder / "app-dataset.jpg")
                browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
