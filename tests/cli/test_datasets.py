"""`framekeep export` and `import` as a user types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framekeep.cli.main import app
from framekeep.errors import FramekeepError
from framekeep.library import Library
from tests.helpers.datasets import contents, demo_photos, label_all


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "library"
    with Library.open(folder, "starter") as library:
        list(library.add(*demo_photos(6)))
        label_all(library)
    return folder


def run(library: Path, *args: object, ok: bool = True):
    result = CliRunner().invoke(app, [str(arg) for arg in args] + ["--library", str(library)])
    if ok:
        assert result.exit_code == 0, result.output or result.exception
    return result


def test_coco_and_yolo_and_what_is_told_of_them(filled, tmp_path):
    out = tmp_path / "coco"
    told = run(filled, "export", "coco", out, "--split", "60/20/20").stdout
    assert "class" in told
    assert "train" in told
    assert f"6 images with 6 objects are in {out}." in told
    for split in ("train", "val", "test"):
        document = json.loads((out / split / "annotations.json").read_text())
        assert all((out / split / i["file_name"]).exists() for i in document["images"])
    report = json.loads(
        run(
            filled, "export", "yolo", tmp_path / "yolo", "--classes", "dog,bird",
            "--where", "label:dog or label:bird", "--task", "detect", "--images", "link", "--json",
        ).stdout
    )  # fmt: skip
    assert report["classes"] == ["dog", "bird"]
    assert report["out"] == str(tmp_path / "yolo")
    assert (tmp_path / "yolo" / "data.yaml").exists()
    lines = "".join(p.read_text() for p in (tmp_path / "yolo").rglob("*.txt")).splitlines()
    assert len(lines) == sum(report["objects"]["dog"].values()) + sum(
        report["objects"]["bird"].values()
    )
    assert all(len(line.split()) == 5 for line in lines)


def test_a_licence_and_a_description_go_into_the_document(filled, tmp_path):
    run(
        filled, "export", "coco", tmp_path / "out", "--licence", "CC0 1.0",
        "--licence-url", "https://creativecommons.org/publicdomain/zero/1.0/",
        "--description", "Animals", "--contributor", "Ann",
    )  # fmt: skip
    document = json.loads((tmp_path / "out" / "annotations.json").read_text())
    (licence,) = document["licenses"]
    assert (licence["name"], licence["url"][:27]) == ("CC0 1.0", "https://creativecommons.org")
    assert (document["info"]["description"], document["info"]["contributor"]) == ("Animals", "Ann")
    run(filled, "export", "--again", tmp_path / "out" / "manifest.json", tmp_path / "again")
    assert contents(tmp_path / "out") == contents(tmp_path / "again")
    refused = run(filled, "export", "coco", tmp_path / "no", "--licence-url", "x", ok=False)
    assert isinstance(refused.exception, FramekeepError)


def test_query_preview_and_samples_write_no_dataset(filled, tmp_path):
    told = run(
        filled, "export", "coco", tmp_path / "out", "--query", "a cat", "-n", 3,
        "--samples", tmp_path / "samples",
    ).stdout  # fmt: skip
    assert "nothing was exported" in told
    assert not (tmp_path / "out").exists()
    assert len(list((tmp_path / "samples").iterdir())) == 3
    seen = json.loads(run(filled, "export", "crops", "--preview", "--json").stdout)
    assert sum(seen["images"].values()) == 6


def test_again_with_and_without_a_place(filled, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    run(filled, "export", "coco", one, "--split", "80/20", "--seed", "4")
    run(filled, "export", "--again", one / "manifest.json", two)
    assert contents(one) == contents(two)
    shutil.rmtree(one / "train")
    run(filled, "export", "--again", one / "manifest.json")
    run(filled, "export", "coco", one, "--again", two / "manifest.json", "--overwrite")
    assert contents(one) == contents(two)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["export"], "Name the format"),
        (["export", "voc", "out"], "There is no format voc"),
        (["export", "coco"], "Name the folder"),
        (["export", "coco", "{out}", "--split", "1/2"], "add up to 3"),
        (["export", "coco", "{out}", "--classes", "unicorn"], "There is no class unicorn"),
        (["export", "coco", "{library}"], "keeps its own"),
        (["export", "coco", "{full}"], "not empty"),
        (["export", "--again", "nowhere.json"], "There is no manifest"),
        (["import", "coco", "nowhere"], "There is no dataset"),
    ],
)
def test_wrong_input_is_one_sentence(filled, tmp_path, args, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    places = {"out": tmp_path / "out", "library": filled, "full": tmp_path / "full"}
    result = run(filled, *(arg.format(**places) for arg in args), ok=False)
    assert isinstance(result.exception, FramekeepError)
    assert words in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_import_into_a_new_library_and_again(filled, tmp_path, monkeypatch):
    run(filled, "export", "coco", tmp_path / "out")
    monkeypatch.setenv("FRAMEKEEP_ENCODER", "starter")
    from framekeep.cli import common

    common.settings.cache_clear()
    try:
        other = tmp_path / "other"
        told = run(other, "import", "coco", tmp_path / "out").stdout
        assert "6 photos (6 new): 6 objects added" in told
        again = json.loads(run(other, "import", "coco", tmp_path / "out", "--json").stdout)
        assert (again["objects"], again["unchanged"], again["problems"]) == (0, 6, [])
        (tmp_path / "out" / "images" / "demo-01.jpg").unlink()
        told = run(other, "import", "coco", tmp_path / "out", "--no-add").stdout
        assert "demo-01.jpg: The picture is not there." in told
    finally:
        common.settings.cache_clear()
