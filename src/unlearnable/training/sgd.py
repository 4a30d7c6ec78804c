"""torch's SGD without the import of torch's compiler.

torch wraps some methods of ``torch.optim.SGD`` to exclude them from compiled code. The wrappers import the
compiler (``torch._dynamo``, and with it ``sympy``), which adds more than a second to every command that
trains. No optimiser is compiled here, so this class has the methods without the wrappers.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch


def _plain(name: str) -> Any:
    """Return a method of torch's class without its wrappers."""
    return inspect.unwrap(getattr(torch.optim.SGD, name))


class SGD(torch.optim.SGD):
    """``torch.optim.SGD`` without the wrappers; do not use it under ``torch.compile``."""

    add_param_group = _plain("add_param_group")
    zero_grad = _plain("zero_grad")
    step = torch.no_grad()(_plain("step"))
