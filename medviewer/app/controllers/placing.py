"""From presses and moves on a slice to measurements: placing new ones, dragging those that there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from medviewer.app.commands import measuring
from medviewer.app.controllers.measures import Point, place_of, to_world
from medviewer.app.drafts import Draft
from medviewer.app.services import Services
from medviewer.app.state import MEASURE_TOOLS, Companion
from medviewer.domain.geometry import Vector
from medviewer.domain.measure.measurement import Kind, Measurement, new_uid, shifted, vector
from medviewer.domain.measure.placing import moved
from medviewer.domain.plane import Plane

Grip = tuple[str, int] | tuple[str, int, Point | None]
"""UID of a measurement, and the number of the handle that is held, -1 for all of it, -2 for its text.

Of a text, row and column of its middle come with it.
"""

TEXT = -2

Ask = Callable[[str, str, str], str | None]
"""Asks for a line of text by title, question and what stands there already; None when the user thought better of it."""

WITH_TEXT = ("arrow", "text")
_STEP = 0.75
"""Part of the finest spacing by which two corners of a freehand line are apart at least."""


class MeasureTool:
    """What the left button does with measurements.

    Places are pointed at by clicks, or two of them by a drag; a freehand line follows the drag. With a tool that
    measures, only the chosen measurement is taken hold of: beside another, a drag draws a new one, and a click chooses
    that other.

    Parameters
    ----------
    ask
        For what an arrow or a text says.
    """

    def __init__(self, services: Services, ask: Ask) -> None:
        self._services = services
        self._session = services.session
        self._ask = ask
        self._grip: tuple[Measurement, int, Vector] | None = None
        self._pressed = False
        self._passed = ""
        self._session.events.image.connect(self._forget)
        self._session.events.companions.connect(self._follow_companions)
        self._session.view.events.tool.connect(self._forget)

    # -- the button

    def press(self, plane: Plane, k: int, at: Point, grip: Grip | None, companion: Companion | None = None) -> None:
        """The button went down on slice k of the main series or a companion, on a measurement or not."""
        if self._session.image is None:
            return
        world = to_world(plane, k, *at)
        draft = self._placing(plane, k, companion)
        middle = grip[2] if grip is not None and len(grip) > 2 else None
        text_at = to_world(plane, k, *middle) if middle is not None else None
        tool = self._session.view.tool
        self._passed = ""
        if draft is None and grip is not None:
            if tool in MEASURE_TOOLS and grip[0] != self._session.chosen_measurement:
                self._passed = grip[0]
            elif self._take(grip, world, text_at):
                return
        if tool not in MEASURE_TOOLS:
            return
        if draft is None:
            self._session.view.show_measures = True
            self._session.chosen_measurement = ""
            draft = self._begun(tool, plane, k, companion)
        self._pressed = True
        self._session.draft = draft.add(world)

    def move(self, plane: Plane, k: int, at: Point, companion: Companion | None = None) -> None:
        """The pointer is there now, whether the button is down or not."""
        if self._grip is not None:
            if self._grip[0].series_uid == self._series_uid(companion):
                self._drag(to_world(plane, k, *at))
            return
        draft = self._placing(plane, k, companion)
        if draft is None:
            return
        world = to_world(plane, k, *at)
        if draft.kind == "freehand" and self._pressed:
            last = np.asarray(draft.clicks[-1])
            if np.linalg.norm(np.asarray(world) - last) >= _STEP * min(plane.spacing):
                self._session.draft = draft.add(world)
        else:
            self._session.draft = replace(draft, pointer=world)

    def release(self, plane: Plane, k: int, at: Point, dragged: bool, companion: Companion | None = None) -> None:
        """The button came up."""
        pressed, self._pressed = self._pressed, False
        passed, self._passed = self._passed, ""
        if self._grip is not None:
            self._let_go(dragged)
            return
        draft = self._placing(plane, k, companion)
        if draft is None or not pressed:
            return
        if passed and not dragged and self._known(passed) is not None:
            self._session.draft = None
            self._session.chosen_measurement = passed
            return
        if dragged and draft.wanted and not draft.complete:
            draft = self._session.draft = draft.add(to_world(plane, k, *at))
        if draft.complete or (dragged and not draft.wanted):
            self._finish(draft)

    def double(self, grip: Grip | None) -> None:
        """A double click ends a freehand line, and asks anew for what a text says."""
        draft = self._session.draft
        if draft is not None and draft.changed is None and not draft.wanted:
            self._finish(draft)
        elif grip is not None:
            self.edit_text(grip[0])

    # -- without the button

    @property
    def busy(self) -> bool:
        """Whether there is something that `cancel` would end."""
        return self._session.draft is not None or bool(self._session.chosen_measurement)

    def cancel(self) -> bool:
        """Forget what is half placed or half dragged; else choose none. Returns whether there was anything."""
        session, found = self._session, self.busy
        if session.draft is not None:
            self._forget()
        else:
            session.chosen_measurement = ""
        return found

    def edit_text(self, uid: str) -> None:
        """Ask for what an arrow or a text says."""
        m = self._known(uid)
        if m is None or m.kind not in WITH_TEXT:
            return
        text = self._ask("Text", "What it says", m.text)
        if text is not None and text.strip():
            self._services.attempt(lambda: measuring.change(self._services, replace(m, text=text.strip())))

    # -- inside

    def _follow_companions(self, *_: object) -> None:
        self._services.attempt(lambda: measuring.restore_beside(self._services))

    def _known(self, uid: str) -> Measurement | None:
        return next((m for m in self._session.measurements if m.uid == uid), None)

    def _forget(self, *_: object) -> None:
        self._grip, self._pressed = None, False
        self._session.draft = None

    def _series_uid(self, companion: Companion | None) -> str:
        series = self._session.series if companion is None else companion.series
        return series.uid if series is not None else ""

    def _begun(self, kind: Kind, plane: Plane, k: int, companion: Companion | None) -> Draft:
        _, normal, _ = place_of(plane, k)
        right = np.subtract(to_world(plane, k, 0, 1), to_world(plane, k, 0, 0))
        across = vector(right / np.linalg.norm(right))
        phase = self._session.view.phase if companion is None else companion.phase
        return Draft(kind, normal, across, self._series_uid(companion), phase)

    def _placing(self, plane: Plane, k: int, companion: Companion | None) -> Draft | None:
        """What is being placed on this slice; None where nothing is, or on another slice or series."""
        draft = self._session.draft
        if draft is None or draft.changed is not None or not draft.clicks:
            return None
        if draft.series_uid != self._series_uid(companion):
            return None
        point, normal, slice_mm = place_of(plane, k)
        away = abs(float((np.asarray(draft.clicks[0]) - np.asarray(point)) @ np.asarray(normal)))
        turned = float(np.linalg.norm(np.cross(normal, draft.normal)))
        return draft if away < slice_mm / 2 and turned < 1e-3 else None

    def _take(self, grip: Grip, world: Vector, text_at: Vector | None) -> bool:
        m = self._known(grip[0])
        if m is None:
            return False  # it went, and is on the screen until the next frame
        if grip[1] == TEXT:
            m = replace(m, text_at=text_at or world)
        self._session.draft = None
        self._session.chosen_measurement = m.uid
        self._grip = m, grip[1], world
        return True

    def _drag(self, world: Vector) -> None:
        assert self._grip is not None
        m, handle, start = self._grip
        by = np.asarray(world) - np.asarray(start)
        if handle == TEXT:
            assert m.text_at is not None  # it was taken there
            changed = replace(m, text_at=vector(np.asarray(m.text_at) + by))
        else:
            changed = moved(m, handle, m.array[handle] + by) if handle >= 0 else shifted(m, by)
        self._session.draft = Draft.of(changed)

    def _let_go(self, dragged: bool) -> None:
        draft, self._grip = self._session.draft, None
        changed = draft.changed if draft is not None else None
        if changed is not None and dragged:
            self._services.attempt(lambda: measuring.change(self._services, changed))
        self._session.draft = None

    def _finish(self, draft: Draft) -> None:
        """Keep what was placed; what has no extent, and a text without words, is none."""
        m = draft.measurement(floating=False)
        text = ""
        if m is not None and m.kind in WITH_TEXT:
            text = (self._ask("Text", "What it says", "") or "").strip()
        self._session.draft = None
        if m is None or (m.kind == "text" and not text):
            return
        made = replace(m, uid=new_uid(), text=text)
        self._services.attempt(lambda: measuring.add(self._services, made))
