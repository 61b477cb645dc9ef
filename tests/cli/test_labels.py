"""`framekeep label`, `classes`, `objects`, `accept`, `reject` and `undo` as a user types them."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framekeep.cli.main import app
from framekeep.errors import FramekeepError
from framekeep.library import Library
from framekeep.testing import GridSegmenter
from tests.helpers.pictures import write_picture


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A library of two pictures with objects."""
    write_picture(tmp_path / "in" / "a.png", "red", 0)
    write_picture(tmp_path / "in" / "b.png", "blue", 1)
    with Library.open(tmp_path / "lib", "starter") as library:
        list(library.add(tmp_path / "in"))
        list(library.segment(segmenter=GridSegmenter()))
    return tmp_path


def run(place: Path, *args: object, ok: bool = True):
    command = [*map(str, args), "--library", str(place / "lib")]
    result = CliRunner().invoke(app, command)
    if ok:
        assert result.exit_code == 0, result.output or result.exception
    return result


def run_json(place: Path, *args: object):
    return json.loads(run(place, *args, "--json").stdout)


def test_photos_and_objects_are_labelled_and_it_is_taken_back(place):
    photo = place / "in" / "a.png"
    one, *_ = run_json(place, "objects", photo)
    assert len(one["segment_id"]) == 32
    assert one["label_source"] == "model"
    assert run_json(place, "label", "dog", photo, "--object", one["segment_id"]) == {"labelled": 2}
    (found,) = run_json(place, "classes", "list")
    assert (found["name"], found["segments"], found["media"]) == ("dog", 1, 1)
    shown = run_json(place, "objects", photo)[0]
    assert (shown["label"], shown["label_source"]) == ("dog", "person")
    assert shown["annotations"][0]["author"] == getpass.getuser()
    table = run(place, "objects", photo).stdout
    assert one["segment_id"] in table
    assert getpass.getuser() in table
    listed = run(place, "undo", "--list").stdout
    assert "Labelled 1 photo and 1 object as dog" in listed
    assert "Taken back: Labelled" in run(place, "undo").stdout
    assert "(taken back)" in run(place, "undo", "--list").stdout
    assert "Nothing is left" in run(place, "undo").stdout
    assert run_json(place, "undo") is None
    assert run_json(place, "objects", photo)[0]["label"] == one["label"]
    assert run_json(place, "classes", "list") == []


def test_a_filter_chooses_photos_or_objects(place):
    assert run_json(place, "label", "red", "--where", "name:a.png") == {"labelled": 1}
    number = len(run_json(place, "objects", place / "in" / "b.png"))
    filled = run_json(place, "label", "x", "--where", "name:b.png", "--of", "objects")
    assert filled == {"labelled": number}
    (hit,) = run_json(place, "search", "--where", "label:x")
    assert Path(hit["path"]).name == "b.png"
    run(place, "label", "", "--where", "label:x", "--of", "objects")
    assert run_json(place, "search", "--where", "label:x") == []


def test_objects_are_accepted_rejected_and_opened_again(place):
    photo = place / "in" / "a.png"
    first, second, *others = run_json(place, "objects", photo)
    total = len(run_json(place, "search", "--of", "objects", "--where", "format:png"))
    assert run_json(place, "accept", first["segment_id"]) == {"accepted": 1}
    accepted = run_json(place, "objects", photo)[0]
    assert (accepted["state"], accepted["label_source"]) == ("accepted", "person")
    assert accepted["label"] == first["label"], "the segmenter's label is a person's now"
    told = run(place, "reject", "--where", "name:a.png and state:open").stdout
    assert told == f"{len(others) + 1} objects rejected.\n"
    assert [one["segment_id"] for one in run_json(place, "objects", photo)] == [first["segment_id"]]
    assert len(run_json(place, "search", "--of", "objects", "--where", "format:png")) == (
        total - len(others) - 1
    )
    states = [one["state"] for one in run_json(place, "objects", photo, "--rejected")]
    assert sorted(states) == ["accepted", *["rejected"] * (len(others) + 1)]
    assert run(place, "reopen", second["segment_id"]).stdout == "1 object reopened.\n"
    assert len(run_json(place, "objects", photo)) == 2
    assert "Taken back" in run(place, "undo").stdout
    assert run_json(place, "reopen", "--where", "state:rejected") == {"reopened": len(others) + 1}
    assert len(run_json(place, "objects", photo)) == len(others) + 2


def test_photos_and_objects_get_notes_attributes_and_tags(place):
    photo = place / "in" / "a.png"
    first, *others = run_json(place, "objects", photo)
    own = ("--object", first["segment_id"])
    assert run_json(place, "note", "the neighbour's", photo, *own) == {"changed": 2}
    assert run(place, "attribute", "pose", "lying", *own).stdout == "1 with this pose.\n"
    every = ("--where", "name:a.png", "--of", "objects")
    assert run_json(place, "tag", *every, "--add", "small") == {"objects": len(others) + 1}
    assert run_json(place, "tag", photo, *own, "--add", "both") == {"objects": 1, "media": 1}
    shown, *_ = run_json(place, "objects", photo)
    assert sorted(shown["tags"]) == ["both", "small"]
    said = {(one["kind"], one["key"], one["value"]) for one in shown["annotations"]}
    assert {("note", "", "the neighbour's"), ("attribute", "pose", "lying")} <= said
    (hit,) = run_json(place, "search", "--where", "tag:both")
    assert Path(hit["path"]) == photo
    assert run(place, "attribute", "pose", "", *own).stdout == "1 without pose.\n"
    assert run(place, "note", "", photo, *own).stdout == "2 without a note.\n"
    run(place, "tag", *every, "--remove", "small", "--remove", "both")
    shown, *_ = run_json(place, "objects", photo)
    assert shown["tags"] == []
    assert not [one for one in shown["annotations"] if one["kind"] in ("note", "attribute")]


def test_what_is_no_object_is_not_judged(place):
    for command in ("accept", "reject", "reopen"):
        result = run(place, command, place / "in" / "a.png", ok=False)
        assert isinstance(result.exception, FramekeepError)
        assert "name their ids" in str(result.exception)


def test_classes_in_one_place(place):
    photo = place / "in" / "a.png"
    assert "There are no classes yet" in run(place, "classes").stdout
    run(place, "classes", "add", "dog", "--colour", "#3cb44b")
    run(place, "label", "puppy", photo)
    run(place, "classes", "merge", "puppy", "--into", "dog")
    run(place, "classes", "rename", "dog", "Hund")
    run(place, "classes", "colour", "hund", "#000000")
    table = run(place, "classes").stdout.splitlines()
    assert table[1].split() == ["Hund", "#000000", "0", "1"]
    assert "label of 1 object" in str(run(place, "classes", "drop", "Hund", ok=False).exception)
    run(place, "label", "", photo)
    run(place, "classes", "drop", "Hund")
    assert run_json(place, "classes", "list") == []
    assert run_json(place, "classes", "list", "--all"), "the segmenter's names"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["label", "dog"], "Name photos"),
        (["label", "dog", "nowhere.jpg"], "not in this library"),
        (["label", "dog", "--object", "f" * 32], "no object"),
        (["label", "dog", "--where", "lable:x"], "did you mean label"),
        (["accept"], "--where EXPR"),
        (["note", "x"], "Name photos"),
        (["attribute", "pose", "lying"], "Name photos"),
        (["tag", "--object", "f" * 32, "--add", "x"], "no object"),
        (["reject", "f" * 32], "no object"),
        (["reopen", "--where", "stat:open"], "did you mean state"),
        (["classes", "rename", "none", "x"], "framekeep classes"),
        (["classes", "add", "x", "--colour", "red"], "#rrggbb"),
    ],
)
def test_wrong_input_is_one_sentence(place, args, words):
    result = run(place, *args, ok=False)
    assert isinstance(result.exception, FramekeepError)
    assert words in str(result.exception)
