"""What a run of a page sent last is taken before the next run begins."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.scriptrunner import RerunData, ScriptRunner

from framekeep.app import asgi, state
from framekeep.app.reruns import after_former, keep_last_messages

T = TypeVar("T")


class Run:
    """A run's thread; one that has ended takes no more requests."""

    def __init__(self, *, ended: bool) -> None:
        self.ended = ended
        self.asked: list[Any] = []

    def request_rerun(self, data: Any) -> bool:
        if not self.ended:
            self.asked.append(data)
        return not self.ended


class Session:
    """As much of Streamlit's as beginning a run asks for; it takes messages of its run only."""

    def __init__(self, run: Run | None) -> None:
        self._scriptrunner = run
        self._event_loop = asyncio.get_running_loop()
        self._state = AppSessionState.APP_IS_RUNNING
        self.taken: list[str] = []

    def send(self, run: Run, message: str) -> None:
        self._event_loop.call_soon_threadsafe(self.take, run, message)

    def take(self, run: Run, message: str) -> None:
        if run is self._scriptrunner:
            self.taken.append(message)


def create(session: Session, data: str) -> None:
    session.taken.append(f"begin {data}")
    session._scriptrunner = Run(ended=False)


def in_a_loop_of_its_own(work: Coroutine[Any, Any, T]) -> T:
    """The browser tests keep a loop running in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def in_loop(steps: Callable[[], Session]) -> Session:
    async def run() -> Session:
        session = steps()
        for _ in range(5):
            await asyncio.sleep(0)
        return session

    return in_a_loop_of_its_own(run())


def ended_with_a_message() -> Session:
    session = Session(Run(ended=True))
    assert session._scriptrunner is not None
    session.send(session._scriptrunner, "gallery")
    return session


def test_a_run_begins_after_what_the_former_has_sent() -> None:
    def steps() -> Session:
        session = ended_with_a_message()
        after_former(create)(session, "fragment")
        return session

    assert in_loop(steps).taken == ["gallery", "begin fragment"]


def test_without_it_the_message_would_be_lost() -> None:
    def steps() -> Session:
        session = ended_with_a_message()
        create(session, "fragment")
        return session

    assert in_loop(steps).taken == ["begin fragment"]


def test_the_first_run_begins_at_once_and_two_requests_make_one_run() -> None:
    def steps() -> Session:
        session = Session(None)
        after_former(create)(session, "page")
        assert session.taken == ["begin page"]
        session._scriptrunner = Run(ended=True)
        for data in ("fragment", "click"):
            after_former(create)(session, data)
        return session

    session = in_loop(steps)
    assert session.taken == ["begin page", "begin fragment"]
    assert session._scriptrunner is not None
    assert session._scriptrunner.asked == ["click"]


def test_a_session_that_is_being_closed_begins_nothing() -> None:
    def steps() -> Session:
        session = ended_with_a_message()
        after_former(create)(session, "fragment")
        session._state = AppSessionState.SHUTDOWN_REQUESTED
        return session

    assert in_loop(steps).taken == ["gallery"]


def test_streamlit_has_what_this_relies_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppSession, "_create_scriptrunner", AppSession._create_scriptrunner)
    keep_last_messages()
    waiting = AppSession._create_scriptrunner
    keep_last_messages()
    assert AppSession._create_scriptrunner is waiting
    asks = inspect.getsource(AppSession.request_rerun)
    assert "self._scriptrunner.request_rerun(rerun_data)" in asks
    assert "self._create_scriptrunner(rerun_data)" in asks
    assert {"_event_loop", "_state", "_scriptrunner"} <= set(AppSession.__init__.__code__.co_names)
    assert list(inspect.signature(ScriptRunner.request_rerun).parameters) == ["self", "rerun_data"]
    assert RerunData().fragment_id is None


def test_the_app_waits_from_its_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppSession, "_create_scriptrunner", create)
    monkeypatch.setattr(asgi, "check_address", lambda address, guarded: None)
    monkeypatch.setattr(state, "started", lambda: True)
    monkeypatch.setattr(state, "stop", lambda: None)

    async def start() -> None:
        async with asgi.lifespan(None):
            assert hasattr(AppSession._create_scriptrunner, "waits")

    in_a_loop_of_its_own(start())
