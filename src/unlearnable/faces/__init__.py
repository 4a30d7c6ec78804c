"""The faces of people in their photos: found, aligned, protected, and found again."""

from unlearnable.faces import detectors as detectors
