"""The documents' Python blocks run as they stand, beside the demo photos and a film."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.demo_film import demo_film
from tests.helpers.documents import ROOT, copy_photos

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
    copy_photos(tmp_path / "photos")
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


def test_the_app_document_lists_the_keys_of_the_annotation_view() -> None:
    component = ROOT / "src" / "framekeep" / "app" / "components" / "annotator.js"
    listed = component.read_text("utf-8").partition("const KEYS = [")[2].partition("\n];")[0]
    keys = [key for key, _ in re.findall(r'\["([^"]+)", "([^"]+)"\]', listed)]
    assert len(keys) >= 20
    text = (ROOT / "docs" / "app.md").read_text(encoding="utf-8")
    table = text.partition("\n## Annotate\n")[2].partition("\n## ")[0]
    left = " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("|"))
    keyed = re.compile(r"\w+|[←→↑↓\[\]?]")
    assert set(keyed.findall(" ".join(keys))) - {"and"} <= set(keyed.findall(left))
