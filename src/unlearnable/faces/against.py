"""Requests for noise against existing recognisers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from unlearnable.errors import UsageError
from unlearnable.models.onnx_network import OnnxFile
from unlearnable.models.starts import RECOGNISER
from unlearnable.preparation import DEFAULT_METHOD, Request

SHIFT = "feature_shift"
METHODS = (SHIFT, "feature_shift_error_minimizing")


def against(recognisers: Sequence[str], request: Request, chosen: bool = False) -> Request:
    """Return a request for noise against recognisers.

    Args:
        recognisers: ``FILE.onnx`` or ``FILE.onnx,MEAN,SCALE`` each; without any, the request stays as it is.
        request: The other settings. Its method stays if it is one that takes recognisers.
        chosen: Whether the user named the method of the request.

    Raises:
        UsageError: If a file cannot be used, the method does not take recognisers, or the request names a
            surrogate too.
    """
    if not recognisers:
        return request
    if request.method not in METHODS and (chosen or request.method != DEFAULT_METHOD):
        raise UsageError(
            f"--recogniser is for noise that shifts features, not for {request.method}.",
            f"Leave out --method or --recogniser, or give --method {SHIFT}.",
        )
    if "surrogate" in request.settings:
        raise UsageError(
            "The networks of the search are given twice: as --recogniser and as the setting surrogate.",
            "Leave one of them out.",
        )
    files = [OnnxFile.parse(text) for text in recognisers]
    if len({replace(one, file=one.file.resolve()) for one in files}) < len(files):
        raise UsageError("A recogniser is given twice.", "Give each --recogniser once.")
    for one in files:
        one.network()
    method = request.method if request.method in METHODS else SHIFT
    surrogate = "+".join(f"{RECOGNISER}={text}" for text in recognisers)
    return replace(request, method=method, settings={**request.settings, "surrogate": surrogate})
