"""Countermeasures against loops written from their papers, image by image and draw by draw."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from batches import CPU, lived_in, some
from unlearnable import countermeasures
from unlearnable.countermeasures import Chain, Countermeasure, create, setting
from unlearnable.countermeasures import operations as module
from unlearnable.countermeasures.autoaugment import POLICY, _policy
from unlearnable.countermeasures.autoaugment import SPACE as AUTO
from unlearnable.countermeasures.base import in_chunks
from unlearnable.countermeasures.blur import matrix
from unlearnable.countermeasures.operations import OPERATIONS, Magnitude, apply, space
from unlearnable.countermeasures.project import Project, orthonormal, removed
from unlearnable.data.arrays import arrays
from unlearnable.data.photo import Photo
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.pgd import attack
from unlearnable.training.randomness import generator

DOUBLE = Compute("cpu", "float64")


def different(count: int, side: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Float images that are all different, with probabilities of 5 classes that differ as well."""
    x = torch.rand(count, 3, side, side, generator=generator(1))
    return x, torch.rand(count, 5, generator=generator(2)).softmax(1)


# Mixtures


@pytest.mark.parametrize("seed", range(4))
def test_mixup_is_one_weight_and_one_order_for_images_and_labels(seed: int) -> None:
    x, y = different(7)
    rng = generator(seed)
    weight = float(torch.rand((), generator=rng))
    order = torch.randperm(7, generator=rng)
    seen, targets = create("mixup").batch(x, y, generator(seed), CPU)
    for i in range(7):
        assert torch.allclose(seen[i], weight * x[i] + (1 - weight) * x[order[i]], atol=1e-6)
        assert torch.allclose(targets[i], weight * y[i] + (1 - weight) * y[order[i]], atol=1e-6)


@pytest.mark.parametrize("probability", ["", ":1", ":0.2", ":0"])
def test_cutmix_pastes_one_rectangle_of_the_partner_at_the_same_place(probability: str) -> None:
    x, y = different(6)
    happened = 0
    for seed in range(60):
        rng = generator(seed)
        happens, unchanged = torch.rand(2, generator=rng).tolist()
        down, across = torch.randint(0, 20, (2,), generator=rng).tolist()
        order = torch.randperm(6, generator=rng)
        seen, targets = create(f"cutmix{probability}").batch(x, y, generator(seed), CPU)
        if happens >= float(probability[1:] or 0.5):
            assert torch.equal(seen, x)
            assert torch.equal(targets, y)
            continue
        happened += 1
        half = int(20 * math.sqrt(1 - unchanged)) // 2
        wanted, pasted = x.clone(), 0
        for row in range(20):
            for column in range(20):
                if down - half <= row < down + half and across - half <= column < across + half:
                    wanted[:, :, row, column] = x[order, :, row, column]
                    pasted += 1
        assert torch.equal(seen, wanted)
        assert torch.allclose(targets, y + pasted / 400 * (y[order] - y), atol=1e-6)
    share = float(probability[1:] or 0.5)
    assert abs(happened / 60 - share) < 0.2
    assert happened or not share


@pytest.mark.parametrize(
    ("spec", "side", "length"), [("cutout", 20, 10), ("cutout:3", 64, 6), ("cutout:1", 16, 1)]
)
def test_cutout_is_a_square_around_a_pixel_of_each_image(spec: str, side: int, length: int) -> None:
    x, y = different(40, side)
    x = x + 0.1
    centre = torch.randint(0, side, (2, 40, 1), generator=generator(5))[..., 0]
    seen, targets = create(spec).batch(x, y, generator(5), CPU)
    for i in range(40):
        wanted = x[i].clone()
        top, left = (int(centre[axis, i]) - length // 2 for axis in (0, 1))
        wanted[:, max(0, top) : max(0, top + length), max(0, left) : max(0, left + length)] = 0
        assert torch.equal(seen[i], wanted)
    assert torch.equal(targets, y)


@pytest.mark.parametrize("epsilon", [6.0, 200.0])
def test_added_noise_is_uniform_and_clipped(epsilon: float) -> None:
    x, y = different(30)
    seen, targets = create(f"noise:{epsilon:g}").batch(x, y, generator(5), CPU)
    drawn = (2 * torch.rand(x.shape, generator=generator(5)) - 1) * epsilon / 255
    assert torch.allclose(seen, (x + drawn).clamp(0, 1), atol=1e-6)
    assert torch.equal(targets, y)
    assert create("noise").spec == "noise:8"


def test_adversarial_training_climbs_two_and_a_half_budgets() -> None:
    (images, labels), model = some(6, 16), lived_in()
    x, y = images / 255, F.one_hot(labels, 3).float()
    for spec, epsilon, step, steps in (
        ("adversarial", 8, 2.0, 10),
        ("adversarial:4,5", 4, 2.0, 5),
        ("adversarial:3,1", 3, 7.5, 1),
    ):
        found = create(spec).step(model, x, y, generator(3), CPU)
        assert torch.equal(found, attack(model, x, y, epsilon, step, steps, generator(3), CPU))


# Augmentations


def test_every_magnitude_is_the_one_of_its_paper() -> None:
    found = space(rotate=30, shear=0.3, shift=0.4, blend=0.9, bits=4)
    strengths, signs = torch.tensor([0.0, 0.5, 1.0, 1.0]), torch.tensor([1.0, -1.0, 1.0, -1.0])
    wanted = {
        "rotate": [0, -15, 30, -30],
        "shear_x": [0, -0.15, 0.3, -0.3],
        "shear_y": [0, -0.15, 0.3, -0.3],
        "translate_x": [0, -0.2, 0.4, -0.4],
        "translate_y": [0, -0.2, 0.4, -0.4],
        **{name: [1, 0.55, 1.9, 0.1] for name in ("color", "contrast", "brightness", "sharpness")},
        "posterize": [8, 6, 4, 4],
        "solarize": [256, 128, 0, 0],
        **{name: [0, 0, 0, 0] for name in ("identity", "autocontrast", "equalize")},
    }
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        assert found[name](strengths, signs).tolist() == pytest.approx(values, abs=1e-6), name
    assert list(found) == [
        "identity",
        "autocontrast",
        "equalize",
        "rotate",
        "shear_x",
        "shear_y",
        "translate_x",
        "translate_y",
        "color",
        "contrast",
        "brightness",
        "sharpness",
        "posterize",
        "solarize",
    ]
    assert Magnitude(2.0, 3.0)(strengths, signs).tolist() == [2.0, 3.5, 5.0, 5.0]


def applied(
    x: torch.Tensor,
    kinds: list[int],
    strengths: list[float],
    signs: list[float],
    magnitudes: dict[str, Magnitude],
) -> torch.Tensor:
    """One operation on each image, alone."""
    out = []
    for image, kind, strength, sign in zip(x, kinds, strengths, signs, strict=True):
        if kind < 0:
            out.append(image)
            continue
        name = list(magnitudes)[kind]
        value = magnitudes[name](torch.tensor([strength]), torch.tensor([sign]))
        out.append(OPERATIONS[name](image[None], value.view(1, 1, 1, 1))[0])
    return torch.stack(out)


def drawn_signs(count: int, rng: torch.Generator) -> list[float]:
    return (1 - 2 * torch.randint(0, 2, (count,), generator=rng)).tolist()


def test_each_image_gets_its_own_operation_strength_and_sign() -> None:
    x, _ = different(60)
    kinds = torch.arange(60) % (len(AUTO) + 1) - 1
    strengths = torch.linspace(0, 1, 60)
    before = x.clone()
    found = apply(x, kinds, strengths, AUTO, generator(7), CPU)
    signs = drawn_signs(60, generator(7))
    assert set(signs) == {1.0, -1.0}
    wanted = applied(x, kinds.tolist(), strengths.tolist(), signs, AUTO)
    assert torch.allclose(found, wanted, atol=1e-6)
    assert torch.equal(x, before)


def test_randaugment_draws_its_operations_evenly_at_one_strength() -> None:
    x, y = different(50)
    magnitudes = space(rotate=30, shear=0.3, shift=150 / 331, blend=0.9, bits=4)
    for spec, count, magnitude in (("randaugment", 2, 9), ("randaugment:3,20", 3, 20)):
        rng, wanted = generator(4), x
        for _ in range(count):
            kinds = torch.randint(0, 14, (50,), generator=rng).tolist()
            wanted = applied(wanted, kinds, [magnitude / 30] * 50, drawn_signs(50, rng), magnitudes)
        seen, targets = create(spec).batch(x, y, generator(4), CPU)
        assert torch.allclose(seen, wanted, atol=1e-5)
        assert torch.equal(targets, y)


@pytest.mark.parametrize("side", [20, 64])
def test_trivialaugment_draws_one_operation_and_one_of_31_strengths(side: int) -> None:
    x, y = different(50, side)
    wide = space(rotate=135, shear=0.99, shift=32 / side, blend=0.99, bits=6)
    rng = generator(4)
    kinds = torch.randint(0, 14, (50,), generator=rng).tolist()
    strengths = (torch.randint(0, 31, (50,), generator=rng) / 30).tolist()
    wanted = applied(x, kinds, strengths, drawn_signs(50, rng), wide)
    seen, targets = create("trivialaugment").batch(x, y, generator(4), CPU)
    assert torch.allclose(seen, wanted, atol=1e-5)
    assert torch.equal(targets, y)


def test_the_policy_of_autoaugment_is_read_line_by_line() -> None:
    kinds, numbers = _policy()
    assert kinds.shape == (25, 2)
    assert numbers.shape == (25, 2, 2)
    names = list(AUTO)
    for row, line in enumerate(POLICY.strip().splitlines()):
        words = line.split()
        for position in (0, 1):
            name, probability, magnitude = words[3 * position : 3 * position + 3]
            assert names[kinds[row, position]] == name
            assert numbers[row, position].tolist() == pytest.approx([float(probability), int(magnitude) / 10])
    # the first line: invert with 0.1, then contrast with 0.2 at 6 of 10
    assert [names[kind] for kind in kinds[0]] == ["invert", "contrast"]
    assert numbers[0].flatten().tolist() == pytest.approx([0.1, 0.7, 0.2, 0.6])


def test_autoaugment_draws_a_pair_and_applies_each_with_its_probability() -> None:
    x, y = different(80)
    kinds, numbers = _policy()
    rng = generator(4)
    chosen, wanted = torch.randint(0, 25, (80,), generator=rng), x
    for position in (0, 1):
        happens = torch.rand(80, generator=rng) < numbers[chosen, position, 0]
        now = [int(kinds[row, position]) if it else -1 for row, it in zip(chosen, happens, strict=True)]
        strengths = numbers[chosen, position, 1].tolist()
        wanted = applied(wanted, now, strengths, drawn_signs(80, rng), AUTO)
    seen, targets = create("autoaugment").batch(x, y, generator(4), CPU)
    assert torch.allclose(seen, wanted, atol=1e-5)
    assert torch.equal(targets, y)


def test_operations_stay_in_the_range_of_a_pixel_at_both_ends() -> None:
    x, _ = different(8)
    x[:4] = (x[:4] > 0.5).float()
    for name, operation in OPERATIONS.items():
        for value in (-0.9, 0.1, 1.9):
            given = {"posterize": 8 - 3 * abs(value), "solarize": 128 * abs(value)}.get(name, value)
            if name in ("color", "contrast", "brightness", "sharpness"):
                given = abs(value)
            found = operation(x, torch.full((8, 1, 1, 1), given))
            assert 0 <= float(found.min()) <= float(found.max()) <= 1, name
            assert found.shape == x.shape


def test_flat_images_have_no_contrast_to_stretch_and_no_levels_to_equalise() -> None:
    flat = torch.full((2, 3, 8, 8), 100 / 255)
    flat[1, 0, 0, 0] = 1.0
    none = torch.zeros(2, 1, 1, 1)
    stretched = OPERATIONS["autocontrast"](flat, none)
    assert torch.equal(stretched[0], flat[0])
    assert stretched[1, 0, 0, 0] == 1
    assert stretched[1, 0, 0, 1] == 0
    assert torch.equal(stretched[1, 1:], flat[1, 1:])
    assert torch.allclose(OPERATIONS["equalize"](flat, none)[0], flat[0])
    assert set(module.OPERATIONS) >= {*AUTO}


# Photos


def test_jpeg_is_pillows_of_that_quality_without_the_other_chroma() -> None:
    photo = Photo(np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8))
    for quality in (10, 75):
        buffer = io.BytesIO()
        Image.fromarray(photo.pixels).save(buffer, "JPEG", quality=quality, subsampling=2)
        wanted = np.asarray(Image.open(buffer))
        spec = "jpeg" if quality == 10 else f"jpeg:{quality}"
        found = create(spec).members[0].photo(photo, generator(0)).pixels
        assert np.array_equal(found, wanted)
        assert not np.array_equal(found, photo.pixels)


@pytest.mark.parametrize(
    ("factor", "small"), [(2.0, (20, 11)), (3.0, (13, 7)), (64.0, (1, 1)), (1.0, (40, 22))]
)
def test_a_photo_is_shrunk_by_the_factor_and_enlarged_to_its_own_size(
    factor: float, small: tuple[int, int]
) -> None:
    photo = Photo(np.random.default_rng(0).integers(0, 256, (22, 40, 3), dtype=np.uint8))
    image = Image.fromarray(photo.pixels).resize(small, Image.Resampling.BILINEAR)
    wanted = np.asarray(image.resize((40, 22), Image.Resampling.BILINEAR))
    found = create(f"shrink:{factor:g}").members[0].photo(photo, generator(0)).pixels
    assert np.array_equal(found, wanted)


def test_a_grey_photo_stays_and_a_colour_photo_loses_its_profile() -> None:
    grey = Photo(np.zeros((4, 4), np.uint8))
    assert create("grey").members[0].photo(grey, generator(0)) is grey
    colour = Photo(np.full((4, 4, 3), (255, 0, 0), np.uint8), profile=b"profile")
    found = create("grey").members[0].photo(colour, generator(0))
    assert found.profile is None
    assert (found.pixels == 76).all()


# Squares


@pytest.mark.parametrize(("side", "sigma"), [(32, 1.0), (48, 1.5), (8, 0.7), (5, 4.0)])
def test_a_blur_is_a_gaussian_over_a_mirrored_row(side: int, sigma: float) -> None:
    radius = int(4 * sigma) + 1
    bell = [math.exp(-(o**2) / (2 * sigma**2)) for o in range(-radius, radius + 1)]
    wanted = np.zeros((side, side))
    for row in range(side):
        for offset, weight in zip(range(-radius, radius + 1), bell, strict=True):
            at = (row + offset) % (2 * side)
            wanted[row, at if at < side else 2 * side - 1 - at] += weight / sum(bell)
    found = matrix(side, sigma)
    assert found.dtype == torch.float32
    assert np.allclose(found.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "side", "sigma"), [("blur", 32, 1.0), ("blur:2", 48, 3.0), ("blur:0.4", 64, 0.8)]
)
def test_images_are_blurred_along_both_axes_by_a_width_that_grows_with_them(
    spec: str, side: int, sigma: float
) -> None:
    images, labels = some(3, side)
    images = images.transpose(2, 3).contiguous()
    kernel = matrix(side, sigma).double().numpy()
    wanted = np.einsum("hi,ncij,wj->nchw", kernel, images.double().numpy(), kernel)
    found = create(spec).prepare(images, labels, generator(0), CPU)
    assert np.abs(found.double().numpy() - wanted).max() < 0.51
    assert not torch.equal(found, images)


def test_changes_are_made_on_a_few_images_at_a_time() -> None:
    images, _ = some(11, 16)
    seen: list[int] = []
    found = in_chunks(images, lambda chunk: seen.append(len(chunk)) or 255 - chunk, 4)
    assert seen == [4, 4, 3]
    assert torch.equal(found, 255 - images)
    assert found.dtype == torch.uint8
    seen.clear()
    in_chunks(images, lambda chunk: seen.append(len(chunk)) or chunk)
    assert seen == [11]


def test_a_linear_classifier_is_fitted_by_sgd_with_two_falls_of_the_rate() -> None:
    images, labels = some(60, 8)
    project = Project(epochs=8)
    rng = generator(6)
    size = 3 * 8 * 8
    weights = (2 * torch.rand(size, 3, generator=rng) - 1) / math.sqrt(size)
    x = images.flatten(1).float() / 255
    # 49 steps would need batches of one and a quarter: two images
    for rate in [0.1] * 4 + [0.01] * 2 + [0.001] * 2:
        for rows in torch.split(torch.randperm(60, generator=rng), 2):
            weights.requires_grad_(True)
            loss = F.cross_entropy(x[rows] @ weights, labels[rows])
            (gradient,) = torch.autograd.grad(loss, weights)
            weights = (weights - rate * gradient).detach()
    found = project.fit(images, labels, generator(6))
    assert torch.allclose(found, weights, atol=1e-5)
    basis = orthonormal(found)
    wanted = x - (x @ basis) @ basis.T
    assert torch.allclose(removed(images, basis), wanted, atol=1e-6)
    prepared = project.prepare(images, labels, generator(6), CPU)
    assert torch.equal(prepared, (wanted * 255).round().clamp(0, 255).byte().view(images.shape))
    assert Project().epochs == 20
    assert torch.equal(project.prepare(images, None, generator(6), CPU), images)
    many, _ = some(3000, 4)
    assert Project(epochs=1).fit(many, torch.arange(3000) % 7, generator(1)).shape == (48, 7)


# Contract and chains


@dataclass(frozen=True)
class Brighter(Countermeasure):
    """Adds its draw and marks its order."""

    name = "brighter"
    by: float = setting(0.25, 0.0, 0.5)
    times: int = setting(2, 1, 3)

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return x * self.times + self.by + torch.rand((), generator=rng), y + self.times


@dataclass(frozen=True)
class Both(Countermeasure):
    """Changes images of both sets, early."""

    name = "both"
    test_time = True
    revision = 7

    def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
        return Photo(255 - photo.pixels)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        return pixels // 2


@dataclass(frozen=True)
class Training(Both):
    """Changes training images only."""

    name = "training"
    test_time = False
    revision = 1

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        return pixels + 1


def test_settings_have_limits_that_belong_to_them() -> None:
    assert (Brighter().by, Brighter().times) == (0.25, 2)
    assert Brighter().spec == "brighter:0.25,2"
    assert Both().spec == "both"
    for low, high in ((0.0, 1), (0.5, 3)):
        assert Brighter(low, high).by == low
    for wrong, words in (
        (
            (0.51, 2),
            (
                "brighter: by is 0.51, but must be between 0 and 0.5.",
                "Give a value in this range, or brighter alone for the default, 0.25.",
            ),
        ),
        (
            (-0.01, 2),
            (
                "brighter: by is -0.01, but must be between 0 and 0.5.",
                "Give a value in this range, or brighter alone for the default, 0.25.",
            ),
        ),
        (
            (0.1, 4),
            (
                "brighter: times is 4, but must be between 1 and 3.",
                "Give a value in this range, or brighter alone for the default, 2.",
            ),
        ),
        (
            (0.1, 0),
            (
                "brighter: times is 0, but must be between 1 and 3.",
                "Give a value in this range, or brighter alone for the default, 2.",
            ),
        ),
    ):
        with pytest.raises(UsageError) as raised:
            Brighter(*wrong)
        assert (raised.value.problem, raised.value.remedy) == words
    assert Brighter().stages == ("batch",)
    assert Both().stages == ("photo", "prepare")


def test_a_chain_applies_its_members_in_order_with_one_generator() -> None:
    x, y = different(3)
    chain = Chain((Brighter(0.1, 3), Brighter(0.2, 1)))
    first, second = torch.rand(2, generator=generator(8))
    seen, targets = chain.batch(x, y, generator(8), CPU)
    assert torch.allclose(seen, x * 3 + 0.1 + first + 0.2 + second, atol=1e-6)
    assert torch.allclose(targets, y + 4, atol=1e-6)
    assert bool(chain)
    assert not Chain()
    assert chain.spec == "brighter:0.1,3+brighter:0.2,1"
    assert Chain().spec == "none"
    assert Chain((Both(), Training())).revisions == {"both": 7, "training": 1}
    assert Chain((Training(), Both())).test_time
    assert not Chain((Training(), Brighter())).test_time
    model = torch.nn.Linear(2, 2)
    assert Chain((Brighter(),)).step(model, x, y, generator(0), CPU) is x


def test_test_images_go_through_those_members_alone_that_hold_for_them() -> None:
    images, labels = some(4, 8)
    chain = Chain((Both(), Training()))
    assert torch.equal(chain.prepare(images, labels, generator(0), CPU), images // 2 + 1)
    assert torch.equal(chain.prepare(images, None, generator(0), CPU), images // 2)
    photos = arrays(images.permute(0, 2, 3, 1).numpy(), [0] * 4, ids=list("abcd"))
    trained, tested = chain.on_photos(photos, 0), chain.on_photos(photos, 0, test=True)
    # two members turn the photo over, one of them for training images alone
    assert np.array_equal(trained.photo("b").pixels, photos.photo("b").pixels)
    assert np.array_equal(tested.photo("b").pixels, 255 - photos.photo("b").pixels)
    only = Chain((Training(),))
    assert only.on_photos(photos, 0, test=True) is photos
    assert np.array_equal(only.on_photos(photos, 0).photo("b").pixels, 255 - photos.photo("b").pixels)
    assert Chain((Brighter(),)).on_photos(photos, 0) is photos


def test_names_that_a_list_leaves_out_by_their_first_stage() -> None:
    every = set(countermeasures.names())
    found = countermeasures.unlisted([], "photo", "prepare", "batch", "step")
    assert found == sorted(every)
    assert countermeasures.unlisted(["jpeg:30", "grey"], "photo") == ["shrink"]
    assert {"adversarial"} <= set(countermeasures.unlisted([], "step")) <= every - {"jpeg", "blur", "cutout"}
    prepare = countermeasures.unlisted(["blur"], "prepare")
    assert {"bitdepth", "project"} <= set(prepare) <= every - {"blur", "jpeg", "adversarial", "cutout"}


def test_a_specification_gives_settings_by_position_and_type() -> None:
    one = create("adversarial:4.5,3").members[0]
    assert (one.epsilon, one.steps) == (4.5, 3)  # type: ignore[attr-defined]
    assert create(" adversarial:4.5 ").members[0].steps == 10  # type: ignore[attr-defined]
    assert [member.name for member in create("grey+none+cutout:4").members] == ["grey", "cutout"]
    assert create("randaugment:1,30").spec == "randaugment:1,30"
    for spec, words in (
        (
            "jpeg:1,2",
            ("'jpeg:1,2' has 2 values.", "jpeg has quality (default 10). Write jpeg:10, for example."),
        ),
        ("mixup:1", ("'mixup:1' has 1 values.", "mixup has no settings. Write mixup, for example.")),
        ("jpeg:x", ("'jpeg:x': quality must be a whole number, not 'x'.", "Write jpeg:10, for example.")),
        ("blur:x", ("'blur:x': sigma must be a number, not 'x'.", "Write blur:1, for example.")),
        ("grey+", ("'grey+' has a + with no countermeasure beside it.", "Write 'grey'.")),
        ("+", ("'+' has a + with no countermeasure beside it.", "Write 'none'.")),
    ):
        with pytest.raises(UsageError) as raised:
            create(spec)
        assert (raised.value.problem, raised.value.remedy) == words
    with pytest.raises(UsageError, match="A chain is given as a string, not as 3"):
        create(3)  # type: ignore[arg-type]
