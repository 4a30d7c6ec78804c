"""Networks with their weights, as settings name them: ``pretrained:mobilenet-v2+resnet18=FILE``.

``recogniser=FILE.onnx`` is a recogniser of faces; see `onnx_network`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from unlearnable.errors import DataError, UsageError
from unlearnable.models import pretrained
from unlearnable.models.from_timm import PREFIX
from unlearnable.models.onnx_network import OnnxFile
from unlearnable.models.registry import names
from unlearnable.models.registry import parse as parse_model

PUBLISHED, RECOGNISER = "pretrained:", "recogniser"
# a network may have settings, ``resnet18:stem=imagenet``, before the ``=`` of its file
WITH_FILE = re.compile(r"([^:=]+(?::[^=,]+=[^=,]+(?:,[^=,]+=[^=,]+)*)?)=(.+)", re.DOTALL)
HOW = "Write pretrained:NETWORK for published weights, or NETWORK=FILE for your own; join several with +."


@dataclass(frozen=True)
class Start:
    """A network and the weights that it starts from.

    Args:
        model: The network, as ``models.create`` takes it, or ``recogniser`` for one whose file holds it.
        file: File of its weights; empty for its published ones. That of a recogniser may be followed by the
            two numbers of ``OnnxFile``.
    """

    model: str
    file: str = ""

    @property
    def path(self) -> Path:
        """The file of weights.

        Raises:
            DataError: If it is not on this machine. The remedy says how to get published weights.
            UsageError: If there are no published weights of the network.
        """
        if not self.file:
            return pretrained.path(self.model)
        if self.recogniser:
            return self.recogniser.file
        if not Path(self.file).is_file():
            raise DataError(f"{self.file}: there is no such file of weights.", HOW)
        return Path(self.file)

    @property
    def recogniser(self) -> OnnxFile | None:
        """The recogniser, or None for a network with a file of weights."""
        return OnnxFile.parse(self.file) if self.model == RECOGNISER else None

    @property
    def text(self) -> str:
        """The specification, with an absolute path."""
        return f"{self.model}={Path(self.file).resolve()}" if self.file else f"{PUBLISHED}{self.model}"


def parse(spec: str) -> tuple[Start, ...]:
    """Return the networks of a specification such as ``pretrained:mobilenet-v2+resnet18=FILE``.

    Raises:
        UsageError: If a network has no weights, or is unknown or named twice.
    """
    found = _starts(spec)
    for start in found:
        if start.recogniser:
            continue
        parse_model(start.model)
        if not start.file and not start.model.startswith(PREFIX):
            pretrained.published(start.model)
    if len(set(found)) < len(found):
        raise UsageError(f"{spec!r} names a network twice.", "Name each once.")
    return found


def models_of(spec: str) -> tuple[str, ...]:
    """Return the networks that a setting ``surrogate`` names, known or not, without recognisers.

    Args:
        spec: A network without weights, one or several with theirs, or an empty text.
    """
    has_weights = spec.startswith(PUBLISHED) or WITH_FILE.fullmatch(spec)
    if not has_weights:
        return (spec,) if spec else ()
    return tuple(start.model for start in _starts(spec) if start.model != RECOGNISER)


def _starts(spec: str) -> tuple[Start, ...]:
    parts: list[str] = []
    for part in spec.split("+"):
        # a file's name may have a + itself
        if parts and not _begins(part.strip()):
            parts[-1] = f"{parts[-1]}+{part}"
        else:
            parts.append(part)
    return tuple(_start(part.strip(), spec) for part in parts)


def _begins(part: str) -> bool:
    """Return whether a part of a specification names a network, and is not the rest of a file's name."""
    if part.startswith((PUBLISHED, PREFIX, f"{RECOGNISER}=")):
        return True
    with_file = WITH_FILE.fullmatch(part)
    return with_file is not None and with_file[1].partition(":")[0] in names()


def _start(part: str, spec: str) -> Start:
    if part.startswith(PUBLISHED):
        return Start(part.removeprefix(PUBLISHED))
    if with_file := WITH_FILE.fullmatch(part):
        return Start(*with_file.groups())
    raise UsageError(f"{spec!r} names a network without weights.", HOW)
