"""Everything by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, eventually, focused, names, settled


def test_search_select_tag_and_open_without_a_mouse(
    page: Page, serve: Callable[..., Server], own_library: Path
) -> None:
    server = serve(own_library)
    page.goto(server.address)
    page.locator(".tile").first.wait_for()
    page.keyboard.press("/")
    assert eventually(page, lambda: focused(page) == "Search your photos")
    page.keyboard.type("an animal")
    page.keyboard.press("Enter")
    page.locator(".score").first.wait_for()
    order = names(page)
    page.locator(".tile").first.focus()
    page.keyboard.press("ArrowRight")
    assert eventually(page, lambda: focused(page).startswith(order[1]))
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.get_by_text("2 photos selected")).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("3 photos selected")).to_be_visible()
    assert eventually(page, lambda: focused(page).startswith(order[3]))
    page.keyboard.press("Escape")
    expect(page.get_by_text("selected")).to_have_count(0)
    page.keyboard.press("End")
    assert eventually(page, lambda: focused(page).startswith(order[-1]))
    page.keyboard.press("Home")
    assert eventually(page, lambda: focused(page).startswith(order[0]))
    page.keyboard.press("Space")
    page.keyboard.press("t")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    dialog.get_by_role("textbox", name="Add tags").focus()
    page.keyboard.type("beasts")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator(".tagged", has_text="beasts")).to_have_count(1)
    assert eventually(page, lambda: focused(page).startswith(order[0]))
    page.keyboard.press("Enter")
    page.locator(".stage").wait_for()
    settled(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".bar .name")).to_have_text(order[1])
    page.keyboard.press("Escape")
    page.locator(".score").first.wait_for()


def test_the_keys_are_listed(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    page.locator(".tile").first.focus()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    for text in ("move", "open", "select", "go to the search box"):
        expect(keys.get_by_text(text, exact=True).first).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)


def test_the_menu_by_keyboard(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    page.locator(".tile").first.focus()
    page.keyboard.press("m")
    assert eventually(page, lambda: focused(page) == "More like this")
    page.keyboard.press("ArrowDown")
    assert eventually(page, lambda: focused(page) == "Duplicates of this")
    page.keyboard.press("Escape")
    assert eventually(page, lambda: focused(page).startswith(names(page)[0]))
