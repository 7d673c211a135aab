"""Where a window is typed in, seen at once, and kept."""

from __future__ import annotations

import math
from collections.abc import Callable

from psygnal import SignalInstance
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from medviewer.app.commands import looks
from medviewer.app.commands.companion_looks import give_window, shown_window
from medviewer.app.hanging.companions import looked_at
from medviewer.app.hanging.wearing import image_of
from medviewer.app.services import Services
from medviewer.app.settings import OwnWindow
from medviewer.domain.image import Image, Window
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import MARGIN, explain, label, push, tool

_LARGEST = 1e12
_FINE = 4
"""Significant figures of the automatic window's width that can be typed."""


class WindowDialog(QDialog):
    """Width and level, or the values shown black and white: each pair follows the other, and the image follows both.

    It is about the active viewport, whichever that is. It leaves the window behind it alone: scrolling and dragging go
    on. Escape brings back what was shown before, in every viewport that was active meanwhile.

    Parameters
    ----------
    services
        Its session is changed.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._before: dict[int, tuple[Image, Window]] = {}
        self.setWindowTitle(tr("Window"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.width_box, self.level_box = self._number("Window width", 1e-6), self._number("Window level", -_LARGEST)
        self.low_box = self._number("Value that is shown black", -_LARGEST)
        self.high_box = self._number("Value that is shown white", -_LARGEST)
        for box in (self.width_box, self.level_box):
            box.valueChanged.connect(self._typed)
        for box in (self.low_box, self.high_box):
            box.valueChanged.connect(self._typed_ends)
        self.unit = label(role="quiet")
        self.problem = label(role="error", wrap=True)
        self.problem.hide()
        self._lay_out()
        for signal, slot in self._heard():
            signal.connect(slot)
        self._turn_to()
        self.width_box.setFocus()
        self.width_box.selectAll()

    # -- parts ----------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        numbers = QFormLayout()
        for title, box in (
            ("Width", self.width_box),
            ("Level", self.level_box),
            ("Black at", self.low_box),
            ("White at", self.high_box),
        ):
            numbers.addRow(tr(title), box)
        numbers.addRow("", self.unit)
        self.name_box = QLineEdit()
        self.name_box.setMaxLength(40)
        self.name_box.setPlaceholderText(tr("Name"))
        explain(self.name_box, "Name under which this window is kept", "Name of the window")
        self.key_box = QComboBox()
        explain(self.key_box, "The digit that chooses it, in place of a preset", "Key of the window")
        self.key_box.addItem(tr("no key"), 0)
        for digit in range(1, 10):
            self.key_box.addItem(f"{tr('key')} {digit}", digit)
        self.keep_button = push("Keep", "Keep this window for all images of this kind", self._keep, "save")
        self.keep_button.setAutoDefault(False)
        self.name_box.textChanged.connect(lambda text: self.keep_button.setEnabled(bool(text.strip())))
        self.keep_button.setEnabled(False)
        keep = QHBoxLayout()
        keep.addWidget(self.name_box, 1)
        keep.addWidget(self.key_box)
        keep.addWidget(self.keep_button)
        self.own_head = label("", "quiet")
        self._own = QVBoxLayout()
        done, back = (
            push("Done", "Leave the window as it is now", self.accept, primary=True),
            push("Cancel", "Bring back the window that was shown before", self.reject),
        )
        done.setDefault(True)
        back.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(back)
        buttons.addWidget(done)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(MARGIN)
        column.addLayout(numbers)
        column.addLayout(keep)
        column.addWidget(self.problem)
        column.addWidget(self.own_head)
        column.addLayout(self._own)
        column.addStretch(1)
        column.addLayout(buttons)

    def _number(self, name: str, low: float) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        explain(box, name)
        self._fit(box, low)
        box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        box.setGroupSeparatorShown(False)
        box.setMinimumWidth(140)
        return box

    def _fit(self, box: QDoubleSpinBox, low: float) -> None:
        box.setDecimals(self._decimals())
        box.setRange(max(low, 10.0 ** -box.decimals()) if low > 0 else low, _LARGEST)

    def _decimals(self) -> int:
        """Enough figures after the point for the values of the image."""
        image = self._image
        if image is None:
            return 2
        return int(min(max(_FINE - 1 - math.floor(math.log10(image.auto_window().width)), 1), 9))

    @property
    def _image(self) -> Image | None:
        image = looked_at(self._services.session)
        return None if image is None or image.is_colour else image

    # -- numbers --------------------------------------------------------------------------------------------------

    def _heard(self) -> list[tuple[SignalInstance, Callable[..., None]]]:
        session, view = self._services.session.events, self._services.session.view.events
        return [
            (session.image, self._image_changed),
            (session.own_windows, self._list),
            *((signal, self._show) for signal in (view.window, view.panes, session.companions)),
            *((signal, self._turn_to) for signal in (view.active, view.layout)),
        ]

    def _turn_to(self, *_: object) -> None:
        """Be about the viewport that is active now."""
        boxes = (self.width_box, self.level_box, self.low_box, self.high_box)
        for box in boxes:
            box.setEnabled(self._image is not None)
            with QSignalBlocker(box):
                self._fit(box, 1e-6 if box is self.width_box else -_LARGEST)
        self._show()
        self._list()

    def _remember(self) -> None:
        """Keep what a viewport showed when it was first active, for each image in it."""
        session = self._services.session
        number = session.view.active
        image = image_of(session, number)
        if image is not None and (number not in self._before or self._before[number][0] is not image):
            self._before.pop(number, None)
            self._before[number] = image, shown_window(session)

    def _show(self, *_: object) -> None:
        """Show the figures of the window that the active viewport has now, but in the box that is typed in."""
        self._remember()
        if self._image is None:
            return
        plain = shown_window(self._services.session).plain[0]
        values = (plain.width, plain.center, *plain.limits)
        for box, value in zip((self.width_box, self.level_box, self.low_box, self.high_box), values, strict=True):
            if not box.lineEdit().hasFocus() or abs(box.value() - value) > 10.0 ** -box.decimals():
                with QSignalBlocker(box):
                    box.setValue(value)
        unit = self._image.rescale.unit
        self.unit.setText(tr(f"in {unit}" if unit else "in the values of the file, which have no unit"))

    def _typed(self) -> None:
        self._set(self.level_box.value(), self.width_box.value())

    def _typed_ends(self) -> None:
        low, high = self.low_box.value(), self.high_box.value()
        self._tell("" if low < high else "White should be above black; to exchange them, invert the image.")
        if low < high:
            self._set((low + high) / 2, high - low)

    def _set(self, center: float, width: float) -> None:
        self._services.attempt(lambda: looks.set_window(self._services, center, width))

    def _tell(self, text: str) -> None:
        self.problem.setText(tr(text))
        self.problem.setVisible(bool(text))

    def _image_changed(self, image: Image | None) -> None:
        """Another image has another unit, and what was shown before was not of it."""
        self.accept()

    # -- kept ones ------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        name, key = self.name_box.text(), int(self.key_box.currentData())
        if self._services.attempt(lambda: looks.keep_window(self._services, name, key)) is not None:
            self.name_box.clear()
            self.key_box.setCurrentIndex(0)

    def _list(self, *_: object) -> None:
        while (item := self._own.takeAt(0)) is not None:
            former = item.widget()
            if former is not None:
                former.deleteLater()
        image = self._image
        kept = self._services.session.own_windows
        mine = [] if image is None else [one for one in kept if one.fits(image.modality, image.rescale.unit)]
        self.own_head.setText(tr("Yours for such images" if mine else ""))
        self.own_head.setVisible(bool(mine))
        for one in mine:
            self._own.addWidget(self._row(one))

    def _row(self, one: OwnWindow) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        key = f"   key {one.key}" if one.key else ""
        text: QLabel = label(f"{one.name}   W {one.width:g}  L {one.center:g}{key}")
        layout.addWidget(text, 1)
        forget = tool("cancel", f"Forget {one.name}", lambda: self._forget(one))
        forget.setAutoRaise(True)
        layout.addWidget(forget)
        return row

    def _forget(self, one: OwnWindow) -> None:
        self._services.attempt(lambda: looks.forget_window(self._services, one))

    # -- Qt -------------------------------------------------------------------------------------------------------

    def reject(self) -> None:
        """Bring back what was shown before, the latest first: viewports of one series share a window."""
        session = self._services.session
        for number, (image, window) in reversed(self._before.items()):
            if image_of(session, number) is image and not image.is_colour:
                give_window(session, window, number)
        super().reject()

    def done(self, result: int) -> None:
        """Follow nothing any more."""
        for signal, slot in self._heard():
            signal.disconnect(slot)
        super().done(result)
