"""The result of a search, and the checkpoint it resumes from. Both stay in the run folder, unpublished."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from unlearnable.arguments import path
from unlearnable.errors import DataError
from unlearnable.files import write_by
from unlearnable.noise import Noise
from unlearnable.renamed import to_current


@dataclass(frozen=True)
class Fitted:
    """The result of a search.

    Args:
        noise: The noise, on whole levels; its provenance has method, configuration, seed and fingerprint.
        surrogate: Weights of the surrogate by name; empty for a method without one.
        classes: Names of the surrogate's outputs, in order.
        log: Error after each round, in [0, 1]; None where the method measures none.
        reason: Why the search stopped.
    """

    noise: Noise
    surrogate: dict[str, torch.Tensor]
    classes: tuple[str, ...]
    log: tuple[float | None, ...]
    reason: str

    def save(self, folder: str | Path) -> None:
        """Write ``noise.safetensors`` and ``surrogate.safetensors`` into a folder."""
        folder = path("folder", folder)
        folder.mkdir(parents=True, exist_ok=True)
        meta = {"classes": list(self.classes), "log": list(self.log), "reason": self.reason}
        save_tensors(folder / "surrogate.safetensors", self.surrogate, meta)
        self.noise.save(folder / "noise.safetensors")

    @classmethod
    def load(cls, folder: str | Path) -> Fitted:
        """Read what ``save`` wrote, or the search of a run folder.

        Raises:
            DataError: If a file is missing or damaged.
        """
        folder = path("folder", folder)
        if not (folder / "noise.safetensors").is_file():
            raise DataError(
                f"{folder} holds no finished search: noise.safetensors is missing.",
                "Name the run folder of `unlearnable fit` or `protect`, or a folder of Fitted.save.",
            )
        noise = Noise.load(folder / "noise.safetensors")
        surrogate, meta = load_tensors(folder / "surrogate.safetensors")
        return cls(noise, surrogate, tuple(meta["classes"]), tuple(meta["log"]), meta["reason"])


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], meta: dict[str, Any]) -> None:
    """Write tensors and a JSON record into one safetensors file, whole or not at all."""
    flat = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    write_by(path, lambda draft: save_file(flat, draft, metadata={"record": json.dumps(meta)}))


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what ``save_tensors`` wrote.

    Raises:
        DataError: If the file is missing or damaged.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, json.loads(file.metadata()["record"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is damaged or missing ({error}).", "Delete it to start the search again."
        ) from error


def save_state(path: Path, state: dict[str, Any], identity: dict[str, Any]) -> None:
    """Write a checkpoint: a state, and the identity of the search it belongs to."""
    numbers = {key: value for key, value in state.items() if not isinstance(value, torch.Tensor)}
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    save_tensors(path, tensors, {"numbers": numbers, "identity": identity})


def load_state(path: Path, identity: dict[str, Any], also: str = "") -> dict[str, Any] | None:
    """Return the state of a checkpoint; None if there is none, or if it belongs to another search.

    Args:
        path: The checkpoint.
        identity: The search, as it was given to ``save_state``.
        also: An entry of the saved identity that is returned with the state, and not compared.

    Raises:
        DataError: If the file is damaged.
    """
    if not path.exists():
        return None
    tensors, record = load_tensors(path)
    saved = dict(record["identity"])
    more = {also: saved.pop(also)} if also in saved else {}
    if "settings" in saved:
        # a search that began under old names of settings is still the same search
        saved = {**saved, "settings": to_current(saved["settings"])}
    return {**tensors, **record["numbers"], **more} if saved == identity else None
