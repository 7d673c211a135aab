"""The heat maps at hand: a model's reasons and its doubt, one of which lies over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medviewer.app.state import Session
from medviewer.domain.heatmap import Heatmap

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services


def offer(session: Session, maps: Sequence[Heatmap]) -> None:
    """Have these at hand, the first of them shown; each takes the place of one that shows the same."""
    new = {heatmap.method for heatmap in maps}
    kept = tuple(heatmap for heatmap in session.heatmaps if heatmap.method not in new)
    session.heatmaps = (*kept, *maps)
    if maps:
        session.heatmap = maps[0]
        session.view.heat_visible = True


def forget_doubt(session: Session) -> None:
    """Another answer has come: maps of the doubt about the one before it say nothing any more."""
    kept = tuple(heatmap for heatmap in session.heatmaps if not heatmap.is_doubt)
    session.heatmaps = kept
    if session.heatmap is not None and session.heatmap.is_doubt:
        session.heatmap = kept[0] if kept else None


def show(session: Session, heatmap: Heatmap) -> None:
    """Lay one of the maps at hand over the image."""
    session.heatmap = heatmap
    session.view.heat_visible = True


def show_phase(session: Session, phase: int | None) -> None:
    """Go to the phase that something was found in, where that is known and not the one that is seen."""
    if phase is not None and session.elsewhere(phase):
        session.view.playing = False
        session.view.phase = phase


def switch(services: Services) -> None:
    """Show the next of the maps at hand, and say which it is."""
    session = services.session
    maps = session.heatmaps
    if maps:
        at = next((k for k, one in enumerate(maps) if one is session.heatmap), -1)
        show(session, maps[(at + 1) % len(maps)])
        session.say(f"{maps[(at + 1) % len(maps)].label}.", "info")


def clear(services: Services) -> None:
    """Take the heat map away; the next one at hand is shown."""
    session = services.session
    kept = tuple(heatmap for heatmap in session.heatmaps if heatmap is not session.heatmap)
    session.heatmaps = kept
    session.heatmap = kept[0] if kept else None


def doubt_map(session: Session) -> Heatmap | None:
    """The map of the model's doubt that is shown, or else the first at hand; None if there is none."""
    if session.heatmap is not None and session.heatmap.is_doubt:
        return session.heatmap
    return next((heatmap for heatmap in session.heatmaps if heatmap.is_doubt), None)
