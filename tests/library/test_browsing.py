"""Looking around in a library: counts, map, thumbnails, searches to come back to, uploads."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.browsing import _plane
from framekeep.errors import (
    FilterError,
    InputError,
    LibraryLockedError,
    MediaError,
    NotFoundError,
    StoreError,
)
from framekeep.library import Library
from framekeep.settings import Settings
from framekeep.testing import HashEncoder
from tests.helpers.pictures import COLOURS, noisy, write_folder, write_picture

UNKNOWN = "f" * 64
SETTINGS = Settings(lock_wait_s=0.2)
ENCODER = HashEncoder(side_px=32)  # decodes the test's photos at their own size


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Library]:
    write_folder(tmp_path / "in", 8)
    with Library.open(tmp_path / "library", ENCODER, settings=SETTINGS) as library:
        list(library.add(tmp_path / "in"))
        yield library


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library", ENCODER, settings=SETTINGS) as library:
        yield library


def ids_of(library: Library) -> list[str]:
    return library.ids_where("bytes>0")


def add(library: Library, path: Path) -> str:
    """Add one file; gives its media id."""
    list(library.add(path))
    return library.media_id(path)


# Counts


def test_hits_come_in_the_order_asked_for_without_those_that_are_gone(filled, tmp_path):
    first = filled.media_id(tmp_path / "in" / "0005.jpg")
    others = [i for i in ids_of(filled)[::-1] if i != first]
    filled.tag(first, add="seen")
    gone = filled.media_id(tmp_path / "in" / "0003.jpg")
    (tmp_path / "in" / "0003.jpg").unlink()
    list(filled.add(tmp_path / "in"))
    asked = [UNKNOWN, first, *others, "no id", first]
    hits = filled.hits(asked)
    assert [hit.media_id for hit in hits] == [i for i in asked[1:] if i not in (gone, "no id")]
    assert {hit.score for hit in hits} == {None}
    assert hits[0].media_id == hits[-1].media_id == first
    assert hits[0].tags == hits[-1].tags == ("seen",)
    assert filled.hits([]) == []


def test_counts_with_and_without_a_filter(filled):
    assert filled.count() == filled.count("") == filled.count("format:jpeg") == 8
    assert filled.count("format:png") == 0
    assert filled.file_counts() == {"indexed": 8}
    with pytest.raises(FilterError):
        filled.count("format:")


def test_facets_and_time_line_follow_the_filter(filled, tmp_path):
    add(filled, write_picture(tmp_path / "more" / "new.png", seed=99))
    formats = filled.facets()["format"]
    assert [(v.label, v.where, v.count) for v in formats] == [
        ("jpeg", "format=jpeg", 8),
        ("png", "format=png", 1),
    ]
    folders = filled.facets("format:png")["folder"]
    assert [(v.label.split("/")[-1], v.count) for v in folders] == [("more", 1)]
    assert [month.count for month in filled.timeline()] == [9]
    assert filled.timeline("format:gif") == []


def test_an_empty_library_has_nothing_to_show_and_no_error(empty):
    assert empty.count() == 0
    assert set(map(len, empty.facets().values())) == {0}
    assert empty.timeline() == empty.saved_searches() == empty.recent_searches() == []
    shown = empty.map()
    assert (shown.media_ids, shown.xy.shape, shown.total) == ((), (0, 2), 0)


def test_the_generation_tells_of_each_change(filled, tmp_path):
    seen = [filled.generation()]

    def changed() -> bool:
        seen.append(filled.generation())
        return seen[-1] > seen[-2]

    copy = shutil.copy(tmp_path / "in" / "0001.jpg", tmp_path / "in" / "copy.jpg")
    list(filled.add(tmp_path / "in"))
    assert changed()
    Path(copy).unlink()
    list(filled.add(tmp_path / "in"))
    assert changed()
    filled.tag(ids_of(filled)[0], add="x")
    assert changed()
    filled.tag(ids_of(filled)[0], remove="x")
    assert changed()
    (tmp_path / "in" / "0001.jpg").unlink()
    list(filled.add(tmp_path / "in"))
    assert changed()
    list(filled.add(tmp_path / "in"))
    filled.search("red")
    filled.facets()
    assert not changed()


# Beside a writer


def test_browsing_tagging_and_searches_go_on_while_another_adds(filled, tmp_path):
    write_folder(tmp_path / "more", 40, start=100)

    def beside() -> None:
        with pytest.raises(LibraryLockedError):
            list(filled.add(tmp_path / "more"))
        one = ids_of(filled)[0]
        assert filled.tag(one, add="meanwhile") == 1
        filled.remember_search("q=dog")
        filled.save_search("dog", "q=dog")
        filled.note_upload("/uploads/x.jpg", "x.jpg")
        assert filled.count("tag:meanwhile") == 1
        assert len(filled.hits([one])) == len(filled.facets()["tag"]) == 1
        assert filled.thumbnail(one, "preview").exists()

    with Library.open(filled.path, ENCODER, settings=SETTINGS) as writer:
        events = writer.add(tmp_path / "more")
        next(events)
        # The lock lets the same thread in again: another one stands for another process.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(beside).result()
        list(events)
    assert filled.count() == 48
    assert filled.tags() == {"meanwhile": 1}


def test_many_threads_tag_at_once(filled):
    ids = ids_of(filled)
    threads = [
        threading.Thread(target=filled.tag, args=(ids,), kwargs={"add": f"tag {n}"})
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled.tags() == {f"tag {n}": 8 for n in range(8)}


# The map


def test_the_map_parts_what_differs_most_and_stays_as_it_is():
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(200, 32), scale=0.05).astype(np.float32)
    rows[:120, 3] += 1
    plane = _plane(rows)
    assert plane.shape == (200, 2)
    assert plane.dtype == np.float32
    assert np.abs(plane).max(axis=0) == pytest.approx([1, 1])
    assert plane[:120, 0].min() > plane[120:, 0].max()
    assert abs(np.corrcoef(plane.T)[0, 1]) < 0.01
    order = draw.permutation(200)
    assert np.allclose(_plane(rows[order]), plane[order], atol=1e-4)


def test_an_axis_without_spread_stays_at_zero():
    line = np.outer(np.linspace(-1, 1, 9), np.ones(16)).astype(np.float32)
    assert np.allclose(np.abs(_plane(line)[:, 0]), np.abs(np.linspace(-1, 1, 9)), atol=1e-5)
    assert not _plane(line)[:, 1].any()
    assert not _plane(np.ones((5, 16), np.float32)).any()
    assert _plane(np.ones((1, 16), np.float32)).shape == (1, 2)


def test_the_map_of_a_library(filled):
    whole = filled.map()
    assert sorted(whole.media_ids) == sorted(ids_of(filled))
    assert (whole.xy.shape, whole.method, whole.total) == ((8, 2), "PCA", 8)
    some = filled.map(limit=5)
    assert (len(some.media_ids), some.xy.shape, some.total) == (5, (5, 2), 8)
    again = filled.map(limit=5)
    assert again.media_ids == some.media_ids
    assert np.array_equal(again.xy, some.xy)


# Thumbnails


def test_thumbnails_are_made_while_adding_and_again_when_missing(filled):
    for media_id in ids_of(filled):
        for size in ("small", "large"):
            assert filled.thumbnails().get(media_id, size), size
        assert filled.thumbnails().get(media_id, "preview") is None
    shutil.rmtree(filled.path / "thumbnails")
    for size in ("small", "large", "preview"):
        with Image.open(filled.thumbnail(ids_of(filled)[0], size)) as image:
            assert (image.format, image.size) == ("WEBP", (96, 64))
    before = filled.thumbnail(ids_of(filled)[0]).stat().st_ino
    assert filled.thumbnail(ids_of(filled)[0]).stat().st_ino == before


def test_a_large_photo_in_all_sizes_upright(empty, tmp_path):
    path = tmp_path / "turned.jpg"
    picture = noisy(COLOURS["blue"], (3000, 2000))
    picture.paste((250, 0, 0), (0, 0, 3000, 500))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(path, exif=exif)
    media_id = add(empty, path)
    for size, longest in (("small", 320), ("large", 640), ("preview", 2048)):
        with Image.open(empty.thumbnail(media_id, size)) as image:
            assert image.height == longest
            assert abs(image.width - longest * 2 / 3) <= 1
            right = image.getpixel((image.width - 5, image.height // 2))
        assert right[0] > 200 > 60 > right[2], "the photo's top is on the right"


def test_adding_goes_on_where_thumbnails_cannot_be_written(empty, tmp_path):
    (empty.path / "thumbnails").touch()
    events = list(empty.add(*write_folder(tmp_path / "in", 3)))
    assert events[-1].counts.indexed == 3
    with pytest.raises(StoreError, match="make room"):
        empty.thumbnail(ids_of(empty)[0])


@pytest.mark.parametrize("media_id", [UNKNOWN, "", "x", "../../../catalog", f"../{'a' * 61}"])
def test_unknown_media_have_neither_thumbnail_nor_original(filled, media_id):
    outside = filled.path / "thumbnails" / "small" / media_id[:2] / f"{media_id}.webp"
    if ".." in media_id:
        outside.parent.mkdir(parents=True, exist_ok=True)
        Path(os.path.normpath(outside)).parent.mkdir(parents=True, exist_ok=True)
        Path(os.path.normpath(outside)).write_bytes(b"private")
    with pytest.raises(NotFoundError):
        filled.thumbnail(media_id)
    with pytest.raises(NotFoundError):
        filled.original(media_id)


def test_a_size_that_does_not_exist_is_told(filled):
    with pytest.raises(InputError, match="small, large, preview"):
        filled.thumbnail(ids_of(filled)[0], "huge")


def test_a_photo_that_is_gone_is_told_but_its_copy_serves(filled, tmp_path):
    path = tmp_path / "in" / "0002.jpg"
    media_id = filled.media_id(path)
    copy = Path(shutil.copy(path, tmp_path / "in" / "zz.jpg"))
    list(filled.add(tmp_path / "in"))
    shutil.rmtree(filled.path / "thumbnails")
    path.unlink()
    assert filled.original(media_id) == copy
    assert filled.thumbnail(media_id, "small").exists()
    copy.unlink()
    with pytest.raises(MediaError, match="cannot be read"):
        filled.thumbnail(media_id, "large")
    with pytest.raises(NotFoundError):
        filled.original(media_id)


def test_a_thumbnail_never_shows_another_content(filled, tmp_path):
    path = tmp_path / "in" / "0002.jpg"
    media_id = filled.media_id(path)
    shutil.rmtree(filled.path / "thumbnails")
    write_picture(path, "yellow", seed=500)
    with pytest.raises(MediaError, match="has changed"):
        filled.thumbnail(media_id)
    assert not list((filled.path / "thumbnails").rglob("*.webp"))
    copy = write_picture(tmp_path / "in" / "0003.jpg", "yellow", seed=3)
    os.utime(copy, (1, 1))  # only its time has changed
    assert filled.thumbnail(filled.media_id(copy)).exists()


def test_clear_takes_the_thumbnails_and_leaves_the_photos(filled, tmp_path):
    filled.clear()
    assert not (filled.path / "thumbnails").exists()
    assert len(list((tmp_path / "in").iterdir())) == 8


def test_status_adds_up_while_files_come_and_go(filled):
    stop = threading.Event()

    def churn() -> None:
        part = filled.path / "thumbnails" / "x.part"
        while not stop.is_set():
            part.write_bytes(b"x" * 100)
            part.unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        sizes = [filled.status().bytes_on_disk for _ in range(200)]
    finally:
        stop.set()
        thread.join()
    assert min(sizes) > 10_000


def test_a_picture_is_checked_by_reading_it(empty, tmp_path):
    path = write_picture(tmp_path / "good.png")
    assert empty.check_picture(path).shape == (64, 96, 3)
    whole = path.read_bytes()
    for name, content in (("cut.png", whole[: len(whole) // 2]), ("text.jpg", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=r"\w+"):
            empty.check_picture(tmp_path / name)
    with pytest.raises(MediaError, match="cannot be read"):
        empty.check_picture(tmp_path / "none.jpg")


# Searches and uploads


def test_former_searches_come_last_used_first_each_once(empty):
    for query in ("q=a", "q=b", "q=a", "q=c"):
        empty.remember_search(query)
    found = empty.recent_searches()
    assert [search.query for search in found] == ["q=c", "q=a", "q=b"]
    assert {search.name for search in found} == {None}
    assert [search.query for search in empty.recent_searches(limit=1)] == ["q=c"]
    for n in range(220):
        empty.remember_search(f"q={n}")
    kept = [search.query for search in empty.recent_searches(limit=1000)]
    assert kept == [f"q={n}" for n in range(219, 19, -1)]


def test_saved_searches_stay_until_they_are_forgotten(empty):
    empty.remember_search("q=dog")
    empty.save_search("  Dogs ", "q=dog")
    empty.save_search("Cats", "q=cat")
    empty.save_search("Dogs", "q=dog&where=tag:best")
    for n in range(210):
        empty.remember_search(f"q={n}")
    found = empty.saved_searches()
    assert [(s.name, s.query) for s in found] == [
        ("Dogs", "q=dog&where=tag:best"),
        ("Cats", "q=cat"),
    ]
    empty.forget_history()
    assert empty.recent_searches() == []
    assert len(empty.saved_searches()) == 2
    empty.forget_search(found[0].search_id)
    empty.forget_search(found[0].search_id)
    assert [search.name for search in empty.saved_searches()] == ["Cats"]


@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_a_search_is_saved_under_a_name(empty, name):
    with pytest.raises(InputError, match="name"):
        empty.save_search(name, "q=dog")


def test_a_search_that_is_too_long_is_not_kept(empty):
    empty.remember_search("x" * 4000)
    for keep in (empty.remember_search, lambda query: empty.save_search("a", query)):
        with pytest.raises(InputError, match="4,000"):
            keep("x" * 4001)
    assert len(empty.recent_searches()) == 1
    assert empty.saved_searches() == []


def test_uploads_keep_the_name_they_had(empty, tmp_path):
    odd = '../<b>"x"</b>\udce9\n.jpg'
    empty.note_upload(tmp_path / "one.jpg", "first.jpg")
    empty.note_upload(str(tmp_path / "one.jpg"), "later.jpg")
    empty.note_upload("/uploads/two.bin", odd)
    asked = [str(tmp_path / "one.jpg"), "/uploads/two.bin", "/other.jpg"]
    assert empty.shown_names(asked) == {asked[0]: "later.jpg", asked[1]: odd}
    assert empty.shown_names([]) == {}
    assert len(empty.shown_names([f"/{n}" for n in range(9000)] + asked)) == 2
