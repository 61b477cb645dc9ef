"""Part of the library: labels, classes, tags and notes on media and objects, with undo."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from framekeep.curate import clean_colour, clean_name, clean_text, settle_tags
from framekeep.errors import InputError, NotFoundError
from framekeep.object_types import (
    PERSON,
    Annotation,
    BoolMask,
    Change,
    LabelClass,
    Mask,
    Segment,
    SegmentState,
    Source,
)
from framekeep.terms import listed
from framekeep.types import Hit

if TYPE_CHECKING:
    from framekeep.store.catalog import Catalog

Target = str | Path | Hit | Segment
"""A medium (its id, path or hit) or an object (its id or hit, or itself)."""
Targets = Target | Sequence[Target]

_SEGMENT = re.compile(r"[0-9a-f]{32}")
_MEDIUM = re.compile(r"[0-9a-f]{64}")


class Annotating:
    """Part of `Library`: what is said of media and objects.

    Each call that changes something is one change, which `undo` takes back; without an `author` it
    is that of the user of this machine. None of it waits for a process that adds or segments.
    """

    _catalog: Catalog

    if TYPE_CHECKING:

        def media_id(self, media: str | Path | Hit) -> str:
            """The id of a member."""

        def _encode_segments(self, ids: Sequence[str]) -> None: ...

    # Masks

    def draw(
        self,
        media: str | Path | Hit,
        mask: BoolMask | Mask,
        label: str | None = None,
        *,
        author: str | None = None,
        source: Source = "person",
        segmenter_id: str = PERSON,
        score: float = 1.0,
    ) -> Segment:
        """Add an object to a medium; `mask` (height, width) bool or encoded, of its full size.

        `segmenter_id` tells who answered, where the mask came from points or a box. Raises
        InputError for a mask that is empty or of another size, and for a film.
        """
        from framekeep.curate import check_picture
        from framekeep.geometry import proposal

        media_id = self.media_id(media)
        check_picture(self._catalog, media_id)
        name = None if label is None else clean_name(label)
        found = proposal(mask, score, name)
        who = _author(author)
        segment_id = self._catalog.add_segment(
            media_id, found, segmenter_id, author=who, source=source
        )
        self._encode_segments([segment_id])
        return self._one(segment_id)

    def correct(
        self, segment_id: str, mask: BoolMask | Mask, *, author: str | None = None
    ) -> Segment:
        """Give an object another mask, which is a person's then, and with it a new vector.

        Raises NotFoundError, InputError for a mask that is empty or not of its picture's size.
        """
        from framekeep.geometry import proposal

        found = proposal(mask, self._one(segment_id).score)
        if self._catalog.set_mask(segment_id, found, author=_author(author)):
            self._encode_segments([segment_id])
        return self._one(segment_id)

    def _one(self, segment_id: str) -> Segment:
        found = self._catalog.segments([segment_id]).get(segment_id)
        if found is None:
            raise NotFoundError(f"There is no object {segment_id[:64]!r} in this library.")
        return found

    # Words

    def label(
        self,
        targets: Targets,
        name: str | None,
        *,
        author: str | None = None,
        source: Source = "person",
    ) -> int:
        """Label media and objects, or with None take their label away; gives the number of them.

        A new name makes a class; one that differs in case only is the class that is there. An
        object without a label of its own has its segmenter's. Raises NotFoundError, InputError.
        """
        ids = self._targets(targets)
        cleaned = None if name is None else clean_name(name)
        self._catalog.set_label(ids, cleaned, author=_author(author), source=source)
        return len(ids)

    def accept(self, ids: Targets, *, author: str | None = None) -> int:
        """Find objects right as they are: a label that a model gave counts as the author's now."""
        return self._judge(ids, "accepted", author)

    def reject(self, ids: Targets, *, author: str | None = None) -> int:
        """Find that these are no objects: they are left out everywhere, and can be reopened."""
        return self._judge(ids, "rejected", author)

    def reopen(self, ids: Targets, *, author: str | None = None) -> int:
        """Take back that objects were accepted or rejected; labels stay as they are."""
        return self._judge(ids, "open", author)

    def _judge(self, ids: Targets, state: SegmentState, author: str | None) -> int:
        chosen = self._objects(ids)
        self._catalog.set_state(chosen, state, author=_author(author))
        return len(chosen)

    def tag_segments(
        self,
        ids: Targets,
        add: str | Sequence[str] = (),
        remove: str | Sequence[str] = (),
        *,
        author: str | None = None,
    ) -> int:
        """Add tags to objects and remove others; media are tagged with `tag`."""
        chosen = self._objects(ids)
        known = self._catalog.tag_counts()
        added, removed = settle_tags(listed(add), known), settle_tags(listed(remove), known)
        self._catalog.edit_tags(chosen, added, removed, author=_author(author))
        return len(chosen)

    def set_attribute(
        self, targets: Targets, name: str, value: str | None, *, author: str | None = None
    ) -> int:
        """Give media and objects an attribute's value, or with None take the attribute away."""
        key = clean_name(name, "name of an attribute")
        kept = None if value is None else clean_text(value, "value of an attribute")
        ids = self._targets(targets)
        self._catalog.set_attribute(ids, key, kept, author=_author(author))
        return len(ids)

    def set_note(self, targets: Targets, text: str, *, author: str | None = None) -> int:
        """Give media and objects a note in place of the former one; "" takes it away."""
        ids = self._targets(targets)
        self._catalog.set_note(ids, clean_text(text), author=_author(author))
        return len(ids)

    def annotations(self, target: Target) -> list[Annotation]:
        """All that is said of a medium or an object, by whom and when, its label first."""
        return self._catalog.annotations(self._targets(target)[0])

    # Classes

    def classes(self, *, all_labels: bool = False) -> list[LabelClass]:
        """The classes by name, with the numbers of live objects and media that carry them.

        With `all_labels` also the names that only a segmenter has used; they can be renamed and
        merged like classes.
        """
        return self._catalog.classes(all_labels=all_labels)

    def add_class(
        self, name: str, colour: str | None = None, *, author: str | None = None
    ) -> LabelClass:
        """Make a class; one of that name that is there stays, and gets the colour if one is given.

        Without a colour it gets one of twenty. Raises InputError.
        """
        made = None if colour is None else clean_colour(colour)
        return self._catalog.put_class(clean_name(name), made, author=_author(author))

    def rename_class(self, old: str, new: str, *, author: str | None = None) -> None:
        """Give a class, or a name that a segmenter uses, another name; what carries it keeps it.

        Raises NotFoundError, InputError where there is a class of the new name.
        """
        self._catalog.rename_class(old, clean_name(new), author=_author(author))

    def merge_classes(
        self, names: str | Sequence[str], into: str, *, author: str | None = None
    ) -> None:
        """Label everything that carries one of these names with `into` instead.

        The names may be those that a segmenter uses. `into` is made where there is no such class.
        Raises NotFoundError for a name that nothing has.
        """
        self._catalog.merge_classes(listed(names), clean_name(into), author=_author(author))

    def colour_class(self, name: str, colour: str, *, author: str | None = None) -> None:
        """Give a class another colour, "#rrggbb". Raises NotFoundError, InputError."""
        self._catalog.colour_class(name, clean_colour(colour), author=_author(author))

    def drop_class(self, name: str, *, author: str | None = None) -> None:
        """Remove a class that nothing carries. Raises NotFoundError; InputError for a used one."""
        self._catalog.drop_class(name, author=_author(author))

    # Taking back, going on

    def undo(self, author: str | None = None) -> Change | None:
        """Take back the newest change (of that author) that has not been undone; None without one.

        Raises InputError where somebody else has changed the same since.
        """
        change = self._catalog.undo(author)
        if change is not None:
            ids = self._catalog.masks_of_change(change.change_id)
            live = self._catalog.objects.live_ids(ids)
            self._encode_segments([segment_id for segment_id in ids if segment_id in live])
        return change

    def changes(self, limit: int = 50) -> list[Change]:
        """The newest changes, undone ones too, newest first."""
        return self._catalog.changes(limit)

    def review(self, limit: int = 50, offset: int = 0, where: str | None = None) -> list[Segment]:
        """The open objects that match, those first that most want a look (docs/searching.md)."""
        from framekeep.filters import And, Compare, parse_filter

        still_open = Compare("state", "=", "open")
        tree = And((still_open, parse_filter(where))) if where else still_open
        ids = self._catalog.objects.select_ids(tree, limit, offset, order="doubt")
        found = self._catalog.segments(ids)
        return [found[segment_id] for segment_id in ids if segment_id in found]

    def object_ids(self, where: str | None = None) -> list[str]:
        """The ids of all live objects that match a filter, those of the newest photos first."""
        from framekeep.filters import parse_filter

        return self._catalog.objects.select_ids(parse_filter(where) if where else None)

    def next_unlabelled(self, after: str | None = None, where: str | None = None) -> str | None:
        """The next medium, newest first, that wants labels; None where none is left.

        It has an object without a person's label, or nothing was ever seen or said in it. Behind
        the oldest it goes on with the newest.
        """
        from framekeep.filters import parse_filter

        return self._catalog.next_unlabelled(after, parse_filter(where) if where else None)

    def _targets(self, targets: Targets) -> list[str]:
        """The ids of media and objects, however they are named. Raises NotFoundError."""
        members = [targets] if isinstance(targets, str | Path | Hit | Segment) else list(targets)
        texts = [each for each in members if isinstance(each, str)]
        known = set(self._catalog.owners([each for each in texts if _SEGMENT.fullmatch(each)]))
        known |= set(self._catalog.media([each for each in texts if _MEDIUM.fullmatch(each)]))
        return list(dict.fromkeys(self._target(each, known) for each in members))

    def _target(self, target: Target, known: set[str]) -> str:
        if isinstance(target, str) and target in known:
            return target
        if isinstance(target, Segment):
            return target.segment_id
        if isinstance(target, Hit) and target.segment is not None:
            return target.segment.segment_id
        try:
            return self.media_id(target)
        except NotFoundError as exc:
            if isinstance(target, str) and _SEGMENT.fullmatch(target):
                raise NotFoundError(f"There is no object {target!r} in this library.") from exc
            raise

    def _objects(self, targets: Targets) -> list[str]:
        ids = self._targets(targets)
        if any(not _SEGMENT.fullmatch(each) for each in ids):
            raise InputError("Only objects are accepted, rejected or tagged here: name their ids.")
        return ids


def _author(author: str | None) -> str:
    """Whose change it is: the user of this machine, unless another is named."""
    if author is not None:
        return clean_name(author, "author's name")
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "user"
