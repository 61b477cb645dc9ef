"""A search and its address are the same thing."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framekeep.app.query import (
    KINDS_OF,
    PAGE,
    SIZES,
    ImageTerm,
    SearchState,
    conjunction,
    media_id_of,
    object_id_of,
    parse_away,
    parse_params,
)
from framekeep.filters import parse_filter

WORDS = st.text(min_size=1, max_size=40).map(str.strip).filter(bool)
IDS = st.text("0123456789abcdef", min_size=64, max_size=64)
OBJECT_IDS = st.text("0123456789abcdef", min_size=32, max_size=32)
WEIGHTS = st.sampled_from([0.1, 0.5, 1.0, 1.5, 3.0])
IMAGE_TERMS = st.builds(ImageTerm, st.sampled_from(["media", "image"]), IDS, WEIGHTS) | st.builds(
    ImageTerm, st.just("segment"), OBJECT_IDS, WEIGHTS
)
FACETS = st.sampled_from(
    [("year", "taken:2024"), ("year", "taken:2023"), ("tag", 'tag:"a b"'), ("format", "format:png")]
)


@given(
    st.builds(
        SearchState,
        text=WORDS | st.just(""),
        text_weight=WEIGHTS,
        images=st.lists(IMAGE_TERMS, max_size=3).map(tuple),
        away=st.lists(WORDS, max_size=3).map(tuple),
        where=st.sampled_from(["", "format:png", 'tag:"x y" or tag:z']),
        facets=st.lists(FACETS, max_size=4, unique=True).map(tuple),
        limit=st.integers(1, 500),
        size=st.sampled_from(SIZES),
        of=st.sampled_from(KINDS_OF),
        near=st.booleans(),
    )
)
def test_an_address_gives_its_search_back(state: SearchState) -> None:
    assert parse_params(state.to_params()) == state
    kept = parse_params(parse_qs(state.to_address()))
    assert kept.condition == state.condition
    assert (kept.images, kept.facets, kept.limit) == (state.images, state.facets, PAGE)
    assert kept.of == state.of


@given(
    st.dictionaries(
        st.sampled_from(["q", "w", "like", "not", "where", "f", "n", "size", "of", "near", "open"]),
        st.lists(st.text(max_size=80), max_size=3),
    )
)
def test_no_address_is_an_error(params: dict[str, list[str]]) -> None:
    state = parse_params(params)
    assert 1 <= state.limit <= 500
    assert state.size in SIZES
    assert all(0 < term.weight <= 10 for term in state.images)
    assert parse_params(state.to_params()) == state


def test_values_of_one_facet_are_alternatives() -> None:
    state = SearchState(where="format:png or format:gif")
    for facet, where in (("year", "taken:2023"), ("year", "taken:2024"), ("tag", "tag:x")):
        state = state.toggled(facet, where, on=True)
    assert state.condition == (
        "(format:png or format:gif) and ((taken:2023) or (taken:2024)) and (tag:x)"
    )
    parse_filter(state.condition)
    assert state.toggled("year", "taken:2023", on=False).condition == (
        "(format:png or format:gif) and (taken:2024) and (tag:x)"
    )


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "1e9", "x", ""])
def test_a_weight_that_cannot_be_one_counts_as_one(text: str) -> None:
    assert parse_params({"q": ["a"], "w": [text]}).text_weight == 1.0


def test_small_parts() -> None:
    assert conjunction(["", " "]) == ""
    assert conjunction(["a:b", ""]) == "a:b"
    assert parse_away("people, , text ") == ("people", "text")
    assert media_id_of("../x") is None
    assert media_id_of("a" * 64) == "a" * 64
    assert object_id_of("a" * 64) is None
    assert object_id_of("a" * 32) == "a" * 32
    assert SearchState().empty
    assert SearchState(text="x", away=("y",), facets=(("tag", "tag:z"),)).described() == (
        "“x” · not “y” · tag:z"
    )
    assert SearchState(of="objects").described() == "objects"
    assert parse_params({"of": ["segments"]}).of == "media"
    assert parse_params({"like": ["segment:" + "a" * 64, "media:" + "a" * 32]}).images == ()
