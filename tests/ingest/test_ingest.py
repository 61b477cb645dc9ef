"""Adding real files to a real catalog and a real index."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from framekeep.errors import EncoderError, InputError
from framekeep.library import Library
from framekeep.settings import Settings
from framekeep.testing import HashEncoder
from framekeep.types import IngestEvent
from tests.helpers.encoders import CountingEncoder
from tests.helpers.pictures import write_folder, write_picture


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def library(tmp_path: Path, encoder: CountingEncoder):
    with Library.open(tmp_path / "library", encoder) as library:
        yield library


def kinds(events) -> Counter[str]:
    return Counter(event.kind for event in events)


def reasons(library: Library) -> dict[str, str]:
    return {Path(p.path).name: p.reason for p in library.problems()}


def test_first_run_indexes_and_second_reads_nothing(library, encoder, tmp_path):
    write_folder(tmp_path / "in", 40)
    events = list(library.add(tmp_path / "in"))
    assert kinds(events)["indexed"] == 40
    assert events[-1].kind == "done"
    assert events[-1].counts.found == events[-1].counts.done == 40
    assert encoder.encoded == 40
    assert kinds(library.add(tmp_path / "in"))["unchanged"] == 40
    assert encoder.encoded == 40
    assert library.status().index_count == library.status().media == 40


def test_unchanged_files_are_not_opened(library, tmp_path, monkeypatch):
    write_folder(tmp_path / "in", 3)
    list(library.add(tmp_path / "in"))

    def refuse(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("framekeep.ingest.content_id", refuse)
    assert kinds(library.add(tmp_path / "in"))["unchanged"] == 3


def test_moved_renamed_and_copied_files_cost_no_encoding(library, encoder, tmp_path):
    first, second, _ = write_folder(tmp_path / "in", 3)
    list(library.add(tmp_path / "in"))
    library.tag(first, add="keep")
    media_id = library.media_id(first)
    (tmp_path / "in" / "sub").mkdir()
    moved = first.rename(tmp_path / "in" / "sub" / "renamed.jpg")
    shutil.copy(second, tmp_path / "in" / "copy.jpg")
    assert kinds(library.add(tmp_path / "in"))["linked"] == 2
    assert encoder.encoded == 3
    assert library.media_id(moved) == media_id
    (hit,) = library.search(where="tag:keep")
    assert hit.path == moved
    assert library.problems() == []


def test_copies_within_one_batch_are_encoded_once(library, encoder, tmp_path):
    picture = write_picture(tmp_path / "in" / "a.jpg")
    for name in ("b.jpg", "c.jpg", "d.jpg"):
        shutil.copy(picture, tmp_path / "in" / name)
    list(library.add(tmp_path / "in"))
    assert encoder.encoded == 1
    assert library.status().media == 1
    assert library.status().files["indexed"] == 4


def test_identical_broken_files_each_get_their_reason(library, tmp_path):
    broken = tmp_path / "in" / "a.jpg"
    broken.parent.mkdir()
    whole = write_picture(tmp_path / "whole.jpg").read_bytes()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / "in" / name).write_bytes(whole[: len(whole) // 2])
    assert kinds(library.add(tmp_path / "in"))["failed"] == 3
    assert set(reasons(library)) == {"a.jpg", "b.jpg", "c.jpg"}
    assert all(reasons(library).values())


def test_changed_file_replaces_its_vector_and_keeps_its_tags(library, tmp_path):
    path = write_picture(tmp_path / "in" / "a.jpg", "red")
    list(library.add(tmp_path / "in"))
    library.tag(path, add="mine")
    before = library.media_id(path)
    write_picture(path, "blue", seed=7)
    os.utime(path, ns=(1, 1))
    list(library.add(tmp_path / "in"))
    after = library.media_id(path)
    assert after != before
    status = library.status()
    assert (status.media, status.index_count) == (1, 1)
    assert [hit.media_id for hit in library.search(where="tag:mine")] == [after]


def test_vanished_file_is_missing_and_comes_back_with_its_tags(library, encoder, tmp_path):
    path = write_picture(tmp_path / "in" / "a.jpg")
    write_picture(tmp_path / "in" / "b.jpg", seed=1)
    list(library.add(tmp_path / "in"))
    library.tag(path, add="mine")
    aside = path.rename(tmp_path / "aside.jpg")
    assert kinds(library.add(tmp_path / "in"))["missing"] == 1
    assert "a.jpg" in reasons(library)
    assert library.status().index_count == 1
    assert len(library.search("red")) == 1
    aside.rename(path)
    assert kinds(library.add(tmp_path / "in"))["linked"] == 1
    assert encoder.encoded == 2
    assert [hit.path for hit in library.search(where="tag:mine")] == [path]
    assert library.status().index_count == 2
    assert library.problems() == []


def test_a_file_damaged_for_a_while_comes_back_with_its_tags(library, encoder, tmp_path):
    path = write_picture(tmp_path / "in" / "a.jpg")
    list(library.add(tmp_path / "in"))
    library.tag(path, add="mine")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert kinds(library.add(tmp_path / "in"))["failed"] == 1
    assert library.search(where="tag:mine") == []
    assert library.status().index_count == 0
    path.write_bytes(whole)
    assert kinds(library.add(tmp_path / "in"))["linked"] == 1
    assert encoder.encoded == 1
    assert [hit.path for hit in library.search(where="tag:mine")] == [path]
    assert library.problems() == []


def test_a_vanished_root_is_marked_missing_but_a_strange_one_is_refused(library, tmp_path):
    path = write_picture(tmp_path / "in" / "a.jpg")
    list(library.add(tmp_path / "in"))
    path.unlink()
    path.parent.rmdir()
    assert kinds(library.add(tmp_path / "in"))["missing"] == 1
    with pytest.raises(InputError, match="nowhere"):
        list(library.add(tmp_path / "nowhere"))


def test_bad_files_get_reasons_and_nothing_else_suffers(library, tmp_path):
    folder = tmp_path / "in"
    write_folder(folder, 5)
    whole = (folder / "0000.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("not a picture, just words\n" * 5)
    (folder / "notes.txt").write_text("words\n")
    (folder / "folder.jpg").mkdir()
    write_picture(folder / "folder.jpg" / "inside.jpg", seed=99)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.jpg").symlink_to(folder / "nothing")
    os.mkfifo(folder / "pipe.jpg")
    odd = os.fsencode(folder) + b"/odd-\xff.jpg"
    Path(os.fsdecode(odd)).write_bytes(whole + b"odd")
    events = list(library.add(folder))
    assert kinds(events)["indexed"] == 6
    found = reasons(library)
    expected = {
        "cut.jpg", "empty.jpg", "text.jpg", "notes.txt", "folder.jpg", "loop", "dangling.jpg",
        "pipe.jpg", "odd-\\xff.jpg",
    }  # fmt: skip
    assert set(found) == expected
    assert all(len(reason) > 10 for reason in found.values())
    again = list(library.add(folder))
    assert kinds(again)["indexed"] == kinds(again)["missing"] == 0
    assert set(reasons(library)) == expected


def test_retry_reads_a_mended_or_unchanged_failure_again(library, tmp_path):
    path = tmp_path / "in" / "a.jpg"
    whole = write_picture(tmp_path / "whole.jpg").read_bytes()
    path.parent.mkdir()
    path.write_bytes(whole[: len(whole) // 2])
    list(library.add(tmp_path / "in"))
    assert kinds(library.add(retry=True))["failed"] == 1
    path.write_bytes(whole)
    assert kinds(library.add(retry=True))["indexed"] == 1
    assert library.problems() == []


def test_one_picture_the_encoder_refuses_does_not_take_its_batch_along(tmp_path):
    class Picky(HashEncoder):
        def _embed_images(self, images):
            if any(image.mean() > 240 for image in images):
                raise EncoderError("too bright")
            return super()._embed_images(images)

    write_folder(tmp_path / "in", 6)
    bright = write_picture(tmp_path / "in" / "bright.png", "yellow")
    from PIL import Image

    Image.new("RGB", (64, 64), "white").save(bright)
    with Library.open(tmp_path / "library", Picky()) as library:
        events = list(library.add(tmp_path / "in"))
        assert kinds(events)["indexed"] == 6
        assert "too bright" in reasons(library)["bright.png"]
        assert library.status().index_count == 6


def test_stopping_early_keeps_what_was_done(library, encoder, tmp_path):
    encoder.batch_size = 4
    write_folder(tmp_path / "in", 30)
    events = library.add(tmp_path / "in")
    seen: list[IngestEvent] = []
    for event in events:
        seen.append(event)
        if kinds(seen)["indexed"] == 9:
            break
    events.close()
    assert library.status().media == 12
    again = kinds(library.add(tmp_path / "in"))
    assert again["unchanged"] + again["indexed"] + again["linked"] == 30
    assert library.status().index_count == library.status().media == 30
    assert library.repair().clean


@pytest.mark.parametrize("moment", ["put_vectors", "upsert", "mark_indexed", "record_files"])
def test_a_crash_at_any_moment_replays(tmp_path, encoder, monkeypatch, moment):
    write_folder(tmp_path / "in", 10)
    with Library.open(tmp_path / "library", encoder) as library:
        owner = library._vectors if moment == "upsert" else library._catalog
        whole = getattr(owner, moment)

        def crash(*args, **kwargs):
            whole(*args, **kwargs)
            raise KeyboardInterrupt

        monkeypatch.setattr(owner, moment, crash)
        with pytest.raises(KeyboardInterrupt):
            list(library.add(tmp_path / "in"))
    with Library.open(tmp_path / "library", encoder) as library:
        list(library.add(tmp_path / "in"))
        assert library.status().media == library.status().index_count == 10
        assert encoder.encoded == 10
        assert library.repair().clean


def test_vectors_match_the_pictures(library, tmp_path):
    write_picture(tmp_path / "in" / "r.png", "red")
    write_picture(tmp_path / "in" / "b.png", "blue")
    list(library.add(tmp_path / "in"))
    (best,) = library.search(image=tmp_path / "in" / "b.png", limit=1)
    assert best.path.name == "b.png"
    assert np.isclose(best.score, 1.0, atol=1e-5)


def test_retry_does_not_walk_folders_that_were_refused(library, tmp_path):
    write_folder(tmp_path / "in" / "sub", 3)
    (tmp_path / "in" / "sub" / "up").symlink_to(tmp_path / "in")
    list(library.add(tmp_path / "in"))
    assert set(reasons(library)) == {"up"}
    list(library.add(retry=True))
    assert library.status().files["indexed"] == 3
    assert library.duplicates() == []


def test_links_are_no_duplicates_of_what_they_lead_to(library, tmp_path):
    picture = write_picture(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "link.jpg").symlink_to(picture)
    os.link(picture, tmp_path / "in" / "hard.jpg")
    list(library.add(tmp_path / "in"))
    assert library.status().files["indexed"] == 3
    assert library.duplicates() == []
    shutil.copy(picture, tmp_path / "in" / "copy.jpg")
    list(library.add(tmp_path / "in"))
    (group,) = library.duplicates()
    assert len(group.paths) == 2


@pytest.mark.parametrize("path", ["", "  "])
def test_an_empty_path_is_not_the_current_folder(library, path):
    with pytest.raises(InputError, match="empty path"):
        list(library.add(path))


def test_a_library_among_the_photos_is_passed_over(tmp_path, encoder):
    write_folder(tmp_path / "in", 2)
    with Library.open(tmp_path / "in" / "library", encoder) as library:
        list(library.add(tmp_path / "in"))
        assert list(library.add(tmp_path / "in"))[-1].counts.found == 2
        assert library.problems() == []


def test_adding_a_folder_around_leaves_what_it_passes_over(tmp_path, encoder):
    with Library.open(tmp_path / "library", encoder) as library:
        uploads, hidden = library.path / "uploads", tmp_path / ".hidden"
        write_folder(uploads, 3)
        write_folder(hidden, 2, start=3)
        list(library.add(uploads, hidden))
        write_folder(tmp_path / "photos", 1, start=5)
        events = list(library.add(tmp_path))
        assert kinds(events)["missing"] == 0
        assert library.count() == 6
        shutil.rmtree(hidden)
        assert kinds(library.add(tmp_path))["missing"] == 2
        assert library.count() == 4


def test_empty_or_huge_files_that_are_no_pictures_are_skipped(tmp_path, encoder):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "__init__.py").touch()
    (tmp_path / "in" / "film.bin").write_bytes(b"\0" * 5000)
    (tmp_path / "in" / "big.jpg").write_bytes(b"\xff\xd8\xff" + b"\0" * 5000)
    settings = Settings(max_bytes=1000)
    with Library.open(tmp_path / "library", encoder, settings=settings) as library:
        list(library.add(tmp_path / "in"))
        states = {Path(p.path).name: p.state for p in library.problems()}
    assert states == {"__init__.py": "skipped", "film.bin": "skipped", "big.jpg": "failed"}


def test_a_file_of_another_kind_is_not_hashed(library, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "song.flac").write_bytes(b"fLaC" + b"\0" * 100)
    monkeypatch.setattr("framekeep.ingest.content_id", lambda path: 1 / 0)
    assert kinds(library.add(tmp_path / "in"))["skipped"] == 1


def test_a_moved_file_is_found_at_a_copy_that_is_there(library, tmp_path):
    picture = write_picture(tmp_path / "in" / "a.jpg")
    copy = tmp_path / "in" / "b.jpg"
    shutil.copy(picture, copy)
    list(library.add(tmp_path / "in"))
    picture.rename(tmp_path / "elsewhere.jpg")
    (hit,) = library.search("red", limit=1)
    assert hit.path == copy
