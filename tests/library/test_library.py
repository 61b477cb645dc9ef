"""The library as a caller sees it: opening, encoders, precisions, searching, tags."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import framekeep
from framekeep.encoders import registry
from framekeep.errors import (
    EncoderMismatchError,
    IndexUnavailableError,
    InputError,
    NotFoundError,
    PrecisionError,
    StoreError,
    WeightsError,
)
from framekeep.library import Library
from framekeep.settings import Settings
from framekeep.testing import HashEncoder
from framekeep.types import PrecisionReport
from tests.helpers.clip_weights import write_transformers_checkpoint
from tests.helpers.pictures import write_folder, write_picture


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with two added CLIPs of random weights."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("one", "two")):
        path = tmp_path_factory.mktemp("hub") / "model.safetensors"
        write_transformers_checkpoint(path, seed=seed)
        registry.add_model(name, path, Settings(models=folder))
    return folder


@pytest.fixture
def settings(models: Path) -> Settings:
    return Settings(models=models)


@pytest.fixture
def filled(tmp_path: Path):
    write_folder(tmp_path / "in", 8)
    with Library.open(tmp_path / "library", HashEncoder()) as library:
        list(library.add(tmp_path / "in"))
        yield library


def test_open_makes_a_library_with_the_starter_and_says_so(tmp_path):
    with framekeep.open(tmp_path / "library") as library:
        assert library.info.name == "starter"
        assert "framekeep models pull clip-vit-b-32" in str(library.notice)
    with framekeep.open(tmp_path / "library") as library:
        assert library.notice is None
        assert library.encoder.id == library.info.id


def test_reading_commands_make_no_library(tmp_path):
    with pytest.raises(NotFoundError, match="framekeep add"):
        Library.open(tmp_path / "library", create=False)
    assert not (tmp_path / "library").exists()


def test_a_file_is_no_library(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        Library.open(tmp_path / "file")


def test_encoders_are_not_mixed(tmp_path, settings):
    Library.open(tmp_path / "library", "one", settings=settings).close()
    with pytest.raises(EncoderMismatchError, match="framekeep library encoder two"):
        Library.open(tmp_path / "library", "two", settings=settings)
    with pytest.raises(EncoderMismatchError):
        Library.open(tmp_path / "library", HashEncoder(), settings=settings)
    Library.open(tmp_path / "library", "one", settings=settings).close()


def test_an_unknown_encoder_leaves_no_library(tmp_path, settings):
    with pytest.raises(NotFoundError, match="no-such"):
        Library.open(tmp_path / "library", "no-such", settings=settings)
    assert not (tmp_path / "library").exists()


def test_changing_the_encoder_serves_the_former_until_the_end(tmp_path, settings):
    write_folder(tmp_path / "in", 6)
    with Library.open(tmp_path / "library", "one", settings=settings) as library:
        list(library.add(tmp_path / "in"))
        former = library.info
        seen = 0
        for event in library.use_encoder("two"):
            with Library.open(tmp_path / "library", settings=settings) as reader:
                assert len(reader.search("x", limit=9)) == 6
                assert reader.info == former or event.kind == "done"
                assert reader.status().building is not None
            seen += event.kind == "indexed"
        assert seen == 6
        assert library.info.name == "two"
        assert library.encoder.info.space == library.info.space
        status = library.status()
        assert (status.index_count, status.building) == (6, None)
        assert len(library.search("x", limit=9)) == 6
        assert library.repair().clean


def test_an_interrupted_change_goes_on(tmp_path, settings):
    write_folder(tmp_path / "in", 70)
    with Library.open(tmp_path / "library", "one", settings=settings) as library:
        list(library.add(tmp_path / "in"))
        events = library.use_encoder("two")
        first = [next(events) for _ in range(3)]
        events.close()
        assert first[-1].counts.indexed == 3
        assert library.info.name == "one"
        rest = [event for event in library.use_encoder("two") if event.kind == "indexed"]
        assert 0 < len(rest) < 70
        assert library.status().index_count == 70


def test_photos_gone_since_do_not_hinder_a_change(tmp_path, settings):
    first, *_ = write_folder(tmp_path / "in", 4)
    with Library.open(tmp_path / "library", "one", settings=settings) as library:
        list(library.add(tmp_path / "in"))
        first.unlink()
        kinds = [event.kind for event in library.use_encoder("two")]
        assert kinds.count("failed") == 1
        assert library.info.name == "two"
        assert [Path(p.path) for p in library.problems()] == [first]
        assert library.status().index_count == 3


def test_int8_only_after_its_check(tmp_path, settings):
    with pytest.raises(PrecisionError, match="check int8"):
        Library.open(
            tmp_path / "int8",
            "one",
            settings=Settings(models=settings.models, precision="int8"),
        )
    write_folder(tmp_path / "few", 5)
    with Library.open(tmp_path / "library", "one", settings=settings) as library:
        list(library.add(tmp_path / "few"))
        with pytest.raises(PrecisionError, match="not been checked"):
            list(library.use_encoder("one", "int8"))
        with pytest.raises(PrecisionError, match="at least 50"):
            library.check_precision("int8")
        write_folder(tmp_path / "more", 60, start=100)
        list(library.add(tmp_path / "more"))
        report = library.check_precision("int8", sample=60)
        assert report.sample == 60
        assert 0 < report.mean_cosine <= 1.0001
        assert 0 <= report.top10_overlap <= 1
        assert library.status().precision_checks == (report,)
        if report.passed:
            list(library.use_encoder("one", "int8"))
            assert library.info.precision == "int8"
            assert library.status().index_count == 65
        else:
            with pytest.raises(PrecisionError, match=r"mean cosine.*top-10 overlap"):
                list(library.use_encoder("one", "int8"))


def test_a_failed_check_keeps_int8_out(tmp_path, settings):
    write_folder(tmp_path / "in", 3)
    with Library.open(tmp_path / "library", "one", settings=settings) as library:
        list(library.add(tmp_path / "in"))
        report = PrecisionReport(library.info.id, "int8", 60, 0.98, 0.95, datetime.now(UTC))
        library._catalog.put_check(report)
        with pytest.raises(PrecisionError, match=r"mean cosine.*0\.9800.*top-10 overlap.*0\.95"):
            list(library.use_encoder("one", "int8"))
        assert library.info.precision == "fp32"


def test_weights_that_are_gone_are_told_but_filters_go_on(tmp_path, settings):
    write_folder(tmp_path / "in", 3)
    with Library.open(tmp_path / "library", "one", settings=settings) as library:
        list(library.add(tmp_path / "in"))
    elsewhere = Settings(models=tmp_path / "none")
    with Library.open(tmp_path / "library", settings=elsewhere) as library:
        assert len(library.search(where="format:jpeg")) == 3
        member = library.search(where="format:jpeg", limit=1)[0]
        assert len(library.similar(member)) == 2
        with pytest.raises((WeightsError, NotFoundError), match="one"):
            library.search("a cat")


def test_search_takes_one_value_or_many_with_weights(filled, tmp_path):
    red = write_picture(tmp_path / "query.png", "red", seed=77)
    assert len(filled.search("red", limit=3)) == 3
    mixed = filled.search([("red", 1.0), "blue"], image=[(red, 2.0)], exclude="green", limit=3)
    assert len(mixed) == 3
    pixels = np.full((40, 40, 3), (30, 40, 200), np.uint8)
    by_array = filled.search(image=pixels, limit=2)
    assert by_array[0].score >= by_array[1].score
    by_id = filled.search(image=by_array[0].media_id, limit=1)
    assert by_id[0].media_id == by_array[0].media_id


def test_queries_that_cannot_be_answered_are_told(filled, tmp_path):
    with pytest.raises(InputError, match="cancel"):
        filled.search([("red", 1.0), ("red", -1.0)])
    with pytest.raises(NotFoundError, match=r"nowhere\.jpg"):
        filled.search(image=tmp_path / "nowhere.jpg")
    with pytest.raises(InputError):
        filled.search("x", limit=0)
    with pytest.raises(InputError, match="visible"):
        filled.search("  ")
    with pytest.raises(InputError, match="Name at least one"):
        list(filled.add())
    with pytest.raises(InputError, match="identical, perceptual or semantic"):
        filled.duplicates("other")


def test_pages_join_without_gaps_or_repeats(filled):
    whole = [hit.media_id for hit in filled.search("red", limit=8)]
    pages = [filled.search("red", limit=3, offset=start) for start in (0, 3, 6, 9)]
    assert [hit.media_id for page in pages for hit in page] == whole


def test_tags_are_cleaned_joined_and_all_or_nothing(filled, tmp_path):
    hits = filled.search("red", limit=3)
    assert filled.tag(hits, add=["Best  of 2024", "best of 2024"]) == 3
    assert filled.tags() == {"Best of 2024": 3}
    filled.tag(hits[0], add="BEST OF 2024")
    assert filled.tags() == {"Best of 2024": 3}
    with pytest.raises(NotFoundError):
        filled.tag([hits[0], tmp_path / "stranger.jpg"], add="x")
    for bad in ("", " ", "a,b", "x" * 65, "line\x07"):
        with pytest.raises(InputError):
            filled.tag(hits[0], add=bad)
    assert filled.tags() == {"Best of 2024": 3}
    filled.tag(hits[:2], remove="best of 2024")
    assert filled.tags() == {"Best of 2024": 1}


def test_status_adds_up(filled):
    status = filled.status()
    assert status.media == status.index_count == 8
    assert status.files == {"indexed": 8}
    assert status.bytes_on_disk > 0
    assert status.encoder == filled.info


def test_an_index_that_is_gone_is_told_and_repaired(filled):
    filled._vectors.close()
    shutil.rmtree(filled.path / "chroma")
    with pytest.raises(IndexUnavailableError, match="framekeep repair"):
        filled.search("red")
    with pytest.raises(IndexUnavailableError):
        filled.similar(filled.search(where="format:jpeg")[0])
    assert filled.repair().added == 8
    assert len(filled.search("red")) == 8


def test_an_emptied_catalog_is_no_new_library(filled):
    filled.close()
    (filled.path / "catalog.sqlite3").write_bytes(b"")
    for suffix in ("-wal", "-shm"):
        (filled.path / f"catalog.sqlite3{suffix}").unlink(missing_ok=True)
    for _ in range(2):
        with pytest.raises(StoreError, match="restore"):
            Library.open(filled.path, HashEncoder(), create=False)


@pytest.mark.parametrize("path", ["", ".", "x\0y", "a\udce9b"])
def test_odd_places_for_a_library_are_told(path):
    with pytest.raises(InputError):
        Library.open(path, HashEncoder())


@pytest.mark.parametrize(
    ("name", "value"),
    [("THREADS", "abc"), ("MAX_PIXELS", "-1"), ("ENGINE", "foo"), ("OFFLINE", "perhaps")],
)
def test_settings_that_cannot_be_used_are_named(tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(f"FRAMEKEEP_{name}", value)
    with pytest.raises(InputError, match=f"FRAMEKEEP_{name}"):
        Library.open(tmp_path / "library")


@pytest.mark.parametrize(
    "query",
    [
        {"text": "caf\udce9"},
        {"text": [("red", 1e308)]},
        {"text": [("red", float("nan"))]},
        {"text": 5},
        {"text": ["red", ("a",)]},
        {"text": "red", "limit": "3"},
        {"text": "red", "limit": 2.5},
        {"where": 5},
    ],
)
def test_queries_of_the_wrong_kind_are_told(filled, query):
    with pytest.raises(InputError):
        filled.search(**query)


def test_a_pair_is_one_text_with_its_weight(filled):
    assert filled.search(("red", 0.5), limit=1) == filled.search([("red", 0.5)], limit=1)
