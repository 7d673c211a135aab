"""Go to where a model was most in doubt, place by place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medviewer.app.commands import heatmaps
from medviewer.app.mask_store import phase_of
from medviewer.app.state import Session, Tour
from medviewer.domain.geometry import Vector
from medviewer.domain.heatmap import Heatmap
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services

_SMOOTH_MM = 3.0
"""Doubt is averaged over about this far: every edge of a mask is a thin shell of doubt, and only thick spots count."""
_OF_HIGHEST = 0.5
"""A place begins where the averaged doubt reaches this part of its highest value."""
_LEAST = 0.1
"""Where averaged doubt stays below this everywhere, there is nothing to look at."""
_STEP_MM = 1.5
"""Finer voxels are skipped: maps are as smooth as the network's own grid, and this many mm are found by eye."""
_MOST = 50
"""More places are more than anybody visits."""


@dataclass(frozen=True)
class Place:
    """One place of doubt.

    Parameters
    ----------
    index
        The voxel (z, y, x) at its most doubtful.
    mass
        Doubt times volume, in ml of full doubt: how much there is to look at.
    """

    index: tuple[int, int, int]
    mass: float


def places_of(values: NDArray[np.generic], spacing: Vector) -> tuple[Place, ...]:
    """The separate places of high doubt of a map, most first.

    Parameters
    ----------
    values
        Doubt, shape (z, y, x), 0..1.
    spacing
        Distance of its voxels along z, y, x in mm.
    """
    from scipy.ndimage import gaussian_filter, label, maximum_position
    from scipy.ndimage import sum as mass_of

    steps = [max(1, int(_STEP_MM / size)) for size in spacing]
    coarse = np.asarray(values[:: steps[0], :: steps[1], :: steps[2]], np.float32)
    sizes = [size * step for size, step in zip(spacing, steps, strict=True)]
    # An axis of one slice has nothing to average over.
    sigmas = [_SMOOTH_MM / size if count > 1 else 0.0 for size, count in zip(sizes, coarse.shape, strict=True)]
    smooth = gaussian_filter(coarse, sigmas, mode="nearest")
    highest = float(smooth.max())
    if highest < _LEAST:
        return ()
    found, count = label(smooth >= _OF_HIGHEST * highest, np.ones((3, 3, 3), bool))
    numbers = np.arange(1, count + 1)
    masses = np.asarray(mass_of(smooth, found, numbers)) * float(np.prod(sizes)) / 1000
    order = np.argsort(-masses, kind="stable")[:_MOST]
    peaks: list[Any] = maximum_position(smooth, found, numbers[order])
    last = np.array(values.shape) - 1
    return tuple(
        Place(_index(np.minimum(np.array(peak) * steps, last)), float(masses[k]))
        for k, peak in zip(order, peaks, strict=True)
    )


def _index(values: NDArray[np.integer]) -> tuple[int, int, int]:
    z, y, x = (int(value) for value in values)
    return z, y, x


def go_on(services: Services) -> None:
    """Put the crosshair on the next place of doubt of the open image, and say which it is.

    Finding them takes part of a second of a large map, so that it is done once a map and off the home thread.

    Raises
    ------
    InputError
        If there is no map of a model's doubt.
    """
    session = services.session
    heatmap = heatmaps.doubt_map(session)
    if heatmap is None:
        raise InputError(
            "There is no map of a model's doubt to go through; run a model with the uncertainty map switched on."
        )
    if session.tour is not None and session.tour.heatmap is heatmap:
        _step(services)
        return
    session.tour = tour = Tour(heatmap)
    job = services.runner.submit(lambda _: places_of(heatmap.values, heatmap.grid.spacing), title="Doubtful places")

    def found(places: tuple[Place, ...]) -> None:
        session.tour = replace(tour, places=tuple(place.index for place in places))
        _step(services)

    services.when_done(job, found, wanted=lambda: session.tour is tour)

    def over() -> None:
        if job.error is not None and session.tour is tour:
            session.tour = None  # asked again, they are looked for again

    job.finished.connect(over)


def _step(services: Services) -> None:
    session, tour = services.session, services.session.tour
    if tour is None or tour.places is None:
        return  # it is still being looked for
    if not tour.places:
        session.say(_nowhere(session, tour.heatmap), "ok")
        return
    at = (tour.at + 1) % len(tour.places)
    session.tour = replace(tour, at=at)
    if session.heatmap is not tour.heatmap or not session.view.heat_visible:
        heatmaps.show(session, tour.heatmap)
    heatmaps.show_phase(session, phase_of(tour.heatmap))
    session.view.cursor = tour.places[at]
    session.say(f"Doubtful place {at + 1} of {len(tour.places)} ({tour.heatmap.label}).", "info")


def _nowhere(session: Session, heatmap: Heatmap) -> str:
    """That one map has no place to go to, and which other one may have."""
    others = (one.method for one in session.heatmaps if one.is_doubt and one.method != heatmap.method)
    more = " ".join(f"Alt+G shows {method}." for method in others)
    return f"{heatmap.method} is not high anywhere: this map has no place to go to. {more}".strip()
