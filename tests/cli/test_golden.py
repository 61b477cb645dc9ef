"""What the commands print, held against golden files.

FRAMEKEEP_UPDATE_GOLDEN=1 writes them anew; look at the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framekeep.cli.common import console
from framekeep.cli.main import app
from tests.helpers.pictures import write_picture

GOLDEN = Path(__file__).parents[1] / "golden" / "cli"
UPDATE = "FRAMEKEEP_UPDATE_GOLDEN"
update = os.environ.get(UPDATE) == "1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and a library of them."""
    place = tmp_path_factory.mktemp("golden")
    for seed, (name, colour) in enumerate(
        {"a.png": "red", "b.jpg": "green", "sub/c.webp": "blue", "sub/d.gif": "yellow"}.items()
    ):
        write_picture(place / "in" / name, colour, seed)
    write_picture(place / "in" / "again.png", "red", 0)
    (place / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"\x00" * 40)
    (place / "in" / "empty.png").touch()
    (place / "in" / "notes.txt").write_text("only words\n")
    result = CliRunner().invoke(
        app, ["add", str(place / "in"), "--library", str(place / "lib"), "--encoder", "starter"]
    )
    assert result.exit_code == 0, result.output
    (place / "added.txt").write_text(result.stdout)
    return place


def settled(text: str, place: Path) -> str:
    """The output with what differs from run to run put aside."""
    text = text.replace(str(place), "PLACE")
    text = re.sub(r"starter@[0-9a-f]{12}", "starter@WEIGHTS", text)
    text = re.sub(r"\d+\.\d MB", "N MB", text)
    text = re.sub(r"-?\d\.\d{3}\b", "SCORE", text)
    text = re.sub(r" {2,}", "  ", text)  # columns are as wide as this run's paths
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def check(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing: run with {UPDATE}=1 and look at what it writes"
    assert text == path.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("status", ["status"]),
        ("problems", ["problems"]),
        ("search_where", ["search", "--where", "format:png or format:webp"]),
        ("search_text", ["search", "red", "--limit", "2"]),
        ("search_nothing", ["search", "--where", "tag:none"]),
        ("duplicates", ["duplicates"]),
        ("tags_none", ["tag"]),
        ("repair", ["repair"]),
    ],
)
def test_output(place, monkeypatch, name, args):
    monkeypatch.setattr(console, "_width", 300)  # whatever COLUMNS said when it was made
    result = CliRunner().invoke(app, [*args, "--library", str(place / "lib")])
    assert result.exit_code == 0, result.output
    check(name, settled(result.stdout, place))


def test_output_of_add(place):
    check("add", settled((place / "added.txt").read_text(), place))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("error_filter", ["search", "--where", "tga:trip"]),
        ("error_image", ["search", "--image", "nowhere.jpg"]),
        ("error_path", ["add", "/no/such/folder"]),
        ("error_encoder", ["library", "encoder", "no-such-model"]),
    ],
)
def test_errors(place, name, args):
    result = CliRunner().invoke(app, [*args, "--library", str(place / "lib")])
    assert result.exit_code != 0
    check(name, settled(f"{result.exception}\n", place))
