"""The walk-through from a sentence to a dataset: its commands run, and lead where it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.helpers.documents import ROOT, commands_of, run_commands

DOCUMENT = "docs/objects.md"


def test_pictures_are_there() -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) == 2
    assert all((ROOT / "docs" / picture).stat().st_size > 10_000 for picture in pictures)


def test_commands_run_and_make_what_they_say(tmp_path: Path) -> None:
    commands = commands_of(DOCUMENT)
    assert len(commands) >= 15
    assert all(command.startswith("framekeep ") for command in commands)
    run_commands(commands, tmp_path)
    first = tmp_path / "animals"
    splits = {
        split: json.loads((first / split / "annotations.json").read_text("utf-8"))
        for split in ("train", "val", "test")
    }
    labelled = {
        category["name"]
        for part in splits.values()
        for category in part["categories"]
        if any(each["category_id"] == category["id"] for each in part["annotations"])
    }
    assert labelled == {"bird", "cat", "dog", "otter"}  # the merge was taken back
    # The picture that lies in the folder twice is one photo.
    assert sum(len(part["images"]) for part in splits.values()) == 4
    for path in first.rglob("*.*"):
        again = tmp_path / "animals-again" / path.relative_to(first)
        assert again.read_bytes() == path.read_bytes(), path
    assert (tmp_path / "animals-yolo" / "data.yaml").is_file()
    assert len(list((tmp_path / "animals-crops").rglob("cat/*"))) == 1
    assert (tmp_path / "animals-table" / "objects.jsonl").is_file()
