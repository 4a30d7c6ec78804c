"""The three ways to use pretrained weights: fine-tune all layers, train a new head, or compare features."""

from __future__ import annotations

from unlearnable.training.victim import PRETRAINED, Victim

SIZE = 128


def recipes(model: str, start: str = PRETRAINED, size: int = SIZE) -> dict[str, Victim]:
    """Return a victim for each recipe, by its name in reports.

    Settings are usual ones: a tenth of the learning rate of a training from scratch, and few epochs.

    Args:
        model: Specification of the network, as ``models.create`` takes it.
        start: Starting weights, as ``Victim`` takes them.
        size: Side of the network's input in pixels. Published networks were trained at 224; 128 takes a third
            of the time.
    """
    photo = Victim(
        model=model, start=start, size=size, epochs=8, batch=32, lr=0.01, transform="photo", crop_min=0.35
    )
    still = photo.model_copy(update={"transform": "none", "epochs": 60, "lr": 0.1})
    return {
        "fine-tuned": photo,
        "linear head": still.model_copy(update={"trains": "head"}),
        "nearest neighbour": still.model_copy(update={"trains": "nearest", "epochs": 1}),
    }
