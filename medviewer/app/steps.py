"""What was done to one kind of thing, step by step, to be undone and done again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

from medviewer.app.deeds import next_deed
from medviewer.errors import InputError

T = TypeVar("T")
S = TypeVar("S", bound="Step[Any]")


@dataclass(frozen=True)
class Step(Generic[T]):
    """One change of one thing.

    Parameters
    ----------
    before, after
        What it was and what it is; None where it was not there.
    at
        When it was done, as `deeds` counts: strokes, measurements, key images and paths are undone in one order.
    """

    before: T | None
    after: T | None
    at: int = field(default_factory=next_deed, compare=False)

    @property
    def turned_back(self) -> Self:
        """The change that takes it back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True)
class Steps(Generic[S]):
    """The changes of one kind of thing; each method answers with what they are afterwards.

    Parameters
    ----------
    past
        What was done, the newest last.
    future
        What was undone, the next to be done again last.
    """

    past: tuple[S, ...] = ()
    future: tuple[S, ...] = ()

    @property
    def done_at(self) -> int:
        """When the newest was done, as `deeds` counts; 0 where there is none."""
        return self.past[-1].at if self.past else 0

    @property
    def undone_at(self) -> int:
        """When the next to be done again was done first; 0 where there is none."""
        return self.future[-1].at if self.future else 0

    def newest(self, none: str) -> S:
        """What is undone next. Raises InputError with that sentence if there is nothing."""
        if not self.past:
            raise InputError(none)
        return self.past[-1]

    def next(self, none: str) -> S:
        """What is done again next. Raises InputError with that sentence if there is nothing."""
        if not self.future:
            raise InputError(none)
        return self.future[-1]

    def with_done(self, step: S, most: int) -> Steps[S]:
        """One more, of which so many are kept; nothing can be done again any more."""
        return Steps((*self.past, step)[-most:])

    def undone(self, as_it_was: S | None = None) -> Steps[S]:
        """The newest was taken back; it is done again as it was, or as it is given here."""
        return Steps(self.past[:-1], (*self.future, as_it_was or self.past[-1]))

    def redone(self, as_it_was: S | None = None) -> Steps[S]:
        """What was undone last was done again; it is undone as it was, or as it is given here."""
        return Steps((*self.past, as_it_was or self.future[-1]), self.future[:-1])

    def forgotten(self) -> Steps[S]:
        """The newest never was."""
        return Steps(self.past[:-1], self.future)

    def changed(self, after: object) -> Steps[S]:
        """The newest came to something else."""
        return Steps((*self.past[:-1], replace(self.past[-1], after=after)), self.future)
