"""The shipped models' files: where they lie, whether they are whole, and sessions that run them.

The starter encoder and the starter segmenter both live on them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framekeep.errors import WeightsError
from framekeep.settings import no_telemetry

_affinity = hasattr(os, "sched_getaffinity")


def starter_folder() -> Path:
    """Where the shipped files lie."""
    return Path(str(resources.files("framekeep") / "data" / "starter"))


class StarterData:
    """The shipped files in one folder. Raises WeightsError where its list of them is damaged."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or starter_folder()
        self.meta = _meta(self.folder)

    @property
    def digest(self) -> str:
        """The SHA-256 that names all files together."""
        return str(self.meta["sha256"])

    @property
    def side_px(self) -> int:
        """The side of the square that the picture model was trained on."""
        return int(self.meta["side_px"])

    @cached_property
    def names(self) -> list[list[str]]:
        """The picture model's labels, each with its synonyms, the usual one first."""
        names: list[list[str]] = json.loads(self.checked("labels.json").read_text("utf-8"))
        return names

    def checked(self, name: str) -> Path:
        """A file whose SHA-256 is right, else WeightsError."""
        path = self.folder / name
        try:
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise WeightsError(f"{path} cannot be read: install framekeep again.") from exc
        if actual != self.meta["files"].get(name):
            raise WeightsError(f"{path} is damaged: install framekeep again.")
        return path

    def session(self, name: str) -> Any:
        """An ONNX Runtime session of a checked file, on the CPU."""
        path = self.checked(name)
        return _session(str(path), path)

    def weights(self, name: str, initializer: str) -> NDArray[np.float32]:
        """Weights from within a checked ONNX file, by their name there."""
        import onnx

        graph = onnx.load(str(self.checked(name))).graph
        found = next(one for one in graph.initializer if one.name == initializer)
        weights: NDArray[np.float32] = onnx.numpy_helper.to_array(found).astype(np.float32)
        return weights

    def tapped_session(self, name: str, outputs: Sequence[str]) -> Any:
        """A session of a picture model that takes any size and also gives values from within.

        `outputs` names values of its graph; they follow its own output. The file stays as it is.
        """
        import onnx

        path = self.checked(name)
        model = onnx.load(str(path))
        for axis, dim in enumerate(model.graph.input[0].type.tensor_type.shape.dim):
            if axis >= 2:
                dim.dim_param = f"side{axis}"
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
            for output in outputs
        )
        return _session(model.SerializeToString(), path)


@cache
def _meta(folder: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads((folder / "meta.json").read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise WeightsError(
            f"The starter encoder's data in {folder} are missing or damaged: install framekeep "
            f"again."
        ) from exc
    return meta


def _session(model: str | bytes, path: Path) -> Any:
    no_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if _affinity else 0
    options.log_severity_level = 3
    # Waiting threads that spin would take the cores from the threads that decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime raises classes of its own, without a common base
        raise WeightsError(f"{path} cannot be loaded: {exc}") from exc
