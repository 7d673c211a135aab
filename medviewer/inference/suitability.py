"""Whether a plugin may see an image at all: modality, dimensions, body part and view, as far as the header says."""

from __future__ import annotations

from collections.abc import Iterable

from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import UnsuitableImageError
from medviewer.plugin_api import Manifest


def check_suitable(manifest: Manifest, image: Image, series: Series) -> None:
    """Refuse an image that the plugin was not made for.

    A header that names another modality, body part or view refuses; one that says nothing passes, unless the manifest
    requires the body part. A file format without a header for it (NIfTI) says nothing: see `doubts`. Image and series
    may disagree on the modality only where one of them does not know it (``OT``).

    Raises
    ------
    UnsuitableImageError
        With what the plugin expects, what came and what to do.
    """
    inputs = manifest.inputs
    modality = _modality(image, series)
    if inputs.modality and modality not in inputs.modality and not _says_nothing(image, series):
        raise _refusal(manifest, f"images of modality {_any_of(inputs.modality)}", modality or "none")
    if image.is_colour:
        raise _refusal(manifest, "grey images", "colour")
    if image.is_volume != (inputs.ndim == 3):
        wanted = "a volume of several slices" if inputs.ndim == 3 else "a single picture"
        raise _refusal(manifest, wanted, f"{image.grid.shape[0]} slice" + "s" * (image.grid.shape[0] != 1))
    _check_header(manifest, "body part", inputs.body_part, series.body_part, inputs.require_body_part)
    _check_header(manifest, "view", inputs.view, series.view, required=False)


def doubts(manifest: Manifest, image: Image, series: Series) -> tuple[str, ...]:
    """What is to be read beside the result: what the file does not say, and that other phases were not looked at."""
    found = []
    if manifest.inputs.modality and _says_nothing(image, series):
        made_for = _any_of(manifest.inputs.modality)
        found.append(f"The file does not say its modality; {manifest.name} is made for {made_for}.")
    if image.dynamic is not None and len(image.dynamic.axis) > 1:
        axis = image.dynamic.axis
        value = f" ({axis.values[image.phase]:g} {axis.unit})" if axis.unit else ""
        found.append(f"Made from {axis.name} {image.phase + 1} of {len(axis)}{value}, and from no other.")
    return tuple(found)


def _modality(image: Image, series: Series) -> str:
    return (series.modality if image.modality in ("", "OT") else image.modality).upper()


def _says_nothing(image: Image, series: Series) -> bool:
    """Whether the format has no place for a modality; in DICOM, OT is a statement."""
    return series.reader != "dicom" and _modality(image, series) in ("", "OT")


def _check_header(manifest: Manifest, what: str, accepted: Iterable[str], said: str, required: bool) -> None:
    value, known = said.strip().upper(), tuple(accepted)
    if not known or value in known or (not value and not required):
        return
    raise _refusal(manifest, f"the {what} {_any_of(known)}", value or "nothing in the header")


def _refusal(manifest: Manifest, expected: str, came: str) -> UnsuitableImageError:
    return UnsuitableImageError(f"{manifest.name} expects {expected}, but this is {came}; choose a series that fits.")


def _any_of(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
