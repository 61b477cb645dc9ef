"""The catalog's edits: what people, imports and models say of media and segments.

Each call is one change in the journal, written in the same transaction, and bumps the generation;
a call that changes nothing is none (and gives None). Ids that are not there raise NotFoundError,
and then nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from framekeep.object_types import (
    PERSON,
    Annotation,
    Change,
    Mask,
    Proposal,
    SegmentState,
    Source,
)
from framekeep.store.annotation_rows import (
    change_segments,
    in_words,
    keep_classes,
    labelled,
    named_classes,
    number_of,
    put_said,
    said_of,
    said_row,
    segment_rows,
    take_said,
    target_id,
    target_rows,
)
from framekeep.store.catalog_segments import check_masks, new_segment
from framekeep.store.class_rows import class_ids, tidy
from framekeep.store.database import Database
from framekeep.store.journal import Edit, Row
from framekeep.store.segment_rows import NewSegment, mask_columns, model_label
from framekeep.store.tables import annotation_table, classes, segment_vectors, segments

_DONE = {"accepted": "Accepted", "rejected": "Rejected", "open": "Reopened"}
_ADDED = {"person": "Drew", "import": "Imported", "model": "Added"}


class EditsPart:
    """Part of `Catalog`: edits."""

    _db: Database

    @contextmanager
    def _editing(self, author: str) -> Iterator[Edit]:
        with self._db.write() as connection:
            yield Edit(self._db, connection, author)

    # Objects

    def add_segments(
        self,
        items: Sequence[NewSegment],
        segmenter_id: str = PERSON,
        *,
        author: str,
        source: Source = "person",
    ) -> list[str]:
        """Add segments as one change; gives their ids, in this order.

        A proposal's label is given by the author; from the source "model" it is the segmenter's.
        Raises InputError for a mask that is not of its picture's size.
        """
        masks: dict[str, list[Mask]] = {}
        for item in items:
            masks.setdefault(item.media_id, []).append(item.found.mask)
        with self._editing(author) as edit:
            check_masks(edit.connection, masks)
            names = {item.found.label for item in items if item.found.label}
            by_model = source == "model"
            ids = (
                class_ids(edit.connection, names, segmenter_id, edit.now)
                if by_model
                else named_classes(edit, names)
            )
            rows, said = [], []
            for item in items:
                found = item.found
                label_id = ids[found.label] if found.label else None
                label = model_label(label_id if by_model else None, found.label_score)
                if label_id is not None and not by_model:
                    label |= labelled(label_id, source)
                by = (segmenter_id, found, label, source, author, edit.now)
                row = new_segment(item.media_id, *by)
                rows.append(row)
                if label_id is not None and not by_model:
                    said.append(said_row(edit, row, "label", source, class_id=label_id))
                for key, value in dict(item.attributes).items():
                    said.append(said_row(edit, row, "attribute", source, key, value))
            edit.insert(segments, rows)
            edit.insert(annotation_table, said)
            edit.close(f"{_ADDED[source]} {in_words(rows)}")
        return [str(row["segment_id"]) for row in rows]

    def add_segment(
        self,
        media_id: str,
        found: Proposal,
        segmenter_id: str = PERSON,
        *,
        author: str,
        source: Source = "person",
    ) -> str:
        """Add one segment; see `add_segments`."""
        one = [NewSegment(media_id, found)]
        return self.add_segments(one, segmenter_id, author=author, source=source)[0]

    def set_mask(
        self, segment_id: str, found: Proposal, *, author: str, source: Source = "person"
    ) -> Change | None:
        """Give a segment another mask; its vectors, which show the former one, are dropped.

        Its score and labels stay. Raises InputError for a mask that is not of its picture's size.
        """
        with self._editing(author) as edit:
            row = segment_rows(edit, [segment_id], masks=True)[0]
            check_masks(edit.connection, {row["media_id"]: [found.mask]})
            new = mask_columns(found)
            if all(row[name] == value for name, value in new.items()):
                return None
            new |= {"mask_source": source, "version": row["version"] + 1}
            change_segments(edit, [(row, new)])
            stale = sa.delete(segment_vectors).where(segment_vectors.c.segment_id == segment_id)
            edit.connection.execute(stale)
            return edit.close("Corrected a mask")

    def set_state(
        self, ids: Sequence[str], state: SegmentState, *, author: str, source: Source = "person"
    ) -> Change | None:
        """Accept, reject or reopen segments.

        Who accepts an object finds its label right as well: a model's label becomes the author's.
        """
        with self._editing(author) as edit:
            news, said = [], []
            for row in segment_rows(edit, ids):
                new: dict[str, object] = {"state": state}
                if state == "accepted" and row["label_source"] == "model":
                    new |= labelled(row["label_id"], source)
                    said.append(said_row(edit, row, "label", source, class_id=row["label_id"]))
                news.append((row, new))
            keep_classes(edit, {row["class_id"] for row in said})
            changed = change_segments(edit, news)
            former = said_of(edit, [row["target_id"] for row in said], "label")
            put_said(edit, said, former)
            return edit.close(f"{_DONE[state]} {number_of(changed, 'object')}")

    # Words

    def set_label(
        self,
        ids: Sequence[str],
        name: str | None,
        *,
        author: str,
        source: Source = "person",
    ) -> Change | None:
        """Label media or segments, or with None take their label away.

        A class of that name is made where there is none. A segment whose label is taken away has
        its segmenter's again. A model's label never replaces one of a person or an import.
        """
        with self._editing(author) as edit:
            rows = target_rows(edit, ids)
            former = said_of(edit, [target_id(row) for row in rows], "label")
            if source == "model":
                firm = {at for at, row in former.items() if row["source"] != "model"}
                rows = [row for row in rows if (target_id(row), "") not in firm]
                former = {at: row for at, row in former.items() if at not in firm}
            objects = [row for row in rows if "segment_id" in row]
            if name is None:
                own = ("model_label_id", "model_label_score")
                change_segments(edit, [(row, model_label(*map(row.get, own))) for row in objects])
                gone = take_said(edit, former, [""])
                return edit.close(f"Took the label from {in_words(gone)}")
            class_id = named_classes(edit, [name])[name]
            change_segments(edit, [(row, labelled(class_id, source)) for row in objects])
            said = [said_row(edit, row, "label", source, class_id=class_id) for row in rows]
            changed = put_said(edit, said, former)
            return edit.close(f"Labelled {in_words(changed)} as {tidy(name)}")

    def edit_tags(
        self,
        ids: Sequence[str],
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        *,
        author: str,
        source: Source = "person",
    ) -> Change | None:
        """Add tags to segments and take others from them; a tag's case makes no difference."""
        with self._editing(author) as edit:
            rows = segment_rows(edit, ids)
            former = said_of(edit, [target_id(row) for row in rows], "tag")
            wanted = {tag.casefold(): tag for tag in add}
            take_said(edit, former, {tag.casefold() for tag in remove} - set(wanted))
            said = [
                said_row(edit, row, "tag", source, key, tag)
                for row in rows
                for key, tag in wanted.items()
                if (target_id(row), key) not in former
            ]
            edit.insert(annotation_table, said)
            return edit.close(f"Tagged {in_words(rows)}")

    def set_attribute(
        self,
        ids: Sequence[str],
        name: str,
        value: str | None,
        *,
        author: str,
        source: Source = "person",
    ) -> Change | None:
        """Give media or segments an attribute's value, or with None take it away."""
        with self._editing(author) as edit:
            rows = _say(edit, ids, "attribute", name, value, source)
            done = f"Took {name} from" if value is None else f"Set {name} of"
            return edit.close(f"{done} {in_words(rows)}")

    def set_note(
        self,
        ids: Sequence[str],
        text: str,
        *,
        author: str,
        source: Source = "person",
    ) -> Change | None:
        """Give media or segments a note in place of the former one; "" takes it away."""
        with self._editing(author) as edit:
            rows = _say(edit, ids, "note", "", text or None, source)
            done = "Wrote a note on" if text else "Took the note from"
            return edit.close(f"{done} {in_words(rows)}")

    # Reading

    def annotations(self, target: str) -> list[Annotation]:
        """All that is said of a medium or a segment, a segmenter's label included; label first."""
        kind = annotation_table.c.kind
        first = sa.case((kind == "label", 0), (kind == "tag", 1), (kind == "attribute", 2), else_=3)
        query = (
            sa.select(annotation_table, classes.c.name)
            .join(classes, classes.c.class_id == annotation_table.c.class_id, isouter=True)
            .where(annotation_table.c.target_id == target)
            .order_by(first, annotation_table.c.key)
        )
        by_model = (
            sa.select(segments, classes.c.name)
            .join(classes, classes.c.class_id == segments.c.model_label_id)
            .where(segments.c.segment_id == target, segments.c.label_source == "model")
        )
        with self._db.read() as connection:
            found = [_annotation(row) for row in connection.execute(query)]
            row = connection.execute(by_model).one_or_none()
        if row is not None and not (found and found[0].kind == "label"):
            by, when = row.segmenter_id, row.created_at
            found.insert(0, Annotation("segment", target, "label", "", row.name, "model", by, when))
        return found

    def copy_annotations(self, from_id: str, to_id: str) -> None:
        """Give a medium what is said of another as well; what it has already stays."""
        query = sa.select(annotation_table).where(annotation_table.c.target_id == from_id)
        there = {"target_id": to_id, "media_id": to_id}
        with self._db.write() as connection:
            rows = [{**row, **there} for row in connection.execute(query).mappings()]
            every = [column.name for column in annotation_table.c]
            self._db.upsert(connection, annotation_table, rows, keep=every)


def _say(
    edit: Edit, ids: Sequence[str], kind: str, key: str, value: str | None, source: Source
) -> list[Row]:
    rows = target_rows(edit, ids)
    former = said_of(edit, [target_id(row) for row in rows], kind)
    if value is None:
        return take_said(edit, former, [key])
    return put_said(edit, [said_row(edit, row, kind, source, key, value) for row in rows], former)


def _annotation(row: sa.Row[tuple[object, ...]]) -> Annotation:
    return Annotation(
        target="media" if row.segment_id is None else "segment",
        target_id=row.target_id,
        kind=row.kind,
        key=row.key if row.kind == "attribute" else "",
        value=row.name if row.kind == "label" else row.value,
        source=row.source,
        author=row.author,
        set_at=row.set_at,
    )
