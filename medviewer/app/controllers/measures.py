"""From what was measured to what a slice shows of it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from medviewer.app.drafts import DRAFT
from medviewer.app.ports.display import DrawnMeasure
from medviewer.app.state import Companion, Session
from medviewer.app.words import word
from medviewer.domain.geometry import Vector
from medviewer.domain.measure.measurement import PLACES, REGIONS, Measurement, vector
from medviewer.domain.measure.outline import Line, outline
from medviewer.domain.measure.region import own_axis
from medviewer.domain.measure.values import Value, summary
from medviewer.domain.plane import Plane, nearest_plane

Point = tuple[float, float]

_WAITING = "…"
_SHORT = {"Axial": "Ax", "Sagittal": "Sag", "Coronal": "Cor"}


def place_of(plane: Plane, k: float) -> tuple[Vector, Vector, float]:
    """A point of slice k, its unit normal, and the distance to the next slice: (x, y, z) and mm."""
    middle = [(n - 1) / 2 for n in plane.grid.shape]
    middle[plane.axis] = k
    normal = vector(plane.grid.axes[:, plane.axis])
    return vector(plane.grid.index_to_world(middle)), normal, plane.grid.spacing[plane.axis]


def to_world(plane: Plane, k: float, row: float, column: float) -> Vector:
    """Where a row and column of slice k lie in the patient, in mm."""
    return vector(plane.grid.index_to_world(plane.to_index(row, column, k)))


def to_slice(plane: Plane, points: Line) -> tuple[Point, ...]:
    """Rows and columns of points of the patient, dropped on the slices of a plane."""
    index = plane.grid.world_to_index(points).tolist()
    return tuple(plane.to_screen((z, y, x)) for z, y, x in index)


def drawn_measures(
    session: Session, plane: Plane, k: int, companion: Companion | None = None
) -> tuple[DrawnMeasure, ...]:
    """What slice k shows of what was measured on the main series, or on a companion.

    The chosen one comes last, above it what is being placed.
    """
    draft = session.draft
    changed = draft.changed if draft is not None else None
    series = session.series if companion is None else companion.series
    if series is None or not session.view.show_measures or (not session.measurements and draft is None):
        return ()
    point, normal, slice_mm = place_of(plane, k)
    shown = []
    for kept in session.measurements:
        m = changed if changed is not None and kept.uid == changed.uid else kept
        if m.series_uid == series.uid and m.shows_on(point, normal, slice_mm):
            chosen = m.uid == session.chosen_measurement
            shown.append(_drawn(m, plane, (point, normal, slice_mm), text_of(session, m), chosen))
    shown.sort(key=lambda one: one.chosen)
    if draft is not None and changed is None and draft.series_uid == series.uid:
        shown.extend(_drafted(session, plane, (point, normal, slice_mm)))
    return tuple(shown)


def text_of(session: Session, m: Measurement) -> tuple[str, ...]:
    """The lines that stand beside a measurement: what it comes to, with units."""
    values = values_in(session, m)
    if values is None:
        return (*(line for line in (m.label, m.text) if line), _WAITING)
    own = _own_lines(m)
    lines = summary(m, values)
    lines = (*lines[:own], *map(_worded, lines[own:]))  # what a person wrote stays as it is
    if _elsewhere(session, m):
        return (*lines, word(f"phase {m.phase + 1}"))
    return lines


def _own_lines(m: Measurement) -> int:
    """How many of its first lines a person wrote."""
    return sum(bool(text) for text in (m.label, m.text))


def companion_with(session: Session, uid: str) -> Companion | None:
    """The companion that is the series of that UID."""
    return next((one for one in session.companions if uid and one.series.uid == uid), None)


def _elsewhere(session: Session, m: Measurement) -> bool:
    """Whether a measurement was drawn in another phase than the one that is shown."""
    companion = companion_with(session, m.series_uid)
    if companion is None:
        return session.elsewhere(m.phase)
    dynamic = companion.image.dynamic
    return dynamic is not None and m.phase < len(dynamic.axis) and m.phase != companion.phase


def _worded(line: str) -> str:
    """A line of values in the language of the window: as a whole, or the name at its start."""
    name, _, rest = line.partition(" ")
    found = word(line)
    return found if found != line or not name.isalpha() else f"{word(name)} {rest}".rstrip()


def values_in(session: Session, m: Measurement) -> tuple[Value, ...] | None:
    """What a measurement comes to on its image; None while that is worked out, or the image still comes."""
    companion = companion_with(session, m.series_uid)
    if companion is not None:
        return session.live_values.values(m, companion.image)
    if session.image is None or (session.arrival is not None and (m.kind in REGIONS or m.kind == "probe")):
        return None
    return session.live_values.values(m, session.image)


def _drawn(
    m: Measurement, plane: Plane, place: tuple[Vector, Vector, float], text: tuple[str, ...], chosen: bool
) -> DrawnMeasure:
    point, normal, slice_mm = place
    lines = outline(m, point, normal) if m.kind == "sphere" else _outline(m)
    away = (m.array - np.asarray(point)) @ np.asarray(normal)
    near = np.abs(away) <= slice_mm / 2 + 1e-6
    spots = to_slice(plane, m.points)
    handles = tuple((n, *spot) for n, (spot, here) in enumerate(zip(spots, near, strict=True)) if here)
    drafted = m.uid == DRAFT
    drawn = tuple(to_slice(plane, line) for line in lines)
    text_at = to_slice(plane, (m.text_at,))[0] if m.text_at is not None else None
    brief = next(iter(text[_own_lines(m) :] or text), "")  # what it comes to, before what it is called
    return DrawnMeasure(m.uid, m.kind, handles, drawn, text, chosen and not drafted, drafted, text_at, brief)


@lru_cache(maxsize=512)
def _outline(m: Measurement) -> tuple[Line, ...]:
    return outline(m)


def _drafted(session: Session, plane: Plane, place: tuple[Vector, Vector, float]) -> list[DrawnMeasure]:
    """What is being placed, where its plane is this one: whole if it could be, else the places so far."""
    draft = session.draft
    if draft is None or not draft.points:
        return []
    whole = draft.measurement()
    point, normal, slice_mm = place
    if whole is not None:
        if not whole.shows_on(point, normal, slice_mm):
            return []
        return [_drawn(whole, plane, place, text_of(session, whole), False)]
    away = abs(float((np.asarray(draft.points[0]) - np.asarray(point)) @ np.asarray(normal)))
    if away > slice_mm / 2 or float(np.linalg.norm(np.cross(normal, draft.normal))) > 1e-3:
        return []
    spots = to_slice(plane, draft.points)
    lines = (spots[:2], spots[2:]) if draft.kind == "cobb" else (spots,)
    handles = tuple((n, *spot) for n, spot in enumerate(spots))
    return [DrawnMeasure(DRAFT, draft.kind, handles, tuple(line for line in lines if len(line) > 1), drafted=True)]


def where_of(session: Session, m: Measurement) -> tuple[str, str]:
    """The slice of a measurement, for example ``Ax 91``, and the name of its series; empty where they are not known.

    One that was drawn on a turned plane lies in no slice: ``Cor oblique``. Slices are counted from 1, as in the
    viewports' corners.
    """
    known = {series.uid: series for study in session.studies for series in study.series}
    for one in (*(companion.series for companion in session.companions), session.series):
        if one is not None:
            known[one.uid] = one
    series = known.get(m.series_uid)
    if series is None:
        return "", ""
    grid = series.grid
    axis = int(np.argmax(np.abs(np.asarray(m.normal) @ grid.axes)))
    number = grid.clamp(grid.world_to_index(m.centre))[axis] + 1
    name = " ".join(part for part in (series.modality, series.description) if part)
    if grid.shape[0] > 1 and m.kind not in PLACES and own_axis(grid, m) is None:
        return f"{_SHORT[nearest_plane(m.normal)[0]]} oblique", name
    return (f"{_SHORT[grid.plane_name(axis)]} {number}" if grid.shape[0] > 1 else ""), name
