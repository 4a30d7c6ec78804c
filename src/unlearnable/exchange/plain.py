"""Plain arrays from the files of other projects. Nothing is unpickled."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from unlearnable.errors import DataError, UsageError

Array = np.ndarray[Any, Any]
REMEDY = "Give a .npy, .npz or .pt file with one array (rows, C, h, w) or (rows, h, w, C)."


def read(path: Path, name: str | None) -> Array:
    """Read one array.

    Args:
        path: ``.npy``, ``.npz``, or ``.pt`` / ``.pth`` with a tensor or a dictionary of tensors.
        name: Name of the array, if there are several.

    Raises:
        DataError: If the file is missing or damaged, or holds anything that would have to be unpickled.
        UsageError: If it is another kind of file, or holds several arrays and ``name`` is None.
    """
    try:
        if path.suffix in (".pt", ".pth"):
            return _pick(_tensors(path), name, path)
        if path.suffix == ".npy":
            with open(path, "rb") as file:
                return np.asarray(np.load(file, allow_pickle=False))
        if path.suffix == ".npz":
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                return _pick(
                    {
                        key: stored[key]
                        for key in stored.files
                        if name in (None, key) or name not in stored.files
                    },
                    name,
                    path,
                )
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{path} cannot be read as plain arrays ({why}).", REMEDY) from error
    raise UsageError(f"Noise cannot be imported from {path}, a file of this kind.", REMEDY)


def _tensors(path: Path) -> dict[str, Array]:
    import torch

    try:
        # Torch warns about pickle protocols, which the reader of a file cannot change.
        with warnings.catch_warnings(action="ignore"):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ValueError("it holds more than tensors, and is not unpickled") from error
    found = {"tensor": loaded} if isinstance(loaded, torch.Tensor) else loaded
    if not isinstance(found, dict):
        raise ValueError("it holds neither a tensor nor a dictionary of tensors")
    tensors = {str(key): value.detach() for key, value in found.items() if isinstance(value, torch.Tensor)}
    return {
        key: (value.float() if value.is_floating_point() else value).numpy() for key, value in tensors.items()
    }


def _pick(arrays: dict[str, Array], name: str | None, path: Path) -> Array:
    if name is None and len(arrays) == 1:
        return next(iter(arrays.values()))
    if name is None or name not in arrays:
        problem = f"holds {len(arrays)} arrays" if name is None else f"has no array {name!r}"
        raise UsageError(
            f"{path} {problem}.", f"Give --array with one of: {', '.join(arrays) or 'there is none'}."
        )
    return arrays[name]
