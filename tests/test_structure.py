"""What holds for the package as a whole: what is loaded when, how long modules are."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import framekeep

PACKAGE = Path(framekeep.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts)
MOST_LINES = 400
HEAVY = {"torch", "transformers", "streamlit"}

TEXT_SEARCH = """
import json, sys
from pathlib import Path
import framekeep
from framekeep import cli
photos = Path(framekeep.__file__).parent / "data" / "demo"
with framekeep.open(sys.argv[1], encoder="starter") as library:
    for _ in library.add(*sorted(photos.glob("*.jpg"))[:3]):
        pass
    hits = library.search("a cat", limit=2)
assert len(hits) == 2, hits
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(script: str, *args: str) -> set[str]:
    """The top-level modules that a fresh Python holds after running a script."""
    done = subprocess.run(
        [sys.executable, "-c", script, *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_loads_nothing_heavy() -> None:
    loaded = loaded_by("import json, sys, framekeep; print(json.dumps(sorted(sys.modules)))")
    assert "framekeep" in loaded
    assert not loaded & {*HEAVY, "chromadb", "onnxruntime", "sqlalchemy", "PIL"}


def test_adding_and_text_search_with_starter_load_no_torch(tmp_path: Path) -> None:
    loaded = loaded_by(TEXT_SEARCH, str(tmp_path / "library"))
    assert "onnxruntime" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_is_short_and_says_what_it_is(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= MOST_LINES, "split it"
