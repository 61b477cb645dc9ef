"""The shipped segmenter, with its real weights, on real photos."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framekeep.errors import WeightsError
from framekeep.geometry import box_mask, decode_mask, proposal
from framekeep.object_types import Prompt
from framekeep.segmenters.pointing import LEAST_OF_BOX, WORST, inside_box, make_hints, settled
from framekeep.segmenters.spreading import Found, cut, grab, make_scene, overlap, settle, tidy
from framekeep.segmenters.starter import StarterSegmenter, pieces
from framekeep.segmenters.superpixels import SHORT_CELLS, make_patches
from framekeep.starter_data import StarterData
from framekeep.types import RgbImage

DATA = Path(__file__).parents[2] / "src" / "framekeep" / "data"
CATS = {"Egyptian cat", "tabby", "tiger cat", "lynx"}


@pytest.fixture(scope="module")
def segmenter() -> StarterSegmenter:
    return StarterSegmenter()


def photo(number: int) -> RgbImage:
    with Image.open(DATA / "demo" / f"demo-{number:02}.jpg") as file:
        return np.array(file.convert("RGB"))


def scene_of(image: RgbImage):
    patches = make_patches(image)
    return make_scene(patches, np.ones((len(patches.area_px), 4)))


def disc(size_wh=(320, 240), colour=(220, 40, 40)) -> tuple[RgbImage, np.ndarray]:
    """A disc with a little grain on grey, and its mask."""
    width, height = size_wh
    rows, columns = np.ogrid[:height, :width]
    mask = (rows - height * 0.5) ** 2 + (columns - width * 0.4) ** 2 < (0.25 * height) ** 2
    image = np.where(mask[..., None], colour, (120, 125, 130)).astype(np.int16)
    image += np.random.default_rng(0).integers(-6, 7, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def test_its_id_names_weights_and_method_and_it_is_a_draft(segmenter):
    assert segmenter.info.id == f"starter-seg@{StarterData().digest[:12]}/s1"
    assert segmenter.info.is_draft
    assert segmenter.info.takes_prompts


def test_the_cat_is_one_object_labelled_as_a_cat(segmenter):
    found = segmenter.segment(photo(2))
    assert len(found) == 1
    assert found[0].label in CATS
    mask = decode_mask(found[0].mask)
    height, width = mask.shape
    assert mask[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3].mean() > 0.5
    assert 0.1 < mask.mean() < 0.7


def test_two_dogs_and_two_otters_are_two_objects_each(segmenter):
    dogs, otters = segmenter.segment(photo(9)), segmenter.segment(photo(13))
    assert [one.label for one in dogs] == ["cocker spaniel"] * 2
    assert [one.label for one in otters] == ["otter"] * 2
    for one, other in (dogs, otters):
        assert not (decode_mask(one.mask) & decode_mask(other.mask)).any()


@pytest.mark.parametrize(
    ("number", "box"),
    [(5, (285, 110, 510, 475)), (16, (165, 85, 450, 420)), (13, (320, 160, 980, 480))],
    ids=["osprey", "dahlia", "otter"],
)
def test_the_main_object_fills_its_surroundings_and_no_more(segmenter, number, box):
    found = segmenter.segment(photo(number))
    best = max(found, key=lambda one: one.area_px)
    mask, around = decode_mask(best.mask), box_mask(box, best.mask.size_wh)
    assert (mask & around).sum() > 0.9 * mask.sum()
    assert (mask & around).sum() > 0.3 * around.sum()


def test_objects_outside_the_middle_are_found(segmenter):
    """A centre crop would not show it: the otter stands at the far end of a long picture."""
    otter = photo(13)[100:500, 300:1000]
    grey = np.full((400, 1300, 3), 110, np.uint8)
    found = segmenter.segment(np.hstack([grey, otter]))
    assert found[0].label == "otter"
    assert found[0].bbox_xyxy[0] >= 1300


def test_no_object_is_next_to_the_whole_picture_or_next_to_nothing(segmenter):
    for path in sorted((DATA / "demo").glob("*.jpg"))[::3]:
        with Image.open(path) as file:
            image = np.array(file.convert("RGB"))
        found = segmenter.segment(image)
        assert 1 <= len(found) <= 4, path.name
        for one in found:
            share = one.area_px / (image.shape[0] * image.shape[1])
            assert 0.0005 < share < 0.75, path.name


def test_a_plain_wall_has_no_object(segmenter):
    assert segmenter.segment(np.full((200, 300, 3), 140, np.uint8)) == []


def test_masks_do_not_depend_on_the_size_of_the_file(segmenter):
    small = photo(13)
    large = np.array(Image.fromarray(small).resize((small.shape[1] * 3, small.shape[0] * 3)))
    one = max(segmenter.segment(small), key=lambda found: found.area_px)
    other = max(segmenter.segment(large), key=lambda found: found.area_px)
    shrunk = decode_mask(other.mask)[1::3, 1::3]
    assert overlap(decode_mask(one.mask), shrunk) > 0.9


def test_a_box_gives_the_object_in_it(segmenter):
    image, mask = disc()
    best = segmenter.prompt(image, Prompt(box_xyxy=(60.0, 50.0, 200.0, 190.0)))[0]
    assert overlap(decode_mask(best.mask), mask) > 0.95


def test_a_point_gives_the_object_under_it_and_another_takes_away(segmenter):
    image, mask = disc()
    on = Prompt(points_xy=((128.0, 120.0),), point_labels=(1,))
    assert max(overlap(decode_mask(one.mask), mask) for one in segmenter.prompt(image, on)) > 0.9
    both = Prompt(points_xy=((128.0, 120.0), (250.0, 60.0)), point_labels=(1, 0))
    for one in segmenter.prompt(image, both):
        assert not decode_mask(one.mask)[60, 250]


def test_further_prompts_under_a_key_look_no_more(segmenter, monkeypatch):
    image, _ = disc()
    prompt = Prompt(points_xy=((128.0, 120.0),), point_labels=(1,))
    other = Prompt(points_xy=((128.0, 120.0), (20.0, 20.0)), point_labels=(1, 0))
    fresh = StarterSegmenter()
    views = fresh._views
    fresh.prompt(image, prompt, "key")
    assert len(views) == 1
    fresh.prompt(image, other, "key")
    assert len(views) == 1
    for number in range(12):
        fresh.prompt(image, prompt, f"key {number}")
    assert len(views) == 8


def test_an_empty_answer_in_a_box_becomes_its_ellipse_with_a_low_score():
    scene = scene_of(disc()[0])
    prompt = Prompt(box_xyxy=(60.0, 50.0, 200.0, 190.0))
    window = (0, 0, 320, 240)
    hints = make_hints(scene, window, prompt)
    inside = inside_box(prompt.box_xyxy, window, hints.object.shape)
    speck = np.zeros_like(inside)
    speck[120:123, 120:123] = True
    assert speck.sum() < LEAST_OF_BOX * inside.sum()
    for found in (None, Found(speck, speck.astype(np.float32), 1.0, 1.0)):
        mask, score = settled(found, hints, window, prompt)
        assert score == WORST
        assert not (mask & ~inside).any()
        assert 0.6 < mask.sum() / inside.sum() < 0.95


def test_an_inverted_cut_is_refused_for_the_plain_map(monkeypatch):
    image, mask = disc()
    scene = scene_of(image)
    place = scene.patches.mean(
        np.asarray(Image.fromarray(mask).resize(scene.patches.patch.shape[::-1])).astype(float)
    )
    strength = settle(scene, place)
    right = cut(scene, strength)
    assert right is not None
    assert not right.plain
    monkeypatch.setattr(
        "framekeep.segmenters.spreading.grab", lambda picture, trimap: trimap % 2 == 0
    )
    refused = cut(scene, strength)
    assert refused is not None
    assert refused.plain
    assert overlap(refused.mask, right.mask) > 0.8


def test_a_map_that_is_strong_all_over_is_cut_down():
    scene = scene_of(photo(16))
    found = cut(scene, np.linspace(0.7, 0.9, len(scene.patches.area_px)))
    assert found is not None
    assert found.plain
    assert found.mask.mean() <= 0.7
    assert cut(scene, np.zeros(len(scene.patches.area_px))) is None


def test_grabcut_is_the_same_every_time_whatever_was_drawn_before():
    import cv2

    image, mask = disc()
    trimap = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    first = grab(image, trimap.copy())
    cv2.setRNGSeed(12345)
    assert np.array_equal(grab(image, trimap.copy()), first)
    assert overlap(first, mask) > 0.95


def test_tidying_drops_specks_fills_holes_and_keeps_what_was_pointed_at():
    mask = np.zeros((60, 80), bool)
    mask[10:50, 10:50] = True
    mask[30, 30] = False
    mask[5:8, 70:73] = True
    seeds = np.zeros_like(mask)
    seeds[6, 71] = True
    whole = np.zeros_like(mask)
    whole[10:50, 10:50] = True
    assert np.array_equal(tidy(mask), whole)
    assert tidy(mask, seeds)[6, 71]
    assert not tidy(mask, seeds)[20, 20]


def test_pieces_are_the_parts_with_a_peak_of_their_own():
    mask = np.zeros((60, 90), bool)
    evidence = np.zeros((60, 90), np.float32)
    for left, height in ((5, 0.9), (35, 0.6), (65, 0.2)):
        mask[20:40, left : left + 20] = True
        evidence[30, left + 10] = height
    found = pieces(mask, evidence)
    assert [int(one.any(axis=0).argmax()) for one in found] == [5, 35]


@pytest.mark.parametrize("size_wh", [(300, 200), (200, 300), (1, 1), (3, 2000), (999, 111)])
def test_patches_cover_the_picture_without_gaps(size_wh):
    with Image.open(DATA / "demo" / "demo-16.jpg") as file:
        image = np.array(file.convert("RGB").resize(size_wh))
    patches = make_patches(image)
    count = len(patches.area_px)
    assert set(np.unique(patches.patch)) == set(range(count))
    assert patches.area_px.sum() == patches.patch.size
    assert min(patches.patch.shape) >= SHORT_CELLS * 12
    assert np.array_equal(patches.touching, patches.touching.T)
    assert not patches.touching.diagonal().any()


def test_patches_follow_edges():
    image, mask = disc()
    patches = make_patches(image)
    size_wh = patches.patch.shape[::-1]
    share = patches.mean(np.asarray(Image.fromarray(mask).resize(size_wh)).astype(float))
    torn = np.minimum(share, 1 - share) * patches.area_px
    assert torn.sum() < 0.01 * patches.patch.size


def test_the_mean_over_patches_of_coarse_maps():
    patches = make_patches(photo(16))
    rows = np.repeat(np.arange(8.0)[:, None], 12, axis=1)[..., None].astype(np.float32)
    sampled = patches.sample(np.concatenate([rows, np.ones_like(rows)], axis=2))
    assert sampled.shape == (len(patches.area_px), 2)
    assert np.allclose(sampled[:, 1], 1)
    assert sampled[patches.patch[0, 0], 0] < 1
    assert sampled[patches.patch[-1, -1], 0] > 6


def test_damaged_data_are_told(tmp_path):
    copy = tmp_path / "starter"
    shutil.copytree(DATA / "starter", copy)
    content = bytearray((copy / "vision.onnx").read_bytes())
    content[5000] ^= 1
    (copy / "vision.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        StarterSegmenter(StarterData(copy)).segment(photo(2))


def test_labelled_photos_get_their_label(segmenter, measuring_photos):
    """Of the main object, in 24 photos; and masks that are neither all nor nothing."""
    lines = (measuring_photos / "labels.tsv").read_text("utf-8").splitlines()[1::21][:24]
    right = 0
    for line in lines:
        name, *_, label = line.split("\t")
        with Image.open(measuring_photos / name) as file:
            image = np.array(file.convert("RGB"))
        found = segmenter.segment(image)
        right += label in {one.label for one in found}
        assert all(one.area_px < 0.75 * image.shape[0] * image.shape[1] for one in found)
        assert proposal(decode_mask(found[0].mask), 1.0).bbox_xyxy == found[0].bbox_xyxy
    assert right >= 18
