"""The annotation view: masks corrected by click, box, brush and polygon; nothing is lost."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Response, Route, expect
from pycocotools import mask as coco

import framekeep
from framekeep.geometry import box_mask, decode_mask, encode_mask
from framekeep.object_types import BoolMask, Segment
from tests.e2e.conftest import (
    Server,
    assert_no_traceback,
    demo_photos,
    keep_screen,
    settled,
    start_server,
)
from tests.e2e.test_looks import looks_right

PHOTO = demo_photos()[4]  # a bird of prey on a branch, 1024 x 576
SIZE_WH = (1024, 576)
BOX = (300.0, 110.0, 470.0, 450.0)
ROOM_PX = 12


@dataclass
class View:
    """The annotation view of one photo, and the library behind it."""

    page: Page
    server: Server
    media_id: str
    size_wh: tuple[int, int] = SIZE_WH

    @property
    def address(self) -> str:
        return f"{self.server.address}/annotate?open={self.media_id}"

    def open(self) -> View:
        self.page.goto(self.address)
        return self.ready()

    def ready(self) -> View:
        """Wait until the objects are there, and what was not finished is there again."""
        self.page.locator(".empty", has_text="Looking").wait_for(state="detached")
        self.page.locator(".head h2", has_text="object").wait_for()
        settled(self.page)
        return self

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the photo lies on the page, as long as the whole photo is shown."""
        box = self.page.locator("canvas.overlay").bounding_box()
        assert box is not None
        width, height = self.size_wh
        scale = min((box["width"] - 2 * ROOM_PX) / width, (box["height"] - 2 * ROOM_PX) / height)
        left = box["x"] + (box["width"] - width * scale) / 2
        top = box["y"] + (box["height"] - height * scale) / 2
        return left + x * scale, top + y * scale

    def click(self, x: float, y: float, **options: object) -> None:
        self.page.mouse.click(*self.place(x, y), **options)  # type: ignore[arg-type]

    def drag(self, *way: tuple[float, float]) -> None:
        self.page.mouse.move(*self.place(*way[0]))
        self.page.mouse.down()
        for point in way[1:]:
            self.page.mouse.move(*self.place(*point), steps=6)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def choose(self, number: int = 0) -> None:
        self.page.locator("li[data-id]").nth(number).click()

    def answered(self) -> None:
        """Wait for the segmenter's answer."""
        expect(self.page.locator(".finish .said")).to_contain_text("%", timeout=60_000)

    def saved(self) -> None:
        expect(self.page.locator(".saved")).to_have_text("Saved", timeout=60_000)

    def objects(self, *, rejected: bool = False) -> list[Segment]:
        with framekeep.open(self.server.library) as library:
            return library.segments(self.media_id, rejected=rejected)

    def only(self) -> Segment:
        (segment,) = self.objects()
        return segment

    def mask(self) -> BoolMask:
        return decode_mask(self.only().mask)

    def other(self) -> Segment:
        """The object beside the one that was there at first."""
        (segment,) = [one for one in self.objects() if one.bbox_xyxy != BOX]
        return segment


@pytest.fixture
def drawn_library(own_library: Path) -> Path:
    """The demo library with one object of a person in one of its photos."""
    with framekeep.open(own_library) as library:
        library.draw(PHOTO, box_mask(BOX, SIZE_WH))
    return own_library


@pytest.fixture
def own_view(page: Page, serve: Callable[..., Server], drawn_library: Path) -> View:
    """The view of a photo in a library that no other test has touched."""
    with framekeep.open(drawn_library) as library:
        media_id = library.media_id(PHOTO)
    return View(page, serve(drawn_library), media_id).open()


@pytest.fixture(scope="module")
def annotate_server(
    demo_library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for the tests that look at a photo of their own alone."""
    folder = tmp_path_factory.mktemp("annotate")
    library = Path(shutil.copytree(demo_library, folder / "library"))
    environment = {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    server = start_server(library, folder / "log", FRAMEKEEP_OFFLINE="1", **environment)
    yield server
    server.stop()
    assert_no_traceback(server.log)


@pytest.fixture
def view(page: Page, annotate_server: Server, tmp_path: Path) -> View:
    """The view of the test's own copy of the photo, with one object of a person."""
    path = tmp_path / "perched.png"
    with Image.open(PHOTO) as photo:
        # The name of the test in the lowest bits makes another content, and looks the same.
        pixels = np.array(photo)
        number = int.from_bytes(hashlib.sha256(str(tmp_path).encode()).digest()[:4])
        pixels[0, :32, 0] = pixels[0, :32, 0] & 0xFE | (number >> np.arange(32)) & 1
        Image.fromarray(pixels).save(path, compress_level=1)
    with framekeep.open(annotate_server.library) as library:
        list(library.add(path))
        media_id = library.media_id(path)
        library.draw(media_id, box_mask(BOX, SIZE_WH))
    return View(page, annotate_server, media_id).open()


def script(name: str) -> str:
    return (resources.files("framekeep.app") / "components" / name).read_text("utf-8")


# Masks in the browser


def test_masks_are_read_as_pycocotools_reads_them(page: Page) -> None:
    rng = np.random.default_rng(0)
    page.goto("about:blank")
    page.add_script_tag(content=script("masks.js"))
    for number in range(60):
        height, width = rng.integers(1, 70, 2)
        mask = rng.random((height, width)) < rng.random()
        if number % 3 == 0:
            mask = np.kron(mask, np.ones((9, 7), np.bool_))
        height, width = mask.shape
        scale = 1 if number % 2 else rng.uniform(0.1, 1)
        columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
        x = np.floor((np.arange(columns) + 0.5) * width / columns).astype(int)
        y = np.floor((np.arange(rows) + 0.5) * height / rows).astype(int)
        got = page.evaluate(
            "([counts, size, grid]) => decodeMask(counts, size, grid).join('')",
            [encode_mask(mask).counts, [width, height], [columns, rows]],
        )
        assert got == "".join(mask[np.ix_(y, x)].astype(int).ravel().astype(str))


def test_runs_of_a_large_mask_are_read_in_a_moment(page: Page) -> None:
    y, x = np.ogrid[:3000, :4000]
    mask = ((x - 2000) / 1500) ** 2 + ((y - 1500) / 1200) ** 2 < 1
    counts = encode_mask(mask).counts
    page.goto("about:blank")
    page.add_script_tag(content=script("masks.js"))
    runs, spent_ms = page.evaluate(
        """counts => {
            const began = performance.now();
            decodeMask(counts, [4000, 3000], [2048, 1536]);
            return [runsOf(counts), performance.now() - began];
        }""",
        counts,
    )
    again = coco.frPyObjects({"size": [3000, 4000], "counts": runs}, 3000, 4000)
    assert again["counts"].decode() == counts
    assert spent_ms < 3000


# Correcting


def test_a_mask_is_corrected_by_click_by_box_and_by_brush(view: View) -> None:
    former = view.only()
    view.choose()
    view.press("p")
    view.click(385, 250)
    view.answered()
    expect(view.page.locator(".finish .said")).to_contain_text("draft of the main object")
    view.press("Enter")
    view.saved()
    clicked = view.only()
    assert (clicked.segment_id, clicked.version) == (former.segment_id, 2)
    assert clicked.mask != former.mask
    assert decode_mask(clicked.mask)[250, 385]

    view.press("x")
    view.drag((310, 110), (480, 460))
    view.answered()
    view.press("Enter")
    view.saved()
    boxed = view.only()
    assert boxed.version == 3
    left, top, right, bottom = boxed.bbox_xyxy
    assert left >= 300
    assert top >= 100
    assert right <= 490
    assert bottom <= 470

    view.press("b")
    view.drag((700, 300), (800, 300))
    view.saved()
    brushed = view.only()
    mask = decode_mask(brushed.mask)
    assert brushed.version == 4
    assert mask[300, 700:800].all()
    assert (mask[:, :650] == decode_mask(boxed.mask)[:, :650]).all()

    view.press("e")
    view.drag((690, 300), (810, 300))
    view.saved()
    erased = view.mask()
    assert not erased[300, 690:810].any()
    assert (erased[:, :650] == mask[:, :650]).all()


def test_points_on_and_beside_a_new_object(view: View) -> None:
    view.press("p")
    view.click(385, 250)
    view.answered()
    view.click(900, 80, button="right")
    view.answered()
    kept = json.loads(
        view.page.evaluate("id => sessionStorage.getItem(id)", f"fk-annotate-{view.media_id}")
    )
    assert [label for *_, label in kept["draft"]["points"]] == [1, 0]
    view.press("Enter")
    view.saved()
    objects = view.objects()
    assert len(objects) == 2
    assert any(one.segmenter_id.startswith("starter") for one in objects)
    assert all(one.mask_source == "person" for one in objects)


def test_the_box_itself_is_an_answer_too(view: View) -> None:
    view.press("x")
    view.drag((600, 100), (800, 200))
    view.answered()
    view.press("ArrowUp")
    expect(view.page.locator(".finish .said")).to_contain_text("the box itself")
    view.press("Enter")
    view.saved()
    assert np.abs(np.subtract(view.other().bbox_xyxy, (600, 100, 800, 200))).max() <= 2


def test_a_polygon_is_drawn_and_its_corners_are_moved(view: View) -> None:
    view.press("g")
    for point in ((600, 100), (800, 100), (800, 300)):
        view.click(*point)
    view.click(600, 300)
    view.press("Enter")
    view.saved()
    drawn = view.other()
    assert np.abs(np.subtract(drawn.bbox_xyxy, (600, 100, 800, 300))).max() <= 2

    view.drag((800, 300), (900, 400))
    view.saved()
    moved = view.other()
    assert (moved.segment_id, moved.version) == (drawn.segment_id, 2)
    before, after = decode_mask(drawn.mask), decode_mask(moved.mask)
    assert after[370, 860]
    assert (before[:295, :700] == after[:295, :700]).all()

    view.drag((700, 100), (700, 50))  # the dot in the middle of an edge is a new corner
    view.saved()
    assert decode_mask(view.other().mask)[75, 700]
    view.click(700, 50, button="right")
    view.saved()
    last = decode_mask(view.other().mask)
    assert not last[75, 700]
    assert (last == after).all()


def test_the_original_is_looked_at_far_in(
    page: Page, serve: Callable[..., Server], own_library: Path, tmp_path: Path
) -> None:
    with Image.open(PHOTO) as photo:
        exif = Image.Exif()
        exif[0x0112] = 8  # turned by a quarter, as phones write it
        photo.resize((2600, 1500)).save(tmp_path / "large.jpg", exif=exif)
    with framekeep.open(own_library) as library:
        list(library.add(tmp_path / "large.jpg"))
        media_id = library.media_id(tmp_path / "large.jpg")
    view = View(page, serve(own_library), media_id, (1500, 2600)).open()
    with page.expect_response(re.compile(f"/fk/media/{media_id}")):
        page.mouse.move(*view.place(700, 800))
        for _ in range(8):
            page.mouse.wheel(0, -150)
    settled(page)
    keep_screen(page, "annotate-far-in")


def test_a_new_object_is_painted(view: View) -> None:
    view.press("b")
    view.drag((700, 100), (800, 100))
    view.drag((700, 130), (800, 130))
    view.saved()
    painted = decode_mask(view.other().mask)
    assert painted[100, 710:790].all()
    assert painted[130, 710:790].all()


def test_places_stay_right_when_zoomed_and_moved(view: View) -> None:
    x, y = view.place(700, 300)
    view.page.mouse.move(x, y)
    for _ in range(4):
        view.page.mouse.wheel(0, -150)  # four times e^0.5
    view.page.keyboard.down("Space")
    view.page.mouse.down()
    view.page.mouse.move(x + 60, y + 40, steps=4)
    view.page.mouse.up()
    view.page.keyboard.up("Space")
    view.press("g")
    side = 40
    for dx, dy in ((0, 0), (side, 0), (side, side), (0, side)):
        view.page.mouse.click(x + 60 + dx, y + 40 + dy)
    view.press("Enter")
    view.saved()
    drawn = view.other()
    left, top, right, bottom = drawn.bbox_xyxy
    box = view.page.locator("canvas.overlay").bounding_box()
    assert box is not None
    scale = (box["width"] - 2 * ROOM_PX) / SIZE_WH[0] * np.exp(2)
    assert (left, top) == pytest.approx((700, 300), abs=2)
    assert (right - left, bottom - top) == pytest.approx((side / scale, side / scale), abs=2)


# Labels and states


def test_labels_by_keyboard_and_undo(own_view: View) -> None:
    view = own_view
    view.choose()
    view.press("l")
    view.page.keyboard.type("osprey")
    view.press("Enter")
    view.saved()
    assert view.only().label == "osprey"
    expect(view.page.locator(".classes button")).to_have_text(["1osprey"])
    view.press("l")
    view.page.keyboard.type("rock")
    view.press("Enter")
    view.saved()
    assert view.only().label == "rock"
    view.press("1")
    view.saved()
    assert (view.only().label, view.only().label_source) == ("osprey", "person")
    view.press("a")
    view.saved()
    assert view.only().state == "accepted"
    for expected in (("osprey", "open"), ("rock", "open"), ("osprey", "open"), (None, "open")):
        view.press("Control+z")
        view.saved()
        assert (view.only().label, view.only().state) == expected
    view.press("Control+z")
    view.page.get_by_text("There is nothing to take back").wait_for()
    assert len(view.objects()) == 1


def test_a_label_typed_right_after_another_is_not_taken_for_keys(view: View) -> None:
    view.choose()
    view.press("l")
    view.page.keyboard.type("osprey")
    view.press("Enter", "l")
    view.page.wait_for_timeout(400)
    view.page.keyboard.type("rock")
    view.press("Enter")
    view.saved()
    assert (view.only().label, view.only().state) == ("rock", "open")


def test_rejected_objects_can_be_looked_at_and_taken_back(view: View) -> None:
    view.choose()
    view.press("Delete")
    view.saved()
    assert view.objects() == []
    view.press("Escape")
    expect(view.page.locator("li[data-id]")).to_have_count(0)
    view.page.get_by_label("Show 1 rejected").check()
    view.choose()
    view.press("r")
    view.saved()
    assert view.only().state == "open"


def test_everything_by_keyboard_alone(view: View) -> None:
    view.press("g", "k")
    for arrows in ("Right" * 1, "Down" * 1):
        view.press("Space", *[f"Arrow{arrows}"] * 9)
    view.press("Space", *["ArrowLeft"] * 9)
    view.press("Space")
    expect(view.page.locator(".finish .said")).to_have_text("4 corners")
    view.press("l")
    view.page.keyboard.type("branch")
    view.press("Enter", "Enter")
    view.saved()
    assert sorted(one.label or "" for one in view.objects()) == ["", "branch"]
    view.press("k", "Escape", "ArrowDown", "ArrowDown", "a")
    view.saved()
    assert [one.label for one in view.objects() if one.state == "accepted"] == ["branch"]


# Nothing is lost


def test_a_reload_in_the_middle_keeps_everything(view: View) -> None:
    view.choose()
    view.press("b")
    view.drag((600, 300), (700, 300))
    view.saved()
    view.press("Escape", "g")
    for point in ((600, 100), (800, 100), (800, 200)):
        view.click(*point)
    view.page.reload()
    view.ready()
    expect(view.page.locator(".finish .said")).to_have_text("3 corners")
    expect(view.page.get_by_role("button", name="Polygon")).to_have_attribute(
        "aria-pressed", "true"
    )
    assert view.mask()[300, 610:690].all()
    view.click(600, 200)
    view.press("Enter")
    view.saved()
    assert len(view.objects()) == 2

    view.press("Escape", "p")
    view.click(385, 250)
    view.answered()
    view.page.reload()
    view.ready()
    view.answered()
    view.press("Enter")
    view.saved()
    assert len(view.objects()) == 3


def test_a_reload_before_the_server_has_answered_keeps_the_edit(view: View) -> None:
    held: list[Route] = []
    view.page.route(
        re.compile("/fk/objects/.*"),
        lambda route: held.append(route) if route.request.method != "GET" else route.continue_(),
    )
    view.choose()
    view.press("b")
    view.drag((600, 300), (700, 300))
    view.press("l")
    view.page.keyboard.type("osprey")
    view.press("Enter")
    expect(view.page.locator(".saved")).to_have_text("Saving…")
    view.page.unroute_all(behavior="ignoreErrors")
    view.page.reload()
    view.ready()
    view.saved()
    segment = view.only()
    assert decode_mask(segment.mask)[300, 610:690].all()
    assert (segment.version, segment.label) == (2, "osprey")


def test_a_connection_that_breaks_is_told_and_tried_again(view: View) -> None:
    view.page.route(re.compile("/fk/objects/.*/label"), lambda route: route.abort())
    view.choose()
    view.press("l")
    view.page.keyboard.type("osprey")
    view.press("Enter")
    expect(view.page.locator(".saved")).to_contain_text("Not saved yet")
    view.page.unroute_all()
    view.saved()
    assert view.only().label == "osprey"


def test_what_another_browser_changed_is_not_overwritten(
    view: View, new_page: Callable[..., Page]
) -> None:
    listing = f"{view.server.address}/fk/objects/{view.media_id}"
    former = view.page.request.get(listing).json()
    refused: list[str] = []

    def listed(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            route.fulfill(json=former)  # this browser has not heard of the change yet

    def answered(response: Response) -> None:
        if response.status == 409:
            refused.append(response.url)

    view.page.route(listing, listed)
    view.page.on("response", answered)
    other = View(new_page(), view.server, view.media_id).open()
    other.choose()
    other.press("e")
    other.drag((310, 120), (460, 120))
    other.saved()
    theirs = other.mask()
    view.choose()
    view.press("b")
    view.drag((700, 300), (800, 300))
    view.page.get_by_text("Somebody else has changed this outline").wait_for()
    view.saved()
    assert (view.mask() == theirs).all()
    view.drag((700, 400), (800, 400))
    view.saved()
    ours = view.mask()
    assert ours[400, 710:790].all()
    assert not ours[300, 710:790].any()
    assert (ours[:, :650] == theirs[:, :650]).all()


# Going through photos


def test_next_unlabelled_previous_and_next_and_back(view: View) -> None:
    page = view.page
    page.goto(f"{view.server.address}/?where=name%3Ademo-0%2A")
    page.locator(".tile").nth(1).click()
    page.get_by_role("button", name="Draw and correct").click()
    view.ready()
    first = page.locator("h1.name").inner_text()
    assert page.locator(".where").inner_text().startswith("2 of ")
    view.press("ArrowRight")
    expect(page.locator(".where")).to_have_text(re.compile("^3 of "))
    view.press("ArrowLeft")
    expect(page.locator("h1.name")).to_have_text(first)
    view.press("n")
    expect(page.locator("h1.name")).not_to_have_text(first)
    view.ready()
    second = page.locator("h1.name").inner_text()
    page.get_by_role("button", name="← Back").click()
    page.wait_for_url(re.compile("where=name"))
    expect(page.locator(".bar .name")).to_have_text(second)


def test_without_a_photo_the_first_one_that_wants_labels(view: View) -> None:
    view.page.goto(f"{view.server.address}/annotate")
    view.page.wait_for_url(re.compile("open=[0-9a-f]{64}"))
    view.page.goto(f"{view.server.address}/annotate?open={'0' * 64}")
    view.page.get_by_text("no longer in the library").wait_for()


# Looks


def test_no_serious_finding(
    new_page: Callable[..., Page], serve: Callable[..., Server], drawn_library: Path
) -> None:
    with framekeep.open(drawn_library) as library:
        media_id = library.media_id(PHOTO)
        library.label(library.segments(media_id)[0].segment_id, "osprey")
        library.draw(PHOTO, box_mask((600, 300, 900, 340), SIZE_WH))
    server = serve(drawn_library)
    view = View(new_page(), server, media_id).open()
    view.choose()
    looks_right(view.page, "annotate")
    view.press("b")
    view.page.mouse.move(*view.place(385, 250))
    looks_right(view.page, "annotate-brush")
    view.press("g", "l")
    looks_right(view.page, "annotate-corners")
    view.press("Escape", "Escape", "x")
    view.drag((310, 110), (480, 460))
    view.answered()
    looks_right(view.page, "annotate-box")
    view.press("?")
    looks_right(view.page, "annotate-keys")
    view.press("Escape")
    phone = new_page(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    )
    small = View(phone, server, media_id).open()
    x, y = small.place(385, 250)
    phone.touchscreen.tap(x, y)
    assert phone.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0
    expect(phone.locator("li[aria-selected=true][data-id]")).to_have_count(1)
    looks_right(phone, "annotate-phone")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
