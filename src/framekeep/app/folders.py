"""Folders that may be named in the page: those under the allowed roots, links followed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from framekeep.errors import InputError


def allowed_folder(text: str, roots: Sequence[Path]) -> Path:
    """The folder (or file) that a user named. Raises InputError where it may not be added."""
    if not text.strip():
        raise InputError("Name a folder on this machine, such as ~/Pictures.")
    try:
        path = Path(text.strip()).expanduser()
        real = path.resolve()
        inside = any(real.is_relative_to(root.expanduser().resolve()) for root in roots)
        there = path.exists()
    except (OSError, RuntimeError, ValueError) as exc:
        raise InputError(f"{text.strip()!r} cannot be opened: check the spelling.") from exc
    if not path.is_absolute():
        raise InputError(f"Name the whole path of {text.strip()}, from the root or from ~.")
    if not inside:
        allowed = ", ".join(str(root) for root in roots)
        raise InputError(
            f"{path} lies outside the folders that the app may add ({allowed}); allow more with "
            "FRAMEKEEP_APP_ROOTS."
        )
    if not there:
        raise InputError(f"There is no folder {path}: check the spelling.")
    return path
