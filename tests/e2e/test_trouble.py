"""When something is wrong, a sentence stands in the page, and the app goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

import framekeep
from framekeep.store.lock import WriterLock
from tests.e2e.conftest import Server, demo_photos, names, search, settled
from tests.helpers.clip_weights import write_transformers_checkpoint


def test_a_model_that_is_gone(
    page: Page, serve: Callable[..., Server], own_library: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    environment = {**os.environ, "FRAMEKEEP_MODELS": str(models)}
    checkpoint = str(write_transformers_checkpoint(tmp_path / "checkpoint"))
    for command in (("models", "add", "my-clip", checkpoint), ("library", "encoder", "my-clip")):
        subprocess.run(
            [sys.executable, "-m", "framekeep", "--library", str(own_library), *command],
            check=True,
            capture_output=True,
            env=environment,
        )
    shutil.rmtree(models)
    server = serve(own_library, FRAMEKEEP_MODELS=str(models))
    page.goto(f"{server.address}/?q=a+cat")
    page.get_by_text("my-clip").last.wait_for()
    alert = page.get_by_test_id("stMain").get_by_test_id("stAlert")
    expect(alert).to_contain_text("my-clip")
    page.goto(server.address)
    expect(page.locator(".tile")).to_have_count(len(demo_photos()))


def test_an_index_that_was_deleted_is_mended_from_the_page(
    page: Page, serve: Callable[..., Server], own_library: Path
) -> None:
    shutil.rmtree(own_library / "chroma")
    server = serve(own_library)
    page.goto(f"{server.address}/?q=a+cat")
    alert = page.get_by_test_id("stMain").get_by_test_id("stAlert")
    alert.wait_for()
    assert "Traceback" not in alert.inner_text()
    page.goto(f"{server.address}/settings")
    page.get_by_role("button", name="Check and mend the index").click()
    page.get_by_text("The index is being compared").wait_for()
    page.goto(f"{server.address}/add")
    page.get_by_text(f"{len(demo_photos())} added").wait_for()
    page.goto(server.address)
    search(page, "a cat")
    assert len(names(page)) == len(demo_photos())


def test_a_library_that_another_process_writes_to(
    page: Page, serve: Callable[..., Server], own_library: Path, tmp_path: Path
) -> None:
    server = serve(own_library, FRAMEKEEP_APP_ROOTS=str(tmp_path))
    (tmp_path / "more").mkdir()
    shutil.copy(demo_photos()[0], tmp_path / "more")
    with WriterLock(own_library).hold("framekeep add", 1.0):
        page.goto(f"{server.address}/add")
        page.get_by_role("textbox", name="A folder on this machine").fill(str(tmp_path / "more"))
        page.get_by_role("button", name="Add the folder").click()
        page.get_by_text(f"process {os.getpid()}").first.wait_for()
        other = page.context.new_page()
        other.goto(server.address)
        search(other, "a cat")
        other.locator(".tile").first.click()
        other.get_by_role("textbox", name="Add tags").fill("tagged meanwhile")
        other.get_by_role("button", name="Add", exact=True).click()
        other.get_by_role("button", name="tagged meanwhile", exact=True).wait_for()
    page.get_by_text("Done: 1 known already").wait_for()


def test_a_photo_whose_file_is_gone(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in demo_photos()[:3]:
        shutil.copy(path, photos)
    with framekeep.open(tmp_path / "library", encoder="starter") as library:
        list(library.add(photos))
    server = serve(tmp_path / "library")
    shutil.rmtree(tmp_path / "library" / "thumbnails")
    (photos / demo_photos()[0].name).unlink()
    page.goto(server.address)
    expect(page.locator(".tile")).to_have_count(3)
    expect(page.locator(".tile.broken")).to_have_count(1)
    page.locator(".tile.broken").click()
    page.locator(".stage").wait_for()
    settled(page)
    assert page.get_by_text("About this photo").is_visible()


def test_an_address_of_a_photo_that_is_not_there(page: Page, shared_server: Server) -> None:
    page.goto(f"{shared_server.address}/?open={'0' * 64}")
    page.get_by_text("This photo is no longer in the library").wait_for()
    page.get_by_role("button", name="Back", exact=True).click()
    expect(page.locator(".tile")).to_have_count(len(demo_photos()))
    page.goto(f"{shared_server.address}/?open=../../etc/passwd&n=x&size=huge&f=~&like=media:1")
    expect(page.locator(".tile")).to_have_count(len(demo_photos()))
