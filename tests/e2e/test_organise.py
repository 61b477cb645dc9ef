"""Selecting, tagging, the library by date, duplicates, statistics, settings."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pillow_heif
import psutil
from PIL import Image
from playwright.sync_api import Page, expect

import framekeep
from framekeep.store.index_guard import IndexGuard
from tests.e2e.conftest import (
    Server,
    assert_no_traceback,
    demo_photos,
    eventually,
    free_port,
    names,
    search,
    settled,
)
from tests.helpers.clip_weights import write_transformers_checkpoint


def test_filter_select_and_tag_twenty(
    page: Page, serve: Callable[..., Server], own_library: Path
) -> None:
    server = serve(own_library)
    page.goto(f"{server.address}/library")
    page.locator(".tile").first.wait_for()
    page.locator("summary", has_text="Format").click()
    page.locator("label", has_text="jpeg").click()
    page.wait_for_url(re.compile("f=format"))
    settled(page)
    order = names(page)
    page.locator(".tile .check").first.click(force=True)
    page.locator(".tile").nth(19).click(modifiers=["Shift"])
    expect(page.get_by_text("20 photos selected")).to_be_visible()
    page.get_by_role("button", name="Tag", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Add tags").fill("chosen, für <b>später</b>")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    page.get_by_text("20 photos tagged").wait_for()
    with framekeep.open(own_library) as library:
        assert library.tags() == {"chosen": 20, "für <b>später</b>": 20}
        chosen = {hit.path.name for hit in library.search(where="tag:chosen", limit=50)}
    assert chosen == set(order[:20])
    page.locator("summary", has_text="Tags").click()
    page.locator("label", has_text="chosen").click()
    expect(page.locator(".tile")).to_have_count(20)


def test_ctrl_click_adds_one_and_let_go_clears(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    page.locator(".tile").nth(1).click(modifiers=["Control"])
    page.locator(".tile").nth(4).click(modifiers=["Control"])
    expect(page.get_by_text("2 photos selected")).to_be_visible()
    page.get_by_role("button", name="Let go").click()
    expect(page.get_by_text("photos selected")).to_have_count(0)
    expect(page.locator(".tile[aria-selected=true]")).to_have_count(0)


def test_two_browsers_do_not_mix_their_searches_or_selections(
    page: Page, new_page: Callable[..., Page], shared_server: Server
) -> None:
    other = new_page()
    page.goto(shared_server.address)
    other.goto(shared_server.address)
    search(page, "a cat")
    search(other, "a rocket launch")
    page.locator(".tile").first.click(modifiers=["Control"])
    expect(page.get_by_text("1 photo selected")).to_be_visible()
    assert other.get_by_text("selected").count() == 0
    expect(other.get_by_role("textbox").first).to_have_value("a rocket launch")
    assert names(page)[0] != names(other)[0]


def test_ten_sessions_at_once_share_one_model(
    new_page: Callable[..., Page], shared_server: Server
) -> None:
    queries = [
        f"a photo of {thing}"
        for thing in ["cat", "dog", "cup", "coin", "moon", "car", "tree", "sea", "bird", "cake"]
    ]
    pages = [new_page() for _ in queries]
    for page in pages:
        page.goto(shared_server.address)
    for page, text in zip(pages, queries, strict=True):
        box = page.get_by_role("textbox").first
        box.fill(text)
        box.press("Enter")
    for page, text in zip(pages, queries, strict=True):
        page.wait_for_url(f"**q={text.replace(' ', '+')}*")
        settled(page)
        page.locator(".score").first.wait_for()
    with framekeep.open(shared_server.library) as library:
        for page, text in zip(pages, queries, strict=True):
            assert names(page)[:5] == [hit.path.name for hit in library.search(text, limit=5)]


def test_a_selection_made_during_a_slow_search_does_not_end_up_in_the_new_results(
    page: Page, shared_server: Server
) -> None:
    page.goto(shared_server.address)
    search(page, "a cat")
    former = names(page)[2]
    box = page.get_by_role("textbox").first
    # The index lets one process at a time in: while it is held here, the search has to wait.
    with IndexGuard(shared_server.library / "chroma").turn():
        box.fill("a rocket launch at night")
        box.press("Enter")
        page.locator("[data-testid=stApp][data-test-script-state=running]").wait_for()
        page.wait_for_timeout(500)
        page.locator(".tile").nth(2).click(modifiers=["Control"])
        page.wait_for_timeout(500)
        assert names(page)[2] == former
    page.wait_for_url(re.compile("q=a.rocket"))
    settled(page)
    assert eventually(page, lambda: names(page)[2] != former)
    expect(page.locator(".tile[aria-selected=true]")).to_have_count(0)
    expect(page.get_by_text("selected")).to_have_count(0)


def test_the_library_by_date_with_its_time_line(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(demo_photos()[:12]):
        image = Image.open(path)
        exif = Image.Exif()
        exif[0x0132] = f"202{number // 4}:0{1 + number % 4}:10 12:00:00"
        exif.get_ifd(0x8769)[0x9003] = exif[0x0132]
        image.save(folder / f"{number:02}.jpg", exif=exif)
    with framekeep.open(tmp_path / "library", encoder="starter") as library:
        list(library.add(folder))
    server = serve(tmp_path / "library")
    page.goto(f"{server.address}/library")
    page.locator(".tile").first.wait_for()
    assert names(page) == [f"{n:02}.jpg" for n in reversed(range(12))]
    heads = page.locator(".group h3").all_inner_texts()
    assert heads[0] == "April 2022"
    assert len(heads) == 12
    page.get_by_role("button", name="February 2021: 1").click()
    page.wait_for_url(re.compile("at=2021-02"))
    settled(page)
    assert eventually(page, lambda: names(page)[0] == "05.jpg")
    page.locator("label", has_text="2020").click()
    expect(page.locator(".tile")).to_have_count(4)


def test_duplicates_keep_the_best_and_delete_nothing(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(demo_photos()[:3]):
        shutil.copy(path, folder / f"{number}-large.jpg")
        image = Image.open(path)
        image.resize((image.width // 2, image.height // 2)).save(folder / f"{number}-small.jpg")
    shutil.copy(demo_photos()[0], folder / "a-copy.jpg")
    with framekeep.open(tmp_path / "library", encoder="starter") as library:
        list(library.add(folder))
    server = serve(tmp_path / "library")
    page.goto(f"{server.address}/library?view=duplicates")
    page.get_by_role("button", name="Keep the best", exact=True).first.wait_for()
    expect(page.get_by_role("button", name="Keep the best", exact=True)).to_have_count(3)
    page.get_by_role("button", name="Keep the best", exact=True).first.click()
    expect(page.get_by_role("button", name="Keep the best", exact=True)).to_have_count(2)
    page.get_by_role("button", name="Keep the best of all").click()
    page.get_by_text("No duplicates of this kind").wait_for()
    with framekeep.open(tmp_path / "library") as library:
        tagged = {hit.path.name for hit in library.search(where="tag:duplicate", limit=9)}
    assert tagged == {f"{number}-small.jpg" for number in range(3)}
    assert len(list(folder.iterdir())) == 7
    page.get_by_text("Same content", exact=True).click()
    table = page.get_by_role("region", name="Contents in more than one place")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table).to_contain_text("a-copy.jpg")


def test_statistics_show_the_library_and_the_map_selects(page: Page, shared_server: Server) -> None:
    page.goto(f"{shared_server.address}/?q=a+cat")
    page.locator(".score").first.wait_for()
    page.get_by_role("link", name="Statistics").click()
    page.locator("canvas").wait_for()
    text = page.get_by_test_id("stMain").inner_text()
    assert "starter@" in text
    assert "384" in text
    assert "ms" in text
    box = page.locator("canvas").bounding_box()
    assert box is not None
    left, top, right, low = (
        box["x"] + 3,
        box["y"] + 3,
        box["x"] + box["width"] - 3,
        box["y"] + box["height"] - 3,
    )
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, low), (left, low)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator(".tile")).to_have_count(len(demo_photos()))


def test_clearing_needs_the_words_and_keeps_the_files(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(tmp_path / "library")
    page.goto(f"{server.address}/add")
    page.locator("input[type=file]").first.set_input_files(demo_photos()[:4])
    page.get_by_text("Done: 4 added").wait_for()
    page.goto(f"{server.address}/settings")
    page.get_by_role("button", name="Clear the library").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("yes")
    dialog.get_by_role("button", name="Clear", exact=True).click()
    dialog.get_by_text("Nothing was cleared").wait_for()
    dialog.get_by_role("textbox").fill("clear the library")
    dialog.get_by_role("textbox").press("Enter")
    dialog.get_by_role("button", name="Clear", exact=True).click()
    expect(dialog).to_have_count(0)
    page.get_by_test_id("stSidebar").get_by_text("0 photos").wait_for()
    assert len(list((tmp_path / "library" / "uploads").rglob("*.jpg"))) == 4
    page.goto(f"{server.address}/add")
    page.get_by_role("button", name="Process images").click()
    page.get_by_text(re.compile("Done: 4 added")).wait_for()


def test_settings_tell_each_encoder_honestly_and_a_failed_fetch(
    page: Page, serve: Callable[..., Server], own_library: Path
) -> None:
    server = serve(own_library)
    page.goto(f"{server.address}/settings")
    page.get_by_text("in use").wait_for()
    for name in ("starter", "clip-vit-b-32", "clip-vit-l-14"):
        assert page.get_by_text(name, exact=True).count()
    page.get_by_role("button", name="Fetch").first.click()
    page.get_by_text(re.compile("Failed: .*FRAMEKEEP_OFFLINE")).wait_for()


def test_another_encoder_takes_over_while_search_goes_on(
    page: Page, serve: Callable[..., Server], own_library: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    checkpoint = write_transformers_checkpoint(tmp_path / "checkpoint")
    command = [sys.executable, "-m", "framekeep", "models", "add", "my-clip", str(checkpoint)]
    environment = {**os.environ, "FRAMEKEEP_MODELS": str(models)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    server = serve(own_library, FRAMEKEEP_MODELS=str(models))
    page.goto(f"{server.address}/settings")
    page.get_by_role("button", name="Use").click()
    page.get_by_test_id("stSidebar").get_by_text("Mode: my-clip").wait_for()
    page.get_by_test_id("stSidebar").get_by_text("32 dimensions").wait_for()
    page.goto(server.address)
    search(page, "a cat")
    assert len(names(page)) == len(demo_photos())
    with framekeep.open(own_library) as library:
        assert library.info.name == "my-clip"


def test_streamlit_run_opens_the_same_app(page: Page, own_library: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    log = tmp_path / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "FRAMEKEEP_LIBRARY": str(own_library)},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/_stcore/health").status_code == 200:
                    break
            assert server.poll() is None, log.read_text()
            page.wait_for_timeout(100)
        page.goto(f"http://127.0.0.1:{port}")
        search(page, "a cat")
        sockets = psutil.Process(server.pid).net_connections("inet")
        assert {socket.laddr.ip for socket in sockets if not socket.raddr} == {"127.0.0.1"}
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
    assert_no_traceback(log.read_text())


def test_every_kind_of_picture_shows(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = Image.open(demo_photos()[0])
    pillow_heif.register_heif_opener()
    for suffix in ("jpg", "png", "webp", "gif", "bmp", "tif", "heic", "avif"):
        picture.save(folder / f"a.{suffix}")
    grey = np.asarray(picture.convert("L")).astype(np.uint16) * 256
    Image.fromarray(grey).save(folder / "sixteen.png")
    with framekeep.open(tmp_path / "library", encoder="starter") as library:
        counts = list(library.add(folder))[-1].counts
    assert (counts.indexed, counts.failed) == (9, 0)
    server = serve(tmp_path / "library")
    page.goto(server.address)
    expect(page.locator(".tile")).to_have_count(9)
    page.wait_for_load_state("networkidle")
    widths = page.locator(".tile img").evaluate_all("all => all.map(i => i.naturalWidth)")
    assert all(width == 320 for width in widths), dict(zip(names(page), widths, strict=True))
    page.locator(".tile", has=page.locator("[src]")).first.click()
    page.locator(".stage").wait_for()
    image = page.locator(".stage img").element_handle()
    page.wait_for_function("image => image.naturalWidth > 640", arg=image)
