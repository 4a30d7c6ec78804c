"""Plain arrays out of the files in which other projects keep them. Nothing is unpickled."""

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
        name: Which one, if there are several.

    Raises:
        DataError: If the file is missing or damaged, or holds anything that would have to be unpickled.
        UsageError: If it is another kind of file, or it is not clear which array is meant.
    """
    try:
        if path.suffix in (".pt", ".pth"):
            return _pick(_tensors(path), name, path)
        if path.suffix == ".npy":
            with open(path, "rb") as file:
                return np.asarray(np.load(file, allow_pickle=False))
        if path.suffix == ".npz":
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as held:
                return _pick(
                    {key: held[key] for key in held.files if name in (None, key) or name not in held.files},
                    name,
                    path,
                )
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{path} cannot be read as plain arrays ({why}).", REMEDY) from error
    raise UsageError(f"{path} is no kind of file that noise is imported from.", REMEDY)


def _tensors(path: Path) -> dict[str, Array]:
    import torch

    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # about pickle protocols, and of no use to who reads a file of somebody else
            held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ValueError("it holds more than tensors, and nothing is unpickled") from error
    found = {"tensor": held} if isinstance(held, torch.Tensor) else held
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
        raise UsageError(f"{path} {problem}.", f"Name one of them: {', '.join(arrays) or 'there is none'}.")
    return arrays[name]
