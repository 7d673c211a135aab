"""Mode and thickness of slabs, for the tool bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QWidget

from medviewer.app.commands import planes
from medviewer.app.services import Services
from medviewer.domain.slab import MODES, Mode
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links

_MODE_TIP = "Show slabs of several slices: highest, lowest or mean value"
_THICKNESS_TIP = "Thickness of the slab"
_TEXTS: dict[Mode, str] = {"none": "No slab", "mip": "MIP", "minip": "MinIP", "mean": "Mean"}


class SlabBox(QWidget):
    """A list of modes and a field for the thickness in mm; both are off where there is no volume of grey values.

    Parameters
    ----------
    services
        What is open.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("slabBox")
        self._services = services
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.mode = QComboBox()
        for mode in MODES:
            self.mode.addItem(tr(_TEXTS[mode]), mode)
        self.mode.setAccessibleName(tr("Slab mode"))
        self.mode.setToolTip(tr(_MODE_TIP))
        self.thickness = QDoubleSpinBox()
        self.thickness.setRange(*planes.SLAB_RANGE)
        self.thickness.setDecimals(1)
        self.thickness.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.thickness.setSuffix(" mm")
        self.thickness.setKeyboardTracking(False)
        self.thickness.setAccessibleName(tr("Slab thickness in mm"))
        self.thickness.setToolTip(tr(_THICKNESS_TIP))
        for part in (self.mode, self.thickness):
            # a click leaves the keys with the viewports; a field that is typed into needs them
            part.setFocusPolicy(Qt.FocusPolicy.ClickFocus if part is self.thickness else Qt.FocusPolicy.TabFocus)
            row.addWidget(part)
        self.mode.activated.connect(self._choose)
        self.thickness.valueChanged.connect(self._thicken)
        self._links = Links(self)
        session = services.session
        for signal in (session.events.image, session.view.events.slab_mode, session.view.events.slab_mm):
            self._links.add(signal, self._follow)
        self._follow()

    def name_keys(self, key_of: Callable[[str], str]) -> None:
        """Say in the tool tips which keys do the same, as they are now."""
        key = key_of("view.slab_next")
        self.mode.setToolTip(tr(f"{_MODE_TIP} ({key})" if key else _MODE_TIP))
        ways = (("Thicker", "view.slab_thicker"), ("Thinner", "view.slab_thinner"), ("Type it", "view.slab_mm"))
        told = ", ".join(f"{tr(text)}: {key_of(name)}" for text, name in ways if key_of(name))
        self.thickness.setToolTip(f"{tr(_THICKNESS_TIP)} ({told})" if told else tr(_THICKNESS_TIP))

    def _follow(self, *_: object) -> None:
        image, view = self._services.session.image, self._services.session.view
        possible = image is not None and image.is_volume and not image.is_colour
        with QSignalBlocker(self.mode), QSignalBlocker(self.thickness):
            self.mode.setCurrentIndex(MODES.index(view.slab_mode) if possible else 0)
            self.thickness.setValue(view.slab_mm)
        self.mode.setEnabled(possible)
        self.thickness.setEnabled(possible and view.slab_mode != "none")

    def _choose(self, index: int) -> None:
        mode = cast("Mode", self.mode.itemData(index))
        self._services.attempt(lambda: planes.set_slab(self._services, mode))

    def _thicken(self, thickness: float) -> None:
        planes.set_slab_mm(self._services, thickness)
