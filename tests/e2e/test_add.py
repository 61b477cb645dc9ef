"""Adding in the browser: from an empty library, with broken files, through reloads and stops."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from playwright.sync_api import Page, Route, expect

import framekeep
from tests.e2e.conftest import Server, demo_photos, names, search, settled
from tests.helpers.pictures import write_folder

NASTY = "<img src=x onerror=alert(1)> & ../../up.jpg"


def drop(page: Page, files: list[Path]) -> None:
    page.locator("input[type=file]").first.set_input_files(files)


def uploaded(library: Path) -> list[Path]:
    """The files that have arrived whole."""
    return [path for path in (library / "uploads").glob("[0-9a-f][0-9a-f]/*") if path.is_file()]


def broken_files(folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "cut.jpg": demo_photos()[0].read_bytes()[:500],
        "empty.png": b"",
        "text.jpg": b"this is no picture",
        "page.webp": b"<html><script>alert(1)</script></html>",
        "b<b>roken.jpg": b"\xff\xd8\xff\xe0 nothing more",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def test_first_start_to_first_result(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(tmp_path / "new-library")
    page.goto(server.address)
    page.get_by_text("Nothing here yet").wait_for()
    page.get_by_role("link", name="Add photos").click()
    drop(page, demo_photos())
    page.get_by_text(re.compile("Done: .*added")).wait_for()
    page.get_by_role("link", name="Search").first.click()
    page.locator(".tile").first.wait_for()
    search(page, "a cat")
    with framekeep.open(tmp_path / "new-library") as library:
        best = library.search("a cat", limit=1)[0]
        shown = library.shown_names([str(best.path)])[str(best.path)]
    assert names(page)[0] == shown
    assert shown.startswith("demo-")


def test_thirty_files_of_which_five_are_broken(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    library = tmp_path / "library"
    server = serve(library)
    broken = broken_files(tmp_path / "broken")
    page.goto(f"{server.address}/add")
    drop(page, demo_photos()[:25] + broken)
    page.get_by_text(re.compile("Done: 25 added · 5 failed")).wait_for()
    table = page.get_by_role("region", name="Files that could not be taken")
    rows = table.get_by_role("row").all_inner_texts()[1:]
    assert {row.split("\t")[0].strip() for row in rows} == {path.name for path in broken}
    assert all(len(row.split("\t")[1]) > 15 for row in rows)
    uploads = uploaded(library)
    assert len(uploads) == 30
    assert all(re.fullmatch(r"[0-9a-f]{64}\.(jpg|png|webp)", path.name) for path in uploads)
    page.goto(f"{server.address}/library?view=problems")
    expect(page.get_by_role("region", name="Problems").get_by_role("row")).to_have_count(6)
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("The failed files are read again").wait_for()
    page.goto(f"{server.address}/add")
    page.get_by_text(re.compile("Trying the failed files again — Done")).wait_for()


def test_a_reload_in_the_middle_and_a_second_browser_see_the_same_work(
    page: Page, new_page: Callable[..., Page], serve: Callable[..., Server], tmp_path: Path
) -> None:
    photos = write_folder(tmp_path / "photos", 400)
    server = serve(tmp_path / "library", FRAMEKEEP_APP_ROOTS=str(tmp_path))
    page.goto(f"{server.address}/add")
    page.get_by_role("textbox", name="A folder on this machine").fill(str(tmp_path / "photos"))
    page.get_by_role("button", name="Add the folder").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for()
    page.reload()
    page.get_by_role("button", name="Resume").wait_for()
    other = new_page()
    other.goto(server.address)
    other.get_by_test_id("stSidebar").get_by_text("paused").wait_for()
    other.goto(f"{server.address}/add")
    other.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_text(re.compile(f"Done: {len(photos)} added")).wait_for()
    other.get_by_text(re.compile(f"Done: {len(photos)} added")).wait_for()


def test_stopping_the_server_ends_the_work_orderly_and_it_can_go_on(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    write_folder(tmp_path / "photos", 400)
    library = tmp_path / "library"
    server = serve(library, FRAMEKEEP_APP_ROOTS=str(tmp_path))
    page.goto(f"{server.address}/add")
    page.get_by_role("textbox", name="A folder on this machine").fill(str(tmp_path / "photos"))
    page.get_by_role("button", name="Add the folder").click()
    page.get_by_text(re.compile(r"[1-9]\d* (of|\()")).first.wait_for()
    workers = [
        child
        for child in psutil.Process(server.process.pid).children(recursive=True)
        if "jobs_worker" in " ".join(child.cmdline())
    ]
    assert workers
    server.stop()
    assert not any(worker.is_running() for worker in workers)
    later = serve(library, FRAMEKEEP_APP_ROOTS=str(tmp_path))
    page.goto(f"{later.address}/add")
    page.get_by_role("button", name="Go on").click()
    page.get_by_text(re.compile("Done: .*added")).wait_for()
    with framekeep.open(library) as lib:
        assert lib.count() == 400


def test_only_allowed_folders_are_added(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "allowed" / "out").symlink_to(tmp_path / "other")
    server = serve(tmp_path / "library", FRAMEKEEP_APP_ROOTS=str(tmp_path / "allowed"))
    page.goto(f"{server.address}/add")
    for wrong, said in (
        (tmp_path / "other", "lies outside"),
        (tmp_path / "allowed" / ".." / "other", "lies outside"),
        (tmp_path / "allowed" / "out", "lies outside"),
        ("/etc", "lies outside"),
        (tmp_path / "allowed" / "nowhere", "There is no folder"),
    ):
        page.get_by_role("textbox", name="A folder on this machine").fill(str(wrong))
        page.get_by_role("button", name="Add the folder").click()
        page.get_by_text(said).wait_for()
    assert page.get_by_text("Nothing is being worked on.").is_visible()


def test_adding_from_the_command_line_shows_in_an_open_page(
    page: Page, serve: Callable[..., Server], own_library: Path, tmp_path: Path
) -> None:
    server = serve(own_library)
    page.goto(server.address)
    expect(page.locator(".tile")).to_have_count(len(demo_photos()))
    write_folder(tmp_path / "more", 3)
    page.locator(".tile").nth(5).focus()
    held = names(page)[5]
    command = [sys.executable, "-m", "framekeep", "--library", str(own_library), "add"]
    subprocess.run([*command, str(tmp_path / "more")], check=True, capture_output=True)
    expect(page.locator(".tile")).to_have_count(len(demo_photos()) + 3, timeout=20_000)
    expect(page.get_by_test_id("stSidebar").get_by_text("32 photos")).to_be_visible()
    focused = page.evaluate(
        "() => { let a = document.activeElement;"
        " while (a?.shadowRoot) a = a.shadowRoot.activeElement;"
        " return a?.getAttribute('aria-label') }"
    )
    assert focused == held
    assert names(page)[8] == held


def test_a_photo_dropped_twice_is_kept_once(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    shutil.copy(demo_photos()[0], tmp_path / "first.jpg")
    shutil.copy(demo_photos()[0], tmp_path / "second.jpg")
    server = serve(tmp_path / "library")
    page.goto(f"{server.address}/add")
    drop(page, [tmp_path / "first.jpg", tmp_path / "second.jpg"])
    page.get_by_text("Done: 1 added").wait_for()
    assert len(uploaded(tmp_path / "library")) == 1


def test_names_with_html_stay_text(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(tmp_path / "library")
    page.goto(f"{server.address}/add")
    page.locator("input[type=file]").first.set_input_files(
        {"name": NASTY, "mimeType": "image/jpeg", "buffer": demo_photos()[2].read_bytes()}
    )
    page.get_by_text("Done: 1 added").wait_for()
    page.goto(server.address)
    tile = page.locator(".tile").first
    tile.wait_for()
    assert "<img src=x onerror=alert(1)>" in (tile.get_attribute("aria-label") or "")
    tile.click()
    expect(page.locator(".bar .name")).to_contain_text("<img src=x onerror=alert(1)>")
    page.get_by_role("textbox", name="Add tags").fill("<script>alert(2)</script>")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="<script>alert(2)</script>", exact=True).wait_for()
    assert page.locator("img[src='x']").count() == 0
    assert not list(tmp_path.glob("**/up.jpg"))


def test_three_hundred_uploads_hold_no_memory(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """300 files, 120 MB in all: the server must not grow by as much as a third of them."""
    folder = tmp_path / "many"
    folder.mkdir()
    photo = demo_photos()[0].read_bytes()
    for number in range(300):
        (folder / f"{number:03}.jpg").write_bytes(photo + number.to_bytes(4, "big") * 75_000)
    total = sum(path.stat().st_size for path in folder.iterdir())
    assert total > 100_000_000
    server = serve(tmp_path / "library")
    page.goto(f"{server.address}/add")
    settled(page)
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    drop(page, sorted(folder.iterdir()))
    peak = before
    deadline = time.monotonic() + 120
    while not page.get_by_text("300 of 300 files have arrived").count():
        assert time.monotonic() < deadline
        peak = max(peak, process.memory_info().rss)
        page.wait_for_timeout(50)
    assert peak - before < total / 3
    page.get_by_text(re.compile("Done: 300 added")).wait_for(timeout=120_000)


def test_leaving_the_page_in_the_middle_of_a_drop_loses_nothing_that_arrived(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    photos = write_folder(tmp_path / "photos", 40)
    library = tmp_path / "library"
    server = serve(library)
    page.goto(f"{server.address}/add")
    settled(page)

    def slow(route: Route) -> None:
        if len(uploaded(library)) >= 10:
            time.sleep(0.5)
        route.continue_()

    page.route("**/fk/upload/**", slow)
    drop(page, photos)
    while len(uploaded(library)) < 5:
        page.wait_for_timeout(20)
    page.get_by_role("link", name="Statistics").click()
    page.get_by_role("heading", name="Statistics").wait_for()
    page.unroute("**/fk/upload/**")
    arrived = len(uploaded(library))
    assert arrived < len(photos)
    page.get_by_role("link", name="Add", exact=True).click()
    page.get_by_text(re.compile(r"Done: \d+ added")).wait_for()
    with framekeep.open(library) as lib:
        assert arrived <= lib.count() <= len(uploaded(library))


def test_process_images_takes_up_what_was_left(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    left = tmp_path / "library" / "uploads" / "ab"
    left.mkdir(parents=True)
    shutil.copy(demo_photos()[1], left / f"{'ab' * 32}.jpg")
    server = serve(tmp_path / "library")
    page.goto(f"{server.address}/add")
    page.get_by_role("button", name="Process images").click()
    page.get_by_text("Processing the uploaded images — Done: 1 added").wait_for()
