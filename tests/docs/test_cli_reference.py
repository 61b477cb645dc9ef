"""docs/cli.md is what the commands say of themselves now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "make_cli_reference.py"


def test_reference_is_current() -> None:
    done = subprocess.run([sys.executable, str(TOOL), "--check"], check=False)
    assert done.returncode == 0, "run python tools/make_cli_reference.py"


def test_reference_names_every_command_and_option() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for command in ("demo", "add", "search", "similar", "duplicates", "status", "problems"):
        assert f"## framekeep {command}\n" in page
    for command in ("tag", "repair", "models pull", "export-list", "library clear"):
        assert f"## framekeep {command}\n" in page
    assert "- `--where` `EXPR`" in page
