"""A local HTTP server for weights: ranges, cuts, wrong content, silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """What one server hands out; change it while it runs."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None
    ranges: bool = True
    silent_s: float = 0
    etag: str = '"one"'
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(**options: object) -> Iterator[Served]:
    """Run a server on a free port of this machine."""
    served = Served(**options)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.requests.append((self.path, wanted))
            time.sleep(served.silent_s)
            content = served.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            start = 0
            same = self.headers.get("If-Range") in (None, served.etag)
            if wanted and served.ranges and same:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start = int(first)
                content = content[: int(last) + 1] if last else content
                self.send_response(206)
            else:
                self.send_response(200)
            body = content[start:]
            self.send_header("ETag", served.etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = served.cut_after
            self.wfile.write(body if cut is None else body[:cut])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
