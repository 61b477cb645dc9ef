"""Where PyTorch computes, and how much memory is left there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from framekeep.errors import FramekeepError


def pick_device(wanted: str, error: type[FramekeepError]) -> str:
    """Of auto, cpu, cuda or mps the one to use: auto takes the first GPU that is there.

    Raises `error` for a device that is not there.
    """
    import torch

    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if wanted not in there:
        raise error(f"There is no device {wanted!r}; use auto, cpu, cuda or mps.")
    if not there[wanted]:
        raise error(f"PyTorch finds no {wanted} device here; use auto or cpu.")
    return wanted


def likely_gpu() -> bool:
    """Whether a GPU is likely there, told without importing torch."""
    return os.path.exists("/dev/nvidia0") or (  # noqa: PTH110 - not worth a Path
        sys.platform == "darwin" and os.uname().machine == "arm64"
    )


def free_bytes(device: str, root: Path = Path("/")) -> int | None:
    """Memory that can still be had on a device; None where the system does not tell.

    On Linux the container's limit counts as well. `root` is where /proc and /sys lie.
    """
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    found = [value for value in (_machine_bytes(root), _container_bytes(root)) if value is not None]
    return min(found, default=None)


def _machine_bytes(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _container_bytes(root: Path) -> int | None:
    """What a container may still take; what it holds of files counts as free."""
    group = root / "sys/fs/cgroup"
    limit, used = _text(group / "memory.max").strip(), _text(group / "memory.current").strip()
    if not (limit.isdigit() and used.isdigit()):
        return None
    held = [line.split()[1] for line in _text(group / "memory.stat").splitlines()
            if line.startswith("inactive_file ")]  # fmt: skip
    return max(0, int(limit) - int(used) + sum(map(int, held)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
