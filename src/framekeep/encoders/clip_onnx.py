"""CLIP on ONNX Runtime, the fast path: exported once from the PyTorch reference, then alone.

The export lies in a folder named by the weights and the exporter's version, so it is never
mixed up; loading it imports no torch.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framekeep.encoders.checkpoint import Activation, ClipArch
from framekeep.encoders.clip import ClipEncoder
from framekeep.errors import EncoderError, PrecisionError
from framekeep.settings import no_telemetry
from framekeep.types import EncoderInfo, Vectors

EXPORTER_VERSION = 1
"""Raised whenever the same weights would be exported to another graph."""

_TOWERS = ("vision", "text")
_META = "meta.json"
_OPSET = 17
_EXPORT_WAIT_S = 900.0


class OnnxClipEncoder(ClipEncoder):
    """CLIP on ONNX Runtime, on the CPU, or CUDA where its provider is there; fp32 or int8.

    The first use exports the towers into `cache_dir` (about the checkpoint's size on disk; int8
    a quarter more) with torch; processes that come at the same time wait for the one that does
    it. `device` is auto, cpu or cuda; `activation` wins over what the checkpoint's surroundings
    say. int8 is dynamic quantisation: weights are rounded once, activations per batch, so a
    picture's vector can differ by a rounding with its neighbours in the batch.

    Raises WeightsError for a checkpoint that cannot be used, PrecisionError for bf16, EncoderError
    where export or runtime fail.
    """

    def __init__(
        self,
        info: EncoderInfo,
        checkpoint: Path,
        cache_dir: Path,
        device: str = "auto",
        activation: Activation | None = None,
    ) -> None:
        if info.precision not in ("fp32", "int8"):
            raise PrecisionError(
                f"The engine onnx has the precisions fp32 and int8, not {info.precision}; "
                "use the engine torch for bf16."
            )
        providers = _pick_providers(device, info.precision)
        folder, arch = _ensure_export(info, Path(checkpoint), Path(cache_dir), activation)
        super().__init__(info, checkpoint, arch)
        self._sessions = {tower: _open(folder, tower, providers) for tower in _TOWERS}
        # ONNX Runtime goes on without CUDA where its libraries do not load.
        cuda = all("CUDAExecutionProvider" in s.get_providers() for s in self._sessions.values())
        self.device = "cuda" if cuda else "cpu"
        if device == "cuda" and not cuda:
            raise EncoderError(
                "ONNX Runtime could not start on CUDA; check the driver and CUDA's libraries, or "
                "use device cpu."
            )

    def _vision_rows(self, pixels: NDArray[np.float32]) -> Vectors:
        return self._run("vision", pixels)

    def _text_rows(self, ids: NDArray[np.int64]) -> Vectors:
        return self._run("text", ids)

    def _run(self, tower: str, batch: NDArray[Any]) -> Vectors:
        try:
            (rows,) = self._sessions[tower].run(None, {"batch": batch})
        except Exception as exc:
            raise EncoderError(f"ONNX Runtime failed on CLIP's {tower} tower: {exc}") from exc
        return np.asarray(rows, np.float32)


# --- runtime -----------------------------------------------------------------------------------


def _pick_providers(device: str, precision: str) -> list[str]:
    no_telemetry()
    import onnxruntime

    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device not in ("auto", "cpu", "cuda"):
        raise EncoderError(
            f"The engine onnx runs on cpu and cuda, not on {device!r}; use the engine torch."
        )
    if device == "cuda" and not cuda:
        raise EncoderError(
            "This ONNX Runtime has no CUDA provider; install onnxruntime-gpu, or use device cpu."
        )
    if precision == "int8":
        if device == "cuda":
            raise PrecisionError("int8 runs on the CPU only; use device cpu, or fp32.")
        return ["CPUExecutionProvider"]
    if cuda and device != "cpu":
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


def usable_cores(topology: Path = Path("/sys/devices/system/cpu")) -> int:
    """Physical cores that this process may use, by its affinity mask where the system has one.

    `topology` is Linux' table of which processors share a core; without it each counts as one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = set()
    for cpu in os.sched_getaffinity(0):
        try:
            siblings = topology / f"cpu{cpu}" / "topology" / "thread_siblings_list"
            cores.add(siblings.read_text().strip())
        except OSError:
            cores.add(str(cpu))
    return len(cores)


def _open(folder: Path, tower: str, providers: list[str]) -> Any:
    no_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads that spin would take the cores from the threads that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = folder / f"{tower}.onnx"
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as exc:
        raise EncoderError(
            f"ONNX Runtime cannot load {path} ({exc}); delete the folder {folder}, it is made "
            "again from the weights."
        ) from exc


# --- export ------------------------------------------------------------------------------------


def export_folder(info: EncoderInfo, cache_dir: Path) -> Path:
    """Where the export for `info` lies: named by model, weights' SHA-256, exporter, precision."""
    weights = info.id.partition("/")[0]
    safe = "".join(letter if letter.isalnum() or letter in "-@._" else "_" for letter in weights)
    return cache_dir / f"{safe}-onnx{EXPORTER_VERSION}-{info.precision}"


def _ensure_export(
    info: EncoderInfo, checkpoint: Path, cache_dir: Path, activation: Activation | None
) -> tuple[Path, ClipArch]:
    folder = export_folder(info, cache_dir)
    arch = _ready(folder, activation)
    if arch is None:
        arch = _make(folder, info, checkpoint, cache_dir, activation)
    return folder, arch


def _make(
    folder: Path,
    info: EncoderInfo,
    checkpoint: Path,
    cache_dir: Path,
    activation: Activation | None,
) -> ClipArch:
    """Export under a lock, into a folder that gets its name when it is whole."""
    from filelock import FileLock, Timeout

    lock = cache_dir / f"{folder.name}.lock"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=_EXPORT_WAIT_S):
            arch = _ready(folder, activation)
            if arch is not None:
                return arch
            if info.precision == "int8":
                full = EncoderInfo(info.name, info.id, info.dim)
                source, arch = _ensure_export(full, checkpoint, cache_dir, activation)
                _fill(folder, arch, lambda made: _quantise(source, made))
            else:
                # Only here is torch imported.
                from framekeep.encoders.checkpoint import read_checkpoint

                read = read_checkpoint(checkpoint, activation)
                arch = read.arch
                _fill(folder, arch, lambda made: _export(read, made))
            return arch
    except Timeout as exc:
        raise EncoderError(
            f"Another process has been preparing {info.name} for {_EXPORT_WAIT_S / 60:.0f} "
            f"minutes and holds {lock}; end it and try again."
        ) from exc
    except OSError as exc:
        raise EncoderError(
            f"The fast form of {info.name} cannot be written into {cache_dir} ({exc}); "
            "make room or rights there, or use the engine torch."
        ) from exc


def _fill(folder: Path, arch: ClipArch, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, then give it its name; the caller holds the lock."""
    prefix = f".{folder.name}."
    for rest in folder.parent.glob(f"{prefix}*"):
        # Left by a process that was killed while it wrote: we hold the lock now.
        shutil.rmtree(rest, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        write(made)
        sizes = {file.name: file.stat().st_size for file in sorted(made.iterdir())}
        meta = {"exporter": EXPORTER_VERSION, "arch": arch.as_dict(), "bytes": sizes}
        (made / _META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _ready(folder: Path, activation: Activation | None) -> ClipArch | None:
    """The architecture of a whole export, or None where there is none that can be used."""
    try:
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        arch = ClipArch(**meta["arch"])
        sizes = {name: (folder / name).stat().st_size for name in meta["bytes"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = sizes == meta["bytes"] and {f"{tower}.onnx" for tower in _TOWERS} <= set(sizes)
    fits = activation is None or activation == arch.activation
    return arch if whole and fits else None


def _export(read: Any, folder: Path) -> None:
    import torch

    from framekeep.encoders.clip_torch import build_clip

    arch: ClipArch = read.arch
    model = build_clip(read)
    pixels = torch.zeros(2, 3, arch.image_px, arch.image_px)
    ids = torch.tensor([[arch.vocab - 2, 1, arch.vocab - 1]] * 2)
    towers = (
        ("vision", model.vision, pixels, {0: "n"}),
        ("text", model.text, ids, {0: "n", 1: "length"}),
    )
    for name, tower, example, free in towers:
        with warnings.catch_warnings(), torch.inference_mode():
            # torch deprecates this exporter; the new one needs onnxscript and gives no
            # faster graph here.
            warnings.simplefilter("ignore")
            try:
                torch.onnx.export(
                    tower,
                    (example,),
                    str(folder / f"{name}.onnx"),
                    input_names=["batch"],
                    output_names=["rows"],
                    dynamic_axes={"batch": free, "rows": {0: "n"}},
                    opset_version=_OPSET,
                    dynamo=False,
                )
            except RuntimeError as exc:
                raise EncoderError(
                    f"CLIP's {name} tower cannot be exported ({exc}); use the engine torch."
                ) from exc


def _quantise(source: Path, folder: Path) -> None:
    """Dynamic int8 of the dense layers; the patch convolution and embeddings stay float32."""
    import onnx

    no_telemetry()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for tower in _TOWERS:
        model = onnx.load(str(source / f"{tower}.onnx"))
        # Tells the quantiser that its advice to optimise first, a logged warning, is not needed.
        model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
        quantize_dynamic(
            model,
            str(folder / f"{tower}.onnx"),
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
