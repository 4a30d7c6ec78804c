"""Images as a data set of torch, for a ``DataLoader``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from unlearnable.data.image_set import ImageSet

Transform = Callable[[Image.Image], Any]


class LabelledPhotos(Dataset[tuple[Any, int]]):
    """Images and their labels, read when they are asked for, in the order of an ImageSet.

    Item i is (image, label): a Pillow image in RGB at the photo's own size, or the result of the transform.
    Worker processes of a ``DataLoader`` get a copy by pickle, which images from files, arrays, benchmarks and
    streams allow, with noise or without; those of other data sets do if the data set allows it.

    Args:
        images: The images.
        transform: Called with each Pillow image.
    """

    def __init__(self, images: ImageSet, transform: Transform | None = None) -> None:
        self.images, self.transform = images, transform
        self.classes = list(images.classes)
        self.targets: list[int] = images.labels.tolist()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        photo, label = self.images[index]
        image = Image.fromarray(photo.rgb())
        return (image if self.transform is None else self.transform(image)), label
