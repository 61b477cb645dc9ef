"""Films and their frames in the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from framekeep.film_types import Moment, VideoFacts
from framekeep.filters import parse_filter
from framekeep.store.catalog import Catalog
from framekeep.store.catalog_films import FilmState
from tests.helpers.catalog import DATABASES, SPACE, catalog_on, file_of, item, media_ids, unit
from tests.helpers.segments import boxed

PHOTO, FILM, *FRAMES = media_ids(6)
FACTS = VideoFacts(duration_s=8.0, fps=25.0, codec="h264", has_audio=True)


def frame(number: int) -> object:
    moment = Moment(FILM, time_s=number + 0.5, start_s=float(number // 2 * 2), end_s=4.0)
    return item(FRAMES[number], kind="frame", video=FACTS, moment=moment, sharpness=10.0 * number)


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    opened = catalog_on(request.param, tmp_path)
    film = item(FILM, kind="video", video=FACTS)
    opened.put_media([item(PHOTO), film, *(frame(n) for n in range(4))])
    opened.put_vectors(SPACE, [PHOTO, *FRAMES], unit(5))
    opened.record_files(
        [file_of(PHOTO), file_of(FILM, "/films/a.mp4"), file_of(FILM, "/films/b.mp4")], 1
    )
    yield opened
    opened.close()


def where(text: str) -> object:
    return parse_filter(text)


def test_a_frame_comes_back_as_it_was_put(catalog: Catalog) -> None:
    assert catalog.media([FRAMES[1], FILM]) == {
        FRAMES[1]: frame(1),
        FILM: item(FILM, kind="video", video=FACTS),
    }
    assert catalog.moments([PHOTO, FRAMES[3]]) == {FRAMES[3]: frame(3).moment}
    assert catalog.frame_ids(FILM) == FRAMES
    assert catalog.frame_ids(PHOTO) == []


def test_photos_and_films_are_listed_photos_and_frames_searched(catalog: Catalog) -> None:
    assert set(catalog.select_ids(None)) == {PHOTO, FILM}
    assert catalog.count_media() == catalog.count_matching(None) == 2
    assert set(catalog.pictures.select_ids(None)) == {PHOTO, *FRAMES}
    assert catalog.count_vectors(SPACE) == 5
    assert catalog.lacking_vectors(SPACE) == []
    assert set(catalog.lacking_vectors("other")) == {PHOTO, *FRAMES}
    assert catalog.unindexed(SPACE) == [PHOTO, *FRAMES]


def test_a_frame_lies_where_its_film_does_and_goes_with_it(catalog: Catalog) -> None:
    places = ["/films/a.mp4", "/films/b.mp4"]
    assert catalog.paths([FRAMES[0], FILM, PHOTO])[FRAMES[0]] == places
    catalog.mark_indexed(SPACE, [PHOTO, *FRAMES])
    for place in places:
        assert catalog.stale(SPACE) == []
        catalog.record_files([file_of(FILM, place, state="missing")], 2)
    assert catalog.stale(SPACE) == FRAMES
    assert catalog.pictures.select_ids(None) == [PHOTO]
    assert catalog.paths(FRAMES) == {}
    assert catalog.missing_ids() == [FILM]
    catalog.record_files([file_of(FILM, places[0])], 3)
    assert catalog.stale(SPACE) == []
    assert len(catalog.pictures.select_ids(None)) == 5


def test_a_film_half_read_is_kept_and_one_without_files_is_not(catalog: Catalog) -> None:
    half, *its_frames = media_ids(3, start=50)
    moment = Moment(half, 1.0, 0.0, 2.0)
    catalog.put_media([item(half, kind="video", video=FACTS)])
    catalog.note_film(half, "shots1-120pm", 12.5)
    catalog.put_media([item(i, kind="frame", video=FACTS, moment=moment) for i in its_frames])
    assert catalog.unreferenced() == []
    assert catalog.film_states([half, PHOTO]) == {half: FilmState("shots1-120pm", 12.5)}
    catalog.note_film(half, "shots1-120pm", None)
    assert catalog.unreferenced() == [half]
    catalog.delete_media([half])
    assert catalog.media([half, *its_frames]) == {}


def test_the_sharpest_frame_stands_for_a_film(catalog: Catalog) -> None:
    assert catalog.poster(FILM) == FRAMES[3]
    assert catalog.poster(PHOTO) is None


def test_what_belongs_to_the_same_moment(catalog: Catalog) -> None:
    assert catalog.same_moment(FRAMES[0]) == {FRAMES[0], FRAMES[1]}
    assert catalog.same_moment(FILM) == {FILM, *FRAMES}
    assert catalog.same_moment(PHOTO) == {PHOTO}


def test_frames_that_nobody_has_touched_are_spare(catalog: Catalog) -> None:
    assert catalog.spare_frames(FILM, FRAMES[:1]) == FRAMES[1:]
    catalog.add_tags([FRAMES[1]], ["mine"])
    catalog.set_label([FRAMES[2]], "beach", author="me")
    assert catalog.spare_frames(FILM, FRAMES[:1]) == FRAMES[3:]
    catalog.put_segments(FRAMES[3], "cutter@1", [boxed((0, 0, 9, 9), label="dog")])
    assert catalog.spare_frames(FILM, []) == [FRAMES[0], FRAMES[3]]
    (segment,) = catalog.segments_of([FRAMES[3]])[FRAMES[3]]
    catalog.set_label([segment.segment_id], "cat", author="me")
    assert catalog.spare_frames(FILM, []) == [FRAMES[0]]


@pytest.mark.parametrize(
    ("text", "media", "pictures"),
    [
        ("kind:video", {FILM}, set(FRAMES)),
        ("kind:photo", {PHOTO}, {PHOTO}),
        ("duration>7", {FILM}, set(FRAMES)),
        ("not duration>7", {PHOTO}, {PHOTO}),
        ("has-audio", {FILM}, set(FRAMES)),
        ("not has-audio", {PHOTO}, {PHOTO}),
        ("codec:h264", {FILM}, set(FRAMES)),
        ("tag:trip", {FILM}, set(FRAMES)),
        ("not tag:trip", {PHOTO}, {PHOTO}),
        ("tag:one", set(), {FRAMES[0]}),
        ("name:b.mp4", {FILM}, set(FRAMES)),
        ("folder:/films", {FILM}, set(FRAMES)),
        ("label:dog", {FILM}, {FRAMES[2]}),
        ("not label:dog", {PHOTO}, {PHOTO, FRAMES[0], FRAMES[1], FRAMES[3]}),
        ("has-object", {FILM}, {FRAMES[2]}),
        ("label:beach", {FILM}, {FRAMES[1]}),
        (f"film:{FILM}", {FILM}, set(FRAMES)),
    ],
)
def test_filters(catalog: Catalog, text: str, media: set[str], pictures: set[str]) -> None:
    catalog.add_tags([FILM], ["trip"])
    catalog.add_tags([FRAMES[0]], ["one"])
    catalog.put_segments(FRAMES[2], "cutter@1", [boxed((0, 0, 9, 9), label="dog")])
    catalog.set_label([FRAMES[1]], "beach", author="me")
    assert set(catalog.select_ids(where(text))) == media
    assert set(catalog.pictures.select_ids(where(text))) == pictures
    assert catalog.count_matching(where(text)) == len(media)


def test_frames_wait_to_be_segmented_and_labelled_films_do_not(catalog: Catalog) -> None:
    assert catalog.to_segment(None, "cutter@1") == [PHOTO, *FRAMES]
    seen, last = [], None
    for _ in range(5):
        last = catalog.next_unlabelled(last)
        seen.append(last)
        catalog.set_label([str(last)], "done", author="me")
    assert set(seen) == {PHOTO, *FRAMES}
    assert catalog.next_unlabelled(None) is None
