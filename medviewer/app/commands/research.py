"""Work on the open image in napari itself, and bring a mask back from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from medviewer.app.commands import masks
from medviewer.app.mask_store import MaskStore
from medviewer.domain.strokes import Delta, Labels
from medviewer.errors import GridMismatchError, InputError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from medviewer.app.services import Services


def bring_back(
    services: Services, labels: NDArray[np.generic], name: str, series_uid: str
) -> Job[tuple[Delta, list[int]]]:
    """Make a label map the content of the open mask, as one stroke, which undo takes back.

    Labels that the mask does not know become segments of it. What differs is found off the home thread.

    Parameters
    ----------
    labels
        Whole numbers (z, y, x), 0 for nothing.
    name
        What it was called there, for the messages.
    series_uid
        The series that it was made on.

    Returns
    -------
    The job that finds what differs, and which labels that brings. It fails by an `InputError` where values are not
    labels that a mask can have.

    Raises
    ------
    InputError
        If no image is open, or the values are no whole numbers.
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
    limit = int(np.iinfo(store.labels.dtype).max)
    unfit = InputError(f"The layer {name} should hold whole labels from 0 to {limit}; give its labels such numbers.")
    if labels.dtype.kind not in "iub":
        raise unfit
    began = store.revision

    def compare(_: RunContext) -> tuple[Delta, list[int]]:
        before, after = store.labels.reshape(-1), np.ascontiguousarray(labels).reshape(-1)
        changed = np.flatnonzero(before != after)
        values = after[changed]
        if int(values.min(initial=0)) < 0 or int(values.max(initial=0)) > limit:
            raise unfit
        delta = Delta(changed, before[changed], cast(Labels, values.astype(store.labels.dtype)))
        delta.prepare()
        return delta, np.flatnonzero(np.bincount(delta.after)).tolist()

    def compared(found: tuple[Delta, list[int]]) -> None:
        delta, brought = found
        if session.mask is not store:
            session.say(f"The layer {name} was not brought back, because its mask is not open any more.", "warning")
        elif store.revision != began:  # painted on meanwhile
            bring_back(services, labels, name, series_uid)
        elif delta.where.size == 0:
            session.say(f"The layer {name} is the same as the mask; nothing was changed.")
        else:
            _make(services, store, delta, brought)
            count = f"{delta.where.size:,} voxels changed"
            session.say(f"The layer {name} is the mask now; {count}. Undo takes it back.", "ok")

    return services.when_done(services.runner.submit(compare, title=f"Bringing back the layer {name}"), compared)


def _make(services: Services, store: MaskStore, delta: Delta, brought: list[int]) -> None:
    """Make it one stroke, with a segment for each label that the mask does not know."""
    session = services.session
    known = {segment.label for segment in store.segments}
    fresh = [label for label in brought if label and label not in known]
    if fresh:
        added = tuple(store.base.segment(label) for label in fresh)
        store.segments = tuple(sorted((*store.segments, *added), key=lambda segment: segment.label))
    store.begin()
    if session.image is not None and session.image.dynamic is not None:
        store.note_phase(session.view.phase)
    store.put(delta)
    store.end()
