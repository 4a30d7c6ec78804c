"""Surrogate and target architectures, by name."""

from unlearnable.models import cct as _cct
from unlearnable.models import cnn as _cnn
from unlearnable.models import densenet as _densenet
from unlearnable.models import ensemble as _ensemble
from unlearnable.models import inception as _inception
from unlearnable.models import linear as _linear
from unlearnable.models import mobile as _mobile
from unlearnable.models import resnet as _resnet
from unlearnable.models import vgg as _vgg
from unlearnable.models.registry import builder, create, names, parse, register, revision

__all__ = ["builder", "create", "names", "parse", "register", "revision"]
_BUILT_IN = (
    _cct,
    _cnn,
    _densenet,
    _ensemble,
    _inception,
    _linear,
    _mobile,
    _resnet,
    _vgg,
)  # importing them registers them
