"""The base class, what it keeps, and windows onto pictures."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framekeep.errors import InputError, NotFoundError
from framekeep.object_types import Prompt
from framekeep.segmenters.base import Kept, inside_picture
from framekeep.segmenters.registry import choose_default, describe, load_segmenter, names
from framekeep.segmenters.windows import around, box_in, full_size, seen_from
from framekeep.settings import Settings

sides = st.integers(1, 400)
edges = st.floats(-500, 900, allow_nan=False)


@given(sides, sides, edges, edges, st.floats(1, 300), st.floats(1, 300))
def test_a_box_is_cut_to_the_picture_or_refused(width, height, left, top, wide, high):
    prompt = Prompt(box_xyxy=(left, top, left + wide, top + high))
    try:
        box = inside_picture(prompt, (width, height)).box_xyxy
    except InputError:
        shown = min(left + wide, width) - max(left, 0), min(top + high, height) - max(top, 0)
        assert min(shown) < 1
        return
    assert box is not None
    assert 0 <= box[0] < box[2] <= width
    assert 0 <= box[1] < box[3] <= height


@given(sides, sides, st.floats(0, 1), st.floats(0, 1))
def test_points_in_the_picture_lie_on_a_pixel(width, height, x, y):
    prompt = Prompt(points_xy=((x * width, y * height),), point_labels=(1,))
    ((column, row),) = inside_picture(prompt, (width, height)).points_xy
    assert 0 <= int(column) < width
    assert 0 <= int(row) < height


def test_what_was_used_last_is_kept():
    made: list[int] = []

    def make(image):
        made.append(int(image[0, 0, 0]))
        return made[-1]

    pictures = [np.full((2, 2, 3), n, np.uint8) for n in range(4)]
    kept: Kept[int] = Kept(2)
    for n in (0, 1, 0, 2, 0, 1):
        assert kept.of(str(n), pictures[n], make) == n
    assert made == [0, 1, 2, 1]
    assert len(kept) == 2
    assert kept.of(None, pictures[3], make) == 3
    assert kept.of(None, pictures[3], make) == 3
    assert made == [0, 1, 2, 1, 3, 3]


def test_another_size_under_the_same_key_is_another_picture():
    kept: Kept[tuple[int, ...]] = Kept(4)
    for shape in ((2, 2, 3), (4, 2, 3)):
        assert kept.of("key", np.zeros(shape, np.uint8), lambda image: image.shape) == shape


def test_threads_agree_on_what_is_kept():
    kept: Kept[object] = Kept(4)
    image = np.zeros((2, 2, 3), np.uint8)
    ready = threading.Barrier(4)
    seen: list[object] = []

    def work() -> None:
        ready.wait()
        seen.append(kept.of("key", image, lambda _: object()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, seen))) == 1


@given(st.data())
def test_a_window_has_the_box_and_lies_inside(data):
    width, height = data.draw(sides), data.draw(sides)
    left, top = data.draw(st.floats(0, width - 1)), data.draw(st.floats(0, height - 1))
    box = (left, top, data.draw(st.floats(left + 1, width)), data.draw(st.floats(top + 1, height)))
    window = around(box, data.draw(st.floats(0, 1)), (0, 0, width, height))
    assert 0 <= window[0] <= box[0] < box[2] <= window[2] <= width
    assert 0 <= window[1] <= box[1] < box[3] <= window[3] <= height


def test_a_mask_comes_back_from_a_window_where_it_was():
    window = (40, 20, 140, 100)
    part = np.zeros((40, 50), bool)
    part[10:30, 5:25] = True
    full = full_size(part, window, (120, 200, 3))
    assert full.shape == (120, 200)
    assert full.sum() == pytest.approx(40 * 40, rel=0.05)
    assert box_in(part, window) == (50, 40, 90, 80)
    assert full[41:79, 51:89].mean() > 0.98


def test_a_map_seen_from_another_window():
    values = np.zeros((50, 50), np.float32)
    values[20:30, 20:30] = 1
    same = seen_from(values, (0, 0, 100, 100), (0, 0, 100, 100), (50, 50))
    assert np.allclose(same, values, atol=1e-5)
    closer = seen_from(values, (0, 0, 100, 100), (40, 40, 60, 60), (30, 30))
    assert closer.mean() > 0.9
    away = seen_from(values, (0, 0, 100, 100), (200, 0, 300, 100), (30, 30))
    assert not away.any()


def test_the_registry_knows_the_shipped_one_first(tmp_path):
    settings = Settings(models=tmp_path)
    assert names(settings)[0] == "starter"
    assert describe("starter", settings) == load_segmenter("starter", settings).info
    assert choose_default(settings) == "starter"
    with pytest.raises(NotFoundError, match="starter"):
        describe("no such thing", settings)
