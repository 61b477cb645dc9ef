"""What is written is read again: COCO to the pixel, YOLO to 0.98 and nearly always to the pixel."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.export.read_coco import read_coco
from framekeep.export.read_yolo import read_yolo
from framekeep.export.records import Dataset
from framekeep.geometry import encode_part, mask_bbox, mask_iou
from tests.helpers.coco_yolo import picture, save_coco, save_yolo, thing
from tests.helpers.masks import masks

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)
SPLITS = ("train", "val", "test")


@st.composite
def datasets(draw):
    """Up to five pictures with up to four objects each, in splits or not, of Unicode classes."""
    classes = tuple(draw(st.lists(names, min_size=1, max_size=4, unique=True)))
    splits = draw(st.sampled_from([("",), SPLITS]))
    images = []
    for number in range(draw(st.integers(0, 5))):
        mask = draw(masks(empty=False, longest=24))
        height, width = mask.shape
        objects = []
        for index in range(draw(st.integers(0, 4))):
            changed = np.roll(mask, (index, 2 * index), axis=(0, 1))
            changed[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
            attributes = tuple(
                draw(st.dictionaries(names, st.text(max_size=5), max_size=2)).items()
            )
            score = draw(st.floats(0, 1))
            label = draw(st.sampled_from(classes))
            objects.append(thing(changed, label, index, score=score, attributes=attributes))
        images.append(picture(number, (width, height), objects, draw(st.sampled_from(splits))))
    return Dataset(classes, tuple(images), splits)


@settings(max_examples=40, deadline=None)
@given(datasets(), st.sampled_from(["rle", "polygon"]))
def test_coco_comes_back_exactly(tmp_path_factory, dataset, kind):
    folder = tmp_path_factory.mktemp("coco")
    save_coco(dataset, folder, kind)
    images, problems = read_coco(folder)
    assert problems == []
    read = {image.path.name: image for image in images}
    assert len(read) == len(images) == len(dataset.images)
    for image in dataset.images:
        other = read[image.file_name]
        assert other.path == folder / image.split / "images" / image.file_name
        assert (other.size_wh, other.split) == (image.size_wh, image.split)
        assert [(o.label, o.mask, o.score, o.attributes, o.is_box) for o in other.objects] == [
            (o.label, o.mask, o.score, o.attributes, False) for o in image.objects
        ]


@settings(max_examples=25, deadline=None)
@given(datasets(), st.sampled_from(["segment", "detect"]))
def test_yolo_comes_back(tmp_path_factory, dataset, task):
    folder = tmp_path_factory.mktemp("yolo")
    save_yolo(dataset, folder, task)
    images, problems = read_yolo(folder)
    assert problems == []
    read = {image.path.name: image for image in images}
    assert len(read) == len(images) == len(dataset.images)
    for image in dataset.images:
        other = read[image.file_name]
        assert (other.size_wh, other.split) == (image.size_wh, image.split or "train")
        assert [o.label for o in other.objects] == [o.label for o in image.objects]
        for one, found in zip(image.objects, other.objects, strict=True):
            assert found.is_box == (task == "detect")
            if task == "detect":
                assert mask_bbox(found.mask) == one.bbox_xyxy
            else:
                assert mask_iou(found.mask, one.mask) >= 0.98
                assert found.mask == one.mask or max(image.size_wh) > 16


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_a_thousand_objects_in_one_picture(tmp_path, kind):
    size_wh = (2000, 1500)
    things = []
    for number in range(1000):
        row, column = divmod(number, 40)
        part = np.ones((20 + number % 7, 30), np.bool_)
        part[5:8, 10:12] = number % 3 == 0
        mask = encode_part(part, (column * 50 + 3, row * 60), size_wh)
        things.append(thing(mask, f"class {number % 10}", number))
    classes = tuple(f"class {number}" for number in range(10))
    dataset = Dataset(classes, (picture(1, size_wh, things),))
    start = time.process_time()
    if kind == "coco":
        save_coco(dataset, tmp_path)
        images, problems = read_coco(tmp_path)
    else:
        save_yolo(dataset, tmp_path)
        images, problems = read_yolo(tmp_path)
    assert time.process_time() - start < 10
    assert problems == []
    assert [(o.label, o.mask) for o in images[0].objects] == [(o.label, o.mask) for o in things]
