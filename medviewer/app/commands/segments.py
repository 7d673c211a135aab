"""What is done with one segment of the open mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.app.commands import view
from medviewer.domain.mask import Segment
from medviewer.errors import InputError, NotFoundError
from medviewer.jobs import Job

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session


def active(session: Session) -> Segment:
    """The active segment of the open mask. Raises NotFoundError if there is none."""
    return _segment(session, session.active_label)


def rename(services: Services, label: int, name: str) -> None:
    """Give a segment another name. Raises InputError where the name is empty, NotFoundError without that segment."""
    _segment(services.session, label)
    if not name.strip():
        raise InputError("A segment needs a name of one letter at least; type one.")
    view.rename_segment(services, label, name)


def toggle(services: Services, label: int) -> None:
    """Hide a segment, or show it again. Raises NotFoundError without that segment."""
    _segment(services.session, label)
    view.toggle_label(services, label)


def show_only(services: Services, label: int) -> None:
    """Hide every segment but one. Raises NotFoundError without that segment."""
    session = services.session
    _segment(session, label)
    assert session.mask is not None  # it has the segment
    session.hidden_labels = frozenset(one.label for one in session.mask.segments) - {label}
    session.view.mask_visible = True


def show_all(services: Services) -> None:
    """Show every segment."""
    services.session.hidden_labels = frozenset()
    services.session.view.mask_visible = True


def go_to(services: Services, label: int) -> Job[tuple[int, int, int] | None]:
    """Put the crosshair into a segment, where it is largest; the voxels are looked through off the home thread.

    Raises
    ------
    NotFoundError
        If the mask has no such segment.
    """
    session = services.session
    segment = _segment(session, label)
    store = session.mask
    assert store is not None  # it has the segment
    labels = store.labels

    def arrived(place: tuple[int, int, int] | None) -> None:
        if place is None:
            raise InputError(f"Nothing is painted as {segment.name} yet; paint it, or let a model find it.")
        session.view.cursor = place

    job = services.runner.submit(lambda _: largest_place(labels, label), title="")
    return services.when_done(job, arrived, wanted=lambda: session.mask is store)


def largest_place(labels: NDArray[np.integer], label: int) -> tuple[int, int, int] | None:
    """The voxel (z, y, x) of a label that is nearest to its middle, on the slice that has most of it.

    Parameters
    ----------
    labels
        Label map (z, y, x).
    label
        Which; None comes back where the map has none of it.
    """
    counts = [np.count_nonzero(plane == label) for plane in labels]  # slice by slice: no second map in memory
    z = int(np.argmax(counts))
    if not counts[z]:
        return None
    spots = np.argwhere(labels[z] == label)
    y, x = spots[np.argmin(((spots - spots.mean(axis=0)) ** 2).sum(axis=1))].tolist()
    return z, y, x


def _segment(session: Session, label: int) -> Segment:
    for segment in session.mask.segments if session.mask is not None else ():
        if segment.label == label:
            return segment
    raise NotFoundError("The mask has no such segment any more; choose one of its list.")
