"""The benchmark sets: files, checksums, counts and class names, as their authors publish them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from unlearnable.data import formats
from unlearnable.data.imagenet import SYNSETS


@dataclass(frozen=True)
class PublishedFile:
    """A file as its authors publish it.

    Args:
        name: Name of the file.
        size: Length in bytes.
        md5: Published checksum.
        unpacked_sha256: SHA-256 of the unpacked content of a ``.gz`` file, or empty. Some mirrors compress
            the same content again, which changes ``md5`` and not this hash.
    """

    name: str
    size: int
    md5: str
    unpacked_sha256: str = ""


@dataclass(frozen=True)
class Part:
    """The training or the test images of a benchmark.

    Args:
        files: The published files of this part.
        count: Number of images.
        members: Files inside the archive, if the part is published as one; the unpacked archive has the same
            paths.
    """

    files: tuple[PublishedFile, ...]
    count: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """A standard data set of the field.

    Args:
        base: URL of the folder with the published files.
        classes: Class names by label.
        parts: ``train`` and ``test``.
        decode: Turns the contents of a part's files (or members) into images and labels.
    """

    base: str
    classes: tuple[str, ...]
    parts: Mapping[str, Part]
    decode: Callable[[Sequence[bytes]], formats.Pair]


_CIFAR10 = (PublishedFile("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),)
_CIFAR100 = (PublishedFile("cifar-100-binary.tar.gz", 168_513_733, "03b5dce01913d631647c71ecec9e9cb8"),)
_FASHION = {
    "train": Part(
        (
            PublishedFile(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
            PublishedFile(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "25c81989df183df01b3e8a0aad5dffbe",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
        ),
        60_000,
    ),
    "test": Part(
        (
            PublishedFile(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "bef4ecab320f06d8554ea6380940ec79",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            PublishedFile(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "bb300cfdad3c16e7a12a480ee83cd310",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        10_000,
    ),
}
_CIFAR100_CLASSES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
    can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
    dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
    lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
    pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea
    seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
    tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman
    worm
"""

BENCHMARKS: dict[str, Benchmark] = {
    "cifar10": Benchmark(
        "https://www.cs.toronto.edu/~kriz/",
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        {
            "train": Part(
                _CIFAR10,
                50_000,
                tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
            ),
            "test": Part(_CIFAR10, 10_000, ("cifar-10-batches-bin/test_batch.bin",)),
        },
        formats.cifar10,
    ),
    "cifar100": Benchmark(
        "https://www.cs.toronto.edu/~kriz/",
        tuple(_CIFAR100_CLASSES.split()),
        {
            "train": Part(_CIFAR100, 50_000, ("cifar-100-binary/train.bin",)),
            "test": Part(_CIFAR100, 10_000, ("cifar-100-binary/test.bin",)),
        },
        formats.cifar100,
    ),
    "svhn": Benchmark(
        "http://ufldl.stanford.edu/housenumbers/",
        tuple(map(str, range(10))),
        {
            "train": Part(
                (PublishedFile("train_32x32.mat", 182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373"),), 73_257
            ),
            "test": Part(
                (PublishedFile("test_32x32.mat", 64_275_384, "eb5a983be6a315427106f1b164d9cef3"),), 26_032
            ),
        },
        formats.svhn,
    ),
    "fashion-mnist": Benchmark(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        _FASHION,
        formats.fashion_mnist,
    ),
}


def class_names(name: str) -> tuple[str, ...]:
    """Return the class names of a standard set by label, without opening it; empty for other sets.

    ImageNet is read as a folder of photos with one folder per class, ``imagenet``, or ``imagenet100`` for its
    first 100 classes; the folders are named by synset.
    """
    folders = {"digits": tuple("0123456789"), "imagenet": SYNSETS, "imagenet100": SYNSETS[:100]}
    return BENCHMARKS[name].classes if name in BENCHMARKS else folders.get(name, ())
