"""The README's commands run, in order, in a home that holds a few pictures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import framekeep

ROOT = Path(__file__).parents[2]
DEMO = Path(framekeep.__file__).parent / "data" / "demo"
NEEDS_A_HUB = ("framekeep models pull clip-vit-b-32", "framekeep library encoder clip-vit-b-32")
BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every line of the README's shell blocks, without comments."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def test_quick_start_is_what_is_checked_elsewhere() -> None:
    # scripts/check runs the first from the built wheel, .ci/run the second.
    assert commands()[:2] == ["pip install . && framekeep demo", 'pip install ".[test]" && pytest']
    assert 'pip install -qq ".[test]"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'framekeep" demo --no-app' in (ROOT / "scripts" / "check").read_text(encoding="utf-8")


def test_pictures_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) == 2
    assert all((ROOT / picture).stat().st_size > 10_000 for picture in pictures)


def test_commands_run(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "Pictures")
    shutil.copy(DEMO / "demo-02.jpg", tmp_path / "Pictures" / "cat.jpg")
    script = tmp_path / "bin" / "framekeep"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m framekeep "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    ours = [command for command in commands()[2:] if command.startswith("framekeep ")]
    assert len(ours) >= 10
    for command in ours:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        told = f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, told
        assert done.returncode == int(command in NEEDS_A_HUB), told
