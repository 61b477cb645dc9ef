"""What components send outlives a run of the page that is broken off."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from framekeep.app import components
from framekeep.app.components.gallery import _event
from framekeep.app.views import common


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A session's state, and the time as the components see it."""
    state: dict[str, Any] = {"now": 100.0}
    monkeypatch.setattr(components, "st", SimpleNamespace(session_state=state))
    clock = SimpleNamespace(monotonic=lambda: state["now"], time=lambda: state["now"])
    monkeypatch.setattr(components, "time", clock)
    return state


def send(session: dict[str, Any], key: str, name: str, value: Any) -> None:
    """What Streamlit does before a run: the value is there, and the callback is called."""
    session[key] = {name: value}
    components.keeping(key, name)[f"on_{name}_change"]()
    session[key] = {}


def test_what_was_sent_is_taken_once(session: dict[str, Any]) -> None:
    send(session, "gallery", "open", {"id": "a"})
    assert components.sent("gallery", "act") is None
    assert components.sent("viewer", "open") is None
    assert components.sent("gallery", "open") == {"id": "a"}
    assert components.sent("gallery", "open") is None


def test_a_trigger_that_is_reset_is_nothing(session: dict[str, Any]) -> None:
    send(session, "gallery", "open", {"id": "a"})
    send(session, "gallery", "open", None)
    assert components.sent("gallery", "open") == {"id": "a"}


def test_what_was_sent_before_is_forgotten_but_not_what_came_later_nor_uploads(
    session: dict[str, Any],
) -> None:
    for key, name in (("dropzone", "uploaded"), ("player", "go"), ("player", "close")):
        session["now"] += 1
        send(session, key, name, {"id": name})
    session["now"] += 1
    send(session, "gallery", "open", {"id": "next"})
    assert components.sent("player", "close") == {"id": "close"}
    assert components.sent("player", "go") is None
    assert components.sent("gallery", "open") == {"id": "next"}
    assert components.sent("dropzone", "uploaded") == {"id": "uploaded"}


def test_a_component_that_is_gone_sends_nothing(session: dict[str, Any]) -> None:
    components.keeping("dropzone", "uploaded")["on_uploaded_change"]()
    assert components.sent("dropzone", "uploaded") is None


def test_what_comes_late_is_no_longer_wanted_but_for_uploads(session: dict[str, Any]) -> None:
    for name in ("open", "uploaded"):
        send(session, "page", name, {"id": "a"})
    session["now"] += components.LATE_S
    assert components.sent("page", "open") is None
    assert components.sent("page", "uploaded") == {"id": "a"}


def test_what_was_meant_of_a_photo_counts_in_a_newer_view_but_not_more_of_the_older(
    session: dict[str, Any],
) -> None:
    send(session, "gallery", "more", {"rev": "old"})
    assert _event("gallery", "new") is None
    send(session, "gallery", "act", {"what": "annotate", "ids": ["a", "b"], "rev": "old"})
    event = _event("gallery", "new")
    assert event is not None
    assert (event.what, event.ids) == ("annotate", ("a", "b"))


def test_what_a_component_shows_is_numbered_where_it_changes(session: dict[str, Any]) -> None:
    first = components._turn("found", {"items": ["a"]})
    assert components._turn("found", {"items": ["a"]}) == first
    second = components._turn("found", {"items": ["b"]})
    assert second > first
    assert components._turn("library", {"items": ["b"]}) > second
    last = components._turn("found", {"items": ["a"]})
    assert last > second
    session.clear()  # the page outlives its session: the server was started anew
    session["now"] = 101.0
    assert components._turn("found", {"items": ["c"]}) > last


def test_a_component_is_given_its_number(
    session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []

    def register(name: str, **parts: str) -> Any:
        assert parts["js"].startswith("// What all components share")
        return lambda **asked: given.append(asked["data"])

    v2 = SimpleNamespace(component=register)
    monkeypatch.setattr(components.st, "components", SimpleNamespace(v2=v2), raising=False)
    show = components.mounted.__wrapped__("facets")
    for groups in ([1], [1], [2]):
        show(key="facets", data={"groups": groups})
    first, same, other = (data["turn"] for data in given)
    assert first == same < other


class AskedError(Exception):
    """What Streamlit raises where the user has asked for something meanwhile."""


def test_running_the_page_anew_gives_way_to_what_the_user_has_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class State:
        def get(self, name: str) -> None:
            raise AskedError(name)

    ran: list[str] = []
    page = SimpleNamespace(session_state=State(), rerun=lambda: ran.append("anew"))
    monkeypatch.setattr(common, "st", page)
    with pytest.raises(AskedError):
        common.run_anew()
    assert ran == []
    page.session_state = {}
    common.run_anew()
    assert ran == ["anew"]
