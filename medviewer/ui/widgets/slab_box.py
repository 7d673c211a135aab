"""Mode and thickness of slabs, for the tool bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QWidget

from medviewer.app.commands import planes
from medviewer.app.services import Services
from medviewer.domain.slab import MODES, WHOLE_MM, Mode
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links

_MODE_TIP = "Show slabs of several slices: highest, lowest or mean value"
_THICKNESS_TIP = "Thickness of the slab"
_TEXTS: dict[Mode, str] = {"none": "No slab", "mip": "MIP", "minip": "MinIP", "mean": "Mean"}


_BUTTONS = 34
"""Room beside the words of the field: its two buttons and its edges, px."""

_WHOLE_AT = planes.SLAB_RANGE[1] + 1
"""The value of the field that stands for the whole volume: the last one."""


class ThicknessBox(QDoubleSpinBox):
    """Thickness of a slab in mm; one step over the thickest is the whole volume."""

    def __init__(self) -> None:
        super().__init__()
        self.setRange(planes.SLAB_RANGE[0], _WHOLE_AT)
        self.setDecimals(1)
        self.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.setSuffix(" mm")
        self.setKeyboardTracking(False)
        # as wide as its words: by itself it asks for room that a tool bar has not
        self.setFixedWidth(self.fontMetrics().horizontalAdvance(tr("Whole volume")) + _BUTTONS)

    @property
    def thickness_mm(self) -> float:
        """What it says; `WHOLE_MM` for the whole volume."""
        return WHOLE_MM if self.value() > planes.SLAB_RANGE[1] else self.value()

    def show_mm(self, thickness_mm: float) -> None:
        """Say a thickness, or the whole volume."""
        whole = thickness_mm == WHOLE_MM
        self.setSuffix("" if whole else " mm")
        self.setValue(_WHOLE_AT if whole else thickness_mm)

    def stepBy(self, steps: int) -> None:
        """Step; the thickest is never skipped on the way to the whole volume and back."""
        before, thickest = self.value(), planes.SLAB_RANGE[1]
        with QSignalBlocker(self):
            super().stepBy(steps)
            if (before < thickest < self.value()) or (before > thickest and steps < 0):
                self.setValue(thickest)
        if self.value() != before:
            self.valueChanged.emit(self.value())

    def textFromValue(self, value: float) -> str:
        """Words in place of the last value."""
        return tr("Whole volume") if value > planes.SLAB_RANGE[1] else super().textFromValue(value)

    def valueFromText(self, text: str) -> float:
        """A number, or the words."""
        return _WHOLE_AT if _means_whole(text) else super().valueFromText(text)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Whether a text may be typed: the beginning of the words, too."""
        typed = text.strip().lower()
        if _means_whole(text):
            return QValidator.State.Acceptable, text, position
        if typed and any(name.startswith(typed) for name in _whole_names()):
            return QValidator.State.Intermediate, text, position
        return super().validate(text, position)


def _whole_names() -> tuple[str, ...]:
    return tr("Whole volume").lower(), planes.WHOLE


def _means_whole(text: str) -> bool:
    return text.strip().lower().removesuffix("mm").strip() in _whole_names()


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
        self.thickness = ThicknessBox()
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
            self.thickness.show_mm(view.slab_mm)
        self.mode.setEnabled(possible)
        self.thickness.setEnabled(possible and view.slab_mode != "none")

    def _choose(self, index: int) -> None:
        mode = cast("Mode", self.mode.itemData(index))
        self._services.attempt(lambda: planes.set_slab(self._services, mode))

    def _thicken(self, *_: object) -> None:
        planes.set_slab_mm(self._services, self.thickness.thickness_mm)
