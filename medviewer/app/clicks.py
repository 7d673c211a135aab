"""What was pointed at for one structure, and what became of it: kept apart from the session, which shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.app.mask_store import MaskStore
from medviewer.domain.strokes import Delta
from medviewer.inference.clicking.part import Answer, Part
from medviewer.jobs import Job
from medviewer.plugin_api import Prompt

NOTHING = Part((0, 0, 0), np.zeros((1, 1, 1), bool))
"""A mask with nothing in it."""


@dataclass(eq=False)
class Mark:
    """One thing that was pointed at.

    Parameters
    ----------
    prompt
        What it is.
    stroke
        What its answer changed in the mask; None while there is no answer, or where it changed nothing.
    taken_back
        Whether that stroke was undone: the mark is gone with it, and comes back with it.
    """

    prompt: Prompt
    stroke: Delta | None = None
    taken_back: bool = False


@dataclass(eq=False)
class Clicks:
    """The marks of one structure, in one mask.

    Parameters
    ----------
    store, label
        Where the structure is, and as what.
    marks
        In the order in which they came.
    all_of_it
        Whether the structure is the whole segment, as when a click began on it; otherwise what the clicks made.
    made
        Which voxels the clicks made, in a box.
    job, sent, phase
        The answer that is awaited, and the mask and the phase that went with the question.
    waiting
        An answer that came while a stroke was being painted.
    links
        Signals that are listened to, and what listens.
    """

    store: MaskStore | None = None
    label: int = 0
    marks: list[Mark] = field(default_factory=list)
    all_of_it: bool = False
    made: Part | None = None
    job: Job[Answer] | None = None
    sent: Part | None = None
    phase: int = 0
    waiting: Answer | None = None
    links: list[tuple[Any, Any]] = field(default_factory=list)

    @property
    def shown(self) -> tuple[Prompt, ...]:
        """The prompts that count."""
        return tuple(mark.prompt for mark in self.marks if not mark.taken_back)

    def follow(self) -> None:
        """A stroke was made, undone or done again: marks go and come with theirs."""
        if self.store is None:
            return
        for mark in self.marks:
            if mark.stroke is not None:
                gone = mark.taken_back and not self.store.is_done(mark.stroke)  # another stroke came in its place
                mark.taken_back = gone or self.store.is_undone(mark.stroke)

    def forget_undone(self) -> None:
        """Something new was pointed at: what was undone does not come back."""
        self.marks = [mark for mark in self.marks if not mark.taken_back]

    def previous(self) -> Part:
        """The structure's mask as it is now, a copy."""
        if self.store is not None and self.all_of_it:
            return Part.of_label(self.store.labels, self.label)
        if self.store is None or self.made is None:
            return NOTHING
        return Part(self.made.start, self.made.inside & (self.store.labels[self.made.box] == self.label))

    def paste(self, answer: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which voxels (flat indices) the structure gains and loses by an answer.

        Other segments keep theirs. What was painted since the question was asked stays where the answer agrees with
        what was asked.
        """
        assert self.store is not None
        assert self.sent is not None
        labels = self.store.labels
        here = labels[answer.box]
        before = np.zeros(answer.inside.shape, bool)
        _copy(self.sent, answer, before)
        inside = answer.inside.astype(bool)
        gained, lost = inside & ~before & (here == 0), before & ~inside & (here == self.label)
        if not self.all_of_it:
            self.made = _joined(self.made, Part(answer.start, inside & ((here == 0) | (here == self.label))), lost)
        return _flat(gained, answer.start, labels.shape), _flat(lost, answer.start, labels.shape)


def _copy(source: Part, target: Part, into: NDArray[np.bool_]) -> None:
    """Write what two boxes share of `source` into an array that lies where `target` does."""
    low = [max(a, b) for a, b in zip(source.start, target.start, strict=True)]
    ends = zip(source.start, source.inside.shape, target.start, target.inside.shape, strict=True)
    high = [min(a + n, b + m) for a, n, b, m in ends]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return
    cut = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, source.start, strict=True))
    place = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, target.start, strict=True))
    into[place] = source.inside[cut]


def _joined(old: Part | None, new: Part, lost: NDArray[np.bool_]) -> Part:
    """What the clicks made before and now, without what they took away."""
    if old is None:
        return new
    low = [min(a, b) for a, b in zip(old.start, new.start, strict=True)]
    ends = zip(old.start, old.inside.shape, new.start, new.inside.shape, strict=True)
    high = [max(a + n, b + m) for a, n, b, m in ends]
    inside = np.zeros([b - a for a, b in zip(low, high, strict=True)], bool)
    both = Part((low[0], low[1], low[2]), inside)
    _copy(old, both, inside)
    place = tuple(slice(a - b, a - b + n) for a, b, n in zip(new.start, low, new.inside.shape, strict=True))
    inside[place] = (inside[place] & ~lost) | new.inside
    return both


def _flat(where: NDArray[np.bool_], start: tuple[int, int, int], shape: tuple[int, ...]) -> NDArray[np.int64]:
    index = np.argwhere(where) + np.array(start)
    return np.asarray(np.ravel_multi_index((index[:, 0], index[:, 1], index[:, 2]), shape), np.int64)
