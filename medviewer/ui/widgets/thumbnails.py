"""Small pictures of series, made beside the home thread, for the rows that are on the screen."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage, QPixmap

from medviewer import formats
from medviewer.app.commands.study import first_window
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.domain.plane import planes_of
from medviewer.domain.study import Series
from medviewer.errors import JobCancelled
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

EDGE = 48
"""Edge of a thumbnail, in px."""

_KEPT = 256
_SHARP = 2
"""Made this much larger than shown, for screens with small pixels."""


def middle_file(series: Series) -> Series:
    """The slice in the middle of a series that has a file a slice, as a series of its own."""
    _, rows, columns = series.grid.shape
    k = len(series.files) // 2
    grid = series.grid.crop((series.slice_of(k), 0, 0), (1, rows, columns))
    return replace(series, files=(series.files[k],), index=(), grid=grid)


def picture(image: Image) -> QImage:
    """The middle slice of an image as a reader sees it, as large as a thumbnail."""
    plane = planes_of(image.grid)[0]
    k = plane.count // 2
    slice_ = plane.take(image.voxels, k)
    grey = slice_ if image.is_colour else _grey(image, slice_, k)
    pixels = np.ascontiguousarray(grey, np.uint8)
    rows, columns = pixels.shape[:2]
    kind = QImage.Format.Format_RGB888 if image.is_colour else QImage.Format.Format_Grayscale8
    whole = QImage(pixels.tobytes(), columns, rows, pixels.strides[0], kind)
    height, width = rows * plane.spacing[0], columns * plane.spacing[1]
    scale = EDGE * _SHARP / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return whole.scaled(*size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)


def _grey(image: Image, stored: NDArray[np.generic], k: int) -> NDArray[np.uint8]:
    low, high = first_window(image).limits
    values = (image.rescale.apply(stored, k if image.is_volume else 0) - low) / max(high - low, 1e-6)
    part = np.clip(np.nan_to_num(values), 0, 1)
    return np.asarray((1 - part if image.inverted else part) * 255, np.uint8)


class Thumbnails(QObject):
    """Makes thumbnails one at a time, the one that was asked for last first.

    A series whose picture would cost the reading of the whole file has none until it is opened.
    """

    ready = Signal(str)
    """A thumbnail of the series with that UID is there."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._made: OrderedDict[str, QPixmap | None] = OrderedDict()
        self._wanted: OrderedDict[str, Series] = OrderedDict()
        self._job: Job[Any] | None = None
        self._at_work = ""

    def get(self, series: Series) -> QPixmap | None:
        """The thumbnail of a series, or None; it is made then, and `ready` tells when it is there."""
        made = self._made.get(series.uid)
        if made is not None:
            self._made.move_to_end(series.uid)
            return made
        # One that failed is tried again once the series is open: its voxels are in memory then.
        if (series.uid not in self._made or self._open_image(series) is not None) and series.uid != self._at_work:
            self._wanted[series.uid] = series
            self._wanted.move_to_end(series.uid)
            self._next()
        return None

    def _open_image(self, series: Series) -> Image | None:
        session = self._services.session
        return session.image if session.series is not None and session.series.uid == series.uid else None

    def _next(self) -> None:
        while self._job is None and self._wanted:
            uid, series = self._wanted.popitem()
            image = self._open_image(series)
            if image is None and series.reader != "dicom":
                self._made.setdefault(uid, None)
                continue
            self._at_work = uid
            self._job = self._services.runner.submit(_work(series, image), title="")
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
        self._made[uid] = QPixmap.fromImage(job.result()) if job.error is None else None
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        self._next()
        self.ready.emit(uid)


def _work(series: Series, image: Image | None) -> Any:
    def make(context: RunContext) -> QImage:
        return picture(image if image is not None else formats.load(middle_file(series), cancelled=context.cancelled))

    return make
