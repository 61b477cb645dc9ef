"""How much memory is left, as Linux and its containers tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from framekeep.devices import free_bytes, pick_device
from framekeep.errors import EncoderError, SegmenterError


def system(
    root: Path, available_kb: int | None, limit: str = "max", used: int = 0, files: int = 0
) -> Path:
    (root / "proc").mkdir()
    group = root / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    if available_kb is not None:
        text = f"MemTotal: 9999 kB\nMemAvailable:   {available_kb} kB\n"
        (root / "proc" / "meminfo").write_text(text)
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.current").write_text(f"{used}\n")
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {files}\nactive_file 7\n")
    return root


def test_what_the_machine_tells_counts(tmp_path):
    assert free_bytes("cpu", system(tmp_path, 2_000)) == 2_048_000


def test_a_containers_limit_counts_where_it_is_less(tmp_path):
    assert free_bytes("cpu", system(tmp_path, 2_000, "1000000", 400_000, 100_000)) == 700_000


def test_a_limit_that_is_passed_leaves_nothing(tmp_path):
    assert free_bytes("cpu", system(tmp_path, 2_000, "1000", 4_000)) == 0


def test_a_system_that_does_not_tell_leaves_it_open(tmp_path):
    assert free_bytes("cpu", tmp_path / "none") is None
    assert free_bytes("mps", system(tmp_path, None)) is None


def test_devices_are_picked_by_name():
    assert pick_device("cpu", SegmenterError) == "cpu"
    assert pick_device("auto", SegmenterError) in ("cpu", "cuda", "mps")
    with pytest.raises(EncoderError, match="no device"):
        pick_device("tpu", EncoderError)
