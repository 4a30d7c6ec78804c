"""What a cell is: data, noise, who trains on it and how, a seed. Nothing here computes anything.

A description is complete: the same description on the same data gives the same result, so its hash is the
name of what it stands for.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unlearnable.spec import Spec
from unlearnable.training.victim import Victim


class Data(Spec):
    """Images to train and to test on.

    Attributes:
        name: A benchmark, ``digits``, or a folder of the data folder that has ``train`` and ``val``.
        per_class: Training images of each class, the first ones; 0 for all.
        tests: Test images of each class, the first ones; 0 for all.
        classes: Only these classes; empty for all.
        plus: Other sets whose classes are added; no class may be in two of them.
    """

    name: str
    per_class: int = 0
    tests: int = 0
    classes: tuple[str, ...] = ()
    plus: tuple[Data, ...] = ()


class Search(Spec):
    """A search for noise.

    Attributes:
        data: What the noise is found on.
        own: Classes that get noise, the others are context; empty for all.
        method: Name of the method.
        settings: Its settings.
        lifted: Whether the search knows of the photos' own size; else it takes them to be as large as what
            the network sees.
        seed: Of the noise and the surrogate.
    """

    data: Data
    own: tuple[str, ...] = ()
    method: str = "error_minimizing"
    settings: dict[str, bool | int | float | str] = Field(default_factory=dict)
    lifted: bool = True
    seed: int = 0


class Poison(Spec):
    """How noise gets onto images.

    Attributes:
        search: Where it comes from.
        share: Share of the images that get it.
        classes: Only images of these classes; empty for all.
        mapped: Classes of the images onto those of the search, for noise that is moved to other data.
        shuffle: Give the noise of an image to another one, of the same class (``within``) or any
            (``across``).
        positive_only: Drop every negative value, as the published code did by clamping noise before it was
            added.
    """

    search: Search
    share: float = Field(default=1.0, ge=0, le=1)
    classes: tuple[str, ...] = ()
    mapped: dict[str, str] = Field(default_factory=dict)
    shuffle: Literal["", "within", "across"] = ""
    positive_only: bool = False


class Cell(Spec):
    """One training and its test.

    Attributes:
        data: What is trained and tested on.
        victim: Who trains.
        poison: Noise on the training images; None for clean ones.
        keep: ``clean``: only the images that got no noise are trained on.
        relabel: The trainer's own labels, by a rule of ``sets.RULES``; empty for those of the data. Noise
            goes by the labels of the data.
        countermeasure: What the trainer does against noise.
        start: A training whose weights this one starts from; None for fresh ones.
        seed: Of the training.
    """

    data: Data
    victim: Victim
    poison: Poison | None = None
    keep: Literal["all", "clean"] = "all"
    relabel: str = ""
    countermeasure: str = "none"
    start: Cell | None = None
    seed: int = 0

    @property
    def label(self) -> str:
        """A few words for a file name; the hash beside them tells cells apart."""
        noise = (
            "clean"
            if self.poison is None
            else f"{self.poison.search.method}-{self.poison.search.settings.get('form', '')}"
        )
        parts = [
            self.data.name,
            noise,
            self.victim.model.partition(":")[0],
            self.countermeasure.replace("none", ""),
            f"s{self.seed}",
        ]
        return "-".join(
            "".join(c if c.isalnum() or c in "-_" else "" for c in part) for part in parts if part
        )
