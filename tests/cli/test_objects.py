"""Objects on the command line, with the shipped segmenter on real photos."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framekeep.cli.common import console
from framekeep.cli.main import app
from framekeep.errors import FramekeepError
from framekeep.library import Library
from framekeep.object_types import CropSettings

DEMO = Path(__file__).parents[2] / "src" / "framekeep" / "data" / "demo"
GOLDEN = Path(__file__).parents[1] / "golden" / "cli"
UPDATE = "FRAMEKEEP_UPDATE_GOLDEN"
update = os.environ.get(UPDATE) == "1"  # read before the tests' clean environment


def run(*args: object, ok: bool = True):
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if ok:
        assert result.exit_code == 0, result.output or result.exception
    return result


def run_json(*args: object):
    return json.loads(run(*args, "--json").stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos, segmented by the command; what it printed lies beside them."""
    place = tmp_path_factory.mktemp("objects")
    (place / "in").mkdir()
    for path in sorted(DEMO.glob("*.jpg"))[:4]:
        shutil.copy(path, place / "in")
    run("add", place / "in", "--library", place / "lib", "--encoder", "starter")
    nothing = run("search", "a cat", "--of", "objects", "--library", place / "lib")
    assert "framekeep segment" in nothing.stderr
    result = run("segment", "--segmenter", "starter", "--library", place / "lib")
    (place / "segmented.txt").write_text(result.stdout)
    (place / "bar.txt").write_text(result.stderr)
    return place


def test_a_draft_is_called_one(place):
    assert "Segmenting with starter (a draft of the main object)" in (place / "bar.txt").read_text()


def test_segment_counts_what_it_did(place):
    assert re.fullmatch(
        r"4 photos: 4 segmented\.\n(\d+) objects in the library\.\n",
        (place / "segmented.txt").read_text(),
    )
    again = run_json("segment", "--library", place / "lib")
    assert (again["found"], again["unchanged"], again["indexed"], again["failed"]) == (4, 4, 0, 0)
    assert again["objects"] >= 4
    assert again["draft"] is True
    assert again["segmenter"].startswith("starter-seg@")


def test_status_counts_objects(place):
    status = run_json("status", "--library", place / "lib")
    assert status["objects"] >= 4
    assert re.search(
        rf"objects +{status['objects']}\b", run("status", "--library", place / "lib").stdout
    )


def test_objects_are_found_with_label_box_and_id(place):
    hits = run_json("search", "an animal", "--of", "objects", "--library", place / "lib")
    assert len(hits) == run_json("status", "--library", place / "lib")["objects"]
    first = hits[0]["object"]
    assert len(first["segment_id"]) == 32
    left, top, right, bottom = first["bbox_xyxy"]
    width, height = hits[0]["size_wh"]
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert "object" not in run_json("search", "an animal", "--library", place / "lib")[0]
    both = run_json("search", "an animal", "--of", "both", "--library", place / "lib")
    assert len(both) == len(hits) + 4
    assert [hit["score"] for hit in both] == sorted((hit["score"] for hit in both), reverse=True)
    shown = run("search", "an animal", "--of", "objects", "--library", place / "lib").stdout
    assert {"label", "box", "object"} <= set(shown.splitlines()[0].split())
    like = run_json("similar", "--object", first["segment_id"], "--library", place / "lib")
    assert first["segment_id"] not in [hit["object"]["segment_id"] for hit in like]
    itself = run_json(
        "search",
        "--image",
        first["segment_id"],
        "--of",
        "objects",
        "-n",
        1,
        "--library",
        place / "lib",
    )
    assert itself[0]["object"]["segment_id"] == first["segment_id"]


def test_objects_are_listed_in_a_file(place, tmp_path):
    library = ("--library", place / "lib")
    searched = run_json("search", "a cat", "--of", "objects", *library)
    out = tmp_path / "objects.csv"
    run("export-list", out, "a cat", "--of", "objects", *library)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["segment_id"] for row in rows] == [hit["object"]["segment_id"] for hit in searched]
    for row, hit in zip(rows, searched, strict=True):
        assert (row["path"], row["label"]) == (hit["path"], hit["object"]["label"])
        box = [float(row[edge]) for edge in ("left", "top", "right", "bottom")]
        assert box == hit["object"]["bbox_xyxy"]
        assert int(row["area_px"]) == hit["object"]["area_px"]
    run("export-list", out, "a cat", "--of", "both", "--force", *library)
    with out.open(encoding="utf-8", newline="") as file:
        both = list(csv.DictReader(file))
    assert len([row for row in both if not row["segment_id"]]) == 4
    assert len(both) == 4 + len(rows)
    lines = run("export-list", "-", "--where", "score>=0", "--of", "objects", "--format", "paths",
                *library).stdout.splitlines()  # fmt: skip
    assert sorted(lines) == sorted({hit["path"] for hit in searched})
    empty = run("export-list", "-", "--where", "label:none", "--of", "objects", *library).stdout
    assert empty.strip().split(",") == list(rows[0])


def test_duplicates_among_objects(place):
    args = ["duplicates", "--of", "objects", "--threshold", 0.01, "--library", place / "lib"]
    groups = run_json(*args)
    assert all(len(group["media_ids"]) == len(group["paths"]) > 1 for group in groups)
    assert f"{len(groups)} groups of semantic duplicates among objects." in run(*args).stdout


def test_another_way_of_cutting_out_is_kept(place, tmp_path):
    library = tmp_path / "lib"
    shutil.copytree(place / "lib", library)
    done = run("segment", "--background", "none", "--margin", 0.2, "--library", library)
    assert "Cutting out objects anew" in done.stderr
    with Library.open(library) as lib:
        assert lib.crop_settings == CropSettings(mode="none", margin=0.2)
    run("segment", "--background", "blur", "--kernel", 41, "--sigma", 9, "--blur-reference", "none",
        "--library", library)  # fmt: skip
    wanted = CropSettings(kernel_px=41, sigma_px=9, reference_px=None, margin=0.2)
    with Library.open(library) as lib:
        assert lib.crop_settings == wanted
        assert lib.repair().clean
        lib.encoder  # noqa: B018 - the same one
        assert len(lib.search("an animal", of="objects", limit=99)) == lib.status().objects


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["segment", "--segmenter", "no-such"], "no-such"),
        (["segment", "--kernel", "20"], "odd"),
        (["segment", "--blur-reference", "wide"], "--blur-reference"),
        (["segment", "--where", "labl:x"], "labl"),
        (["similar", "--object", "0" * 32], "no object"),
        (["similar"], "--object"),
        (["duplicates", "--of", "objects", "--kind", "identical"], "meaning"),
    ],
)
def test_wrong_input_is_one_sentence(place, args, words):
    result = run(*args, "--library", place / "lib", ok=False)
    assert isinstance(result.exception, FramekeepError)
    assert words in str(result.exception)


def test_photos_that_cannot_be_segmented_are_problems(place, tmp_path):
    library = tmp_path / "lib"
    shutil.copytree(place / "in", tmp_path / "in")
    run("add", tmp_path / "in", "--library", library, "--encoder", "starter")
    gone = min((tmp_path / "in").iterdir())
    gone.unlink()
    done = run("segment", "--segmenter", "starter", "--library", library)
    assert done.stdout.startswith("4 photos: 3 segmented, 1 failed.")
    (problem,) = run_json("problems", "--library", library)
    assert (problem["path"], problem["state"]) == (str(gone), "no objects")
    assert gone.name in run("problems", "--library", library).stdout


def settled(text: str, place: Path) -> str:
    """The output with what differs from run to run put aside."""
    text = text.replace(str(place), "PLACE")
    text = re.sub(r"\b[0-9a-f]{32}\b", "OBJECT", text)
    text = re.sub(r"-?\d\.\d{3}\b", "SCORE", text)
    text = re.sub(r"\d+,\d+ \d+,\d+", "BOX", text)
    text = re.sub(r" {2,}", "  ", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("search_objects", ["search", "cat", "--of", "objects", "--limit", "2"]),
        ("search_both", ["search", "cat", "--of", "both", "--limit", "3"]),
        ("duplicates_objects", ["duplicates", "--of", "objects"]),
    ],
)
def test_output(place, monkeypatch, name, args):
    monkeypatch.setattr(console, "width", 300)
    check(name, settled(run(*args, "--library", place / "lib").stdout, place))


def test_output_of_segment(place):
    check("segment", settled((place / "segmented.txt").read_text(), place))


def check(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if update:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing: run with {UPDATE}=1 and look at what it writes"
    assert text == path.read_text("utf-8")
