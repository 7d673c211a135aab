"""Lay out the viewports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from medviewer.app.hanging.layouts import SINGLE, layout_of
from medviewer.domain.plane import UNTURNED

if TYPE_CHECKING:
    from medviewer.app.state import Session


def arrange(session: Session, name: str) -> None:
    """Lay out the viewports; ``single`` keeps them and shows the active one large.

    Raises
    ------
    InputError
        If there is no layout of that name.
    """
    view = session.view
    if name == SINGLE:
        view.base = view.arranged.name
    else:
        layout = layout_of(name)
        if view.arranged is not layout:
            view.panes = layout.panes
            view.active = min(view.active, len(layout.panes) - 1)
        view.base = name
    view.layout = name


def enlarge(session: Session) -> None:
    """Show the active viewport large, or all of them again."""
    arrange(session, session.view.base if session.view.layout == SINGLE else SINGLE)


def turn(session: Session, step: Literal["flip", "upend", "rotate"] | None) -> None:
    """Turn what the active viewport shows: left-right, top-bottom or a quarter clockwise; None turns it back."""
    panes = list(session.view.hung)
    number = min(session.view.active, len(panes) - 1)
    if session.image is None:
        return
    pane = panes[number]
    panes[number] = replace(pane, turn=UNTURNED if step is None else pane.turn.then(step))
    session.view.panes = tuple(panes)


def turn_back(session: Session) -> None:
    """Show every viewport as it is shown at first."""
    if any(pane.turn != UNTURNED for pane in session.view.panes):
        session.view.panes = tuple(replace(pane, turn=UNTURNED) for pane in session.view.panes)
