"""Signing in: with a token, and with an identity provider."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, demo_photos, free_port, search
from tests.helpers.oidc import provider

SECRETS = """
[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "a secret of this test alone"
client_id = "framekeep"
client_secret = "secret"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


def test_another_address_asks_for_the_token(
    page: Page, serve: Callable[..., Server], own_library: Path
) -> None:
    server = serve(own_library, "--host", "0.0.0.0")
    token = re.search(r"token: (\S+)", server.log)
    assert token is not None
    page.goto(f"{server.address}/?q=a+cat")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("That is not the token").wait_for()
    page.get_by_label("Token").fill(token[1])
    page.get_by_role("button", name="Sign in").click()
    page.locator(".score").first.wait_for()
    assert "q=a" in page.url
    assert httpx.get(f"{server.address}/fk/thumb/{'a' * 64}/small").status_code == 401


def test_only_named_users_of_an_identity_provider_get_in(
    page: Page, new_page: Callable[..., Page], serve: Callable[..., Server], own_library: Path
) -> None:
    secrets = Path(os.environ["HOME"]) / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir(parents=True, exist_ok=True)
    with provider(free_port()) as known:
        port = free_port()
        app = f"http://127.0.0.1:{port}"
        secrets.write_text(SECRETS.format(app=app, provider=known.address))
        options = ("--host", "0.0.0.0", "--port", str(port))
        server = serve(own_library, *options, FRAMEKEEP_APP_USERS="*@photos.test,me@else.test")
        assert "token" not in server.log
        known.email = "stranger@else.test"
        page.goto(app)
        page.get_by_text("Sign in to see this library").wait_for()
        assert page.locator(".tile").count() == 0
        page.get_by_test_id("stMain").get_by_role("button", name="Sign in").click()
        page.get_by_text("may not see this library").wait_for()
        assert page.locator(".tile").count() == 0
        known.email = "Ann@photos.test"
        friend = new_page()
        friend.goto(app)
        friend.get_by_test_id("stMain").get_by_role("button", name="Sign in").click()
        expect(friend.locator(".tile")).to_have_count(len(demo_photos()))
        friend.get_by_text("Ann@photos.test").wait_for()
        search(friend, "a cat")
        tile = friend.locator(".tile img").first
        friend.wait_for_function("image => image.naturalWidth > 0", arg=tile.element_handle())
        thumbnail = app + str(tile.get_attribute("src"))
        assert httpx.get(thumbnail).status_code == 401
        assert friend.request.get(thumbnail).status == 200
        friend.get_by_role("button", name="Sign out").click()
        friend.get_by_text("Sign in to see this library").wait_for()
        assert friend.request.get(thumbnail).status == 401


def test_users_without_a_provider_are_told(own_library: Path) -> None:
    command = [sys.executable, "-m", "framekeep", "--library", str(own_library), "app"]
    done = subprocess.run(
        [*command, "--no-browser", "--host", "0.0.0.0", "--port", str(free_port())],
        env={**os.environ, "FRAMEKEEP_APP_USERS": "me@else.test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is none: name it" in done.stderr
    assert "Traceback" not in done.stderr
