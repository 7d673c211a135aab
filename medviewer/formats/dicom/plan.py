"""Which frame of which file goes where, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medviewer.domain.study import Series, Warning

RUN_FRAMES = 16
"""Most frames of one file that are read before anybody looks at the cancel flag again."""


@dataclass(frozen=True)
class Run:
    """Consecutive frames of one file that go to consecutive slots.

    Parameters
    ----------
    number
        The file's number in `Series.files`.
    first, slot
        The first of them, in its file, and its slot: ``phase * slices + z``.
    count
        How many there are.
    """

    number: int
    first: int
    slot: int
    count: int


@dataclass(frozen=True)
class Plan:
    """What is to be read.

    Parameters
    ----------
    runs
        In the order in which they are read: the slice that is seen first, then outwards from it, phase by phase.
    warnings
        Files whose place another file has, or that have none.
    """

    runs: tuple[Run, ...]
    warnings: tuple[Warning, ...]


def slots_of(series: Series) -> int:
    """How many slots a series has."""
    return series.slices * (1 if series.phases is None else len(series.phases))


def plan_of(series: Series) -> Plan:
    """What is to be read of a series; the middle slice of the first phase comes first."""
    total, middle = slots_of(series), series.slices // 2
    free = bytearray(b"\1") * total
    runs: list[Run] = []
    warnings: list[Warning] = []
    for number, frame, slots in _by_file(series):
        before = len(runs)
        lost: int | None = None
        for k, slot in enumerate(slots):
            if slot < 0:
                continue
            if slot >= total or not free[slot]:
                lost = slot if lost is None else lost
                continue
            free[slot] = 0
            last = runs[-1] if len(runs) > before else None
            fits = last is not None and (last.first + last.count, last.slot + last.count) == (k, slot)
            if last is not None and fits and last.count < RUN_FRAMES and middle not in (slot, slot - 1):
                runs[-1] = Run(number, last.first, last.slot, last.count + 1)
            else:
                runs.append(Run(number, k, slot, 1))
        if lost is not None:
            z = series.slice_of(frame) if len(slots) == 1 else lost % series.slices
            text = f"{series.files[number].name} belongs to slice {z + 1}, which is not free; it is left out, scan the "
            warnings.append(Warning("duplicate", text + "folder again."))
    runs.sort(key=lambda run: _order(run, series.slices, middle))
    return Plan(tuple(runs), tuple(warnings))


def _by_file(series: Series) -> Iterator[tuple[int, int, list[int]]]:
    """Number of the file, number of its first frame over all files, and the slots of its frames."""
    frame = 0
    for number in range(len(series.files)):
        count = series.frames[number] if series.frames else 1
        stop = frame + count
        yield number, frame, list(series.index[frame:stop]) if series.index else list(range(frame, stop))
        frame = stop


def _order(run: Run, slices: int, middle: int) -> tuple[int, int]:
    phase, z = divmod(run.slot, slices)
    nearest = min(max(middle, z), z + run.count - 1)
    return phase, abs(nearest - middle)
