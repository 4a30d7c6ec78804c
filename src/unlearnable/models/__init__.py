"""Surrogate and target architectures, by name."""

from unlearnable.models import cnn as _cnn
from unlearnable.models import resnet as _resnet
from unlearnable.models.registry import create, names, parse, register

__all__ = ["create", "names", "parse", "register"]
_BUILT_IN = (_cnn, _resnet)  # importing them registers them
