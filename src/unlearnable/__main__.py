"""``python -m unlearnable``: the same command line as ``unlearnable``."""

from unlearnable.cli.app import app

app(prog_name="unlearnable")
