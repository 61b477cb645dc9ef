"""What a page may name: folders to read below the allowed roots, places to write a dataset to."""

from __future__ import annotations

from pathlib import Path

import pytest

from framekeep.app.folders import allowed_folder, allowed_target, is_former_export, is_free
from framekeep.errors import InputError


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "library"
    (folder / "chroma").mkdir(parents=True)
    return folder


def test_a_name_lies_among_the_librarys_exports(library: Path, tmp_path: Path) -> None:
    for name in ("dogs", "Hunde & Katzen", "dogs 2.0", "日本"):
        assert allowed_target(name, [tmp_path / "home"], library) == library / "exports" / name


def test_a_whole_path_lies_below_a_root(library: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "home" / "sets" / "dogs"
    assert allowed_target(f" {wanted} ", [tmp_path / "home"], library) == wanted
    # Where the library lies outside the roots, its exports are still a place to write to.
    exported = library / "exports" / "dogs"
    assert allowed_target(str(exported), [tmp_path / "elsewhere"], library) == exported


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("", "Give the dataset a name"),
        ("..", "whole path"),
        (".", "whole path"),
        ("sets/dogs", "whole path"),
        ("/etc/dogs", "lies outside"),
        ("{home}/../other/dogs", "lies outside"),
        ("{home}/out/dogs", "lies outside"),
        ("{home}", "holds more than a dataset"),
        ("{home}/library", "lies within the library"),
        ("{home}/library/chroma", "lies within the library"),
        ("{home}/library/exports", "lies within the library"),
        ("{home}/library/exports/../chroma", "lies within the library"),
        ("escape", "lies outside"),
        ("a\0b", "cannot be opened"),
    ],
)
def test_nothing_is_written_elsewhere(named: str, said: str, library: Path, tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    other.mkdir()
    (home / "out").symlink_to(other)
    (library / "exports").mkdir()
    (library / "exports" / "escape").symlink_to(other)
    with pytest.raises(InputError, match=said):
        allowed_target(named.format(home=home), [home], library)


def test_a_folder_that_holds_the_library_is_no_target(library: Path, tmp_path: Path) -> None:
    inner = tmp_path / "home" / "deep" / "library"
    (inner / "exports").mkdir(parents=True)
    with pytest.raises(InputError, match="holds more than a dataset"):
        allowed_target(str(inner.parent), [tmp_path / "home"], inner)


def test_free_and_former(tmp_path: Path) -> None:
    assert is_free(tmp_path / "nothing")
    assert is_free(tmp_path)
    assert not is_former_export(tmp_path)
    (tmp_path / "photo.jpg").touch()
    assert not is_free(tmp_path)
    assert not is_free(tmp_path / "photo.jpg")
    (tmp_path / "manifest.json").touch()
    assert not is_former_export(tmp_path)
    (tmp_path / "report.json").touch()
    assert is_former_export(tmp_path)


def test_a_folder_to_read_is_there_and_below_a_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert allowed_folder(str(tmp_path / "in"), [tmp_path]) == tmp_path / "in"
    with pytest.raises(InputError, match="There is no folder"):
        allowed_folder(str(tmp_path / "no"), [tmp_path])
    with pytest.raises(InputError, match="lies outside"):
        allowed_folder(str(tmp_path / "in" / ".." / ".."), [tmp_path])
    for text in ("", "  "):
        with pytest.raises(InputError, match="Name a folder"):
            allowed_folder(text, [tmp_path])
