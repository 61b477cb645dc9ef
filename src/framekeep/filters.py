"""The filter language: `taken>=2024-05 and tag:trip and not format:png` to a frozen tree.

A missing value (a photo without a capture date, say) fulfils no comparison, so `not taken<2024`
keeps photos without a date and `taken>=2024` does not. docs/searching.md has the whole language.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from framekeep.errors import FilterError

Op = Literal["=", "!=", "<", "<=", ">", ">="]
Kind = Literal["date", "number", "text", "choice"]

LONGEST = 10_000
# SQLite's parser gives up at about 33 levels, and at 1,000 conditions in a row.
DEEPEST = 25
MOST = 250

GRAMMAR = r"""
?start: any
?any: all ("or"i all)*
?all: one ("and"i one)*
?one: "not"i one -> negated
    | "(" any ")"
    | FIELD OP (WORD | QUOTED) -> compare
    | FLAG -> flag
FLAG.2: /has-[a-z]+/i
FIELD: /(?!(and|or|not)\b)[a-z]+/i
OP: /<=|>=|!=|[<>=:]/
WORD: /[^\s()"]+/
QUOTED: /"(\\.|[^"\\])*"/s
%ignore /\s+/
"""

_BARE = re.compile(r'[^\s()"]+')
_ID = re.compile(r"[0-9a-f]{4,64}\*?", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_UNITS: dict[str, dict[str, float]] = {
    "bytes": {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20},
    "pixels": {"": 1, "mp": 1e6},
    "width": {"": 1, "px": 1},
    "height": {"": 1, "px": 1},
    "sharpness": {"": 1},
    "brightness": {"": 1},
    "score": {"": 1},
    "area": {"": 1, "px": 1, "mp": 1e6},
    "duration": {"": 1, "s": 1, "min": 60, "m": 60, "h": 3600},
    "fps": {"": 1},
}
_CHOICES = {
    "orientation": ("landscape", "portrait", "square"),
    "kind": ("photo", "video"),
    "has": ("problem", "tag", "taken", "camera", "object", "label", "audio"),
    "state": ("open", "accepted", "rejected"),
    "source": ("model", "person", "import"),
}
_AGO = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGO["y"] = timedelta(days=365)
_DATE_FORMS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")

FIELDS: dict[str, Kind] = {
    "taken": "date",
    "added": "date",
    **dict.fromkeys(_UNITS, "number"),
    **dict.fromkeys(_CHOICES, "choice"),
    **dict.fromkeys(("format", "folder", "name", "camera", "tag"), "text"),
    **dict.fromkeys(("label", "otag", "segmenter", "codec", "film"), "text"),
}


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison; `value` is the text as it was written, checked against the field."""

    field: str
    op: Op
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.op}{quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Not:
    """True where `inner` is not."""

    inner: Filter

    def __str__(self) -> str:
        return f"not {_within(self.inner, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """True where all parts are."""

    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return " and ".join(_within(part, And, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """True where any part is."""

    parts: tuple[Filter, ...]

    def __str__(self) -> str:
        return " or ".join(_within(part, Or) for part in self.parts)


Filter = Compare | Not | And | Or


def quoted(value: str) -> str:
    """A value as it is written in an expression, in quotes where it needs them."""
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _within(part: Filter, *loose: type) -> str:
    """A part written out, in parentheses where it binds no closer than what is around it."""
    return f"({part})" if isinstance(part, loose) else str(part)


@dataclass(frozen=True, slots=True)
class Period:
    """A date as written, from `start` up to but without `end`; both without a zone."""

    start: datetime
    end: datetime


def parse_filter(text: str) -> Filter:
    """Parse an expression. Raises FilterError with the spot and what was expected there."""
    if not isinstance(text, str):
        raise FilterError(f"A filter is a text, not {text!r}.")
    if len(text) > LONGEST:
        raise FilterError(f"A filter has at most {LONGEST:,} characters, not {len(text):,}.")
    _check_parentheses(text)
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

    try:
        tree: Filter = _parser().parse(text)
    except VisitError as exc:
        if isinstance(exc.orig_exc, _AtError):
            raise _pointed(text, exc.orig_exc.position, str(exc.orig_exc)) from exc
        raise
    except _AtError as exc:
        raise _pointed(text, exc.position, str(exc)) from exc
    except (UnexpectedCharacters, UnexpectedToken) as exc:
        at_end = isinstance(exc, UnexpectedToken) and exc.token.type == "$END"
        position = len(text) if at_end else exc.pos_in_stream or 0
        raise _pointed(text, position, _expected(exc)) from exc
    except UnexpectedInput as exc:
        raise _pointed(text, len(text), "Here something is missing.") from exc
    _check_size(tree)
    return tree


def period(value: str, now: datetime) -> Period:
    """The span of a date value; "30d" is the instant so long before `now`, without length."""
    ago = re.fullmatch(r"(\d{1,5})([hdwy])", value, re.IGNORECASE)
    if ago:
        instant = now - int(ago[1]) * _AGO[ago[2].lower()]
        return Period(instant, instant)
    for form in _DATE_FORMS:
        try:
            start = datetime.strptime(value.replace(" ", "T"), form)
        except ValueError:
            continue
        return Period(start, _after(start, form))
    raise FilterError(f"{value!r} is not a date.")


def number(field: str, value: str) -> float:
    """A number with its unit worked in."""
    match = _NUMBER.fullmatch(value.strip())
    unit = _UNITS[field].get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise FilterError(f"{value!r} is not a number for {field}.")
    return float(match[1]) * unit


class _AtError(Exception):
    """Something wrong at a place in the text."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


@cache
def _parser() -> Any:
    from lark import Lark, Transformer

    class Build(Transformer[Any, Filter]):
        any = staticmethod(lambda parts: Or(tuple(parts)))
        all = staticmethod(lambda parts: And(tuple(parts)))
        negated = staticmethod(lambda parts: Not(parts[0]))
        compare = staticmethod(_compare)
        flag = staticmethod(lambda parts: _checked("has", "=", str(parts[0])[4:], parts[0], 4))

    return Lark(GRAMMAR, parser="lalr", transformer=Build(), maybe_placeholders=False)


def _compare(parts: Any) -> Compare:
    field, op, value = parts
    text = str(value)
    if value.type == "QUOTED":
        text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    name = str(field).lower()
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(FIELDS))}."
        raise _AtError(field.start_pos, f"There is no field {name}: {hint}")
    return _checked(name, "=" if op == ":" else str(op), text, value)


def _checked(field: str, op: str, text: str, token: Any, skip: int = 0) -> Compare:
    check: dict[Kind, Callable[[str, str, str], str | None]] = {
        "date": _date_fault,
        "number": _number_fault,
        "choice": _choice_fault,
        "text": _text_fault,
    }
    fault = check[FIELDS[field]](field, op, text)
    if fault:
        raise _AtError(token.start_pos + skip, fault)
    return Compare(field, op, text)  # type: ignore[arg-type]


def _date_fault(field: str, op: str, text: str) -> str | None:
    try:
        span = period(text, datetime(2000, 1, 1))
    except (FilterError, OverflowError):
        return (
            f"{field} takes a date such as 2024, 2024-05, 2024-05-17 or 2024-05-17T14:30, or a "
            f"time back such as 30d (h, d, w, y)."
        )
    if span.start == span.end and op in ("=", "!="):
        return f"A time back such as {text} goes with <, <=, > or >=."
    return None


def _number_fault(field: str, op: str, text: str) -> str | None:  # noqa: ARG001
    try:
        number(field, text)
    except FilterError:
        units = ", ".join(unit for unit in _UNITS[field] if unit)
        return f"{field} takes a number{f' with or without a unit ({units})' if units else ''}."
    return None


def _choice_fault(field: str, op: str, text: str) -> str | None:
    if op not in ("=", "!="):
        return f"{field} goes with : or !=, not with {op}."
    if text.lower() not in _CHOICES[field]:
        return f"{field} is one of {', '.join(_CHOICES[field])}."
    return None


def _text_fault(field: str, op: str, text: str) -> str | None:
    if op not in ("=", "!="):
        return f"{field} goes with : or !=, not with {op}."
    if field == "film" and not _ID.fullmatch(text.strip()):
        return "film takes a film's media id or how it begins, in the digits 0 to 9 and a to f."
    return None if text.strip() else f"{field} takes a text, and this one is empty."


def _after(start: datetime, form: str) -> datetime:
    try:
        if form == "%Y":
            return start.replace(year=start.year + 1)
        if form == "%Y-%m":
            return (start + timedelta(days=31)).replace(day=1)
        step = {"d": timedelta(days=1), "H": timedelta(hours=1), "M": timedelta(minutes=1)}
        return start + step.get(form[-1], timedelta(seconds=1))
    except (ValueError, OverflowError):
        return datetime.max


def _check_parentheses(text: str) -> None:
    depth = deepest = 0
    for char in re.sub(r'"(\\.|[^"\\])*"', "", text, flags=re.DOTALL):
        depth += (char == "(") - (char == ")")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise FilterError(f"A filter has at most {DEEPEST} parentheses within each other.")


def _check_size(tree: Filter) -> None:
    """Refuse what others could only read by recursing too deeply, without recursing here."""
    compares, level, depth = 0, [tree], 0
    while level:
        depth += 1
        compares += sum(isinstance(part, Compare) for part in level)
        level = [inner for part in level for inner in _inner(part)]
    if depth > DEEPEST:
        raise FilterError(f"A filter has at most {DEEPEST} not, and, or within each other.")
    if compares > MOST:
        raise FilterError(f"A filter has at most {MOST} comparisons, not {compares:,}.")


def _inner(part: Filter) -> tuple[Filter, ...]:
    match part:
        case And(parts) | Or(parts):
            return parts
        case Not(inner):
            return (inner,)
        case _:
            return ()


def _expected(exc: Any) -> str:
    wanted = set(getattr(exc, "expected", None) or getattr(exc, "allowed", None) or ())
    if {"WORD", "QUOTED"} & wanted:
        return 'Here a value is expected; put one with spaces or parentheses in "quotes".'
    if "OP" in wanted:
        return "Here one of : = != < <= > >= is expected."
    if "FIELD" in wanted:
        return "Here a field such as taken, tag or format is expected."
    if "RPAR" in wanted:
        return "Here and, or, or a closing parenthesis is expected."
    return "Here and, or, or the end is expected."


def _pointed(text: str, position: int, message: str) -> FilterError:
    line = text.replace("\n", " ").replace("\t", " ")
    return FilterError(f"{message}\n  {line}\n  {' ' * position}^")
