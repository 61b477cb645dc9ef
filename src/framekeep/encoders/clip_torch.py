"""CLIP in PyTorch, the reference: Radford et al. 2021, "Learning Transferable Visual Models".

Two transformers map pictures and texts into one space. Written to be read in one sitting; only
what encoding needs is here, so the training temperature is left out.
"""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from framekeep.devices import pick_device
from framekeep.encoders.checkpoint import (
    Activation,
    Checkpoint,
    ClipArch,
    read_checkpoint,
)
from framekeep.encoders.clip import ClipEncoder
from framekeep.errors import EncoderError, PrecisionError
from framekeep.types import EncoderInfo, Vectors


class Block(nn.Module):
    """One layer: attention, then two dense layers; each adds to its input (pre-norm)."""

    def __init__(self, width: int, heads: int, mlp: int, activation: Activation) -> None:
        super().__init__()
        self.heads = heads
        self.quick = activation == "quick_gelu"
        self.norm_1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, mlp)
        self.down = nn.Linear(mlp, width)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        """Map (N, L, width) to the same shape."""
        x = x + self._attend(self.norm_1(x), causal)
        hidden = self.up(self.norm_2(x))
        # OpenAI trained with this approximation of GELU; it is not interchangeable with GELU.
        hidden = hidden * torch.sigmoid(1.702 * hidden) if self.quick else functional.gelu(hidden)
        result: Tensor = x + self.down(hidden)
        return result

    def _attend(self, x: Tensor, causal: bool) -> Tensor:
        n, length, width = x.shape
        qkv = self.qkv(x).view(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        attended: Tensor = self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return attended


class VisionTower(nn.Module):
    """Vision transformer over square patches; the class token's last state is the picture's."""

    def __init__(self, arch: ClipArch) -> None:
        super().__init__()
        width = arch.vision_width
        self.patches = nn.Conv2d(3, width, arch.patch, stride=arch.patch, bias=False)
        self.class_token = nn.Parameter(torch.empty(width))
        self.positions = nn.Parameter(torch.empty((arch.image_px // arch.patch) ** 2 + 1, width))
        self.norm_in = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(
            Block(width, arch.vision_heads, arch.vision_mlp, arch.activation)
            for _ in range(arch.vision_layers)
        )
        self.norm_out = nn.LayerNorm(width)
        self.projection = nn.Linear(width, arch.embed_dim, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (N, 3, image_px, image_px) float32 to (N, embed_dim), any length of row."""
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        first = self.class_token.to(x.dtype).expand(x.shape[0], 1, -1)
        x = self.norm_in(torch.cat([first, x], dim=1) + self.positions)
        for block in self.blocks:
            x = block(x, causal=False)
        rows: Tensor = self.projection(self.norm_out(x[:, 0]))
        return rows


class TextTower(nn.Module):
    """Causal transformer over tokens; the state at the end token is the text's."""

    def __init__(self, arch: ClipArch) -> None:
        super().__init__()
        width = arch.text_width
        self.tokens = nn.Embedding(arch.vocab, width)
        self.positions = nn.Parameter(torch.empty(arch.context, width))
        self.blocks = nn.ModuleList(
            Block(width, arch.text_heads, arch.text_mlp, arch.activation)
            for _ in range(arch.text_layers)
        )
        self.norm_out = nn.LayerNorm(width)
        self.projection = nn.Linear(width, arch.embed_dim, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Map (N, L) int64, L at most the context, to (N, embed_dim), any length of row.

        The tower is causal: what follows a row's end token cannot change its result, so L may
        be cut to the longest row of the batch.
        """
        x = self.tokens(ids) + self.positions[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, causal=True)
        # The end token has the highest id, so the first maximum of a row is its first end token.
        end = ids.argmax(dim=1).view(-1, 1, 1).expand(-1, 1, x.shape[2])
        rows: Tensor = self.projection(self.norm_out(x.gather(1, end).squeeze(1)))
        return rows


class Clip(nn.Module):
    """Both towers; its parameter names are those of `Checkpoint.tensors`."""

    def __init__(self, arch: ClipArch) -> None:
        super().__init__()
        self.vision = VisionTower(arch)
        self.text = TextTower(arch)


def build_clip(checkpoint: Checkpoint) -> Clip:
    """Make the model and take over the checkpoint's tensors without copying them."""
    with torch.device("meta"):
        model = Clip(checkpoint.arch)
    model.load_state_dict(checkpoint.tensors, strict=True, assign=True)
    return model.eval().requires_grad_(False)


class TorchClipEncoder(ClipEncoder):
    """CLIP on PyTorch, on the CPU, CUDA or Apple's MPS; fp32, or bf16 by autocast.

    `device` is auto, cpu, cuda or mps; `activation` wins over what the checkpoint's surroundings
    say. Raises WeightsError for a checkpoint that cannot be used, EncoderError for a device that
    is not there, PrecisionError for a precision that the device lacks.
    """

    def __init__(
        self,
        info: EncoderInfo,
        checkpoint: Path,
        device: str = "auto",
        activation: Activation | None = None,
    ) -> None:
        self.device = pick_device(device, EncoderError)
        _check_precision(info.precision, self.device)
        read = read_checkpoint(checkpoint, activation)
        super().__init__(info, checkpoint, read.arch)
        self.model = build_clip(read).to(self.device)

    def _vision_rows(self, pixels: NDArray[np.float32]) -> Vectors:
        return self._run(self.model.vision, torch.from_numpy(pixels))

    def _text_rows(self, ids: NDArray[np.int64]) -> Vectors:
        return self._run(self.model.text, torch.from_numpy(ids))

    def _run(self, tower: nn.Module, batch: Tensor) -> Vectors:
        autocast: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if self.info.precision == "bf16":
            autocast = torch.autocast(self.device, dtype=torch.bfloat16)
        try:
            with torch.inference_mode(), autocast:
                rows = tower(batch.to(self.device))
            return np.asarray(rows.float().cpu().numpy(), np.float32)
        except RuntimeError as exc:
            raise EncoderError(f"PyTorch failed on {self.device}: {exc}") from exc


def _check_precision(precision: str, device: str) -> None:
    if precision == "int8":
        raise PrecisionError("int8 needs the engine onnx; the engine torch has fp32 and bf16.")
    if precision not in ("fp32", "bf16"):
        raise PrecisionError(f"There is no precision {precision!r}; use fp32, bf16 or int8.")
    if precision == "bf16" and not has_bf16(device):
        raise PrecisionError(
            f"This machine's {device} has no bfloat16 arithmetic, so bf16 would be slower and "
            "less exact than fp32; use fp32."
        )


def has_bf16(device: str) -> bool:
    """Whether `device` (cpu, cuda or mps) computes in bfloat16 in hardware."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    if platform.machine().lower() in ("arm64", "aarch64"):
        return "bf16" in _cpu_flags()
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in probes)


def _cpu_flags() -> set[str]:
    """Linux' list of what the processor can do; empty elsewhere."""
    if not os.path.exists("/proc/cpuinfo"):  # noqa: PTH110
        return set()
    return set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
