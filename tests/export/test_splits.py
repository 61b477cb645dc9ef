"""Splits that do not leak: groups, iterative stratification over them, stability."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.errors import InputError
from framekeep.export.splits import (
    Shot,
    assign_splits,
    bursts,
    groups,
    of_one_film,
    parse_shares,
)

START = datetime(2024, 5, 6, 7, 8, 9)
SHARES = parse_shares("60/20/20")


def ids(count: int) -> list[str]:
    return [f"{n:064x}" for n in range(count)]


def shot(name: str, second: float | None, camera: str | None = "Nikon F3") -> Shot:
    return Shot(name, camera, None if second is None else START + timedelta(seconds=second))


# Shares


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("80/10/10", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("60/20/20", {"train": 0.6, "val": 0.2, "test": 0.2}),
        ("90/10", {"train": 0.9, "val": 0.1}),
        ("100", {"train": 1.0}),
        ("80/0/20", {"train": 0.8, "test": 0.2}),
        ("66.7/33.3", {"train": 0.667, "val": 0.333}),
    ],
)
def test_shares(text, shares):
    assert parse_shares(text) == pytest.approx(shares)
    assert list(parse_shares(text)) == list(shares)


@pytest.mark.parametrize("text", ["", "80", "80/10", "80/10/20", "a/b", "25/25/25/25", "-10/110"])
def test_shares_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match="A split is such as 80/10/10"):
        parse_shares(text)


# Groups


def test_a_burst_is_a_chain_of_one_camera():
    shots = [
        shot("a", 0), shot("b", 2), shot("c", 5), shot("d", 9),
        shot("other", 1, "Canon"), shot("timeless", None),
        shot("x", 3, None), shot("y", 4, None),
    ]  # fmt: skip
    assert sorted(map(sorted, bursts(shots))) == [["a", "b", "c"], ["x", "y"]]
    assert bursts(shots, within_s=0.5) == []
    assert ["a", "b", "c", "d"] in bursts(shots, within_s=4)
    assert bursts([]) == []


def test_groups_join_what_shares_a_set_even_through_media_that_are_not_asked_for():
    found = groups(["a", "b", "c", "d", "e"], [["a", "gone"], ["gone", "c"], ["e"], ["d", "b"]])
    assert found == [("a", "c"), ("b", "d"), ("e",)]


# Dealing


@st.composite
def libraries(draw: st.DrawFn):
    """Media in groups, with classes, and which of them were there before."""
    count = draw(st.integers(1, 40))
    names = ids(count)
    pairs = st.lists(st.sampled_from(names), min_size=2, max_size=4)
    together = draw(st.lists(pairs, max_size=12))
    classes = st.lists(st.sampled_from("abcd"), max_size=3)
    labels = {name: draw(classes) for name in names}
    old = draw(st.integers(0, count))
    shares = parse_shares(draw(st.sampled_from(["80/10/10", "60/20/20", "90/10", "50/50", "100"])))
    return names, together, labels, old, shares, draw(st.integers(0, 5))


@settings(max_examples=150, deadline=None)
@given(libraries())
def test_no_group_ever_spans_two_splits_and_every_split_gets_one(library):
    names, together, labels, _, shares, seed = library
    grouped = groups(names, together)
    found = assign_splits(grouped, labels, shares, seed)
    assert set(found.splits) == set(names)
    for members in together:
        assert len({found.splits[name] for name in members}) == 1
    used = set(found.splits.values())
    assert used <= set(shares)
    if len(grouped) >= len(shares):
        assert used == set(shares)
        assert not found.notes
    else:
        assert found.notes


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=60),
    st.lists(st.integers(0, 400), min_size=60, max_size=60),
    st.integers(0, 3),
)
def test_no_film_is_torn_apart_whatever_bursts_are_across_it(films, seconds, seed):
    """Photos (without a film) and frames mixed; bursts join some of them."""
    media = ids(len(films))
    film_of = {i: f"film {film}" for i, film in zip(media, films, strict=True) if film is not None}
    taken = [shot(i, second) for i, second in zip(media, seconds, strict=False)]
    together = [*of_one_film(film_of), *bursts(taken)]
    splits = assign_splits(groups(media, together), {}, SHARES, seed).splits
    assert set(splits) == set(media)
    seen = defaultdict(set)
    for media_id, film_id in film_of.items():
        seen[film_id].add(splits[media_id])
    assert all(len(found) == 1 for found in seen.values())


@given(libraries())
def test_what_was_dealt_stays_when_media_are_added(library):
    names, together, labels, old, shares, seed = library
    former = names[:old]
    before = assign_splits(groups(former, together), labels, shares, seed).splits
    grouped = groups(names, together)
    after = assign_splits(grouped, labels, shares, seed, before)
    for group in grouped:
        assert len({after.splits[name] for name in group}) == 1
        were = Counter(before[name] for name in group if name in before)
        if were:
            assert were[after.splits[group[0]]] == max(were.values())
    moved = sum(before[name] != after.splits[name] for name in former)
    assert sum(int(note.split()[0]) for note in after.notes if "moved" in note) == moved
    again = assign_splits(grouped, labels, shares, seed, after.splits)
    assert again.splits == after.splits
    assert not any("moved" in note for note in again.notes)


@settings(max_examples=50, deadline=None)
@given(libraries(), st.randoms())
def test_the_order_of_media_makes_no_difference(library, random):
    names, together, labels, _, shares, seed = library
    one = assign_splits(groups(names, together), labels, shares, seed)
    random.shuffle(names)
    random.shuffle(together)
    shuffled = groups(names, [members[::-1] for members in together])
    random.shuffle(shuffled)
    labels = {name: labels[name][::-1] for name in names}
    assert assign_splits(shuffled, labels, shares, seed).splits == one.splits


def test_a_group_goes_where_most_of_its_media_were_and_the_notes_say_so():
    a, b, c, new = ids(4)
    grouped = groups([a, b, c, new], [[a, b, new], [new, c]])
    before = {a: "train", b: "train", c: "val"}
    found = assign_splits(grouped, {}, SHARES, previous=before)
    assert set(found.splits.values()) == {"train"}
    assert "1 image moved from val to train" in found.notes[0]


def test_a_split_that_is_no_longer_wanted_is_dealt_anew():
    names = ids(10)
    before = dict.fromkeys(names, "test")
    found = assign_splits(groups(names, []), {}, parse_shares("80/20"), previous=before)
    assert Counter(found.splits.values()) == {"train": 8, "val": 2}


def test_seeds_deal_differently_and_each_always_alike():
    grouped = groups(ids(50), [])
    dealt = [assign_splits(grouped, {}, SHARES, seed).splits for seed in (0, 0, 1, 2)]
    assert dealt[0] == dealt[1]
    assert len({tuple(sorted(splits.items())) for splits in dealt}) == 3


def test_classes_keep_their_shares_as_far_as_groups_allow():
    # 300 media in groups of one to four, three classes of which one is rare.
    names = ids(300)
    together, at = [], 0
    for n in range(200):
        step = 1 + n % 4
        together.append(names[at : at + step])
        at += step
        if at >= len(names):
            break
    labels = {
        name: [cls for cls, every in (("often", 1), ("half", 2), ("rare", 15)) if n % every == 0]
        for n, name in enumerate(names)
    }
    grouped = groups(names, together)
    found = assign_splits(grouped, labels, SHARES)
    by_class: dict[str, Counter[str]] = defaultdict(Counter)
    for name, split in found.splits.items():
        by_class["all"][split] += 1
        for cls in labels[name]:
            by_class[cls][split] += 1
    for cls, counts in by_class.items():
        for split, share in SHARES.items():
            want = share * sum(counts.values())
            assert abs(counts[split] - want) <= max(2.5, 0.04 * want), (cls, counts)


def test_few_media_of_many_classes_do_not_all_end_in_train():
    names = ids(10)
    labels = {name: [f"class {n}"] for n, name in enumerate(names)}
    found = assign_splits(groups(names, []), labels, parse_shares("80/10/10"))
    assert Counter(found.splits.values()) == {"train": 8, "val": 1, "test": 1}


def test_classes_that_no_split_can_share_take_no_room_from_those_that_can():
    names = ids(30)
    labels = {name: [f"once {n}"] if n < 20 else ["often"] for n, name in enumerate(names)}
    found = assign_splits(groups(names, []), labels, SHARES)
    often = Counter(found.splits[name] for name in names[20:])
    assert often == {"train": 6, "val": 2, "test": 2}
    assert Counter(found.splits.values()) == {"train": 18, "val": 6, "test": 6}


def test_a_split_that_former_times_leave_empty_is_told():
    names = ids(5)
    found = assign_splits(groups(names, []), {}, SHARES, previous=dict.fromkeys(names, "train"))
    assert set(found.splits.values()) == {"train"}
    assert any("another seed" in note for note in found.notes)


def test_one_great_group_leaves_the_other_splits_empty_and_says_so():
    names = ids(6)
    found = assign_splits(groups(names, list(combinations(names, 2))), {}, SHARES)
    assert len(set(found.splits.values())) == 1
    assert any("only 1 groups" in note for note in found.notes)
