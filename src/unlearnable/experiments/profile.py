"""The size of an experiment: the paper's data, networks and settings, or substitutes for a CPU.

An experiment names data, networks and methods as the paper does; a profile resolves the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from unlearnable import methods
from unlearnable.arguments import nearest, unknown
from unlearnable.cells import Cell, Data, Poison, Search, Victim
from unlearnable.data.benchmark_table import class_names
from unlearnable.errors import UsageError
from unlearnable.noise import Form
from unlearnable.renamed import to_current, to_recorded

V = TypeVar("V")
Settings = dict[str, Any]
FORMS: tuple[Form, ...] = ("samplewise", "classwise")
WORDS = {"samplewise": "sample-wise", "classwise": "class-wise"}


@dataclass(frozen=True)
class Profile:
    """Resolves the names in an experiment.

    Args:
        name: Its name.
        about: A description, in a sentence or two.
        seeds: Seeds, one noise and one training each.
        sets: Data by name.
        main: The sets of the main table.
        models: Networks by the paper's name.
        stems: Stem of the networks by set; ``""`` for all other sets.
        victims: Recipe of a training by set; ``""`` for all other sets.
        searches: Settings of a search by (method, form).
        by_set: Settings of a search that differ for a set; in tables ``samplewise`` and ``classwise``, those
            of one form.
        fast: Settings of a search for error-minimizing noise that differ in the fast search.
        pgd: The countermeasure for the paper's adversarial training.
        rounds: Rounds of a search that does not stop by its error.
        epsilons: Budgets besides the usual one, in levels of 1/255.
        patches: Sides of patches, in pixels.
        moved: Pairs of sets in the table of moved noise: trained on, and searched on.
        forms: Forms of the noise in the main table by set, if not both.
        by_experiment: Settings of a search that differ in an experiment, by its name.
        found_on: Share of each class that a search sees, by (method, form), if it does not see all images.
        unlifted: Sets whose images the search takes to be as large as the network's input.
        people: People in the set ``faces`` who are protected while the others are clean; empty if nobody
            knows their names, which are those of folders.
        added_from: The set on which the noise of the added class is found; empty for the whole joined set.
    """

    name: str
    about: str
    seeds: tuple[int, ...]
    sets: Mapping[str, Data]
    main: tuple[str, ...]
    models: Mapping[str, str]
    stems: Mapping[str, str]
    victims: Mapping[str, Settings]
    searches: Mapping[tuple[str, Form], Settings]
    by_set: Mapping[str, Settings]
    fast: Settings
    pgd: str
    rounds: int
    epsilons: tuple[int, ...]
    patches: tuple[int, ...]
    moved: tuple[tuple[str, str], ...] = (("cifar10", "other"), ("other", "cifar10"))
    forms: Mapping[str, tuple[Form, ...]] = field(default_factory=dict)
    by_experiment: Mapping[str, Settings] = field(default_factory=dict)
    found_on: Mapping[tuple[str, Form], float] = field(default_factory=dict)
    unlifted: frozenset[str] = frozenset()
    people: tuple[str, ...] = ()
    added_from: str = ""

    def data(self, name: str) -> Data:
        """Return a set of images.

        Raises:
            UsageError: If the profile has none of that name.
        """
        if name not in self.sets:
            raise unknown(f"data in the profile {self.name} called", name, self.sets)
        return self.sets[name]

    def classes(self, data: str) -> tuple[str, ...]:
        """Return the names of a set's classes, in order, without opening it."""
        found = self.data(data)
        return found.classes or tuple(sorted(class_names(found.name)))

    def model(self, data: str, model: str) -> str:
        """Return a network's specification for a set; a name that is not in ``models`` stays as it is."""
        if model not in self.models:
            return model
        stem = f",stem={self.stems.get(data, self.stems[''])}" if model not in ("cnn", "recogniser") else ""
        return self.models[model] + stem

    def search(
        self,
        data: str,
        form: Form,
        seed: int,
        method: str = "error_minimizing",
        surrogate: str = "resnet18",
        own: tuple[str, ...] = (),
        lifted: bool = True,
        **changes: Any,
    ) -> Search:
        """Return a search for noise on a set.

        A method without settings in this profile takes those of the method that it derives from, if there is
        one. An experiment gives settings for the paper's method; a method that has no setting of that name
        does without it.

        Raises:
            UsageError: If no method has a setting of a name.
        """
        kind = methods.get(method)
        fields = kind.Config.model_fields
        settings: Settings = {"form": form}
        for given in (self._usual(kind, form), self._of_set(kind, data, form), changes):
            settings |= self._that_it_has(kind, given)
        if "surrogate" in fields:
            settings["surrogate"] = self.model(data, surrogate)
        # settings at their default are left out, so that a new setting changes no description and no hash
        changed = {
            name: value
            for name, value in settings.items()
            if name == "form" or name not in fields or value != fields[name].default
        }
        # the text of a description is hashed, so renamed settings keep their first names in it
        recorded = to_recorded(changed)
        return Search(
            data=self.data(data),
            own=own,
            method=method,
            settings=recorded,
            lifted=lifted and data not in self.unlifted,
            found_on=self._nearest(self.found_on, kind, form, 1.0),
            seed=seed,
        )

    def _usual(self, kind: type[methods.Method[Any]], form: Form) -> Settings:
        """Return the settings of a method, or of the nearest method that it derives from."""
        return self._nearest(self.searches, kind, form, {})

    def _nearest(
        self, table: Mapping[tuple[str, Form], V], kind: type[methods.Method[Any]], form: Form, default: V
    ) -> V:
        names = [getattr(one, "name", "") for one in kind.__mro__]
        return next((table[name, form] for name in names if (name, form) in table), default)

    def _of_set(self, kind: type[methods.Method[Any]], data: str, form: Form) -> Settings:
        """Return the settings that differ for a set: those of error-minimizing noise."""
        if not issubclass(kind, methods.ErrorMinimizing):
            return {}
        given = self.by_set.get(data, {})
        of_form: Settings = given.get(form, {})
        return {name: value for name, value in given.items() if name not in FORMS} | of_form

    def _that_it_has(self, kind: type[methods.Method[Any]], given: Settings) -> Settings:
        """Return the settings, under their names of today, that a method has.

        Raises:
            UsageError: If the paper's method does not have one of the others either: it is misspelt.
        """
        current, fields = to_current(given), kind.Config.model_fields
        known = {*fields, *methods.ErrorMinimizing.Config.model_fields}
        for name in current:
            if name not in known:
                raise UsageError(
                    f"{kind.name}: {name} is not a setting.",
                    f"{nearest(name, known)} Its settings: {', '.join(fields)}.".strip(),
                )
        return {name: value for name, value in current.items() if name in fields}

    def poison(self, data: str, form: Form, seed: int, **changes: Any) -> Poison:
        """Return the noise of a search on every image."""
        return Poison(search=self.search(data, form, seed, **changes))

    def config(self, data: str, form: Form) -> Any:
        """Return the configuration of a search for error-minimizing noise on a set."""
        return methods.create("error_minimizing", dict(self.search(data, form, 0).settings)).config

    def max_rounds(self, data: str, form: Form) -> int:
        """Return the most rounds of a search on a set; ``rounds`` where the number of images decides."""
        found = self.config(data, form).max_rounds
        return found if isinstance(found, int) else self.rounds

    def budget(self, data: str, form: Form, epsilon: int) -> Settings:
        """Return the settings of a search for another budget: steps grow with it, as in the paper."""
        usual = self.config(data, form)
        return (
            {}
            if epsilon == usual.epsilon
            else {"epsilon": epsilon, "step_size": usual.step_size * epsilon / usual.epsilon}
        )

    def victim(self, data: str, model: str = "resnet18", **changes: Any) -> Victim:
        """Return the network and the recipe for a set."""
        return Victim(
            model=self.model(data, model), **{**self.victims.get(data, self.victims[""]), **changes}
        )

    def cell(
        self,
        data: str,
        seed: int,
        poison: Poison | None = None,
        model: str = "resnet18",
        train: Settings | None = None,
        **more: Any,
    ) -> Cell:
        """Return a training on a set, clean without ``poison``; ``train`` changes the recipe."""
        return Cell(
            data=self.data(data),
            victim=self.victim(data, model, **(train or {})),
            poison=poison,
            seed=seed,
            **more,
        )
