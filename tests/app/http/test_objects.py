"""The annotation view's routes: what they tell, what they edit, and what they refuse."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from framekeep.app.http.object_edits import STALE, STALE_MASK, STALE_UNDO
from framekeep.app.http.objects import origin
from framekeep.geometry import box_mask, decode_mask, encode_mask, mask_iou
from framekeep.object_types import Mask
from framekeep.segmenters.starter import StarterSegmenter
from framekeep.testing import GridSegmenter
from tests.app.http.conftest import BASE, OURS

KEY = "0123456789ab0123456789ab"
NO_MEDIUM = "0" * 64
NO_OBJECT = "0" * 32


@pytest.fixture
def grid(site):
    """Answers to prompts come from a segmenter without weights."""
    site.change(segmenter=GridSegmenter(4, 4))


@pytest.fixture
def photo(media_id):
    return media_id("demo-01.jpg")


@pytest.fixture
def drawn(site, photo):
    """An object of 40 x 30 pixels in a photo of 1024 x 576."""
    return site.parts.library.draw(photo, box_mask((100, 50, 140, 80), (1024, 576)), "cat")


def put(client, path, **body):
    return client.put(path, json=body, headers=OURS)


def post(client, path, **body):
    return client.post(path, json=body, headers=OURS)


def mask_of(client, object_id) -> np.ndarray:
    answer = client.get(f"/fk/objects/{object_id}/mask").json()
    return decode_mask(Mask(tuple(answer["size"]), answer["counts"]))


def told(client, photo):
    return client.get(f"/fk/objects/{photo}").json()


# What is told


def test_the_objects_of_a_photo(client, site, photo, drawn):
    site.parts.library.add_class("dog", "#123456")
    answer = client.get(f"/fk/objects/{photo}")
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["media"] == photo
    assert told["size"] == [1024, 576]
    assert told["classes"][0]["name"] == "cat"
    assert {"name": "dog", "colour": "#123456"} in told["classes"]
    (segment,) = told["segments"]
    assert segment["id"] == drawn.segment_id
    assert (segment["label"], segment["labelSource"]) == ("cat", "person")
    assert (segment["state"], segment["origin"]) == ("open", "by a person")
    assert segment["box"] == [100, 50, 140, 80]
    assert segment["area"] == 1200
    assert segment["rings"] == [[100, 50, 140, 50, 140, 80, 100, 80]]


def test_rejected_objects_are_told_too(client, site, photo, drawn):
    site.parts.library.reject(drawn.segment_id)
    assert [s["state"] for s in told(client, photo)["segments"]] == ["rejected"]


def test_where_an_object_comes_from(site, photo, drawn):
    assert origin(drawn) == "by a person"
    assert origin(replace(drawn, segmenter_id="sam2.1-tiny@1/2")) == "by a person with sam2.1-tiny"
    found = replace(drawn, mask_source="model", segmenter_id="sam-vit-b@1/2")
    assert origin(found) == "found by sam-vit-b"
    drafted = replace(drawn, mask_source="model", segmenter_id="starter-seg@1/2")
    assert origin(drafted) == "draft of the main object by starter"
    assert origin(replace(drawn, mask_source="import")) == "imported"


def test_a_mask_comes_as_it_is(client, drawn):
    assert (mask_of(client, drawn.segment_id) == decode_mask(drawn.mask)).all()


UNKNOWN = [
    ("GET", f"/fk/objects/{NO_MEDIUM}"),
    ("GET", "/fk/objects/nothing"),
    ("GET", "/fk/objects/..%2f..%2fetc%2fpasswd"),
    ("GET", f"/fk/objects/{NO_OBJECT}/mask"),
    ("GET", f"/fk/objects/{NO_MEDIUM}/mask"),
    ("GET", f"/fk/objects/{NO_OBJECT}"),
    ("POST", f"/fk/objects/{NO_MEDIUM}/prompt"),
    ("POST", f"/fk/objects/{NO_MEDIUM}"),
    ("PUT", f"/fk/objects/{NO_OBJECT}/mask"),
    ("POST", f"/fk/objects/{NO_OBJECT}/label"),
    ("POST", f"/fk/objects/{NO_OBJECT}/state"),
    ("DELETE", f"/fk/objects/{NO_OBJECT}"),
]


def test_unknown_ids_get_404(client, grid):
    bodies = {
        "prompt": {"points": [[1, 1, 1]]},
        "mask": {"version": 1, "rings": [[[0, 0], [9, 0], [9, 9]]]},
        "label": {"label": "x", "seen": ""},
        "state": {"state": "open", "seen": ""},
        NO_MEDIUM: {"key": KEY, "rings": [[[0, 0], [9, 0], [9, 9]]]},
    }
    for method, path in UNKNOWN:
        body = bodies.get(path.rpartition("/")[2], {})
        answer = client.request(method, path, json=body, headers=OURS)
        assert answer.status_code == 404, path
        assert answer.json()["error"].endswith(".")


CHANGES = [
    ("POST", f"/fk/objects/{NO_MEDIUM}/prompt"),
    ("POST", f"/fk/objects/{NO_MEDIUM}"),
    ("PUT", f"/fk/objects/{NO_OBJECT}/mask"),
    ("POST", f"/fk/objects/{NO_OBJECT}/label"),
    ("POST", f"/fk/objects/{NO_OBJECT}/state"),
    ("POST", "/fk/undo"),
]


def test_the_guards_stand_before_every_change(site, client):
    foreign = {**OURS, "Origin": "http://evil.example"}
    own = {**OURS, "Origin": BASE}
    for method, path in CHANGES:
        assert client.request(method, path, json={}).status_code == 403
        assert client.request(method, path, json={}, headers=foreign).status_code == 403
    site.change(token="secret")
    for method, path in CHANGES:
        assert client.request(method, path, json={}, headers=own).status_code == 401
    assert client.get(f"/fk/objects/{NO_MEDIUM}").status_code == 401


# Prompts


def test_a_point_is_answered_with_masks(client, site, photo, grid):
    answer = post(client, f"/fk/objects/{photo}/prompt", points=[[10, 10, 1]])
    assert answer.status_code == 200
    told = answer.json()
    assert told["segmenter"] == {"name": "grid", "draft": False}
    best = told["proposals"][0]
    assert best["box"] == [0, 0, 256, 144]
    assert decode_mask(Mask((1024, 576), best["counts"])).sum() == best["area"] == 256 * 144
    assert best["rings"] == [[0, 0, 256, 0, 256, 144, 0, 144]]


def test_points_on_the_background_take_away(client, photo, grid):
    asked = {"box": [0, 0, 512, 144], "points": [[10, 10, 0]]}
    answer = post(client, f"/fk/objects/{photo}/prompt", **asked).json()
    assert answer["proposals"][0]["area"] == 256 * 144


def test_a_box_is_answered(client, photo, grid):
    answer = post(client, f"/fk/objects/{photo}/prompt", box=[10, 10, 50, 40])
    assert answer.json()["proposals"][0]["area"] > 0


def test_the_starter_says_that_it_drafts(client, site, photo):
    site.change(segmenter="starter")
    answer = post(client, f"/fk/objects/{photo}/prompt", box=[200, 100, 800, 500])
    assert answer.json()["segmenter"] == {"name": "starter", "draft": True}
    assert isinstance(site.parts.library.segmenter("starter"), StarterSegmenter)


NO_PROMPTS = [
    {},
    {"points": [[1, 1, 0]]},
    {"points": [[5000, 1, 1]]},
    {"points": [[1, 1]]},
    {"points": [[1, 1, 2]]},
    {"points": [["1", 1, 1]]},
    {"points": [[1, 1, 1]] * 101},
    {"box": [10, 10, 10, 20]},
    {"box": [10, 10, 20]},
    {"box": [1e9, 0, 1e10, 5]},
    {"points": [[1, 1, 1]], "also": 1},
    {"points": "all"},
    {"points": None},
]


def test_prompts_that_are_none_get_400(client, photo, grid):
    for body in NO_PROMPTS:
        answer = post(client, f"/fk/objects/{photo}/prompt", **body)
        assert answer.status_code == 400, body
        assert answer.json()["error"].endswith(".")


def test_bodies_that_are_no_json_object_get_400(client, photo, drawn, grid):
    bad = [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"points": [[NaN, 1, 1]]}', b"null"]
    for content in bad:
        for method, path in (
            ("POST", f"/fk/objects/{photo}/prompt"),
            ("PUT", f"/fk/objects/{drawn.segment_id}/mask"),
        ):
            answer = client.request(method, path, content=content, headers=OURS)
            assert answer.status_code == 400, content
            assert set(answer.json()) == {"error"}


def test_a_body_that_is_too_long_gets_413(client, photo, grid):
    content = b" " * 8_000_001
    answer = client.post(f"/fk/objects/{photo}/prompt", content=content, headers=OURS)
    assert answer.status_code == 413


def test_prompts_are_answered_one_at_a_time(site, client, photo):
    class Counting(GridSegmenter):
        now = most = 0

        def _prompt(self, image, prompt, key):
            Counting.now += 1
            Counting.most = max(Counting.most, Counting.now)
            waiting.wait(0.05)
            Counting.now -= 1
            return super()._prompt(image, prompt, key)

    waiting = threading.Event()
    site.change(segmenter=Counting(2, 2))
    with client:
        threads = [
            threading.Thread(
                target=post,
                args=(client, f"/fk/objects/{photo}/prompt"),
                kwargs={"box": [0, 0, 9, 9]},
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert Counting.most == 1


# Masks


def test_strokes_change_only_what_they_touch(client, drawn):
    path = f"/fk/objects/{drawn.segment_id}/mask"
    strokes = [
        {"points": [[150, 60], [170, 60]], "radius": 5},
        {"points": [[100, 50]], "radius": 3, "erase": True},
    ]
    answer = put(client, path, version=1, strokes=strokes)
    assert answer.status_code == 200
    told = answer.json()
    assert told["segment"]["version"] == 2
    after = mask_of(client, drawn.segment_id)
    assert told["counts"] == encode_mask(after).counts
    assert after[60, 160]
    assert not after[51, 101]
    away = np.ones_like(after)
    away[40:80, 90:185] = False
    before = decode_mask(drawn.mask)
    assert (after[away] == before[away]).all()
    assert after[70:80, 105:140].all()


def test_a_mask_comes_back_as_it_was_sent(client, drawn):
    wanted = np.random.default_rng(3).random((576, 1024)) < 0.01
    counts = encode_mask(wanted).counts
    put(client, f"/fk/objects/{drawn.segment_id}/mask", version=1, counts=counts)
    assert (mask_of(client, drawn.segment_id) == wanted).all()


def test_an_answer_is_added_or_taken_away(client, drawn):
    path = f"/fk/objects/{drawn.segment_id}/mask"
    beside = encode_mask(box_mask((140, 50, 150, 80), (1024, 576))).counts
    put(client, path, version=1, counts=beside, combine="add")
    assert mask_of(client, drawn.segment_id).sum() == 1500
    put(client, path, version=2, counts=beside, combine="remove")
    assert (mask_of(client, drawn.segment_id) == decode_mask(drawn.mask)).all()


def test_rings_are_a_mask_with_holes(client, drawn):
    rings = [[[0, 0], [20, 0], [20, 20], [0, 20]], [[5, 5], [15, 5], [15, 15], [5, 15]]]
    put(client, f"/fk/objects/{drawn.segment_id}/mask", version=1, rings=rings)
    mask = mask_of(client, drawn.segment_id)
    assert mask.sum() == 300
    assert not mask[10, 10]


def test_a_moved_corner_keeps_what_lies_elsewhere(client, site, photo):
    ragged = box_mask((100, 100, 300, 300), (1024, 576))
    ragged[100:300:2, 299] = False  # an edge that no outline of few corners follows
    drawn = site.parts.library.draw(photo, ragged)
    before = [[[100, 100], [300, 100], [300, 300], [100, 300]]]
    after = [[[80, 80], [300, 100], [300, 300], [100, 300]]]
    path = f"/fk/objects/{drawn.segment_id}/mask"
    put(client, path, version=1, moved={"before": before, "after": after})
    mask = mask_of(client, drawn.segment_id)
    assert mask[90, 90]
    assert (mask[105:, 120:] == ragged[105:, 120:]).all()


def test_a_stale_version_overwrites_nothing(client, site, drawn):
    path = f"/fk/objects/{drawn.segment_id}/mask"
    site.parts.library.correct(drawn.segment_id, box_mask((0, 0, 9, 9), (1024, 576)))
    answer = put(client, path, version=1, strokes=[{"points": [[500, 500]], "radius": 9}])
    assert answer.status_code == 409
    assert answer.json() == {"error": STALE_MASK}
    assert mask_of(client, drawn.segment_id).sum() == 81
    assert (
        put(client, path, version=2, strokes=[{"points": [[500, 500]], "radius": 9}]).status_code
        == 200
    )


def test_of_two_edits_at_once_one_is_told_to_look_again(client, drawn):
    path = f"/fk/objects/{drawn.segment_id}/mask"
    statuses = []

    def edit(x):
        strokes = [{"points": [[x, 300]], "radius": 9}]
        statuses.append(put(client, path, version=1, strokes=strokes).status_code)

    with client:
        threads = [threading.Thread(target=edit, args=(200 + 50 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200, 409, 409, 409]


RING = [[0, 0], [9, 0], [9, 9]]


NO_MASKS = [
    {"version": 1},
    {"version": 1, "rings": [RING], "counts": "0"},
    {"version": 1, "rings": []},
    {"version": 1, "rings": [[[0, 0], [1, 1]]]},
    {"version": 1, "rings": [[[0, 0], [1, 1], [2]]]},
    {"version": 1, "rings": [RING] * 501},
    {"version": 1, "rings": [[[0, 0]] * 5001]},
    {"version": 0, "rings": [RING]},
    {"version": "1", "rings": [RING]},
    {"version": 1.5, "rings": [RING]},
    {"version": True, "rings": [RING]},
    {"rings": [RING]},
    {"version": 1, "counts": ""},
    {"version": 1, "counts": "0"},
    {"version": 1, "counts": "hello, world"},
    {"version": 1, "counts": "\u00e9\u00e9"},
    {"version": 1, "counts": 17},
    {"version": 1, "strokes": []},
    {"version": 1, "strokes": [{"points": [[1, 1]], "radius": 0}]},
    {"version": 1, "strokes": [{"points": [[1, 1]], "radius": 1e9}]},
    {"version": 1, "strokes": [{"points": [], "radius": 5}]},
    {"version": 1, "strokes": [{"points": [[1, 1]] * 5001, "radius": 5}]},
    {"version": 1, "strokes": [{"points": [[1, 1]], "radius": 5}] * 201},
    {"version": 1, "strokes": [{"points": [[1e7, 1]], "radius": 5}]},
    {"version": 1, "moved": {"before": [RING]}},
    {"version": 1, "rings": [RING], "combine": "xor"},
    {"version": 1, "rings": [[[2000, 2000], [2009, 2000], [2009, 2009]]]},
]


def test_masks_that_are_none_get_400(client, drawn):
    for body in NO_MASKS:
        answer = put(client, f"/fk/objects/{drawn.segment_id}/mask", **body)
        assert answer.status_code == 400, body
        assert answer.json()["error"].endswith(".")
    assert (mask_of(client, drawn.segment_id) == decode_mask(drawn.mask)).all()


def test_nothing_is_left_of_an_object_that_is_erased(client, drawn):
    strokes = [{"points": [[120, 65]], "radius": 100, "erase": True}]
    answer = put(client, f"/fk/objects/{drawn.segment_id}/mask", version=1, strokes=strokes)
    assert answer.status_code == 400
    assert "reject it instead" in answer.json()["error"]


# New objects


def test_a_new_object_by_rings_with_a_label(client, site, photo):
    square = [[0, 0], [9, 0], [9, 9], [0, 9]]
    answer = post(client, f"/fk/objects/{photo}", key=KEY, label="dog", rings=[square])
    assert answer.status_code == 201
    segment = answer.json()["segment"]
    assert (segment["label"], segment["labelSource"]) == ("dog", "person")
    assert segment["origin"] == "by a person"
    (kept,) = site.parts.library.segments(photo)
    assert kept.area_px == 81
    assert [one["name"] for one in answer.json()["classes"]] == ["dog"]


def test_a_new_object_by_a_prompt_names_the_segmenter(client, site, photo, grid):
    best = post(client, f"/fk/objects/{photo}/prompt", points=[[10, 10, 1]]).json()["proposals"][0]
    answer = post(client, f"/fk/objects/{photo}", key=KEY, counts=best["counts"], prompted=True)
    assert answer.json()["segment"]["origin"] == "by a person with grid"
    (kept,) = site.parts.library.segments(photo)
    assert kept.mask_source == "person"
    assert kept.segmenter_id == GridSegmenter(4, 4).info.id
    assert mask_iou(kept.mask, Mask((1024, 576), best["counts"])) == 1


def test_a_new_object_by_strokes(client, site, photo):
    strokes = [{"points": [[50, 50], [90, 50]], "radius": 6}]
    post(client, f"/fk/objects/{photo}", key=KEY, strokes=strokes)
    (kept,) = site.parts.library.segments(photo)
    assert 480 < kept.area_px < 700


def test_the_same_key_again_is_the_same_object(client, site, photo):
    first = post(client, f"/fk/objects/{photo}", key=KEY, rings=[RING]).json()["segment"]["id"]
    again = post(client, f"/fk/objects/{photo}", key=KEY, rings=[RING]).json()
    assert again["segment"]["id"] == first
    assert again["change"] is None
    other = post(client, f"/fk/objects/{photo}", key=KEY[::-1], rings=[RING]).json()
    assert other["segment"]["id"] != first
    assert len(site.parts.library.segments(photo)) == 2


NO_OBJECTS = [
    {"rings": [RING]},
    {"key": "short", "rings": [RING]},
    {"key": KEY},
    {"key": KEY, "rings": [RING], "label": ""},
    {"key": KEY, "rings": [RING], "label": "x" * 201},
    {"key": KEY, "rings": [RING], "label": " \n "},
    {"key": KEY, "strokes": [{"points": [[9, 9]], "radius": 5, "erase": True}]},
    {"key": KEY, "rings": [RING], "segmenter": "sam"},
]


def test_new_objects_that_are_none_get_400(client, site, photo):
    for body in NO_OBJECTS:
        answer = post(client, f"/fk/objects/{photo}", **body)
        assert answer.status_code == 400, body
    assert site.parts.library.segments(photo) == []


# Labels, states, taking back


def test_a_label_is_set_changed_and_taken_away(client, photo, drawn):
    path = f"/fk/objects/{drawn.segment_id}/label"
    seen = told(client, photo)["segments"][0]["seen"]
    answer = post(client, path, label="dog", seen=seen).json()
    assert answer["segment"]["label"] == "dog"
    assert {one["name"] for one in answer["classes"]} == {"cat", "dog"}
    assert post(client, path, label="bird", seen=seen).json() == {"error": STALE}
    answer = post(client, path, label=None, seen=answer["segment"]["seen"]).json()
    assert answer["segment"]["label"] == ""


def test_states(client, site, photo, drawn):
    path = f"/fk/objects/{drawn.segment_id}/state"
    seen = told(client, photo)["segments"][0]["seen"]
    for state in ("accepted", "rejected", "open"):
        answer = post(client, path, state=state, seen=seen).json()
        assert answer["segment"]["state"] == state
        assert site.parts.library.segments_by_id([drawn.segment_id])[0].state == state
        seen = answer["segment"]["seen"]
    stale = post(client, path, state="rejected", seen="0" * 12)
    assert (stale.status_code, stale.json()) == (409, {"error": STALE})
    assert post(client, path, state="gone", seen=seen).status_code == 400


def test_a_mask_that_was_changed_does_not_make_a_label_stale(client, site, photo, drawn):
    seen = told(client, photo)["segments"][0]["seen"]
    site.parts.library.correct(drawn.segment_id, box_mask((0, 0, 9, 9), (1024, 576)))
    path = f"/fk/objects/{drawn.segment_id}/label"
    assert post(client, path, label="dog", seen=seen).status_code == 200


def test_changes_are_taken_back_newest_first(client, photo, drawn):
    mask = f"/fk/objects/{drawn.segment_id}/mask"
    first = put(client, mask, version=1, rings=[RING]).json()["change"]
    seen = told(client, photo)["segments"][0]["seen"]
    path = f"/fk/objects/{drawn.segment_id}/label"
    second = post(client, path, label="dog", seen=seen).json()["change"]
    assert second > first
    stale = post(client, "/fk/undo", change=first)
    assert (stale.status_code, stale.json()) == (409, {"error": STALE_UNDO})
    assert post(client, "/fk/undo", change=second).json()["undone"]
    assert told(client, photo)["segments"][0]["label"] == "cat"
    assert post(client, "/fk/undo", change=first).status_code == 200
    assert (mask_of(client, drawn.segment_id) == decode_mask(drawn.mask)).all()


def test_an_edit_that_changes_nothing_is_no_change(client, photo, drawn):
    counts = drawn.mask.counts
    path = f"/fk/objects/{drawn.segment_id}/mask"
    assert put(client, path, version=1, counts=counts).json()["change"] is None


def test_edits_carry_the_name_of_who_has_signed_in(site, photo, drawn):
    site.change(users=("ann@example.org",))
    client = site.client()
    sessions = site.parts.sessions
    client.cookies.set("framekeep_8501", sessions.redeem(sessions.ticket("ann@example.org")))
    seen = told(client, photo)["segments"][0]["seen"]
    path = f"/fk/objects/{drawn.segment_id}/label"
    change = post(client, path, label="dog", seen=seen).json()["change"]
    newest = site.parts.library.changes(1)[0]
    assert (newest.change_id, newest.author) == (change, "ann@example.org")


def test_nobody_takes_back_what_another_account_did(site, photo, drawn):
    site.change(users=("*@example.org",))
    sessions = site.parts.sessions
    ann, ben = site.client(), site.client()
    for client, user in ((ann, "ann@example.org"), (ben, "ben@example.org")):
        client.cookies.set("framekeep_8501", sessions.redeem(sessions.ticket(user)))
    seen = told(ann, photo)["segments"][0]["seen"]
    path = f"/fk/objects/{drawn.segment_id}/label"
    change = post(ann, path, label="dog", seen=seen).json()["change"]
    assert post(ben, "/fk/undo", change=change).status_code == 409
    assert post(ann, "/fk/undo", change=change).status_code == 200
