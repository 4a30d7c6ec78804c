"""The contract of every countermeasure. New ones are tested without being listed here."""

from __future__ import annotations

import sys

import pytest
import torch

from batches import CPU, STAGES, a_batch, before_training, lived_in, some, weights
from unlearnable import countermeasures
from unlearnable.countermeasures import create
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator


@pytest.mark.parametrize("name", countermeasures.names())
@pytest.mark.parametrize("side", [16, 33])
def test_contract(name: str, side: int) -> None:
    chain, (images, labels), (x, y) = create(name), some(13, side), a_batch(13, side)
    before = images.clone(), x.clone(), y.clone()
    model = lived_in()
    found = []
    for _ in range(2):
        out = before_training(chain, images, labels)
        assert (out.dtype, out.shape, out.device.type) == (torch.uint8, images.shape, "cpu")
        rng = generator(7, "b")
        seen, targets = chain.batch(x, y, rng, CPU)
        seen = chain.step(model, seen, targets, rng, CPU)
        assert (seen.dtype, seen.shape, targets.dtype, targets.shape) == (x.dtype, x.shape, y.dtype, y.shape)
        assert not seen.requires_grad
        assert 0 <= float(seen.min()) <= float(seen.max()) <= 1
        assert float((targets.sum(1) - 1).abs().max()) < 1e-5
        assert float(targets.min()) >= 0
        found.append((out, seen, targets))
    assert all(
        torch.equal(one, other) for one, other in zip(*found, strict=True)
    )  # the same seed, the same result
    assert all(torch.equal(*pair) for pair in zip(before, (images, x, y), strict=True))  # nothing in place
    (member,) = chain.members
    expected = next((stage for stage, names in STAGES.items() if name in names), "batch")
    assert member.stages == (expected,)
    assert torch.equal(found[0][0], images) == (expected in ("batch", "step"))
    tested = before_training(chain, images, None)
    assert torch.equal(tested, images) == (not chain.test_time)
    assert create(chain.spec) == chain
    assert chain.revisions == {name: chain.members[0].revision}


@pytest.mark.parametrize("name", countermeasures.names())
def test_every_countermeasure_says_in_a_line_what_it_does_and_cites(name: str) -> None:
    assert countermeasures.names()[name].endswith(".")
    kind = type(create(name).members[0])
    assert "arXiv:" in str(sys.modules[kind.__module__].__doc__) or name in ("noise", "shrink")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("name", countermeasures.names())
def test_batches_and_steps_never_wait_for_the_gpu(name: str) -> None:
    compute = Compute("cuda", "bfloat16")
    chain, model, (x, y) = create(name), compute.to_device(lived_in()), (part.cuda() for part in a_batch())
    torch.cuda.set_sync_debug_mode("error")
    try:
        chain.step(model, *chain.batch(x, y, generator(0), compute), generator(0), compute)
    finally:
        torch.cuda.set_sync_debug_mode("default")


IN_TRAINING = [name for name in countermeasures.names() if name not in STAGES["photo"]]


@pytest.mark.parametrize("spec", [*IN_TRAINING, "blur+cutout+mixup+adversarial:4,1"])
def test_training_takes_every_countermeasure_and_repeats(spec: str) -> None:
    (first, epochs), (again, _) = weights(spec), weights(spec)
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)
    assert not torch.equal(first, weights(None)[0])
    assert all(0 <= epoch.train_accuracy <= 1 for epoch in epochs)
