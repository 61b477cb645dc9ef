"""Searching objects, media and both: order, pages, filters, corrected masks, likeness."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep import search
from framekeep.errors import FilterError, InputError, NotFoundError
from framekeep.geometry import box_mask, proposal
from framekeep.library import Library
from framekeep.object_types import CropSettings
from framekeep.store.lock import WriterLock
from framekeep.testing import GridSegmenter, HashEncoder, MemoryVectorStore
from framekeep.types import Hit, Query
from tests.helpers.library import memory_library
from tests.helpers.pictures import COLOURS

PAIRS = [("red", "blue"), ("green", "red"), ("blue", "yellow"), ("green", "blue"), ("red", "red")]


def write_halves(folder: Path, pairs: list[tuple[str, str]], start: int = 0) -> None:
    """One picture for each pair of colours, left and right."""
    folder.mkdir(exist_ok=True)
    for n, (left, right) in enumerate(pairs, start):
        noise = np.random.default_rng(n).integers(-12, 12, (80, 120, 3))
        rgb = np.zeros((80, 120, 3), int)
        rgb[:, :60], rgb[:, 60:] = COLOURS[left], COLOURS[right]
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
        Image.fromarray(rgb).save(folder / f"{n:03}-{left}-{right}.png")


@pytest.fixture
def library(tmp_path) -> Iterator[Library]:
    """Five pictures of two colours each, cut into left and right."""
    write_halves(tmp_path / "in", PAIRS)
    with memory_library(tmp_path / "library") as library:
        yield filled(library, tmp_path)


def filled(library: Library, tmp_path: Path) -> Library:
    list(library.add(tmp_path / "in"))
    list(library.use_crop(CropSettings(mode="none", margin=0.0)))
    list(library.segment(segmenter=GridSegmenter(2, 1)))
    return library


def colour(hit: Hit) -> str:
    """The colour of the half that a hit is on."""
    assert hit.segment is not None
    _, left, right = hit.path.stem.split("-")
    return left if hit.segment.bbox_xyxy[0] < 60 else right


def test_objects_are_found_by_what_they_show(library):
    hits = library.search("red", of="objects", limit=4)
    assert [colour(hit) for hit in hits] == ["red"] * 4
    assert all(hit.media_id == hit.segment.media_id for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    every = library.search("blue", of="objects", limit=50)
    assert len({hit.segment.segment_id for hit in every}) == len(every) == 10
    assert [colour(hit) for hit in every[:3]] == ["blue"] * 3
    assert all(hit.segment is None for hit in library.search("red"))


def test_scores_are_those_of_comparing_everything(library):
    objects, space = library._catalog.objects, library._object_space
    ((ids, rows),) = list(objects.vector_pages(space))
    scores = rows @ library.encoder.encode_texts(["red"])[0]
    expected = sorted(zip(ids, scores.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    found = [(hit.segment.segment_id, hit.score) for hit in library.search("red", of="objects")]
    assert [i for i, _ in found] == [i for i, _ in expected]
    assert np.allclose([s for _, s in found], [s for _, s in expected], atol=1e-5)


def test_pages_of_objects_join(library, monkeypatch):
    monkeypatch.setattr(search, "PAGE_DEPTH", 3)
    whole = library.search("green", of="objects", limit=10)
    pages = [library.search("green", of="objects", limit=2, offset=n) for n in range(0, 10, 2)]
    assert [hit for page in pages for hit in page] == whole


def test_both_are_merged_by_score_and_pages_join(library, monkeypatch):
    monkeypatch.setattr(search, "PAGE_DEPTH", 3)
    media = library.search("red", limit=50)
    objects = library.search("red", of="objects", limit=50)
    whole = library.search("red", of="both", limit=50)
    assert len(whole) == 15
    assert [hit.score for hit in whole] == sorted((hit.score for hit in whole), reverse=True)
    assert [hit for hit in whole if hit.segment is None] == media
    assert [hit for hit in whole if hit.segment is not None] == objects
    pages = [h for n in range(5) for h in library.search("red", of="both", limit=3, offset=3 * n)]
    assert pages == whole


def test_a_filter_alone_lists_media_before_objects(library):
    media = library.search(where="bytes>0", limit=50)
    objects = library.search(where="bytes>0", of="objects", limit=50)
    assert (len(media), len(objects)) == (5, 10)
    assert all(hit.score is None and hit.segment for hit in objects)
    whole = library.search(where="bytes>0", of="both", limit=50)
    assert whole == media + objects
    pages = [
        hit
        for n in range(5)
        for hit in library.search(where="bytes>0", of="both", limit=4, offset=4 * n)
    ]
    assert pages == whole


def test_filters_hold_for_objects(library):
    one = library.search(where="bytes>0")[0]
    found = library.search("red", where=f'name:"{one.path.name}"', of="objects")
    assert len(found) == 2
    assert {hit.media_id for hit in found} == {one.media_id}
    best = library.search("red", of="objects")[0]
    library.label([best.segment.segment_id], "tomato")
    library.reject([library.search("red", of="objects")[1].segment.segment_id])
    (found,) = library.search("blue", where="label:tomato", of="objects")
    assert found.segment.segment_id == best.segment.segment_id
    assert found.segment.label == "tomato"
    assert [hit.media_id for hit in library.search("red", where="label:tomato")] == [best.media_id]
    assert len(library.search("blue", of="objects", limit=50)) == 9  # the rejected one is no object
    with pytest.raises(FilterError):
        library.search("red", where="labl:tomato", of="objects")


@pytest.mark.parametrize("exact_limit", [2500, 1])
def test_rejected_objects_can_be_asked_for(library, monkeypatch, exact_limit):
    monkeypatch.setattr(search, "EXACT_LIMIT", exact_limit)
    out = [hit.segment.segment_id for hit in library.search("red", of="objects", limit=3)]
    library.reject(out)
    list(library.segment(segmenter=GridSegmenter(2, 1)))  # takes them out of the index
    hits = library.search("red", where="state:rejected", of="objects")
    assert [hit.segment.segment_id for hit in hits] == out
    assert len(library.search("red", of="objects")) == 7


def test_an_object_is_a_term_of_a_query(library):
    first = library.search("yellow", of="objects")[0]
    assert colour(first) == "yellow"
    like = library.search(image=first.segment.segment_id, of="objects", limit=1)[0]
    assert like.segment.segment_id == first.segment.segment_id
    assert like.score == pytest.approx(1, abs=1e-5)
    media = library.search(image=first.segment.segment_id, limit=1)[0]
    assert media.media_id == first.media_id
    mixed = library.search("red", image=(first.segment.segment_id, 0.01), of="objects")
    assert colour(mixed[0]) == "red"
    with pytest.raises(NotFoundError):
        library.search(image="0" * 32)


def test_similar_objects_leave_the_object_out(library):
    first = library.search("blue", of="objects")[0].segment
    hits = library.similar_objects(first.segment_id, 4)
    assert [colour(hit) for hit in hits[:2]] == ["blue", "blue"]
    assert first.segment_id not in {hit.segment.segment_id for hit in hits}
    with pytest.raises(NotFoundError):
        library.similar_objects("f" * 32)


def test_duplicates_among_objects(library):
    groups = library.duplicates("semantic", 0.9, of="objects")
    assert {len(group.media_ids) for group in groups} == {4, 3, 2}
    for group in groups:
        hits = library.object_hits(group.media_ids)
        assert len({colour(hit) for hit in hits}) == 1
        assert list(group.paths) == [hit.path for hit in hits]
    with pytest.raises(InputError, match="meaning"):
        library.duplicates("perceptual", of="objects")
    assert library.duplicates("perceptual", of="media") == library.duplicates("perceptual")


def paint(library: Library, hit: Hit, left_px: int) -> None:
    """Move an object's mask to another part of its picture, as a person does."""
    moved = proposal(box_mask((left_px, 0, left_px + 60, 80), (120, 80)), 1.0)
    library._catalog.set_mask(hit.segment.segment_id, moved, author="me", source="person")


def test_a_corrected_object_is_found_by_its_new_vector_at_once(library):
    """Whether the writer's lock is free or another process holds it all the time."""
    (hit,) = [h for h in library.search("yellow", of="objects") if colour(h) == "yellow"]
    paint(library, hit, 0)  # the picture's blue half
    # Between the two steps the former vector must not count any more.
    assert hit.segment.segment_id not in found_ids(library, "yellow")
    library._encode_segments([hit.segment.segment_id])
    assert library._unindexed_objects() == []
    assert_blue_now(library, hit)


def found_ids(library: Library, text: str) -> list[str]:
    return [hit.segment.segment_id for hit in library.search(text, of="objects", limit=50)]


def assert_blue_now(library: Library, hit: Hit) -> None:
    corrected = hit.segment.segment_id
    assert corrected in found_ids(library, "blue")[:4]
    assert found_ids(library, "yellow").index(corrected) > 0
    assert library.search("yellow", of="objects")[0].score < 0.9
    assert len(found_ids(library, "red")) == 10
    scores = {h.segment.segment_id: h.score for h in library.search("blue", of="objects")}
    _, rows = library._catalog.objects.get_vectors(library._object_space, [corrected])
    query = library.encoder.encode_texts(["blue"])[0]
    assert scores[corrected] == pytest.approx(float(rows[0] @ query), abs=1e-5)


def test_while_another_writes_a_corrected_object_is_scored_exactly(library):
    (hit,) = [h for h in library.search("yellow", of="objects") if colour(h) == "yellow"]
    held, done = threading.Event(), threading.Event()

    def write() -> None:
        with WriterLock(library.path).hold("framekeep add", 1):
            held.set()
            done.wait(60)

    other = threading.Thread(target=write)
    other.start()
    assert held.wait(10)
    try:
        paint(library, hit, 0)
        library._encode_segments([hit.segment.segment_id])
        assert library._unindexed_objects() == [hit.segment.segment_id]
        assert_blue_now(library, hit)
        where = library.search("blue", where="bytes>0", of="objects", limit=50)
        assert [h.segment.segment_id for h in where] == found_ids(library, "blue")
    finally:
        done.set()
        other.join()
    list(library.segment(segmenter=GridSegmenter(2, 1)))
    assert library._unindexed_objects() == []
    assert_blue_now(library, hit)


def test_the_real_index_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "EXACT_LIMIT", 3)
    write_halves(tmp_path / "in", PAIRS)
    found = []
    for opened in (
        memory_library(tmp_path / "memory"),
        Library.open(tmp_path / "chroma", HashEncoder()),
    ):
        with opened as library:
            filled(library, tmp_path)
            hits = [
                *library.search("red", of="objects"),
                *library.search("red", of="both"),
                *library.search("red", where="bytes>0", of="objects"),
            ]
        boxes = [hit.segment and hit.segment.bbox_xyxy for hit in hits]
        found.append([(h.path, box, round(h.score, 4)) for h, box in zip(hits, boxes, strict=True)])
    assert len(found[0]) == 35
    assert found[0] == found[1]


def test_a_query_is_of_media_objects_or_both(library):
    with pytest.raises(InputError, match="both"):
        Query(of="things")
    assert library.query(Query(where="bytes>0", of="objects", limit=3)) == library.search(
        where="bytes>0", of="objects", limit=3
    )


def test_pictures_and_crops(library):
    hit = library.search("yellow", of="objects")[0]
    crop = library.crop(hit.segment.segment_id)
    assert crop.shape == (80, 60, 3)
    assert np.abs(crop.reshape(-1, 3).mean(axis=0) - COLOURS["yellow"]).max() < 6
    wide = library.crop(hit.segment.segment_id, CropSettings(mode="mean", margin=0.25))
    assert wide.shape == (80, 80, 3)
    picture = library.picture(hit)
    assert picture.shape == (80, 120, 3)
    assert library.picture(hit.media_id) is picture  # kept for the next prompt
    with pytest.raises(ValueError, match="read-only"):
        picture[0] = 0
    with pytest.raises(NotFoundError):
        library.crop("0" * 32)


def test_pictures_are_kept_up_to_a_number_of_pixels(library, monkeypatch):
    from framekeep import objects

    monkeypatch.setattr(objects, "KEPT_PX", 2 * 120 * 80)
    ids = [hit.media_id for hit in library.search(where="bytes>0")]
    pictures = [library.picture(media_id) for media_id in ids]
    assert len(library._kept.pictures) == 2
    assert library.picture(ids[-1]) is pictures[-1]
    assert library.picture(ids[0]) is not pictures[0]


def test_prompts_are_answered_on_the_whole_picture(library):
    from framekeep.object_types import Prompt

    hit = library.search("yellow", of="objects")[0]
    (found, *_) = library.prompt(hit.media_id, Prompt(((100.0, 40.0),), (1,)), GridSegmenter(2, 1))
    assert found.bbox_xyxy == (60, 0, 120, 80)
    assert found.mask.size_wh == (120, 80)


def test_a_store_of_another_kind_is_searched_alike(tmp_path):
    """Objects and media lie in spaces of their own."""
    write_halves(tmp_path / "in", PAIRS)
    store = MemoryVectorStore()
    with memory_library(tmp_path / "library", store) as library:
        filled(library, tmp_path)
        assert store.spaces() == sorted([library.info.space, library._object_space])
        assert store.count(library.info.space) == 5
        assert store.count(library._object_space) == 10
