"""Labels, classes, masks and undo as Python and the app use them, on a library of real files."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from framekeep.errors import FilterError, InputError, NotFoundError
from framekeep.geometry import decode_mask, encode_mask
from framekeep.library import Library
from framekeep.object_types import BoolMask, Segment, object_space
from framekeep.testing import GridSegmenter, HashEncoder
from tests.helpers.pictures import write_folder


def square(segment: Segment, x0: int, y0: int, x1: int, y1: int) -> BoolMask:
    width, height = segment.mask.size_wh
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return mask


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Three pictures, cut into objects by a grid."""
    with Library.open(tmp_path / "library", HashEncoder()) as opened:
        list(opened.add(*write_folder(tmp_path / "in", 3)))
        list(opened.segment(segmenter=GridSegmenter()))
        yield opened


@pytest.fixture
def media(library: Library) -> list[str]:
    return library.ids_where("pixels>0")


@pytest.fixture
def first(library: Library, media: list[str]) -> Segment:
    return library.segments(media[0])[0]


def vector_of(library: Library, segment_id: str) -> np.ndarray:
    space = object_space(library.info.space, library.crop_settings)
    _, rows = library._catalog.objects.get_vectors(space, [segment_id])
    assert len(rows) == 1
    return rows[0]


def test_targets_are_named_by_id_path_or_hit(library: Library, media: list[str]) -> None:
    segments = library.segments(media[0])
    hits = library.hits(media)
    object_hit = library.object_hits([segments[1].segment_id])[0]
    number = library.label(
        [segments[0].segment_id, media[0], hits[1], str(hits[2].path), hits[2].path, object_hit],
        "dog",
    )
    assert number == 5, "the same photo twice is one"
    (counted,) = library.classes()
    assert (counted.name, counted.segments, counted.media) == ("dog", 2, 3)
    assert library.label(media[0], None) == 1
    assert library.annotations(media[0]) == []
    assert library.annotations(hits[1])[0].value == "dog"
    assert library.annotations(object_hit)[0].target_id == segments[1].segment_id
    assert library.label(segments[:2], None) == library.label(segments[0], "dog") + 1 == 2
    assert library.label([], "dog") == 0


@pytest.mark.parametrize(
    ("target", "words"),
    [("f" * 32, "no object"), ("f" * 64, "not in this library"), ("/no/such.jpg", "add it first")],
)
def test_targets_that_are_not_there(library: Library, media: list[str], target, words) -> None:
    with pytest.raises(NotFoundError, match=words):
        library.label([media[0], target], "dog")
    assert library.changes() == []
    with pytest.raises(InputError, match="Only objects"):
        library.accept(media[0])


def test_the_user_of_the_machine_or_a_named_author(library: Library, first: Segment) -> None:
    library.label(first.segment_id, "dog")
    assert library.annotations(first.segment_id)[0].author == getpass.getuser()
    library.label(first.segment_id, "cat", author="Ada Lovelace")
    assert library.changes()[0].author == "Ada Lovelace"
    assert library.undo(getpass.getuser() + " no") is None
    with pytest.raises(InputError, match="author's name"):
        library.label(first.segment_id, "dog", author=" ")


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "visible"), (" \t ", "visible"), ("x" * 101, "100"), ("a\x00b", "control"),
     ("a\u202eb", "control"), ("\udcff", "control"), (7, "is a text")],
)  # fmt: skip
def test_names_that_cannot_be_labels(library: Library, first: Segment, name, words) -> None:
    for call in (
        lambda: library.label(first.segment_id, name),
        lambda: library.add_class(name),
        lambda: library.merge_classes("x", name),
        lambda: library.set_attribute(first.segment_id, name, "v"),
        lambda: library.draw(first.media_id, first.mask, name),
    ):
        with pytest.raises(InputError, match=words):
            call()
    assert library.changes() == []


def test_labels_are_kept_in_one_form(library: Library, first: Segment) -> None:
    library.label(first.segment_id, "  hot   do\u0308g, große ")
    assert library.segments_by_id([first.segment_id])[0].label == "hot dög, große"
    library.label(first.media_id, "HOT DÖG, GROSSE")
    assert [(each.segments, each.media) for each in library.classes()] == [(1, 1)]


def test_notes_keep_their_lines(library: Library, first: Segment) -> None:
    library.set_note([first.segment_id, first.media_id], " one\r\n\ttwo ")
    assert library.segments_by_id([first.segment_id])[0].note == "one\n\ttwo"
    for text, words in (("x" * 10_001, "10,000"), ("a\x07", "control"), (None, "is a text")):
        with pytest.raises(InputError, match=words):
            library.set_note(first.segment_id, text)
    library.set_attribute(first.segment_id, "pose", "left")
    library.set_attribute(first.segment_id, "pose", None)
    library.set_note(first.segment_id, "")
    assert [each.kind for each in library.annotations(first.segment_id)] == ["label"]
    assert library.annotations(first.segment_id)[0].source == "model"


def test_a_drawn_object_is_a_persons_and_is_found_at_once(library: Library, first: Segment) -> None:
    mask = square(first, 2, 3, 20, 21)
    drawn = library.draw(first.media_id, mask, "dog", author="ada")
    assert np.array_equal(decode_mask(drawn.mask), mask)
    assert (drawn.bbox_xyxy, drawn.area_px) == ((2, 3, 20, 21), 18 * 18)
    assert (drawn.mask_source, drawn.label, drawn.label_source) == ("person", "dog", "person")
    assert drawn.segment_id in {each.segment_id for each in library.segments(first.media_id)}
    assert vector_of(library, drawn.segment_id).size
    hits = library.search("anything", of="objects", limit=1000)
    assert drawn.segment_id in {hit.segment.segment_id for hit in hits}
    by_sam = library.draw(first.media_id, encode_mask(mask), segmenter_id="sam@1", score=0.75)
    assert (by_sam.segmenter_id, by_sam.score, by_sam.mask_source) == ("sam@1", 0.75, "person")


def test_a_corrected_mask_gets_a_new_vector_and_undo_the_old_one(
    library: Library, first: Segment
) -> None:
    before = vector_of(library, first.segment_id)
    now = library.correct(first.segment_id, square(first, 0, 0, 9, 30), author="ada")
    assert (now.version, now.mask_source, now.bbox_xyxy) == (2, "person", (0, 0, 9, 30))
    after = vector_of(library, first.segment_id)
    assert not np.array_equal(before, after)
    again = library.correct(first.segment_id, now.mask)
    assert again == now
    assert len(library.changes()) == 1
    assert library.undo().what == "Corrected a mask"
    assert library.segments_by_id([first.segment_id]) == [first]
    np.testing.assert_array_equal(vector_of(library, first.segment_id), before)


def test_masks_that_cannot_be(library: Library, first: Segment) -> None:
    width, height = first.mask.size_wh
    empty, turned = np.zeros((height, width), bool), np.ones((width, height), bool)
    for mask, words in (
        (empty, "empty"), (encode_mask(empty), "empty"), (turned[:, :-1], "whole picture"),
        (np.ones((height, width), np.uint8), "bool"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            library.draw(first.media_id, mask)
        with pytest.raises(InputError, match=words):
            library.correct(first.segment_id, mask)
    with pytest.raises(NotFoundError, match="no object"):
        library.correct("f" * 32, first.mask)
    assert library.changes() == []


def test_judging(library: Library, media: list[str]) -> None:
    ids = [each.segment_id for each in library.segments(media[0])]
    assert library.reject(ids[:2]) == 2
    assert len(library.segments(media[0])) == len(ids) - 2
    assert len(library.segments(media[0], rejected=True)) == len(ids)
    hits = library.search("anything", of="objects", limit=1000)
    assert not {hit.segment.segment_id for hit in hits} & set(ids[:2])
    assert sorted(library.object_ids("state:rejected")) == sorted(ids[:2])
    library.reopen(ids[:1])
    library.accept(ids[0])
    assert library.segments_by_id(ids[:1])[0].state == "accepted"
    library.undo()
    assert library.segments_by_id(ids[:1])[0].state == "open"


def test_objects_are_tagged(library: Library, media: list[str], first: Segment) -> None:
    library.tag(media[1], "Sharp")
    library.tag_segments(first.segment_id, ["sharp", "best"])
    assert library.segments_by_id([first.segment_id])[0].tags == ("Sharp", "best"), "as it is known"
    library.tag_segments([first.segment_id], (), "SHARP")
    assert library.segments_by_id([first.segment_id])[0].tags == ("best",)
    assert library.object_ids("otag:best") == [first.segment_id]
    with pytest.raises(InputError, match="comma"):
        library.tag_segments(first.segment_id, "a,b")


def test_classes(library: Library, media: list[str]) -> None:
    made = library.add_class("dog", "#AABBCC")
    assert made.colour == "#aabbcc"
    library.label(media, "puppy")
    library.colour_class("puppy", "#010203")
    library.merge_classes("puppy", "dog")
    library.rename_class("dog", "Dog!")
    (only,) = library.classes()
    assert (only.name, only.colour, only.media) == ("Dog!", "#aabbcc", 3)
    for colour in ("red", "#12345", "#1234567", "aabbcc"):
        with pytest.raises(InputError, match="#rrggbb"):
            library.colour_class("dog!", colour)
    with pytest.raises(InputError, match="3 objects and photos"):
        library.drop_class("dog!")
    for _ in library.changes():
        library.undo()
    assert library.classes() == []


def test_review_and_the_next_photo(library: Library, media: list[str]) -> None:
    every = library.review(1000)
    assert len(every) == library.object_counts()["segments"]
    assert library.review(2, 1) == every[1:3]
    assert library.review(1000, where="label:none") == []
    library.accept(every[0].segment_id)
    assert library.review(1000) == every[1:]
    with pytest.raises(FilterError):
        library.review(where="state:none")
    assert library.next_unlabelled() == media[0]
    assert library.next_unlabelled(media[0]) == media[1]
    assert library.next_unlabelled(media[2]) == media[0]
    library.label([each.segment_id for each in library.segments(media[1])], "dog")
    assert library.next_unlabelled(media[0]) == media[2]
    assert library.next_unlabelled(None, "label:dog") is None


def test_every_edit_is_heard_of(library: Library, first: Segment) -> None:
    heard = [library.generation()]
    for call in (
        lambda: library.label(first.segment_id, "dog"),
        lambda: library.accept(first.segment_id),
        lambda: library.set_note(first.media_id, "x"),
        lambda: library.tag_segments(first.segment_id, "x"),
        lambda: library.add_class("cat"),
        lambda: library.correct(first.segment_id, square(first, 0, 0, 9, 9)),
        lambda: library.undo(),
    ):
        call()
        heard.append(library.generation())
    assert heard == sorted(set(heard))


def test_what_is_said_of_a_photo_stays_when_its_file_changes(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        path = write_folder(tmp_path / "in", 1)[0]
        list(library.add(path))
        (former,) = library.ids_where("pixels>0")
        library.label(former, "beach", author="ada")
        library.set_note(former, "by the sea")
        list(library.segment(segmenter=GridSegmenter()))
        library.label(library.segments(former)[0].segment_id, "dog")
        path.write_bytes(write_folder(tmp_path / "other", 2)[1].read_bytes())
        list(library.add(path))
        (now,) = library.ids_where("pixels>0")
        assert now != former
        assert [(each.value, each.author) for each in library.annotations(now)][:1] == [
            ("beach", "ada")
        ]
        assert len(library.annotations(now)) == 2
        assert library.segments(now) == []
        with pytest.raises(NotFoundError):
            library.annotations(former)
        assert library.object_counts()["segments"] == 0
