"""Searching in the browser: words, pictures, both; history; keys; sharing."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, demo_photos, eventually, focused, names, search, settled

CAT, ROCKET = "demo-05.jpg", "rocket"


def open_searches(page: Page) -> None:
    settled(page)
    button = page.get_by_role("button", name="Searches", exact=True)
    if button.get_attribute("aria-expanded") != "true":
        button.click()


def tiles(page: Page) -> int:
    page.locator(".tile").first.wait_for()
    return page.locator(".tile").count()


def test_the_first_text_box_is_the_search_and_enter_searches(
    page: Page, shared_server: Server
) -> None:
    page.goto(shared_server.address)
    assert tiles(page) == len(demo_photos())
    box = page.get_by_role("textbox").first
    expect(box).to_have_attribute("aria-label", "Search your photos")
    search(page, "a cat")
    first = names(page)[0]
    search(page, "a rocket launch")
    assert names(page)[0] != first
    scores = [float(text) for text in page.locator(".score").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)


def test_an_address_can_be_shared(
    page: Page, new_page: Callable[..., Page], shared_server: Server
) -> None:
    page.goto(shared_server.address)
    search(page, "a cup of coffee")
    found = names(page)
    other = new_page()
    other.goto(page.url)
    other.locator(".score").first.wait_for()
    assert names(other) == found
    expect(other.get_by_role("textbox").first).to_have_value("a cup of coffee")


def test_back_and_forward_go_through_searches_and_photos(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    search(page, "a cat")
    cats = names(page)
    search(page, "a rocket launch")
    rockets = names(page)
    page.locator(".tile").first.click()
    page.locator(".stage").wait_for()
    page.go_back()
    expect(page.locator(".stage")).to_have_count(0)
    settled(page)
    assert names(page) == rockets
    page.go_back()
    expect(page.get_by_role("textbox").first).to_have_value("a cat")
    page.wait_for_function(
        "first => { const box = [...document.querySelectorAll('*')].map(e => e.shadowRoot)"
        ".filter(Boolean).map(r => r.querySelector('.tile')).find(Boolean);"
        " return box?.getAttribute('aria-label')?.startsWith(first) }",
        arg=cats[0],
    )
    page.go_forward()
    expect(page.get_by_role("textbox").first).to_have_value("a rocket launch")
    page.go_forward()
    page.locator(".stage").wait_for()


def test_back_works_after_a_dialog(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    search(page, "a cat")
    page.locator(".tile").first.focus()
    page.keyboard.press("t")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("textbox").first).to_have_value("")


def test_a_picture_and_words_with_a_picture(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    tiles(page)
    page.get_by_role("button", name="Picture").click()
    page.locator("input[type=file]").first.set_input_files(demo_photos()[3])
    page.wait_for_url(re.compile("like=image"))
    page.locator(".score").first.wait_for()
    assert names(page)[0] == demo_photos()[3].name
    assert float(page.locator(".score").first.inner_text()) > 0.99
    page.keyboard.press("Escape")
    search(page, "a cat")
    assert "like=image" in page.url
    mixed = names(page)
    page.goto(f"{shared_server.address}/?q=a+cat")
    page.locator(".score").first.wait_for()
    assert names(page) != mixed
    page.go_back()
    page.locator(".score").first.wait_for()
    page.get_by_role("button", name="picture", exact=True).click()
    page.wait_for_url(lambda url: "like=" not in url)


def test_a_picture_dropped_anywhere_is_searched_with(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    tiles(page)
    content = base64.b64encode(demo_photos()[6].read_bytes()).decode()
    page.evaluate(
        """async content => {
          const data = await (await fetch(`data:image/jpeg;base64,${content}`)).blob();
          const transfer = new DataTransfer();
          transfer.items.add(new File([data], "dropped.jpg", { type: "image/jpeg" }));
          const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        content,
    )
    page.wait_for_url(re.compile("like=image"))
    page.locator(".score").first.wait_for()
    assert names(page)[0] == demo_photos()[6].name


def test_a_picture_that_is_none_is_told(page: Page, shared_server: Server, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    page.goto(shared_server.address)
    tiles(page)
    page.get_by_role("button", name="Picture").click()
    page.locator("input[type=file]").first.set_input_files(bad)
    page.get_by_text("cut off or damaged").wait_for()


def test_steering_away_and_a_filter(page: Page, shared_server: Server) -> None:
    page.goto(f"{shared_server.address}/?q=an+animal")
    page.locator(".score").first.wait_for()
    before = names(page)
    page.get_by_role("button", name="Refine").click()
    page.get_by_role("textbox", name="Steer away from").fill("a cat")
    page.get_by_role("textbox", name="Filter", exact=True).fill("orientation:landscape")
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url(re.compile("not=a"))
    settled(page)
    assert eventually(page, lambda: set() < set(names(page)) < set(before))
    page.get_by_role("button", name="not a cat").wait_for()


def test_a_filter_that_does_not_parse_is_pointed_at(page: Page, shared_server: Server) -> None:
    page.goto(f"{shared_server.address}/?q=cat&where=colour:red")
    page.get_by_text("There is no field colour").wait_for()
    page.get_by_role("button", name="colour:red").click()
    page.locator(".tile").first.wait_for()


def test_facets_narrow_with_counts_and_can_be_cleared(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    everything = tiles(page)
    page.locator("summary", has_text="Orientation").click()
    label = page.locator("label", has_text="portrait")
    count = int(label.locator(".count").inner_text())
    label.click()
    page.wait_for_url(re.compile("f=orientation"))
    expect(page.locator(".tile")).to_have_count(count)
    assert 0 < count < everything
    other = page.locator("label", has_text="landscape")
    wider = int(other.locator(".count").inner_text())
    other.click()
    expect(page.locator(".tile")).to_have_count(count + wider)
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".tile")).to_have_count(everything)


def test_more_come_on_scrolling(page: Page, shared_server: Server) -> None:
    page.goto(f"{shared_server.address}/?q=animal&n=10&size=large")
    page.locator(".score").first.wait_for()
    first = names(page)[:10]
    for _ in range(30):
        page.mouse.move(800, 600)
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(250)
        if page.locator(".tile").count() == len(demo_photos()):
            break
    assert page.locator(".tile").count() == len(demo_photos())
    assert names(page)[:10] == first


def test_history_and_kept_searches(
    page: Page, serve: Callable[..., Server], own_library: Path
) -> None:
    server = serve(own_library)
    page.goto(server.address)
    tiles(page)
    search(page, "a cat")
    search(page, "a rocket launch")
    open_searches(page)
    page.get_by_role("button", name="Keep this search").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Space <b>things</b>")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    open_searches(page)
    page.get_by_role("button", name="“a cat”").click()
    page.wait_for_url(re.compile(r"q=a\+cat"))
    open_searches(page)
    page.get_by_role("button", name="Space <b>things</b>", exact=True).click()
    page.wait_for_url(re.compile("q=a.rocket.launch"))


def test_similar_ones_and_duplicates_from_the_menu_of_a_photo(
    page: Page, shared_server: Server
) -> None:
    page.goto(shared_server.address)
    tiles(page)
    page.locator(".tile").first.click(button="right")
    menu = page.get_by_role("menu")
    items = menu.get_by_role("menuitem").all_inner_texts()
    assert items == [
        "More like this",
        "Duplicates of this",
        "Tag…",
        "Label…",
        "Draw objects",
        "Copy the path",
        "Open the original",
        "Download",
    ]
    with page.expect_download() as download:
        menu.get_by_role("menuitem", name="Download").click()
    assert download.value.suggested_filename == names(page)[0]
    page.locator(".tile").first.click(button="right")
    menu.get_by_role("menuitem", name="More like this").click()
    page.wait_for_url(re.compile("like=media"))
    page.locator(".score").first.wait_for()
    page.locator(".tile").nth(1).click(button="right")
    menu.get_by_role("menuitem", name="Duplicates of this").click()
    page.wait_for_url(re.compile("copies="))
    page.get_by_role("button", name="Back to the search").click()
    page.wait_for_url(lambda url: "copies" not in url)


def test_the_large_view_steps_and_leaves(page: Page, shared_server: Server) -> None:
    page.goto(shared_server.address)
    search(page, "an animal")
    order = names(page)
    page.locator(".tile").nth(1).click()
    page.locator(".stage").wait_for()
    expect(page.locator(".bar .name")).to_have_text(order[1])
    page.keyboard.press("ArrowRight")
    expect(page.locator(".bar .name")).to_have_text(order[2])
    page.get_by_role("button", name="Previous photo").click()
    expect(page.locator(".bar .name")).to_have_text(order[1])
    image = page.locator(".stage img")
    page.wait_for_function("image => image.naturalWidth > 320", arg=image.element_handle())
    assert page.get_by_text("About this photo").is_visible()
    page.keyboard.press("Escape")
    page.locator(".score").first.wait_for()
    assert eventually(page, lambda: focused(page).startswith(order[1]))
