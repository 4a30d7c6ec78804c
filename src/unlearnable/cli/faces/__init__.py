"""``unlearnable faces``: the people in photos. One file per verb."""

from __future__ import annotations

import typer

from unlearnable.cli.faces.align import align
from unlearnable.cli.faces.find import find
from unlearnable.cli.faces.protect import protect
from unlearnable.cli.faces.verify import verify
from unlearnable.cli.verb import Verb

app = typer.Typer(no_args_is_help=True, help="Protect the faces of people in their photos.")
for verb in (find, protect, verify, align):
    app.command(cls=Verb)(verb)
