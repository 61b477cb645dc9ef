"""Who and what the app reaches: folders, addresses, ports, sign-in."""

from __future__ import annotations

import os
import socket
import tomllib
from pathlib import Path

import pytest

from framekeep.app import asgi, state
from framekeep.app.folders import allowed_folder
from framekeep.app.views.sign_in import may_enter
from framekeep.cli import web
from framekeep.errors import InputError

CHECKOUT = Path(__file__).parents[2]


def test_folders_under_the_roots_only(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "in").mkdir(parents=True)
    other.mkdir()
    (root / "link").symlink_to(other)
    (root / "inner").symlink_to(root / "in")
    assert allowed_folder(str(root / "in"), [root]) == root / "in"
    assert allowed_folder(f" {root} ", [root]) == root
    assert allowed_folder(str(root / "inner"), [root]) == root / "inner"
    for text in (other, root / ".." / "other", root / "link", tmp_path, "/etc/passwd", "/"):
        with pytest.raises(InputError, match="outside"):
            allowed_folder(str(text), [root])
    with pytest.raises(InputError, match="There is no folder"):
        allowed_folder(str(root / "nowhere"), [root])
    for text in ("", "  ", "relative", "a\0b"):
        with pytest.raises(InputError):
            allowed_folder(text, [root])


def test_home_is_written_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pictures").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert allowed_folder("~/Pictures", [Path("~")]) == tmp_path / "Pictures"


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_needs_no_sign_in(address: str) -> None:
    asgi.check_address(address, guarded=False)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "example.org", None, ""])
def test_other_addresses_do(address: str | None) -> None:
    with pytest.raises(InputError, match="for anyone"):
        asgi.check_address(address, guarded=False)
    asgi.check_address(address, guarded=True)


def test_the_checkouts_settings_are_the_packages() -> None:
    ours = tomllib.loads(asgi.CONFIG.read_text("utf-8"))
    assert tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text("utf-8")) == ours
    flat = asgi.streamlit_config()
    assert flat["server.address"] == "127.0.0.1"
    assert flat["browser.gatherUsageStats"] is False
    assert flat["server.enableStaticServing"] is False
    # With it a second run of a session begins beside the first, and quick edits are made twice.
    assert flat["runner.fastReruns"] is False
    assert flat["runner.postScriptGC"] is False
    assert flat["server.enableXsrfProtection"] is True


def test_users_are_named_by_address_or_pattern() -> None:
    assert may_enter("Ann@Photos.test", ("*@photos.test",))
    assert may_enter("me@else.test", ("me@ELSE.test",))
    assert not may_enter("you@else.test", ("me@else.test", "*@photos.test"))
    assert not may_enter("", ("me@else.test",))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Start everything but the server."""
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(asgi, "run", lambda host, port: asked.append((host, port)))
    for name in (asgi.TOKEN_ENV, asgi.NO_AUTH_ENV, asgi.HOSTS_ENV, "FRAMEKEEP_LIBRARY"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back afterwards
    return asked


def test_a_port_that_is_taken(served: list[tuple[str, int]], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}"):
            web.serve(tmp_path / "library", port, browser=False)
    assert served == []


def test_another_host_gets_a_token_and_names(
    served: list[tuple[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.serve(tmp_path / "library", 0, "0.0.0.0", browser=False)
    token = os.environ[asgi.TOKEN_ENV]
    assert len(token) >= 20
    assert f"Sign in with this token: {token}" in capsys.readouterr().err
    assert {"127.0.0.1", "localhost", socket.gethostname()} <= set(
        os.environ[asgi.HOSTS_ENV].split(",")
    )
    assert os.environ["FRAMEKEEP_LIBRARY"] == str(tmp_path / "library")
    assert not state.started()


def test_no_auth_is_told(
    served: list[tuple[str, int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.serve(tmp_path / "library", 0, "0.0.0.0", no_auth=True, browser=False)
    assert asgi.TOKEN_ENV not in os.environ
    assert os.environ[asgi.NO_AUTH_ENV] == "1"
    assert "Anyone who reaches this address" in capsys.readouterr().err


def test_this_machine_gets_neither(served: list[tuple[str, int]], tmp_path: Path) -> None:
    web.serve(tmp_path / "library", 0, browser=False)
    assert asgi.TOKEN_ENV not in os.environ
    assert asgi.NO_AUTH_ENV not in os.environ
    assert served[0][0] == "127.0.0.1"
    assert served[0][1] > 0
