"""Settings that the profiles share: presets by form, and the sets of photos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unlearnable import presets
from unlearnable.experiments.profile import FORMS, Settings
from unlearnable.noise import Form

# the sets that are trained on as photos
PHOTOS = ("photos", "more-photos", "five-classes", "other-five-classes")
# half of the classes of Imagenette, on which settings were chosen, and the half on which they are reported
FIVE = ("cassette_player", "chain_saw", "church", "english_springer", "french_horn")
OTHER_FIVE = ("garbage_truck", "gas_pump", "golf_ball", "parachute", "tench")
# the first twelve of the 62 people of Labeled Faces in the Wild with 20 photos and more
TWELVE = (
    "Alejandro_Toledo",
    "Alvaro_Uribe",
    "Amelie_Mauresmo",
    "Andre_Agassi",
    "Angelina_Jolie",
    "Ariel_Sharon",
    "Arnold_Schwarzenegger",
    "Atal_Bihari_Vajpayee",
    "Bill_Clinton",
    "Carlos_Menem",
    "Colin_Powell",
    "David_Beckham",
)


def of_preset(name: str, form: Form, **changes: Any) -> Settings:
    """Return the settings of a preset without its surrogate, which a profile chooses."""
    merged = presets.merge(presets.read(name), None, {"form": form, **changes})
    return {key: value for key, value in merged.items() if key != "surrogate"}


def searches(
    minimizing: Callable[[Form], Settings], maximizing: Callable[[Form], Settings]
) -> dict[tuple[str, Form], Settings]:
    """Return the settings of every method by form, from functions of the form."""
    return {
        **{("error_minimizing", form): minimizing(form) for form in FORMS},
        **{("error_maximizing", form): maximizing(form) for form in FORMS},
        **{("random", form): {} for form in FORMS},
    }


def maximizing(form: Form, **more: Any) -> Settings:
    """Return the paper's settings of error-maximizing noise.

    The search stops once the surrogate misclassifies 90% of the images, or 80% for class-wise noise. The
    training of the surrogate is no setting of a form; each profile gives it.
    """
    return (
        {"steps": 20, "stop_error": 0.9, **more}
        if form == "samplewise"
        else {"steps": 1, "stop_error": 0.8, **more}
    )


def fast_of(name: str, rounds: int) -> Settings:
    """Return the settings that make a preset fast, with as many noise steps as ``rounds`` of one step."""
    table = presets.fast(presets.read(name), "samplewise")
    return {**table, "max_rounds": rounds // table["steps"]} if "steps" in table else table


def without(settings: Settings, *names: str) -> Settings:
    """Return settings without those named."""
    return {key: value for key, value in settings.items() if key not in names}


def of_photos(settings: Settings) -> dict[str, Settings]:
    """Return the same settings for every set of photos."""
    return dict.fromkeys(PHOTOS, settings)
