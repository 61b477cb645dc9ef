"""Outlines of objects by their ids, and drawn samples for as long as they are kept."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from framekeep.app.http.outlines import MOST_AT_ONCE, SIDE_PX, Outlines, svg_path
from framekeep.app.http.samples import KEPT, LONGEST_PX, Samples
from framekeep.errors import NotFoundError
from framekeep.geometry import decode_mask, mask_iou, proposal, rings_to_mask
from framekeep.object_types import Segment
from framekeep.testing import GridSegmenter

RING = re.compile(r"M([\d.]+ [\d.]+(?:L[\d.]+ [\d.]+)*)Z")


def segment_of(mask: np.ndarray, version: int = 1) -> Segment:
    found = proposal(mask, 1.0)
    return Segment(
        "a" * 32, "b" * 64, found.mask, found.bbox_xyxy, found.area_px, 1.0, "x", version=version
    )


def rings(path: str) -> list[np.ndarray]:
    found = RING.findall(path)
    assert "".join(f"M{ring}Z" for ring in found) == path
    return [np.array([xy.split(" ") for xy in ring.split("L")], float) for ring in found]


def drawn(path: str, size_wh: tuple[int, int]) -> np.ndarray:
    """What a browser fills of a path by the even-odd rule."""
    filled = np.zeros(size_wh[::-1], bool)
    for ring in rings(path):
        filled ^= rings_to_mask([ring], size_wh)
    return filled


def ellipse(size_wh: tuple[int, int], centre_xy: tuple[float, float], axes: tuple[float, float]):
    width, height = size_wh
    y, x = np.mgrid[:height, :width] + 0.5
    return ((x - centre_xy[0]) / axes[0]) ** 2 + ((y - centre_xy[1]) / axes[1]) ** 2 <= 1


@given(
    st.tuples(st.integers(40, 900), st.integers(40, 900)),
    st.floats(0.2, 0.8),
    st.floats(0.2, 0.8),
    st.floats(0.05, 0.5),
)
def test_what_a_path_fills_is_the_object(size_wh, x, y, axis):
    width, height = size_wh
    mask = ellipse(size_wh, (x * width, y * height), (axis * width, axis * height))
    if mask.sum() < 50:
        return
    filled = drawn(svg_path(segment_of(mask)), size_wh)
    assert mask_iou(proposal(filled, 1).mask, proposal(mask, 1).mask) > 0.9


def test_a_large_object_with_a_hole_and_crumbs_keeps_both_rings():
    size_wh = (4000, 3000)
    mask = ellipse(size_wh, (2000, 1500), (1400, 1000))
    mask &= ~ellipse(size_wh, (2100, 1500), (400, 300))
    mask[10:30, 10:30] = True  # far too small to be seen
    path = svg_path(segment_of(mask))
    assert len(path) < 3000
    assert len(rings(path)) == 2
    filled = drawn(path, size_wh)
    assert mask_iou(proposal(filled, 1).mask, proposal(mask, 1).mask) > 0.97


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_the_smallest_objects_have_an_outline(shape):
    mask = np.zeros((60, 60), bool)
    mask[10 : 10 + shape[0], 10 : 10 + shape[1]] = True
    assert (drawn(svg_path(segment_of(mask)), (60, 60)) == mask).all()
    thin = np.zeros((20, 3 * SIDE_PX), bool)
    thin[5] = True
    assert rings(svg_path(segment_of(thin)))


def test_an_outline_is_kept_until_the_mask_has_another_version():
    kept = Outlines()
    first = segment_of(ellipse((80, 60), (40, 30), (20, 20)))
    second = segment_of(ellipse((80, 60), (40, 30), (9, 9)), version=2)
    path = kept.path(first)
    assert kept.path(segment_of(np.ones((60, 80), bool))) == path  # the same id and version
    assert kept.path(second) == svg_path(second) != path


def test_the_route_gives_outlines_of_objects_that_are_there(site, client):
    library = site.parts.library
    assert list(library.segment(segmenter=GridSegmenter(2)))[-1].counts.failed == 0
    hits = library.search(of="objects", limit=10)
    assert len(hits) == 10
    ids = [hit.segment.segment_id for hit in hits]
    answer = client.get(f"/fk/outlines?ids={','.join([*ids, '0' * 32])}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    paths = answer.json()
    assert set(paths) == set(ids)
    for hit in hits:
        found = paths[hit.segment.segment_id]
        assert found["version"] == 1
        filled = drawn(found["path"], hit.media.size_wh)
        mask = decode_mask(hit.segment.mask)
        assert (filled & mask).sum() / (filled | mask).sum() > 0.98


@pytest.mark.parametrize(
    "ids", ["", "x", "../a", "a" * 64, ",", "A" * 32, ",".join(["a" * 32] * (MOST_AT_ONCE + 1))]
)
def test_what_is_no_id_of_an_object_is_refused(client, ids):
    answer = client.get(f"/fk/outlines?ids={ids}")
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_samples_are_small_pictures_under_random_ids(site, client):
    picture = np.full((900, 1600, 3), (200, 30, 60), np.uint8)
    first, second = site.parts.samples.put([picture, picture])
    assert first != second
    answer = client.get(f"/fk/sample/{first}")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, no-store"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (LONGEST_PX, 360)
        assert np.abs(np.asarray(image.convert("RGB")).mean((0, 1)) - (200, 30, 60)).max() < 4
    for unknown in ("0" * 32, "x", "..%2f..%2fcatalog"):
        assert client.get(f"/fk/sample/{unknown}").status_code == 404


def test_only_the_last_samples_are_kept():
    samples = Samples()
    tiny = np.zeros((4, 4, 3), np.uint8)
    ids = samples.put([tiny] * (KEPT + 5))
    with pytest.raises(NotFoundError, match="kept no longer"):
        samples.get(ids[4])
    assert samples.get(ids[5]) == samples.get(ids[-1])
