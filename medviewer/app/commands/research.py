"""Work on the open image in napari itself, and bring a mask back from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medviewer.app.commands import masks
from medviewer.app.mask_store import MaskStore, Prepared
from medviewer.domain.strokes import Delta, Labels
from medviewer.errors import GridMismatchError, InputError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from medviewer.app.services import Services


@dataclass(frozen=True)
class Brought:
    """What a label map would change in a mask.

    Parameters
    ----------
    stroke
        The change; None where there is none.
    labels
        The labels that come with it.
    """

    stroke: Prepared | None
    labels: tuple[int, ...] = ()


def bring_back(services: Services, labels: NDArray[np.generic], name: str, series_uid: str) -> Job[Brought]:
    """Make a label map the content of the open mask, as one stroke, which undo takes back.

    Labels that the mask does not know become segments of it. What differs is found off the home thread; a mask that is
    painted on meanwhile is compared again, once the hand rests. `settle` waits for all of it.

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
    The job that finds what differs. It fails by an `InputError` where values are not labels that a mask can have.

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
    if labels.dtype.kind not in "iub":
        raise _unfit(name, limit)
    phase = session.view.phase if session.image.dynamic is not None else None
    return _compare(services, store, labels, name, phase)


def settle(services: Services) -> None:
    """Wait until what was brought back is in the mask; a stroke that is open is finished for it.

    Raises
    ------
    StoreError
        If that stroke cannot be kept.
    """
    if services.session.mask is not None:
        services.session.mask.end()
    while services.bringing is not None:
        services.runner.wait(services.bringing)


def _unfit(name: str, limit: int) -> InputError:
    return InputError(f"The layer {name} should hold whole labels from 0 to {limit}; give its labels such numbers.")


def _compare(
    services: Services, store: MaskStore, labels: NDArray[np.generic], name: str, phase: int | None
) -> Job[Brought]:
    session, began = services.session, store.revision

    def work(context: RunContext) -> Brought:
        return _differing(store.labels, labels, name, context)

    def over() -> None:
        if services.bringing is job:
            services.bringing = None

    def again() -> None:
        if session.mask is store:
            _compare(services, store, labels, name, phase)

    def compared(found: Brought) -> None:
        if session.mask is not store:
            session.say(f"The layer {name} was not brought back, because its mask is not open any more.", "warning")
        elif store.in_stroke:
            _once_rested(store, again)
        elif store.revision != began:
            again()
        elif found.stroke is None:
            session.say(f"The layer {name} is the same as the mask; nothing was changed.")
        else:
            _make(store, found.stroke, found.labels, phase)
            count = f"{found.stroke.delta.where.size:,} voxels changed"
            session.say(f"The layer {name} is the mask now; {count}. Undo takes it back.", "ok")

    services.bringing = job = services.runner.submit(work, title=f"Bringing back the layer {name}")
    return services.when_done(job, compared, over)


def _once_rested(store: MaskStore, then: Callable[[], object]) -> None:
    """Call something when the stroke is finished that a hand is just making."""
    waiting = [then]

    def finished() -> None:
        if waiting and not store.in_stroke:
            waiting.pop()()

    store.edited.connect(finished)


def _differing(mask: Labels, labels: NDArray[np.generic], name: str, context: RunContext) -> Brought:
    """What a label map changes in a mask: slice by slice, for napari's user may go on with it meanwhile."""
    limit, size = int(np.iinfo(mask.dtype).max), mask[0].size
    parts, brought = [], set[int]()
    for z, before in enumerate(mask):
        context.progress(z / len(mask))
        after = np.array(labels[z]).reshape(-1)
        where = np.flatnonzero(before.reshape(-1) != after)
        values = after[where]
        if int(values.min(initial=0)) < 0 or int(values.max(initial=0)) > limit:
            raise _unfit(name, limit)
        parts.append((where + z * size, before.reshape(-1)[where], values.astype(mask.dtype)))
        brought.update(np.flatnonzero(np.bincount(parts[-1][2])).tolist())
    where, old, new = (np.concatenate(each) for each in zip(*parts, strict=True))
    if where.size == 0:
        return Brought(None)
    return Brought(Prepared.of(Delta(where, old, new), mask.shape), tuple(sorted(brought)))


def _make(store: MaskStore, stroke: Prepared, brought: Sequence[int], phase: int | None) -> None:
    """Make it one stroke, with a segment for each label that the mask does not know."""
    known = {segment.label for segment in store.segments}
    fresh = [label for label in brought if label and label not in known]
    if fresh:
        added = tuple(store.base.segment(label) for label in fresh)
        store.segments = tuple(sorted((*store.segments, *added), key=lambda segment: segment.label))
    store.claim()
    if phase is not None:
        store.note_phase(phase)
    store.make(stroke)
