"""Domain values as JSON-ready dictionaries, for the database's columns and for child processes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.mask import Code, Segment

Json = dict[str, Any]


def grid_to_json(grid: Grid) -> Json:
    """Shape, spacing, origin and direction."""
    return {
        "shape": list(grid.shape),
        "spacing": list(grid.spacing),
        "origin": list(grid.origin),
        "direction": list(grid.direction),
    }


def grid_from_json(data: Json) -> Grid:
    """Read back what `grid_to_json` wrote."""
    return Grid(**{name: tuple(values) for name, values in data.items()})


def segments_to_json(segments: tuple[Segment, ...]) -> list[Json]:
    """One dictionary a segment."""
    return [{**asdict(segment), "colour": list(segment.colour)} for segment in segments]


def segments_from_json(data: list[Json]) -> tuple[Segment, ...]:
    """Read back what `segments_to_json` wrote."""
    return tuple(
        Segment(row["label"], row["name"], tuple(row["colour"]), Code(**row["code"]), Code(**row["category"]))
        for row in data
    )


def image_to_json(image: Image) -> Json:
    """Everything about an image but its voxels."""
    return {
        "grid": grid_to_json(image.grid),
        "modality": image.modality,
        "rescale": {
            "slope": _numbers(image.rescale.slope),
            "intercept": _numbers(image.rescale.intercept),
            "unit": image.rescale.unit,
        },
        "windows": [asdict(window) for window in image.windows],
        "inverted": image.inverted,
        "calibrated": image.calibrated,
        "padding": list(image.padding) if image.padding else None,
        "series_uid": image.series_uid,
    }


def image_from_json(data: Json, voxels: NDArray[np.generic]) -> Image:
    """Read back what `image_to_json` wrote, around its voxels."""
    rescale = data["rescale"]
    return Image(
        voxels,
        grid_from_json(data["grid"]),
        modality=data["modality"],
        rescale=Rescale(_tupled(rescale["slope"]), _tupled(rescale["intercept"]), rescale["unit"]),
        windows=tuple(Window(**window) for window in data["windows"]),
        inverted=data["inverted"],
        calibrated=data["calibrated"],
        padding=tuple(data["padding"]) if data["padding"] else None,
        series_uid=data["series_uid"],
    )


def _numbers(value: float | tuple[float, ...]) -> float | list[float]:
    return [float(v) for v in value] if isinstance(value, tuple) else float(value)


def _tupled(value: float | list[float]) -> float | tuple[float, ...]:
    return tuple(value) if isinstance(value, list) else value
