"""From the options of a command to how a plugin is to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from medviewer.cli.options import Thorough
from medviewer.cli.reading import read
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.run_choice import RunChoice
    from medviewer.inference.preparing.channels import Channel
    from medviewer.plugin_api import Manifest


def choice_of(
    manifest: Manifest,
    parameters: Sequence[str] | None,
    tta: Thorough,
    samples: int,
    uncertainty: bool,
    ensemble: Sequence[str] | None,
) -> RunChoice:
    """What was chosen; a parameter that the plugin does not have, or a value that cannot be, raises InputError."""
    from medviewer.app.run_choice import RunChoice
    from medviewer.inference.parameters import checked_parameters, parsed

    chosen = {name: parsed(value) for name, value in _pairs(parameters, "--set").items()}
    checked_parameters(manifest, chosen)
    return RunChoice(chosen, ensemble=tuple(ensemble or ()), tta=tta.value, samples=samples, uncertainty=uncertainty)


def channels_of(manifest: Manifest, channels: Sequence[str] | None) -> dict[str, Channel] | None:
    """The images of the further channels, read from their paths; None where none were named.

    Raises
    ------
    InputError
        If the plugin has no channel of that name.
    """
    named = _pairs(channels, "--channel")
    known = manifest.inputs.channels[1:]
    unknown = [name for name in named if name not in known]
    if unknown:
        has = f"its further channels are: {', '.join(known)}" if known else "it looks at one image"
        raise InputError(f"{manifest.name} has no further channel {', '.join(unknown)}; {has}.")
    cases = {name: read(Path(path), None, manifest) for name, path in named.items()}
    return {name: (case.image, case.series) for name, case in cases.items()} or None


def _pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"needs NAME=VALUE, not {text!r}.", param_hint=option)
        pairs[name] = value
    return pairs
