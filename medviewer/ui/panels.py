"""The panels on the right of the window, one below the other."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, QTimer
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

    Parameters
    ----------
    commands
        Actions of the window by their ids, for what the panels' buttons do.
    confirm
        Asks a yes-or-no question.
    """

    def __init__(self, services: Services, commands: Mapping[str, QAction], confirm: Confirm) -> None:
        super().__init__()
        self.setObjectName("panels")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._fused = False
        segments = self.segments = SegmentsPanel(services)
        segments.export_requested.connect(commands["file.save_mask"].trigger)
        segments.approve_requested.connect(commands["segment.approve"].trigger)
        segments.reject_requested.connect(commands["segment.reject"].trigger)
        measures = self.measures = MeasurePanel(services)
        measures.delete_requested.connect(commands["measure.delete"].trigger)
        measures.save_requested.connect(commands["measure.save"].trigger)
        measures.read_requested.connect(commands["measure.read"].trigger)
        keys = KeyPanel(services)
        keys.delete_requested.connect(commands["key.remove"].trigger)
        keys.pictures_requested.connect(commands["key.pictures"].trigger)
        keys.objects_requested.connect(commands["key.objects"].trigger)
        self.ai = AiPanel(services)
        self.clip = ClipPanel(services)
        self.clips = False
        """Whether the clipping box is among them."""
        panels: dict[str, tuple[str, QWidget, bool]] = {
            "clip": ("Clipping box of the 3D view", self.clip, True),
            "ai": ("AI", self.ai, True),
            "segments": ("Segments", segments, True),
            "fusion": ("Fusion", FusionPanel(services, confirm), False),
            "measure": ("Measurements", measures, True),
            "keys": ("Key images", keys, True),
            "saliency": ("Heat map", SaliencyPanel(services), True),
            "learning": ("Queue and model versions", LearningPanel(services), False),
            "research": ("napari", ResearchPanel(commands), True),
        }
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.sections: dict[str, Section] = {}
        for name, (title, panel, opened) in panels.items():
            section = Section(title, panel)
            section.expanded = opened
            layout.addWidget(section)
            self.sections[name] = section
        layout.addStretch(1)
        self.setWidget(column)
        self._links = Links(self)
        self._links.add(services.session.events.fusion, self._follow_fusion)

    def _follow_fusion(self, laid: object) -> None:
        """What was laid over can be seen to at once."""
        if laid is None or self._fused:
            self._fused = laid is not None
            return
        self._fused = True
        self.sections["fusion"].expanded = True

    def show_mode(self, mode: str) -> None:
        """Show the panels that a mode of `app.modes` has."""
        for name, section in self.sections.items():
            section.setVisible(name in modes.MODES[mode].panels or (name == "clip" and self.clips))
        if mode == "review":
            self.sections["learning"].expanded = True

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
