"""The network of the trials with pretrained weights: not the one that the noise was found through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import pixels
from unlearnable.data.arrays import arrays
from unlearnable.evaluation import verification
from unlearnable.evaluation.schedule import from_pretrained
from unlearnable.events import Event
from unlearnable.models import pretrained


class Enough(Exception):
    """Raised where images would be read."""


@pytest.fixture(autouse=True)
def two_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "at_hand", lambda: ("efficientnet-lite0", "mobilenet-v2"))
    monkeypatch.setattr(pretrained, "path", lambda model: Path(f"{model}.pth"))

    def gather(*args: object) -> None:
        raise Enough

    monkeypatch.setattr(verification, "gather", gather)


def test_another_network_than_the_surrogate_is_preferred() -> None:
    for surrogates, chosen in (
        ((), "efficientnet-lite0"),
        (("efficientnet-lite0",), "mobilenet-v2"),
        (("mobilenet-v2",), "efficientnet-lite0"),
        (("mobilenet-v2", "efficientnet-lite0"), "efficientnet-lite0"),
    ):
        found = from_pretrained(surrogates=surrogates)
        assert {trial.victim.model for trial in found} == {chosen}
    assert from_pretrained("mobilenet-v2", surrogates=("mobilenet-v2",))[0].victim.model == "mobilenet-v2"


@pytest.mark.parametrize(
    ("surrogate", "more", "said"),
    [
        ("pretrained:efficientnet-lite0", {}, False),
        ("resnet18:width=16", {}, False),
        ("pretrained:efficientnet-lite0+pretrained:mobilenet-v2", {}, True),
        (
            "pretrained:mobilenet-v2",
            {"targets": "mobilenet-v2", "weights": "pretrained"},
            True,
        ),
    ],
)
def test_a_surrogate_that_judges_itself_is_named(
    surrogate: str, more: dict[str, str], said: bool, tmp_path: Path
) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"settings": {"surrogate": surrogate}}))
    images, other = (arrays(pixels(6, 16, seed), ["a", "b"] * 3) for seed in (0, 1))
    events: list[Event] = []
    with pytest.raises(Enough):
        verification.prepare(images, other, run=tmp_path, on_progress=events.append, **more)
    assert [event.text for event in events] == [
        f"the noise was found through {model}, which it misleads more than other pretrained networks"
        for model in [more.get("targets", "efficientnet-lite0")]
        if said
    ]
