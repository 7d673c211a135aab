"""Small pictures of series, made beside the home thread for the rows that are on the screen, and kept."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, QObject, Qt, Signal
from PySide6.QtGui import QImage, QPixmap

from medviewer import formats
from medviewer.app.presets import first_window, opens_inverted
from medviewer.app.services import Services
from medviewer.archive.catalog import Catalog, SeriesEntry
from medviewer.domain.image import Image
from medviewer.domain.plane import Plane, planes_of
from medviewer.domain.study import Series
from medviewer.errors import JobCancelled, JobError, MedviewerError, UnreadableError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

EDGE = 36
"""Edge of a thumbnail, in px."""

RECIPE = "2"
"""Which way of making thumbnails this is; it stands in each. One that was made in another way is made anew.

1 (none stands in those): as files store a slice. 2: as the plane of a volume lies, and as films are inverted.
"""
_RECIPE_KEY = "medviewer-recipe"
"""Of the PNG's text that tells the recipe."""

_KEPT = 512
"""Thumbnails that stay in memory; the others come back from the catalogue."""
_LARGE = 64 * 1024**2
"""A file of more bytes is not read for a thumbnail; opening it makes one."""
_SHARP = 2
"""Made this much larger than shown, for screens with small pixels."""
_FINER = 8
"""Pixels of the slice, along an axis, that at least go into one of a thumbnail's; more are left out."""


def middle_file(series: Series) -> Series:
    """The slice in the middle of a series that has a file a slice, as a series of its own; any other as it is."""
    if any(count != 1 for count in series.frames):
        return series
    _, rows, columns = series.grid.shape
    k = len(series.files) // 2
    grid = series.grid.crop((series.slice_of(k), 0, 0), (1, rows, columns))
    return replace(series, files=(series.files[k],), index=(), frames=(), phases=None, source=None, grid=grid)


def picture(image: Image, *, of_volume: bool = False) -> QImage:
    """The middle slice of an image as a viewport shows it, as large as a thumbnail.

    Parameters
    ----------
    of_volume
        Whether a single slice is one of a volume: then it lies as its plane does, and not as its file stores it.
    """
    grid = image.grid
    plane = Plane.of(grid, grid.plane_name(0)) if of_volume and not image.is_volume else planes_of(grid)[0]
    k = plane.count // 2
    whole_slice = plane.take(image.voxels, k)
    step = max(1, min(whole_slice.shape[:2]) // (_FINER * EDGE * _SHARP))  # of a mammogram: it would take a second
    slice_ = whole_slice[::step, ::step]
    grey = slice_ if image.is_colour else _grey(image, slice_, k)
    pixels = np.ascontiguousarray(grey, np.uint8)
    rows, columns = pixels.shape[:2]
    kind = QImage.Format.Format_RGB888 if image.is_colour else QImage.Format.Format_Grayscale8
    whole = QImage(pixels.tobytes(), columns, rows, pixels.strides[0], kind)
    height, width = (n * mm for n, mm in zip(whole_slice.shape[:2], plane.spacing, strict=True))
    scale = EDGE * _SHARP / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    made = whole.scaled(*size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
    made.setText(_RECIPE_KEY, RECIPE)
    return made


def _grey(image: Image, stored: NDArray[np.generic], k: int) -> NDArray[np.uint8]:
    part = first_window(image).apply(image.real_of(stored, k if image.is_volume else 0))
    return np.asarray((1 - part if image.inverted or opens_inverted(image) else part) * 255, np.uint8)


class Thumbnails(QObject):
    """Gets thumbnails one at a time, the one that was asked for last first: from the catalogue, or from the files.

    A series whose picture would cost the reading of a whole large file has none until it is opened.
    """

    ready = Signal(str)
    """A thumbnail of the series with that UID is there."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._made: OrderedDict[str, QPixmap | None] = OrderedDict()
        self._wanted: OrderedDict[str, SeriesEntry] = OrderedDict()
        self._outdated: set[str] = set()
        self._unsaved: dict[str, bytes] = {}
        self._job: Job[_Picture | None] | None = None
        self._at_work = ""

    def get(self, series: SeriesEntry) -> QPixmap | None:
        """The thumbnail of a series, or None; it is made then, and `ready` tells when it is there."""
        uid = series.uid
        made = self._made.get(uid)
        if made is not None:
            self._made.move_to_end(uid)
            if uid not in self._outdated:
                return made
        # One that failed, or is of another recipe, is tried again once the series is open: its voxels are there then.
        if (uid not in self._made or self._open_image(uid) is not None) and uid != self._at_work:
            self._wanted[uid] = series
            self._wanted.move_to_end(uid)
            while len(self._wanted) > _KEPT:  # scrolled past long ago
                self._wanted.popitem(last=False)
            self._next()
        return made

    def save(self) -> None:
        """Keep what was made before its series was in the catalogue."""
        waiting, self._unsaved = self._unsaved, {}
        if not waiting:
            return
        catalog = self._services.archive.catalog

        def work(_: RunContext) -> None:
            for uid, png in waiting.items():
                catalog.set_thumbnail(uid, png)

        with contextlib.suppress(JobError):  # the program is closing: they are made again
            self._services.runner.submit(work, title="")

    def _open_image(self, uid: str) -> Image | None:
        session = self._services.session
        return session.image if session.series is not None and session.series.uid == uid else None

    def _scanned(self, uid: str) -> Series | None:
        return next((one for study in self._services.session.studies for one in study.series if one.uid == uid), None)

    def _next(self) -> None:
        if self._job is None and self._wanted:
            uid, entry = self._wanted.popitem()
            catalog = self._services.archive.catalog
            work = _work(catalog, uid, self._open_image(uid), self._scanned(uid), of_volume=entry.slices > 1)
            try:
                self._job = self._services.runner.submit(work, title="")
            except JobError:  # the program is closing
                self._wanted.clear()
                return
            self._at_work = uid
            self._job.finished.connect(self._finished)

    def _finished(self) -> None:
        job, uid = self._job, self._at_work
        self._job, self._at_work = None, ""
        if job is None:
            return
        if isinstance(job.error, JobCancelled):  # only the end of the program cancels a job that nobody sees
            self._wanted.clear()
            return
        # A series that cannot be read has its icon; opening it says why.
        found = job.result() if job.error is None else None
        self._made[uid] = QPixmap.fromImage(found.image) if found is not None else None
        self._outdated.discard(uid)
        if found is not None and found.outdated:
            self._outdated.add(uid)
        if found is not None and not found.kept:
            self._unsaved[uid] = found.png
        while len(self._made) > _KEPT:
            self._outdated.discard(self._made.popitem(last=False)[0])
        self._next()
        self.ready.emit(uid)


@dataclass(frozen=True)
class _Picture:
    """A thumbnail, as PNG, whether the catalogue has it, and whether it is of another recipe."""

    image: QImage
    png: bytes
    kept: bool
    outdated: bool = False


def _work(
    catalog: Catalog, uid: str, image: Image | None, scanned: Series | None, *, of_volume: bool
) -> Callable[[RunContext], _Picture | None]:
    def make(context: RunContext) -> _Picture | None:
        known = _known(catalog, uid)
        if known is not None and not known.outdated:
            return known
        try:
            voxels = image or _middle(catalog, uid, scanned, context)
        except JobCancelled:
            raise
        except MedviewerError:
            if known is None:
                raise
            return known  # its files are gone: better as it was made formerly than none
        if voxels is None:
            return known
        made = picture(voxels, of_volume=of_volume)
        png = _png(made)
        return _Picture(made, png, catalog.set_thumbnail(uid, png))

    return make


def _known(catalog: Catalog, uid: str) -> _Picture | None:
    """What the catalogue has."""
    png = catalog.thumbnail(uid)
    if png is None:
        return None
    found = QImage.fromData(png)
    return _Picture(found, png, kept=True, outdated=found.text(_RECIPE_KEY) != RECIPE)


def _middle(catalog: Catalog, uid: str, scanned: Series | None, context: RunContext) -> Image | None:
    """The middle of a series from its files; None where that would cost the reading of a large file."""
    series = scanned or _one_file(catalog.files_of(uid), context)
    if series is None or not _is_cheap(series):
        return None
    return formats.load(middle_file(series), cancelled=context.cancelled)


def _one_file(files: Sequence[Path], context: RunContext) -> Series | None:
    """The file in the middle of a series, scanned: the catalogue does not know how to load it."""
    there = files[len(files) // 2] if files else None
    if there is None or not there.is_file() or there.stat().st_size > _LARGE:
        return None
    try:
        found = formats.scan([there], cancelled=context.cancelled)
    except UnreadableError:
        return None
    return found.series[0] if found.series else None


def _is_cheap(series: Series) -> bool:
    """Whether a thumbnail costs the reading of one DICOM file that is not large."""
    if series.reader != "dicom" or not series.files:
        return False
    try:
        return middle_file(series).files[0].stat().st_size <= _LARGE
    except OSError:
        return False


def _png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # Qt takes the name as str
    return bytes(buffer.data().data())
