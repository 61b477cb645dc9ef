"""Folders that may be named in a page: those under the allowed roots, links followed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from framekeep.errors import InputError

EXPORTS = "exports"
MANIFEST = "manifest.json"
REPORT = "report.json"
_NAME = re.compile(r"[^\\/:*?\"<>|\x00-\x1f]{1,100}")


def allowed_folder(text: str, roots: Sequence[Path]) -> Path:
    """The folder (or file) that a user named. Raises InputError where it may not be added."""
    if not text.strip():
        raise InputError("Name a folder on this machine, such as ~/Pictures.")
    path, real, inside = _looked_up(text, roots)
    if not inside:
        raise _outside(path, roots)
    if not _there(real):
        raise InputError(f"There is no folder {path}: check the spelling.")
    return path


def allowed_target(text: str, roots: Sequence[Path], library: Path) -> Path:
    """The folder to write a dataset to: a name below the library's exports, or a whole path.

    It need not exist. What is there is only ever replaced where it is a former export. Raises
    InputError where nothing may be written.
    """
    exports = library / EXPORTS
    named = text.strip()
    if not named:
        raise InputError("Give the dataset a name, or name a folder on this machine.")
    if _NAME.fullmatch(named) and named.strip(".") and not named.startswith("~"):
        named = str(exports / named)
    path, real, inside = _looked_up(named, [*roots, exports])
    if not inside:
        raise _outside(path, roots)
    home = library.resolve()
    kept = [home, *(root.expanduser().resolve() for root in roots)]
    if real.is_relative_to(home) and not _below(real, home / EXPORTS):
        raise InputError(f"{path} lies within the library itself: a dataset goes to {exports}.")
    if any(held.is_relative_to(real) for held in kept):
        raise InputError(f"{path} holds more than a dataset: name a folder of its own in it.")
    return path


def is_former_export(folder: Path) -> bool:
    """Whether a folder holds a dataset that was exported, and nothing else could be lost."""
    try:
        return all((folder / name).is_file() for name in (MANIFEST, REPORT))
    except OSError:
        return False


def is_free(folder: Path) -> bool:
    """Whether nothing is at a place, or an empty folder."""
    try:
        return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    except OSError:
        return False


def _looked_up(text: str, roots: Sequence[Path]) -> tuple[Path, Path, bool]:
    """A path as it was named, where it leads, and whether that lies under one of the roots."""
    try:
        path = Path(text.strip()).expanduser()
        real = path.resolve()
        inside = any(real.is_relative_to(root.expanduser().resolve()) for root in roots)
    except (OSError, RuntimeError, ValueError) as exc:
        raise InputError(f"{text.strip()!r} cannot be opened: check the spelling.") from exc
    if not path.is_absolute():
        raise InputError(f"Name the whole path of {text.strip()}, from the root or from ~.")
    return path, real, inside


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _below(path: Path, folder: Path) -> bool:
    return path != folder and path.is_relative_to(folder)


def _outside(path: Path, roots: Sequence[Path]) -> InputError:
    allowed = ", ".join(str(root) for root in roots)
    return InputError(
        f"{path} lies outside the folders that the app may use ({allowed}); allow more with "
        "FRAMEKEEP_APP_ROOTS."
    )
