"""The experiments, one file each: a grid of cells, claims that can be checked, and published figures."""
