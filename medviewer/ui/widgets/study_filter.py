"""What leaves studies out of the list beside the words of the search: modality, state, tag and date."""

from __future__ import annotations

import re
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFormLayout, QLineEdit, QMenu, QToolButton, QWidget, QWidgetAction

from medviewer.app.services import Services
from medviewer.archive.catalog import Query, State
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import GAP, MARGIN, combo, explain, push, refill, set_role
from medviewer.ui.widgets.study_rows import state_text

_DATE = re.compile(r"(\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?)?")
"""A year, a month or a day; or nothing."""


class StudyFilterPanel(QWidget):
    """The form behind the filter button.

    Parameters
    ----------
    services
        Whose catalogue says which modalities and tags there are.
    """

    changed = Signal()

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self.modality = combo("Only studies with a series of this modality", "Modality")
        self.state = combo("Only studies that stand there on the worklist", "State")
        self.tag = combo("Only studies that have this tag", "Tag")
        self.first = self._date("First day, month or year: 2020, 2020-03 or 2020-03-14", "From")
        self.last = self._date("Last day, month or year: 2020, 2020-03 or 2020-03-14", "Until")
        self.clear_button = push("Show all studies", "Take every filter away", self.clear)
        refill(self.state, [("Any", ""), *((state_text(state).capitalize(), state.value) for state in State)])
        self._form = form = QFormLayout(self)
        form.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        form.setSpacing(GAP)
        rows = {"Modality": self.modality, "State": self.state, "Tag": self.tag, "From": self.first, "Until": self.last}
        for name, field in rows.items():
            form.addRow(tr(name), field)
        form.addRow(self.clear_button)
        self.refresh()
        for box in (self.modality, self.state, self.tag):
            box.currentIndexChanged.connect(self.changed)

    def lead(self, rows: dict[str, QWidget]) -> None:
        """Put more fields above, in line with these, where the form is part of a window and needs no margin."""
        self._form.setContentsMargins(0, 0, 0, 0)
        for k, (name, field) in enumerate(rows.items()):
            self._form.insertRow(k, tr(name), field)

    def showEvent(self, event: QShowEvent) -> None:
        """Offer the modalities and tags that there are now."""
        self.refresh()
        super().showEvent(event)

    def refresh(self) -> None:
        """Read the choices anew."""
        found = self._services.attempt(self._services.archive.catalog.choices)
        modalities, tags = found if found is not None else ([], [])
        for box, names in ((self.modality, modalities), (self.tag, tags)):
            refill(box, [("Any", ""), *((name, name) for name in names)])

    def applied_to(self, query: Query) -> Query:
        """The query with these filters; a date that is only half typed does not filter yet."""
        return replace(
            query,
            modality=self.modality.currentData() or "",
            state=self.state.currentData() or "",
            tag=self.tag.currentData() or "",
            date_from=self.first.text() if _DATE.fullmatch(self.first.text()) else "",
            date_to=self.last.text() if _DATE.fullmatch(self.last.text()) else "",
        )

    def clear(self) -> None:
        """Leave every study in."""
        for box in (self.modality, self.state, self.tag):
            box.setCurrentIndex(0)
        self.first.clear()
        self.last.clear()

    def text(self) -> str:
        """What is filtered, in a few words; empty for nothing."""
        query = self.applied_to(Query())
        since = f"from {query.date_from}" if query.date_from else ""
        until = f"until {query.date_to}" if query.date_to else ""
        state = State(query.state).label if query.state else ""
        return " · ".join(part for part in (query.modality, state, query.tag, since, until) if part)

    def _date(self, tip: str, name: str) -> QLineEdit:
        made = QLineEdit()
        made.setPlaceholderText("YYYY-MM-DD")
        made.setMaxLength(10)
        explain(made, tip, name)

        def edited(text: str) -> None:
            set_role(made, "" if _DATE.fullmatch(text) else "warning")
            self.changed.emit()

        made.textChanged.connect(edited)
        return made


def filter_button(panel: StudyFilterPanel) -> QToolButton:
    """The button that opens the form."""
    button = QToolButton()
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    menu = QMenu(button)
    holder = QWidgetAction(menu)
    holder.setDefaultWidget(panel)
    menu.addAction(holder)
    button.setMenu(menu)
    explain(button, "Filter by modality, state, tag or date", "Filter studies")

    def mark() -> None:
        button.setIcon(icon("filter", "accent" if panel.text() else "quiet"))

    panel.changed.connect(mark)
    mark()
    return button
