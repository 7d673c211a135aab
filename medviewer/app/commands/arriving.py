"""A series on the screen while its slices still arrive."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.app.commands import curved
from medviewer.app.presets import first_window
from medviewer.app.state import Arrival, Session
from medviewer.domain.image import Image, Window
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services

_WAIT = "The series is still being read, and this needs all of its slices; wait until it is complete."

_EVERY_S = 0.25
"""Time between two looks at what has arrived: often enough to be seen, seldom enough to cost nothing."""


class Arriving:
    """Follows one loading job: its early image is shown, and the viewports are told of what has come since.

    Parameters
    ----------
    services
        Its session is changed, on the home thread.
    show
        Makes the early image the open one.
    wanted
        Whether this job is still the one that is waited for.
    """

    def __init__(self, services: Services, show: Callable[[Image], None], wanted: Callable[[], bool]) -> None:
        self._services, self._show, self._wanted = services, show, wanted
        self._came: Image | None = None
        self._window: Window | None = None
        self._next = 0.0

    def came(self, image: Image) -> None:
        """The early image is there; called in the loading thread."""
        self._came = image

    @property
    def shown(self) -> bool:
        """Whether the early image is what is open."""
        return self._came is not None and self._services.session.image is self._came

    def progressed(self, fraction: float, _: str = "") -> None:
        """The job told how far it is."""
        image, session = self._came, self._services.session
        if image is None or not self._wanted():
            return
        if not self.shown:
            self._services.attempt(lambda: self._show(image))
            if not self.shown:  # the mask of what was open could not be kept: at the end that is tried again
                self._came = None
                return
            self._window = session.view.window
        elif time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        slices = image.grid.shape[0] * (1 if image.dynamic is None else len(image.dynamic.axis))
        session.arrival = Arrival(round(fraction * slices), image.grid.shape[0])

    def complete(self, image: Image) -> None:
        """Everything has arrived: the automatic window is worked out anew, unless the user has chosen another."""
        session = self._services.session
        if session.image is not image:
            session.image = image
        session.arrival = None
        if session.message is not None and session.message.text == _WAIT:
            session.message = None
        if session.view.window is self._window:
            session.view.window = first_window(image)

    def abandon(self) -> None:
        """The rest will not come: what is there is no whole series, and is taken away."""
        if self.shown:
            take_away(self._services.session)


def take_away(session: Session) -> None:
    """Show nothing."""
    session.mask = session.heatmap = session.classification = session.detections = session.tour = None
    session.heatmaps = ()
    session.fusion = None
    curved.forget(session)
    session.series = session.study = session.image = None
    session.arrival = None


def check_complete(session: Session) -> None:
    """Refuse to work on an image whose slices still arrive.

    Raises
    ------
    InputError
        If they do.
    """
    if session.arrival is not None:
        raise InputError(_WAIT)


def early_window(image: Image) -> Window:
    """The window of an image of which only the middle slice is there."""
    middle = image.grid.shape[0] // 2
    one = replace(
        image,
        voxels=image.voxels[middle : middle + 1],
        grid=image.grid.crop((middle, 0, 0), (1, *image.grid.shape[1:])),
        overlays=(),
        dynamic=None,
    )
    return first_window(one)
