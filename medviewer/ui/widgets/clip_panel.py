"""The clipping box of the 3D view: for each direction of the patient, where it begins and where it ends."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider

from medviewer.app.commands import solid
from medviewer.app.services import Services
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links

_NAMES = ("left and right", "front and back", "head and feet")


class _Side:
    """The row of one direction: a slider with two handles, and a field at either end of it.

    Parameters
    ----------
    world
        0 for left and right, 1 for front and back, 2 for head and feet.
    """

    def __init__(self, services: Services, world: int, grid: QGridLayout) -> None:
        self._services = services
        self._world = world
        self.ends = QLabel(), QLabel()
        self.fields = QDoubleSpinBox(), QDoubleSpinBox()
        self.slider = QDoubleRangeSlider(Qt.Orientation.Horizontal)  # type: ignore[no-untyped-call]  # superqt has no types here
        self.slider.setAccessibleName(tr(f"Clipping box, {_NAMES[world]}, mm"))
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for field, which in zip(self.fields, ("First", "Last"), strict=True):
            field.setDecimals(1)
            field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            field.setKeyboardTracking(False)
            field.setFixedWidth(54)
            field.setAccessibleName(tr(f"Clipping box, {_NAMES[world]}, {tr(which)} mm"))
            field.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            field.valueChanged.connect(self._type)
        self.slider.valueChanged.connect(self._slide)
        parts: tuple[QWidget, ...] = (self.ends[0], self.fields[0], self.slider, self.fields[1], self.ends[1])
        for column, part in enumerate(parts):
            grid.addWidget(part, world, column)

    def follow(self) -> None:
        """Show the box as it is."""
        image = self._services.session.image
        if image is None or not image.is_volume or image.is_colour:
            return
        axis = image.grid.array_axis(self._world)
        whole = image.grid.size_mm[axis]
        low, high = solid.box_mm(self._services.session)[axis]
        for end, letter in zip(self.ends, image.grid.letters(axis), strict=True):
            end.setText(tr(letter))
        with QSignalBlocker(self.slider), QSignalBlocker(self.fields[0]), QSignalBlocker(self.fields[1]):
            self.slider.setRange(0, whole)
            self.slider.setValue((low, high))
            for field, value in zip(self.fields, (low, high), strict=True):
                field.setRange(0, whole)
                field.setValue(value)

    def _slide(self, ends: tuple[float, float]) -> None:
        self._set(ends[0], ends[1])

    def _type(self, _: float) -> None:
        low, high = sorted(field.value() for field in self.fields)
        self._set(low, high)

    def _set(self, low: float, high: float) -> None:
        image = self._services.session.image
        if image is not None:
            axis = image.grid.array_axis(self._world)
            self._services.attempt(lambda: solid.set_side(self._services.session, axis, low, high))


class ClipPanel(QFrame):
    """Three directions in mm from the edge of the volume, and what sets all of them.

    Parameters
    ----------
    services
        What is open.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("clipPanel")
        self._services = services
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(4)
        title = QLabel(tr("mm from the edge of the volume"))
        title.setProperty("role", "quiet")
        column.addWidget(title)
        grid = QGridLayout()
        grid.setHorizontalSpacing(5)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(2, 1)
        self.sides = [_Side(services, world, grid) for world in range(3)]
        column.addLayout(grid)
        row = QHBoxLayout()
        row.addStretch(1)
        self.to_mask, self.reset = QPushButton(tr("Clip to mask")), QPushButton(tr("Reset"))
        self.to_mask.setToolTip(tr("Cut to a box around the shown structures of the mask (Shift+Alt+M)"))
        self.reset.setToolTip(tr("Show all of the volume (Shift+Alt+U)"))
        for button in (self.to_mask, self.reset):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)
        column.addLayout(row)
        self.to_mask.clicked.connect(self._clip)
        self.reset.clicked.connect(self._unclip)
        session = services.session
        self._links = Links(self)
        for signal in (session.events.image, session.events.mask, session.view.events.solid_box):
            self._links.add(signal, self.follow)
        self.follow()

    def follow(self, *_: object) -> None:
        """Show the box as it is."""
        session = self._services.session
        for side in self.sides:
            side.follow()
        self.to_mask.setEnabled(session.mask is not None)
        self.reset.setEnabled(session.view.solid_box is not None)

    def _clip(self) -> None:
        self._services.attempt(lambda: solid.clip_to_mask(self._services.session))

    def _unclip(self) -> None:
        solid.unclip(self._services.session)
