"""The files of a series, read frame by frame into the slots of one array."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from medviewer.domain.study import Series, Warning
from medviewer.errors import JobCancelled, JobTimeout, MedviewerError, UnreadableError, WorkerDied
from medviewer.formats import isolation
from medviewer.formats.dicom import tags as t
from medviewer.formats.dicom.fragments import Piece, frame_pieces
from medviewer.formats.dicom.headers import BLOCK, Header, read_header, read_open
from medviewer.formats.dicom.kinds import truncated
from medviewer.formats.dicom.memory import check_free, fresh_zeros
from medviewer.formats.dicom.native import BytesSource, FileSource, Source, inflate, read_frames
from medviewer.formats.dicom.palette import palette_of
from medviewer.formats.dicom.pixels import FORMAT, PixelFormat, format_of, is_encapsulated
from medviewer.formats.dicom.plan import Run
from medviewer.formats.dicom.recent import recall

MAX_BYTES = 2 * 10**9
"""What the pixels of one file may take in memory, unless the file itself holds that much: more is a bomb."""

_DECODE = "medviewer.formats.dicom.codecs:decode_into"
_RESCALE = (t.RESCALE_SLOPE, t.RESCALE_INTERCEPT)


class _LeftOutError(Exception):
    """A file does not belong here any more, or is cut short."""

    def __init__(self, warning: Warning) -> None:
        super().__init__(warning.text)
        self.warning = warning


@dataclass(eq=False)
class _File:
    """What is known of one file once it was opened."""

    header: Header
    form: PixelFormat
    pieces: Sequence[Sequence[Piece]] | None = None
    source: BytesSource | None = None


@dataclass(eq=False)
class _Trouble:
    """What went wrong with a file: its first error, how many frames it cost, and whether to try no more."""

    error: MedviewerError | OSError | _LeftOutError
    frames: int = 0
    over: bool = False


@dataclass(eq=False)
class SliceReader:
    """Reads frames into `voxels`, from several threads at once.

    Parameters
    ----------
    series
        What was scanned.
    slots
        How many slices there are, over all phases.
    cancelled
        Stops a decoder.

    Raises
    ------
    UnreadableError
        If no file can be read, or there is not enough memory.
    """

    series: Series
    slots: int
    cancelled: threading.Event
    headers: dict[int, Header] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = _first_header(self.series)
        self._like, self._form = first, format_of(first)
        form = self._form
        source = self.series.source
        plane = source.shape if source is not None else self.series.grid.shape[1:]
        self._shape, self._dtype = (*plane, *form.shape[2:]), form.dtype
        self._frame_bytes = int(np.prod(self._shape, dtype=np.float64)) * self._dtype.itemsize
        self._encapsulated = is_encapsulated(first)
        self._files: dict[int, _File] = {}
        self._opening: dict[int, threading.Lock] = {}
        self._troubles: dict[int, _Trouble] = {}
        self._lock = threading.Lock()
        self._filled = np.zeros(self.slots, bool)
        self._block: isolation.SharedBlock | None = None
        if self._encapsulated:
            isolation.warm()
        self.voxels = self._allocate()

    def __enter__(self) -> SliceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.clear()
        if self._block is not None:
            self._block.close()

    @property
    def threads(self) -> int:
        """How many threads are worth having: one a decoder, or as many as copy at once."""
        return isolation.size() if self._encapsulated else max(isolation.size(), 2)

    def read(self, run: Run, like: Header | None) -> bool:
        """Read a run of frames; False if nothing was done because the file's rescale is not that of `like`."""
        with self._lock:
            trouble = self._troubles.get(run.number)
        if trouble is not None and trouble.over:
            trouble.frames += run.count
            return True
        try:
            with io.FileIO(self.series.files[run.number]) as file:
                opened = self._opened(file, run.number)
                if like is not None and not _same_rescale(opened.header, like):
                    return False
                self._read(file, opened, run)
        except (MedviewerError, OSError, _LeftOutError) as error:
            if isinstance(error, JobCancelled):
                raise
            self._note(run, run.count, error, over=True)
        return True

    def fill_missing(self, padding: tuple[float, float] | None) -> None:
        """Make slices that no file filled blank: padding where the header has it, else the lowest value there is."""
        missing = np.flatnonzero(~self._filled)
        if missing.size:
            filled = np.flatnonzero(self._filled)
            self.voxels[missing] = _blank(padding, min(self.voxels[z].min() for z in filled)) if filled.size else 0

    def blank_the_rest(self, padding: tuple[float, float] | None, shown: int) -> None:
        """Make all but one slice blank, which costs nothing where blank is 0, as fresh memory is."""
        blank = _blank(padding, self.voxels[shown].min())
        if self.voxels.dtype.kind != "u" and blank != 0:
            self.voxels[:shown] = blank
            self.voxels[shown + 1 :] = blank

    def warnings(self) -> list[Warning]:
        """What was wrong, in the order of the files."""
        found = [self._warning(number, self._troubles[number]) for number in sorted(self._troubles)]
        return [*found, *self._moved()]

    def _allocate(self) -> NDArray[Any]:
        shape, dtype = (self.slots, *self._shape), self._dtype
        size = self.slots * self._frame_bytes
        try:
            check_free(size)
            if self._encapsulated:
                self._block = isolation.SharedBlock(size)
                return self._block.array(shape, dtype)
            return fresh_zeros(shape, dtype)
        except (MemoryError, ValueError, UnreadableError) as error:
            text = f"The series needs {size / 1e9:.1f} GB of memory, which is more than there is; close other programs"
            raise UnreadableError(f"{text} or studies.") from error

    def _opened(self, file: io.FileIO, number: int) -> _File:
        """The file's header and what else is needed of it; kept where there are more runs of it to come."""
        if self._frames(number) == 1:
            return self._open(file, number)
        with self._lock:
            opening = self._opening.setdefault(number, threading.Lock())
        with opening:
            if number not in self._files:
                self._files[number] = self._open(file, number)
            return self._files[number]

    def _open(self, file: io.FileIO, number: int) -> _File:
        path, frames = self.series.files[number], self._frames(number)
        header = recall(path, os.fstat(file.fileno())) or read_open(file, path, file.read(BLOCK))
        source = None
        if header.deflated:
            source, header = inflate(file, header, MAX_BYTES)
        form = self._form if _same_format(header, self._like) else format_of(header)
        self._check(header, form, frames)
        if form.colour and form.samples == 1:
            form = format_of(header, palette_of(header, form))
        pieces = frame_pieces(file.fileno(), header, frames) if is_encapsulated(header) else None
        return _File(header, form, pieces, source)

    def _check(self, header: Header, form: PixelFormat, frames: int) -> None:
        """Refuse what is not what was scanned, is cut short, or claims more than it can hold."""
        name = header.path.name
        fits = form.dtype == self._dtype and form.shape == self._shape
        if not fits or header.pixel_offset < 0 or (frames == 1 and not self._lies_in(header)):
            text = f"{name} no longer fits the series that was scanned; it is left out, scan the folder again."
            raise _LeftOutError(Warning("changed", text))
        problem = None if is_encapsulated(header) else truncated(header)
        if problem is not None:
            raise _LeftOutError(problem)
        size = frames * max(form.kept_bytes, form.frame_bits // 8)
        stored = 0 if is_encapsulated(header) else min(header.pixel_length, header.size)
        if size > MAX_BYTES and stored < frames * form.frame_bits // 8:
            text = f"{name} claims {size / 1e9:.1f} GB of pixels but holds {header.size / 1e6:.1f} MB; it is left out."
            raise _LeftOutError(Warning("too-large", text))

    def _frames(self, number: int) -> int:
        return self.series.frames[number] if self.series.frames else 1

    def _read(self, file: io.FileIO, opened: _File, run: Run) -> None:
        if opened.pieces is not None:
            for k in range(run.count):
                self._decode(opened, run, k)
            return
        source: Source = opened.source or FileSource(file.fileno())
        out = self.voxels[run.slot : run.slot + run.count]
        try:
            read_frames(source, opened.header, opened.form, run.first, out)
        except UnreadableError:
            if run.count == 1:
                raise
            for k in range(run.count):  # some of them may be whole
                self._one(source, opened, Run(run.number, run.first + k, run.slot + k, 1))
        else:
            self._filled[run.slot : run.slot + run.count] = True
        self.headers.setdefault(run.number, opened.header)

    def _one(self, source: Source, opened: _File, run: Run) -> None:
        try:
            read_frames(source, opened.header, opened.form, run.first, self.voxels[run.slot : run.slot + 1])
            self._filled[run.slot] = True
        except UnreadableError as error:
            self._note(run, 1, error)

    def _decode(self, opened: _File, run: Run, k: int) -> None:
        assert opened.pieces is not None
        try:
            if run.first + k >= len(opened.pieces) or not opened.pieces[run.first + k]:
                raise UnreadableError("The file ends before the frame.")
            self._call(opened, opened.pieces[run.first + k], run.slot + k)
        except JobCancelled:
            raise
        except (WorkerDied, JobTimeout) as error:
            self._note(run, run.count - k, error, over=True)
            return
        except MedviewerError as error:
            self._note(run, 1, error)
        else:
            self._filled[run.slot + k] = True
            self.headers.setdefault(run.number, opened.header)

    def _call(self, opened: _File, pieces: Sequence[Piece], slot: int) -> None:
        """Decode a frame in a process of its own, which writes it where it belongs."""
        form, header = opened.form, opened.header
        path, cancelled = os.fspath(header.path.absolute()), self.cancelled
        if self._block is not None:
            offset = slot * form.kept_bytes
            isolation.call(
                _DECODE, path, pieces, header.transfer_syntax, form, self._block.token, offset, cancelled=cancelled
            )
            return
        with isolation.SharedBlock(form.kept_bytes) as block:  # a compressed file among others that are not
            isolation.call(_DECODE, path, pieces, header.transfer_syntax, form, block.token, 0, cancelled=cancelled)
            self.voxels[slot] = block.array(form.shape, form.dtype)

    def _note(self, run: Run, frames: int, error: MedviewerError | OSError | _LeftOutError, over: bool = False) -> None:
        with self._lock:
            trouble = self._troubles.setdefault(run.number, _Trouble(error))
            trouble.frames += frames
            trouble.over = trouble.over or over

    def _warning(self, number: int, trouble: _Trouble) -> Warning:
        path, error = self.series.files[number], trouble.error
        if isinstance(error, _LeftOutError):
            return error.warning
        several = self._frames(number) > 1
        lost = f"{trouble.frames} of its {self._frames(number)} frames are" if several else "Its slice is"
        blank = f"{lost} shown blank."
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            return Warning("unreadable", f"{path.name} could not be read ({reason}); {blank[0].lower()}{blank[1:]}")
        if isinstance(error, JobTimeout):
            return Warning("decoder-hang", f"{path.name} kept its decoder busy for too long and was given up. {blank}")
        if isinstance(error, WorkerDied):
            return Warning("decoder-crash", f"{path.name} made its decoder crash, so the file is damaged. {blank}")
        if path.name in str(error):
            return Warning("unreadable", f"{error} {blank}")
        syntax = self._syntax_name(number)
        text = (
            f"{path.name} could not be decoded ({syntax}): it is damaged, cut short or of a kind that medviewer does "
            f"not read; fetch the file again. {blank}"
        )
        return Warning("unreadable", text)

    def _syntax_name(self, number: int) -> str:
        try:
            return UID(read_header(self.series.files[number]).transfer_syntax).name
        except UnreadableError:
            return "it went away"

    def _lies_in(self, header: Header) -> bool:
        """Whether a file still lies between the first and the last slice; a single slice lies where it lies."""
        if self.series.slices == 1:
            return True
        along = self._along(header)
        low, high, step = self._extent
        return along is None or low - step / 2 <= along < high + step / 2

    def _along(self, header: Header) -> float | None:
        position = header.numbers(t.IMAGE_POSITION_PATIENT)
        if len(position) != 3:
            return None
        x, y, z = self._normal
        return float(x * position[0] + y * position[1] + z * position[2])

    @cached_property
    def _normal(self) -> tuple[float, float, float]:
        """The direction in which the slices follow each other."""
        x, y, z = self.series.grid.axes[:, 0].tolist()
        return x, y, z

    @cached_property
    def _extent(self) -> tuple[float, float, float]:
        """Where the first and the last slice lie along the normal, and the distance between slices, in mm."""
        grid, source = self.series.grid, self.series.source
        axis = grid.axes[:, 0]
        if source is not None:
            places = np.array(source.positions) @ axis
            return float(places.min()), float(places.max()), grid.spacing[0]
        start = float(np.array(grid.origin) @ axis)
        return start, start + (grid.shape[0] - 1) * grid.spacing[0], grid.spacing[0]

    def _moved(self) -> list[Warning]:
        """Warnings for files that moved along the stack since the scan, which gave them their slices."""
        placed = []
        frame = 0
        for number in range(len(self.series.files)):
            if self._frames(number) == 1 and number in self.headers:
                placed.append((self.series.slot(frame), number))
            frame += self._frames(number)
        found = []
        last, last_phase = -np.inf, -1
        for (phase, _), number in sorted(placed):
            header = self.headers[number]
            along = self._along(header)
            if along is None or not np.isfinite(along):
                continue
            if phase == last_phase and along <= last:
                text = f"{header.path.name} no longer lies where it was scanned; scan the folder again."
                found.append(Warning("changed", text))
            last, last_phase = (max(last, along) if phase == last_phase else along), phase
        return found


def _first_header(series: Series) -> Header:
    """The header of the first file that can be read; all others must agree with it."""
    problem: UnreadableError | None = None
    for path in series.files:
        try:
            header = read_header(path)
            if header.deflated:
                with path.open("rb") as file:
                    _, header = inflate(file, header, MAX_BYTES)
            return header
        except OSError as error:
            problem = problem or UnreadableError(f"{path.name} could not be read ({error.strerror}).")
        except UnreadableError as error:
            problem = problem or error
    count = len(series.files)
    raise UnreadableError(f"None of the {count} files of the series could be read: {problem or 'it has no files'}")


def _same_format(header: Header, like: Header) -> bool:
    mine, other = header.raw, like.raw
    same = header.transfer_syntax == like.transfer_syntax and header.pixel_tag == like.pixel_tag
    return same and all(mine.get(tag) == other.get(tag) for tag in FORMAT)


def _same_rescale(header: Header, like: Header) -> bool:
    return all(header.raw.get(tag) == like.raw.get(tag) for tag in _RESCALE)


def _blank(padding: tuple[float, float] | None, lowest: Any) -> Any:
    return padding[0] if padding is not None else lowest
