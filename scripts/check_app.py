"""Fail unless the installed app starts, serves its pages and a thumbnail, and stops when told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE_S = 90


def answer(address: str, host: str | None = None) -> int:
    """The status of a GET."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def main(command: str, library: str, port: str, search: Path) -> None:
    """Start `framekeep app` on a library whose search for a cat is in a file."""
    app = [command, "app", "--no-browser", "--port", port, "--library", library]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(app, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                if answer(f"{address}/_stcore/health") == 200:
                    break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit("The app did not start.")
                time.sleep(0.2)
        cat = json.loads(search.read_text(encoding="utf-8"))[0]["media_id"]
        seen = {
            "page": answer(f"{address}/"),
            "thumbnail": answer(f"{address}/fk/thumb/{cat}/small"),
            "unknown id": answer(f"{address}/fk/thumb/{'0' * 64}/small"),
            "foreign host": answer(f"{address}/", host="example.com"),
        }
    finally:
        server.send_signal(signal.SIGINT)
        code = server.wait(60)
    wanted = {"page": 200, "thumbnail": 200, "unknown id": 404, "foreign host": 400}
    if seen != wanted or code != 0:
        sys.exit(f"The app answered {seen}, not {wanted}, and ended with {code}.")
    sys.stdout.write(f"The app answers {seen} and ends with 0.\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
