"""From the session to what is laid over a slice of the main series, and what the status bar says of it."""

from __future__ import annotations

import numpy as np

from medviewer.app.controllers.slabs import slab_of
from medviewer.app.controllers.turning import turned_of
from medviewer.app.hanging.companions import companion_of
from medviewer.app.ports.display import FusedLook
from medviewer.app.state import Fusion, Session
from medviewer.app.words import number_text
from medviewer.domain.fusing import Thickness, value_at
from medviewer.domain.image import Image
from medviewer.domain.plane import Plane
from medviewer.domain.slab import stored_mode


def follows_phases(session: Session, fusion: Fusion) -> bool:
    """Whether what is laid over goes along the main series' 4th axis: both have as many steps."""
    main, own = session.image, fusion.image.dynamic
    return main is not None and main.dynamic is not None and own is not None and len(own.axis) == len(main.dynamic.axis)


def fused_image(session: Session) -> Image | None:
    """What is laid over, at its phase; None where nothing is."""
    fusion = session.fusion
    if fusion is None or fusion.image.dynamic is None:
        return None if fusion is None else fusion.image
    phase = session.view.phase if follows_phases(session, fusion) else fusion.phase
    return fusion.image.at_phase(min(phase, len(fusion.image.dynamic.axis) - 1))


def shows_fused(session: Session, number: int) -> bool:
    """Whether pane `number` shows what is laid over the main series."""
    fusion, panes = session.fusion, session.view.hung
    if fusion is None or not fusion.visible or companion_of(session, number) is not None:
        return False
    return number >= len(panes) or panes[number].fused


def fused_look(session: Session, plane: Plane, number: int) -> FusedLook | None:
    """What is laid over the slices of pane `number`, or None."""
    image, fusion = fused_image(session), session.fusion
    if image is None or fusion is None or not shows_fused(session, number):
        return None
    voxels, slope, intercept = image.uniform
    low, high = fusion.window.plain[0].limits
    return FusedLook(
        voxels=voxels,
        grid=image.grid,
        slope=slope,
        intercept=intercept,
        limits=(low, high),
        colours=fusion.colours,
        opacity=fusion.opacity,
        unit=image.rescale.unit,
        thick=_thickness(session, plane, slope),
    )


def _thickness(session: Session, plane: Plane, slope: float) -> Thickness | None:
    """The slab of the main series: what lies over it is reduced over the same slices."""
    main = session.shown
    slab = slab_of(session, main, plane) if main is not None and turned_of(session) is None else None
    if slab is None:
        return None
    return Thickness(slab.slices.start, slab.slices.stop, stored_mode(session.view.slab_mode, slope))


def fused_lines(session: Session, number: int) -> tuple[str, ...]:
    """What the corner says of it: which series and which values it is shown over, in the first pane that shows it.

    That nothing aligned the two stands in every one.
    """
    image, fusion = fused_image(session), session.fusion
    if image is None or fusion is None or not shows_fused(session, number):
        return ()
    low, high = fusion.window.plain[0].limits
    lines = []
    if number == _leading(session):
        name = "  ".join(part for part in (fusion.series.modality, fusion.series.description) if part)
        lines = [f"Over it: {name}", f"{image.rescale.unit or 'value'} {low:.4g} to {high:.4g}"]
    if fusion.foreign:
        lines.append("another frame of reference: not aligned")
    return tuple(lines)


def _leading(session: Session) -> int:
    """The first pane that is seen of those that show it."""
    view = session.view
    if view.layout == "single":
        return min(view.active, len(view.hung) - 1)
    return next((k for k in range(len(view.hung)) if shows_fused(session, k)), 0)


def fused_value(session: Session, plane: Plane, at: tuple[float, float, float], number: int) -> str:
    """What lies over a pixel, with its unit, for example ``SUV 3.2``; empty where nothing does.

    Parameters
    ----------
    plane, at
        Row, column and slice, not rounded, of the plane that is shown.
    number
        The pane.
    """
    image = fused_image(session)
    if image is None or not shows_fused(session, number):
        return ""
    voxels, slope, intercept = image.uniform
    value = value_at(voxels, image.grid, plane, at, _thickness(session, plane, slope))
    if value is None or not np.isfinite(value):
        return ""
    return f"{image.rescale.unit or 'value'} {number_text(value * slope + intercept, image.rescale.unit)}"
