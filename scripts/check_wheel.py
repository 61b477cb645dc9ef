"""Fail unless the wheel holds the package with its data, and nothing else."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

MUST_HOLD = (
    "framekeep/py.typed",
    "framekeep/data/demo/SOURCES.md",
    "framekeep/data/clip/",
    "framekeep/data/starter/",
    "framekeep/store/migrations/versions/",
    "framekeep/app/config.toml",
    "framekeep/app/components/gallery.js",
)
MOST_STARTER_BYTES = 45_000_000


def main(path: Path) -> None:
    """Look through the wheel at `path`."""
    with zipfile.ZipFile(path) as wheel:
        sizes = {info.filename: info.file_size for info in wheel.infolist()}
    missing = [part for part in MUST_HOLD if not any(name.startswith(part) for name in sizes)]
    strange = [name for name in sizes if not name.startswith(("framekeep/", "framekeep-"))]
    starter = sum(
        size for name, size in sizes.items() if name.startswith("framekeep/data/starter/")
    )
    if missing or strange or starter > MOST_STARTER_BYTES:
        sys.exit(f"{path.name}: lacks {missing}, has {strange}, starter {starter / 1e6:.1f} MB")
    sys.stdout.write(f"{path.name}: {len(sizes)} files, starter {starter / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
