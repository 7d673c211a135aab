"""The panels on the right of the window, one below the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from medviewer.app import modes
from medviewer.app.commands.fusion import Confirm
from medviewer.app.services import Services
from medviewer.ui.research import ResearchPanel
from medviewer.ui.widgets.ai_panel import AiPanel
from medviewer.ui.widgets.clip_panel import ClipPanel
from medviewer.ui.widgets.fusion_panel import FusionPanel
from medviewer.ui.widgets.key_panel import KeyPanel
from medviewer.ui.widgets.learning_panel import LearningPanel
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.measure_panel import MeasurePanel
from medviewer.ui.widgets.saliency_panel import SaliencyPanel
from medviewer.ui.widgets.section import Section
from medviewer.ui.widgets.segments_panel import SegmentsPanel


class Panels(QScrollArea):
    """One section for each panel; a mode shows those that it needs.

    It begins empty: `make_next` makes one panel, so that the window can answer between them.

    Parameters
    ----------
    commands
        Actions of the window by their ids, for what the panels' buttons do.
    confirm
        Asks a yes-or-no question.

    Attributes
    ----------
    sections
        Those that are made, by their names.
    ai, clip, measures, segments
        What the window itself talks to; there once they are made.
    """

    made = Signal(str)
    """The panel of this name was made; it is not seen yet."""

    ai: AiPanel
    clip: ClipPanel
    measures: MeasurePanel
    segments: SegmentsPanel

    def __init__(self, services: Services, commands: Mapping[str, QAction], confirm: Confirm) -> None:
        super().__init__()
        self.setObjectName("panels")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._services, self._commands = services, commands
        self._fused = False
        self.clips = False
        """Whether the clipping box is among them."""
        self.sections: dict[str, Section] = {}
        self._to_make: deque[tuple[str, str, Callable[[], QWidget], bool]] = deque(
            (
                ("clip", "Clipping box of the 3D view", self._make_clip, True),
                ("ai", "AI", self._make_ai, True),
                ("segments", "Segments", self._make_segments, True),
                ("fusion", "Fusion", lambda: FusionPanel(services, confirm), False),
                ("measure", "Measurements", self._make_measures, True),
                ("keys", "Key images", self._make_keys, True),
                ("saliency", "Heat map", lambda: SaliencyPanel(services), True),
                ("learning", "Queue and model versions", lambda: LearningPanel(services), False),
                ("research", "napari", lambda: ResearchPanel(commands), True),
            )
        )
        column = QWidget()
        self._column = QVBoxLayout(column)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self.setWidget(column)
        self._links = Links(self)
        self._links.add(services.session.events.fusion, self._follow_fusion)

    def make_next(self) -> bool:
        """Make the next panel, and show it if the mode has it; returns whether one was left to make."""
        if not self._to_make:
            return False
        name, title, make, opened = self._to_make[0]
        section = self.sections[name] = Section(title, make())
        self._to_make.popleft()
        section.expanded = opened
        section.hide()  # or the column would show it before it is whole
        self._column.insertWidget(len(self.sections) - 1, section)
        self.made.emit(name)
        self._show(name)
        return True

    def _make_ai(self) -> QWidget:
        self.ai = AiPanel(self._services)
        return self.ai

    def _make_clip(self) -> QWidget:
        self.clip = ClipPanel(self._services)
        return self.clip

    def _make_segments(self) -> QWidget:
        segments = self.segments = SegmentsPanel(self._services)
        segments.export_requested.connect(self._commands["file.save_mask"].trigger)
        segments.approve_requested.connect(self._commands["segment.approve"].trigger)
        segments.reject_requested.connect(self._commands["segment.reject"].trigger)
        return segments

    def _make_measures(self) -> QWidget:
        measures = self.measures = MeasurePanel(self._services)
        measures.delete_requested.connect(self._commands["measure.delete"].trigger)
        measures.save_requested.connect(self._commands["measure.save"].trigger)
        measures.read_requested.connect(self._commands["measure.read"].trigger)
        return measures

    def _make_keys(self) -> QWidget:
        keys = KeyPanel(self._services)
        keys.delete_requested.connect(self._commands["key.remove"].trigger)
        keys.pictures_requested.connect(self._commands["key.pictures"].trigger)
        keys.objects_requested.connect(self._commands["key.objects"].trigger)
        return keys

    def _follow_fusion(self, laid: object) -> None:
        """What was laid over can be seen to at once."""
        if laid is None or self._fused:
            self._fused = laid is not None
            return
        self._fused = True
        self.sections["fusion"].expanded = True

    def show_mode(self) -> None:
        """Show the panels that the session's mode has."""
        for name in self.sections:
            self._show(name)

    def _show(self, name: str) -> None:
        mode = self._services.session.mode
        self.sections[name].setVisible(name in modes.MODES[mode].panels or (name == "clip" and self.clips))
        if (name, mode) == ("learning", "review"):
            self.sections[name].expanded = True

    def show_clip(self, shown: bool) -> None:
        """Have the clipping box of the 3D view among the panels, in every mode, or no longer."""
        if shown == self.clips:
            return
        self.clips = shown
        self.sections["clip"].setVisible(shown)
        if shown:
            self.clip.follow()
            self.bring("clip")

    def bring(self, name: str) -> None:
        """Open one of the panels and bring it into view, also where the mode has it not."""
        section = self.sections[name]
        section.show()
        section.expanded = True
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(section))
