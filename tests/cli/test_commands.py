"""The commands as a user types them, over real files and the starter encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framekeep.cli.main import app
from framekeep.errors import FramekeepError
from tests.helpers.pictures import write_picture

DEMO = Path(__file__).parents[2] / "src" / "framekeep" / "data" / "demo"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(DEMO.glob("*.jpg"))[:8]:
        shutil.copy(path, folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    return folder


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A library made once by the command line itself."""
    library = tmp_path_factory.mktemp("filled") / "library"
    result = CliRunner().invoke(
        app, ["add", str(photos), "--library", str(library), "--encoder", "starter"]
    )
    assert result.exit_code == 0, result.output
    return library


def run(*args: object, ok: bool = True):
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if ok:
        assert result.exit_code == 0, result.output or result.exception
    return result


def run_json(*args: object):
    return json.loads(run(*args, "--json").stdout)


def test_status_and_problems(filled, photos):
    status = run_json("status", "--library", filled)
    assert status["media"] == 8
    assert status["files"]["failed"] == 1
    (problem,) = run_json("problems", "--library", filled)
    assert problem["path"] == str(photos / "broken.jpg")
    assert problem["reason"]
    assert "8" in run("status", "--library", filled).stdout
    assert "broken.jpg" in run("problems", "--library", filled).stdout


def test_problems_of_photos_come_before_files_that_are_none(tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(30):
        (tmp_path / "in" / f"a{n:02}.txt").write_text("words\n")
    (tmp_path / "in" / "z.jpg").touch()
    library = tmp_path / "library"
    run("add", tmp_path / "in", "--library", library, "--encoder", "starter")
    lines = run("problems", "--library", library).stdout.splitlines()
    assert lines[1].startswith("failed")
    assert "10 more files" in lines[-1]
    assert len(run_json("problems", "--library", library)) == 31


def test_search_json_has_the_fixed_fields(filled, photos):
    hits = run_json("search", "an", "animal", "--library", filled, "--limit", 3)
    assert len(hits) == 3
    assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)
    for hit in hits:
        assert Path(hit["path"]).is_absolute()
        assert Path(hit["path"]).exists()
        assert len(hit["media_id"]) == 64


def test_search_by_image_finds_it_first(filled, photos):
    query = sorted(photos.glob("*.jpg"))[2]
    hits = run_json("search", "--image", query, "--limit", 1, "--library", filled)
    assert hits[0]["path"] == str(query)


def test_not_and_where_narrow_the_results(filled):
    every = run_json("search", "--where", "pixels>0", "--library", filled)
    assert len(every) == 8
    assert all(hit["score"] is None for hit in every)
    wide = run_json("search", "x", "--where", "orientation:landscape", "--library", filled)
    assert all(hit["size_wh"][0] > hit["size_wh"][1] for hit in wide)
    assert run_json("search", "a cat", "--not", "a dog", "--library", filled)


def test_paths_and_table(filled):
    listed = run("search", "water", "--paths", "--limit", 2, "--library", filled).stdout
    assert all(Path(line).exists() for line in listed.splitlines())
    assert len(listed.splitlines()) == 2
    assert "score" in run("search", "water", "--library", filled).stdout


def test_library_before_the_command(filled):
    assert run_json("--library", filled, "status")["media"] == 8


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["search"], "Say what to look for"),
        (["search", "--where", "taken>>3"], "taken>>3"),
        (["search", "--image", "nowhere.jpg"], "nowhere.jpg"),
        (["similar", "nowhere.jpg"], "not in this library"),
        (["tag", "--add", "x"], "Name the photos"),
        (["library", "encoder", "no-such-model"], "no-such-model"),
        (["library", "encoder", "starter", "--precision", "int8"], "int8"),
        (["add", "/no/such/place"], "/no/such/place"),
    ],
)
def test_wrong_input_is_one_sentence(filled, args, words):
    result = run(*args, "--library", filled, ok=False)
    assert isinstance(result.exception, FramekeepError)
    assert words in str(result.exception)


def test_a_library_that_is_not_there(tmp_path):
    result = run("search", "x", "--library", tmp_path / "none", ok=False)
    assert "framekeep add" in str(result.exception)
    assert not (tmp_path / "none").exists()


def test_tags(filled, photos):
    photo = sorted(photos.glob("*.jpg"))[1]
    run("tag", photo, "--add", "mine", "--add", "Mine", "--library", filled)
    assert run_json("tag", "--library", filled) == {"mine": 1}
    (hit,) = run_json("search", "--where", "tag:mine", "--library", filled)
    assert hit["tags"] == ["mine"]
    assert run_json("tag", "--where", "tag:mine", "--remove", "mine", "--library", filled) == {
        "media": 1
    }
    assert run_json("tag", "--library", filled) == {}


def test_similar_leaves_the_photo_itself_out(filled, photos):
    photo = sorted(photos.glob("*.jpg"))[1]
    hits = run_json("similar", photo, "--limit", 50, "--library", filled)
    assert len(hits) == 7
    assert str(photo) not in [hit["path"] for hit in hits]


def test_export_list(filled, tmp_path):
    out = tmp_path / "list.csv"
    run("export-list", out, "water", "--limit", 3, "--library", filled)
    assert len(out.read_text().splitlines()) == 4
    assert "exists" in str(run("export-list", out, "x", "--library", filled, ok=False).exception)
    run("export-list", out, "x", "--format", "jsonl", "--force", "--library", filled)
    assert all(json.loads(line)["path"] for line in out.read_text().splitlines())


def test_duplicates(tmp_path):
    picture = write_picture(tmp_path / "in" / "a.png")
    shutil.copy(picture, tmp_path / "in" / "b.png")
    library = tmp_path / "library"
    run("add", tmp_path / "in", "--library", library, "--encoder", "starter")
    (group,) = run_json("duplicates", "--library", library)
    assert len(group["paths"]) == 2
    assert run_json("duplicates", "--kind", "perceptual", "--library", library) == []


def test_repair_says_what_it_mended(filled):
    assert run_json("repair", "--library", filled)["checked"] == 8
    shutil.rmtree(filled / "chroma")
    assert run_json("repair", "--library", filled)["added"] == 8
    assert len(run_json("search", "x", "--library", filled)) == 8


def test_clear_asks_and_leaves_the_photos(tmp_path):
    picture = write_picture(tmp_path / "in" / "a.png")
    library = tmp_path / "library"
    run("add", tmp_path / "in", "--library", library, "--encoder", "starter")
    assert run("library", "clear", "--library", library, ok=False).exit_code == 1
    assert run_json("status", "--library", library)["media"] == 1
    run("library", "clear", "--yes", "--library", library)
    assert picture.exists()
    run("add", tmp_path / "in", "--library", library, "--encoder", "starter")
    assert run_json("status", "--library", library)["media"] == 1


def test_demo_shows_real_results(tmp_path):
    output = run("demo", "--no-app", "--library", tmp_path / "demo").stdout
    assert output.count("framekeep search") >= 5
    assert "demo-" in output
    assert "framekeep add" in output
    assert "clip-vit-b-32" in output
