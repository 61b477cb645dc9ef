"""Who is let in, and what a foreign page, name or client cannot do. Each way in is tried."""

from __future__ import annotations

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from tests.app.http.conftest import BASE, OURS

SOCKET = "ws://127.0.0.1:8501/_stcore/stream"
TOKEN = "a-token-that-was-printed"
WANTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PAGE = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}
SCRIPT = {"Accept": "*/*", "Sec-Fetch-Mode": "cors"}


# The host


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8501", "localhost", "LOCALHOST:9", "[::1]:8501", "localhost.:8501"]
)
def test_own_names_are_answered(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "127.0.0.1:8501, evil.example",
        "[::2]",
        "127.0.0.1:port",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/fk/sign-in", "/_stcore/health"])
def test_a_foreign_host_gets_400(client, host, path):
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert answer.headers["x-frame-options"] == "DENY"


def test_two_hosts_get_400(client):
    request = client.build_request("GET", "/", headers=[("Host", "127.0.0.1"), ("Host", "evil")])
    assert client.send(request).status_code == 400


def test_other_names_as_given(site):
    site.change(hosts=("photos.home", "[fd00::1]"))
    assert site.client("http://photos.home:8501").get("/").status_code == 200
    assert site.client("http://[fd00::1]:8501").get("/").status_code == 200
    assert site.client().get("/").status_code == 400


def test_websocket_of_a_foreign_host_gets_400(client):
    with pytest.raises(WebSocketDenialResponse) as denied:
        with client.websocket_connect(SOCKET, headers={"Host": "evil.example"}):
            pass
    assert denied.value.status_code == 400


# The origin


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://127.0.0.1:8501",
        "http://127.0.0.1:3000",
        "http://127.0.0.1",
        "http://localhost:8501",
        "http://127.0.0.1:8501.evil.example",
        "http://127.0.0.1:nonsense",
        "null",
        "",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fk/nothing"),
        ("PUT", "/fk/upload/batch-0001"),
        ("PUT", "/fk/query-image"),
        ("POST", "/fk/session"),
        ("POST", "/fk/sign-out"),
        ("DELETE", "/fk/anything"),
        ("GET", "/_stcore/health"),
        ("PUT", "/_stcore/upload_file/x"),
    ],
)
def test_a_foreign_origin_gets_403(client, method, path, origin):
    answer = client.request(method, path, headers={**OURS, "Origin": origin})
    assert answer.status_code == 403
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        (BASE, BASE),
        (BASE, "HTTP://127.0.0.1:8501"),
        ("http://localhost", "http://localhost:80"),
        ("https://localhost", "https://localhost"),
    ],
)
def test_the_own_origin_may(site, base, origin):
    answer = site.client(base).put(
        "/fk/upload/batch-0001",
        content=b"x",
        headers={**OURS, "Origin": origin, "X-Name": "a.jpg", "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:3000"])
def test_websocket_of_a_foreign_origin_gets_403(client, origin):
    with pytest.raises(WebSocketDenialResponse) as denied:
        with client.websocket_connect(SOCKET, headers={"Origin": origin}):
            pass
    assert denied.value.status_code == 403


@pytest.mark.parametrize("origin", [{"Origin": BASE}, {}])
def test_websocket_of_the_own_origin(client, origin):
    with client.websocket_connect(SOCKET, headers=origin) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize("place", ["cross-site", "same-site"])
def test_other_sites_get_no_picture(client, media_id, place):
    for path in (f"/fk/thumb/{media_id('demo-01.jpg')}/small", f"/fk/media/{'0' * 64}"):
        assert client.get(path, headers={"Sec-Fetch-Site": place}).status_code == 403
    for own in ("same-origin", "none"):
        path = f"/fk/thumb/{media_id('demo-01.jpg')}/small"
        assert client.get(path, headers={"Sec-Fetch-Site": own}).status_code == 200
    assert client.get("/", headers={"Sec-Fetch-Site": place}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/fk/upload/batch-0001"),
        ("PUT", "/fk/query-image"),
        ("POST", "/fk/session"),
        ("POST", "/fk/sign-out"),
        ("DELETE", "/fk/anything"),
    ],
)
def test_changes_need_our_header(client, method, path):
    headers = {"X-Name": "a.jpg"}
    assert client.request(method, path, headers=headers).status_code == 403
    assert client.request(method, path, headers={**headers, "X-Framekeep": "0"}).status_code == 403


def test_only_the_sign_in_forms_go_without_our_header(client):
    own = {"Origin": BASE}
    assert client.post("/fk/session", data={"token": "x"}, headers=own).status_code == 303
    assert client.post("/fk/sign-out", headers=own).status_code == 303
    assert client.put("/fk/query-image", headers=own).status_code == 403


# Headers


@pytest.mark.parametrize("path", ["/", "/fk/nothing", "/_stcore/health", "/fk/sign-out"])
def test_headers_against_framing_sniffing_and_lending(client, path):
    headers = client.get(path).headers
    expected = dict(WANTED)
    if path == "/fk/sign-out":
        expected["referrer-policy"] = "same-origin"
    assert {name: headers.get(name) for name in expected} == expected
    assert "access-control-allow-origin" not in headers


def test_pages_may_load_from_this_server_alone(client):
    policy = client.get("/").headers["content-security-policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["object-src"] == "'none'"
    assert rules["connect-src"].split() == [
        "'self'", "ws://127.0.0.1:8501", "wss://127.0.0.1:8501", "blob:", "data:",
    ]  # fmt: skip
    assert not any(word in policy for word in ("*", "http:", "https:"))


# Signing in


@pytest.fixture
def guarded(site):
    site.change(token=TOKEN)
    return site


def sign_in(client, token=TOKEN, **form):
    return client.post("/fk/session", data={"token": token, **form}, headers={"Origin": BASE})


def test_nothing_is_seen_without_signing_in(guarded, media_id):
    client = guarded.client()
    known = media_id("demo-01.jpg")
    for path in (f"/fk/thumb/{known}/small", f"/fk/media/{known}", "/fk/nothing", "/static/x.js"):
        answer = client.get(path, headers=SCRIPT)
        assert answer.status_code == 401
        assert answer.json()["error"].endswith(".")
    for path in ("/fk/upload/batch-0001", "/fk/query-image"):
        answer = client.put(path, content=b"x", headers={**OURS, "X-Name": "a.jpg"})
        assert answer.status_code == 401
    assert guarded.parts.inbox.take("batch-0001") == []
    assert client.get("/_stcore/health").status_code == 200


@pytest.mark.parametrize("cookie", [None, TOKEN, "x" * 43])
def test_a_websocket_needs_the_sign_in(guarded, cookie):
    client = guarded.client()
    if cookie:
        client.cookies.set("framekeep_8501", cookie)
    with pytest.raises(WebSocketDenialResponse) as denied:
        with client.websocket_connect(SOCKET):
            pass
    assert denied.value.status_code == 403


def test_a_page_leads_to_the_sign_in_and_back(guarded):
    client = guarded.client()
    asked = client.get("/library?q=a+dog&n=20", headers=PAGE)
    assert asked.status_code == 303
    form = client.get(asked.headers["location"])
    assert form.status_code == 200
    assert 'value="/library?q=a+dog&amp;n=20"' in form.text
    answer = sign_in(client, next="/library?q=a+dog&n=20")
    assert (answer.status_code, answer.headers["location"]) == (303, "/library?q=a+dog&n=20")
    assert client.get("/library", headers=PAGE).status_code == 200
    assert client.get("/fk/sign-in").headers["location"] == "/"


def test_the_cookie_is_no_token_and_stays_with_the_browser(guarded):
    client = guarded.client()
    cookie = sign_in(client).headers["set-cookie"]
    flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= flags
    assert "secure" not in flags
    assert TOKEN not in cookie
    secure = guarded.client("https://localhost").post(
        "/fk/session", data={"token": TOKEN}, headers={"Origin": "https://localhost"}
    )
    assert "; Secure" in secure.headers["set-cookie"]


def test_signing_in_opens_routes_and_websocket_and_signing_out_ends_both(guarded, media_id):
    client = guarded.client()
    sign_in(client, f" {TOKEN}\n")
    thumb = f"/fk/thumb/{media_id('demo-01.jpg')}/small"
    assert client.get(thumb, headers=SCRIPT).status_code == 200
    name = client.cookies["framekeep_8501"]
    with client.websocket_connect(SOCKET) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        assert client.get("/fk/sign-out").status_code == 200
        out = client.post("/fk/sign-out", headers={"Origin": BASE})
        assert out.headers["location"] == "/fk/sign-in"
        socket.send_text("still there?")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
    assert "framekeep_8501" not in client.cookies
    client.cookies.set("framekeep_8501", name)
    assert client.get(thumb, headers=SCRIPT).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü\ud800"])
def test_a_wrong_token_opens_nothing(guarded, token):
    client = guarded.client()
    answer = sign_in(client, token.encode("utf-8", "surrogatepass"))
    assert answer.status_code == 403
    assert "That is not the token." in answer.text
    assert "set-cookie" not in answer.headers
    assert client.get("/", headers=SCRIPT).status_code == 401


def test_ten_wrong_tries_a_minute(guarded):
    client = guarded.client()
    assert [sign_in(client, "wrong").status_code for _ in range(11)] == [403] * 10 + [429]
    late = sign_in(client)
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "evil", ""],
)
def test_the_sign_in_leads_to_no_other_site(guarded, target):
    assert sign_in(guarded.client(), next=target).headers["location"] == "/"


def test_what_is_asked_for_stays_text_in_the_form(guarded):
    form = guarded.client().get("/fk/sign-in?next=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script" not in form.text
    assert "default-src 'none'" in form.headers["content-security-policy"]
    assert "'unsafe-inline'" not in form.headers["content-security-policy"]
    # A form sent under no-referrer has the origin "null", which we would refuse.
    assert form.headers["referrer-policy"] == "same-origin"


def test_a_link_from_another_site_finds_the_session(guarded):
    client = guarded.client()
    sign_in(client)
    stranger = guarded.client()
    foreign = {**PAGE, "Sec-Fetch-Site": "cross-site"}
    asked = stranger.get("/library?q=cat", headers=foreign)
    between = stranger.get(asked.headers["location"], headers=foreign)
    again = "/fk/sign-in?again=1&next=%2Flibrary%3Fq%3Dcat"
    assert f'content="0; url={again.replace("&", "&amp;")}"' in between.text
    assert client.get(again).headers["location"] == "/library?q=cat"
    assert "password" in stranger.get(again, headers=foreign).text


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"token=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b'{"token": "x"}', "application/json", 415),
        (b"&&=%zz;" + b"a=1&" * 1000, "application/x-www-form-urlencoded", 403),
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded", 403),
    ],
)
def test_odd_forms(guarded, body, kind, status):
    headers = {"Origin": BASE, "Content-Type": kind}
    answer = guarded.client().post("/fk/session", content=body, headers=headers)
    assert answer.status_code == status
