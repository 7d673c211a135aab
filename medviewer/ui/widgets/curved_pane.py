"""The viewport of the curved plane: below the others, while there is a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from medviewer.app.commands import curved, fusion, view
from medviewer.app.controllers.curving import Curving
from medviewer.app.controllers.paths import strip_of
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.app.state import PATH_TOOL
from medviewer.ui.soon import PAUSE_MS
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import explain, label, slider, tool

if TYPE_CHECKING:
    from medviewer.ui.viewport.slice_view import SliceView

_LOOKING = ("window", "pan", "zoom", "scroll", "crosshair")
"""Tools that mean the same here; with any other the left button moves the crosshair."""
_HEIGHT = 240
_HINT = "Click along the structure, in any slice; a double click or Enter ends the path"


class CurvedPane(QWidget):
    """The straightened picture, with a slim bar: how it is turned about the path, how wide it is.

    Parameters
    ----------
    services
        What is open.
    """

    read_out = Signal(str)
    """What is under the pointer."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("curvedPane")
        self._services = services
        self._session = services.session
        self._curving = Curving(services.session)
        self.slices: SliceView | None = None
        """Made with the first path: a canvas takes part of a second."""
        self._coming: SliceView | None = None
        """The viewport on its way: nobody sees it yet."""
        self._next_piece = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._next_piece.timeout.connect(self._make_some)
        self._pending = False
        self._high = 0
        self.length = label(role="quiet")
        self.angle = slider(
            0, 359, "How far it is turned about the path (Alt+Right, Alt+Left)", "Turned about the path"
        )
        self.degrees = label("0°")
        self.width_mm = QDoubleSpinBox()
        self._lay_out()
        self._links = Links(self)
        session, looks = self._session.events, self._session.view.events
        for signal in (session.path, session.image, session.fusion, session.arrival, session.hidden_labels):
            self._links.add(signal, self._request)
        for signal in (looks.cursor, looks.focus, looks.phase, looks.window, looks.inverted, looks.colours, looks.tool):
            self._links.add(signal, self._request)
        for signal in (looks.curve_angle, looks.curve_width_mm, looks.show_text, looks.show_crosshair):
            self._links.add(signal, self._request)
        for signal in (looks.mask_visible, looks.mask_opacity, session.line_places, session.studies):
            self._links.add(signal, self._request)
        self._store: MaskStore | None = None
        self._links.add(session.mask, self._follow_mask)
        self.setVisible(False)

    def sizeHint(self) -> QSize:
        """High enough for a strip as wide as it is at first."""
        return QSize(500, _HEIGHT)

    def _lay_out(self) -> None:
        self.width_mm.setRange(*curved.WIDTH_RANGE)
        self.width_mm.setDecimals(0)
        self.width_mm.setSuffix(" mm")
        self.width_mm.setKeyboardTracking(False)
        self.width_mm.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        explain(self.width_mm, "How wide it is across the path (Alt+Up, Alt+Down)", "Width across the path")
        self.degrees.setMinimumWidth(self.degrees.fontMetrics().horizontalAdvance("359°") + 4)
        self.angle.valueChanged.connect(lambda value: curved.set_angle(self._session, value))
        self.width_mm.valueChanged.connect(lambda value: curved.set_width(self._session, value))
        away = tool("delete", "Take the path away (Alt+Delete); undo brings it back", self._remove)
        row = QHBoxLayout()
        row.setContentsMargins(8, 2, 8, 2)
        row.setSpacing(8)
        row.addWidget(self.length)
        row.addWidget(label("Turned"))
        row.addWidget(self.angle, 1)
        row.addWidget(self.degrees)
        row.addWidget(label("Width"))
        row.addWidget(self.width_mm)
        row.addWidget(away)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addLayout(row)
        self._column.addStretch()  # the place of the viewport, until it is there
        self.setMinimumHeight(_HEIGHT // 2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def _remove(self) -> None:
        self._services.attempt(lambda: curved.remove(self._services))

    # -- what the session says ------------------------------------------------------------------------------------

    def _follow_mask(self, store: MaskStore | None) -> None:
        if self._store is not None:
            self._store.changed.disconnect(self._request)
            self._store.segments_changed.disconnect(self._request)
        self._store = store
        if store is not None:
            store.changed.connect(self._request)
            store.segments_changed.connect(self._request)
        self._request()

    def _request(self, *_: object) -> None:
        there = self.isVisible() or self._session.path is not None or self._session.view.tool == PATH_TOOL
        if not self._pending and there:
            self._pending = True
            QTimer.singleShot(0, self, self.refresh)

    def refresh(self) -> None:
        """Show the curved plane as it is now, or nothing where there is no path."""
        self._pending = False
        display = self._curving.display()
        # there before the first click: a picture that shrinks between two clicks is not hit
        wanted = display is not None or (self._session.view.tool == PATH_TOOL and self._session.image is not None)
        if wanted and self.slices is None and not self._next_piece.isActive():
            self._next_piece.start()
        if self.slices is not None:
            self.slices.apply(display)
            self.slices.set_tool(self._session.view.tool if self._session.view.tool in _LOOKING else "crosshair")
        self._appear(wanted)
        self.length.setText(tr(_HINT))
        strip, state = strip_of(self._session), self._session.view
        if strip is None:
            return
        self.length.setText(tr(f"Path {strip.ribbon.length_mm:.1f} mm"))
        self.degrees.setText(f"{state.curve_angle:.0f}°")
        with QSignalBlocker(self.angle), QSignalBlocker(self.width_mm):
            self.angle.setValue(round(state.curve_angle) % 360)
            self.width_mm.setValue(state.curve_width_mm)

    def _appear(self, wanted: bool) -> None:
        """Come with a third of the height at first, and then as high as it was made; or go."""
        before, parts = not self.isHidden(), self.parentWidget()
        if before == wanted:
            return
        if before:
            self._high = self.height()
        self.setVisible(wanted)
        if wanted and isinstance(parts, QSplitter):
            whole = parts.height() - parts.handleWidth()
            high = self._high or whole // 3
            parts.setSizes([high if parts.widget(k) is self else whole - high for k in range(parts.count())])

    def _make_some(self) -> None:
        """Make a part of the viewport, in each turn of the event loop: all of it takes a while."""
        if self._coming is None:
            from medviewer.ui.viewport.slice_view import SliceView  # brings napari

            self._coming = SliceView(self)
            self._coming.hide()
        elif not self._coming.prepare_image():
            self._join(self._coming)
            self.refresh()
            return
        self._next_piece.start()

    def _join(self, made: SliceView) -> None:
        """The viewport was made."""
        self.slices, self._coming = made, None
        made.setMinimumHeight(80)
        made.pointed.connect(self._point)
        made.scrolled.connect(self._step)
        made.windowed.connect(lambda right, down: view.drag_window(self._services, right, down))
        made.fused_windowed.connect(lambda right, down: fusion.drag_window(self._session, right, down))
        made.hovered.connect(lambda row, column: self.read_out.emit(self._curving.read_out(row, column)))
        made.left.connect(lambda: self.read_out.emit(""))
        self._column.insertWidget(1, made, 1)
        made.show()

    # -- what the user wants --------------------------------------------------------------------------------------

    def _point(self, row: float, column: float) -> None:
        strip = strip_of(self._session)
        if strip is not None:
            curved.go_to(self._session, strip.place(min(max(row, 0.0), strip.shape[0] - 1.0), column))

    def _step(self, steps: int) -> None:
        """The wheel takes the crosshair along the path."""
        strip, shown = strip_of(self._session), self.slices.shown if self.slices is not None else None
        if strip is None or shown is None:
            return
        column = shown.crosshair[1] if shown.crosshair is not None else 0.0
        curved.go_to(self._session, strip.place(strip.middle, column + steps))

    def close_canvas(self) -> None:
        """Let go of the GL widget, before the widget itself goes."""
        self._follow_mask(None)
        self._pending = True
        self._next_piece.stop()
        made = self.slices or self._coming
        if made is not None:
            made.canvas.close()
