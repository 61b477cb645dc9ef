"""Making edits, and what a session remembers of them: what is made, what can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from framekeep.app.components.gallery import sent_edits
from framekeep.app.state import context
from framekeep.errors import FramekeepError
from framekeep.object_types import Change

OBJECT_ID_LENGTH = 32
_KEY = "desk"


@dataclass
class Desk:
    """A session's edits: the number of the last quick one made, by gallery; what can be undone.

    It is changed in place. Streamlit may end a run wherever the session's state is used, and so
    between an edit and the note that it was made, or the other way round.
    """

    handled: dict[str, int] = field(default_factory=dict)
    undoable: Change | None = None
    failed: str | None = None
    said: str | None = None


def desk() -> Desk:
    """This session's desk."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Desk()
    held: Desk = st.session_state[_KEY]
    return held


def author() -> str | None:
    """Who edits: the account that is signed in, or None for the user of this machine."""
    if context().parts.users is None:
        return None
    return str(st.user.get("email") or "") or None


def objects_among(ids: Sequence[str]) -> list[str]:
    """Those ids that stand for objects, not for photos."""
    return [some for some in ids if len(some) == OBJECT_ID_LENGTH]


def edit(what: str, ids: Sequence[str], value: str = "") -> None:
    """Accept, reject or reopen objects, or give photos and objects a label ("class").

    What was done can be taken back. Raises FramekeepError.
    """
    _edit(desk(), author(), what, ids, value)


def note_change() -> None:
    """Offer to take back what was done last."""
    _note(desk())


def forget_change() -> None:
    """Offer nothing to be taken back."""
    desk().undoable = None


def undo() -> None:
    """Take back what was done last from here, unless something else was done since.

    Raises FramekeepError.
    """
    _undo(desk())


def handle_quick_edits(key: str) -> None:
    """Make the edits that a gallery has sent since the last run; called before the page runs."""
    held, who = desk(), author()
    sent = sent_edits(st.session_state.get(key), held.handled.get(key, 0))
    for quick in sent:
        try:
            if quick.what == "undo":
                _undo(held)
            else:
                _edit(held, who, quick.what, quick.ids, quick.value)
        except FramekeepError as exc:
            held.failed = str(exc)
        held.handled[key] = quick.number
    if any(len(quick.ids) > 1 for quick in sent):
        let_go(key)


def handled(key: str) -> int:
    """The number of a gallery's last quick edit that has been made."""
    return desk().handled.get(key, 0)


def let_go(key: str) -> None:
    """Have a gallery select nothing."""
    st.session_state[f"{key}_mark"] = int(st.session_state.get(f"{key}_mark", 0)) + 1


def _edit(held: Desk, who: str | None, what: str, ids: Sequence[str], value: str) -> None:
    library = context().library
    objects = objects_among(ids)
    if what == "class":
        library.label(list(ids), value or None, author=who)
    elif not objects:
        return
    elif what == "accept":
        library.accept(objects, author=who)
    elif what == "reject":
        library.reject(objects, author=who)
    else:
        library.reopen(objects, author=who)
    _note(held)


def _note(held: Desk) -> None:
    newest = context().library.changes(1)
    held.undoable = newest[0] if newest else None


def _undo(held: Desk) -> None:
    wanted, held.undoable = held.undoable, None
    if wanted is None:
        return
    library = context().library
    newest = library.changes(1)
    if not newest or newest[0].change_id != wanted.change_id:
        held.said = "Something else was edited since: nothing was taken back."
        return
    undone = library.undo()
    held.said = f"Taken back: {undone.what}." if undone else None
