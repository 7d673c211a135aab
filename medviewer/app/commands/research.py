"""Work on the open image in napari itself, and bring a mask back from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.app.commands import masks
from medviewer.errors import GridMismatchError, InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services


def bring_back(services: Services, labels: NDArray[np.generic], name: str, series_uid: str) -> int:
    """Make a label map the content of the open mask, as one stroke, which undo takes back.

    Labels that the mask does not know become segments of it.

    Parameters
    ----------
    labels
        Whole numbers (z, y, x), 0 for nothing.
    name
        What it was called there, for new segments and the message.
    series_uid
        The series that it was made on.

    Returns
    -------
    How many voxels have another label now.

    Raises
    ------
    InputError
        If no image is open, or the values are not labels that a mask can have.
    GridMismatchError
        If it belongs to another series or has another shape.
    """
    session = services.session
    if session.image is None or session.series is None:
        raise InputError("A Labels layer becomes a mask of the open series; open that series first.")
    if series_uid != session.series.uid or labels.shape != session.image.grid.shape:
        raise GridMismatchError(
            f"The layer {name} should belong to the open series, but was made on another one or has another shape; "
            "open the series that it was made on."
        )
    store = session.mask or masks.new(services)
    limit = np.iinfo(store.labels.dtype).max
    if labels.dtype.kind not in "iub" or int(labels.min(initial=0)) < 0 or int(labels.max(initial=0)) > limit:
        raise InputError(f"The layer {name} should hold whole labels from 0 to {limit}; give its labels such numbers.")
    before, after = store.labels.reshape(-1), np.ascontiguousarray(labels).reshape(-1)
    changed = np.flatnonzero(before != after)
    if changed.size == 0:
        session.say(f"The layer {name} is the same as the mask; nothing was changed.")
        return 0
    values = after[changed]
    known = {segment.label for segment in store.segments}
    fresh = [int(label) for label in np.unique(values) if label and int(label) not in known]
    if fresh:
        added = tuple(store.base.segment(label) for label in fresh)
        store.segments = tuple(sorted((*store.segments, *added), key=lambda segment: segment.label))
    store.begin()
    if session.image.dynamic is not None:
        store.note_phase(session.view.phase)
    for label in np.unique(values):
        store.paint(changed[values == label], int(label))
    store.end()
    session.say(f"The layer {name} is the mask now; {changed.size:,} voxels changed. Undo takes it back.", "ok")
    return int(changed.size)
