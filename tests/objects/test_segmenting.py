"""Segmenting real files into a real catalog: events, failures, order, what is made up for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep import segmenting
from framekeep.cropping import crop_object
from framekeep.errors import IndexUnavailableError
from framekeep.geometry import decode_mask, encode_mask, proposal
from framekeep.library import Library
from framekeep.object_types import CropSettings, Mask, SegmenterInfo
from framekeep.segmenters.base import BaseSegmenter
from framekeep.testing import GridSegmenter, HashEncoder
from framekeep.types import EncoderInfo
from tests.helpers.library import memory_library
from tests.helpers.pictures import write_folder, write_picture


class Fussy(GridSegmenter):
    """Cuts a grid, and cannot do with pictures that are all too red."""

    def __init__(self, error: type[Exception] = RuntimeError) -> None:
        super().__init__()
        self.error = error
        self.seen: list[tuple[int, ...]] = []

    def _segment(self, image):
        self.seen.append(image.shape)
        if image[..., 0].mean() > image[..., 1].mean() + 80 and self.error is not None:
            raise self.error("the tensor is out of sorts\nsecond line")
        return super()._segment(image)


@pytest.fixture
def library(tmp_path):
    write_folder(tmp_path / "in", 8)
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "in"))
        yield library


def ids_of(library: Library) -> list[str]:
    return [hit.media_id for hit in library.search(where="bytes>0", limit=100)]


def objects_of(library: Library) -> dict[str, list[str]]:
    return {i: [s.segment_id for s in library.segments(i)] for i in ids_of(library)}


def expected_vector(library: Library, segment_id: str) -> np.ndarray:
    """The vector of an object, the plain way."""
    (segment,) = library.segments_by_id([segment_id])
    with Image.open(library.original(segment.media_id)) as image:
        rgb = np.asarray(image.convert("RGB"))
    crop = crop_object(rgb, decode_mask(segment.mask), library.crop_settings)
    return library.encoder.encode_images([crop])[0]


def stored_vectors(library: Library) -> dict[str, np.ndarray]:
    space = library._object_space
    pages = list(library._catalog.objects.vector_pages(space))
    return {i: row for ids, rows in pages for i, row in zip(ids, rows, strict=True)}


def index_ids(library: Library) -> set[str]:
    return {i for page in library._vectors.ids(library._object_space) for i in page}


def assert_whole(library: Library) -> None:
    """Every live object has the vector that it should have, in the catalog and in the index."""
    objects = {i for ids in objects_of(library).values() for i in ids}
    vectors = stored_vectors(library)
    assert set(vectors) == objects == index_ids(library)
    for segment_id in sorted(objects)[:6]:
        assert np.allclose(vectors[segment_id], expected_vector(library, segment_id), atol=1e-5)
    assert library.repair().clean


def test_every_medium_gets_objects_with_vectors(library):
    events = list(library.segment(segmenter=GridSegmenter()))
    assert [event.kind for event in events] == ["scanning", *["indexed"] * 8, "done"]
    counts = events[-1].counts
    assert (counts.found, counts.indexed, counts.unchanged, counts.failed) == (8, 8, 0, 0)
    assert {event.path for event in events[1:-1]} == {
        str(hit.path) for hit in library.search(where="bytes>0", limit=100)
    }
    assert all(len(ids) == 4 for ids in objects_of(library).values())
    assert library.object_counts()["segments"] == library.status().objects == 32
    assert_whole(library)


def test_a_second_run_reads_nothing(library, tmp_path):
    list(library.segment(segmenter=GridSegmenter()))
    before, generation = objects_of(library), library.generation()
    fussy = Fussy()
    events = list(library.segment(segmenter=fussy))
    assert fussy.seen == []
    assert [event.kind for event in events] == ["scanning", "done"]
    assert (events[-1].counts.found, events[-1].counts.unchanged) == (8, 8)
    assert objects_of(library) == before
    assert library.generation() == generation
    write_picture(tmp_path / "in" / "more.jpg", seed=77)
    list(library.add(tmp_path / "in"))
    counts = list(library.segment(segmenter=GridSegmenter()))[-1].counts
    assert (counts.indexed, counts.unchanged, counts.found) == (1, 8, 9)


def test_where_chooses_the_media(library):
    (wanted, *_) = ids_of(library)
    name = library.original(wanted).name
    counts = list(library.segment(f'name:"{name}"', GridSegmenter()))[-1].counts
    assert (counts.found, counts.indexed) == (1, 1)
    assert [i for i, ids in objects_of(library).items() if ids] == [wanted]


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ValueError, KeyError])
def test_a_bad_picture_is_a_recorded_failure_and_stops_nothing(library, error):
    events = list(library.segment(segmenter=Fussy(error)))
    failed = [event for event in events if event.kind == "failed"]
    assert len(failed) == 2  # every fourth picture is red
    assert events[-1].counts.indexed == 6
    assert all(event.reason and "\n" not in event.reason for event in failed)
    problems = library.segment_problems()
    assert {problem.path for problem in problems} == {event.path for event in failed}
    # They are not tried again before somebody asks for it.
    later = Fussy(error)
    assert list(library.segment(segmenter=later))[-1].counts.failed == 0
    assert later.seen == []
    mended = Fussy()
    mended.error = None
    counts = list(library.segment(segmenter=mended, retry=True))[-1].counts
    assert (counts.indexed, len(mended.seen)) == (2, 2)
    assert library.segment_problems() == []
    assert_whole(library)


def test_a_file_that_is_gone_or_changed_is_a_recorded_failure(library, tmp_path):
    gone, changed, *_ = sorted((tmp_path / "in").iterdir())
    gone.unlink()
    write_picture(changed, "blue", seed=991)
    counts = list(library.segment(segmenter=GridSegmenter()))[-1].counts
    assert (counts.indexed, counts.failed) == (6, 2)
    reasons = {Path(p.path).name: p.reason for p in library.segment_problems()}
    assert "changed" in reasons[changed.name]
    assert "No such file" in reasons[gone.name] or "no such file" in reasons[gone.name]


def test_a_copy_is_read_where_the_first_file_is_gone(library, tmp_path):
    first = min((tmp_path / "in").iterdir())
    shutil.copy(first, tmp_path / "in" / "zz-copy.jpg")
    list(library.add(tmp_path / "in"))
    first.unlink()
    assert list(library.segment(segmenter=GridSegmenter()))[-1].counts.failed == 0


class Slip(GridSegmenter):
    """Gives a mask of another size, as a careless backend might."""

    def _segment(self, image):
        return [proposal(np.ones((3, 3), bool), 0.9)]


def test_masks_of_another_size_are_refused_for_that_picture(library):
    counts = list(library.segment(segmenter=Slip()))[-1].counts
    assert (counts.indexed, counts.failed) == (0, 8)
    assert "mask" in library.segment_problems()[0].reason


class Nothing(BaseSegmenter):
    """Finds no object anywhere."""

    def __init__(self) -> None:
        super().__init__(SegmenterInfo("nothing", "nothing@0/1"))

    def _segment(self, image):
        return []

    def _prompt(self, image, prompt, key):
        return []


def test_a_picture_without_objects_is_done(library):
    assert list(library.segment(segmenter=Nothing()))[-1].counts.indexed == 8
    assert list(library.segment(segmenter=Nothing()))[-1].counts.unchanged == 8
    assert library.status().objects == 0
    assert library.search("red", of="objects") == []


def test_again_replaces_what_nobody_has_touched(library):
    list(library.segment(segmenter=GridSegmenter()))
    before = objects_of(library)
    list(library.segment(segmenter=GridSegmenter(), again=True))
    assert objects_of(library) == before
    assert_whole(library)
    counts = list(library.segment(segmenter=GridSegmenter(3, 1), again=True))[-1].counts
    assert counts.indexed == 8
    after = objects_of(library)
    assert all(len(ids) == 3 for ids in after.values())
    assert not {i for ids in before.values() for i in ids} & {
        i for ids in after.values() for i in ids
    }
    assert_whole(library)


def test_objects_without_vectors_are_made_up_for(library):
    list(library.segment(segmenter=GridSegmenter()))
    space = library._object_space
    lost = [ids[0] for ids in objects_of(library).values()][:3]
    catalog = library._catalog
    (first, *_) = lost
    catalog.objects.mark_unindexed(space, [first])
    library._vectors.delete(space, [first])
    with catalog._db.write() as connection:
        from framekeep.store.tables import segment_vectors as table

        connection.execute(table.delete().where(table.c.segment_id.in_(lost[1:])))
    events = list(library.segment(segmenter=Fussy()))
    assert [event.kind for event in events] == ["scanning", "indexed", "indexed", "done"]
    assert_whole(library)


def test_what_is_cancelled_in_the_middle_is_kept_whole(library):
    events = library.segment(segmenter=GridSegmenter())
    for event in events:
        if event.counts.indexed == 3:
            break
    events.close()
    vectors = stored_vectors(library)
    objects = {i for ids in objects_of(library).values() for i in ids}
    assert set(vectors) == objects == index_ids(library)
    assert len(objects) >= 12
    list(library.segment(segmenter=GridSegmenter()))
    assert_whole(library)


def test_media_that_are_gone_take_their_objects_out_of_search(library, tmp_path):
    list(library.segment(segmenter=GridSegmenter()))
    gone = min((tmp_path / "in").iterdir())
    media_id = library.media_id(gone)
    lost = set(objects_of(library)[media_id])
    gone.unlink()
    list(library.add(tmp_path / "in"))
    assert not lost & index_ids(library)
    assert library.status().objects == 28
    assert len(library.search("red", of="objects", limit=100)) == 28
    write_folder(tmp_path / "in", 1)  # the same content comes back, and with it its objects
    list(library.add(tmp_path / "in"))
    list(library.segment(segmenter=GridSegmenter()))
    assert lost <= index_ids(library)
    assert_whole(library)


def test_a_replaced_file_takes_its_objects_with_it(library, tmp_path):
    list(library.segment(segmenter=GridSegmenter()))
    file = min((tmp_path / "in").iterdir())
    lost = set(objects_of(library)[library.media_id(file)])
    write_picture(file, "blue", seed=4711)
    list(library.add(tmp_path / "in"))
    assert not lost & index_ids(library)
    assert library.segments(file) == []
    assert library.repair().clean


def test_pictures_are_read_upright_and_at_full_size(tmp_path):
    rows = np.zeros((1500, 2000, 3), np.uint8)
    rows[:700, :900] = (220, 30, 30)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    (tmp_path / "in").mkdir()
    Image.fromarray(rows).save(tmp_path / "in" / "turned.jpg", exif=exif, quality=95)
    fussy = Fussy()
    fussy.error = None
    with memory_library(tmp_path / "library") as library:
        list(library.add(tmp_path / "in"))
        list(library.segment(segmenter=fussy))
        assert fussy.seen == [(2000, 1500, 3)]
        (media_id,) = ids_of(library)
        assert library.picture(media_id).shape == (2000, 1500, 3)
        assert all(s.mask.size_wh == (1500, 2000) for s in library.segments(media_id))
        crops = {s.bbox_xyxy[:2]: library.crop(s.segment_id) for s in library.segments(media_id)}
        assert crops[750.0, 0.0][200, -200].tolist()[0] > 180  # red lies at the top right
        assert crops[0.0, 0.0][200, 200].max() < 60


def test_a_segmenter_sees_a_smaller_picture_where_it_is_huge(library, monkeypatch):
    monkeypatch.setattr(segmenting, "SEGMENTER_PX", 1000)
    monkeypatch.setattr(segmenting, "LARGE_PX", 1000)
    fussy = Fussy()
    fussy.error = None
    list(library.segment(segmenter=fussy))
    assert max(height * width for height, width, _ in fussy.seen) <= 1000
    for media_id in ids_of(library):
        segments = library.segments(media_id)
        assert len(segments) == 4
        whole = sum(decode_mask(s.mask).astype(int) for s in segments)
        assert whole.shape == (64, 96)
        assert (whole == 1).all()
    assert_whole(library)


def test_crop_settings_are_changed_as_a_whole(library):
    list(library.segment(segmenter=GridSegmenter()))
    former = library._object_space
    plain = CropSettings(mode="none", margin=0.0)
    events = library.use_crop(plain)
    for event in events:
        if event.counts.indexed == 2:
            break
    events.close()
    # Until it is complete the former vectors serve.
    assert library.crop_settings == CropSettings()
    assert len(library.search("red", of="objects", limit=100)) == 32
    events = list(library.use_crop(plain))
    assert events[-1].kind == "done"
    assert library.crop_settings == plain
    assert library._object_space != former
    assert former not in library._vectors.spaces()
    assert former not in library._catalog.objects.spaces()
    assert_whole(library)
    assert list(library.use_crop(plain))[-1].counts.found == 0


class OtherEncoder(HashEncoder):
    """The fake encoder under another name, for a change of encoders."""

    def __init__(self) -> None:
        super().__init__(EncoderInfo("other", "other@000000000000/p1", self.DIM))


def test_another_encoder_takes_the_objects_along(library, monkeypatch):
    list(library.segment(segmenter=GridSegmenter()))
    former = library._object_space
    from framekeep.encoders import registry

    other = OtherEncoder()
    monkeypatch.setattr(registry, "describe", lambda name, settings: other.info)
    monkeypatch.setattr(registry, "load_encoder", lambda name, settings, precision="fp32": other)
    events = list(library.use_encoder("other"))
    counts = events[-1].counts
    assert (counts.found, counts.indexed, counts.failed) == (8, 8, 0)
    assert sum(event.kind == "indexed" for event in events) == 8
    assert former not in library._vectors.spaces()
    assert library.info.id == other.id
    assert_whole(library)
    assert len(library.search("red", of="objects", limit=100)) == 32


def test_a_lost_index_is_rebuilt_with_its_objects(tmp_path):
    write_folder(tmp_path / "in", 4)
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        list(library.add(tmp_path / "in"))
        list(library.segment(segmenter=GridSegmenter()))
        library._vectors.close()
        shutil.rmtree(library.path / "chroma")
        with pytest.raises(IndexUnavailableError):
            library.search("red", of="objects")
        assert library.repair().added == 4 + 16
        library._vectors.close()
        shutil.rmtree(library.path / "chroma")
        assert list(library.segment(segmenter=GridSegmenter()))[-1].kind == "done"
        assert_whole(library)
        library.clear()
    with Library.open(tmp_path / "library", HashEncoder()) as again:
        list(again.add(tmp_path / "in"))
        assert again.status().objects == 0
        assert again._vectors.spaces() == [again.info.space]


def test_an_object_corrected_while_it_is_encoded_keeps_the_new_vector(library, monkeypatch):
    list(library.segment(segmenter=GridSegmenter()))
    media_id = ids_of(library)[0]
    segments = library.segments(media_id)
    mask = np.zeros((64, 96), bool)
    mask[:, :50] = True
    writer = segmenting.ObjectWriter(library._stores())
    writer.add(library.picture(media_id), segments)
    found = proposal(encode_mask(mask), 1.0)
    library._catalog.set_mask(segments[0].segment_id, found, author="me", source="person")
    library._encode_segments([segments[0].segment_id])
    writer.flush()
    assert_whole(library)
    assert isinstance(library.segments(media_id)[0].mask, Mask)


def test_a_correction_is_kept_where_its_vector_cannot_be_made(library):
    list(library.segment(segmenter=GridSegmenter()))
    media_id = ids_of(library)[0]
    segment = library.segments(media_id)[0]
    path = library.original(media_id)
    content = path.read_bytes()
    path.unlink()
    mask = np.zeros((64, 96), bool)
    mask[5:50, 3:80] = True
    assert library.correct(segment.segment_id, mask).area_px == 45 * 77
    found = [hit.segment.segment_id for hit in library.search("red", of="objects", limit=99)]
    assert segment.segment_id not in found  # its former vector is another object's
    assert len(found) == 31
    path.write_bytes(content)
    assert list(library.segment(segmenter=GridSegmenter()))[-1].counts.indexed == 1
    assert_whole(library)


def test_what_was_rejected_is_found_again_once_it_is_reopened(library):
    list(library.segment(segmenter=GridSegmenter()))
    segment = library.segments(ids_of(library)[0])[0]
    library.reject([segment.segment_id])
    list(library.segment(segmenter=GridSegmenter()))
    assert segment.segment_id not in index_ids(library)
    library.reopen([segment.segment_id])
    hits = library.search("red", of="objects", limit=99)
    assert segment.segment_id in [hit.segment.segment_id for hit in hits]
    list(library.segment(segmenter=GridSegmenter()))
    assert_whole(library)
