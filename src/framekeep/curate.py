"""Rules for tags."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from framekeep.errors import InputError

LONGEST_TAG = 64


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
