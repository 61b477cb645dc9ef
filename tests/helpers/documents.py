"""Commands as they stand in a document, run in a home that holds a few pictures and a film."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import framekeep
from tests.helpers.demo_film import demo_film

ROOT = Path(__file__).parents[2]
DEMO = Path(framekeep.__file__).parent / "data" / "demo"
# All that the documents look for (cat, dogs, otters, bird, sunset, food) and a few others. To
# segment all photos would take most of the time of these tests.
SHOWN = tuple(f"demo-{number:02}.jpg" for number in (1, 2, 4, 5, 9, 11, 13, 16, 25, 29))
BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def copy_photos(folder: Path) -> None:
    """A folder with the photos that the documents look for."""
    folder.mkdir()
    for name in SHOWN:
        shutil.copy(DEMO / name, folder)


def commands_of(document: str) -> list[str]:
    """Every line of a document's shell blocks, without comments."""
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def run_commands(commands: Sequence[str], home: Path, fail: Sequence[str] = ()) -> list[str]:
    """Run commands one after the other, and give what each printed.

    Those in `fail` must end with 1, all others with 0, none with a traceback.
    """
    copy_photos(home / "Pictures")
    shutil.copy(DEMO / "demo-02.jpg", home / "Pictures" / "cat.jpg")
    demo_film(home / "Videos" / "holiday.mp4")
    script = home / "bin" / "framekeep"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m framekeep "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "XDG_DATA_HOME": str(home / "data"),
    }
    said = []
    for command in commands:
        done = subprocess.run(
            command,
            shell=True,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        told = f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, told
        assert done.returncode == int(command in fail), told
        said.append(done.stdout)
    return said
