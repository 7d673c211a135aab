"""Arguments and options that several commands share: one name and one help text each."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Thorough(StrEnum):
    """Which mirrored passes are averaged."""

    OFF = "off"
    FAST = "fast"
    FULL = "full"


class Device(StrEnum):
    """Where a plugin runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


SOURCE = Annotated[Path, typer.Argument(metavar="PATH", help="A folder, file, DICOMDIR or ZIP archive with images.")]
OUTPUT = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")]
SERIES = Annotated[
    str | None,
    typer.Option(
        "--series", metavar="UID", help="Which series, where there are several (info lists them); by default the first."
    ),
]
PLUGIN = Annotated[str, typer.Option("--plugin", metavar="ID", help="The plugin; `medviewer plugin list` shows them.")]
INSTALLED_ID = Annotated[str, typer.Argument(metavar="ID", help="The plugin's id; `medviewer plugin list` shows them.")]
YES = Annotated[bool, typer.Option("--yes", help="You have read what is shown; do not ask.")]
DEVICE = Annotated[Device, typer.Option("--device", help="Where it runs; auto takes CUDA where there is one.")]
JSON = Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")]
ANY_PLUGIN = Annotated[str | None, typer.Option("--plugin", metavar="ID", help="Only what belongs to this plugin.")]

SET = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the plugin; VALUE is JSON or a word. Repeatable."),
]
TTA = Annotated[
    Thorough, typer.Option("--tta", help="Average over mirrored images: fast takes left-right, full every axis.")
]
SAMPLES = Annotated[
    int,
    typer.Option("--samples", min=0, max=100, metavar="N", help="Passes with dropout switched on; 0 leaves it off."),
]
UNCERTAINTY = Annotated[
    bool, typer.Option("--uncertainty", help="Also write maps of the doubt, as the output's name + .METHOD.nii.gz.")
]
ENSEMBLE = Annotated[
    list[str] | None,
    typer.Option("--ensemble", metavar="VERSION", help="A further model version to average with. Repeatable."),
]
CHANNEL = Annotated[
    list[str] | None,
    typer.Option("--channel", metavar="NAME=PATH", help="The image of a further channel of the plugin. Repeatable."),
]
