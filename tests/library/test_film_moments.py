"""A film as the library tells it, and searching inside one."""

from __future__ import annotations

import pytest

from framekeep.errors import FilterError, InputError, NotFoundError
from framekeep.library import Library
from framekeep.testing import HashEncoder
from tests.helpers.films import make_film, scene
from tests.helpers.pictures import write_folder

SHOTS = 5


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A library of two films and three photos."""
    folder = tmp_path_factory.mktemp("moments")
    (folder / "media").mkdir()
    make_film(folder / "media" / "one.mp4", [scene(n) for n in range(SHOTS)], 1.0, moves=False)
    make_film(folder / "media" / "two.mp4", [scene(n) for n in (7, 8, 9)], 1.0, moves=False)
    write_folder(folder / "media", 3)
    with Library.open(folder / "library", HashEncoder()) as library:
        list(library.add(folder / "media"))
        library.media_folder = folder / "media"
        yield library


@pytest.fixture
def one(filled):
    return filled.hits([filled.media_id(filled.media_folder / "one.mp4")])[0]


def test_a_film_with_its_frames_by_time(filled, one):
    film = filled.film(one)
    assert film.hit == one
    times = [moment.time_s for _, moment in film.moments]
    assert times == sorted(times)
    assert len({moment.start_s for _, moment in film.moments}) == SHOTS
    frame_id, moment = film.moments[2]
    assert filled.film(frame_id) == film
    assert filled.film(one.path) == film
    (frame,) = filled.hits([frame_id])
    assert (frame.film_id, frame.time_s) == (one.media_id, moment.time_s)
    assert filled.count_moments() == len(film.moments) + len(
        filled.film(filled.media_folder / "two.mp4").moments
    )


def test_what_is_no_film_is_told(filled):
    photo = next(hit for hit in filled.search(limit=10) if hit.media.kind == "photo")
    with pytest.raises(InputError, match="is a photo"):
        filled.film(photo)
    with pytest.raises(NotFoundError):
        filled.film("nowhere.mp4")
    with pytest.raises(NotFoundError):
        filled.moments_in("nowhere.mp4", "a boat")


def test_moments_are_those_of_the_film_alone_best_first(filled, one):
    found = filled.moments_in(one, "a boat")
    assert {hit.film_id for hit in found} == {one.media_id}
    assert [hit.score for hit in found] == sorted((h.score for h in found), reverse=True)
    assert len({hit.shot_s for hit in found}) == len(found) == SHOTS
    every = [h for h in filled.search("a boat", limit=100) if h.film_id == one.media_id]
    assert [(h.media_id, h.score) for h in found] == [
        (h.media_id, pytest.approx(h.score)) for h in every
    ]
    assert filled.moments_in(found[3], "a boat", limit=2) == found[:2]
    assert filled.moments_in(one, image=found[3].media_id)[0].media_id == found[3].media_id


def test_without_a_query_all_its_moments_by_time(filled, one):
    film = filled.film(one)
    listed = filled.moments_in(one)
    assert [hit.media_id for hit in listed] == [frame_id for frame_id, _ in film.moments]
    assert all(hit.score is None for hit in listed)
    assert filled.moments_in(one, limit=2) == listed[:2]


def test_a_filter_holds_inside_the_film(filled, one):
    wanted = filled.moments_in(one)[1]
    filled.tag(wanted.media_id, "red")
    assert [hit.media_id for hit in filled.moments_in(one, where="tag:red")] == [wanted.media_id]
    found = filled.moments_in(one, "a boat", where="tag:red or kind:photo")
    assert [hit.media_id for hit in found] == [wanted.media_id]
    assert filled.moments_in(one, where="not kind:video") == []
    with pytest.raises(FilterError):
        filled.moments_in(one, where="colour:red")


def test_facets_tell_photos_from_films_and_lengths(filled):
    facets = filled.facets()
    assert [(v.label, v.count) for v in facets["kind"]] == [("photos", 3), ("films", 2)]
    assert [(v.label, v.count) for v in facets["length"]] == [("under 10 s", 2)]
    for value in (*facets["kind"], *facets["length"]):
        assert filled.count(value.where) == value.count
    assert filled.facets("kind:photo")["kind"] == []
    assert filled.facets("kind:photo")["length"] == []
