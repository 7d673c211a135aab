"""What a detector found: looked at one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medviewer.app.commands import heatmaps
from medviewer.app.mask_store import phase_of
from medviewer.domain.finding import Detections
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services


def jump(services: Services, number: int) -> None:
    """Look at one of the things that were found: the crosshair goes to its middle, in its phase.

    Raises
    ------
    InputError
        If there are fewer.
    """
    session = services.session
    found = session.detections.found if session.detections is not None else ()
    if not 0 <= number < len(found):
        raise InputError(f"There are {len(found)} finds to look at, not one of number {number + 1}; choose another.")
    session.chosen_detection = number
    assert session.detections is not None
    heatmaps.show_phase(session, phase_of(session.detections))
    session.view.cursor = session.detections.grid.clamp(found[number].centre)


def step(services: Services, steps: int) -> None:
    """Look at the next find, or at the one before; after the last comes the first. Raises InputError if none is."""
    session = services.session
    count = len(session.detections.found) if session.detections is not None else 0
    if not count:
        raise InputError("There is nothing that was found to look at; run a plugin that detects.")
    start = session.chosen_detection if session.chosen_detection >= 0 or steps < 0 else -1
    jump(services, (start + steps) % count)


def show(services: Services, found: Detections) -> str:
    """Show what was found, and say how much of what: one sentence without its full stop."""
    session = services.session
    session.detections, session.chosen_detection = found, -1
    return said(found)


def said(found: Detections) -> str:
    """How much of what was found, for example ``Found 2 × Nodule, 1 × Mass``: a label need not have a plural."""
    counts: dict[str, int] = {}
    for one in found.found:
        counts[one.label] = counts.get(one.label, 0) + 1
    return f"Found {', '.join(f'{count} × {label}' for label, count in counts.items())}" if counts else "Nothing found"


def to_json(found: Detections) -> list[dict[str, Any]]:
    """What was found for a file, the surest first.

    Boxes are in voxels (z, y, x) of the image's grid, edge to edge, where voxel k reaches from k to k + 1; middles are
    in mm along the patient's axes (LPS), sizes in mm along z, y, x.
    """
    return [
        {
            "label": one.label,
            "score": one.score,
            "low": list(one.low),
            "high": list(one.high),
            "centre_mm": [round(float(mm), 3) for mm in found.grid.index_to_world(one.centre)],
            "size_mm": [round(mm, 3) for mm in one.size_mm(found.grid)],
        }
        for one in found.found
    ]
