"""The weights of TorchScript archives, and what archives ask for beyond them."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from framekeep.encoders.checkpoint import peek_arch, read_checkpoint
from framekeep.encoders.torchscript import is_torchscript, read_torchscript
from framekeep.errors import WeightsError
from tests.helpers import clip_weights


@pytest.fixture(autouse=True)
def deprecated() -> Iterator[None]:
    """TorchScript is deprecated, but it is what OpenAI's files are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


class Tower(nn.Module):
    """Tensors of many kinds (strided, sharing memory, empty, of no dimension), and other values."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes, self.names, self.parts = [1, 2], {"a": "b"}, [torch.ones(2)]
        self.device, self.phase = torch.device("cpu"), 1j
        # As OpenAI's mask: an attribute, so no part of the state dict.
        self.attn_mask = torch.full((2, 2), -1.0)
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6))
        self.attention = nn.MultiheadAttention(8, 2).half()
        base = torch.arange(24.0).reshape(4, 6)
        self.register_buffer("turned", base.T)
        self.register_buffer("tail", base[1:, ::2])
        self.register_buffer("count", torch.tensor(7))
        self.register_buffer("empty", torch.zeros(0, 3))
        self.register_buffer("mask", torch.tensor([True, False]))
        self.register_buffer("brain", torch.randn(5).bfloat16())

    def forward(self, x: Tensor) -> Tensor:
        rows: Tensor = self.layers(x)
        rows = rows + self.sizes[0] + len(self.names) + self.parts[0].sum()
        return rows.to(self.device) * self.attn_mask.sum()


def traced(module: nn.Module) -> torch.jit.ScriptModule:
    made = torch.jit.trace(module, torch.zeros(1, 4))  # type: ignore[no-untyped-call]
    assert isinstance(made, torch.jit.ScriptModule)
    return made


@pytest.mark.parametrize("compiled", [torch.jit.script, traced])
def test_the_same_tensors_as_torch_reads(
    tmp_path: Path, compiled: Callable[[nn.Module], torch.jit.ScriptModule]
) -> None:
    file = tmp_path / "tower.pt"
    torch.jit.save(compiled(Tower()), str(file))  # type: ignore[no-untyped-call]
    expected = torch.jit.load(str(file)).state_dict()  # type: ignore[no-untyped-call]
    assert is_torchscript(file)
    with zipfile.ZipFile(file) as archive:
        # Lists and devices are in there, and the mask, or the test would not show much.
        written = archive.read("tower/data.pkl")
    if compiled is torch.jit.script:
        assert all(word in written for word in (b"restore_type_tag", b"device", b"attn_mask"))
    read = read_torchscript(file)
    assert read.keys() == expected.keys() == Tower().state_dict().keys()
    for name, tensor in read.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


def test_other_files_of_torch_are_not_taken_for_archives(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "plain.pt")
    (tmp_path / "text.pt").write_text("text")
    assert not is_torchscript(tmp_path / "plain.pt")
    assert not is_torchscript(tmp_path / "text.pt")


class Writer(nn.Module):
    """Writes a file when it is opened by torch."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.weight = torch.zeros(1)
        self.target = target

    @torch.jit.export
    def __getstate__(self):  # type: ignore[no-untyped-def]
        return (self.weight, self.target, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, str, bool]) -> None:
        self.weight, self.target, self.training = state
        torch.save(self.weight, self.target)

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize("read", [peek_arch, read_checkpoint])
def test_code_in_an_archive_is_not_run(tmp_path: Path, read: Callable[[Path], object]) -> None:
    target, file = tmp_path / "written", tmp_path / "writer.pt"
    torch.jit.save(torch.jit.script(Writer(str(target))), str(file))  # type: ignore[no-untyped-call]
    torch.jit.load(str(file))  # type: ignore[no-untyped-call]
    # Without this the rest would show nothing.
    assert target.exists()
    target.unlink()
    with pytest.raises(WeightsError, match=r"writer\.pt"):
        read(file)
    assert not target.exists()


class Dangerous:
    """A pickle that would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (self.command,)


def test_a_pickle_that_asks_for_more_than_tensors(tmp_path: Path) -> None:
    file = tmp_path / "evil.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil/constants.pkl", b"")
        archive.writestr("evil/data.pkl", pickle.dumps(Dangerous(f"touch {tmp_path}/ran"), 2))
    with pytest.raises(pickle.UnpicklingError, match=r"asks for .*system"):
        read_torchscript(file)
    with pytest.raises(WeightsError, match="damaged, or not a checkpoint"):
        read_checkpoint(file)
    assert not (tmp_path / "ran").exists()


def test_compressed_tensors_are_refused(tmp_path: Path) -> None:
    whole = clip_weights.write_openai_checkpoint(tmp_path / "whole.pt")
    small = tmp_path / "small.pt"
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in source.namelist():
            packed.writestr(name, source.read(name))
    with pytest.raises(pickle.UnpicklingError, match="compressed"):
        read_torchscript(small)
    with pytest.raises(WeightsError, match="damaged"):
        read_checkpoint(small)
