"""Domain values as JSON-ready dictionaries, for the database's columns."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from medviewer.domain.geometry import Grid
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
