"""A search of several processes finds the noise of one: in float64 the same in every level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import processes
import shared_searches
from shared_searches import CASES
from unlearnable import methods
from unlearnable.errors import UsageError
from unlearnable.methods import shared
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.shared import can_be_shared, require_shareable
from unlearnable.training.ranks import ALONE, Ranks

Together = Callable[[str, int], Fitted]


def searched(folder: Path, count: int) -> Path:
    """Search in several processes, once for all cases."""
    processes.end(processes.start(count, ["-m", "shared_searches", folder]))
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(tmp_path_factory.mktemp("two"), 2)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(tmp_path_factory.mktemp("four"), 4)


def require_equal(case: str, folder: Path, count: int) -> None:
    alone = shared_searches.search(case)
    assert np.abs(alone.noise.bank).max() > 0
    for rank in range(count):
        together = Fitted.load(folder / f"{rank}" / case)
        assert together.noise.keys == alone.noise.keys
        assert np.array_equal(together.noise.bank, alone.noise.bank)
        assert together.noise.digests == alone.noise.digests
        assert together.noise.provenance == alone.noise.provenance
        assert (together.log, together.reason) == (alone.log, alone.reason)
        for name, value in alone.surrogate.items():
            assert torch.allclose(together.surrogate[name].double(), value.double(), atol=1e-9), name
    # every process has the same bits
    first, *others = (Fitted.load(folder / f"{rank}" / case).surrogate for rank in range(count))
    assert all(torch.equal(first[name], other[name]) for other in others for name in first)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_find_the_noise_of_one(case: str, two: Path) -> None:
    require_equal(case, two, 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_four_processes_find_the_noise_of_one(case: str, four: Path) -> None:
    require_equal(case, four, 4)


# Training and moving noise wait for no GPU, and mix no devices
ON_GPUS = ("classwise", "samplewise", "flips", "tiny crops", "skip", "targeted")


@pytest.mark.slow
def test_two_gpus_that_are_not_there_find_the_noise_of_one_process(tmp_path: Path) -> None:
    processes.end(processes.start(2, ["-m", "shared_searches", tmp_path, "gpus", *ON_GPUS]))
    for case in ON_GPUS:
        require_equal(case, tmp_path, 2)


# Searches that are refused


TWO = Ranks(0, 2)
SMALL = {"surrogate": "cnn:width=8,depth=2", "resolution": 16}


def test_a_method_says_of_itself_that_processes_can_share_it() -> None:
    found = {name for name in methods.names() if can_be_shared(methods.get(name))}
    assert found == {"error_minimizing", "error_maximizing", "perturbation_induced_linearization"}
    # these derive from shared ones, and draw for a batch or compare its images
    for name in ("mutual_information", "augmented_error_minimizing", "self_ensemble", "random"):
        with pytest.raises(UsageError) as raised:
            require_shareable(methods.create(name, {}), 3, TWO)
        assert name in raised.value.problem
        assert "error_minimizing" in raised.value.remedy
        require_shareable(methods.create(name, {}), 3, ALONE)


def test_what_would_depend_on_the_number_of_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    method = methods.create("error_minimizing", SMALL)
    require_shareable(method, 3, TWO)
    under = methods.create("error_minimizing", {**SMALL, "countermeasures": "none|grey"})
    with pytest.raises(UsageError, match="grey"):
        require_shareable(under, 3, TWO)
    require_shareable(under, 3, ALONE)
    monkeypatch.setattr(
        shared, "build", lambda spec, classes: nn.Sequential(nn.Dropout(), nn.Linear(3, classes))
    )
    with pytest.raises(UsageError, match="it has a layer Dropout"):
        require_shareable(method, 3, TWO)
    require_shareable(method, 3, ALONE)
