"""The open mask: its segments, the brush, and the verdict on it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QGridLayout, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from medviewer.app.commands import masks, view
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.domain.strokes import Box
from medviewer.learning.queue import QueueCase
from medviewer.ui.translate import tr
from medviewer.ui.widgets.label_counter import LabelCounter
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.mask_state import last_verdict, state_of
from medviewer.ui.widgets.parts import GAP, MARGIN, explain, label, push, set_role, slider, tool
from medviewer.ui.widgets.segment_model import EYE, NAME, SWATCH, VOLUME, SegmentModel

_ROWS_SHOWN = 7
_ROW_PX = 24
_BRUSH_STEP_MM = 0.5


class SegmentsPanel(QWidget):
    """Segments with their volumes, brush and opacity, undo and redo, approve and reject."""

    export_requested = Signal()
    """The user wants to save the mask to a file."""
    approve_requested = Signal()
    """The mask is right; the window asks what it teaches where that is not plain."""
    reject_requested = Signal()
    """The mask is wrong; the window asks why."""
    menu_requested = Signal(QPoint)
    """What can be done with the segment that is active now? The place is one of the screen."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self._mask_links = Links(self)
        self._verdict: QueueCase | None = None
        self.counter = LabelCounter(self)
        self.model = SegmentModel(services, self.counter)
        self.table = self._make_table()
        self._make_parts()
        self._lay_out()
        self.counter.changed.connect(self.model.refresh)
        session, look = services.session.events, services.session.view.events
        self._links.add(session.mask, self._follow_mask)
        self._links.add(session.image, self._read_verdict)
        self._links.add(session.arrival, self._refresh)
        self._links.add(session.queue_revision, self._read_verdict)
        self._links.add(session.active_label, self._select_active)
        self._links.add(session.hidden_labels, self._show_eyes)
        for signal in (look.brush_mm, look.mask_opacity, look.mask_visible):
            self._links.add(signal, self._show_sliders)
        self._follow_mask(services.session.mask)
        self._show_sliders()
        self._read_verdict()

    # -- parts

    def _make_table(self) -> QTableView:
        made = QTableView()
        made.setModel(self.model)
        made.horizontalHeader().hide()
        made.verticalHeader().hide()
        made.verticalHeader().setDefaultSectionSize(_ROW_PX)
        made.setShowGrid(False)
        made.setIconSize(QSize(16, 16))
        made.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        made.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        made.setTabKeyNavigation(False)
        header = made.horizontalHeader()
        header.setMinimumSectionSize(20)
        for column, width in ((EYE, 28), (SWATCH, 26)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            made.setColumnWidth(column, width)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(VOLUME, QHeaderView.ResizeMode.ResizeToContents)
        explain(made, "Segments: click the eye or press Space to hide, double-click or F2 to rename", "Segments")
        made.clicked.connect(self._clicked)
        made.selectionModel().currentRowChanged.connect(self._row_chosen)
        made.installEventFilter(self)
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        made.customContextMenuRequested.connect(self._ask_menu)
        return made

    def _make_parts(self) -> None:
        self.state = label(role="quiet", wrap=True)
        self.show_button = tool("visible", "Show or hide the whole mask", self._toggle_mask)
        self.show_button.setCheckable(True)
        self.add_button = push("Segment", "Add a segment to this mask", self._add_segment, "add")
        self.new_button = push("New mask", "Start an empty mask; the present one is kept", self._new_mask)
        self.undo_button = tool("undo", "Take back the last stroke", lambda: self._do(view.undo))
        self.redo_button = tool("redo", "Do the stroke again that was taken back", lambda: self._do(view.redo))
        low, high = (round(edge / _BRUSH_STEP_MM) for edge in view.BRUSH_RANGE)
        self.brush = slider(low, high, "Radius of the brush, in mm", "Brush")
        self.opacity = slider(0, 100, "How much of the image the mask covers", "Mask opacity")
        self.brush_figure, self.opacity_figure = label(role="quiet"), label(role="quiet")
        self.brush.valueChanged.connect(self._brush_moved)
        self.opacity.valueChanged.connect(self._opacity_moved)
        self.approve_button = push(
            "Approve", "This mask is right: learn from it", self.approve_requested.emit, "approve", primary=True
        )
        self.reject_button = push(
            "Reject", "This mask is wrong: keep the verdict, learn nothing", self.reject_requested.emit, "reject"
        )
        self.save_button = push("Save as…", "Save the mask as DICOM SEG or NIfTI", self.export_requested.emit, "save")

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        box.addWidget(self.table)
        box.addLayout(
            _row(self.add_button, self.new_button, None, self.show_button, self.undo_button, self.redo_button)
        )
        sliders = QGridLayout()
        sliders.setHorizontalSpacing(8)
        sliders.setVerticalSpacing(2)
        rows = (("Brush", self.brush, self.brush_figure), ("Opacity", self.opacity, self.opacity_figure))
        for k, (name, part, figure) in enumerate(rows):
            figure.setMinimumWidth(52)
            figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            sliders.addWidget(label(name, "quiet"), k, 0)
            sliders.addWidget(part, k, 1)
            sliders.addWidget(figure, k, 2)
        box.addLayout(sliders)
        box.addWidget(self.state)
        box.addLayout(_row(self.approve_button, self.reject_button, None, self.save_button))
        box.addStretch(1)

    # -- from the session

    def _follow_mask(self, store: MaskStore | None) -> None:
        self._mask_links.cut()
        if store is not None:
            self._mask_links.add(store.changed, self._touched)
            self._mask_links.add(store.edited, self._edited)
            self._mask_links.add(store.segments_changed, self._segments_changed)
        self.counter.start(store.labels if store is not None else None)
        self._segments_changed()

    def _segments_changed(self) -> None:
        self.model.rebuild()
        shown = min(max(len(self.model.segments), 1), _ROWS_SHOWN)
        self.table.setFixedHeight(shown * _ROW_PX + 2)
        self.table.setVisible(bool(self.model.segments))
        self._select_active()
        self._refresh()

    def _touched(self, box: Box) -> None:
        self.counter.touch(box)

    def _edited(self) -> None:
        self.counter.resume()
        self._refresh()

    def _refresh(self, *_: object) -> None:
        session = self._services.session
        store = session.mask
        painted = store is not None
        for button in (self.add_button, self.approve_button, self.reject_button, self.save_button, self.show_button):
            button.setEnabled(painted)
        self.new_button.setEnabled(session.image is not None and session.arrival is None)
        self.undo_button.setEnabled(store is not None and store.can_undo)
        self.redo_button.setEnabled(store is not None and store.can_redo)
        state = state_of(self._services, self._verdict)
        self.state.setText(tr(state.text))
        set_role(self.state, state.role)

    def _read_verdict(self, *_: object) -> None:
        """Ask the queue anew: not after each stroke, only when another series or verdict is there."""
        self._verdict = self._services.attempt(lambda: last_verdict(self._services))
        self._refresh()

    def _select_active(self, *_: object) -> None:
        row = self.model.row_of(self._services.session.active_label)
        with QSignalBlocker(self.table.selectionModel()):
            if row >= 0:
                self.table.selectRow(row)
            else:
                self.table.clearSelection()
        self.table.viewport().update()

    def _show_eyes(self, *_: object) -> None:
        self.model.refresh()

    def _show_sliders(self, *_: object) -> None:
        look = self._services.session.view
        for part, value in ((self.brush, look.brush_mm / _BRUSH_STEP_MM), (self.opacity, look.mask_opacity * 100)):
            with QSignalBlocker(part):
                part.setValue(round(value))
        self.brush_figure.setText(f"{look.brush_mm:.1f} mm")
        self.opacity_figure.setText(f"{look.mask_opacity:.0%}")
        self.show_button.setChecked(look.mask_visible)

    # -- from the user

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Space hides and shows the row that has the keyboard."""
        row = self.table.currentIndex().row()
        if watched is self.table and row >= 0 and isinstance(event, QKeyEvent) and _is_space(event):
            self._toggle_row(row)
            return True
        return super().eventFilter(watched, event)

    def _clicked(self, index: QModelIndex) -> None:
        if index.column() == EYE:
            self._toggle_row(index.row())

    def _ask_menu(self, where: QPoint) -> None:
        """A right click chooses its row first; the key of the menu is about the row that is chosen."""
        if self.table.indexAt(where).isValid():
            self.table.selectRow(self.table.indexAt(where).row())
        if self.table.currentIndex().isValid():
            self.menu_requested.emit(self.table.viewport().mapToGlobal(where))

    def _toggle_row(self, row: int) -> None:
        view.toggle_label(self._services, self.model.segments[row].label)

    def _row_chosen(self, index: QModelIndex) -> None:
        if index.isValid():
            self._services.session.active_label = self.model.segments[index.row()].label

    def _add_segment(self) -> None:
        segment = self._services.attempt(lambda: view.add_segment(self._services))
        if segment is not None:
            self.table.edit(self.model.index(self.model.row_of(segment.label), NAME))

    def _new_mask(self) -> None:
        self._services.attempt(lambda: masks.new(self._services))

    def _toggle_mask(self) -> None:
        look = self._services.session.view
        look.mask_visible = not look.mask_visible

    def _do(self, command: Callable[[Services], object]) -> None:
        self._services.attempt(lambda: command(self._services))

    def _brush_moved(self, value: int) -> None:
        view.set_brush(self._services, value * _BRUSH_STEP_MM)

    def _opacity_moved(self, value: int) -> None:
        self._services.session.view.mask_opacity = value / 100


def _is_space(event: QKeyEvent) -> bool:
    return event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Space


def _row(*parts: QWidget | None) -> QHBoxLayout:
    """Widgets beside each other; None is where the space goes."""
    row = QHBoxLayout()
    row.setSpacing(4)
    for part in parts:
        if part is None:
            row.addStretch(1)
        else:
            row.addWidget(part)
    return row
