"""What the pages tell of films, run by Streamlit's own tester against a real library."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

import framekeep
from framekeep.app import state
from framekeep.app.query import PAGE, SearchState, parse_params
from framekeep.app.views.common import counted_hits
from framekeep.app.views.finding import grouped, matches_among, scored_moments
from framekeep.app.views.work import current_text, fraction
from framekeep.film_types import clock
from framekeep.jobs import JobState
from framekeep.types import Hit
from tests.app.test_pages import opened, said
from tests.helpers.films import make_film

DEMO = sorted(Path(str(resources.files("framekeep") / "data" / "demo")).glob("*.jpg"))
SHOTS = (5, 12, 3, 9, 20)
"""The demo photos that the first film shows, two seconds each; the fourth has dogs."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of three photos and two films."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "media").mkdir()
    for path in DEMO[:3]:
        shutil.copy(path, folder / "media")
    pictures = [np.asarray(Image.open(DEMO[n - 1]).convert("RGB")) for n in SHOTS]
    make_film(folder / "media" / "holiday.mp4", pictures, 2.0, fps=10, audio=True)
    make_film(folder / "media" / "short.mp4", pictures[:2], 1.0, fps=10)
    with framekeep.open(folder / "library", encoder="starter") as library:
        list(library.add(folder / "media"))
    return folder / "library"


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Iterator[Path]:
    copy = Path(shutil.copytree(made, tmp_path / "library"))
    state.start(copy)
    yield copy
    state.stop()


def film_named(name: str) -> Hit:
    hits = state.context().library.search(where=f"name:{name}")
    return next(hit for hit in hits if hit.media.kind == "video")


def looked_at(name: str) -> int:
    """How many frames of a film are looked at: of a shot with much movement more than one."""
    return len(state.context().library.film(film_named(name)).moments)


def button(test: AppTest, label: str) -> object:
    (found,) = [button for button in test.button if button.label == label]
    return found


def test_photos_and_films_are_counted_apart(library: Path) -> None:
    test = opened()
    assert "**3 photos and 2 films**, newest first" in said(test)
    assert "**3** photos · **2** films · **384** dimensions" in said(test)
    assert "**2 films**" in said(opened(where="kind:video"))
    assert "**3 photos**" in said(opened(where="kind:photo"))
    metrics = {metric.label: metric.value for metric in opened("statistics").metric}
    assert (metrics["Photos"], metrics["Films"]) == ("3", "2")
    assert metrics["Moments"] == str(looked_at("holiday.mp4") + looked_at("short.mp4"))
    assert "**3 photos and 2 films**, newest first" in said(opened("library"))


def test_a_search_inside_one_film_is_a_filter_with_its_name(library: Path) -> None:
    film = film_named("holiday.mp4")
    where = f"film~film:{film.media_id}"
    test = opened(f=where)
    assert f"**{looked_at('holiday.mp4')} moments**, by time" in said(test)
    assert button(test, "in holiday.mp4")
    test.text_input(key="box").set_value("two dogs").run()
    assert test.query_params["f"] == where
    assert "**5 moments**, best first" in said(test)
    test.button(key="facet_0").click().run()
    assert "f" not in test.query_params
    assert test.query_params["q"] == "two dogs"
    assert "**3 photos and 7 moments**, best first" in said(test)


def test_a_film_that_is_gone_is_told(library: Path) -> None:
    test = opened(f="film~film:" + "0" * 64)
    assert button(test, "in a film that is no longer there")
    assert "There is no" in said(test) or "not in this library" in said(test)


def test_a_moment_is_shown_with_its_film_and_each_is_tagged(library: Path) -> None:
    film = film_named("holiday.mp4")
    moment = state.context().library.moments_in(film, "two dogs")[0]
    test = opened(q="two dogs", open=moment.media_id)
    assert moment.time_s == pytest.approx(6.0, abs=1.9)
    place = clock(moment.time_s or 0)
    assert [s.value for s in test.subheader] == [
        "About this film",
        f"Tags of the moment at {place}",
        "Tags of the film",
        "Where it lies",
        "Like this moment",
    ]
    assert test.code[0].value == str(film.path)
    for number, tag in ((0, "dogs"), (1, "trip")):
        fields = [field for field in test.text_input if field.label == "Add tags"]
        fields[number].set_value(tag)
        [b for b in test.button if b.label == "Add"][number].click().run()
    library_ = state.context().library
    assert library_.hits([moment.media_id])[0].tags == ("dogs",)
    assert library_.hits([film.media_id])[0].tags == ("trip",)
    test.button(key="untag_film_trip").click().run()
    assert library_.tags() == {"dogs": 1}
    test.button(key="untag_dogs").click().run()
    assert library_.tags() == {}


def test_a_film_is_shown_with_what_is_known_of_it(library: Path) -> None:
    film = film_named("holiday.mp4")
    test = opened(open=film.media_id)
    assert [s.value for s in test.subheader] == [
        "About this film",
        "Tags of the film",
        "Where it lies",
        "Like this film",
    ]
    facts = "".join(str(html.body) for html in test.get("html"))
    for known in ("0:10 (10.0 s)", "H.264", "<dd>yes</dd>", "pictures of 5 shots", "MP4"):
        assert known in facts


def test_searching_in_the_open_film_keeps_it_open(library: Path) -> None:
    film = film_named("holiday.mp4")
    test = opened(open=film.media_id)
    (field,) = [field for field in test.text_input if field.label == "Search in this film"]
    field.set_value("two dogs")
    test.button(key="inside_go").click().run()
    assert test.query_params["q"] == "two dogs"
    assert test.query_params["f"] == f"film~film:{film.media_id}"
    assert test.query_params["open"] == film.media_id
    test.button(key="inside_all").click().run()
    assert "open" not in test.query_params
    assert "**5 moments**, best first" in said(test)


def test_more_like_this_moment_searches_with_it(library: Path) -> None:
    moment = state.context().library.moments_in(film_named("holiday.mp4"))[3]
    test = opened(open=moment.media_id)
    test.button(key="detail_like").click().run()
    assert test.query_params["like"] == f"media:{moment.media_id}"


def test_the_add_page_takes_films(library: Path) -> None:
    assert [title.value for title in opened("add").title] == ["Add photos and films"]


def test_of_each_film_the_best_moment_stands_for_it(library: Path) -> None:
    hits = state.context().library.search("two dogs", limit=50)
    kept, more = grouped(hits)
    films = [hit.film_id for hit in kept if hit.film_id]
    assert sorted(films) == sorted({hit.film_id for hit in hits if hit.film_id})
    for hit in kept:
        if hit.film_id:
            own = [h for h in hits if h.film_id == hit.film_id]
            assert hit == own[0]
            assert more.get(hit.media_id, 0) == len(own) - 1
    assert len(kept) + sum(more.values()) == len(hits)
    assert [hit for hit in hits if not hit.film_id] == [hit for hit in kept if not hit.film_id]
    assert counted_hits(hits) == "3 photos and 7 moments"
    assert counted_hits([]) == "0 photos"


def test_matches_stand_out_of_their_film(library: Path) -> None:
    film = film_named("holiday.mp4")
    scored = scored_moments(state.context(), SearchState(text="two dogs"), film.media_id)
    assert [hit.time_s for hit in scored] == sorted(hit.time_s or 0 for hit in scored)
    matches = matches_among(scored)
    best = max(scored, key=lambda hit: hit.score or 0)
    assert best.media_id in matches
    assert len(matches) < len(scored)
    assert matches_among(scored[:1]) == {scored[0].media_id}
    assert matches_among([]) == set()
    assert scored_moments(state.context(), SearchState(where="kind:video"), film.media_id) == []


JOB = JobState("a", "add", "Adding", "running", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_film_in_work_tells_its_own_progress(library: Path) -> None:
    path = str(library / "uploads" / "ab" / "abc.mp4")
    state.context().library.note_upload(path, "holiday.mp4")
    job = replace(JOB, done=1, total=4, current=path, film_s=(80.0, 600.0))
    assert current_text(job) == "holiday.mp4 1:20 of 10:00"
    assert fraction(job) == pytest.approx((1 + 80 / 600) / 4)
    assert current_text(replace(job, current="/films/b.mov")) == "b.mov 1:20 of 10:00"
    assert current_text(replace(job, film_s=None)) == path
    assert fraction(replace(job, film_s=(5.0, 0.0))) == 0.25
    assert current_text(JOB) == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (12.96, "0:12"), (60, "1:00"), (3599.9, "59:59"), (3723, "1:02:03")],
)
def test_a_time_reads_as_players_show_it(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


FILM_IDS = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(FILM_IDS, FILM_IDS, st.sampled_from(["", "a boat"]))
def test_one_film_at_a_time_in_an_address(first: str, second: str, text: str) -> None:
    state_ = replace(SearchState(text=text, facets=(("tag", "tag:x"),)), limit=2 * PAGE)
    within = state_.within(first).within(second)
    assert within.film == second
    assert within.limit == PAGE
    assert parse_params(within.to_params()) == within
    assert within.within(None) == replace(state_, limit=PAGE)
    assert state_.film is None
