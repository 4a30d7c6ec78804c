"""Arms are trained and tested alike, and reported at their best epochs with the intervals of those."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unlearnable.countermeasures import Chain, Countermeasure, create
from unlearnable.evaluation import Arm, Comparison, Trial, compare
from unlearnable.evaluation.intervals import Spread
from unlearnable.evaluation.statistics import Answers
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Epoch, Labelled, Learned, Victim

CPU = Compute("cpu", "float32")
TINY = "cnn:width=8,depth=2"


def stripes(rng: np.random.Generator, label: int, side: int = 24) -> np.ndarray:
    """A noisy image, uint8 (side, side, 3), whose stripes are horizontal or vertical."""
    wave = 25 * np.sin(np.arange(side) * 1.2 + rng.uniform(0, 6))[:, None]
    image = 128 + (wave if label == 0 else wave.T) + rng.normal(0, 12, (side, side))
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("test_time", [False, True])
def test_treated_arms_are_tested_on_treated_images(test_time: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage `prepare` too changes the test images of both arms, if it says so."""
    seen: list[torch.Tensor] = []

    class Blank(Countermeasure):
        name = "blank"

        def prepare(self, pixels, labels, rng, compute):  # type: ignore[no-untyped-def]
            return torch.full_like(pixels, 7)

    def watched(model, pixels, size, compute, *_):  # type: ignore[no-untyped-def]
        seen.append(pixels)
        return torch.zeros(len(pixels), dtype=torch.int64)

    Blank.test_time = test_time
    monkeypatch.setattr("unlearnable.training.loop.predict", watched)
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(np.stack([stripes(rng, n % 2).transpose(2, 0, 1) for n in range(24)]))
    images = Labelled(pixels, torch.arange(24) % 2, 2)
    victim = Victim(model=TINY, size=24, epochs=1, batch=12, transform="none")
    trial = Trial("tiny", victim, Chain((Blank(),)))
    compare(["clean", "protected"], lambda name, seed: Arm(images, images), trial, 2, seeds=(0,), compute=CPU)
    assert len(seen) == 2
    for tested in seen:
        assert bool((tested == 7).all()) == test_time


def answered(right: list[int], count: int = 40) -> list[torch.Tensor]:
    """Answers after each epoch, of which so many are right."""
    labels = torch.arange(count) % 2
    return [torch.where(torch.arange(count) < number, labels, 1 - labels) for number in right]


def test_both_arms_are_reported_at_their_best_epoch_with_its_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each arm peaks at an epoch of its own, neither of them the last one."""
    curves = {"clean": [20, 38, 30], "protected": [32, 22, 24]}
    pixels = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(40, 3, 8, 8)
    labels = torch.arange(40) % 2
    turn = iter(curves)

    def scripted(*_: object, **__: object) -> Learned:
        answers = answered(curves[next(turn)])
        return Learned(
            torch.nn.Identity(),
            tuple(Epoch(n + 1, 0.5, one, one == labels) for n, one in enumerate(answers)),
        )

    monkeypatch.setattr("unlearnable.evaluation.comparison.learn", scripted)
    images = Labelled(pixels, labels, 2)
    trial = Trial("tiny", Victim(model=TINY))
    found = compare(list(curves), lambda name, seed: Arm(images, images), trial, 2, seeds=(0,), compute=CPU)
    for name, best, last in (("clean", 38, 30), ("protected", 32, 24)):
        arm = found.arm(name)
        assert arm.peak.value == pytest.approx(best / 40)
        assert arm.last == pytest.approx(last / 40)
        assert arm.runs[0].correct.sum() == best
        answers = np.stack([np.arange(40) < best])
        alone = Spread.of([Answers(labels.numpy(), answers)], [0, 1]).accuracy(0)
        assert (arm.peak.low, arm.peak.high) == pytest.approx((alone.low, alone.high))
    protected = found.arm("protected")
    assert protected.retained is not None
    assert protected.retained.value == pytest.approx((32 - 20) / (38 - 20))


def test_compare_takes_any_arms_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    pixels = np.stack([stripes(rng, label).transpose(2, 0, 1) for label in labels])
    x, y = torch.from_numpy(pixels), torch.from_numpy(labels)
    arms = {
        "clean": Arm(Labelled(x[:50], y[:50], 2), Labelled(x[50:], y[50:], 2)),
        "wrong labels": Arm(Labelled(x[:50], 1 - y[:50], 2), Labelled(x[50:], y[50:], 2)),
    }
    trial = Trial("tiny", Victim(model=TINY, size=24, epochs=6, batch=10, lr=0.05, transform="none"))
    heard: list[int] = []
    results = [
        compare(
            list(arms),
            lambda name, seed: arms[name],
            trial,
            2,
            seeds=(0, 1),
            compute=CPU,
            on_progress=lambda event: heard.append(event.done),
        )
        for _ in range(2)
    ]
    assert results[0].arms[1].peak == results[1].arms[1].peak
    assert heard[:24] == list(range(1, 25))
    clean, wrong = results[0].arms
    assert clean.retained is None
    assert clean.peak.value > 0.8
    assert wrong.last < 0.3
    assert results[0].tested == 30


def test_every_trained_network_is_handed_on_with_its_arm_and_its_seed() -> None:
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(np.stack([stripes(rng, n % 2).transpose(2, 0, 1) for n in range(24)]))
    images = Labelled(pixels, torch.arange(24) % 2, 2)
    trial = Trial("tiny", Victim(model=TINY, size=24, epochs=2, batch=12, transform="none"))
    handed: dict[tuple[str, str, int], torch.nn.Module] = {}

    def keep(trial: Trial, name: str, seed: int, model: torch.nn.Module) -> None:
        handed[trial.name, name, seed] = model

    names = ["clean", "protected"]
    found = compare(
        names, lambda name, seed: Arm(images, images), trial, 2, seeds=(3, 4), compute=CPU, on_learned=keep
    )
    assert list(handed) == [("tiny", name, seed) for seed in (3, 4) for name in names]
    # the network after the last epoch
    for (_, name, seed), model in handed.items():
        answers = model.eval()(pixels.float() / 255).argmax(1)
        run = next(run for run in found.arm(name).runs if run.seed == seed)
        assert float((answers == images.labels).double().mean()) == pytest.approx(run.test.last)


@pytest.mark.parametrize("chain", ["none", "cutout"])
def test_every_finished_seed_gives_an_answer(chain: str) -> None:
    """Of the seeds so far; under countermeasures, an arm takes all its seeds before the next one."""
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(np.stack([stripes(rng, n % 2).transpose(2, 0, 1) for n in range(24)]))
    images = Labelled(pixels, torch.arange(24) % 2, 2)
    victim = Victim(model=TINY, size=24, epochs=2, batch=12, transform="none")
    trained: list[tuple[str, int]] = []
    answers: list[Comparison] = []

    def arm(name: str, seed: int) -> Arm:
        trained.append((name, seed))
        return Arm(images, images)

    trial, names = Trial("tiny", victim, create(chain)), ["clean", "protected"]
    found = compare(names, arm, trial, 2, seeds=(3, 4), compute=CPU, on_seed=answers.append)
    by_seed, by_arm = [(n, s) for s in (3, 4) for n in names], [(n, s) for n in names for s in (3, 4)]
    assert trained == (by_seed if chain == "none" else by_arm)
    assert [[run.seed for run in one.arms[1].runs] for one in answers] == [[3], [3, 4]]
    alone = compare(names, arm, trial, 2, seeds=(3,), compute=CPU)
    assert [one.peak for one in answers[0].arms] == [one.peak for one in alone.arms]
    assert [one.peak for one in answers[-1].arms] == [one.peak for one in found.arms]
    assert answers[0].words.endswith("; guessing 50%)")
