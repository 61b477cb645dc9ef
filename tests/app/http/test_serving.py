"""The same routes on a real server: memory, connections that break off, websockets."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
import uvicorn
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from framekeep.app.http import uploads

MEGABYTE = b"0123456789abcdef" * 65_536
HEADERS = {"X-Framekeep": "1", "X-Name": "large.jpg"}


@pytest.fixture
def port(site) -> Iterator[int]:
    """The port of a real server of the site's app."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        site.app, lifespan="off", log_level="error", ws="websockets-sansio", timeout_keep_alive=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def until(true, tries: int = 200) -> bool:
    for _ in range(tries):
        if true():
            return True
        time.sleep(0.05)
    return False


def parts_of(site) -> list:
    return [p for p in site.parts.inbox.folder.rglob("*.part*") if p.is_file()]


def begin(port: int, length: int, body: bytes = b"") -> socket.socket:
    """A connection on which an upload has begun."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = (
        f"PUT /fk/upload/batch-0001 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"X-Framekeep: 1\r\nX-Name: large.jpg\r\nContent-Length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def answer(connection: socket.socket) -> tuple[int, dict]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read())


def test_300_megabytes_are_never_held_in_memory(site, port):
    process = psutil.Process()
    put_large(port, 5)  # what is loaded once is no part of the measure
    before = process.memory_info().rss
    most = [before]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            most[0] = max(most[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        told = put_large(port, 300)
    finally:
        ended.set()
        watcher.join()
    try:
        assert told["bytes"] == 300 * len(MEGABYTE)
        expected = hashlib.sha256()
        for _ in range(300):
            expected.update(MEGABYTE)
        assert told["sha256"] == expected.hexdigest()
        assert most[0] - before < 40e6
    finally:
        for received in site.parts.inbox.take("batch-0001"):
            received.path.unlink()


def put_large(port: int, megabytes: int) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {**HEADERS, "Content-Length": str(megabytes * len(MEGABYTE))}
    body = (MEGABYTE for _ in range(megabytes))
    connection.request("PUT", "/fk/upload/batch-0001", body, headers)
    response = connection.getresponse()
    told = json.loads(response.read())
    connection.close()
    assert response.status == 200, told
    return told


def test_a_connection_that_breaks_off_leaves_nothing(site, port):
    connection = begin(port, 10_000_000, MEGABYTE * 3)
    assert until(lambda: any(p.stat().st_size for p in parts_of(site)))
    connection.close()
    assert until(lambda: not parts_of(site))
    assert site.parts.inbox.take("batch-0001") == []


def test_too_large_is_told_before_anything_is_sent(site, port):
    with begin(port, 400_000_001) as connection:
        status, told = answer(connection)
    assert status == 413
    assert told["error"].endswith(".")
    assert parts_of(site) == []


def test_who_sends_nothing_more_is_let_go(site, port, monkeypatch):
    monkeypatch.setattr(uploads, "IDLE_S", 0.2)
    with begin(port, 1000, b"half") as connection:
        status, told = answer(connection)
    assert status == 408
    assert told["error"].endswith(".")
    assert parts_of(site) == []


def test_a_refused_upload_may_go_on_sending(site, port):
    """A browser reads the answer once it has sent everything."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for name, status in (("", 400), ("a.jpg", 200)):
        headers = {**HEADERS, "X-Name": name}
        connection.request("PUT", "/fk/upload/batch-0001", MEGABYTE * 8, headers)
        response = connection.getresponse()
        assert (response.status, response.read() != b"") == (status, True)
    connection.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_websocket_from_elsewhere_is_not_opened(port, headers, status):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        given = {"Host": f"127.0.0.1:{port}", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        connection.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\n{lines}Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            .encode()
        )  # fmt: skip
        assert connection.recv(1000).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_websocket_needs_the_sign_in(site, port):
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    with connect(address) as opened:
        opened.send("hello")
        assert opened.recv() == "hello"
    site.change(token="the-token")
    with pytest.raises(InvalidStatus) as denied:
        connect(address)
    assert denied.value.response.status_code == 403
    cookie = f"framekeep_{port}={site.parts.sessions.open()}"
    with connect(address, additional_headers={"Cookie": cookie}) as opened:
        opened.send("hello")
        assert opened.recv() == "hello"
