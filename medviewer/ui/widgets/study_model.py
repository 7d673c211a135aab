"""The catalogue as a tree, filled as it is looked at: patient, study, and series with attachments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel

from medviewer.app.services import Services
from medviewer.archive.catalog import Query, SeriesEntry, StudyEntry
from medviewer.archive.catalog.search import match_of
from medviewer.domain.study import Attachment, Study
from medviewer.ui.widgets.background import Latest
from medviewer.ui.widgets.study_rows import Node, Value, tip, title

Index = QModelIndex | QPersistentModelIndex

SERIES_MIME = "application/x-medviewer-series"
"""What a dragged series is handed over as: the UIDs of its study and of itself, a line each."""

PAGE = 100
SMALL = 500
"""A catalogue with no more studies answers well within 10 ms, so it is asked on the home thread, without a flicker."""


class Role(IntEnum):
    """What the model gives beside its text."""

    NODE = Qt.ItemDataRole.UserRole + 1


class Item(QStandardItem):
    """One row. A `lazy` one has a blank row below it, which `StudyModel.fill` replaces."""

    def __init__(self, node: Node, *, lazy: bool = False) -> None:
        super().__init__(title(node.value))
        self.node = node
        self.lazy = lazy
        self.setData(node, Role.NODE)
        self.setDragEnabled(isinstance(node.value, SeriesEntry))
        if lazy:
            self.appendRow(QStandardItem())


class StudyModel(QStandardItemModel):
    """Pages of the studies that match a query. What was opened a moment ago, and is not listed yet, comes first.

    Qt's own item model holds the rows, and a study that was not looked into has a blank row instead of a `hasChildren`
    in Python: a view walks through all rows when one is added, which would be felt with ten thousand.
    """

    listed = Signal()
    """A page came: `loaded`, `count` and `fresh` are new."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._asker = Latest(services, self)
        self._checker = Latest(services, self)
        self._patients: dict[tuple[str, ...], Item] = {}
        self._studies: dict[str, Item] = {}
        self._series: dict[str, Item] = {}
        self._total = services.archive.catalog.count()
        self.query = Query()
        self.near_end: Callable[[], bool] = lambda: True
        """Whether the last rows are about to be looked at."""
        self.fresh: list[Item] = []
        """Patients and studies that came with the last page."""
        self.loaded = 0
        """Studies that have a row, of those that the catalogue has."""
        self.count = 0
        """Studies of the catalogue that match."""

    # -- what the browser asks

    @property
    def total(self) -> int:
        """Studies of the catalogue, those that do not match too."""
        return self._total

    @property
    def empty(self) -> bool:
        """Whether there is nothing to search in at all."""
        return self._total == 0 and not self._services.session.studies

    def look_up(self, query: Query) -> None:
        """List what matches a query; `listed` tells when it is there."""
        self.query = query
        catalog = self._services.archive.catalog
        opened = [study.uid for study in self._services.session.studies]

        def work() -> tuple[list[StudyEntry], int, int, frozenset[str]]:
            page, count = catalog.page(query, PAGE)
            return page, count, count if not query.narrowed else catalog.count(), catalog.listed(opened)

        self._ask(work, self._begin)

    def study_item(self, uid: str) -> Item | None:
        """The row of a study, if it is loaded."""
        return self._studies.get(uid)

    def series_item(self, uid: str) -> Item | None:
        """The row of a series, if it is loaded."""
        return self._series.get(uid)

    def is_shown(self, uid: str) -> bool:
        """Whether the viewports show that series."""
        shown = self._services.session.series
        return shown is not None and shown.uid == uid

    def warnings_of(self, series: SeriesEntry) -> tuple[str, ...]:
        """What is wrong with a series; loading may have found more than the scan did."""
        shown = self._services.session.series
        if shown is not None and shown.uid == series.uid:
            return tuple(warning.text for warning in shown.warnings)
        return series.warnings

    def fill(self, item: Item) -> None:
        """Load the series and attachments of a study."""
        if not item.lazy:
            return
        item.lazy = False
        item.removeRow(0)
        uid = item.node.study
        catalog = self._services.archive.catalog
        series, attachments = catalog.series_of(uid), catalog.attachments_of(uid)
        scanned = next((study for study in self._services.session.studies if study.uid == uid), None)
        if not series and scanned is not None:
            series = [SeriesEntry.of(one, uid) for one in scanned.series]
            attachments = list(scanned.attachments)
        self._add_rows(item, series, attachments)

    # -- Qt

    def canFetchMore(self, parent: Index) -> bool:
        """Whether another page is there, and wanted: a view asks whenever it lays its rows out, and often."""
        if parent.isValid():
            return False
        return self.loaded < self.count and not self._asker.busy and self.near_end()

    def fetchMore(self, parent: Index) -> None:
        """Ask for the next page; it comes a little later."""
        if self.canFetchMore(parent):
            query, offset = self.query, self.loaded
            catalog = self._services.archive.catalog
            self._ask(lambda: catalog.search(query, PAGE, offset), self._append)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """As Qt has it, and tool tips, which are made when they are wanted."""
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            node = super().data(index, Role.NODE)
            if isinstance(node, Node):
                return tip(node, self.warnings_of(node.value) if isinstance(node.value, SeriesEntry) else ())
        return super().data(index, role)

    def mimeTypes(self) -> list[str]:
        """Series can be dragged into a viewport."""
        return [SERIES_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """The series of a row."""
        made = QMimeData()
        for index in indexes:
            node = index.data(Role.NODE)
            if isinstance(node, Node) and isinstance(node.value, SeriesEntry):
                made.setData(SERIES_MIME, f"{node.study}\n{node.value.uid}".encode())
        return made

    # -- pages

    def _ask(self, work: Any, then: Any) -> None:
        if self._total <= SMALL and not self._asker.busy:
            answer = self._services.attempt(work)
            if answer is not None:
                then(answer)
        else:
            self._asker.ask(work, then)

    def _begin(self, answer: tuple[list[StudyEntry], int, int, frozenset[str]]) -> None:
        page, self.count, self._total, known = answer
        self.removeRows(0, self.rowCount())  # Qt's `clear` takes minutes where thousands of rows are unfolded
        self._patients, self._studies, self._series = {}, {}, {}
        self.loaded, self.fresh = 0, []
        for study in reversed(self._services.session.studies):
            if study.uid not in known and _matches(study, self.query):
                self._add_study(StudyEntry.of(study))
        self._take(page)

    def _append(self, page: list[StudyEntry]) -> None:
        self.fresh = []
        self._take(page)

    def _take(self, page: list[StudyEntry]) -> None:
        if not page:
            self.count = self.loaded  # another program removed some
        for entry in page:
            self._add_study(entry)
        self.loaded += len(page)
        self.listed.emit()
        uids = [entry.uid for entry in page]
        if uids:
            catalog = self._services.archive.catalog
            self._checker.ask(lambda: catalog.absent(uids), self._mark_absent)

    def _add_study(self, entry: StudyEntry) -> None:
        if entry.uid in self._studies:
            return
        above = self._patients.get(entry.person)
        item = Item(Node(entry, entry.uid), lazy=True)
        if above is None:
            above = self._patients[entry.person] = Item(Node(entry.patient))
            above.appendRow(item)
            self.appendRow(above)  # with its first study, so that views hear of both at once
            self.fresh.append(above)
        else:
            above.appendRow(item)
        self._studies[entry.uid] = item
        self.fresh.append(item)

    def _add_rows(self, item: Item, series: Sequence[SeriesEntry], attachments: Sequence[Attachment]) -> None:
        values: list[Value] = [*series, *attachments]
        rows = [Item(Node(value, item.node.study)) for value in values]
        item.appendRows(rows)
        for row in rows:
            if isinstance(row.node.value, SeriesEntry):
                self._series[row.node.value.uid] = row

    def _mark_absent(self, uids: frozenset[str]) -> None:
        for uid in uids:
            item = self._studies.get(uid)
            if item is not None:
                item.node.absent = True
                item.emitDataChanged()

    def refresh_study(self, entry: StudyEntry) -> bool:
        """Show what changed of a study, in its place; False if it has no row."""
        item = self._studies.get(entry.uid)
        if item is None:
            return False
        item.node.value = replace(entry)
        item.setText(title(entry))
        item.emitDataChanged()
        return True


def _matches(study: Study, query: Query) -> bool:
    """Whether a study that is not in the catalogue yet is one that is looked for: by words and modality."""
    if query.state not in ("", "new") or query.tag or query.date_from or query.date_to:
        return False
    entry = StudyEntry.of(study)
    if query.modality and query.modality not in entry.modalities:
        return False
    series = " ".join(f"{one.description} {one.body_part}" for one in study.series)
    patient = f"{study.patient.name} {study.patient.id}"
    text = f"{patient} {study.date} {study.description} {study.accession} {' '.join(entry.modalities)} {series}"
    words = text.replace("^", " ").lower().split()
    wanted = query.text.replace("^", " ").lower().split() if match_of(query.text) else []
    return all(any(word.startswith(begin) for word in words) for begin in wanted)
