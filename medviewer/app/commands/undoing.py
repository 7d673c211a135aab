"""Undo and redo as a person expects them: the last thing done, a stroke, a measurement, a key image or a path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.app import commands

if TYPE_CHECKING:
    # It loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session


def undo(services: Services) -> None:
    """Take back the last thing: the last place of what is half measured or drawn, else a whole one or a stroke."""
    session = services.session
    if session.path_open:
        commands.curved.take_point(session)
        return
    draft = session.draft
    if draft is not None:
        shorter = draft.clicks[:-1]
        session.draft = replace(draft, clicks=shorter) if draft.changed is None and draft.wanted and shorter else None
        return
    strokes = session.mask.done_at if session.mask is not None else 0
    measures = session.measure_steps.done_at
    marks = session.key_steps.done_at
    paths = session.path_steps.done_at
    last = max(strokes, measures, marks, paths)
    if paths and paths == last:
        commands.curved.undo(session)
    elif marks and marks == last:
        commands.key_images.undo(services)
    elif measures and measures == last:
        commands.measuring.undo(services)
    else:
        commands.view.undo(services)


def redo(services: Services) -> None:
    """Do again what was taken back last."""
    session = services.session
    strokes = session.mask.undone_at if session.mask is not None else 0
    measures = session.measure_steps.undone_at
    marks = session.key_steps.undone_at
    # What was done first is done again first.
    paths = session.path_steps.undone_at
    first = min((at for at in (strokes, measures, marks, paths) if at), default=0)
    if paths and paths == first:
        commands.curved.redo(session)
    elif marks and marks == first:
        commands.key_images.redo(services)
    elif measures and measures == first:
        commands.measuring.redo(services)
    else:
        commands.view.redo(services)


def can_undo(session: Session) -> bool:
    """Whether there is anything to take back."""
    painted = session.mask is not None and session.mask.can_undo
    half = session.draft is not None or session.path_open
    return painted or half or bool(session.measure_steps.past or session.key_steps.past or session.path_steps.past)


def can_redo(session: Session) -> bool:
    """Whether there is anything to do again."""
    painted = session.mask is not None and session.mask.can_redo
    return painted or bool(session.measure_steps.future or session.key_steps.future or session.path_steps.future)
