"""Notes and attributes on the pages of photos and of annotation."""

from __future__ import annotations

import pytest

from framekeep.library import Library
from tests.app.test_object_pages import found, library, made, press
from tests.app.test_pages import opened

__all__ = ["library", "made"]


def values(library: Library, target: object, kind: str) -> dict[str, str]:
    return {a.key: a.value for a in library.annotations(target) if a.kind == kind}


@pytest.mark.parametrize("page", ["", "annotate"])
def test_a_note_and_an_attribute_are_set_and_taken_away(library: Library, page: str) -> None:
    media_id = found(library)[0].media_id
    hit = library.hits([media_id])[0]
    test = opened(page, open=media_id)
    test.text_area(key=f"note_text_{media_id}").set_value("taken by <b>Eva</b>")
    press(test, "Save the note")
    assert values(library, hit, "note") == {"": "taken by <b>Eva</b>"}
    (name,) = [box for box in test.text_input if box.label == "Attribute"]
    (value,) = [box for box in test.text_input if box.label == "Value"]
    name.set_value("light")
    value.set_value("dim")
    press(test, "Set")
    assert values(library, hit, "attribute") == {"light": "dim"}
    test.button(key=f"attribute_away_{media_id}_light").click().run()
    assert values(library, hit, "attribute") == {}
    test.text_area(key=f"note_text_{media_id}").set_value("")
    press(test, "Save the note")
    assert values(library, hit, "note") == {}


def test_an_object_has_remarks_of_its_own(library: Library) -> None:
    segment = found(library)[0]
    test = opened("annotate", open=segment.media_id)
    test.selectbox(key=f"remarks_of_{segment.media_id}").set_value(segment.segment_id).run()
    test.text_area(key=f"note_text_{segment.segment_id}").set_value("cut off at the left")
    press(test, "Save the note")
    assert values(library, segment.segment_id, "note") == {"": "cut off at the left"}
    assert values(library, library.hits([segment.media_id])[0], "note") == {}
