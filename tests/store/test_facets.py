"""Facets: each value's filter finds exactly as many media as its count says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.filters import parse_filter
from framekeep.store.catalog import Catalog
from framekeep.types import FacetValue
from tests.helpers.catalog import file_of, item, media_ids
from tests.helpers.segments import boxed

KEYS = ["kind", "length", "year", "format", "size", "orientation", "sharpness", "camera",
        "folder", "tag", "label", "objects"]  # fmt: skip
CAMERAS = [
    None, "Nikon F3", "Nikon", "nikon f3", "F3", "Löwe 5", "LÖWE 5", "a*b", "what?", "=x", 'in"ch',
    "back\\slash", "50%_off", "and", "not", "(x)", "has-tag", " ", "İstanbul", "a_b",
]  # fmt: skip
FOLDERS = [
    "/photos", "/photos/a", "/photos/a/b", "/photos/ab", "/photos/a b", "/Photos/a", "/",
    "/photos/st*r", "/photos/star", '/photos/"q"', "/photos/back\\slash", "/photos/(1)",
    "/photos/na\udce9ve", "/photos/a/b/c/d", "/x/tab\tname",
]  # fmt: skip
TAGS = ["trip", "Trip", "t*p", "best of 2024", 'a "b"', "or", "ÄÖ", "äö", "100%", "tr_p"]
LABELS = [None, "dog", "Hot dog", "d*g", "löwe"]
ATOMS = [
    "format:jpeg", "taken>=2020", "not has-taken", "tag:trip", "folder:/photos/a", "pixels>=8mp",
    "orientation:portrait", "name:1", "has-camera", "sharpness<500", "camera:nikon", "bytes>0",
    "kind:photo and not tag:or", "label:dog", "has-object", "not state:accepted", "score>0.5",
]  # fmt: skip


def filled(path: Path, seed: int, count: int = 60) -> Catalog:
    """Media of every kind; a third have copies in other folders, a few are gone."""
    catalog = Catalog.open(path)
    draw = random.Random(seed)
    ids = media_ids(count)
    sides = [(100, 100), (2000, 1000), (1000, 2000), (4000, 2000), (2500, 3200), (8000, 5000)]
    catalog.put_media(
        [
            item(
                media_id,
                size_wh=draw.choice(sides),
                format=draw.choice(["jpeg", "png", "heic", "raw"]),
                camera=draw.choice(CAMERAS),
                sharpness=draw.choice([0.0, 499.99, 500.0, 1999.0, 2000.0, 9000.0]),
                taken_at_local=draw.choice(
                    [None, datetime(1999, 12, 31, 23, 59, 59), datetime(2000, 1, 1),
                     datetime(2024, 2, 29), datetime(9999, 12, 31), datetime(987, 1, 2)]
                ),
            )
            for media_id in ids
        ]
    )  # fmt: skip
    for n in range(3):
        records = [
            file_of(
                media_id,
                f"{draw.choice(FOLDERS).rstrip('/')}/{n}-{media_id[-4:]}.jpg",
                state="missing" if draw.random() < 0.2 else "indexed",
            )
            for media_id in (ids if n == 0 else draw.sample(ids, count // 3))
        ]
        catalog.record_files(records, catalog.new_run())
    for tag in TAGS:
        catalog.add_tags(draw.sample(ids, draw.randrange(1, 20)), [tag])
    for media_id in draw.sample(ids, count // 2):
        size_wh = catalog.media([media_id])[media_id].size_wh
        boxes = [(0, 0, 9, 9), (20, 20, 45, 60), (50, 50, 60, 60)][: draw.randrange(4)]
        found = [boxed(box, draw.random(), draw.choice(LABELS), size_wh=size_wh) for box in boxes]
        segments = catalog.put_segments(media_id, "cutter@1", found)
        if segments and draw.random() < 0.7:
            catalog.set_state(segments[:1], draw.choice(["accepted", "rejected"]), author="me")
    for label in LABELS[1:]:
        catalog.set_label(draw.sample(ids, 6), label, author="me")
    return catalog


@pytest.fixture(scope="module", params=[1, 2, 3])
def catalog(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    opened = filled(tmp_path_factory.mktemp("facets") / "catalog.sqlite3", request.param)
    yield opened
    opened.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path / "catalog.sqlite3")
    yield opened
    opened.close()


@st.composite
def filters(draw: st.DrawFn) -> str | None:
    parts = draw(st.lists(st.sampled_from(ATOMS), max_size=3))
    joiner = draw(st.sampled_from([" and ", " or "]))
    return joiner.join(f"({part})" for part in parts) or None


def narrowed(where: str | None, value: FacetValue) -> str:
    return value.where if where is None else f"({where}) and {value.where}"


@given(where=filters())
@settings(max_examples=15, deadline=None)
def test_each_value_finds_what_it_counts(catalog: Catalog, where: str | None) -> None:
    tree = parse_filter(where) if where else None
    facets = catalog.facets(tree)
    assert list(facets) == KEYS
    for values in facets.values():
        for value in values:
            found = catalog.count_matching(parse_filter(narrowed(where, value)))
            assert value.count == found, value
            assert value.count > 0, value
    total = catalog.count_matching(tree)
    for key in ("year", "format", "size", "orientation", "sharpness"):
        assert sum(value.count for value in facets[key]) == total, key
    assert sum(month.count for month in catalog.months(tree)) == total


def test_every_camera_folder_and_tag_of_live_media_is_offered(catalog: Catalog) -> None:
    facets = catalog.facets(None)
    live = catalog.select_ids(None)
    media, paths, tags = catalog.media(live), catalog.paths(live), catalog.tags_of(live)
    cameras = {m.camera or "" for m in media.values()}
    assert {v.label for v in facets["camera"]} == {camera for camera in cameras if camera.strip()}
    assert {v.label for v in facets["tag"]} == {tag for names in tags.values() for tag in names}
    folders = {Path(path).parent for places in paths.values() for path in places}
    assert len(facets["folder"]) == len(folders)


def test_labels_of_people_and_models_on_media_and_their_objects_are_offered(empty: Catalog) -> None:
    a, b, c = media_ids(3)
    empty.put_media([item(i) for i in (a, b, c)])
    empty.record_files([file_of(i) for i in (a, b, c)], empty.new_run())
    _, second = empty.put_segments(
        a, "s@1", [boxed((0, 0, 9, 9), label="dog"), boxed((20, 20, 90, 90), label="dog")]
    )
    (other,) = empty.put_segments(b, "s@1", [boxed((0, 0, 9, 9), label="cat")])
    empty.set_label([second, c], "Dog", author="me")
    facets = empty.facets(None)
    assert [(v.label, v.count) for v in facets["label"]] == [("dog", 2), ("cat", 1)]
    assert [(v.label, v.count) for v in facets["objects"]] == [
        ("with objects", 2), ("to review", 2), ("no objects", 1),
    ]  # fmt: skip
    empty.set_state([other], "rejected", author="me")
    assert [(v.label, v.count) for v in empty.facets(None)["label"]] == [("dog", 2)]


def test_years_come_newest_first_and_no_date_last(catalog: Catalog) -> None:
    labels = [value.label for value in catalog.facets(None)["year"]]
    assert labels == ["9999", "2024", "2000", "1999", "0987", "no date"]


def test_a_folder_counts_all_below_it_and_each_medium_once(empty: Catalog) -> None:
    a, b = media_ids(2)
    empty.put_media([item(a), item(b)])
    files = [
        file_of(a, "/p/one/a.jpg"), file_of(a, "/p/one/deep/a.jpg"), file_of(a, "/p/two/a.jpg"),
        file_of(b, "/p/one/deep/b.jpg"), file_of(b, "/p/onerous/b.jpg"),
    ]  # fmt: skip
    empty.record_files(files, empty.new_run())
    counts = {value.label: value.count for value in empty.facets(None)["folder"]}
    assert counts == {"p/one": 2, "one/deep": 2, "p/two": 1, "p/onerous": 1}


def test_at_most_thirty_values_and_those_the_most_frequent(empty: Catalog) -> None:
    ids = media_ids(80)
    cameras = [f"Camera {n:02}" for n in range(40)]
    empty.put_media([item(i, camera=cameras[n // 2]) for n, i in enumerate(ids)])
    empty.put_media([item(i, camera="Most used") for i in ids[-5:]])
    empty.record_files([file_of(i, f"/p/{n}/a.jpg") for n, i in enumerate(ids)], empty.new_run())
    facets = empty.facets(None)
    assert len(facets["camera"]) == len(facets["folder"]) == 30
    assert facets["camera"][0] == FacetValue("Most used", 'camera="Most used"', 5)


def test_an_empty_catalog_has_every_facet_without_values(empty: Catalog) -> None:
    assert empty.facets(None) == {key: [] for key in KEYS}
    assert empty.months(None) == []


def test_months_go_by_capture_or_else_by_adding(empty: Catalog) -> None:
    ids = media_ids(4)
    times = [datetime(2023, 1, 31, 23, 59, 59), datetime(2024, 1, 1), datetime(2024, 1, 9), None]
    empty.put_media([item(i, taken_at_local=t) for i, t in zip(ids, times, strict=True)])
    empty.record_files([file_of(i) for i in ids], empty.new_run())
    found = [(month.year, month.month, month.count) for month in empty.months(None)]
    assert found == [(2024, 6, 1), (2024, 1, 2), (2023, 1, 1)]
