"""What hangs now, and whether the user has since laid out the viewports otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medviewer.app.hanging.choosing import Place
    from medviewer.app.hanging.protocol import Protocol
    from medviewer.app.state import Session
    from medviewer.domain.study import Study

Arranged = tuple[str, tuple[tuple[str, str], ...]]
"""A layout, and the plane and series of each of its viewports."""


@dataclass(frozen=True)
class Prior:
    """An earlier study of the same patient, with images that can be compared.

    Parameters
    ----------
    uid, date
        Which.
    study
        What a scan found of it; None while only the catalogue knows it.
    """

    uid: str
    date: str
    study: Study | None = None


@dataclass(frozen=True)
class Hanging:
    """What a study was hung by.

    Parameters
    ----------
    study
        UID of the study.
    protocol
        The protocol; None for the usual arrangement of a lone series.
    step
        Which of its steps.
    why
        Why it was taken.
    by_hand
        Whether the user chose it.
    places
        What is to hang in each viewport, read or not.
    prior
        The earlier study that there is, or None.
    arranged
        As it was hung: what differs is the user's own arrangement.
    links
        Zoom, window and lines together, as the user had them before.
    number
        Grows with every time that something is hung: what was asked for before is not wanted any more.
    """

    study: str
    protocol: Protocol | None = None
    step: int = 0
    why: str = ""
    by_hand: bool = False
    places: tuple[Place, ...] = ()
    prior: Prior | None = None
    arranged: Arranged = ("", ())
    links: tuple[bool, bool, bool] | None = None
    number: int = 0

    @property
    def title(self) -> str:
        """What is in use, for the status bar."""
        if self.protocol is None:
            return "Usual layout"
        steps = self.protocol.steps
        if len(steps) == 1:
            return self.protocol.name
        name = steps[self.step].name
        return f"{self.protocol.name}  {self.step + 1} / {len(steps)}{f': {name}' if name else ''}"


def arranged(session: Session) -> Arranged:
    """How the viewports are laid out now."""
    view = session.view
    return view.arranged.name, tuple((pane.kind, pane.series) for pane in view.hung)


def is_own(session: Session) -> bool:
    """Whether the viewports are as the user laid them out, and not as they were hung."""
    hanging = session.hanging
    return hanging is not None and hanging.arranged != arranged(session)


def is_hung(session: Session) -> bool:
    """Whether the viewports are as a protocol laid them out."""
    return session.hanging is not None and session.hanging.protocol is not None and not is_own(session)
