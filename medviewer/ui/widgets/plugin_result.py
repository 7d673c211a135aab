"""What a plugin found, with what speaks against it: never the one without the other."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from medviewer.app.doubt_text import doubt_text, no_answer, warnings_of
from medviewer.domain.finding import Classification
from medviewer.domain.provenance import Provenance
from medviewer.ui.icons import icon
from medviewer.ui.widgets.bars import ProbabilityBars
from medviewer.ui.widgets.parts import explain, keep_height, label, set_role, set_text
from medviewer.ui.widgets.section import Section

_ICON = 16


class PluginResult(QWidget):
    """Volumes or probabilities, version, doubt, flags, and how it was made."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.answer = label(role="warning", wrap=True)
        self.volumes = label(wrap=True)
        self.bars = ProbabilityBars()
        self.made_by = label(role="quiet", wrap=True)
        self.doubt = label(role="quiet", wrap=True)
        explain(self.doubt, "How undecided the model is, and how unlike its training set the image is", "Doubt")
        self.sign = QLabel()
        self.sign.setPixmap(icon("warning", "warning").pixmap(_ICON, _ICON))
        self.notes = label(role="warning", wrap=True)
        self.flagged = QWidget()
        row = QHBoxLayout(self.flagged)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.sign)
        row.addWidget(self.notes, 1)
        self.how = label(role="quiet", wrap=True)
        self.details = Section("How it ran", self.how)
        self.details.expanded = False
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        for part in (self.answer, self.volumes, self.bars, self.doubt, self.made_by, self.flagged, self.details):
            box.addWidget(part)
        keep_height(self)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.bars.show_values({})
        for part in (self.answer, self.volumes, self.made_by, self.doubt, self.notes, self.how):
            set_text(part, "")
        self.flagged.hide()
        self.details.hide()
        self.hide()

    def show_volumes(self, lines: Sequence[str], made: Provenance, took: str, cautions: Sequence[str]) -> None:
        """Show a segmentation."""
        set_text(self.answer, "")
        set_text(self.volumes, "   ".join(lines))
        self.bars.show_values({})
        self._show_origin(made, took, cautions)

    def show_classes(self, found: Classification, took: str, cautions: Sequence[str]) -> None:
        """Show probabilities; greyed, under "No answer", where the model gives none."""
        reason = no_answer(found)
        set_text(self.answer, f"No answer. {reason.removeprefix('No answer: ')}" if reason else "")
        set_text(self.volumes, "")
        self.bars.setEnabled(not reason)
        self.bars.show_values(found.probabilities)
        self._show_origin(found.provenance, took, cautions, reason)

    def _show_origin(self, made: Provenance, took: str, cautions: Sequence[str], said: str = "") -> None:
        parts = (f"model {made.model_version}", made.device, took)
        set_text(self.made_by, ", ".join(part for part in parts if part))
        text = doubt_text(made.doubt)
        set_text(self.doubt, f"{text[0].upper()}{text[1:]}")
        set_role(self.doubt, "warning" if made.doubt.outside else "quiet")
        told = dict.fromkeys((*warnings_of(made.doubt, made.notes), *cautions))
        told.pop(said, None)
        set_text(self.notes, " ".join(told))
        self.flagged.setVisible(bool(told))
        set_text(self.how, "\n".join(made.steps))
        self.how.setVisible(self.details.expanded)
        self.details.setVisible(bool(made.steps))
        self.show()
