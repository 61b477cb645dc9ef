"""The web app as an ASGI application: Streamlit's pages with our own routes and guards."""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
import os
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from framekeep.app import state
from framekeep.app.http.routes import routes
from framekeep.app.http.security import middleware
from framekeep.app.reruns import keep_last_messages
from framekeep.errors import FramekeepError, InputError

SCRIPT = Path(__file__).with_name("main.py")
CONFIG = Path(__file__).with_name("config.toml")
TOKEN_ENV = "FRAMEKEEP_APP_TOKEN"  # noqa: S105 - the name of a variable
NO_AUTH_ENV = "FRAMEKEEP_APP_NO_AUTH"
USERS_ENV = "FRAMEKEEP_APP_USERS"
HOSTS_ENV = "FRAMEKEEP_APP_HOSTS"


def options() -> dict[str, Any]:
    """What `st.App` takes beside the script."""
    return {
        "routes": routes(_parts),
        "middleware": middleware(_parts),
        "lifespan": lifespan,
        "on_script_error": tell_error,
    }


def _parts() -> Any:
    return state.context().parts


def tell_error(error: Exception) -> bool:
    """Show an error that no page has told as a sentence; what it was is in the server's log."""
    import streamlit as st

    from framekeep.app.views.common import plain

    if isinstance(error, FramekeepError):
        st.error(plain(str(error)), icon=":material/error:")
        return True
    logging.getLogger(__name__).error("A page failed", exc_info=error)
    st.error(
        f"This page failed ({type(error).__name__}); the server's log says more. Reload it, or go "
        "to another page."
    )
    return True


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Open the library when the server starts; stop the work in hand when it ends."""
    import anyio.to_thread
    from streamlit import config

    keep_last_messages()
    address = config.get_option("server.address")
    token = os.environ.get(TOKEN_ENV) or None
    hosts = tuple(filter(None, os.environ.get(HOSTS_ENV, "").split(",")))
    try:
        users = provider_users()
        guarded = bool(token or users or os.environ.get(NO_AUTH_ENV))
        check_address(address, guarded=guarded)
        if not state.started():
            await anyio.to_thread.run_sync(
                lambda: state.start(token=token, hosts=hosts, users=users)
            )
    except FramekeepError as exc:
        sys.stderr.write(f"{exc}\n")
        sys.stderr.flush()
        os._exit(1)  # anything raised here would bury the sentence under the server's traceback
    try:
        yield {}
    finally:
        await anyio.to_thread.run_sync(state.stop)


def provider_users() -> tuple[str, ...] | None:
    """Who may sign in with an identity provider; None where nobody is named.

    Raises InputError where people are named but Streamlit knows no provider.
    """
    users = tuple(filter(None, map(str.strip, os.environ.get(USERS_ENV, "").split(","))))
    if not users:
        return None
    import streamlit as st
    from streamlit.errors import StreamlitSecretNotFoundError

    try:
        known = "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        known = False
    if not known or importlib.util.find_spec("authlib") is None:
        raise InputError(
            f"{USERS_ENV} asks for a sign-in with an identity provider, but there is none: name it "
            "under [auth] in ~/.streamlit/secrets.toml, and run `pip install 'streamlit[auth]'`."
        )
    return users


def check_address(address: str | None, *, guarded: bool) -> None:
    """Raise InputError where others could reach the app without signing in."""
    if is_loopback(address) or guarded:
        return
    raise InputError(
        f"The app would listen on {address or 'every address'} for anyone: leave it on 127.0.0.1, "
        f"or start it with `framekeep app --host`, which asks for a sign-in."
    )


def is_loopback(address: str | None) -> bool:
    """Whether an address can be reached from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "0.0.0.0").is_loopback  # noqa: S104 - a comparison
    except ValueError:
        return False


def streamlit_config() -> dict[str, Any]:
    """Our settings for Streamlit, as "section.option" to value."""
    flat: dict[str, Any] = {}

    def add(prefix: str, table: dict[str, Any]) -> None:
        for key, value in table.items():
            if isinstance(value, dict):
                add(f"{prefix}{key}.", value)
            else:
                flat[prefix + key] = value

    add("", tomllib.loads(CONFIG.read_text("utf-8")))
    return flat


def run(host: str, port: int) -> None:
    """Serve the app until it is stopped."""
    import streamlit as st

    app = st.App(SCRIPT, **options())
    app.run(config={**streamlit_config(), "server.address": host, "server.port": port})
