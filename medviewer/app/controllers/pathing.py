"""From presses and moves on a slice to the path of the curved plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medviewer.app.commands import beside, curved
from medviewer.app.controllers.measures import Point, to_world
from medviewer.app.controllers.paths import PATH
from medviewer.app.controllers.placing import Grip
from medviewer.app.services import Services
from medviewer.app.state import MEASURE_TOOLS, PATH_TOOL, Companion
from medviewer.domain.curved import Path
from medviewer.domain.geometry import Vector
from medviewer.domain.measure.measurement import vector
from medviewer.domain.plane import Plane


class PathTool:
    """What the left button does with the path: clicks add points, a point that is there is dragged."""

    def __init__(self, services: Services) -> None:
        self._services, self._session = services, services.session
        self._held: tuple[Path, int, Vector] | None = None
        self._session.view.events.tool.connect(self._follow_tool)
        self._session.events.image.connect(self._forget)

    def _follow_tool(self, tool: str) -> None:
        """Who takes another tool has done with the path."""
        if tool != PATH_TOOL and self._session.path_open:
            curved.end(self._services)

    def _forget(self, *_: object) -> None:
        self._held = None

    def takes(self, grip: Grip | None) -> bool:
        """Whether a press is about the path, and not about measurements."""
        measuring = self._session.view.tool in MEASURE_TOOLS  # draws beside a point, too
        held = grip is not None and grip[0] == PATH and grip[1] >= 0 and not measuring
        return held or self._session.view.tool == PATH_TOOL

    @property
    def busy(self) -> bool:
        """Whether a path is being drawn, or a point is held."""
        return self._session.path_open or self._held is not None

    def press(self, plane: Plane, k: int, at: Point, grip: Grip | None, companion: Companion | None = None) -> None:
        """The button went down at a row and column of slice k."""
        session = self._session
        if companion is not None:
            beside.refuse(self._services)
            return
        world = to_world(plane, k, *at)
        path = session.path
        taken = grip is not None and grip[0] == PATH and grip[1] >= 0
        if taken and path is not None and not session.path_open:
            assert grip is not None
            self._held = path, grip[1], world
        elif session.view.tool == PATH_TOOL:
            self._services.attempt(lambda: curved.add_point(session, world, _away(plane, k)))

    def move(self, plane: Plane, k: int, at: Point, companion: Companion | None = None) -> None:
        """The pointer is there now."""
        if self._held is None or companion is not None:
            return
        path, number, start = self._held
        by = np.subtract(to_world(plane, k, *at), start)
        points = list(path.points)
        points[number] = vector(np.add(points[number], by))
        self._session.path = replace(path, points=tuple(points))

    def release(self, plane: Plane, k: int, at: Point, dragged: bool, companion: Companion | None = None) -> None:
        """The button came up: a point that was dragged stays there."""
        held, self._held = self._held, None
        if held is None:
            return
        now, self._session.path = self._session.path, held[0]
        if dragged and now is not None:
            curved.note(self._session, now, before=held[0])

    def end(self) -> bool:
        """A double click, or Enter; whether there was anything to end."""
        was = self._session.path_open
        curved.end(self._services)
        return was

    def cancel(self) -> bool:
        """Escape: what is half drawn goes, what is dragged goes back; whether there was anything."""
        if self._held is not None:
            self._session.path, self._held = self._held[0], None
            return True
        was = self._session.path_open
        curved.drop(self._session)
        return was


def _away(plane: Plane, k: int) -> Vector:
    """Where the reader of a slice looks along, so that a path to the right has its lower side down."""
    corner, right, down = (np.array(to_world(plane, k, *at)) for at in ((0, 0), (0, 1), (1, 0)))
    away = np.cross(right - corner, down - corner)
    return vector(away / np.linalg.norm(away))
