"""Keep what a run of a page sent last.

Where a run's thread has just ended, Streamlit begins the next run in a new thread and drops what
the former had sent and the session had not taken yet. Automatic runs of fragments, which draw
nothing else, meet that moment on a busy machine: a page would then lack its last elements. Here
the next run waits until the session has taken them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Create = Callable[[Any, Any], None]


def keep_last_messages() -> None:
    """Have all of Streamlit's sessions take what a run has sent before they begin the next."""
    from streamlit.runtime.app_session import AppSession

    create: Create = AppSession._create_scriptrunner
    if not hasattr(create, "waits"):
        setattr(AppSession, "_create_scriptrunner", after_former(create))  # noqa: B010


def after_former(create: Create) -> Create:
    """`create`, a session's way to begin a run, but after what the former run has sent."""

    def create_after(session: Any, data: Any) -> None:
        former = session._scriptrunner
        if former is None:
            create(session, data)
        else:
            # What the former has sent stands before this in the loop.
            session._event_loop.call_soon(begin, session, data, former)

    def begin(session: Any, data: Any, former: Any) -> None:
        from streamlit.runtime.app_session import AppSessionState

        running = session._scriptrunner
        if session._state is AppSessionState.SHUTDOWN_REQUESTED:
            return
        if running in (None, former):
            try:
                create(session, data)
            except Exception as exc:  # noqa: BLE001 - as where Streamlit begins it itself
                session.handle_backmsg_exception(exc)
        elif not running.request_rerun(data):
            create_after(session, data)

    create_after.waits = True  # type: ignore[attr-defined]
    return create_after
