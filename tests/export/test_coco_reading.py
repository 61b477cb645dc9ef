"""Reading COCO: every form of a mask, and one problem for each thing that does not fit."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framekeep.errors import InputError
from framekeep.export import read_coco as module
from framekeep.export.read_coco import read_coco
from framekeep.geometry import decode_mask, encode_mask
from framekeep.runs import runs_of

SQUARE = np.zeros((6, 8), np.bool_)
SQUARE[1:4, 2:5] = True
RLE = {"size": [6, 8], "counts": encode_mask(SQUARE).counts}


def document(**more):
    """One picture of 8 x 6 with one square object."""
    return {
        "images": [{"id": 1, "width": 8, "height": 6, "file_name": "images/a.jpg"}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "segmentation": RLE}],
    } | more


def save(folder: Path, content: object, name: str = "annotations.json") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return file


def annotated(tmp_path, **fields):
    """What is read of the document with other fields in its annotation."""
    content = document()
    content["annotations"][0] |= fields
    images, problems = read_coco(save(tmp_path, content))
    assert len(images) == 1
    return images[0].objects, [(problem.where, problem.what) for problem in problems]


@pytest.mark.parametrize(
    "segmentation",
    [
        RLE,
        {"size": [6, 8], "counts": runs_of(encode_mask(SQUARE)).tolist()},
        [[2, 1, 5, 1, 5, 4, 2, 4]],
        [[2, 1, 4, 1, 4, 4, 2, 4], [4, 1, 5, 1, 5, 4, 4, 4]],
        [2.0, 1.0, 5.0, 1.0, 5.0, 4.0, 2.0, 4.0],
    ],
    ids=["compressed", "uncompressed", "polygon", "two rings", "flat ring"],
)
def test_all_forms_of_a_mask(tmp_path, segmentation):
    (found,), problems = annotated(tmp_path, segmentation=segmentation)
    assert problems == []
    assert (found.label, found.is_box, found.score) == ("cat", False, 1.0)
    assert found.mask == encode_mask(SQUARE)


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_a_box_alone_fills_its_mask(tmp_path, segmentation):
    (found,), problems = annotated(tmp_path, segmentation=segmentation, bbox=[2, 1, 3, 3])
    assert problems == []
    assert found.is_box
    assert found.mask == encode_mask(SQUARE)


def test_scores_attributes_and_crowds(tmp_path):
    given_attributes = {"hue": "red", "size": 3, "nested": {"a": 1}, "none": None}
    (found,), problems = annotated(tmp_path, score=0.5, attributes=given_attributes, iscrowd=1)
    assert problems == []
    assert found.score == 0.5
    assert found.attributes == (("hue", "red"), ("size", "3"), ("iscrowd", "1"))
    for odd in (-1, 7, "high", True, None):
        assert annotated(tmp_path, score=odd)[0][0].score == 1.0


def test_what_reaches_beyond_the_picture_is_cut_off_and_told(tmp_path):
    (found,), (problem,) = annotated(tmp_path, segmentation=[[-4, -4, 2, -4, 2, 1, -4, 1]])
    assert decode_mask(found.mask).sum() == 2
    assert problem == (
        "annotations.json, annotation 1",
        "The object reaches beyond the picture; it was cut off at the border.",
    )
    (found,), (problem,) = annotated(tmp_path, segmentation=None, bbox=[6, 4, 50, 50])
    assert decode_mask(found.mask).sum() == 4
    assert "beyond" in problem[1]
    assert annotated(tmp_path, segmentation=None, bbox=[-0.5, -0.5, 9, 7])[1] == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"category_id": 9}, "no category with the id 9"),
        ({"category_id": None}, "An id is missing"),
        ({"image_id": 2}, "no picture with the id 2"),
        ({"image_id": [1]}, "An id is missing"),
        ({"segmentation": [[1, 2, 3]]}, "at least six"),
        ({"segmentation": [[1, 1, 5, 5]]}, "at least six"),
        ({"segmentation": [[1, 1, 5, 5, 3, 3, 2]]}, "even number"),
        ({"segmentation": [[1, 1, 5, float("nan"), 3, 3]]}, "finite"),
        ({"segmentation": [[1, 1, 5, float("inf"), 3, 3]]}, "finite"),
        ({"segmentation": [[1, 1, 5, 10**400, 3, 3]]}, "finite"),
        ({"segmentation": [[1, 1, 5, "3", 3, 3]]}, "finite"),
        ({"segmentation": [[1, 1, 5, 1, 5, 5], "x"]}, "even number"),
        ({"segmentation": "polygon"}, "neither polygons nor run lengths"),
        ({"segmentation": [[20, 20, 30, 20, 30, 30]]}, "covers no pixel"),
        ({"segmentation": {"size": [6, 8], "counts": [48]}}, "covers no pixel"),
        ({"segmentation": {"size": [8, 6], "counts": RLE["counts"]}}, "[8, 6]"),
        ({"segmentation": {"size": [10**9, 10**9], "counts": "1"}}, "the picture has [6, 8]"),
        ({"segmentation": {"counts": RLE["counts"]}}, "height and width None"),
        ({"segmentation": {"size": [6, 8]}}, "no counts"),
        ({"segmentation": {"size": [6, 8], "counts": "hello"}}, "do not fill"),
        ({"segmentation": {"size": [6, 8], "counts": ""}}, "at least one pixel"),
        ({"segmentation": {"size": [6, 8], "counts": [40, 9]}}, "do not fill"),
        ({"segmentation": {"size": [6, 8], "counts": [50, -2]}}, "do not fill"),
        ({"segmentation": {"size": [6, 8], "counts": [40, [8]]}}, "do not fill"),
        ({"segmentation": None}, "neither a segmentation nor a bbox"),
        ({"segmentation": None, "bbox": [1, 1, 2]}, "four numbers"),
        ({"segmentation": None, "bbox": [1, 1, 2, "3"]}, "four numbers"),
        ({"segmentation": None, "bbox": "1 1 2 3"}, "four numbers"),
        ({"segmentation": None, "bbox": [1, 1, float("nan"), 2]}, "four numbers"),
        ({"segmentation": None, "bbox": [1, 1, 0, 2]}, "no area"),
        ({"segmentation": None, "bbox": [1, 1, -2, 2]}, "no area"),
        ({"segmentation": None, "bbox": [30, 1, 2, 2]}, "no area"),
    ],
)
def test_what_does_not_fit_is_a_problem(tmp_path, fields, words):
    objects, ((where, what),) = annotated(tmp_path, **fields)
    assert objects == ()
    assert where == "annotations.json, annotation 1"
    assert words in what
    assert what.endswith(".")


def read_with(tmp_path, part, entries):
    content = document()
    content[part] += entries
    images, problems = read_coco(save(tmp_path, content))
    return images, [f"{problem.where}: {problem.what}" for problem in problems]


def test_ids_that_are_used_twice(tmp_path):
    again = document()["annotations"][0]
    images, (problem,) = read_with(tmp_path, "annotations", [again, again | {"id": 2}])
    assert "another annotation" in problem
    assert len(images[0].objects) == 2
    twin = {"id": 1, "width": 9, "height": 9, "file_name": "images/b.jpg"}
    images, (problem,) = read_with(tmp_path, "images", [twin])
    assert "another picture" in problem
    assert [image.size_wh for image in images] == [(8, 6)]
    images, (problem,) = read_with(tmp_path, "categories", [{"id": 3, "name": "dog"}])
    assert "another category" in problem
    assert images[0].objects[0].label == "cat"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("picture", "no JSON object"),
        ({"width": 1, "height": 1, "file_name": "x.jpg"}, "An id is missing"),
        ({"id": 2, "width": 1, "height": 1}, "no file_name"),
        ({"id": 2, "width": 0, "height": 1, "file_name": "x.jpg"}, "whole numbers"),
        ({"id": 2, "width": 1.5, "height": 1, "file_name": "x.jpg"}, "whole numbers"),
        ({"id": 2, "width": "8", "height": 6, "file_name": "x.jpg"}, "whole numbers"),
        ({"id": 2, "width": True, "height": 1, "file_name": "x.jpg"}, "whole numbers"),
        ({"id": 2, "width": 10**6, "height": 10**6, "file_name": "x.jpg"}, "megapixels"),
        ({"id": 2, "file_name": "x.jpg"}, "not there"),
        *(
            ({"id": 2, "width": 1, "height": 1, "file_name": name}, "outside")
            for name in (
                *("/etc/passwd", "../secret.jpg", "images/../../x.jpg", "C:\\x.jpg", "C:x.jpg"),
                *("..\\x.jpg", "\\\\server\\x.jpg", "a\0.jpg", "", "//x/y.jpg"),
                *("x" * 300, "x/" * 2000, "\ud800.jpg"),
            )
        ),
    ],
)
def test_pictures_that_do_not_fit(tmp_path, entry, words):
    images, (problem,) = read_with(tmp_path, "images", [entry])
    assert len(images) == 1
    assert words in problem


def test_a_whole_path_is_taken_within_the_dataset_or_with_its_content_id(tmp_path):
    content = document()
    inside = tmp_path / "images" / "cat.png"
    outside = tmp_path.parent / "cat.png"
    content["images"][0]["file_name"] = str(inside)
    (image,), problems = read_coco(save(tmp_path, content))
    assert (image.path, image.media_id, problems) == (inside, None, [])
    content["images"][0] |= {"file_name": str(outside), "media_id": "ab" * 32}
    (image,), problems = read_coco(save(tmp_path, content))
    assert (image.path, image.media_id, problems) == (outside, "ab" * 32, [])
    for media_id in ("AB" * 32, "ab" * 31, None, 7):
        content["images"][0]["media_id"] = media_id
        images, (problem, *_) = read_coco(save(tmp_path, content))
        assert (images, "outside" in problem.what) == ([], True)


def test_objects_of_a_picture_that_was_left_out_are_told(tmp_path):
    content = document()
    content["images"][0]["file_name"] = "/etc/passwd"
    images, (picture, found) = read_coco(save(tmp_path, content))
    assert images == []
    assert "outside" in picture.what
    assert found.what == "Its picture, 1, was left out."


@pytest.mark.parametrize("name", [None, "", "  ", ["cat"], "\ud800"])
def test_categories_need_names(tmp_path, name):
    images, (problem,) = read_with(tmp_path, "categories", [{"id": 4, "name": name}])
    assert "has no name" in problem
    assert len(images[0].objects) == 1


def test_files_are_looked_for_within_the_folder(tmp_path):
    file = save(tmp_path / "set", document())
    ((image,), _) = read_coco(file)
    assert image.path == tmp_path / "set" / "images" / "a.jpg"
    content = document()
    content["images"][0]["file_name"] = "a.jpg"
    save(tmp_path / "set", content)
    assert read_coco(file)[0][0].path == tmp_path / "set" / "a.jpg"
    (tmp_path / "set" / "images").mkdir()
    (tmp_path / "set" / "images" / "a.jpg").touch()
    assert read_coco(file)[0][0].path == tmp_path / "set" / "images" / "a.jpg"
    content["images"][0]["file_name"] = "images\\.\\sub\\..\\a.jpg"
    save(tmp_path / "set", content)
    assert read_coco(file)[0][0].path == tmp_path / "set" / "images" / "a.jpg"


def test_sizes_that_are_not_given_come_from_the_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    Image.new("RGB", (6, 8)).save(tmp_path / "images" / "a.jpg", exif=exif)
    content = document()
    del content["images"][0]["width"]
    ((image,), problems) = read_coco(save(tmp_path, content))
    assert problems == []
    assert image.size_wh == (8, 6)


def test_the_layout_of_coco_itself(tmp_path):
    for split in ("train2017", "val2017"):
        content = document()
        content["images"][0]["file_name"] = f"{split}.jpg"
        save(tmp_path / "annotations", content, f"instances_{split}.json")
        save(tmp_path / "annotations", content, f"person_keypoints_{split}.json")
        captions = {"images": content["images"], "annotations": [{"caption": "A cat."}]}
        save(tmp_path / "annotations", captions, f"captions_{split}.json")
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{split}.jpg").touch()
    images, problems = read_coco(tmp_path)
    assert problems == []
    assert [(image.split, image.path) for image in images] == [
        ("train", tmp_path / "train2017" / "train2017.jpg"),
        ("val", tmp_path / "val2017" / "val2017.jpg"),
    ]
    alone, _ = read_coco(tmp_path / "annotations" / "instances_val2017.json")
    assert alone == images[1:]


def test_a_folder_with_a_document_for_each_split(tmp_path):
    for split in ("train", "valid", "test"):
        save(tmp_path / split, document(), "_annotations.coco.json")
    save(tmp_path, {"framekeep": "0.1"}, "manifest.json")
    save(tmp_path / "broken", "{", "annotations.json")
    images, (problem,) = read_coco(tmp_path)
    assert [image.split for image in images] == ["test", "train", "val"]
    assert problem.where == "broken/annotations.json"
    assert "damaged" in problem.what


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("1" * 5000, "no JSON"),
        ([], "no COCO document"),
        ({"images": [], "annotations": []}, "no COCO document"),
        ({"images": {}, "annotations": [], "categories": []}, "no COCO document"),
    ],
)
def test_what_is_no_coco_document(tmp_path, content, words):
    with pytest.raises(InputError, match=words) as caught:
        read_coco(save(tmp_path, content))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="There is no COCO document"):
        read_coco(tmp_path)


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such file"):
        read_coco(tmp_path / "missing.json")
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(InputError, match="no JSON"):
        read_coco(tmp_path / "latin.json")
    file = save(tmp_path, document())
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="more than"):
        read_coco(file)


def test_a_byte_order_mark_and_unicode_are_no_trouble(tmp_path):
    content = document(categories=[{"id": 3, "name": "Größe 🐈"}])
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content, ensure_ascii=False), "utf-8-sig")
    assert read_coco(file)[0][0].objects[0].label == "Größe 🐈"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_that_a_document_says_is_a_crash(tmp_path_factory, data):
    content = deepcopy(document())
    part = data.draw(st.sampled_from(["images", "categories", "annotations", "segmentation"]))
    target = content["annotations"][0] if part == "segmentation" else content[part][0]
    if part == "segmentation":
        target["segmentation"] = {"size": [6, 8], "counts": "1"}
        if data.draw(st.booleans()):
            target = target["segmentation"]
    field = data.draw(st.sampled_from(sorted(target)))
    target[field] = data.draw(json_values)
    images, problems = read_coco(save(tmp_path_factory.mktemp("coco"), content))
    assert all(problem.what.endswith(".") for problem in problems)
    assert problems or all(decode_mask(o.mask).any() for image in images for o in image.objects)
