"""Lay out the viewports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from medviewer.app.hanging.companions import shown_series
from medviewer.app.hanging.layouts import SINGLE, Pane, SliceKind, layout_of

if TYPE_CHECKING:
    from medviewer.app.state import Session
    from medviewer.domain.study import Study


def arrange(session: Session, name: str) -> None:
    """Lay out the viewports; ``single`` keeps them and shows the active one large.

    Series that are looked at beside the main one stay in their viewports; a layout with 3D is about the main one only.

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
        if view.arranged is not layout or layout.volume is not None:
            former = view.hung if layout.volume is None else ()
            view.panes = tuple(
                former[k] if k < len(former) and former[k].series and not former[k].is_empty else pane
                for k, pane in enumerate(layout.panes)
            )
            if all(pane.series for pane in view.panes):
                view.panes = (layout.panes[0], *view.panes[1:])
            view.active = min(view.active, len(layout.panes) - 1)
        view.base = name
    view.layout = name
    let_go(session)


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
    panes[number] = replace(pane, turn=pane.hung if step is None else pane.turn.then(step))
    session.view.panes = tuple(panes)


def turn_back(session: Session) -> None:
    """Show every viewport as it was hung."""
    if any(pane.turn != pane.hung for pane in session.view.panes):
        session.view.panes = tuple(replace(pane, turn=pane.hung) for pane in session.view.panes)


_PLANES: tuple[SliceKind, ...] = ("axial", "sagittal", "coronal")


def next_plane(session: Session) -> None:
    """Show the next plane in the active viewport: axial, sagittal, coronal, and axial again."""
    view, image = session.view, session.image
    if image is None or view.active >= len(view.hung):
        return
    pane = view.hung[view.active]
    grid = next((one.image.grid for one in session.companions if one.series.uid == pane.series), image.grid)
    acquired = grid.plane_name(0).lower()
    now = next(k for k, kind in enumerate(_PLANES) if kind == (acquired if pane.kind == "acquired" else pane.kind))
    kind = _PLANES[(now + 1) % 3]
    view.panes = tuple(replace(pane, kind=kind) if k == view.active else one for k, one in enumerate(view.hung))


def show_plane(session: Session, number: int, kind: SliceKind) -> None:
    """Show a plane in a viewport; nothing happens where no volume is open or there is no such viewport."""
    view, image = session.view, session.image
    if image is not None and image.is_volume and number < len(view.hung):
        view.panes = tuple(replace(pane, kind=kind) if k == number else pane for k, pane in enumerate(view.hung))


def let_go(session: Session) -> None:
    """Forget the companions that no pane shows any more."""
    shown = shown_series(session)
    kept = tuple(one for one in session.companions if one.series.uid in shown)
    if len(kept) != len(session.companions):
        session.companions = kept


def welcome(session: Session, uid: str, study: Study | None, is_volume: bool, keep: bool = False) -> None:
    """Another series is about to be the main one: lay out for it.

    What is looked at beside it stays while it is of the same patient; else the layout is that of a lone series.

    Parameters
    ----------
    keep
        Whether the layout is one that the user chose for this study: it stays then, where the series can be shown so.
    """
    view = session.view
    others = {one.series.uid for one in session.companions if uid != one.series.uid and same_person(one.study, study)}
    panes = tuple(pane if pane.series in others else Pane(pane.kind) for pane in view.hung)
    if view.arranged.volume is None and any(pane.series for pane in panes):
        if all(pane.series for pane in panes):
            panes = (Pane(panes[0].kind), *panes[1:])
        view.panes = panes
        let_go(session)
        return
    if not (keep and is_volume):
        arrange(session, "mpr" if is_volume else SINGLE)
    view.panes = view.arranged.panes
    view.active = 0
    let_go(session)


def same_person(one: Study | None, other: Study | None) -> bool:
    """Whether both are the same study, or known to be of the same patient."""
    if one is None or other is None:
        return False
    a, b = one.patient, other.patient
    return one.uid == other.uid or (bool(a.id or a.name) and (a.id, a.name) == (b.id, b.name))
