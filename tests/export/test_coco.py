"""COCO documents: their form, and that COCO's own tools load and score them."""

from __future__ import annotations

import contextlib
import io
import json
import time
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from framekeep.errors import InputError
from framekeep.export.coco import rle_objects, write_coco
from framekeep.export.records import Dataset
from framekeep.geometry import decode_mask, encode_part
from tests.helpers.coco_yolo import picture, save_coco, thing
from tests.helpers.masks import masks, ring_of_pixels


def square(left, top, side, size_wh=(8, 6)):
    mask = np.zeros(size_wh[::-1], np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


RING = ring_of_pixels()
DATASET = Dataset(
    classes=("cat", "Größe 🐈"),
    images=(
        replace(
            picture(1, (8, 6), [thing(square(2, 1, 3), "Größe 🐈", 1, score=0.25, source="model")]),
            split="train",
            labels=("indoors",),
            tags=("trip",),
            taken_at_local=datetime(2024, 5, 17, 12, 30, 59),
        ),
        picture(2, (8, 6), [thing(square(0, 0, 1), "cat", 2)], split="val"),
        picture(
            3, (7, 7), [thing(ring_of_pixels(), "cat", 3, attributes=(("hue", "red"),))], "train"
        ),
    ),
    splits=("train", "val"),
    info={"date_created": "2024-05-20", "license": "CC0", "license_url": "https://x", "seed": "7"},
)


def loaded(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def scores(path, kind):
    """Precision (thresholds, recalls, classes) and recall (thresholds, classes) of a document
    against itself, as COCOeval finds them."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        found = truth.loadRes(json.loads(path.read_text())["annotations"])
        judge = COCOeval(truth, found, kind)
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"][..., 0, 2], judge.eval["recall"][..., 0, 2]


def test_a_document_by_hand():
    document = write_coco(DATASET, "train")
    assert document["info"] == {
        "description": "Objects found and labelled with framekeep",
        "url": "",
        "version": "1.0",
        "contributor": "",
        "date_created": "2024-05-20",
        "year": 2024,
        "seed": "7",
        "split": "train",
    }
    assert document["licenses"] == [{"id": 1, "name": "CC0", "url": "https://x"}]
    assert document["categories"] == [
        {"id": 1, "name": "cat", "supercategory": ""},
        {"id": 2, "name": "Größe 🐈", "supercategory": ""},
    ]
    first, second = document["images"]
    assert first == {
        "id": 1,
        "width": 8,
        "height": 6,
        "file_name": "images/1.png",
        "license": 1,
        "date_captured": "2024-05-17 12:30:59",
        "media_id": f"{1:064x}",
        "labels": ["indoors"],
        "tags": ["trip"],
    }
    assert (second["id"], second["date_captured"]) == (3, "")
    one, ring = document["annotations"]
    assert one == {
        "id": 1,
        "image_id": 1,
        "category_id": 2,
        "segmentation": {"size": [6, 8], "counts": one["segmentation"]["counts"]},
        "area": 9,
        "bbox": [2, 1, 3, 3],
        "iscrowd": 0,
        "segment_id": f"{1:032x}",
        "score": 0.25,
        "source": "model",
        "attributes": {},
    }
    assert (ring["id"], ring["image_id"], ring["area"]) == (3, 3, 17)
    assert ring["attributes"] == {"hue": "red"}
    assert [one["id"] for one in write_coco(DATASET, "val")["annotations"]] == [2]


def test_a_dataset_that_says_nothing_of_itself_has_info_all_the_same():
    document = write_coco(Dataset((), ()), "")
    assert document["info"]["year"] == 0
    assert "split" not in document["info"]
    assert document["licenses"][0]["name"] == "unknown"
    assert document["images"] == document["annotations"] == document["categories"] == []


def test_polygons_run_along_pixel_edges_and_holes_stay_run_lengths():
    document = write_coco(DATASET, "train", masks="polygon")
    one, ring = document["annotations"]
    assert one["segmentation"] == [[2, 1, 5, 1, 5, 4, 2, 4]]
    assert ring["segmentation"]["size"] == [7, 7]
    assert ring["iscrowd"] == 0
    assert rle_objects(document) == 1
    assert rle_objects(write_coco(DATASET, "train")) == 2


def test_what_cannot_be_written_is_refused():
    with pytest.raises(InputError, match="rle or polygon"):
        write_coco(DATASET, "train", masks="bitmap")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'cat' is none"):
        write_coco(replace(DATASET, classes=("dog",)), "val")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("kind", ["rle", "polygon"])
def test_cocos_own_tools_read_the_same_masks(tmp_path, kind):
    for split, file in zip(DATASET.splits, save_coco(DATASET, tmp_path, kind), strict=True):
        coco = loaded(file)
        objects = [o for i in DATASET.images if i.split == split for o in i.objects]
        drawn = [coco.annToMask(annotation) for annotation in coco.loadAnns(coco.getAnnIds())]
        assert len(drawn) == len(objects)
        for pixels, found in zip(drawn, objects, strict=True):
            assert (pixels == decode_mask(found.mask)).all()


@st.composite
def datasets(draw):
    """Up to four pictures, some of them empty, with up to six objects of three classes each."""
    images = []
    for number in range(draw(st.integers(1, 4))):
        first = draw(masks(empty=False))
        height, width = first.shape
        objects = []
        for index in range(draw(st.integers(0, 6))):
            mask = np.roll(first, (index * 3, index), axis=(0, 1))
            mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] ^= True
            if mask.any():
                label = draw(st.sampled_from(["a", "b", "c: 'd'"]))
                objects.append(thing(mask, label, 10 * number + index))
        images.append(picture(number, (width, height), objects))
    return Dataset(("a", "b", "c: 'd'"), tuple(images))


@settings(max_examples=25, deadline=None)
@given(datasets(), st.sampled_from(["rle", "polygon"]))
def test_a_document_scored_against_itself_is_perfect(tmp_path_factory, dataset, kind):
    (file,) = save_coco(dataset, tmp_path_factory.mktemp("coco"), kind)
    if not any(image.objects for image in dataset.images):
        assert loaded(file).getAnnIds() == []
        return
    present = {o.label for image in dataset.images for o in image.objects}
    absent = [name not in present for name in dataset.classes]
    for measure in ("bbox", "segm"):
        precision, recall = scores(file, measure)
        assert (precision[:, :, absent] == -1).all()
        assert np.delete(precision, np.flatnonzero(absent), axis=2).min() == pytest.approx(1)
        assert np.delete(recall, np.flatnonzero(absent), axis=1).min() == pytest.approx(1)


def test_average_precision_is_one_for_all_sizes(tmp_path):
    size_wh = (300, 200)
    things = [
        thing(square(5, 5, 1, size_wh), "cat", 1),
        thing(square(20, 20, 50, size_wh), "cat", 2),
        thing(square(100, 50, 120, size_wh) ^ square(120, 70, 30, size_wh), "cat", 3),
    ]
    (file,) = save_coco(Dataset(("cat",), (picture(1, size_wh, things),)), tmp_path)
    for measure in ("bbox", "segm"):
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(file))
            judge = COCOeval(truth, truth.loadRes(truth.dataset["annotations"]), measure)
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        averages = judge.stats[[0, 1, 2, 3, 4, 5]]
        assert averages == pytest.approx(1.0), "over all thresholds, and small, medium and large"


def test_a_thousand_objects_in_one_picture(tmp_path):
    size_wh = (4000, 3000)
    things = []
    for number in range(1000):
        row, column = divmod(number, 40)
        part = np.ones((60, 60), np.bool_)
        part[20:30, 20:22] = number % 3 == 0
        things.append(
            thing(encode_part(part, (column * 100 + 3, row * 100), size_wh), "cat", number)
        )
    dataset = Dataset(("cat",), (picture(1, size_wh, things),))
    start = time.process_time()
    write_coco(dataset, "", masks="polygon")
    assert time.process_time() - start < 5
    for kind in ("rle", "polygon"):
        (file,) = save_coco(dataset, tmp_path, kind)
        coco = loaded(file)
        read = [coco.annToRLE(one)["counts"] for one in coco.loadAnns(coco.getAnnIds())]
        read = [counts if isinstance(counts, str) else counts.decode() for counts in read]
        assert read == [one.mask.counts for one in things]
