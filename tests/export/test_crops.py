"""Crops of objects in class folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framekeep.export.crops import crop_folders, crop_names, cut_out
from framekeep.export.records import Dataset, ExportImage, ExportObject
from framekeep.geometry import encode_mask, mask_area, mask_bbox


def image_with(boxes: list[tuple[int, int, int, int]], name: str = "a.jpg") -> ExportImage:
    things = []
    for number, (left, top, right, bottom) in enumerate(boxes):
        pixels = np.zeros((20, 30), bool)
        pixels[top:bottom, left:right] = True
        mask = encode_mask(pixels)
        things.append(ExportObject(f"{number:032x}", "dog", mask, mask_bbox(mask), mask_area(mask)))
    return ExportImage("a" * 64, Path("/x/a.jpg"), name, (30, 20), tuple(things))


def test_every_split_has_a_folder_for_every_class():
    dataset = Dataset(("dog", "Dog/2", "dog:2"), (), ("train", "val"))
    folders = crop_folders(dataset)
    assert len(folders) == len({str(f).casefold() for f in folders.values()}) == 6
    assert str(folders["val", "dog"]) == "val/dog"
    assert all(len(folder.parts) == 2 for folder in folders.values())
    assert str(crop_folders(Dataset(("dog",), ()))["", "dog"]) == "dog"


def test_crops_are_called_like_their_image_with_a_number():
    assert crop_names(image_with([(0, 0, 2, 2), (1, 1, 3, 3)], "my.photo.png")) == [
        "my.photo-1.png",
        "my.photo-2.png",
    ]
    assert crop_names(image_with([])) == []


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (29, 19, 30, 20), (3, 4, 10, 15), (0, 0, 30, 20)])
def test_a_crop_is_the_box_to_the_pixel(box):
    left, top, right, bottom = box
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    thing = image_with([box]).objects[0]
    crop = cut_out(rgb, thing.bbox_xyxy)
    np.testing.assert_array_equal(crop, rgb[top:bottom, left:right])


def test_a_box_between_pixels_takes_all_it_touches_and_stays_within():
    rgb = np.zeros((20, 30, 3), np.uint8)
    assert cut_out(rgb, (0.5, 1.5, 2.5, 3.5)).shape == (3, 3, 3)
    assert cut_out(rgb, (-5.0, -5.0, 100.0, 100.0)).shape == (20, 30, 3)
    assert cut_out(rgb, (30.0, 20.0, 30.0, 20.0)).shape == (1, 1, 3)
