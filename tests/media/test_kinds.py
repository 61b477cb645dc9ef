"""Photo or film: by content, whatever the name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import MediaError, UnsupportedMediaError
from framekeep.media.images import picture_kind, read_photo
from framekeep.media.kinds import media_kind, webp_times_ms
from framekeep.media.scan import scan
from framekeep.media.sniff import is_film
from tests.helpers.films import make_film, scene
from tests.helpers.pictures import write_picture

MAX = 1_000_000_000
FLAT = [np.full((90, 160, 3), 120, np.uint8)]


def save_animation(path: Path, count: int, duration_ms: int = 100) -> Path:
    pictures = [Image.fromarray(scene(i, (48, 32))) for i in range(count)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration_ms)
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx"),
        ("a.avi", "mpeg4"), ("a.mpg", "mpeg2video"), ("a.m2ts", "libx264"), ("a.flv", "flv"),
        ("a.mxf", "mpeg2video"), ("a.wmv", "wmv2"), ("a.ivf", "libvpx"),
    ],
)  # fmt: skip
def test_films_are_known_by_content(tmp_path: Path, name: str, codec: str) -> None:
    path = make_film(tmp_path / name, FLAT, 0.4, (160, 90), codec=codec).path
    assert is_film(path.read_bytes()[:512])
    assert media_kind(path, MAX) == ("video", "video")
    nameless = path.rename(tmp_path / "nameless")
    assert media_kind(nameless, MAX) == ("video", "video")


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_is_a_film_and_a_single_picture_a_photo(tmp_path: Path, kind: str) -> None:
    one = save_animation(tmp_path / f"one.{kind}", 1)
    two = save_animation(tmp_path / f"two.{kind}", 2)
    assert media_kind(one, MAX) == ("photo", kind)
    assert media_kind(two, MAX) == ("video", kind)
    assert picture_kind(two, MAX) == kind  # its first picture can still be read as one
    assert read_photo(str(two), min_side_px=32).size_wh == (48, 32)


def test_pictures_stay_photos(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "c.webp", "d.bmp"):
        medium, kind = media_kind(write_picture(tmp_path / name), MAX)
        assert (medium, kind) == ("photo", picture_kind(tmp_path / name, MAX))


@pytest.mark.parametrize(("ms", "counted"), [(40, 40), (10, 100), (0, 100)])
def test_times_of_an_animated_webp(tmp_path: Path, ms: int, counted: int) -> None:
    path = save_animation(tmp_path / "a.webp", 3, ms)
    assert list(webp_times_ms(path)) == [counted] * 3


def test_names_that_say_something_else(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mp4", FLAT, 0.4, (160, 90)).path
    with pytest.raises(MediaError, match="name says picture"):
        media_kind(film.rename(tmp_path / "a.jpg"), MAX)
    picture = write_picture(tmp_path / "a.png")
    with pytest.raises(MediaError, match="name says film, but the content seems to be png"):
        media_kind(picture.rename(tmp_path / "b.mp4"), MAX)
    (tmp_path / "code.ts").write_text("export const one = 1;\n")
    with pytest.raises(UnsupportedMediaError):
        media_kind(tmp_path / "code.ts", MAX)


def test_films_have_a_limit_of_their_own(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mp4", [scene(1)], 0.4, (160, 90)).path
    empty = tmp_path / "empty.mov"
    empty.touch()
    size = film.stat().st_size
    assert media_kind(film, 10, size) == ("video", "video")
    with pytest.raises(MediaError, match="FRAMEKEEP_MAX_FILM_BYTES"):
        media_kind(film, MAX, size - 1)
    with pytest.raises(MediaError, match="empty") as caught:
        media_kind(empty, MAX)
    assert not isinstance(caught.value, UnsupportedMediaError)
    problems = {
        Path(found.path).name: found.problem
        for found in scan([tmp_path], max_bytes=10, max_film_bytes=size)
    }
    assert problems["a.mp4"] is None
    assert "empty" in str(problems["empty.mov"])
    (found,) = scan([film], max_film_bytes=size - 1)
    assert "FRAMEKEEP_MAX_FILM_BYTES" in str(found.problem)


def test_a_folder_with_a_films_name_is_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.mp4" / "a.png")
    problems = [found.problem for found in scan([tmp_path])]
    assert any(problem and "film's name" in problem for problem in problems)
    assert None in problems
