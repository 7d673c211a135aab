"""The open image and its mask in a full napari window, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QVBoxLayout, QWidget
from shiboken6 import isValid

from medviewer.app.commands import keeping, research
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import InputError
from medviewer.jobs import Job
from medviewer.ui.soon import PAUSE_MS
from medviewer.ui.widgets.parts import GAP, MARGIN, label, push

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

_SERIES = "medviewer_series"
"""The key in a layer's metadata that names the series which it was made on."""


class Research:
    """One napari window at most, filled anew each time it is asked for.

    napari's window, its console and its plugins are imported only then.

    Parameters
    ----------
    services
        What is open, and what takes a mask.
    window
        The window that goes on meanwhile.
    """

    def __init__(self, services: Services, window: QObject) -> None:
        self._services = services
        self.viewer: napari.Viewer | None = None
        self._parts: Iterator[Job[Any] | None] | None = None
        self._next = QTimer(window, singleShot=True, interval=PAUSE_MS)
        self._next.timeout.connect(lambda: self._go_on())

    @property
    def busy(self) -> bool:
        """Whether the napari window is being made or filled."""
        return self._parts is not None

    def open(self) -> None:
        """Put the open image and its mask into a napari window as layers; one that is open gets them beside its own.

        That goes on in several turns of the event loop, as far as napari can be divided.

        Raises
        ------
        InputError
            If no image is open.
        """
        session = self._services.session
        image = session.shown
        if image is None or session.series is None:
            raise InputError("napari shows the open series; open a study first.")
        if self.busy:
            return
        self._parts = self._show(image, session.series)
        QGuiApplication.setOverrideCursor(Qt.CursorShape.BusyCursor)
        self._next.start()

    def _go_on(self) -> None:
        """Do the next part, and the one after it in a turn of its own, or when the job is over that it needs."""
        parts = self._parts
        assert parts is not None
        try:
            needed = next(parts)
        except StopIteration:
            self._stop()
        except BaseException:
            self._stop()
            raise
        else:
            if needed is None:
                self._next.start()
            else:
                needed.finished.connect(lambda: self._next.start() if self._parts is parts else None)

    def _stop(self) -> None:
        if self.busy:
            self._parts = None
            self._next.stop()
            QGuiApplication.restoreOverrideCursor()

    def _show(self, image: Image, series: Series) -> Iterator[Job[Any] | None]:
        """The parts of `open`; each gives the job that the next one needs, or None."""
        viewer = self.viewer
        if viewer is None or not _is_open(viewer):
            from medviewer.ui.napari_window import SteppedViewer, prepare

            yield None
            yield from prepare()
            viewer = self.viewer = SteppedViewer("medviewer - napari, research use only")
            yield None
            yield from viewer.steps()
        yield from self._fill(viewer, image, series)
        if _is_open(viewer) and not viewer.window._qt_window.isVisible():
            viewer.window.show()  # not before, for it would draw each layer in the turn in which that comes
            yield None
        if _is_open(viewer):
            viewer.window.activate()

    def _fill(self, viewer: napari.Viewer, image: Image, series: Series) -> Iterator[Job[Any] | None]:
        about = {"scale": image.grid.spacing, "metadata": {_SERIES: series.uid}}
        yield from self._add(viewer, lambda: _image_layer(image, series.description or series.modality, about))
        session = self._services.session
        if session.mask is None or session.series is None or session.series.uid != series.uid:
            return
        # A copy: what is done in napari changes the mask when it is brought back, not before.
        job = keeping.copy_soon(self._services, title="Copying the mask for napari")
        self._services.when_done(job, lambda _: None)  # tells why there is none
        yield job
        if job.error is None:
            yield from self._add(viewer, lambda: _labels_layer(job.result().labels, about))

    def _add(self, viewer: napari.Viewer, make: Callable[[], Layer]) -> Iterator[None]:
        """Make a layer and put it into the window, unless that was closed.

        What napari draws over it, as the brush of a Labels layer, takes as long as the layer and comes afterwards.
        """
        if not _is_open(viewer):
            return
        layer = make()
        over = [overlay for overlay in layer._overlays.values() if overlay.visible]
        for overlay in over:
            overlay.visible = False
        yield None
        if not _is_open(viewer):
            return
        viewer.add_layer(layer)
        viewer.layers.selection = {layer}
        yield None
        for overlay in over:
            if _is_open(viewer):
                overlay.visible = True
                yield None

    def bring_back(self) -> None:
        """Make the chosen Labels layer of the napari window the mask, or the newest one where none is chosen.

        Raises
        ------
        InputError, GridMismatchError
            If there is none, or it does not fit the open series.
        """
        layer = self._labels()
        if layer is None:
            raise InputError("A Labels layer of the napari window becomes the mask; open napari, and make one there.")
        uid = layer.metadata.get(_SERIES, "") or self._only_series()
        research.bring_back(self._services, np.asarray(layer.data), layer.name, uid)

    def close(self) -> None:
        """Close the napari window, if it is open, and fill it no more."""
        self._stop()
        viewer, self.viewer = self.viewer, None
        if viewer is not None and _is_open(viewer):
            viewer.close()

    def _labels(self) -> Any:
        """The chosen Labels layer, else the newest."""
        from napari.layers import Labels

        layers = list(self.viewer.layers) if self.viewer is not None else []
        found = [layer for layer in layers if isinstance(layer, Labels)]
        chosen = self.viewer.layers.selection.active if self.viewer is not None else None
        return chosen if isinstance(chosen, Labels) else found[-1] if found else None

    def _only_series(self) -> str:
        """The series of the images there, if they are of one: a Labels layer made in napari lies on them."""
        layers = self.viewer.layers if self.viewer is not None else []
        uids = {layer.metadata[_SERIES] for layer in layers if _SERIES in layer.metadata}
        return uids.pop() if len(uids) == 1 else ""


def _is_open(viewer: napari.Viewer) -> bool:
    """Whether its window is there: a window that the user closes is deleted by Qt, and napari still counts it."""
    window = getattr(viewer.window, "_qt_window", None)  # napari has no public question for it
    return window is not None and isValid(window)


def _image_layer(image: Image, name: str, about: dict[str, Any]) -> Layer:
    """Stored voxels, which are shared and not copied; the metadata tell how they become real values."""
    from napari.layers import Image as ImageLayer

    slope, intercept = image.rescale.at(0)
    voxels = image.voxels.view()
    voxels.flags.writeable = False  # what is tried in napari's console does not change the image here
    metadata = {**about["metadata"], "slope": slope, "intercept": intercept, "unit": image.rescale.unit}
    if image.is_colour:
        return ImageLayer(voxels, name=name, rgb=True, scale=about["scale"], metadata=metadata)
    window = image.auto_window()
    low, high = sorted(image.rescale.invert(window.center + side * window.width / 2) for side in (-1, 1))
    return ImageLayer(
        voxels, name=name, contrast_limits=(low, high), scale=about["scale"], metadata=metadata, colormap="gray"
    )


def _labels_layer(labels: NDArray[np.generic], about: dict[str, Any]) -> Layer:
    from napari.layers import Labels

    return Labels(labels, name="Mask", opacity=0.5, **about)


class ResearchPanel(QWidget):
    """What the Research mode has on the right.

    Parameters
    ----------
    commands
        The window's actions by their id.
    """

    def __init__(self, commands: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        box.addWidget(
            label(
                "The open image and its mask as layers in a full napari window, with its console and plugins.",
                wrap=True,
            )
        )
        for name, text, primary in (
            ("research.open", "Open in napari", True),
            ("research.bring_back", "Bring back the Labels layer", False),
        ):
            action = commands[name]
            button = push(text, action.statusTip(), action.trigger, primary=primary)
            button.setEnabled(action.isEnabled())
            action.enabledChanged.connect(button.setEnabled)
            box.addWidget(button)
        box.addWidget(
            label(
                "Image values there are the stored ones; the layer's metadata has slope and intercept. A mask brought "
                "back is one step that undo takes back.",
                "quiet",
                wrap=True,
            )
        )
