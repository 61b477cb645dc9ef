"""The sign-in with an identity provider, through Streamlit's own `st.login`."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import streamlit as st

from framekeep.app.components import mounted
from framekeep.app.http.parts import Parts
from framekeep.app.views.common import plain


def require_user(parts: Parts) -> None:
    """Go on only for a user who may see the library, and whose browser has our cookie."""
    if parts.users is None:
        return
    if not st.user.is_logged_in:
        st.title("framekeep", anchor=False)
        st.write("Sign in to see this library.")
        if st.button("Sign in", type="primary"):
            st.login()
        st.stop()
    address = str(st.user.get("email") or "")
    if not st.user.get("email_verified", True) or not may_enter(address, parts.users):
        st.error(f"{plain(address or 'This account')} may not see this library.")
        if st.button("Sign out"):
            st.logout()
        st.stop()
    if not parts.sessions.known(_cookie()):
        mounted("ticket")(key="ticket", data={"ticket": parts.sessions.ticket(address)})
        st.stop()


def may_enter(address: str, users: Sequence[str]) -> bool:
    """Whether an e-mail address is among the users; "*" in them stands for anything."""
    return any(fnmatchcase(address.lower(), user.lower()) for user in users)


def sign_out_button(parts: Parts) -> None:
    """Who is signed in, and the way out."""
    if parts.users is None:
        return
    st.caption(plain(str(st.user.get("email") or "")))
    if st.button("Sign out", icon=":material/logout:", type="tertiary"):
        parts.sessions.end(_cookie())
        st.logout()


def _cookie() -> str | None:
    port = urlsplit(st.context.url or "").port
    return st.context.cookies.get(f"framekeep_{port or 'session'}")
