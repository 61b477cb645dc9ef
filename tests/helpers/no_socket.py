"""Run code in a process of its own that fails at the first attempt to use the network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

GUARD = """
import sys

def _guard(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise SystemExit(f"network: {event} {args!r}")
    if event in ("socket.connect", "socket.bind") and args[0].family.name != "AF_UNIX":
        raise SystemExit(f"network: {event} {args!r}")

sys.addaudithook(_guard)
"""


def run_without_network(code: str, *args: object, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python code; any look-up or connection ends it with "network: …" and status 1."""
    return subprocess.run(
        [sys.executable, "-c", GUARD + code, *map(str, args)],
        env={**os.environ, **env},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
