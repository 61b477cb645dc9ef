"""`framekeep app`: the web app."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from framekeep.cli.common import GlobalOptions, LibraryOption, console, say, settings
from framekeep.errors import InputError

DEFAULT_PORT = 8501


def app(
    port: Annotated[
        int | None,
        typer.Option(metavar="N", help="The port; otherwise 8501, or a free one.", max=65535),
    ] = None,
    library: LibraryOption = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Another address asks for a sign-in.")
    ] = "127.0.0.1",
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="With --host: let anyone in, on purpose.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser.")
    ] = True,
) -> None:
    """Open the web app on this machine: add, find, look, organise in a browser.

    It is reached from this machine only. With --host others reach it, and a token is made that
    they sign in with.

    Examples:

        framekeep app

        framekeep app --port 8600 --library ~/trip-library
    """
    serve(library or GlobalOptions.library, port, host, no_auth=no_auth, browser=browser)


def serve(
    library: Path | None,
    port: int | None = None,
    host: str = "127.0.0.1",
    *,
    no_auth: bool = False,
    browser: bool = True,
) -> None:
    """Run the web app until it is stopped."""
    from framekeep.app import asgi, state

    local = asgi.is_loopback(host)
    port = _chosen_port(host, port)
    users = asgi.provider_users()
    open_to_all = local or no_auth or users is not None
    token = None if open_to_all else os.environ.get(asgi.TOKEN_ENV) or secrets.token_urlsafe(18)
    folder = Path(library or settings().library).expanduser().absolute()
    os.environ["FRAMEKEEP_LIBRARY"] = str(folder)
    hosts = [] if local else _hosts(host)
    state.start(folder, token, hosts, users)
    for name, value in (
        (asgi.TOKEN_ENV, token),
        (asgi.NO_AUTH_ENV, "1" if no_auth and not local else None),
        (asgi.HOSTS_ENV, ",".join(hosts)),
    ):
        os.environ.pop(name, None)
        if value:
            os.environ[name] = value
    shown = "127.0.0.1" if local or host in ("0.0.0.0", "::") else host  # noqa: S104 - a comparison
    address = f"http://{shown}:{port}"
    console.print(
        f"framekeep runs at {address} with the library {folder}. Ctrl-C stops it.", soft_wrap=True
    )
    if token:
        say(f"Sign in with this token: {token}")
    elif not local and users is None:
        say("Anyone who reaches this address can see the library: --no-auth was given.")
    if browser and _has_screen():
        threading.Timer(1.5, _open_browser, [address]).start()
    try:
        asgi.run(host, port)
    except KeyboardInterrupt:
        # The server has ended orderly by then: Ctrl-C is how it is meant to be stopped.
        say("Stopped.")
    finally:
        state.stop()


def _has_screen() -> bool:
    """Whether a browser could show itself; without a screen one in text would take the terminal."""
    if os.environ.get("BROWSER") or sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_browser(address: str) -> None:
    import webbrowser

    webbrowser.open(address)


def _hosts(host: str) -> list[str]:
    """The names under which an app that listens on `host` is asked for."""
    names = ["127.0.0.1", "localhost", "[::1]", socket.gethostname(), socket.getfqdn()]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - a comparison
        names += _own_addresses()
    else:
        names.append(f"[{host}]" if ":" in host else host)
    extra = os.environ.get("FRAMEKEEP_APP_HOSTS", "")
    return list(dict.fromkeys([*names, *filter(None, extra.split(","))]))


def _own_addresses() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return []
    return sorted({f"[{a[4][0]}]" if ":" in str(a[4][0]) else str(a[4][0]) for a in found})


def _chosen_port(host: str, port: int | None) -> int:
    """The port that was asked for, else the usual one or a free one. Raises InputError."""
    fault = _fault(host, DEFAULT_PORT if port is None else port)
    if fault is None and port != 0:
        return port or DEFAULT_PORT
    if port:
        raise InputError(
            f"The app cannot listen on {host}, port {port}: {fault}. Choose another with --port."
        )
    with socket.socket(_family(host)) as probe:
        try:
            probe.bind((host, 0))
        except OSError as exc:
            raise InputError(
                f"The app cannot listen on {host}: {(exc.strerror or str(exc)).lower()}."
            ) from exc
        return int(probe.getsockname()[1])


def _fault(host: str, port: int) -> str | None:
    """Why the app could not listen there, or None."""
    try:
        with socket.socket(_family(host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as exc:
        return (getattr(exc, "strerror", None) or str(exc)).lower()
    return None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
