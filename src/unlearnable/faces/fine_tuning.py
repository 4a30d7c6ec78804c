"""A recogniser that exists already, fine-tuned on the people: all layers train, on few photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from unlearnable.data.image_set import ImageSet
from unlearnable.evaluation.statistics import BoolArray
from unlearnable.events import Event, OnProgress, silent
from unlearnable.faces.galleries import PARTS, centres_of
from unlearnable.faces.holding import Outcome, outcome
from unlearnable.faces.recogniser import Recogniser, unit
from unlearnable.training.compute import Compute
from unlearnable.training.loop import Training, outputs
from unlearnable.training.margin_head import CosineHead
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform

# few epochs and a small rate, because there are fewer photos than the network has seen people
SCALE, MARGIN = 16.0, 0.2
RECIPE = Recipe(
    epochs=5,
    batch=16,
    lr=0.002,
    clip=5.0,
    schedule="cosine",
    transform=Transform("aligned"),
    margin=SCALE * MARGIN,
)
SIDE = 112


class Tuned(nn.Module):
    """A recogniser with a CosFace head that starts at the mean embedding of each person.

    Args:
        network: Maps crops, float (N, 3, s, s) in [0, 1], to embeddings.
        centres: float (classes, D): mean embedding of each person.
    """

    def __init__(self, network: nn.Module, centres: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.head = CosineHead(centres.shape[1], len(centres), SCALE)
        self.head.weight.data = centres.clone()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch."""
        logits: torch.Tensor = self.head(self.network(x))
        return logits


def fine_tuned(
    recogniser: Recogniser,
    clean: ImageSet,
    protected: ImageSet,
    context: ImageSet | None,
    seeds: Sequence[int],
    compute: Compute,
    on_progress: OnProgress = silent,
) -> Outcome:
    """Fine-tune a recogniser on three quarters of the photos, clean and protected, and test it on the rest.

    The accuracy is that after the last epoch.

    Args:
        recogniser: The recogniser.
        clean: Crops of the photos; a quarter of each person's is held out of both trainings.
        protected: Crops of the published copies, under the same ids.
        context: Clean crops of other people, who are in both trainings and not tested; None without.
        seeds: Each changes split and order.
        compute: Device and precision.
        on_progress: Called after every epoch.

    Raises:
        UsageError: If the file is no network that can be trained here.
    """
    people, views = torch.from_numpy(clean.labels), [_squares(images) for images in (clean, protected)]
    more, names, classes = views[0][:0], people[:0], len(clean.classes)
    if context is not None:
        more, names = _squares(context), torch.from_numpy(context.labels) + classes
        classes += len(context.classes)
    total, done, answers = 2 * RECIPE.epochs * len(seeds), 0, []
    for seed in seeds:
        held_out = set(clean.split(1 / PARTS, seed)[1].ids)
        out = torch.tensor([id in held_out for id in clean.ids])
        labels, right = torch.cat([people[~out], names]), list[BoolArray]()
        for name, pixels in zip(("clean", "protected"), views, strict=True):
            training = _training(recogniser, torch.cat([pixels[~out], more]), labels, seed, compute)
            for number in range(RECIPE.epochs):
                training.epoch(number)
                done += 1
                on_progress(Event(f"fine-tuning {recogniser.file.stem}", done, total, name))
            right.append((training.predict(views[0][out]) == people[out]).numpy())
        answers.append((people[out].numpy(), np.stack(right), np.flatnonzero(out.numpy())))
    return outcome(answers, 1 / classes)


def _squares(images: ImageSet) -> torch.Tensor:
    return torch.from_numpy(np.asarray(images.view(SIDE).pixels))


def _training(
    recogniser: Recogniser, pixels: torch.Tensor, people: torch.Tensor, seed: int, compute: Compute
) -> Training:
    network = compute.to_device(recogniser.network())
    classes = int(people.max()) + 1
    embeddings = unit(outputs(network, pixels, SIDE, compute, batch=32).float().numpy())
    names, found = centres_of(embeddings, people.numpy())
    centres = torch.zeros(classes, embeddings.shape[1])
    centres[torch.from_numpy(names)] = torch.from_numpy(found)
    model = compute.to_device(Tuned(network, centres))
    # batches of few people would replace the statistics of many, so the network stays in eval mode
    return Training(model, RECIPE, SIDE, pixels, people, classes, seed, compute, frozen=[network])
