"""The documents' Python blocks run as they stand, beside the demo photos and a film."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import framekeep
from tests.helpers.demo_film import demo_film

ROOT = Path(__file__).parents[2]
DEMO = Path(framekeep.__file__).parent / "data" / "demo"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    if BLOCK.search(path.read_text(encoding="utf-8"))
)


def test_the_documents_that_must_have_examples_do() -> None:
    assert {"CONTRIBUTING.md", "docs/python.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_blocks_run(document: str, tmp_path: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    script = "".join(
        # Blank lines keep the line numbers of the document in a traceback.
        "\n" * (text.count("\n", 0, block.start(1)) - text.count("\n", 0, previous))
        + block.group(1)
        for previous, block in _with_previous_end(text)
    )
    shutil.copytree(DEMO, tmp_path / "photos", ignore=shutil.ignore_patterns("*.md"))
    demo_film(tmp_path / "videos" / "holiday.mp4")
    (tmp_path / Path(document).name).with_suffix(".py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", Path(document).with_suffix(".py").name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{document}\n{done.stdout}\n{done.stderr}"


def _with_previous_end(text: str) -> list[tuple[int, re.Match[str]]]:
    blocks = list(BLOCK.finditer(text))
    return list(zip([0, *(block.end(1) for block in blocks)], blocks, strict=False))


@pytest.mark.parametrize(
    "document",
    [str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]],
)
def test_links_to_files_lead_somewhere(document: str) -> None:
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target
