"""From the session to the curved plane."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from medviewer.app.controllers.display import oriented
from medviewer.app.controllers.fusing import fused_image
from medviewer.app.controllers.paths import strip_of
from medviewer.app.controllers.texts import patient_lines
from medviewer.app.hanging.companions import point
from medviewer.app.ports.display import Corners, Display, FusedLook, MaskLook
from medviewer.app.settings import LINE_PLACES, PLACES
from medviewer.app.state import Session
from medviewer.app.words import number_text
from medviewer.domain.curved import Strip
from medviewer.domain.geometry import Grid, letters_of
from medviewer.domain.image import Image
from medviewer.domain.plane import Plane
from medviewer.domain.reslice import trilinear

Labels = NDArray[np.uint8] | NDArray[np.uint16]

_STEADY = np.cos(np.pi / 4)
"""Of the angle that the way across may turn by along the path and still have a letter."""
_CLEAR = 1e9
"""Stored where what is laid over has no voxels: beyond every window."""


class Curving:
    """Works out what the viewport of the curved plane shows, and keeps what stays the same."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: dict[str, tuple[tuple[object, ...], NDArray[np.generic]]] = {}

    def display(self) -> Display | None:
        """What it shows; None while there is no path."""
        session = self._session
        strip, image = strip_of(session), session.shown
        if strip is None or image is None:
            self._kept.clear()
            return None
        view = session.view
        inverted = view.inverted != image.inverted
        low, high = view.window.limits
        rows, columns = strip.shape
        grid = Grid((1, rows, columns), (1.0, strip.spacing, strip.spacing))
        row, column, _ = strip.nearest(point(session))
        return Display(
            plane=Plane.picture(grid),
            k=0,
            voxels=self._values(strip, image, image.darkest(inverted)),
            slope=1.0,
            intercept=0.0,
            limits=(high, low) if inverted else (low, high),
            curve=view.window.curve,
            colours=view.colours,
            mask=self._mask(strip, image),
            fused=self._fused(strip, grid),
            crosshair=(min(max(row, 0.0), rows - 1.0), column) if view.show_crosshair else None,
            letters=self._letters(strip),
            corners=self._corners(strip, column) if view.show_text else Corners(),
            revision=session.mask.revision if session.mask else 0,
            identity=session.image,
            calibrated=image.calibrated,
        )

    def read_out(self, row: float, column: float) -> str:
        """What the status bar says of a pixel: its place in the patient, the values there, how far along the path."""
        session = self._session
        strip, image = strip_of(session), session.shown
        if strip is None or image is None or not self._within(strip, row, column):
            return ""
        x, y, z = strip.place(row, column)
        values = [_value(image, (x, y, z))]
        fused = fused_image(session)
        if fused is not None and session.fusion is not None and session.fusion.visible:
            values.append(_value(fused, (x, y, z)))
        told = " · ".join(value for value in values if value)
        along = f"{column * strip.spacing:.1f} of {strip.ribbon.length_mm:.1f} mm along the path"
        return "   ".join(part for part in (f"{x:.1f}, {y:.1f}, {z:.1f} mm", told, along) if part)

    @staticmethod
    def _within(strip: Strip, row: float, column: float) -> bool:
        rows, columns = strip.shape
        return -0.5 <= row < rows - 0.5 and -0.5 <= column < columns - 0.5

    def _again(self, name: str, key: tuple[object, ...]) -> NDArray[np.generic] | None:
        """What was worked out before, where it is of the same things."""
        kept = self._kept.get(name)
        same = (
            kept is not None
            and len(kept[0]) == len(key)
            and all(a is b or a == b for a, b in zip(kept[0], key, strict=True))
        )
        return kept[1] if kept is not None and same else None

    def _values(self, strip: Strip, image: Image, outside: float) -> NDArray[np.generic]:
        voxels, slope, intercept = image.uniform
        key = (strip, id(voxels), slope, intercept, outside)
        found = self._again("image", key)
        if found is None:
            values, inside = strip.sample(voxels, image.grid)
            found = np.where(inside, values * np.float32(slope) + np.float32(intercept), np.float32(outside))[None]
            self._kept["image"] = key, found
        return found

    def _fused(self, strip: Strip, grid: Grid) -> FusedLook | None:
        session = self._session
        fusion, image = session.fusion, fused_image(session)
        if fusion is None or image is None or not fusion.visible:
            return None
        voxels, slope, intercept = image.uniform
        key = (strip, id(voxels))
        found = self._again("fused", key)
        if found is None:
            values, inside = strip.sample(voxels, image.grid)
            found = np.where(inside, values, np.float32(-_CLEAR if slope > 0 else _CLEAR))[None]
            self._kept["fused"] = key, found
        limits = fusion.window.plain[0].limits
        return FusedLook(found, grid, slope, intercept, limits, fusion.colours, fusion.opacity, image.rescale.unit)

    def _mask(self, strip: Strip, image: Image) -> MaskLook | None:
        store, view = self._session.mask, self._session.view
        if store is None or not view.mask_visible:
            return None
        key = (strip, id(store), store.revision)
        found = self._again("mask", key)
        if found is None:
            found = strip.labels(store.labels, image.grid)[None]
            self._kept["mask"] = key, found
        hidden = self._session.hidden_labels
        colours = tuple((s.label, s.colour) for s in store.segments if s.label not in hidden)
        return MaskLook(cast("Labels", found), colours, view.mask_opacity)

    def _corners(self, strip: Strip, column: float) -> Corners:
        session, view = self._session, self._session.view
        angle = f"turned {view.curve_angle:.0f}°" if view.curve_angle else ""
        right = "\n".join(part for part in (f"{strip.spacing:.2f} mm", angle) if part)
        length = strip.ribbon.length_mm
        left = f"Curved plane, straightened\n{length:.1f} mm along the path"
        own = {"top_left": left, "top_right": right, "bottom_left": f"crosshair at {column * strip.spacing:.1f} mm"}
        places = {**LINE_PLACES, **session.line_places}
        name, who, _ = patient_lines(session.study)
        texts = {
            place: "\n".join(
                line
                for line in (
                    name if places["name"] == place else "",
                    who if places["person"] == place else "",
                    own.get(place, ""),
                )
                if line
            )
            for place in PLACES
        }
        return Corners(**texts, shown=True)

    def _letters(self, strip: Strip) -> tuple[str, str, str, str]:
        """At left and right, where the path comes from and goes to at its ends; above and below, what lies across it.

        A path that bends in the picture's plane takes the way across with it: a letter is only there while it holds
        along all of the path.
        """
        session = self._session
        if not session.view.show_text or session.series is None or not oriented(session.series):
            return "", "", "", ""
        ribbon, across = strip.ribbon, strip.across
        left, right = letters_of(ribbon.along[0])[0], letters_of(ribbon.along[-1])[1]
        middle = across[len(across) // 2]
        top, bottom = letters_of(middle) if float((across @ middle).min()) > _STEADY else ("", "")
        return left, right, top, bottom


def _value(image: Image, world: tuple[float, float, float]) -> str:
    """The value between the voxels at a place, with its unit; empty outside."""
    index = image.grid.world_to_index(world)
    if not image.grid.contains(index):
        return ""
    voxels, slope, intercept = image.uniform
    value = float(trilinear(voxels, index.reshape(3, 1))[0]) * slope + intercept
    return f"{image.rescale.unit or 'value'} {number_text(value, image.rescale.unit)}"
