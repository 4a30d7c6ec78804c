"""A trial: a victim, and everything that its trainer does to the images and their labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from unlearnable.countermeasures import Chain
from unlearnable.training.victim import FRESH, Victim


@dataclass(frozen=True)
class Trial:
    """A victim, with or without countermeasures.

    Args:
        name: Name in reports.
        victim: Network and recipe.
        chain: Countermeasures; empty for the images as published.
        labels: The trainer's label for each class, in the order of ``Pairs.classes``; empty for the labels
            of the publisher.
        share: Share of the images with noise that the trainer has in their protected version, in (0, 1].
        about: Description of the labels or the share for reports; empty without.
    """

    name: str
    victim: Victim
    chain: Chain = field(default_factory=Chain)
    labels: tuple[int, ...] = ()
    share: float = 1.0
    about: str = ""

    @property
    def as_published(self) -> bool:
        """Whether the files are trained on as they are, all of them and with the publisher's labels."""
        return not self.chain and not self.labels and self.share == 1

    @property
    def pretrained(self) -> bool:
        """Whether the victim starts from the weights of another training."""
        return self.victim.start != FRESH

    @property
    def decides(self) -> bool:
        """Whether the verdict depends on it: a training from scratch on the files as published."""
        return self.as_published and not self.pretrained

    @property
    def words(self) -> str:
        """Description of victim, countermeasures and labels for reports."""
        after = f"after {self.chain.spec}, " if self.chain else ""
        about = f"{self.about}, " if self.about else ""
        return f"{self.victim.model}, {after}{about}{self.victim.words}"
