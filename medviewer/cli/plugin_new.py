"""``medviewer plugin new``: a plugin to start from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medviewer.cli.console import report, say


class Kind(StrEnum):
    """What a plugin can be."""

    SEGMENT = "segment"
    CLASSIFY = "classify"
    DETECT = "detect"
    INTERACTIVE = "interactive"
    EXPLAIN = "explain"
    TRAIN = "train"


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the package, such as lesion_finder.")],
    kind: Annotated[
        list[Kind],
        typer.Option("--kind", help="What it does; give it again for more: --kind segment --kind explain."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the folder NAME is made; by default here.")
    ] = Path(),
) -> None:
    """Write a plugin to start from.

    It works at once, with a network that learns for a second on made-up images, and brings its own tests. Put your
    network, checkpoint and labels in their places. Nothing is overwritten.
    """
    from medviewer.app.commands.scaffold import new_plugin

    made = new_plugin(
        name, [str(one) for one in kind], output, training=lambda: say("Training the first weights on made-up images…")
    )
    report(f"Wrote {made.folder}: {len(made.files)} files; README.md says what each is for")
    report(made.made)
    report("Next:")
    for command in ("medviewer plugin check", "python -m pytest", "medviewer plugin install"):
        report(f"  {command} {made.folder}")
