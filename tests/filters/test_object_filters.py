"""Filters that speak of objects: what SQL finds against a plain reading of the words."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.errors import FilterError
from framekeep.filters import And, Compare, Filter, Not, Or, parse_filter
from framekeep.object_types import Segment
from framekeep.store.catalog import Catalog
from framekeep.store.segment_rows import NewSegment
from tests.helpers.catalog import DATABASES, catalog_on, file_of, item, media_ids
from tests.helpers.segments import boxed

ME = "me"
COUNT = 24
LABELS = [None, "dog", "Hot dog", "Löwe", "ca_t", "100%", "STRASSE"]
WORDS = ["dog", "DOG", "löwe", "LÖWE", "*dog", "hot dog", "h?t*", "ca_t", "caxt", "ca?t", "100%",
         "1*", "*", "straße", "none", "\\", "o"]  # fmt: skip
OBJECT_FIELDS = {"label", "otag", "state", "source", "segmenter", "score", "area"}


@pytest.fixture(scope="module", params=DATABASES)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    catalog = catalog_on(request.param, tmp_path_factory.mktemp("filters"))
    yield World(catalog)
    catalog.close()


class World:
    """Media with objects of every kind, some labelled as a whole, some gone, and what they are."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        ids = media_ids(COUNT)
        catalog.put_media([item(i, bytes=n * 10) for n, i in enumerate(ids)])
        catalog.record_files([file_of(i) for i in ids], 1)
        segments = self._add(ids)
        catalog.set_label(segments[::5], "dog", author=ME)
        catalog.set_label(segments[3::7], "Hot dog", author="set", source="import")
        catalog.set_state(segments[::3], "accepted", author=ME)
        catalog.set_state(segments[1::4], "rejected", author=ME)
        catalog.edit_tags(segments[::2], ["dog", "ca_t"], author=ME)
        catalog.edit_tags(segments[1::5], ["Löwe"], author=ME)
        catalog.set_label(ids[4:8], "STRASSE", author=ME)
        catalog.set_label(ids[7:9], "dog", author="set", source="import")
        catalog.set_label(ids[10:11], "Löwe", author="namer@1", source="model")
        catalog.add_tags(ids[::2], ["dog"])
        catalog.record_files([file_of(i, state="missing") for i in ids[20:]], 2)
        self.media = catalog.media(ids[:20])
        self.tags = catalog.tags_of(ids)
        self.segments = catalog.segments_of(ids[:20], rejected=True)
        self.labels = {
            i: [
                (each.value, each.source) for each in catalog.annotations(i) if each.kind == "label"
            ]
            for i in ids
        }

    def _add(self, ids: list[str]) -> list[str]:
        found: list[str] = []
        for name in ("cutter@1", "Säge@2"):
            items = [
                NewSegment(ids[n], boxed((0, 0, 5 + k, 5), k / 4, LABELS[(n + k) % len(LABELS)]))
                for n in range(COUNT)
                for k in range(n % 5)
            ]
            found += self.catalog.add_segments(items, name, author=name, source="model")
        return sorted(found)

    def media_that(self, where: Filter) -> set[str]:
        return {i for i in self.media if self.holds(i, None, where)}

    def objects_that(self, where: Filter) -> set[str]:
        named = any(c.field == "state" and c.value == "rejected" for c in compares(where))
        return {
            each.segment_id
            for i in self.media
            for each in self.segments.get(i, [])
            if (named or each.state != "rejected") and self.holds(i, each, where)
        }

    def holds(self, media_id: str, segment: Segment | None, where: Filter) -> bool:
        match where:
            case And(parts):
                return all(self.holds(media_id, segment, part) for part in parts)
            case Or(parts):
                return any(self.holds(media_id, segment, part) for part in parts)
            case Not(inner):
                return not self.holds(media_id, segment, inner)
            case Compare(field, "!=", value):
                return not self.holds(media_id, segment, Compare(field, "=", value))
            case Compare("tag", _, value):
                return any(alike(tag, value) for tag in self.tags.get(media_id, ()))
            case Compare("bytes", op, value):
                return compared(self.media[media_id].bytes, op, float(value))
            case Compare(field, op, value) if segment is None:
                rejected = (field, value) == ("state", "rejected")
                held = [
                    each
                    for each in self.segments.get(media_id, [])
                    if rejected or each.state != "rejected"
                ]
                some = any(of_object(each, field, op, value) for each in held)
                return some or any(of_label(*own, field, value) for own in self.labels[media_id])
            case Compare(field, op, value):
                return of_object(segment, field, op, value)
        raise AssertionError(where)


def of_object(segment: Segment, field: str, op: str, value: str) -> bool:
    match field:
        case "label":
            return segment.label is not None and alike(segment.label, value)
        case "otag":
            return any(alike(tag, value) for tag in segment.tags)
        case "state":
            return segment.state == value
        case "source":
            return segment.label_source == value
        case "segmenter":
            pattern = value if "*" in value or "?" in value else f"*{value}*"
            return fnmatch.fnmatchcase(segment.segmenter_id.lower(), pattern.lower())
        case "score":
            return compared(segment.score, op, float(value))
        case "area":
            return compared(segment.area_px, op, float(value))
    assert field == "has"
    return segment.label is not None if value == "label" else True


def of_label(label: str, source: str, field: str, value: str) -> bool:
    """Whether a medium itself fulfils a comparison by the label that it carries."""
    if field == "label":
        return alike(label, value)
    return source == value if field == "source" else (field, value) == ("has", "label")


def alike(text: str, pattern: str) -> bool:
    if "*" in pattern or "?" in pattern:
        return fnmatch.fnmatchcase(text.casefold(), pattern.casefold())
    return text.casefold() == pattern.casefold()


def compared(left: float, op: str, right: float) -> bool:
    return {"=": left == right, "<": left < right, "<=": left <= right, ">": left > right,
            ">=": left >= right}[op]  # fmt: skip


def compares(where: Filter) -> list[Compare]:
    match where:
        case And(parts) | Or(parts):
            return [found for part in parts for found in compares(part)]
        case Not(inner):
            return compares(inner)
        case _:
            return [where]


EQUAL = st.sampled_from(["=", "!="])
COMPARES = st.one_of(
    st.builds(Compare, st.sampled_from(["label", "otag", "tag"]), EQUAL, st.sampled_from(WORDS)),
    st.builds(
        Compare, st.just("state"), EQUAL, st.sampled_from(["open", "accepted", "rejected"])
    ),
    st.builds(Compare, st.just("source"), EQUAL, st.sampled_from(["model", "person", "import"])),
    st.builds(
        Compare, st.just("segmenter"), EQUAL, st.sampled_from(["cutter", "SÄGE", "*@1", "x", "?"])
    ),
    st.builds(Compare, st.just("has"), EQUAL, st.sampled_from(["object", "label"])),
    st.builds(
        Compare, st.sampled_from(["score", "area", "bytes"]),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["0", "0.25", "0.5", "30", "35", "100"]),
    ),
)  # fmt: skip
FILTERS = st.recursive(
    COMPARES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def test_the_world_has_of_everything(world: World) -> None:
    every = [each for held in world.segments.values() for each in held]
    assert {each.label for each in every} == set(LABELS)
    assert {each.state for each in every} == {"open", "accepted", "rejected"}
    assert {each.label_source for each in every} == {None, "model", "person", "import"}


@given(where=FILTERS)
@settings(deadline=None, max_examples=120)
def test_sql_finds_what_the_words_say(world: World, where: Filter) -> None:
    assert parse_filter(str(where)) == where
    index = world.catalog
    for part, wanted in (
        (index, world.media_that(where)),
        (index.objects, world.objects_that(where)),
    ):
        assert set(part.select_ids(where)) == wanted
        assert set(part.select_ids(where, order=None)) == wanted
        assert part.count_matching(where) == len(wanted)
        assert part.matching(sorted(wanted), where) == wanted


def test_the_largest_filters_can_be_run(world: World) -> None:
    if not world.catalog._db.is_sqlite:
        pytest.skip("PostgreSQL plans 250 joined conditions for minutes")
    parts = ["label:a*", "otag:a", "not has-label"]
    for part in parts:
        for word in (" and ", " or "):
            where = parse_filter(word.join([part] * 250))
            world.catalog.select_ids(where)
            world.catalog.objects.select_ids(where)
    for step in ("not (state:open or ", "score>0.5 and (label:a or "):
        where = parse_filter(step * 12 + "has-label" + ")" * 12)
        world.catalog.select_ids(where)
        world.catalog.objects.select_ids(where)


@pytest.mark.parametrize(
    ("text", "words", "spot"),
    [
        ("lable:x", "did you mean label", 0),
        ("stat:open", "did you mean state", 0),
        ("state:done", "open, accepted, rejected", 6),
        ("state>open", "not with >", 6),
        ("source:me", "model, person, import", 7),
        ("score>high", "takes a number", 6),
        ("score>0.5px", "takes a number.", 6),
        ("area>5cm", "unit (px, mp)", 5),
        ("label<dog", "not with <", 6),
        ('otag:" "', "empty", 5),
        ("has-objects", "object", 4),
    ],
)
def test_faults_point_at_the_spot(text: str, words: str, spot: int) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    message, _, pointer = str(caught.value).split("\n")
    assert words in message
    assert pointer == " " * (2 + spot) + "^"


def test_megapixels_are_a_unit_of_areas(world: World) -> None:
    assert world.catalog.objects.count_matching(parse_filter("area<0.00003mp")) == len(
        world.objects_that(Compare("area", "<", "30"))
    )
