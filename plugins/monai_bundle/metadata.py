"""What a bundle says of itself: name, version, licence, intended use, modality and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medviewer.errors import PluginError

_MODALITIES = {
    "CT": ["CT"],
    "MR": ["MR"],
    "MRI": ["MR"],
    "PT": ["PT"],
    "PET": ["PT"],
    "US": ["US"],
    "ULTRASOUND": ["US"],
    "CR": ["CR", "DX"],
    "DX": ["CR", "DX"],
    "X-RAY": ["CR", "DX"],
    "XRAY": ["CR", "DX"],
}
_MOST_LABELS = 65_535
_LONGEST = 600
"""Characters of a sentence that a bundle tells; its README has the rest."""


def identity(metadata: Mapping[str, Any], root: Path, fallback: str) -> dict[str, Any]:
    """Name, version, description and weights' origin as fields of a manifest."""
    version = str(metadata.get("version", ""))
    name = _sentence(metadata.get("name")) or fallback.replace("_", " ").strip().capitalize()
    authors = _sentence(metadata.get("authors")) or "unknown authors"
    data = _sentence(metadata.get("data_source"))
    return {
        "name": name,
        "version": version if re.fullmatch(r"\d+\.\d+\.\d+", version) else "1.0.0",
        "description": _sentence(metadata.get("description") or metadata.get("task")) or f"{name}, a MONAI bundle.",
        "weights": {
            "source": f"MONAI bundle {fallback} {version or 'without version'} by {authors}"
            + (f"; trained on {data}" if data else ""),
            "licence": _licence(metadata, root),
            "intended_use": _sentence(metadata.get("intended_use")) or "Research only, not for diagnosis.",
        },
    }


def image_format(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Modality and channels as fields of the manifest's `inputs`."""
    image = _first(metadata, "inputs")
    told = str(image.get("modality", "")).upper()
    found: dict[str, Any] = {"modality": _MODALITIES.get(told, []), "ndim": 3}
    count = image.get("num_channels")
    if isinstance(count, int) and 1 < count <= 64:
        names = _definitions(image)
        found["channels"] = [names.get(k) or f"channel {k + 1}" for k in range(count)]
    return found


def patch_size(metadata: Mapping[str, Any]) -> list[int]:
    """The shape that the network is fed, where it is numbers; else empty."""
    shape = _first(metadata, "inputs").get("spatial_shape", [])
    fine = isinstance(shape, list) and all(isinstance(number, int) and number > 0 for number in shape)
    return list(shape) if fine else []


def labels(metadata: Mapping[str, Any], skip_background: bool, count: int) -> list[dict[str, str]]:
    """The labels of the network's channels, in their order.

    Parameters
    ----------
    skip_background
        Whether channel 0 is the background.
    count
        Channels of the network's output, 0 if nobody says; channels without a name are numbered.
    """
    prediction = _first(metadata, "outputs")
    names = _definitions(prediction)
    told = prediction.get("num_channels")
    channels = count or (told if isinstance(told, int) and told > 0 else 0) or (max(names, default=0) + 1)
    if channels > _MOST_LABELS:
        raise PluginError(f"The bundle should have at most {_MOST_LABELS} labels, but it says {channels}.")
    if skip_background and names and len(names) == channels - 1 and 0 in names and channels - 1 not in names:
        names = {k + 1: name for k, name in names.items()}  # some number the labels and leave the background out
    return [{"name": names.get(k) or f"Label {k}"} for k in range(int(skip_background), channels)]


def _definitions(part: Mapping[str, Any]) -> dict[int, str]:
    told = part.get("channel_def")
    if not isinstance(told, Mapping):
        return {}
    return {int(key): _sentence(value) for key, value in told.items() if str(key).isdigit() and len(str(key)) < 6}


def _first(metadata: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    """The first image that a network takes, or answer that it gives."""
    form = metadata.get("network_data_format")
    parts = form.get(side) if isinstance(form, Mapping) else None
    found: object = next(iter(parts.values()), {}) if isinstance(parts, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _licence(metadata: Mapping[str, Any], root: Path) -> str:
    told = _sentence(metadata.get("license") or metadata.get("licence"))
    files = sorted(path for path in root.iterdir() if path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")))
    lines: list[str] = []
    for path in files[:1]:
        with path.open(encoding="utf-8", errors="replace") as stream:
            lines = [line.strip() for line in stream.read(20_000).splitlines() if line.strip()]
    title = " ".join(lines[:2])[:200] if lines else ""
    return told or title or "none stated; ask whoever made the bundle"


def _sentence(value: object) -> str:
    """Text in one line of a moderate length."""
    return re.sub(r"\s+", " ", str(value)).strip()[:_LONGEST] if isinstance(value, str | int | float) else ""
