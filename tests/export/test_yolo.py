"""YOLO's labels and data.yaml: their form, and what is left of objects when they are drawn."""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.errors import InputError
from framekeep.export.records import Dataset
from framekeep.export.yolo import data_yaml, poorly_redrawn, yolo_labels
from framekeep.geometry import decode_mask, encode_part, polygons_to_mask
from tests.helpers.coco_yolo import picture, thing
from tests.helpers.masks import big_mask, masks, ring_of_pixels


def box(left, top, right, bottom, size_wh):
    mask = np.zeros(size_wh[::-1], np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def rings(text, size_wh):
    """Class and points in pixels of each line."""
    lines = [line.split() for line in text.splitlines()]
    return [(int(w[0]), np.array(w[1:], float).reshape(-1, 2) * size_wh) for w in lines]


def by_training_code(points, size_wh):
    """As YOLO's training code fills a polygon: coordinates cut down to whole pixels."""
    mask = np.zeros(size_wh[::-1], np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    return mask.astype(bool)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_lines_by_hand():
    size_wh = (10, 5)
    things = [thing(box(2, 1, 6, 3, size_wh), "dog"), thing(box(0, 0, 10, 5, size_wh), "cat")]
    image = picture(1, size_wh, things)
    assert yolo_labels(image, ("cat", "dog"), "detect") == (
        "1 0.400000 0.400000 0.400000 0.400000\n0 0.500000 0.500000 1.000000 1.000000\n"
    )
    first = "1 0.225000 0.250000 0.575000 0.250000 0.575000 0.550000 0.225000 0.550000"
    assert yolo_labels(image, ("cat", "dog")).splitlines()[0] == first


def test_a_picture_without_objects_has_an_empty_file():
    assert yolo_labels(picture(1, (4, 4)), ("cat",)) == ""
    assert yolo_labels(picture(1, (4, 4)), (), "detect") == ""


def test_what_cannot_be_written_is_refused():
    image = picture(1, (7, 7), [thing(ring_of_pixels(), "cat")])
    with pytest.raises(InputError, match="segment or detect"):
        yolo_labels(image, ("cat",), "pose")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'cat' is none"):
        yolo_labels(image, ("dog",))


@settings(max_examples=60, deadline=None)
@given(masks(empty=False, longest=40))
def test_one_line_keeps_parts_and_holes(mask):
    size_wh = mask.shape[::-1]
    image = picture(1, size_wh, [thing(mask, "cat", 5)])
    ((number, points),) = rings(yolo_labels(image, ("cat",)), size_wh)
    assert number == 0
    assert len(points) >= 3
    assert iou(polygons_to_mask([(points, [])], size_wh), mask) >= 0.98
    drawn = iou(by_training_code(points, size_wh), mask)
    in_one_piece = cv2.connectedComponents(mask.astype(np.uint8))[0] == 2
    assert drawn >= 0.98 or not in_one_piece
    poor = poorly_redrawn(image)
    assert poor == ({} if drawn >= 0.98 else {f"{5:032x}": pytest.approx(drawn)})


def test_rounding_costs_half_a_pixel_on_two_sides():
    """Who rounds coordinates instead of cutting them down draws a column and a row too many."""
    mask = box(20, 30, 120, 130, (200, 200))
    text = yolo_labels(picture(1, (200, 200), [thing(mask, "cat")]), ("cat",))
    ((_, points),) = rings(text, (200, 200))
    rounded = by_training_code(np.round(points), (200, 200))
    assert iou(by_training_code(points, (200, 200)), mask) == 1
    assert rounded.sum() == 101 * 101


def test_large_pictures_keep_their_objects():
    mask = big_mask()
    ((_, points),) = rings(
        yolo_labels(picture(1, (4000, 3000), [thing(mask, "a")]), "a"), (4000, 3000)
    )
    assert len(points) < 1000
    assert iou(polygons_to_mask([(points, [])], (4000, 3000)), mask) > 0.998
    assert iou(by_training_code(points, (4000, 3000)), mask) > 0.998


def test_a_thousand_objects_in_one_picture():
    size_wh = (4000, 3000)
    things = []
    for number in range(1000):
        row, column = divmod(number, 40)
        part = np.ones((60, 60), np.bool_)
        part[20:30, 20:22] = number % 3 == 0
        mask = encode_part(part, (column * 100 + 3, row * 100), size_wh)
        things.append(thing(mask, "cat", number))
    start = time.process_time()
    text = yolo_labels(picture(1, size_wh, things), ("cat",))
    assert time.process_time() - start < 5
    for (_, points), found in list(zip(rings(text, size_wh), things, strict=True))[::100]:
        assert (polygons_to_mask([(points, [])], size_wh) == decode_mask(found.mask)).all()


NAMES = (
    *("no", "1e3", "", "it's", 'say "a\\b"', "a: b # c", "- x"),
    *("zwei\nZeilen", "Größe 🐈\u2028\x85\x00"),
)


def test_data_yaml_by_hand():
    dataset = Dataset(("cat", 'a "b"'), (), ("train", "val", "test"))
    assert data_yaml(dataset) == (
        'train: "images/train"\nval: "images/val"\ntest: "images/test"\n'
        'nc: 2\nnames:\n  0: "cat"\n  1: "a \\"b\\""\n'
    )


def test_data_yaml_names_training_and_validation_always():
    for splits in [("",), ("train",), ("test",), ("train", "val")]:
        read = yaml.safe_load(data_yaml(Dataset((), (), splits)))
        assert {"train", "val"} <= set(read)
        assert all(read[name] == f"images/{name}" for name in splits if name)
        assert (read["nc"], read["names"]) == (0, {})


def test_data_yaml_keeps_any_name():
    read = yaml.safe_load(data_yaml(Dataset(NAMES, (), ("train", "val"))))
    assert read["names"] == dict(enumerate(NAMES))
    assert read["nc"] == len(NAMES)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_data_yaml_keeps_names_of_any_unicode(names):
    text = data_yaml(Dataset(tuple(names), ()))
    assert len(text.splitlines()) == 4 + len(names)
    assert list(yaml.safe_load(text)["names"].values()) == names


def test_detection_boxes_are_those_of_the_masks():
    size_wh = (7, 7)
    image = picture(1, size_wh, [thing(ring_of_pixels(), "cat")])
    assert yolo_labels(image, ("cat",), "detect") == "0 0.500000 0.500000 0.714286 0.714286\n"
    assert yolo_labels(replace(image, split="val"), ("dog", "cat"), "detect").startswith("1 ")
