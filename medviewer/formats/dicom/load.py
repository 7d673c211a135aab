"""A scanned DICOM series into one array."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medviewer.domain.image import Dynamic, Image, Rescale
from medviewer.domain.study import Series, Warning
from medviewer.errors import JobCancelled, UnreadableError
from medviewer.formats.dicom.grey import Grey, read_grey
from medviewer.formats.dicom.headers import Header
from medviewer.formats.dicom.plan import Run, plan_of, slots_of
from medviewer.formats.dicom.resample import onto_grid
from medviewer.formats.dicom.slices import SliceReader

Progress = Callable[[float, str], None]
Warn = Callable[[Warning], None]
Early = Callable[[Image], None]

_BATCH = 16
"""Slices between two words of progress."""

_NO_EARLY = ("PT", "NM")
"""Modalities whose slices usually have rescales of their own, so that one says nothing of the others."""


def load_dicom(
    series: Series,
    progress: Progress | None,
    cancelled: threading.Event | None,
    warn: Warn | None,
    early: Early | None = None,
) -> Image:
    """Read all slices of a series; see `medviewer.formats.load`."""
    return _Loading(series, progress, cancelled or threading.Event(), early).run(warn)


class _Loading:
    """One series on its way into memory."""

    def __init__(
        self, series: Series, progress: Progress | None, cancelled: threading.Event, early: Early | None
    ) -> None:
        self.series, self.progress, self.cancelled, self.early = series, progress, cancelled, early
        self.reader = SliceReader(series, slots_of(series), cancelled)
        self._lock = threading.Lock()
        self._done = self._total = 0
        self._first: Header | None = None
        self._deferred: list[Run] = []
        self._shown: Image | None = None

    def run(self, warn: Warn | None) -> Image:
        """Read everything and make the image."""
        plan = plan_of(self.series)
        self._total = sum(run.count for run in plan.runs)
        with self.reader:
            runs = list(plan.runs)
            if self.early is not None:
                runs = self._read_first(runs, self.early)
            self._read_all(runs)
            deferred, self._first = self._deferred, None
            self._read_all(deferred)
        warnings = [*plan.warnings, *self.reader.warnings()]
        headers = self.reader.headers
        if not headers:
            self._tell(warnings, warn)
            reason = warnings[0].text if warnings else "it has no files"
            text = f"None of the {len(self.series.files)} files of the series could be read: {reason}"
            raise UnreadableError(text)
        grey = read_grey(self.series, headers)
        self._tell([*warnings, *grey.warnings], warn)
        self.reader.fill_missing(grey.padding)
        return self._finished(grey)

    @staticmethod
    def _tell(warnings: list[Warning], warn: Warn | None) -> None:
        if warn is not None:
            for warning in dict.fromkeys(warnings):
                warn(warning)

    def _read_first(self, runs: list[Run], early: Early) -> list[Run]:
        """Read the slice that is seen first, show it, and return what is left to read."""
        for k, run in enumerate(runs):
            self._read(run)
            header = self.reader.headers.get(run.number)
            if header is None:
                continue
            if self._may_be_early(header):
                grey = read_grey(self.series, {run.number: header})
                if all(rescale.is_uniform for rescale in grey.rescales):
                    self.reader.blank_the_rest(grey.padding, run.slot)
                    self._first = header
                    self._shown = self._image(self.reader.voxels, grey, grey.rescales)
                    early(self._shown)
            return runs[k + 1 :]
        return []

    def _may_be_early(self, header: Header) -> bool:
        return self.series.source is None and self.series.modality not in _NO_EARLY

    def _read_all(self, runs: list[Run]) -> None:
        """Read runs in order, two or more at a time."""
        waiting = iter(runs)

        def work() -> None:
            while True:
                with self._lock:
                    run = next(waiting, None)
                if run is None:
                    return
                self._read(run)

        helpers = min(self.reader.threads, len(runs)) - 1
        _together(work, max(helpers, 0))

    def _read(self, run: Run) -> None:
        if self.cancelled.is_set():
            raise JobCancelled("Loading was stopped before the series was complete; open it again to see it.")
        if not self.reader.read(run, self._first):
            with self._lock:  # its grey values mean something else than those on the screen
                self._deferred.append(run)
            return
        with self._lock:
            before, self._done = self._done, self._done + run.count
            done, total = self._done, self._total
            if self.progress is not None and (done // _BATCH > before // _BATCH or done == total):
                self.progress(done / total, f"Reading slice {done} of {total}")

    def _finished(self, grey: Grey) -> Image:
        """The image of all voxels, on the grid of its series."""
        series, voxels = self.series, self.reader.voxels
        if series.source is None:
            return _settled(self._shown, self._image(voxels, grey, grey.rescales))
        phases = voxels.reshape(-1, series.slices, *voxels.shape[1:])
        fill = grey.padding[0] if grey.padding is not None else voxels.min()
        rescales = grey.rescales
        if not all(rescale.is_uniform for rescale in rescales):  # stored values of two slices cannot be mixed then
            real = [_real(phase, rescale) for phase, rescale in zip(phases, rescales, strict=True)]
            fill, phases = min(one.min() for one in real), np.stack(real)
            rescales = tuple(Rescale(unit=rescale.unit) for rescale in rescales)
            grey = replace(grey, padding=None)
        even = np.concatenate([onto_grid(phase, series, float(fill)) for phase in phases])
        return self._image(even, replace(grey, overlays=()), rescales)

    def _image(self, voxels: NDArray[Any], grey: Grey, rescales: tuple[Rescale, ...]) -> Image:
        series = self.series
        shape = (*series.grid.shape, *voxels.shape[3:])
        dynamic = None
        if series.phases is not None:
            dynamic = Dynamic(series.phases, voxels.reshape(len(series.phases), *shape), rescales)
        return Image(
            voxels=voxels.reshape(shape) if dynamic is None else dynamic.voxels[0],
            grid=series.grid,
            modality=series.modality,
            rescale=rescales[0],
            windows=grey.windows,
            inverted=grey.inverted,
            calibrated=series.calibrated,
            padding=grey.padding,
            series_uid=series.uid,
            lut=grey.lut,
            overlays=grey.overlays,
            dynamic=dynamic,
        )


def _settled(shown: Image | None, whole: Image) -> Image:
    """The image that is on the screen already where it is what came of it, without what it worked out while blank."""
    if shown is None or not _alike(shown, whole):
        return whole
    phases = [shown] if shown.dynamic is None else [shown.at_phase(k) for k in range(len(shown.dynamic.axis))]
    kept = {one.name for one in fields(Image)} | {"_phases"}
    for image in phases:
        for name in vars(image).keys() - kept:
            del vars(image)[name]
    return shown


def _alike(one: Image, other: Image) -> bool:
    rescales = [() if image.dynamic is None else image.dynamic.rescales for image in (one, other)]
    return (
        (one.rescale, one.windows, one.inverted, one.padding)
        == (other.rescale, other.windows, other.inverted, other.padding)
        and rescales[0] == rescales[1]
        and one.lut is other.lut
        and one.overlays == other.overlays
    )


def _real(stack: NDArray[Any], rescale: Rescale) -> NDArray[np.float32]:
    return np.stack([rescale.apply(plane, z) for z, plane in enumerate(stack)])


def _together(work: Callable[[], None], helpers: int) -> None:
    """Run a function here and in some threads, and raise what any of them raised."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, name="medviewer-load", daemon=True) for _ in range(helpers)]
    for thread in threads:
        thread.start()
    guarded()
    for thread in threads:
        thread.join()
    if failed:
        raise next((error for error in failed if not isinstance(error, JobCancelled)), failed[0])
