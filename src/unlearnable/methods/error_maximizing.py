"""Error-maximizing noise: the min-max control of the paper, and its targeted form."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from unlearnable.data.view import View
from unlearnable.errors import UsageError
from unlearnable.methods.clean_surrogate import CleanSurrogate, CleanSurrogateConfig
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.registry import register
from unlearnable.methods.steps import State
from unlearnable.methods.typed_settings import takes


class ErrorMaximizingConfig(CleanSurrogateConfig):
    """Settings of error_maximizing.

    Attributes:
        pretrain_epochs: Epochs of the surrogate on the clean images, before the noise moves, at a rate that
            falls to zero. The paper: 60.
        pretrain_transforms: The transformations of the surrogate's training images; ``auto`` for those of the
            noise steps (``transforms``). The paper: ``flip-crop``, with ``none`` for the noise steps.
        target: ``none`` raises the loss of the image's class; ``next`` lowers the loss of another class,
            which ``shift`` chooses.
        shift: With ``target = "next"``: the other class is (label + shift) mod classes; 0 for half of the
            classes. Fowl et al.: 3.
        stop_error: Error of the surrogate on protected images, in [0, 1], at which the search stops. The
            paper: 0.9, class-wise 0.8.
    """

    target: Literal["none", "next"] = "none"
    shift: int = Field(default=1, ge=0)
    stop_error: float = Field(default=0.9, ge=0, le=1)


@register
class ErrorMaximizing(CleanSurrogate[ErrorMaximizingConfig]):
    """Error-maximizing noise (Huang et al., ICLR 2021), a control; targeted, it is TAP (Fowl et al.).

    Huang et al., "Unlearnable Examples", ICLR 2021, Section 4.1. The first round begins with training the
    surrogate on clean images. After that the surrogate does not change, and every round moves the noise by T
    sign steps that raise its loss, until it misclassifies most protected images. As in the authors' code, the
    surrogate is trained at the beginning of the search. Departures from it are those of error_minimizing.

    With ``target = "next"``, it is the targeted adversarial poisoning (TAP) of Fowl et al., "Adversarial
    Examples Make Strong Poisons", NeurIPS 2021, arXiv:2106.10807, Section 3: the steps lower the loss of
    class (label + 3) mod 10. Their settings are ``shift = 3``, ``steps = 250``, ``max_rounds = 1`` and
    ``transforms = "flip-crop"``. Departures: sign steps instead of signed Adam, and no restarts.
    """

    name: ClassVar[str] = "error_maximizing"
    shared: ClassVar[bool] = True
    rises: ClassVar[bool] = True
    Config: ClassVar[type[Config]] = ErrorMaximizingConfig

    @takes(ErrorMaximizingConfig)
    def __init__(self, **settings: Any) -> None: ...

    @property
    def direction(self) -> int:
        """+1, to raise the loss of the true class; or -1, to lower that of another class."""
        return 1 if self.config.target == "none" else -1

    def start(self, view: View, ctx: Context) -> State:
        """Return the state before the first round.

        Raises:
            UsageError: If the other class is the class itself.
        """
        classes = len(view.classes)
        if self.config.target == "next" and self.config.shift and self.config.shift % classes == 0:
            raise UsageError(
                f"shift is {self.config.shift}: with {classes} classes, every class is shifted to itself.",
                "Give another shift, such as 1, or 0 for half of the classes.",
            )
        return super().start(view, ctx)

    def target(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return the true class, or the other one."""
        shift = self.config.shift or classes // 2
        return y if self.config.target == "none" else (y + shift) % classes
