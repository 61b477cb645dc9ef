"""Films in the browser: added, found by their moments, played from them, stepped through."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import framekeep
from framekeep.app.views.finding import matches_among
from framekeep.types import Hit
from tests.e2e.conftest import (
    Server,
    assert_no_traceback,
    demo_photos,
    eventually,
    keep_screen,
    names,
    search,
    settled,
    start_server,
)
from tests.e2e.test_looks import looks_right, serious
from tests.helpers.films import make_film, scene

QUERY = "a cat"
SHOTS = (5, 2, 12, 3, 2, 20)
"""The demo photos that the film shows, three seconds each; the second and the fifth have a cat."""
SHOT_S = 3.0


def pictures(numbers: tuple[int, ...]) -> list[np.ndarray]:
    return [np.asarray(Image.open(demo_photos()[n - 1]).convert("RGB")) for n in numbers]


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films that browsers play, and one that they do not."""
    folder = tmp_path_factory.mktemp("films")
    # Still pictures: a shot scores the same, whichever of its frames is chosen.
    make_film(
        folder / "holiday.mp4",
        pictures(SHOTS),
        SHOT_S,
        (640, 360),
        fps=10,
        audio=True,
        moves=False,
    )
    make_film(
        folder / "garden.webm",
        pictures((7, 14)),
        SHOT_S,
        (320, 180),
        fps=10,
        codec="libvpx",
        options={"deadline": "realtime", "cpu-used": "8"},
    )
    make_film(folder / "old.avi", pictures((2, 15)), SHOT_S, (320, 240), fps=10, codec="mpeg4")
    return folder


@pytest.fixture(scope="session")
def films_server(
    demo_library: Path, films: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for the tests that change nothing but searches; the demo photos are there, too."""
    folder = tmp_path_factory.mktemp("films-server")
    library = Path(shutil.copytree(demo_library, folder / "library"))
    with framekeep.open(library) as opened:
        assert list(opened.add(films))[-1].counts.failed == 0
    environment = {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    server = start_server(library, folder / "log", FRAMEKEEP_OFFLINE="1", **environment)
    yield server
    server.stop()
    assert_no_traceback(server.log)


def moments(library: Path, name: str, query: str = QUERY) -> tuple[Hit, list[Hit]]:
    """A film, and those of its moments that match, by time."""
    with framekeep.open(library) as opened:
        shown = opened.search(where="kind:video", limit=50)
        given = opened.shown_names([str(hit.path) for hit in shown])
        film = next(hit for hit in shown if given.get(str(hit.path), hit.path.name) == name)
        scored = opened.moments_in(film, query)
    kept = matches_among(scored)
    return film, sorted((h for h in scored if h.media_id in kept), key=lambda h: h.time_s or 0)


def video(page: Page, what: str) -> object:
    """A property of the video in the page."""
    return page.locator(".whole video").evaluate(f"video => video.{what}")


def shows(page: Page, time_s: float, within_s: float = 0.1) -> bool:
    """Whether the film comes to stand at a time, with its picture there."""

    def there() -> bool:
        return abs(float(str(video(page, "currentTime"))) - time_s) < within_s

    return eventually(page, lambda: there() and int(str(video(page, "readyState"))) >= 2)


def tile(page: Page, name: str) -> object:
    return page.locator(f"[role=option].tile[aria-label^='{name}']").first


def open_film(page: Page, server: Server, name: str, query: str = QUERY) -> None:
    page.goto(f"{server.address}/?q={query.replace(' ', '+')}")
    page.locator(".score").first.wait_for()
    settled(page)
    tile(page, name).click()  # type: ignore[attr-defined]
    page.locator(".whole").wait_for()
    settled(page)


def pause(page: Page) -> None:
    page.keyboard.press("Space")
    assert eventually(page, lambda: video(page, "paused") is True)


def test_a_film_is_added_found_played_from_the_moment_and_stepped_through(
    page: Page, serve: Callable[..., Server], films: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    server = serve(library)
    page.goto(f"{server.address}/add")
    page.locator("input[type=file]").first.set_input_files(
        [films / "holiday.mp4", demo_photos()[0], demo_photos()[2]]
    )
    page.get_by_text(re.compile("Done: 3 added")).wait_for()
    expect(page.get_by_test_id("stSidebar").get_by_text("2 photos · 1 film")).to_be_visible()
    assert len(list((library / "uploads").glob("*/*.mp4"))) == 1
    film, matches = moments(library, "holiday.mp4")
    assert [round((hit.time_s or 0) // SHOT_S) for hit in matches] == [1, 4]
    page.get_by_role("link", name="Search").first.click()
    page.locator(".tile").first.wait_for()
    search(page, QUERY)
    first = page.locator("[role=option].tile").first
    label = first.get_attribute("aria-label") or ""
    assert re.match(r"holiday\.mp4, moment at 0:\d\d of 0:18, 5 more moments, score ", label)
    with framekeep.open(library) as opened:
        best = opened.moments_in(film, QUERY)[0]
    first.click()
    page.wait_for_url(f"**open={best.media_id}*")
    # It plays on its own from there: the click that opened it was the user's own.
    assert eventually(page, lambda: video(page, "paused") is False)
    now = float(str(video(page, "currentTime")))
    assert (best.time_s or 0) <= now < (best.time_s or 0) + 8
    assert eventually(page, lambda: int(str(video(page, "readyState"))) >= 2)
    pause(page)
    page.locator(".whole video").evaluate("video => { video.currentTime = 11 }")
    assert shows(page, 11.0)
    for key, expected in (("p", matches[0]), ("n", matches[1]), (",", matches[0])):
        page.keyboard.press(key)
        assert shows(page, expected.time_s or 0)
        page.wait_for_url(f"**open={expected.media_id}*")
    page.keyboard.press(".")
    assert shows(page, matches[1].time_s or 0)
    expect(page.locator(".controls .count")).to_have_text("match 2 of 2")


def test_shots_are_stepped_through(page: Page, films_server: Server) -> None:
    film, _ = moments(films_server.library, "holiday.mp4")
    with framekeep.open(films_server.library) as opened:
        starts = sorted({place.start_s for _, place in opened.film(film).moments})
    page.goto(f"{films_server.address}/?open={film.media_id}")
    page.locator(".line .shot").nth(len(starts) - 1).wait_for()
    assert eventually(page, lambda: int(str(video(page, "readyState"))) >= 2)
    assert video(page, "paused") is True  # a whole film waits
    for start_s in starts[1:]:
        page.keyboard.press("]")
        assert shows(page, start_s)
    page.keyboard.press("]")
    assert shows(page, starts[-1])
    for start_s in reversed(starts[:-1]):
        page.keyboard.press("[")
        assert shows(page, start_s)
    page.keyboard.press("Space")
    assert eventually(page, lambda: float(str(video(page, "currentTime"))) > 0.5)


def test_a_click_on_a_mark_jumps_there_and_back_undoes_it(page: Page, films_server: Server) -> None:
    _, matches = moments(films_server.library, "holiday.mp4")
    open_film(page, films_server, "holiday.mp4")
    pause(page)
    marks = page.locator(".line .mark")
    expect(marks).to_have_count(len(SHOTS))
    expect(page.locator(".line .mark.match")).to_have_count(len(matches))
    before = re.findall("open=([0-9a-f]+)", page.url)[0]
    other = next(hit for hit in matches if hit.media_id != before)
    page.locator(f".line .mark[data-id='{other.media_id}']").click()
    assert shows(page, other.time_s or 0)
    page.wait_for_url(f"**open={other.media_id}*")
    settled(page)
    page.go_back()
    page.wait_for_url(f"**open={before}*")
    there = next(hit for hit in matches if hit.media_id == before)
    assert shows(page, there.time_s or 0)
    page.keyboard.press("Escape")
    expect(page.locator(".whole")).to_have_count(0)
    page.wait_for_url(lambda url: "open=" not in url)


def test_the_line_is_a_slider(page: Page, films_server: Server) -> None:
    open_film(page, films_server, "holiday.mp4")
    pause(page)
    line = page.get_by_role("slider", name="Time in the film")
    line.focus()
    page.keyboard.press("Home")
    assert shows(page, 0.0)
    page.keyboard.press("PageUp")
    assert shows(page, 10.0)
    page.keyboard.press("ArrowLeft")
    assert shows(page, 9.0)
    expect(line).to_have_attribute("aria-valuetext", "0:09 of 0:18")
    box = line.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] - 4)
    page.locator(".bubble img").wait_for()
    expect(page.locator(".bubble")).to_contain_text(re.compile("0:0[56]"))
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 4, steps=4)
    page.mouse.up()
    assert shows(page, 9.0, within_s=0.3)


def test_the_other_moments_of_a_film_are_a_click_or_a_key_away(
    page: Page, films_server: Server
) -> None:
    film, _ = moments(films_server.library, "holiday.mp4")
    page.goto(films_server.address)
    page.locator(".tile").first.wait_for()
    search(page, QUERY)
    assert names(page).count("holiday.mp4") == 1
    badge = tile(page, "holiday.mp4").locator(".moments")  # type: ignore[attr-defined]
    expect(badge).to_have_text("+5 moments")
    badge.click()
    page.wait_for_url(f"**film%3A{film.media_id}*")
    settled(page)
    expect(page.get_by_text("6 moments")).to_be_visible()
    assert eventually(page, lambda: names(page) == ["holiday.mp4"] * 6)
    scores = [float(text) for text in page.locator(".score").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    page.get_by_role("button", name="in holiday.mp4").click()
    page.wait_for_url(lambda url: "film%3A" not in url)
    settled(page)
    tile(page, "holiday.mp4").focus()  # type: ignore[attr-defined]
    page.keyboard.press("i")
    page.wait_for_url(f"**film%3A{film.media_id}*")
    page.go_back()
    page.wait_for_url(lambda url: "film%3A" not in url)


def test_more_like_this_moment(page: Page, films_server: Server) -> None:
    _, matches = moments(films_server.library, "holiday.mp4")
    open_film(page, films_server, "holiday.mp4")
    pause(page)
    page.locator(f".line .mark[data-id='{matches[0].media_id}']").click()
    assert shows(page, matches[0].time_s or 0)
    settled(page)
    page.locator(".bar").get_by_role("button", name="More like this moment").click()
    page.wait_for_url(f"**like=media%3A{matches[0].media_id}*")
    page.locator(".score").first.wait_for()
    settled(page)
    # The moment itself, then the photo that it was made from and the other film with it.
    assert set(names(page)[:3]) == {"holiday.mp4", "demo-02.jpg", "old.avi"}


def test_hovering_plays_a_strip_unless_less_motion_is_wanted(
    page: Page, new_page: Callable[..., Page], films_server: Server
) -> None:
    page.goto(films_server.address)
    film = tile(page, "holiday.mp4")
    film.hover()  # type: ignore[attr-defined]
    strip = page.locator(".strip")
    strip.wait_for()
    seen: set[str] = set()
    assert eventually(page, lambda: len(seen | {strip.get_attribute("src") or ""}) > 0)
    for _ in range(6):
        seen.add(strip.get_attribute("src") or "")
        page.wait_for_timeout(500)
    assert len(seen) > 2
    page.mouse.move(2, 2)
    expect(strip).to_have_count(0)
    film.hover()  # type: ignore[attr-defined]
    strip.wait_for()
    film.click()  # type: ignore[attr-defined]
    page.locator(".whole").wait_for()
    calm = new_page(reduced_motion="reduce")
    calm.goto(f"{films_server.address}/?q=a+cat")
    tile(calm, "holiday.mp4").hover()  # type: ignore[attr-defined]
    calm.wait_for_timeout(1500)
    expect(calm.locator(".strip")).to_have_count(0)
    tile(calm, "holiday.mp4").click()  # type: ignore[attr-defined]
    calm.locator(".whole").wait_for()
    assert eventually(calm, lambda: int(str(video(calm, "readyState"))) >= 2)
    assert video(calm, "paused") is True


def test_a_film_that_the_browser_cannot_play_is_shown_as_pictures(
    page: Page, films_server: Server
) -> None:
    film, matches = moments(films_server.library, "old.avi")
    open_film(page, films_server, "old.avi")
    said = page.get_by_text("This browser cannot play this film")
    expect(said).to_be_visible()
    picture = page.locator(".stage > img")
    expect(picture).to_have_attribute("src", re.compile(f"{matches[0].media_id}/preview"))
    assert eventually(page, lambda: picture.evaluate("img => img.naturalWidth") > 0)
    expect(page.get_by_role("button", name="Play (Space)")).to_be_disabled()
    page.keyboard.press("]")
    expect(picture).not_to_have_attribute("src", re.compile(matches[0].media_id))
    link = page.get_by_role("link", name="Open the original")
    expect(link).to_have_attribute("href", f"/fk/media/{film.media_id}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "old.avi"


def test_a_webm_plays_too(page: Page, films_server: Server) -> None:
    film, _ = moments(films_server.library, "garden.webm")
    page.goto(f"{films_server.address}/?open={film.media_id}")
    page.locator(".whole").wait_for()
    assert eventually(page, lambda: int(str(video(page, "readyState"))) >= 2)
    page.keyboard.press("Space")
    assert eventually(page, lambda: float(str(video(page, "currentTime"))) > 0.5)


def test_the_keys_are_told(page: Page, films_server: Server) -> None:
    open_film(page, films_server, "holiday.mp4")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("the next match")


def test_a_long_film_in_work_tells_how_far_it_is(
    page: Page, serve: Callable[..., Server], tmp_path: Path
) -> None:
    shots = [scene(number, (320, 180)) for number in range(90)]
    make_film(tmp_path / "long.mp4", shots, 1.0, (320, 180), fps=10, moves=False)
    server = serve(tmp_path / "library", FRAMEKEEP_APP_ROOTS=str(tmp_path))
    page.goto(f"{server.address}/add")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "long.mp4")
    page.get_by_text(re.compile(r"long\.mp4 \d:\d\d of 1:30")).wait_for()
    page.get_by_text(re.compile(r"Done: 1 added · \d+ moments of films")).wait_for()


def test_films_have_no_serious_finding(new_page: Callable[..., Page], films_server: Server) -> None:
    page = new_page(reduced_motion="reduce")
    film, _ = moments(films_server.library, "holiday.mp4")
    for name, address in {
        "films-start": "",
        "films-search": "?q=a+cat",
        "films-inside": f"?q=a+cat&f=film~film:{film.media_id}",
        "films-moments": f"?f=film~film:{film.media_id}",
        "films-statistics": "statistics",
    }.items():
        page.goto(f"{films_server.address}/{address}")
        page.get_by_test_id("stSidebar").get_by_text("dimensions").first.wait_for()
        settled(page)
        page.wait_for_timeout(500)
        looks_right(page, name)
    for name in ("holiday.mp4", "old.avi"):
        open_film(page, films_server, name)
        page.get_by_text("About this film").wait_for()
        page.wait_for_timeout(1000)
        looks_right(page, f"films-{name}")
    page.keyboard.press("?")
    looks_right(page, "films-keys")


def test_a_film_at_a_phones_width(new_page: Callable[..., Page], films_server: Server) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto(f"{films_server.address}/?q=a+cat")
    page.locator(".score").first.wait_for()
    settled(page)
    keep_screen(page, "phone-films")
    tile(page, "holiday.mp4").tap()  # type: ignore[attr-defined]
    page.locator(".whole").wait_for()
    settled(page)
    page.wait_for_timeout(600)
    keep_screen(page, "phone-film")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
