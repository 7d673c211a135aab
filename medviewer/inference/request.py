"""What travels between the window's process and the child that runs a plugin, beside the voxels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Lut, Rescale, Window

Tta = Literal["off", "fast", "full"]


@dataclass(frozen=True)
class RunOptions:
    """How thorough a run is; the defaults are one pass of one version.

    Parameters
    ----------
    tta
        Test-time augmentation by flips: ``off``; ``fast``, the image and its left-right mirror; ``full``, every
        combination of the axes, 8 of a volume and 4 of a picture.
    samples
        Passes with dropout switched on (Gal and Ghahramani 2016); 0 leaves it off.
    uncertainty
        Whether a voxel map of the doubt is wanted; it needs more than one pass to show disagreement.
    ensemble
        Weights of further versions whose answers are averaged with this one's.
    ensemble_sha256
        What each of them has to hash to; empty when nobody knows that beforehand.
    """

    tta: Tta = "off"
    samples: int = 0
    uncertainty: bool = False
    ensemble: tuple[Path, ...] = ()
    ensemble_sha256: tuple[str, ...] = ()

    @property
    def versions(self) -> tuple[tuple[Path, str], ...]:
        """The further versions' weights, each with what it has to hash to."""
        unknown = ("",) * len(self.ensemble)
        return tuple(zip(self.ensemble, self.ensemble_sha256 or unknown, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        plain = {"tta": self.tta, "samples": self.samples, "uncertainty": self.uncertainty}
        return {**plain, "ensemble": [[str(path), sha256] for path, sha256 in self.versions]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunOptions:
        """Read back what `to_json` wrote."""
        versions = data.get("ensemble", ())
        paths = tuple(Path(path) for path, _ in versions)
        return cls(**{**data, "ensemble": paths, "ensemble_sha256": tuple(sha256 for _, sha256 in versions)})


@dataclass(frozen=True)
class PluginRun:
    """One run of one plugin.

    Parameters
    ----------
    folder
        The plugin's package folder.
    weights, sha256
        The safetensors file, and what it has to hash to; empty when nobody knows that beforehand.
    model_version
        The version of these weights.
    device
        ``auto``, ``cpu`` or ``cuda``; the child resolves it.
    parameters
        What was chosen for this run.
    adapter
        The folder of the adapter that runs it, None for a plugin with code of its own.
    fingerprint
        What the plugin's folder has to hash to before its code runs (`plugin_api.fingerprint`); empty where the user's
        trust is not needed.
    trusted
        Whether code that came with the plugin may run at all.
    options
        How thorough it is.
    """

    folder: Path
    weights: Path
    sha256: str = ""
    model_version: str = ""
    device: str = "auto"
    parameters: dict[str, Any] = field(default_factory=dict)
    adapter: Path | None = None
    fingerprint: str = ""
    trusted: bool = True
    options: RunOptions = field(default_factory=RunOptions)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            **vars(self),
            "folder": str(self.folder),
            "weights": str(self.weights),
            "adapter": str(self.adapter) if self.adapter else "",
            "options": self.options.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PluginRun:
        """Read back what `to_json` wrote."""
        adapter, options = data.get("adapter"), data.get("options")
        paths = {"folder": Path(data["folder"]), "weights": Path(data["weights"])}
        chosen = RunOptions.from_json(options) if options else RunOptions()
        return cls(**{**data, **paths, "adapter": Path(adapter) if adapter else None, "options": chosen})


def image_to_json(image: Image) -> dict[str, Any]:
    """Everything of an image but its voxels, JSON-ready."""
    return {
        "grid": asdict(image.grid),
        "modality": image.modality,
        "rescale": asdict(image.rescale),
        # VOI LUTs stay behind: they are for a reader's eyes, and a network gets real values
        "windows": [asdict(window) for window in image.windows if window.lut is None],
        "inverted": image.inverted,
        "calibrated": image.calibrated,
        "padding": image.padding,
        "series_uid": image.series_uid,
        "lut": None if image.lut is None else {**vars(image.lut), "table": image.lut.table.tolist()},
    }


def image_from_json(data: dict[str, Any], voxels: NDArray[np.generic]) -> Image:
    """The image that `image_to_json` described, with its voxels."""
    slope, intercept = (_number_or_tuple(data["rescale"][name]) for name in ("slope", "intercept"))
    return Image(
        voxels,
        Grid(**data["grid"]),
        modality=data["modality"],
        rescale=Rescale(slope, intercept, data["rescale"]["unit"]),
        windows=tuple(Window(**window) for window in data["windows"]),
        inverted=data["inverted"],
        calibrated=data["calibrated"],
        padding=None if data["padding"] is None else (data["padding"][0], data["padding"][1]),
        series_uid=data["series_uid"],
        lut=_lut(data.get("lut")),  # cases of the queue from before there were any have none
    )


def _lut(data: dict[str, Any] | None) -> Lut | None:
    if data is None:
        return None
    table = np.array(data["table"], np.uint16)
    return Lut(data["first"], table.astype(np.uint8) if data["bits"] <= 8 else table, data["bits"])


def _number_or_tuple(value: float | list[float]) -> float | tuple[float, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def input_hash(image: Image) -> str:
    """SHA-256 of the stored voxels, their type and their grid, as lower-case hexadecimal."""
    return input_digest(image)


def input_digest(image: Image, stop: Callable[[], bool] = lambda: False) -> str:
    """`input_hash`, slice by slice, so that it can be stopped; what comes then is of no use."""
    header = {"dtype": image.voxels.dtype.str, "shape": image.voxels.shape, "grid": asdict(image.grid)}
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for plane in image.voxels:
        if stop():
            break
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()
