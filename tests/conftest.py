"""Small data that the tests make themselves."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unlearnable import portable
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet


def pixels(count: int = 24, side: int = 16, seed: int = 0) -> np.ndarray:
    """Blurred random colour images, with values at both ends of the range."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(image).resize((side, side))) for image in coarse])


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent anywhere: the tests pass as on a machine without a network."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):  # type: ignore[index]
            raise ConnectionRefusedError(f"a connection to {address} was tried")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No remark about other work on this machine, whatever else runs here."""
    monkeypatch.setattr(portable, "load", lambda: 0.0)


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output is not folded, although runners of several processes set a width for them."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def images() -> ImageSet:
    """24 images of three classes, 16 px, ids ``img00`` to ``img23``."""
    names = ["ant", "bee", "cat"] * 8
    return arrays(pixels(), names, ids=[f"img{i:02d}" for i in range(24)])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 18 photos in two classes, of several sizes, modes and formats."""
    root = tmp_path / "photos"
    for label, name in enumerate(("cats", "dogs")):
        (root / name).mkdir(parents=True)
        for index in range(8):
            side = 40 + 7 * index
            image = Image.fromarray(pixels(1, side, seed=100 * label + index)[0]).resize((side + 9, side))
            if index % 2:
                image.save(root / name / f"p{index}.jpg", quality=95)
            else:
                image.save(root / name / f"p{index}.png")
    Image.fromarray(pixels(1, 48, seed=900)[0]).convert("L").save(root / "cats" / "grey.png")
    colour = Image.fromarray(pixels(1, 48, seed=901)[0])
    colour.putalpha(Image.fromarray(pixels(1, 48, seed=902)[0]).convert("L"))
    colour.save(root / "dogs" / "see-through.png")
    return root


@pytest.fixture(scope="module")
def scenes() -> ImageSet:
    """60 images of 24 px in three classes, each a coloured texture under noise of its own."""
    rng = np.random.default_rng(2)
    base = rng.integers(90, 165, (3, 6, 6, 3)).repeat(4, 1).repeat(4, 2)
    pixels = np.stack([base[i % 3] + rng.normal(0, 15, (24, 24, 3)) for i in range(60)])
    return arrays(pixels.clip(0, 255).astype(np.uint8), ["a", "b", "c"] * 20)
