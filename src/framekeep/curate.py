"""Rules for tags, labels, notes and colours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from framekeep.errors import InputError
from framekeep.store.catalog import Catalog

LONGEST_TAG = 64
LONGEST_NAME = 100
LONGEST_TEXT = 10_000


def check_picture(catalog: Catalog, media_id: str) -> None:
    """Raise InputError for a film: objects lie on its frames."""
    if catalog.film_states([media_id]):
        raise InputError(
            "This is a film, and objects lie on its frames: name one of them by its media id."
        )


def clean_tag(text: str) -> str:
    """The form in which a tag is kept: NFC, single spaces, no control characters or commas.

    Raises InputError for what cannot be a tag.
    """
    tag = " ".join(unicodedata.normalize("NFC", text).split())
    if not tag:
        raise InputError("A tag has at least one visible character.")
    if len(tag) > LONGEST_TAG:
        raise InputError(f"A tag has at most {LONGEST_TAG} characters, this one has {len(tag)}.")
    if any(char == "," or unicodedata.category(char)[0] == "C" for char in tag):
        raise InputError(f"The tag {tag!r} has a comma or a control character; leave it out.")
    return tag


def settle_tags(texts: Iterable[str], known: Iterable[str]) -> list[str]:
    """Cleaned tags without repeats; one that differs from a known tag in case only is that tag."""
    spelling = {tag.casefold(): tag for tag in known}
    return list(
        dict.fromkeys(
            spelling.setdefault(tag.casefold(), tag) for tag in (clean_tag(text) for text in texts)
        )
    )


def clean_name(text: str, what: str = "label") -> str:
    """The form in which a label or an attribute's name is kept: NFC, single spaces.

    Raises InputError for what cannot be one: empty, too long, with control characters.
    """
    if not isinstance(text, str):
        raise InputError(f"A {what} is a text, not {text!r}.")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise InputError(f"A {what} has at least one visible character.")
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"A {what} has at most {LONGEST_NAME} characters, this one has {len(name)}."
        )
    if any(unicodedata.category(char)[0] == "C" for char in name):
        raise InputError(f"The {what} {name!r} has a control character; leave it out.")
    return name


def clean_text(text: str, what: str = "note") -> str:
    """A note or an attribute's value as it is kept: NFC, lines and tabs allowed; may be empty."""
    if not isinstance(text, str):
        raise InputError(f"A {what} is a text, not {text!r}.")
    kept = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
    if len(kept) > LONGEST_TEXT:
        raise InputError(f"A {what} has at most {LONGEST_TEXT:,} characters, not {len(kept):,}.")
    if any(unicodedata.category(char)[0] == "C" and char not in "\n\t" for char in kept):
        raise InputError(f"The {what} has a control character; leave it out.")
    return kept


def clean_colour(text: str) -> str:
    """A colour as "#rrggbb" in lower case. Raises InputError for another form."""
    if not isinstance(text, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise InputError(f"A colour is written #rrggbb, such as #e6194b, not {text!r}.")
    return text.lower()
