"""Processes that tell each other things, and steps that they take together; in threads of one process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import processes
from unlearnable import models
from unlearnable.errors import UnlearnableError, UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.connection import Deserted
from unlearnable.training.launch import Launch
from unlearnable.training.loop import train_step
from unlearnable.training.randomness import generator, seeded
from unlearnable.training.ranks import ALONE, Elsewhere, Ranks, StoppedElsewhere, joined, placed
from unlearnable.training.whole_batch import WholeBatch, share, unshareable

CPU = Compute("cpu", "float64")
# shares of a batch of 12 images; the third process has none
SHARES = ([0, 3, 4, 5, 8, 9, 11], [1, 2, 6, 7, 10], [])


# The place of a process


def test_a_place_is_read_from_the_environment_of_torchrun() -> None:
    assert Launch.of({}) == Launch(0, 1, 0)
    assert Launch.of({"WORLD_SIZE": "4"}) == Launch(0, 1, 0)
    assert Launch.of({"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1"}) == Launch(9, 16, 1)


@pytest.mark.parametrize(("rank", "count"), [("2", "2"), ("-1", "2"), ("one", "2"), ("0", "")])
def test_a_place_that_is_none_is_refused(rank: str, count: str) -> None:
    with pytest.raises(UsageError, match=f"RANK={rank}, WORLD_SIZE={count}"):
        Launch.of({"RANK": rank, "WORLD_SIZE": count})


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    two = Ranks(1, 2)
    assert placed(Compute("cuda", "bfloat16"), Launch(1, 2, 1), two) == Compute("cuda:1", "bfloat16")
    assert placed(Compute("cpu"), Launch(1, 2, 1), two) == Compute("cpu")
    assert placed(Compute("cuda:1"), Launch(), ALONE) == Compute("cuda:1")
    for device in ("cuda:0", "mps"):
        with pytest.raises(UsageError, match=device):
            placed(Compute(device), Launch(1, 2, 1), two)
    with pytest.raises(UsageError, match="2 GPUs"):
        placed(Compute("cuda"), Launch(2, 3, 2), Ranks(2, 3))


def test_a_process_alone_sends_nothing() -> None:
    with joined(Launch()) as ranks:
        assert ranks is ALONE
    x = torch.tensor([1.0, 2.0])
    assert ALONE.sum(x) is x
    assert ALONE.gather(x).tolist() == [[1.0, 2.0]]
    assert ALONE.of_first({"a": 1}) == {"a": 1}
    asked = KeyboardInterrupt()
    assert ALONE.decide(asked, True) == (asked, True)
    assert ALONE.decide(None, False) == (None, False)
    with pytest.raises(ValueError, match="mine"), ALONE.together():
        raise ValueError("mine")
    ALONE.require_same("It", "x")


# What processes tell each other: run as a program in three processes, which print what they know


def talk(folder: Path) -> None:
    with joined() as ranks:
        told: dict[str, object] = {
            "sum": ranks.sum(torch.tensor([1.0, ranks.rank])).tolist(),
            "gather": ranks.gather(torch.tensor([ranks.rank])).tolist(),
            "all": ranks.all_of("é" * ranks.rank),
            "first": ranks.of_first(["of", ranks.rank]),
            "none": [str(one) for one in ranks.decide(None, ranks.rank == 1)],
            "save": [str(one) for one in ranks.decide(None, ranks.rank == 0)],
        }
        asked = StoppedElsewhere(15) if ranks.rank == 2 else None
        told["stop"] = getattr(ranks.decide(asked, False)[0], "number", None)
        mine = torch.tensor([rank % 3 == ranks.rank for rank in range(7)])
        rows = torch.arange(7)[mine].half().view(-1, 1, 1, 1) + 0.5
        told["rows"] = ranks.put_together(rows, mine).flatten().tolist()
        for name, failing in (("one", (1,)), ("first and last", (0, 2))):
            try:
                with ranks.together():
                    if ranks.rank in failing:
                        raise UsageError(f"wrong in {ranks.rank}", "Mend it.")
            except UnlearnableError as error:
                told[name] = [type(error).__name__, error.problem, error.remedy, error.exit_code]
        try:
            ranks.require_same("The photos", "other" if ranks.rank == 1 else "same")
        except UnlearnableError as error:
            told["differ"] = [type(error).__name__, error.problem]
        step(ranks, folder)
        print(json.dumps(told))
        if ranks.rank == 2:
            return
        try:
            # the third process ends now
            ranks.sum(torch.zeros(1))
        except Deserted as error:
            print(error.problem)
            sys.exit(7)


def network() -> nn.Module:
    with seeded(0, "model"):
        return CPU.to_device(models.create("cnn:width=8,depth=2", 3))


def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    # far from zero mean and unit spread, and different between the shares
    x = torch.rand(12, 3, 16, 16, generator=generator(number, "x"), dtype=torch.float64)
    return x * torch.linspace(0.2, 1, 12).view(-1, 1, 1, 1), torch.arange(12) % 3


def step(ranks: Ranks, folder: Path) -> None:
    """Three training steps with momentum and a clipped gradient; the weights go into a file."""
    model, whole = share(network(), ranks), WholeBatch(ranks, 12)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    rights = []
    for number in range(3):
        x, y = batch(number)
        x, y = x[SHARES[ranks.rank]], y[SHARES[ranks.rank]]
        rights.append(int(train_step(model, optimizer, x, y, CPU, 0.5, whole=whole)[1]))
    model.eval()
    logits = model(batch(9)[0])
    torch.save(
        {**model.state_dict(), "logits": logits.detach(), "rights": torch.tensor(rights)},
        folder / f"{ranks.rank}",
    )


def test_three_processes_talk_step_together_and_notice_that_one_ends(tmp_path: Path) -> None:
    group = processes.start(3, [__file__, tmp_path])
    said = processes.end(group, [7, 7, 0])
    told = [json.loads(out.splitlines()[0]) for out, _ in said]
    for rank, one in enumerate(told):
        assert one["sum"] == [3.0, 3.0]
        assert one["gather"] == [[0], [1], [2]]
        assert one["all"] == ["", "é", "éé"]
        assert one["first"] == ["of", 0]
        assert one["none"] == ["None", "False"]
        assert one["save"] == ["None", "True"]
        assert one["stop"] == 15
        assert one["rows"] == [row + 0.5 for row in range(7)]
        text = ["Elsewhere", "Process 1 of 3: wrong in 1", "Mend it.", 2]
        assert one["one"] == text
        # the first process reports its own error
        here = ["UsageError", "wrong in 0", "Mend it.", 2]
        assert one["first and last"] == (
            here if rank == 0 else ["Elsewhere", "Process 0 of 3: wrong in 0", "Mend it.", 2]
        )
        assert one["differ"][0] == ("Elsewhere" if rank else "UnlearnableError")
        assert one["differ"][1] == "The photos of process 1 differ from those of process 0."
    for out, _ in said[:2]:
        assert out.splitlines()[1] == "Another process of the search ended, or does not answer."
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    rights = [int(train_step(model, optimizer, *batch(number), CPU, 0.5)[1]) for number in range(3)]
    model.eval()
    alone = {**model.state_dict(), "logits": model(batch(9)[0]).detach(), "rights": torch.tensor(rights)}
    shares = [torch.load(tmp_path / f"{rank}", weights_only=True) for rank in range(3)]
    for name, value in alone.items():
        assert torch.allclose(shares[0][name].double(), value.double(), atol=1e-11), name
        assert torch.equal(shares[0][name], shares[1][name]), name
        assert torch.equal(shares[0][name], shares[2][name]), name


# Layers over a batch


def test_only_layers_over_a_batch_change_and_their_weights_keep_their_names() -> None:
    model, names = network(), [*network().state_dict()]
    assert [*share(model, ALONE).state_dict()] == names
    kinds = {type(module).__name__ for module in model.modules() if isinstance(module, nn.BatchNorm2d)}
    assert kinds == {"_WholeBatchNorm2d"}


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5, 5)])
@pytest.mark.parametrize("momentum", [0.3, None])
def test_normalisation_of_one_share_is_that_of_torch(shape: tuple[int, ...], momentum: float | None) -> None:
    plain = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(4, eps=1e-3, momentum=momentum).double()
    nn.init.uniform_(plain.weight, 0.5, 2)
    nn.init.uniform_(plain.bias)
    shared = type(plain)(4, eps=1e-3, momentum=momentum).double()
    shared.load_state_dict(plain.state_dict())
    share(nn.Sequential(shared), ALONE)
    for number in range(3):
        x = 5 + 3 * torch.randn(shape, generator=generator(number, "x"), dtype=torch.float64)
        given = torch.randn(shape, generator=generator(number, "g"), dtype=torch.float64)
        found = []
        for layer in (plain, shared):
            seen = x.clone().requires_grad_(True)
            out = layer(seen)
            found.append([out, *torch.autograd.grad(out, [seen, layer.weight, layer.bias], given)])
        for one, other in zip(*found, strict=True):
            assert torch.allclose(one, other, atol=1e-12)
    for name, value in plain.state_dict().items():
        assert torch.allclose(shared.state_dict()[name].double(), value.double(), atol=1e-12), name
    x = torch.randn(shape, dtype=torch.float64)
    assert torch.allclose(plain.eval()(x), shared.eval()(x), atol=1e-12)


def test_layers_whose_training_cannot_be_shared_are_named() -> None:
    assert unshareable(network()) == ""
    assert unshareable(nn.Sequential(nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.BatchNorm1d(3))) == ""
    assert unshareable(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1))) == "Dropout"
    assert unshareable(nn.BatchNorm3d(3)) == "BatchNorm3d"


def test_an_error_elsewhere_has_its_exit_code() -> None:
    assert Elsewhere("x", code=3).exit_code == 3
    assert UnlearnableError.exit_code == 1


if __name__ == "__main__":
    talk(Path(sys.argv[1]))
