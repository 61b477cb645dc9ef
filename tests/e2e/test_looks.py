"""How every page looks and reads: axe-core, light and dark, a phone's width."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, keep_screen, names, search, settled

PAGES = {
    "start": "",
    "search": "?q=an+animal",
    "filtered": "?q=an+animal&f=orientation~orientation:landscape&not=a+cat",
    "no-result": "?where=taken%3C1900",
    "add": "add",
    "library": "library",
    "duplicates": "library?view=duplicates",
    "problems": "library?view=problems",
    "statistics": "statistics",
    "settings": "settings",
}

OBJECT_PAGES = {
    "objects": "objects",
    "review": "objects?view=review&near=1",
    "classes": "objects?view=classes",
    "segment-problems": "objects?view=problems",
    "found-objects": "?q=an+animal&of=objects",
    "both": "?q=an+animal&of=both&near=1",
    "alike": "library?view=duplicates",
    "datasets": "datasets",
    "dataset-of-search": "datasets?q=an+animal&of=objects",
    "former-exports": "datasets?view=former",
    "import": "datasets?view=import",
    "object-statistics": "statistics",
}


def serious(page: Page) -> list[str]:
    """axe-core's findings of weight, each with the first elements it is about."""
    page.wait_for_timeout(400)  # what fades in is judged when it is there
    found = Axe().run(page).response["violations"]
    return [
        f"{finding['id']}: {[node['html'][:160] for node in finding['nodes'][:3]]}"
        for finding in found
        if finding["impact"] in ("serious", "critical")
    ]


def looks_right(page: Page, name: str) -> None:
    """Keep a picture of the page, light and dark, and find nothing of weight in either."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(200)
        keep_screen(page, f"{name}-{scheme}")
        assert serious(page) == [], f"{name}, {scheme}"


def visit(page: Page, server: Server, address: str) -> None:
    page.goto(f"{server.address}/{address}")
    page.get_by_test_id("stSidebar").get_by_text("dimensions").first.wait_for(state="attached")
    settled(page)
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_finding(name: str, page: Page, shared_server: Server) -> None:
    visit(page, shared_server, PAGES[name])
    looks_right(page, name)


def test_a_photo_a_selection_and_the_dialogs_have_none_either(
    page: Page, shared_server: Server
) -> None:
    page.goto(shared_server.address)
    search(page, "an animal")
    page.locator(".tile").first.focus()
    page.keyboard.press("Space")
    page.get_by_text("1 photo selected").wait_for()
    looks_right(page, "selected")
    page.keyboard.press("m")
    page.get_by_role("menu").wait_for()
    looks_right(page, "menu")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.get_by_role("dialog").wait_for()
    settled(page)
    looks_right(page, "tag")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Refine", exact=True).click()
    page.get_by_role("textbox", name="Steer away from").wait_for()
    looks_right(page, "refine")
    page.keyboard.press("Escape")
    page.locator(".tile").first.click()
    page.get_by_text("About this photo").wait_for()
    settled(page)
    page.wait_for_load_state("networkidle")
    looks_right(page, "photo")


@pytest.mark.parametrize("name", OBJECT_PAGES)
def test_a_page_of_objects_has_no_serious_finding(
    name: str, page: Page, objects_server: Server
) -> None:
    visit(page, objects_server, OBJECT_PAGES[name])
    page.wait_for_timeout(600)
    looks_right(page, name)


def test_selected_objects_dialogs_and_a_preview_have_none_either(
    page: Page, objects_server: Server
) -> None:
    visit(page, objects_server, "?q=an+animal&of=objects")
    page.locator(".tile").first.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_text("2 objects selected").wait_for()
    looks_right(page, "objects-selected")
    page.keyboard.press("m")
    page.get_by_role("menu").wait_for()
    looks_right(page, "objects-menu")
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.get_by_role("dialog").wait_for()
    settled(page)
    looks_right(page, "objects-label")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    looks_right(page, "objects-keys")
    visit(page, objects_server, "objects?view=classes")
    page.get_by_role("button", name="Change").first.click()
    page.get_by_role("dialog").wait_for()
    settled(page)
    looks_right(page, "class")
    visit(page, objects_server, "datasets")
    page.get_by_role("button", name="Preview").click()
    page.locator(".fk-samples img").nth(19).wait_for()
    settled(page)
    looks_right(page, "preview")
    visit(page, objects_server, "?q=an+animal&of=objects")
    page.locator(".tile").first.click()
    page.locator(".stage .outline.chosen").wait_for(state="attached")
    settled(page)
    page.wait_for_load_state("networkidle")
    looks_right(page, "object-photo")


def test_the_theme_follows_the_system(new_page: Callable[..., Page], shared_server: Server) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        page = new_page(color_scheme=scheme)
        visit(page, shared_server, "")
        grounds[scheme] = page.get_by_test_id("stApp").evaluate(
            "app => getComputedStyle(app).backgroundColor"
        )
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 19, 22)"}


def test_a_phones_width(new_page: Callable[..., Page], shared_server: Server) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visit(page, shared_server, "")
    search(page, "a cat")
    keep_screen(page, "phone-search")
    assert serious(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    tile = page.locator(".tile").first.bounding_box()
    assert tile is not None
    assert tile["width"] <= 390
    first = names(page)[0]
    page.locator(".tile").first.tap()
    page.locator(".stage").wait_for()
    expect(page.locator(".bar .name")).to_have_text(first)
    settled(page)
    keep_screen(page, "phone-photo")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    "name", ["objects", "review", "classes", "found-objects", "datasets", "former-exports"]
)
def test_objects_at_a_phones_width(
    name: str, new_page: Callable[..., Page], objects_server: Server
) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visit(page, objects_server, OBJECT_PAGES[name])
    keep_screen(page, f"phone-{name}")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_of_streamlits_own_chrome(page: Page, shared_server: Server) -> None:
    visit(page, shared_server, "")
    for text in ("Deploy", "Made with Streamlit", "Manage app"):
        assert page.get_by_text(text).count() == 0
    assert page.title() == "Search · framekeep"
