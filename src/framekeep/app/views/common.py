"""What the pages share: errors as sentences, numbers in words, moving between addresses."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st

from framekeep.app.query import SearchState, conjunction, media_id_of, object_id_of, parse_params
from framekeep.app.state import context
from framekeep.errors import FramekeepError
from framekeep.types import Hit

SEARCH_PAGE = "app_pages/search.py"
ADD_PAGE = "app_pages/add.py"
LIBRARY_PAGE = "app_pages/library.py"
SETTINGS_PAGE = "app_pages/settings.py"
OBJECTS_PAGE = "app_pages/objects.py"
ANNOTATE_PAGE = "app_pages/annotate.py"
DATASETS_PAGE = "app_pages/datasets.py"


@contextmanager
def told() -> Iterator[None]:
    """Tell an error in the page, in its own sentence, and go on below."""
    try:
        yield
    except FramekeepError as exc:
        st.error(plain(str(exc)), icon=":material/error:")
    except OSError as exc:
        st.error(plain(f"A file could not be read or written: {exc}."), icon=":material/error:")


def run_anew() -> NoReturn:
    """Run the page anew, but first what the user has asked for, which a bare rerun would replace.

    Streamlit looks for that whenever the session's state is used.
    """
    st.session_state.get("page")
    st.rerun()


def plain(text: str) -> str:
    """A text as it is, for places that would read Markdown or HTML."""
    for mark in "\\`*_{}[]<>()#+-!|~$:&":
        text = text.replace(mark, "\\" + mark)
    return text


def megabytes(count: float) -> str:
    """Bytes in words."""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:,.1f} {unit}"
    return f"{count:,.0f} B"


def facts(rows: Mapping[str, str]) -> None:
    """Names with what is known under them; the values are text, whatever is in them."""
    items = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
        for name, value in rows.items()
        if value
    )
    st.html(f'<dl class="fk-facts">{items}</dl>')


def table(rows: Sequence[Mapping[str, str]], label: str, height_px: int = 320) -> None:
    """Rows under their headings; what is in them is text, whatever it looks like."""

    def row(tag: str, values: Iterable[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(v)}</{tag}>" for v in values) + "</tr>"

    head = row("th", rows[0]) if rows else ""
    body = "".join(row("td", values.values()) for values in rows)
    st.html(
        f'<div class="fk-table" tabindex="0" role="region" aria-label="{html.escape(label)}" '
        f'style="max-height:{height_px}px"><table><thead>{head}</thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A span of time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def photos_and_films(where: str = "") -> str:
    """How many photos and films match a filter, in words; films only where there are any."""
    here = context()
    films = here.count(conjunction([where, "kind:video"])) if here.count("kind:video") else 0
    photos = here.count(where) - films
    parts = [counted(photos, "photo")] if photos or not films else []
    return " and ".join([*parts, *([counted(films, "film")] if films else [])])


def counted_hits(hits: Iterable[Hit]) -> str:
    """How many photos, films, moments of films and objects there are, in words."""
    nouns = Counter(_noun(hit) for hit in hits)
    parts = [counted(nouns[noun], noun) for noun in _NOUNS if nouns[noun]]
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "0 photos"


_NOUNS = ("photo", "film", "moment", "object")


def _noun(hit: Hit) -> str:
    if hit.segment:
        return "object"
    return {"video": "film", "frame": "moment"}.get(hit.media.kind, "photo")


def current_search() -> SearchState:
    """The search in the page's address."""
    return parse_params({name: st.query_params.get_all(name) for name in st.query_params})


def go(state: SearchState, **extra: str | Sequence[str]) -> None:
    """Move to a search: a new entry in the browser's history."""
    params: dict[str, str | list[str]] = {
        name: values[0] if len(values) == 1 else values
        for name, values in state.to_params().items()
    }
    params.update({name: v if isinstance(v, str) else list(v) for name, v in extra.items() if v})
    st.query_params.from_dict(params)


def search_for(state: SearchState) -> None:
    """Move to a search, and keep it in the history of searches."""
    go(state)
    if state.ranked:
        with told():
            context().library.remember_search(state.to_address())


def opened() -> str | None:
    """The photo that the address asks for."""
    return media_id_of(st.query_params.get("open"))


def opened_object() -> str | None:
    """The object that the address asks for, within the open photo."""
    return object_id_of(st.query_params.get("object"))


def open_photo(media_id: str | None, object_id: str | None = None) -> None:
    """Show one photo large, or (None) the photos again; the rest of the address stays.

    With `object_id`, that object of it stands out.
    """
    params = {name: st.query_params.get_all(name) for name in st.query_params}
    left = (params.pop("object", None) or params.get("open") or [""])[0]
    params.pop("open", None)
    if media_id is None:
        st.session_state["focus"] = (left, _count("focus_mark"))
    else:
        params["open"] = [media_id]
        if object_id:
            params["object"] = [object_id]
    # At once, so that it is one step of the browser's history.
    st.query_params.from_dict({name: v[0] if len(v) == 1 else v for name, v in params.items()})


def focus_wish() -> tuple[str, int] | None:
    """The photo that the gallery is to move to."""
    wish = st.session_state.get("focus")
    return wish if wish and wish[0] else None


def wish_focus(media_id: str) -> None:
    """Have the gallery move to a photo when it is shown next."""
    st.session_state["focus"] = (media_id, _count("focus_mark"))


def _count(name: str) -> int:
    st.session_state[name] = st.session_state.get(name, 0) + 1
    return int(st.session_state[name])
