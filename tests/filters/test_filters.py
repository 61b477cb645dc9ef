"""The filter language: its form, its faults, and that SQL means what the words say."""

from __future__ import annotations

import contextlib
import fnmatch
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framekeep.errors import FilterError
from framekeep.filters import And, Compare, Filter, Not, Or, number, parse_filter, period
from framekeep.store.catalog import Catalog
from framekeep.types import FileRecord, MediaItem

NOW = datetime(2024, 6, 15, 12)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("tag:trip", Compare("tag", "=", "trip")),
        ("TAG = trip", Compare("tag", "=", "trip")),
        ('name:"a \\"b\\" c"', Compare("name", "=", 'a "b" c')),
        ("has-problem", Compare("has", "=", "problem")),
        ("not tag:a and tag:b", And((Not(Compare("tag", "=", "a")), Compare("tag", "=", "b")))),
        (
            "tag:a or tag:b and tag:c",
            Or(
                (
                    Compare("tag", "=", "a"),
                    And((Compare("tag", "=", "b"), Compare("tag", "=", "c"))),
                )
            ),
        ),
        ("(tag:and)", Compare("tag", "=", "and")),
        ("bytes>10MB", Compare("bytes", ">", "10MB")),
    ],
)
def test_expressions_become_trees(text, tree):
    assert parse_filter(text) == tree


@pytest.mark.parametrize(
    ("text", "words", "spot"),
    [
        ("", "field", 0),
        ("tag", ": = !=", 3),
        ("tag:", "value", 4),
        ("tga:x", "did you mean tag", 0),
        ("taken>yesterday", "taken takes a date", 6),
        ("taken:2024-13", "taken takes a date", 6),
        ("taken:30d", "goes with <", 6),
        ("pixels>many", "number", 7),
        ("sharpness>3MB", "number", 10),
        ("orientation>square", "not with >", 12),
        ("orientation:wide", "landscape", 12),
        ("tag:a tag:b", "and, or", 6),
        ("(tag:a", "parenthesis", 6),
        ("tag:a)", "and, or", 5),
        ("has-wings", "problem", 4),
        ('tag:""', "empty", 4),
        ("taken>=2024-05 and and tag:x", "field", 19),
    ],
)
def test_faults_point_at_the_spot(text, words, spot):
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    message, line, pointer = str(caught.value).split("\n")
    assert words in message
    assert line == "  " + text
    assert pointer == " " * (2 + spot) + "^"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60 + "tag:a" + ")" * 60,
        "(" * 4000 + "tag:a" + ")" * 4000,
        "not " * 70 + "tag:a",
        ("not " * 40 + "(") * 45 + "tag:a" + ")" * 45,
        " or ".join(["tag:a"] * 1000),
        "x" * 10_001,
    ],
)
def test_absurd_expressions_are_refused(text):
    with pytest.raises(FilterError, match="at most"):
        parse_filter(text)


PIECES = st.sampled_from(
    ["tag", "taken", "bytes", "has-", "not", "and", "or", "(", ")", ":", "=", "!=", "<=", ">",
     '"', '"a b"', "\\", "2024", "9999", "9999-12-31", "9999y", "30d", "1MB", "x", " ", "\n"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join),
                 st.lists(PIECES, max_size=12).map(" ".join)))  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_any_text_parses_or_is_a_filter_error(text):
    with contextlib.suppress(FilterError):
        tree = parse_filter(text)
        assert parse_filter(str(tree)) == tree


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("2024", datetime(2024, 1, 1), datetime(2025, 1, 1)),
        ("2024-12", datetime(2024, 12, 1), datetime(2025, 1, 1)),
        ("2024-02-29", datetime(2024, 2, 29), datetime(2024, 3, 1)),
        ("2024-05-17T14", datetime(2024, 5, 17, 14), datetime(2024, 5, 17, 15)),
        ("2024-05-17T14:30", datetime(2024, 5, 17, 14, 30), datetime(2024, 5, 17, 14, 31)),
        ("9999", datetime(9999, 1, 1), datetime.max),
        ("30d", NOW - timedelta(days=30), NOW - timedelta(days=30)),
    ],
)
def test_dates_are_periods(value, start, end):
    span = period(value, NOW)
    assert (span.start, span.end) == (start, end)


def test_units():
    assert number("bytes", "10MB") == 10_000_000
    assert number("bytes", "1.5kib") == 1536
    assert number("pixels", "12mp") == 12_000_000


# What SQL says against what a plain reading of the words says.

COMPARES = st.one_of(
    st.builds(
        Compare,
        st.sampled_from(["taken", "added"]),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["2023", "2024", "2024-05", "2024-05-17", "2024-05-17T14:30"]),
    ),
    st.builds(
        Compare,
        st.just("taken"),
        st.sampled_from(["<", "<=", ">", ">="]),
        st.sampled_from(["12h", "30d", "9w", "1y"]),
    ),
    st.builds(
        Compare,
        st.sampled_from(["bytes", "pixels", "width", "height", "sharpness", "brightness"]),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["0", "0.5", "100", "640", "5000", "307200"]),
    ),
    st.builds(
        Compare, st.just("orientation"), st.sampled_from(["=", "!="]),
        st.sampled_from(["landscape", "portrait", "square"]),
    ),
    st.builds(
        Compare, st.just("has"), st.sampled_from(["=", "!="]),
        st.sampled_from(["tag", "taken", "camera", "problem"]),
    ),
    st.builds(
        Compare, st.sampled_from(["name", "camera", "tag", "folder", "format"]),
        st.sampled_from(["=", "!="]),
        st.sampled_from(
            ["a", "A", "*", "a*", "?b", "100%", "_", "x_y", "trip", "best of", "Canon", "/p/in",
             "/p", "in", "jpg", "png", "\\", "é", "É*", "JO?É"]
        ),
    ),
)  # fmt: skip
FILTERS = st.recursive(
    COMPARES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(FILTERS)
@settings(deadline=None)
def test_a_tree_written_out_parses_back(tree):
    assert parse_filter(str(tree)) == tree


@given(st.text(min_size=1).filter(str.strip))
@settings(deadline=None)
def test_any_value_survives_being_written_out(value):
    tree = And((Compare("tag", "=", value), Not(Compare("name", "!=", value))))
    assert parse_filter(str(tree)) == tree


def test_trees_are_written_plainly():
    text = 'not format:png and (tag:trip or name:"a b") or taken>=2024-05'
    assert str(parse_filter(text)) == text.replace(":", "=")


class Row:
    def __init__(self, item: MediaItem, path: str, tags: list[str]) -> None:
        self.item, self.path, self.tags = item, PurePath(path), tags


def rows() -> list[Row]:
    moments = [None, datetime(2023, 12, 31, 23, 59), datetime(2024, 5, 17, 14, 30, 20),
               datetime(2024, 5, 31), datetime(2024, 6, 15, 6)]  # fmt: skip
    names = ["a.jpg", "Ab.png", "x_y.jpg", "xzy.jpg", "100%.gif", "trip to.jpg", "é.jpg"]
    cameras = [None, "Canon EOS", "a_cam", "SONY"]
    tags: list[list[str]] = [[], ["José"], ["trip"], ["Trip", "best of"], ["a", "x_y"], ["100%"]]
    folders = ["/p/in", "/p/in/sub", "/p/inner", "/q/IN/x"]
    made = []
    for n in range(84):
        item = MediaItem(
            media_id=f"{n:064x}",
            kind="photo",
            bytes=(n * 100) % 700,
            size_wh=((640, 480), (480, 640), (100, 100), (5000, 10))[n % 4],
            format=("jpeg", "png", "gif")[n % 3],
            taken_at_local=moments[n % 5],
            camera=cameras[n % 4],
            sharpness=float((n * 50) % 600),
            brightness=(n % 3) / 2,
            added_at=(moments[n % 5] or NOW).astimezone(UTC),
        )
        path = f"{folders[n // 7 % 4]}/{n}-{names[n % 7]}"
        made.append(Row(item, path, tags[n % 6]))
    return made


ROWS = rows()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    catalog = Catalog.open(tmp_path_factory.mktemp("filters") / "catalog.sqlite3")
    catalog.put_media([row.item for row in ROWS])
    catalog.record_files(
        [FileRecord(str(row.path), 1, 1, "indexed", None, row.item.media_id) for row in ROWS], 1
    )
    for row in ROWS:
        catalog.add_tags([row.item.media_id], row.tags)
    yield catalog
    catalog.close()


def glob(text: str, pattern: str) -> bool:
    pattern = pattern.replace("[", "[[]")
    return fnmatch.fnmatchcase(text.lower(), pattern.lower())


def text_holds(row: Row, field: str, value: str) -> bool:
    wild = "*" in value or "?" in value
    if field == "format":
        lower = value.lower()
        return row.item.format == {"jpg": "jpeg"}.get(lower, lower)
    if field == "tag":
        if wild:
            return any(glob(tag, value) for tag in row.tags)
        return value.lower() in [tag.lower() for tag in row.tags]
    if field == "folder":
        if value.startswith("/") and not wild:
            return str(row.path).startswith(value + "/")
        inner = value.strip("/")
        return glob(f"/{row.path.parent}/", f"*/{inner}/*")
    text = row.path.name if field == "name" else row.item.camera
    return text is not None and glob(text, value if wild else f"*{value}*")


def holds(row: Row, where: Filter) -> bool:
    match where:
        case And(parts):
            return all(holds(row, part) for part in parts)
        case Or(parts):
            return any(holds(row, part) for part in parts)
        case Not(inner):
            return not holds(row, inner)
        case Compare(field, "!=", value):
            return not holds(row, Compare(field, "=", value))
        case Compare("has", _, value):
            item = row.item
            return {"tag": bool(row.tags), "taken": item.taken_at_local is not None,
                    "camera": item.camera is not None, "problem": False}[value]  # fmt: skip
        case Compare("orientation", _, value):
            return row.item.shape == value
        case Compare(("taken" | "added") as field, op, value):
            return date_holds(row, field, op, value)
        case Compare(("name" | "camera" | "tag" | "folder" | "format") as field, _, value):
            return text_holds(row, field, value)
        case Compare(field, op, value):
            width, height = row.item.size_wh
            known = {"width": width, "height": height, "pixels": width * height}
            return compared(known.get(field, getattr(row.item, field, 0)), op, float(value))
    raise AssertionError(where)


def compared(left: float, op: str, right: float) -> bool:
    return {"=": left == right, "<": left < right, "<=": left <= right, ">": left > right,
            ">=": left >= right}[op]  # fmt: skip


def date_holds(row: Row, field: str, op: str, value: str) -> bool:
    moment = row.item.taken_at_local if field == "taken" else local(row.item.added_at)
    if moment is None:
        return False
    span = period(value, NOW)
    instant = span.start == span.end
    return {
        "=": span.start <= moment < span.end,
        "<": moment < span.start,
        "<=": moment <= span.start if instant else moment < span.end,
        ">": moment > span.start if instant else moment >= span.end,
        ">=": moment >= span.start,
    }[op]


def local(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None)


@given(FILTERS)
@settings(deadline=None, max_examples=300)
def test_sql_finds_what_the_words_say(catalog, where):
    from framekeep.store import catalog_select

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog_select, "datetime", Clock)
        found = set(catalog.select_ids(where))
        assert catalog.count_matching(where) == len(found)
    assert found == {row.item.media_id for row in ROWS if holds(row, where)}


def test_the_largest_filters_can_be_run(catalog):
    for part in ("tag:a", "taken:2024", "name:a", "folder:/p", "has-problem", "not has:tag"):
        for word in (" and ", " or "):
            catalog.select_ids(parse_filter(word.join([part] * 250)))
    for step in ("not (taken:2024 or ", "taken:2024 and (tag:a or "):
        catalog.select_ids(parse_filter(step * 12 + "name:a" + ")" * 12))


def test_a_medium_has_a_problem_where_a_copy_of_it_can_no_longer_be_read(tmp_path):
    catalog = Catalog.open(tmp_path / "catalog.sqlite3")
    items = [row.item for row in ROWS[:2]]
    catalog.put_media(items)
    first, second = (item.media_id for item in items)
    catalog.record_files(
        [
            FileRecord("/p/a.jpg", 1, 1, "indexed", None, first),
            FileRecord("/p/copy.jpg", 1, 1, "indexed", None, first),
            FileRecord("/p/b.jpg", 1, 1, "indexed", None, second),
        ],
        1,
    )
    assert catalog.select_ids(parse_filter("has-problem")) == []
    catalog.record_files([FileRecord("/p/copy.jpg", 1, 2, "failed", "damaged")], 2)
    assert catalog.select_ids(parse_filter("has-problem")) == [first]
    assert catalog.select_ids(parse_filter("not has:problem")) == [second]
    catalog.close()


def test_names_that_are_not_utf8_are_found(tmp_path):
    catalog = Catalog.open(tmp_path / "catalog.sqlite3")
    catalog.put_media([ROWS[0].item])
    odd = FileRecord("/p/caf\udce9/x\udcff.jpg", 1, 1, "indexed", None, ROWS[0].item.media_id)
    catalog.record_files([odd], 1)
    for text in ("name:x\udcff", "folder:caf\udce9", "folder:/p/caf\udce9", "not tag:\udcff"):
        assert catalog.count_matching(parse_filter(text)) == 1
    catalog.close()


def test_newest_come_first_and_pages_join(catalog):
    every = catalog.select_ids(parse_filter("pixels>0"))
    assert len(every) == len(ROWS)
    pages = [catalog.select_ids(None, 10, start) for start in range(0, 90, 10)]
    assert [media_id for page in pages for media_id in page] == every


def test_the_documented_expressions_parse():
    text = (Path(__file__).parents[2] / "docs" / "searching.md").read_text("utf-8")
    examples = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert len(examples) > 10
    for example in examples:
        parse_filter(example)
