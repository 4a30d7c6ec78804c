"""What somebody who wants to learn from the data anyway may try: one file each, by name, in chains (``jpeg:10+cutout``)."""

from unlearnable.countermeasures import adversarial as _adversarial
from unlearnable.countermeasures import autoaugment as _autoaugment
from unlearnable.countermeasures import bitdepth as _bitdepth
from unlearnable.countermeasures import blur as _blur
from unlearnable.countermeasures import cutmix as _cutmix
from unlearnable.countermeasures import cutout as _cutout
from unlearnable.countermeasures import grey as _grey
from unlearnable.countermeasures import jpeg as _jpeg
from unlearnable.countermeasures import mixup as _mixup
from unlearnable.countermeasures import noise as _noise
from unlearnable.countermeasures import project as _project
from unlearnable.countermeasures import randaugment as _randaugment
from unlearnable.countermeasures import trivialaugment as _trivialaugment
from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.chain import Chain
from unlearnable.countermeasures.registry import create, names, register

__all__ = ["Chain", "Countermeasure", "create", "names", "register", "setting"]
_BUILT_IN = (  # importing them registers them
    _adversarial,
    _autoaugment,
    _bitdepth,
    _blur,
    _cutmix,
    _cutout,
    _grey,
    _jpeg,
    _mixup,
    _noise,
    _project,
    _randaugment,
    _trivialaugment,
)
