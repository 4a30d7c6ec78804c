"""The checkpoint of several processes: whatever is killed, its parts are of one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from unlearnable.errors import DataError
from unlearnable.methods.checkpoint import Checkpoint
from unlearnable.methods.steps import State
from unlearnable.training.partition import owned
from unlearnable.training.ranks import Ranks

IDS = tuple(f"img{number:02d}" for number in range(11))
IDENTITY = {"method": "m", "settings": {}, "seed": 1}
WHOLE = torch.arange(11.0).view(-1, 1, 1, 1) * torch.ones(1, 3, 2, 2)


class Apart(Ranks):
    """Processes of a test, which run one after the other and wait for nobody."""

    @contextmanager
    def together(self) -> Iterator[None]:
        yield

    def require_same(self, what: str, value: str) -> None: ...


def checkpoint(folder: Path, rank: int, count: int, identity: dict | None = None) -> Checkpoint:
    held = tuple(id for id, mine in zip(IDS, owned(IDS, rank, count).tolist(), strict=True) if mine)
    path = folder / "checkpoint.safetensors"
    return Checkpoint(path, identity or IDENTITY, IDS, held, Apart(rank, count))


def state(rank: int, count: int, step: int) -> State:
    return {
        "noise": WHOLE[owned(IDS, rank, count)] + 100 * step,
        "model.w": torch.ones(2) * step,
        "round": 2,
        "step": step,
    }


def save(folder: Path, count: int, step: int, ranks: tuple[int, ...] | None = None) -> None:
    """Every process saves, the first one last, as the others wait for it."""
    for rank in sorted(range(count) if ranks is None else ranks, reverse=True):
        checkpoint(folder, rank, count).save(state(rank, count, step))


def require(folder: Path, count: int, step: int) -> None:
    rows = []
    for rank in range(count):
        found = checkpoint(folder, rank, count).load()
        assert found is not None
        assert (found["round"], found["step"], found["model.w"].tolist()) == (2, step, [step, step])
        assert torch.equal(found["noise"], WHOLE[owned(IDS, rank, count)] + 100 * step)
        rows.append(len(found["noise"]))
    assert sum(rows) == len(IDS)


@pytest.mark.parametrize("before", [1, 2, 4])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_search_resumes_with_another_number_of_processes(before: int, after: int, tmp_path: Path) -> None:
    assert checkpoint(tmp_path, 0, before).load() is None
    save(tmp_path, before, 5)
    require(tmp_path, after, 5)
    save(tmp_path, after, 6)
    require(tmp_path, before, 6)
    parts = sorted(path.name for path in tmp_path.rglob("*.safetensors"))
    assert len(parts) == (1 if after == 1 else after + 1)
    checkpoint(tmp_path, 0, after).delete()
    assert list(tmp_path.iterdir()) == []


def test_parts_of_a_step_that_was_not_finished_are_not_read(tmp_path: Path) -> None:
    save(tmp_path, 3, 5)
    # killed after two of three processes wrote the next step
    save(tmp_path, 3, 6, (1, 2))
    require(tmp_path, 3, 5)
    require(tmp_path, 2, 5)
    # a process that wrote, and was killed before the first one did
    checkpoint(tmp_path, 0, 3).parts.joinpath("2.6.0of3.safetensors").write_bytes(b"half")
    require(tmp_path, 1, 5)
    save(tmp_path, 3, 7)
    require(tmp_path, 3, 7)
    assert len([*checkpoint(tmp_path, 0, 3).parts.iterdir()]) == 3


def test_a_missing_or_damaged_part_is_an_error_and_no_other_noise(tmp_path: Path) -> None:
    save(tmp_path, 2, 5)
    part = next(checkpoint(tmp_path, 0, 2).parts.iterdir())
    content = part.read_bytes()
    part.write_bytes(content[:40])
    with pytest.raises(DataError, match="damaged or missing"):
        checkpoint(tmp_path, 0, 1).load()
    part.unlink()
    with pytest.raises(DataError, match="damaged or missing"):
        checkpoint(tmp_path, 0, 1).load()
    missing = Checkpoint(tmp_path / "checkpoint.safetensors", IDENTITY, (*IDS, "other"))
    part.write_bytes(content)
    require(tmp_path, 1, 5)
    with pytest.raises(DataError, match="11 of 12 images"):
        missing.load()


def test_a_checkpoint_of_another_search_is_not_read(tmp_path: Path) -> None:
    save(tmp_path, 2, 5)
    assert checkpoint(tmp_path, 0, 2, {**IDENTITY, "seed": 2}).load() is None
    assert checkpoint(tmp_path, 0, 2, dict(IDENTITY)).load() is not None


def test_classwise_noise_is_in_one_file_whatever_the_number_of_processes(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    for rank in (1, 0):
        Checkpoint(path, IDENTITY, ranks=Apart(rank, 2)).save({"noise": WHOLE, "round": 1, "step": 0})
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    for count in (1, 2, 3):
        found = Checkpoint(path, IDENTITY, ranks=Apart(0, count)).load()
        assert found is not None
        assert torch.equal(found["noise"], WHOLE)
