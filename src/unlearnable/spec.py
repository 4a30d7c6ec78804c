"""Frozen descriptions with one canonical text, which results are named and found by."""

from __future__ import annotations

from unlearnable import hashing
from unlearnable.fields import Checked


class Spec(Checked):
    """A frozen description. Two with the same text describe the same thing."""

    @property
    def text(self) -> str:
        """The description as canonical JSON.

        Values at their default are left out, so that a new field with a default changes no old hash.
        """
        return hashing.canonical(self.model_dump(mode="json", exclude_defaults=True))

    def __hash__(self) -> int:
        return hash(self.text)
