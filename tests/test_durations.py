"""Lengths of time, read and written."""

from __future__ import annotations

import pytest

from unlearnable.durations import duration, parse_duration
from unlearnable.errors import UsageError


def test_a_number_and_a_unit_is_a_length_of_time() -> None:
    assert [parse_duration(text) for text in ("90s", "10m", "1.5h", " 2 m ")] == [90, 600, 5400, 120]


@pytest.mark.parametrize("text", ["soon", "", "10", "-5m", "5d", "1.m", "1h30m"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="not a length of time") as error:
        parse_duration(text)
    assert "90s, 15m or 1.5h" in error.value.remedy


def test_a_length_of_time_is_written_in_the_largest_fitting_unit() -> None:
    assert [duration(seconds) for seconds in (0.2, 89.4, 90, 5399, 5400)] == [
        "1 s",
        "89 s",
        "2 min",
        "90 min",
        "1.5 h",
    ]
