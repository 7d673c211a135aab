"""Lay out the viewports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.app.hanging.layouts import SINGLE, layout_of

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
