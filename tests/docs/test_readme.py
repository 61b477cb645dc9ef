"""The README's commands run, in order, in a home that holds a few pictures."""

from __future__ import annotations

import re
from pathlib import Path

from tests.helpers.documents import ROOT, commands_of, run_commands

NEEDS_A_HUB = ("framekeep models pull clip-vit-b-32", "framekeep library encoder clip-vit-b-32")


def test_quick_start_is_what_is_checked_elsewhere() -> None:
    # scripts/check runs the first from the built wheel, .ci/run the second.
    commands = commands_of("README.md")
    assert commands[:2] == ["pip install . && framekeep demo", 'pip install ".[test]" && pytest']
    assert 'pip install -qq ".[test]"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'framekeep" demo --no-app' in (ROOT / "scripts" / "check").read_text(encoding="utf-8")


def test_pictures_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) == 2
    assert all((ROOT / picture).stat().st_size > 10_000 for picture in pictures)


def test_commands_run(tmp_path: Path) -> None:
    ours = [command for command in commands_of("README.md")[2:] if command.startswith("framekeep ")]
    assert len(ours) >= 10
    run_commands(ours, tmp_path, NEEDS_A_HUB)
