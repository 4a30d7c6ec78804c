"""Detectors of faces by name, one file each."""

from unlearnable.faces.detectors import retinaface as retinaface
from unlearnable.faces.detectors import yunet as yunet
