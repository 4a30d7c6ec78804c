"""Who owns an image and which images a step takes, for 22 machines of 8 processes without any of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from unlearnable.training import partition
from unlearnable.training.randomness import generator

RANKS = 22 * 8
IDS = [f"cats/photo {number:05d}.jpg" for number in range(20_000)]


@pytest.fixture(scope="module")
def owners() -> torch.Tensor:
    return torch.tensor([partition.owner(id, RANKS) for id in IDS])


def test_every_image_has_one_owner_and_shares_are_about_equal(owners: torch.Tensor) -> None:
    counts = torch.bincount(owners, minlength=RANKS)
    assert len(counts) == RANKS
    assert int(counts.sum()) == len(IDS)
    # a binomial of mean 114 and standard deviation 11
    assert int(counts.min()) > 60
    assert int(counts.max()) < 170
    masks = torch.stack([partition.owned(IDS, rank, RANKS) for rank in (0, 7, RANKS - 1)])
    assert torch.equal(masks, torch.stack([owners == rank for rank in (0, 7, RANKS - 1)]))


def test_the_shares_of_all_processes_are_the_batch_in_its_order(owners: torch.Tensor) -> None:
    order = partition.shuffled(torch.arange(len(IDS)), generator(5, "order", 0))
    assert torch.equal(order.sort().values, torch.arange(len(IDS)))
    size, seen = 512, []
    for number in range(-(-len(IDS) // size)):
        batch = partition.batch(order, number, size)
        assert len(batch) == min(size, len(IDS) - number * size)
        places = [partition.members(batch, owners == rank) for rank in range(RANKS)]
        assert torch.equal(torch.cat(places).sort().values, torch.arange(len(batch)))
        for place in places:
            assert (place.diff() > 0).all()
        assert all((owners[batch[place]] == rank).all() for rank, place in enumerate(places))
        seen.append(batch)
    assert torch.equal(torch.cat(seen), order)


def test_an_owner_does_not_depend_on_other_images_or_on_the_process() -> None:
    known = [partition.owner(id, 4) for id in IDS[:8]]
    assert len(set(known)) > 1
    assert partition.owned(IDS[:8][::-1], 2, 4).tolist() == [one == 2 for one in known[::-1]]
    # Python's own hash differs between processes
    code = f"from unlearnable.training.partition import owner; print([owner(i, 4) for i in {IDS[:8]}])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(known)


def test_rows_of_a_process_are_numbered_in_the_order_of_all_rows() -> None:
    # images 1 and 4 are context
    rows = torch.tensor([0, -1, 1, 2, -1, 3, 4])
    mine = torch.tensor([True, True, False, True, False, False, True])
    assert partition.local_rows(rows, mine).tolist() == [0, -1, -1, 1, -1, -1, 2]
    other = partition.local_rows(rows, ~mine)
    assert other.tolist() == [-1, -1, 0, -1, -1, 1, -1]
