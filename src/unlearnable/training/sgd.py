"""SGD of torch that does not load torch's compiler.

Some methods of ``torch.optim.SGD`` must stay outside of compiled code. When they are first called, they load
the compiler for that (``torch._dynamo``, and with it ``sympy``), which takes more than a second at the start
of every command. Nothing here is compiled together with its optimiser, so the methods are taken without their
wrappers.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch


def _plain(name: str) -> Any:
    """Return a method of torch's class without its wrappers."""
    return inspect.unwrap(getattr(torch.optim.SGD, name))


class SGD(torch.optim.SGD):
    """``torch.optim.SGD``, to be used as it is, not by ``torch.compile``."""

    add_param_group = _plain("add_param_group")
    zero_grad = _plain("zero_grad")
    step = torch.no_grad()(_plain("step"))
