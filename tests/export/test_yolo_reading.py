"""Reading YOLO: layouts, lines of labels, and one problem for each thing that does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framekeep.errors import InputError
from framekeep.export import read_yolo as module
from framekeep.export.read_yolo import read_yolo
from framekeep.geometry import decode_mask

BOX = "0 0.5 0.5 0.5 0.5\n"


def put(folder: Path, name: str, labels: str | None = None, size_wh=(8, 4)) -> Path:
    """A picture, and its labels where YOLO looks for them."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size_wh).save(file)
    if labels is not None:
        path = Path(str(file).replace("/images/", "/labels/")).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(labels, encoding="utf-8")
    return file


def describe(folder: Path, text: str, name: str = "data.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def labelled(tmp_path, labels: str):
    """What is read of one picture of 8 x 4 with these labels."""
    folder = tmp_path / "set"
    put(folder, "images/a.png", labels)
    describe(folder, "train: images\nnames: [cat, dog]\n")
    ((image,), problems) = read_yolo(folder)
    return image.objects, [(problem.where, problem.what) for problem in problems]


def test_boxes_and_polygons_in_one_file(tmp_path):
    triangle = "1 0 0 1 0 0 1\n"
    (one, other), problems = labelled(tmp_path, BOX + "\n" + triangle)
    assert problems == []
    assert (one.label, one.is_box, one.score) == ("cat", True, 1.0)
    assert np.argwhere(decode_mask(one.mask)).tolist() == [
        [y, x] for y in (1, 2) for x in range(2, 6)
    ]
    assert (other.label, other.is_box) == ("dog", False)
    assert decode_mask(other.mask).sum() == 7 + 5 + 3 + 1


def test_predictions_bring_their_score(tmp_path):
    (box, polygon), problems = labelled(tmp_path, "0 .5 .5 .5 .5 .75\n1.0 0 0 1 0 1 1 0 1 0.25\n")
    assert problems == []
    assert (box.score, polygon.score) == (0.75, 0.25)
    assert decode_mask(polygon.mask).all()


def test_shares_may_leave_the_picture_by_a_hair(tmp_path):
    (found,), problems = labelled(tmp_path, "0 -0.000001 0 1.000001 0 1.005 1 0 1\n")
    assert problems == []
    assert decode_mask(found.mask).all()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.5", "box of four numbers"),
        ("0", "box of four numbers"),
        ("0 0.5 0.5 0.5 x", "numbers only"),
        ("cat 0.5 0.5 0.5 0.5", "numbers only"),
        ("0 0.5 0.5 nan 0.5", "not finite"),
        ("0 0.5 0.5 1e999 0.5", "not finite"),
        ("2 0.5 0.5 0.5 0.5", "no class 2"),
        ("-1 0.5 0.5 0.5 0.5", "no class -1"),
        ("0.5 0.5 0.5 0.5 0.5", "no class 0.5"),
        ("1e300 0.5 0.5 0.5 0.5", "no class 1e300"),
        ("0 4 2 4 2", "between 0 and 1"),
        ("0 0.5 0.5 0.5 0.5 7", "between 0 and 1"),
        ("0 0 0 1 0 -0.5 1", "between 0 and 1"),
        ("0 0.5 0.5 0 0.5", "no area"),
        ("0 0 0 0.01 0 0.01 0.01", "covers no pixel"),
        ("0 0 0 1 1 0 0", "covers no pixel"),
    ],
)
def test_lines_that_do_not_fit_are_told_by_number(tmp_path, line, words):
    (found,), ((where, what),) = labelled(tmp_path, f"{BOX}\n{line}\n")
    assert found.label == "cat"
    assert where == "labels/a.txt, line 3"
    assert words in what


def test_pictures_without_labels_are_empty(tmp_path):
    put(tmp_path, "images/none.png")
    put(tmp_path, "images/empty.png", "")
    describe(tmp_path, "train: images\nnames: [cat]\n")
    images, problems = read_yolo(tmp_path)
    assert [(image.path.name, image.objects) for image in images] == [
        ("empty.png", ()),
        ("none.png", ()),
    ]
    assert problems == []


def test_labels_that_are_no_text(tmp_path):
    put(tmp_path, "images/a.png", "")
    (tmp_path / "labels" / "a.txt").write_bytes(b"\xff\xfe0")
    (tmp_path / "labels" / "lost.txt").touch()
    (tmp_path / "labels" / "classes.txt").touch()
    describe(tmp_path, "train: images\nnames: [cat]\n")
    _, problems = read_yolo(tmp_path)
    assert [(problem.where, problem.what.rpartition(" ")[2]) for problem in problems] == [
        ("labels/a.txt", "UTF-8."),
        ("labels/lost.txt", "labels."),
    ]


@pytest.mark.parametrize(
    "names", ["[cat, no, 1e3]", "{0: cat, 1: no, 2: 1e3}", '\n  0: "cat"\n  1: "no"\n  2: 1e3']
)
def test_names_as_a_list_or_by_number(tmp_path, names):
    put(tmp_path, "images/train/a.png", "0 .5 .5 1 1\n1 .5 .5 1 1\n2 .5 .5 1 1\n")
    describe(tmp_path, f"train: images/train\nnames: {names}\n")
    ((image,), problems) = read_yolo(tmp_path)
    assert problems == []
    assert [found.label for found in image.objects] == ["cat", "no", "1e3"]


def test_names_that_are_none(tmp_path):
    put(tmp_path, "images/a.png", "0 .5 .5 1 1\n1 .5 .5 1 1\n")
    describe(tmp_path, "train: images\nnames: {0: [cat], 1: dog, x: bird, 2: ''}\n")
    ((image,), problems) = read_yolo(tmp_path)
    assert [found.label for found in image.objects] == ["dog"]
    assert [problem.where for problem in problems] == ["data.yaml, names"] * 3 + [
        "labels/a.txt, line 1"
    ]
    describe(tmp_path, "train: images\nnc: 2\n")
    ((image,), problems) = read_yolo(tmp_path)
    assert [found.label for found in image.objects] == ["class_0", "class_1"]


def test_splits_are_folders_lists_and_lists_of_folders(tmp_path):
    put(tmp_path, "data/images/one/a.png", BOX)
    put(tmp_path, "data/images/two/deep/b.png", BOX)
    put(tmp_path, "data/images/three/c.png", BOX)
    put(tmp_path, "data/images/three/unused.png", BOX)
    describe(
        tmp_path / "data", "./images/three/c.png\n\nimages/missing.png\n/etc/x.png\n", "val.txt"
    )
    described = describe(
        tmp_path,
        "path: data\ntrain: [images/one, images/two]\nval: val.txt\ntest: images/nowhere\n"
        "names: [cat]\n",
    )
    images, problems = read_yolo(described)
    assert [(image.split, image.path.name, len(image.objects)) for image in images] == [
        ("train", "a.png", 1),
        ("train", "b.png", 1),
        ("val", "c.png", 1),
    ]
    assert [problem.where for problem in problems] == [
        "data.yaml, test",
        "data/images/missing.png",
        "data/val.txt, line 4",
    ]
    assert "outside" in problems[2].what


def test_a_split_may_name_pictures_and_a_list_may_be_broken(tmp_path):
    put(tmp_path, "images/a.png", BOX)
    (tmp_path / "val.txt").write_bytes(b"\xff\xfe")
    describe(tmp_path, "train: [images/a.png]\nval: val.txt\nnames: [cat]\n")
    ((image,), (problem,)) = read_yolo(tmp_path)
    assert (image.path.name, len(image.objects)) == ("a.png", 1)
    assert (problem.where, "UTF-8" in problem.what) == ("val.txt", True)


def test_one_picture_is_read_once(tmp_path):
    put(tmp_path, "images/train/a.png", BOX)
    describe(tmp_path, "train: images/train\nval: images/train\nnames: [cat]\n")
    ((image,), problems) = read_yolo(tmp_path)
    assert (image.split, problems) == ("train", [])


def test_a_step_up_too_many_is_forgiven(tmp_path):
    put(tmp_path, "train/images/a.png", BOX)
    describe(tmp_path, "train: ../train/images\nval: ../valid/images\nnames: [cat]\n")
    ((image,), (problem,)) = read_yolo(tmp_path)
    assert len(image.objects) == 1
    assert problem.where == "data.yaml, val"


@pytest.mark.parametrize("given_path", ["/somewhere", "../other", "gone"])
def test_a_path_that_leads_away_is_told(tmp_path, given_path):
    put(tmp_path / "set", "images/a.png", BOX)
    put(tmp_path / "other", "images/secret.png", BOX)
    describe(tmp_path / "set", f"path: {given_path}\ntrain: images\nnames: [cat]\n")
    ((image,), (problem,)) = read_yolo(tmp_path / "set")
    assert image.path == tmp_path / "set" / "images" / "a.png"
    assert problem.where == "data.yaml, path"


@pytest.mark.parametrize(
    "entry", ["/", "/etc", "..", "../other/images", "../../x", "C:\\x", "x" * 999]
)
def test_folders_outside_are_refused(tmp_path, entry):
    put(tmp_path / "other", "images/secret.png", BOX)
    describe(tmp_path / "set", f"train: {entry}\nnames: [cat]\n")
    with pytest.raises(InputError, match="outside of the folder"):
        read_yolo(tmp_path / "set")


def test_classes_in_a_text_file(tmp_path):
    put(tmp_path, "images/train/a.png", BOX)
    put(tmp_path, "images/val/b.png", "1 .5 .5 1 1\n")
    describe(tmp_path, "cat\nGröße 🐈\n\n", "classes.txt")
    images, problems = read_yolo(tmp_path)
    assert problems == []
    assert [(image.split, image.objects[0].label) for image in images] == [
        ("train", "cat"),
        ("val", "Größe 🐈"),
    ]
    assert read_yolo(tmp_path / "classes.txt") == (images, problems)


def test_labels_beside_the_pictures(tmp_path):
    put(tmp_path, "a.png", BOX)
    describe(tmp_path, "cat\n", "classes.txt")
    ((image,), problems) = read_yolo(tmp_path)
    assert (len(image.objects), image.split, problems) == (1, "", [])


def test_sizes_are_those_of_the_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 8)).save(tmp_path / "images" / "a.jpg", exif=exif)
    describe(tmp_path, "train: images\nnames: [cat]\n")
    ((image,), _) = read_yolo(tmp_path)
    assert image.size_wh == (8, 4)


def test_pictures_that_cannot_be_read(tmp_path, monkeypatch):
    put(tmp_path, "images/large.png", BOX, (300, 200))
    (tmp_path / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (tmp_path / "images" / "notes.md").touch()
    describe(tmp_path, "train: images\nnames: [cat]\n")
    images, (problem,) = read_yolo(tmp_path)
    assert [image.path.name for image in images] == ["large.png"]
    assert (problem.where, "damaged" in problem.what) == ("images/broken.jpg", True)
    monkeypatch.setattr("framekeep.export.reading.MOST_PIXELS", 50_000)
    images, problems = read_yolo(tmp_path)
    assert images == []
    assert "megapixels" in problems[1].what


NEST = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 7)}]\n"
    for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "neither train, val nor test"),
        ("just text", "neither train, val nor test"),
        ("names: [cat]", "neither train, val nor test"),
        ("train: images", "no list of class names"),
        ("train: images\nnames: cat", "no list of class names"),
        ("train: images\nnc: 999999999", "no list of class names"),
        ("train: images\nnc: " + "9" * 6000, "no list of class names"),
        ("train: nowhere\nnames: [cat]", "no folder of pictures"),
        ("train: {a: b}\nnames: [cat]", "no folder of pictures"),
        ("train: [", "no YAML"),
        ("train: \x00", "no YAML"),
        ("train: !!python/object/apply:os.system [exit]\nnames: [cat]", "no folder of pictures"),
        ("[" * 1200, "no YAML"),
        (NEST + "train: *m\nnames: [cat]", "no folder of pictures"),
        (NEST + "train: x\nnc: *m", "no list of class names"),
        (NEST + "train: x\nnames: {0: *m}", "no folder of pictures"),
    ],
)
def test_what_describes_no_dataset(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as caught:
        read_yolo(describe(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_folders_without_a_dataset(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"neither a data\.yaml nor a classes\.txt"):
        read_yolo(tmp_path)
    with pytest.raises(InputError, match=r"neither a data\.yaml nor a classes\.txt"):
        read_yolo(tmp_path / "missing")
    describe(tmp_path, "train: images\nnames: [cat]\n")
    monkeypatch.setattr(module, "MOST_BYTES", 5)
    with pytest.raises(InputError, match="more than"):
        read_yolo(tmp_path)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["train", "val", "names", "nc", "path"]), inner)
        ),
        max_leaves=8,
    )
)
def test_any_yaml_is_a_dataset_or_an_input_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("yolo")
    with (folder / "data.yaml").open("w", encoding="utf-8") as file:
        yaml.safe_dump(content, file)
    try:
        images, _ = read_yolo(folder)
    except InputError:
        return
    assert images == []


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("0123456789.-e \t\n\rnaif,x"), max_size=60))
def test_any_line_is_an_object_or_a_problem(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("yolo")
    put(folder, "images/a.png", "")
    (folder / "labels" / "a.txt").write_text(labels, encoding="utf-8", newline="")
    describe(folder, "train: images\nnames: [cat]\n")
    ((image,), problems) = read_yolo(folder)
    lines = [line for line in labels.splitlines() if line.strip()]
    assert len(image.objects) + len(problems) == len(lines)
