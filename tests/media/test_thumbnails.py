"""The thumbnail cache on disk: sizes, bound, and many writers at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.media.thumbnails import LONGEST_PX, ThumbnailCache
from framekeep.types import ThumbnailSize
from tests.helpers.catalog import media_ids
from tests.helpers.pictures import noisy

A, B = media_ids(2)
DAY_S = 86_400


def rgb(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.asarray(noisy((30, 40, 200), (width, height), seed))


@pytest.fixture
def cache(tmp_path: Path) -> ThumbnailCache:
    return ThumbnailCache(tmp_path / "thumbnails", 1_000_000_000)


def names(cache: ThumbnailCache) -> set[str]:
    return {str(p.relative_to(cache.folder)) for p in cache.folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("size", ["small", "large", "preview"])
def test_the_longer_side_is_as_said_and_the_picture_the_same(
    cache: ThumbnailCache, size: ThumbnailSize
) -> None:
    halves = np.zeros((1500, 3000, 3), np.uint8)
    halves[:, :1500] = (250, 10, 10)
    path = cache.put(A, size, halves)
    assert path == cache.get(A, size)
    assert path.relative_to(cache.folder) == Path(size) / A[:2] / f"{A}.webp"
    with Image.open(path) as image:
        assert image.format == "WEBP"
        longest = LONGEST_PX[size]
        assert image.size == (longest, longest // 2)
        left, right = image.getpixel((5, 5)), image.getpixel((longest - 5, 5))
    assert left[0] > 200
    assert max(right) < 40


def test_nothing_is_enlarged_and_a_thin_picture_keeps_a_pixel(cache: ThumbnailCache) -> None:
    with Image.open(cache.put(A, "large", rgb(200, 100))) as image:
        assert image.size == (200, 100)
    with Image.open(cache.put(B, "small", rgb(4000, 1))) as image:
        assert image.size == (320, 1)


def test_what_is_not_there_is_none(cache: ThumbnailCache) -> None:
    assert cache.get(A, "small") is None
    cache.put(A, "small", rgb(50, 50))
    assert cache.get(A, "large") is None


@pytest.mark.parametrize(
    ("decoded", "full", "kept"),
    [
        ((1300, 900), (5200, 3600), {"small", "large"}),
        ((640, 400), (5120, 3200), {"small", "large"}),
        ((639, 400), (5112, 3200), {"small"}),
        ((320, 200), (2560, 1600), {"small"}),
        ((319, 200), (2552, 1600), set()),
        ((200, 100), (200, 100), {"small", "large"}),
        ((400, 700), (400, 700), {"small", "large"}),
    ],
)
def test_while_adding_only_what_the_decoded_picture_gives(
    cache: ThumbnailCache, decoded: tuple[int, int], full: tuple[int, int], kept: set[str]
) -> None:
    cache.put_new(A, rgb(*decoded), full)
    assert names(cache) == {f"{size}/{A[:2]}/{A}.webp" for size in kept}


def test_a_folder_that_cannot_be_written_hinders_nothing(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").touch()
    cache = ThumbnailCache(tmp_path / "thumbnails", 1_000_000)
    cache.put_new(A, rgb(50, 50), (50, 50))
    assert cache.get(A, "small") is None
    with pytest.raises(OSError, match=r".+"):
        cache.put(A, "small", rgb(50, 50))


def test_those_used_longest_ago_go_first(tmp_path: Path) -> None:
    ids = media_ids(20)
    big = ThumbnailCache(tmp_path, 1_000_000_000)
    for n, media_id in enumerate(ids):
        path = big.put(media_id, "small", rgb(64, 64, seed=n))
        os.utime(path, (DAY_S * (n + 1), DAY_S * (n + 1)))
    assert big.get(ids[0], "small")  # used now, so it is the youngest
    total = sum(path.stat().st_size for path in tmp_path.rglob("*.webp"))
    ThumbnailCache(tmp_path, total).shrink()
    assert len(names(big)) == 20
    ThumbnailCache(tmp_path, total // 2).shrink()
    kept = [media_id for media_id in ids if big.place(media_id, "small").exists()]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.webp")) <= total // 2
    assert kept == [ids[0], *ids[-len(kept) + 1 :]]
    assert 5 <= len(kept) <= 10


def test_the_bound_is_held_while_writing(tmp_path: Path) -> None:
    bound = 60_000
    for start in range(0, 200, 10):  # each a process that writes little
        cache = ThumbnailCache(tmp_path, bound)
        for n, media_id in enumerate(media_ids(10, start)):
            cache.put(media_id, "small", rgb(64, 64, seed=n))
    held = sum(path.stat().st_size for path in tmp_path.rglob("*.webp"))
    written = 200 * held / len(names(cache))
    assert written > 2 * bound
    assert 0 < held <= 1.3 * bound


def test_what_a_killed_writer_left_goes_a_day_later(cache: ThumbnailCache) -> None:
    path = cache.put(A, "small", rgb(50, 50))
    young, old = (path.with_suffix(f".{name}.part") for name in ("young", "old"))
    for part in (young, old):
        part.write_bytes(b"half")
    os.utime(old, (DAY_S, DAY_S))
    ThumbnailCache(cache.folder, 1).shrink()
    assert names(cache) == {str(young.relative_to(cache.folder))}


def test_a_use_is_noted_once_a_day(cache: ThumbnailCache) -> None:
    path = cache.put(A, "small", rgb(50, 50))
    recently, long_ago = time.time() - DAY_S / 2, time.time() - 3 * DAY_S
    os.utime(path, (recently, recently))
    cache.get(A, "small")
    assert abs(path.stat().st_mtime - recently) < 1
    os.utime(path, (long_ago, long_ago))
    cache.get(A, "small")
    assert path.stat().st_mtime > recently


def test_threads_may_write_the_same_picture(cache: ThumbnailCache) -> None:
    picture = rgb(400, 300)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cache.put(A, "small", picture), range(40)))
    assert names(cache) == {f"small/{A[:2]}/{A}.webp"}
    with Image.open(cache.place(A, "small")) as image:
        image.load()


def test_processes_may_share_a_folder(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
import numpy as np
from framekeep.media.thumbnails import ThumbnailCache
cache = ThumbnailCache(Path(sys.argv[1]), 20_000)
noise = np.random.default_rng(0)
for n in range(60):
    cache.put(f"{n % 30:064x}", "small", noise.integers(0, 255, (64, 64, 3)).astype(np.uint8))
    cache.shrink()
"""
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left
    assert {path.suffix for path in left} == {".webp"}
    assert sum(path.stat().st_size for path in left) <= 40_000
    for path in left:
        with Image.open(path) as image:
            image.load()
