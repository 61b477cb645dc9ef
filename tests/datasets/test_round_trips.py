"""Random objects: exported from a library, imported into an empty one, compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framekeep.curate import clean_name
from framekeep.geometry import mask_iou
from framekeep.library import Library
from tests.helpers.datasets import last
from tests.helpers.library import memory_library
from tests.helpers.masks import masks

names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8).filter(str.strip)


@st.composite
def pictures(draw):
    """Up to three pictures of at least 8 x 8 pixels, each with up to three masks and their labels;
    no two labels differ in case only, for those are one class."""
    found = []
    labels = draw(
        st.lists(names, min_size=1, max_size=3, unique_by=lambda n: clean_name(n).casefold())
    )
    for _ in range(draw(st.integers(1, 3))):
        width, height = draw(st.integers(8, 30)), draw(st.integers(8, 30))
        objects = []
        for _ in range(draw(st.integers(0, 3))):
            part = draw(masks(empty=False, longest=8))
            mask = np.zeros((height, width), np.bool_)
            left = draw(st.integers(0, width - part.shape[1]))
            top = draw(st.integers(0, height - part.shape[0]))
            mask[top : top + part.shape[0], left : left + part.shape[1]] = part
            objects.append((mask, draw(st.sampled_from(labels))))
        found.append(((width, height), objects))
    return found


def filled(library: Library, folder: Path, drawn) -> None:
    for number, ((width, height), objects) in enumerate(drawn):
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(noise).save(path)
        list(library.add(path))
        for mask, label in objects:
            library.draw(library.media_id(path), mask, label)


def things(library: Library) -> dict[str, list]:
    """The objects of every picture: masks and labels, in an order of their own."""
    return {
        media_id: sorted(
            ((each.label, each.mask.counts, each.mask) for each in library.segments(media_id)),
            key=lambda thing: thing[:2],
        )
        for media_id in library.ids_where("pixels>0")
    }


@settings(max_examples=12, deadline=None)
@given(
    pictures(),
    st.sampled_from(["rle", "polygon", "segment"]),
    st.sampled_from([None, "50/50", "60/20/20"]),
    st.sampled_from(["copy", "link"]),
)
def test_what_is_exported_is_imported(tmp_path_factory, drawn, form, split, images):
    folder = tmp_path_factory.mktemp("round")
    kind, choices = ("yolo", {}) if form == "segment" else ("coco", {"masks": form})
    with memory_library(folder / "one") as library:
        filled(library, folder, drawn)
        before = things(library)
        assert sum(map(len, before.values())) == sum(len(objects) for _, objects in drawn)
        out = folder / "out"
        last(library.export(kind, out, "pixels>0", split=split, images=images, **choices))
    with memory_library(folder / "two") as other:
        report = last(other.import_dataset(out))
        after = things(other)
    assert report.problems == ()
    assert after.keys() == before.keys()
    if kind == "coco":
        assert after == before
        return
    for media_id, wanted in before.items():
        assert Counter(label for label, *_ in after[media_id]) == Counter(
            label for label, *_ in wanted
        )
        left = list(after[media_id])
        for label, _, mask in wanted:
            best = max(
                (each for each in left if each[0] == label),
                key=lambda each: mask_iou(each[2], mask),
            )
            assert mask_iou(best[2], mask) >= 0.98
            left.remove(best)
