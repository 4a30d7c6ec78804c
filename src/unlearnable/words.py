"""Words around numbers: ``1 photo is``, ``3 photos are``."""

from __future__ import annotations

# words whose plural follows no rule
PLURAL = {"person": "people", "is": "are", "was": "were", "has": "have"}


def counted(number: int, noun: str, verb: str = "") -> str:
    """Return a number with its noun, and with a verb that agrees if one is given.

    Args:
        number: How many.
        noun: The noun for one of them.
        verb: ``is``, ``was`` or ``has``; empty for none.
    """
    words = noun if number == 1 else _plural(noun)
    return f"{number} {words} {verb if number == 1 else PLURAL[verb]}" if verb else f"{number} {words}"


def _plural(noun: str) -> str:
    if noun in PLURAL:
        return PLURAL[noun]
    if noun.endswith(("s", "ch")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
