"""The description of a cell: data, noise, the network and its recipe, a seed. Nothing here computes anything.

A description is complete: the same description on the same data gives the same result, so its hash names
that result.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from unlearnable.spec import Spec
from unlearnable.training.victim import FRESH, Victim


class Data(Spec):
    """Images to train and to test on.

    Attributes:
        name: A benchmark, ``digits``, or a folder inside the data folder that has ``train`` and ``val``.
        per_class: Training images of each class, the first ones; 0 for all.
        tests: Test images of each class, the first ones; 0 for all.
        classes: Only these classes; empty for all.
        plus: Other sets whose classes are added; no class may be in two of them.
        share: Share of each class's training images, the first ones, in (0, 1].
    """

    name: str
    per_class: int = 0
    tests: int = 0
    classes: tuple[str, ...] = ()
    plus: tuple[Data, ...] = ()
    share: float = Field(default=1.0, gt=0, le=1)


class Search(Spec):
    """A search for noise.

    Attributes:
        data: The images that the noise is found on.
        own: Classes that get noise, the others are context; empty for all.
        method: Name of the method.
        settings: Its settings.
        lifted: Whether the search knows the photos' own size; else it takes them to be as large as the
            network's input.
        found_on: Share of each class that the search sees, the first images of it, in (0, 1]. The method's
            ``extend`` makes the noise of the others.
        precision: Precision of the search; empty for that of the whole run.
        start: Class-wise only. Another search, whose noise is the initial noise of this one. Its first class
            gives that of the first class here, and so on, in code-point order of the names. None for the
            initial noise of ``settings``.
        seed: Seed of the noise and the surrogate.
    """

    data: Data
    own: tuple[str, ...] = ()
    method: str = "error_minimizing"
    settings: dict[str, bool | int | float | str] = Field(default_factory=dict)
    lifted: bool = True
    found_on: float = Field(default=1.0, gt=0, le=1)
    precision: Literal["", "float32", "bfloat16"] = ""
    start: Search | None = None
    seed: int = 0


class Poison(Spec):
    """Noise, and how it is added to images.

    Attributes:
        search: The search that finds the noise.
        share: Share of the images that get noise.
        classes: Only images of these classes; empty for all.
        mapped: From classes of the images to classes of the search, for noise that is moved to other data.
        shuffle: Give the noise of an image to another one, of the same class (``within``) or any
            (``across``).
        positive_only: Drop every negative value, as the published code did by clamping noise before it was
            added.
        encoding: Write all images as files of this format at their own size and decode them again: ``png``,
            ``webp``, or ``jpeg:QUALITY``; empty to use the pixels as they are.
        prefix: Sample-wise only: prefix that the ids of the search's images have in the cell's data, where
            that data joins several sets; empty for none.
    """

    search: Search
    share: float = Field(default=1.0, ge=0, le=1)
    classes: tuple[str, ...] = ()
    mapped: dict[str, str] = Field(default_factory=dict)
    shuffle: Literal["", "within", "across"] = ""
    positive_only: bool = False
    encoding: str = Field(default="", pattern=r"^(png|webp|jpeg:([1-9][0-9]?|100))?$")
    prefix: str = ""


class Cell(Spec):
    """One training and its test.

    Attributes:
        data: The images to train and to test on.
        victim: The network and its recipe.
        poison: Noise on the training images; None for clean images.
        keep: ``clean``: train only on the images that got no noise.
        relabel: The trainer's own labels, by a rule of ``sets.RULES``; empty for those of the data. The noise
            depends on the labels of the data.
        countermeasure: The countermeasure that the trainer applies.
        start: A training whose weights this one starts from; None for new weights.
        seed: Seed of the training.
    """

    data: Data
    victim: Victim
    poison: Poison | None = None
    keep: Literal["all", "clean"] = "all"
    relabel: str = ""
    countermeasure: str = "none"
    start: Cell | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _one_start(self) -> Cell:
        if self.start is not None and self.victim.start != FRESH:
            raise ValueError("start: the victim has weights to start from already")
        return self

    @property
    def label(self) -> str:
        """A few words for a file name, to which a hash is added to tell cells apart."""
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
