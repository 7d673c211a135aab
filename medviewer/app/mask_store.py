"""The mask that is being worked on: strokes, undo, redo, and a journal that outlives a crash."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from medviewer.app.deeds import next_deed
from medviewer.domain.finding import Detections
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.mask import PALETTE, Segment, Segmentation
from medviewer.domain.strokes import Box, Delta, Labels, change, merge
from medviewer.errors import InputError, StoreError

log = logging.getLogger(__name__)

Result = TypeVar("Result", Segmentation, Heatmap, Detections)
"""What lies over an image, and so over one of its phases."""

PHASE = "phase"
"""The parameter in a result's provenance that names the phase (4th axis, from 0) which it is of."""

UNDO_LIMIT = 200
"""Strokes that can be taken back; older ones stay in the mask."""


_SEGMENTS_MAGIC = b"MVN1"
"""Begins a journal record with the names and colours of all segments, as JSON; strokes begin otherwise."""


_PHASE_MAGIC = b"MVP1"
"""Begins a journal record with the number of the phase that the mask is of."""


def is_stroke(record: bytes) -> bool:
    """Whether a record of the journal holds a stroke, and no segments or phase."""
    return not record.startswith((_SEGMENTS_MAGIC, _PHASE_MAGIC))


class Journal(Protocol):
    """Where acknowledged strokes are kept until the mask is saved."""

    def ready(self) -> None:
        """Make sure that records will be taken, before anything is changed. Raises StoreError if they will not."""
        ...

    def append(self, record: bytes, *, sync: bool = True) -> None:
        """Write one record so that it survives a crash."""
        ...

    def clear(self) -> None:
        """Forget all records: the mask is saved."""
        ...


@dataclass(frozen=True)
class Prepared:
    """A stroke with what making it takes, which for millions of voxels is worked out off the home thread.

    Parameters
    ----------
    delta
        What it changes; some voxel at least.
    box, record
        Where, and its record in the journal.
    """

    delta: Delta
    box: Box
    record: bytes

    @classmethod
    def of(cls, delta: Delta, shape: tuple[int, ...]) -> Prepared:
        """Prepare a stroke on a map of that shape; any thread may call it."""
        return cls(delta, delta.box(shape), delta.to_bytes())


class Frozen:
    """A mask as it was at one moment, for another thread to copy while the mask is painted on.

    A copy that strokes ran through while it was made is put right with what they changed since that moment.

    Parameters
    ----------
    now
        The mask, with the label map that is painted on.
    dirty
        Whether it is not saved yet.
    revision
        Of its store.
    """

    def __init__(self, now: Segmentation, dirty: bool, revision: int) -> None:
        self._now = now
        self._since: list[Delta] = []
        self.dirty = dirty
        self.state = (revision, now.segments, id(now.provenance))
        """What tells it from the mask at other moments."""

    def note(self, delta: Delta) -> None:
        """A stroke is about to be made."""
        self._since.append(delta)

    def take(self) -> Segmentation:
        """The mask of that moment, with a label map of its own; any thread may call it."""
        labels = np.empty_like(self._now.labels)
        for mine, theirs in zip(labels, self._now.labels, strict=True):  # the home thread has its turn in between
            np.copyto(mine, theirs)
        for delta in reversed(tuple(self._since)):  # whether the copy has it or not
            delta.reversed.apply(labels)
        return replace(self._now, labels=labels)


class MaskStore:
    """One editable segmentation. Every view of it listens to `changed`.

    Parameters
    ----------
    base
        The segmentation to start from; its label map is copied once and then edited in place.
    journal
        Where strokes are kept until `saved` is called, or None.
    labels
        A copy of its label map that is nobody else's, where one was made before.

    Notes
    -----
    A stroke is a run of `paint` calls between `begin` and `end`; it is one step of undo and one journal record.
    """

    changed = Signal(object)
    """A `Box`: voxels inside it may have another label now."""
    edited = Signal()
    """A stroke was finished, taken back or done again; undo, redo or dirty may have changed."""
    segments_changed = Signal()

    def __init__(self, base: Segmentation, journal: Journal | None = None, labels: Labels | None = None) -> None:
        self.base = base
        self.labels = base.labels.copy() if labels is None else labels
        self._segments = base.segments
        self.journal = journal
        self.dirty = False
        self.revision = 0
        self._frozen: list[Frozen] = []
        self._unkept = False
        self._open: list[Delta] | None = None
        self._phase_noted = self._phase_written = False
        self._done: list[Delta] = []
        self._undone: list[Delta] = []
        self._done_at: list[int] = []
        self._undone_at: list[int] = []

    @property
    def segments(self) -> tuple[Segment, ...]:
        """What each label means, sorted by label. Setting them is a change that outlives a crash, as a stroke does."""
        return self._segments

    @segments.setter
    def segments(self, segments: tuple[Segment, ...]) -> None:
        self.claim()
        self._segments = segments
        self.dirty = True  # also where the journal fails, as with a stroke
        try:
            if self.journal is not None:
                self.journal.append(_segments_record(segments))
        except StoreError:
            self._unkept = True
            raise
        finally:
            self.segments_changed.emit()

    @property
    def phase(self) -> int | None:
        """The phase of the image that the mask is of, counted from 0; None where nobody noted it."""
        return phase_of(self.base)

    def note_phase(self, phase: int) -> None:
        """A stroke begins while a phase is shown: the first one says which phase the mask is of."""
        first = self.phase is None or (self._phase_noted and not self._done)  # or all that was painted was taken back
        if first and phase != self.phase:
            self.base = of_phase(self.base, phase)
            self._phase_noted, self._phase_written = True, False

    @property
    def journaled(self) -> bool:
        """Whether everything that was changed since the last save would outlive a crash."""
        return self.journal is not None and not self._unkept

    @property
    def in_stroke(self) -> bool:
        """Whether a stroke was begun and not finished."""
        return self._open is not None

    @property
    def can_undo(self) -> bool:
        """Whether a stroke can be taken back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a stroke that was taken back can be done again."""
        return bool(self._undone)

    @property
    def done_at(self) -> int:
        """When the newest stroke was done that can be taken back, as `deeds` counts; 0 for none."""
        return self._done_at[-1] if self._done_at else 0

    @property
    def undone_at(self) -> int:
        """When the stroke was done that would be done again next; 0 for none."""
        return self._undone_at[-1] if self._undone_at else 0

    @property
    def last(self) -> Delta | None:
        """The newest stroke that can be taken back."""
        return self._done[-1] if self._done else None

    def is_undone(self, stroke: Delta) -> bool:
        """Whether a stroke was taken back and can be done again."""
        return any(one is stroke for one in self._undone)

    def is_done(self, stroke: Delta) -> bool:
        """Whether a stroke is in the mask and can be taken back."""
        return any(one is stroke for one in self._done)

    def claim(self) -> None:
        """Make this the one place where the mask is worked on.

        Raises
        ------
        StoreError
            If another window works on it, or the journal cannot be written: nothing is painted that would be lost.
        """
        if self.journal is not None:
            self.journal.ready()

    def begin(self) -> None:
        """Start a stroke; one that was left open is finished first. Raises StoreError as `claim` does."""
        if self._open is not None:
            self.end()
        self.claim()
        self._open = []

    def paint(self, where: NDArray[np.int64], label: int) -> None:
        """Set voxels, given as flat indices, to a label. Outside of a stroke this is a stroke by itself."""
        self.put(change(self.labels, where, label))

    def put(self, delta: Delta) -> None:
        """Make a difference that was worked out on the mask as it is now; as `paint`."""
        if delta.where.size == 0:
            return
        if self._open is None:
            self.claim()
        self._apply(delta)
        if self._open is None:
            self._commit(delta)
        else:
            self._open.append(delta)

    def make(self, stroke: Prepared) -> None:
        """Make a stroke of its own that was prepared on the mask as it is now; none may be open."""
        self.claim()
        self._apply(stroke.delta, stroke.box)
        self._commit(stroke.delta, stroke.record)

    def end(self) -> None:
        """Finish the stroke: it becomes one step of undo and is written to the journal."""
        parts, self._open = self._open, None
        delta = merge(parts) if parts else None
        if delta is not None and delta.where.size:
            self._commit(delta)
        elif parts is not None:  # whoever waits for its end need not wait for another one
            self.edited.emit()

    def undo(self) -> None:
        """Take back the last stroke."""
        self.end()
        if self._done:
            self.claim()
            delta = self._done.pop()
            self._undone.append(delta)
            self._undone_at.append(self._done_at.pop())
            self._replace(delta.reversed)

    def redo(self) -> None:
        """Do the last stroke again that was taken back."""
        self.end()
        if self._undone:
            self.claim()
            delta = self._undone.pop()
            self._done.append(delta)
            self._done_at.append(self._undone_at.pop())
            self._replace(delta)

    def replay(self, records: list[bytes]) -> int:
        """Apply the journal of a session that ended badly; returns how many of its records came back.

        Strokes can be undone like any other. A record that cannot be read ends the replay: later ones build on it.
        """
        count = 0
        for record in records:
            try:
                if record.startswith(_SEGMENTS_MAGIC):
                    self._segments = _segments_of(record)
                    count += 1
                    continue
                if record.startswith(_PHASE_MAGIC):
                    self.base = of_phase(self.base, int(record.removeprefix(_PHASE_MAGIC)))
                    self._phase_noted = self._phase_written = True
                    count += 1
                    continue
                delta = Delta.from_bytes(record)
            except ValueError as error:
                log.warning("the stroke journal ends early: %s", error)
                break
            if delta.where.size and int(delta.where[-1]) >= self.labels.size:
                log.warning("the stroke journal belongs to a larger mask and was left out")
                break
            self._apply(delta)
            self._remember(delta)
            count += 1
        if count:
            self.dirty = True
            self._declare_painted()
            self.segments_changed.emit()
            self.edited.emit()
        return count

    def saved(self) -> None:
        """The mask is in the archive: the journal is no longer needed."""
        self.dirty = self._unkept = False
        if self.journal is not None:
            self.journal.clear()
        self.edited.emit()

    def snapshot(self) -> Segmentation:
        """The segmentation as it is now, with a label map of its own."""
        return replace(self.base, labels=self.labels.copy(), segments=self.segments)

    def freeze(self) -> Frozen:
        """The segmentation as it is now, to be copied by another thread; keep it until `thaw`."""
        frozen = Frozen(self.handed_over(), self.dirty, self.revision)
        self._frozen.append(frozen)
        return frozen

    def thaw(self, frozen: Frozen) -> None:
        """Nobody will copy that any more."""
        self._frozen.remove(frozen)

    def is_as(self, frozen: Frozen) -> bool:
        """Whether nothing was changed since that moment."""
        return frozen.state == (self.revision, self.segments, id(self.base.provenance))

    def handed_over(self) -> Segmentation:
        """The segmentation with the label map itself, which takes no time; nothing may be painted afterwards."""
        return replace(self.base, labels=self.labels, segments=self.segments)

    def add_segment(self, name: str) -> Segment:
        """Declare a new label; returns its segment.

        Raises
        ------
        InputError
            If the label map's type has no number left for it.
        """
        label = self._free_label()
        segment = Segment(label, name, PALETTE[(label - 1) % len(PALETTE)])
        self.segments = tuple(sorted((*self.segments, segment), key=lambda s: s.label))
        return segment

    def _free_label(self) -> int:
        """The number after the highest; below it where the type ends there, as in masks that write 255."""
        taken = {s.label for s in self.segments}
        after, limit = max(taken, default=0) + 1, int(np.iinfo(self.labels.dtype).max)
        if after <= limit:
            return after
        taken.update(np.unique(self.labels).tolist())
        free = next((label for label in range(1, limit) if label not in taken), None)
        if free is None:
            raise InputError(f"This mask holds at most {limit} segments and has that many; start a new mask.")
        return free

    def _declare_painted(self) -> None:
        """Name what was painted with labels that no segment declares, as in files that name only some.

        Views draw declared segments, so the strokes would be back unseen.
        """
        known = {s.label for s in self.segments}
        found = [int(label) for label in np.unique(self.labels) if label and int(label) not in known]
        if found:
            added = (self.base.segment(label) for label in found)
            self._segments = tuple(sorted((*self.segments, *added), key=lambda s: s.label))

    def _replace(self, delta: Delta) -> None:
        self._apply(delta)
        self._write(delta)

    def _commit(self, delta: Delta, record: bytes | None = None) -> None:
        self._remember(delta)
        self._write(delta, record)

    def _remember(self, delta: Delta) -> None:
        self._undone.clear()
        self._undone_at.clear()
        self._done.append(delta)
        self._done_at.append(next_deed())
        del self._done[:-UNDO_LIMIT], self._done_at[:-UNDO_LIMIT]

    def _write(self, delta: Delta, record: bytes | None = None) -> None:
        self.dirty = True  # also where the journal fails: the stroke is in the mask, and can still be saved
        try:
            if self.journal is not None:
                if self._phase_noted and not self._phase_written:  # ahead of the stroke that it is about
                    self.journal.append(_PHASE_MAGIC + str(self.phase).encode())
                    self._phase_written = True
                self.journal.append(delta.to_bytes() if record is None else record)
        except StoreError:
            self._unkept = True
            raise
        finally:
            self.edited.emit()

    def _apply(self, delta: Delta, known: Box | None = None) -> None:
        for frozen in self._frozen:
            frozen.note(delta)  # first: who copies meanwhile may meet half of the stroke
        box = delta.apply(self.labels, known)
        self.revision += 1
        self.changed.emit(box)


def phase_of(found: Segmentation | Heatmap | Detections) -> int | None:
    """The phase that a result is of, as its provenance says; None where it does not."""
    phase = found.provenance.parameters.get(PHASE)
    return phase if isinstance(phase, int) else None


def of_phase(found: Result, phase: int) -> Result:
    """A result with the phase that it is of in its provenance."""
    made = found.provenance
    return replace(found, provenance=replace(made, parameters={**made.parameters, PHASE: phase}))


def _segments_record(segments: tuple[Segment, ...]) -> bytes:
    from medviewer.archive.codec import segments_to_json  # loads the database, which reading files does without

    return _SEGMENTS_MAGIC + json.dumps(segments_to_json(segments)).encode()


def _segments_of(record: bytes) -> tuple[Segment, ...]:
    from medviewer.archive.codec import segments_from_json

    try:
        return segments_from_json(json.loads(record.removeprefix(_SEGMENTS_MAGIC)))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("a damaged record of segments") from error
