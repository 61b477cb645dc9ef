"""Read the weights of a TorchScript archive without running anything in it.

`torch.jit.load` runs code of the archive (its ``__setstate__`` methods, which may write files),
so an archive from anywhere would have to be trusted. The weights alone need none of that: they
lie uncompressed in a zip file, beside a pickle that says which tensor belongs where. Here that
pickle may name plain tensors and the archive's own classes, which become empty records; which of
their attributes are parameters and buffers is read from the classes' text.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

_STORAGES = {
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
# These only mark the static type of a value.
_TAGS = (
    "build_boollist",
    "build_doublelist",
    "build_intlist",
    "build_tensorlist",
    "restore_type_tag",
)


def is_torchscript(path: Path) -> bool:
    """Whether a file is a zip archive as `torch.jit.save` writes it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, torch.Tensor]:
    """The state dict of the archive's module, on the CPU, in the types that it holds.

    Raises pickle.UnpicklingError for an archive that asks for more than tensors, and whatever
    zipfile, pickle and torch raise for a damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        reader = _Reader(archive, name.removesuffix("data.pkl"), archive.read(name))
        module = reader.load()
    tensors: dict[str, torch.Tensor] = {}
    _collect(module, "", tensors, set())
    return tensors


class _Storage(NamedTuple):
    dtype: str
    data: bytearray


class _Record:
    """Stands for an object of one of the archive's classes."""

    declared: frozenset[str] | None = None
    """Its parameters and buffers; None where the class does not tell."""

    def __init__(self, *_values: object) -> None:
        pass


class _Reader(pickle.Unpickler):
    """Unpickles records and tensors; every other global is refused before it is looked up."""

    def __init__(self, archive: zipfile.ZipFile, stem: str, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._archive = archive
        self._stem = stem
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "__torch__":
            # A new class for each, so that one record's attributes cannot reach another's.
            return type("Record", (_Record,), {"declared": self._declared(module, name)})
        allowed: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("builtins", "complex"): complex,
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "device"): str,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch._utils", "_rebuild_parameter"): _first,
        }
        allowed |= {("torch.jit._pickle", tag): _first for tag in _TAGS}
        allowed |= {("torch", storage): dtype for storage, dtype in _STORAGES.items()}
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"the archive asks for {module}.{name}")
        return allowed[module, name]

    def _declared(self, module: str, name: str) -> frozenset[str] | None:
        """The parameters and buffers that a class of the archive lists."""
        try:
            text = self._archive.read(f"{self._stem}code/{module.replace('.', '/')}.py").decode()
        except KeyError:
            return None
        body = re.search(rf"^class {re.escape(name)}\b.*\n((?:[ \t].*\n|\n)*)", text, re.MULTILINE)
        lists = re.findall(r"__(?:parameters|buffers)__ = \[(.*?)\]", body.group(1)) if body else []
        return frozenset(re.findall(r'"([^"]*)"', " ".join(lists))) if lists else None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, _count = pid
        if kind != "storage" or dtype not in _STORAGES.values():
            raise pickle.UnpicklingError(f"the archive asks for a {kind} of {dtype}")
        if key not in self._storages:
            entry = self._archive.getinfo(f"{self._stem}data/{key}")
            # Torch stores tensors as they are; anything smaller on disk is there to fill memory.
            if entry.compress_type != zipfile.ZIP_STORED:
                raise pickle.UnpicklingError("the archive's tensors are compressed")
            self._storages[key] = _Storage(dtype, bytearray(self._archive.read(entry)))
        return self._storages[key]


def _rebuild(
    storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: object
) -> torch.Tensor:
    """A view of a storage; torch refuses one that reaches beyond it."""
    import torch

    dtype = getattr(torch, storage.dtype)
    if math.prod(size) == 0:
        return torch.empty(size, dtype=dtype)
    return torch.frombuffer(storage.data, dtype=dtype).as_strided(size, stride, offset)


def _first(value: object, *_rest: object) -> object:
    return value


def _collect(record: object, stem: str, tensors: dict[str, torch.Tensor], seen: set[int]) -> None:
    """Walk the module's attributes, each record once; names join as in a state dict."""
    import torch

    # References that fan out or go round would otherwise be walked without end.
    seen.add(id(record))
    declared = type(record).declared if isinstance(record, _Record) else None
    for name, value in vars(record).items():
        if isinstance(value, torch.Tensor) and (declared is None or name in declared):
            tensors[f"{stem}{name}"] = value
        elif isinstance(value, _Record) and id(value) not in seen:
            _collect(value, f"{stem}{name}.", tensors, seen)
