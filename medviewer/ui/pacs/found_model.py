"""What a search found: studies, and their series beneath them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel

from medviewer.app.controllers.texts import person
from medviewer.archive.remote import SeriesFound, StudyFound, Wanted
from medviewer.ui.theme import colour
from medviewer.ui.translate import tr

COLUMNS = ("Patient", "ID", "Date", "Modality", "Description", "Series", "Images", "State")
STATE = COLUMNS.index("State")
_NUMBERS = (COLUMNS.index("Series"), COLUMNS.index("Images"))
_SORT, _WANTED, _LISTED = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2, Qt.ItemDataRole.UserRole + 3


class FoundModel(QStandardItemModel):
    """Studies at the top level, sorted by any column; a study has its series once `add_series` was called."""

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self.setHorizontalHeaderLabels([tr(column) for column in COLUMNS])
        self.setSortRole(_SORT)
        for column in _NUMBERS:
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            self.setHeaderData(column, Qt.Orientation.Horizontal, right, Qt.ItemDataRole.TextAlignmentRole)
        self._studies: dict[str, QStandardItem] = {}

    def fill(self, studies: Sequence[StudyFound]) -> None:
        """Show other studies."""
        self.removeRows(0, self.rowCount())
        self._studies = {}
        for study in studies:
            texts = (
                person(study.patient_name) or "no name",
                study.patient_id,
                study.date,
                " ".join(study.modalities),
                study.description,
                _count(study.series_count),
                _count(study.instance_count),
                "",
            )
            numbers = {_NUMBERS[0]: study.series_count, _NUMBERS[1]: study.instance_count}
            row = _row(texts, numbers, Wanted(study.study_uid))
            tip = f"{person(study.patient_name)}  born {study.birth_date or 'unknown'}  {study.sex}\n"
            tip += f"Accession number {study.accession or 'none'}, {study.date} {study.time}"
            for item in row:
                item.setToolTip(tr(tip))
            row[0].appendRow(_note("…"))
            self.appendRow(row)
            self._studies[study.study_uid] = row[0]

    def needs_series(self, index: QModelIndex) -> str:
        """The UID of a study whose series were not asked for yet; empty for any other row."""
        item = self.itemFromIndex(index.siblingAtColumn(0))
        if item.parent() is not None or item.data(_LISTED):
            return ""
        item.setData(True, _LISTED)
        return self.wanted(index).study_uid

    def add_series(self, study_uid: str, series: Sequence[SeriesFound], problem: str = "") -> None:
        """Put series beneath a study, or the reason why there are none."""
        parent = self._studies.get(study_uid)
        if parent is None:
            return  # another search came between
        parent.removeRows(0, parent.rowCount())
        for one in series:
            name = f"Series {one.number}" if one.number is not None else "Series"
            texts = (name, "", "", one.modality, one.description, "", _count(one.instance_count), "")
            numbers = {_NUMBERS[1]: one.instance_count}
            parent.appendRow(_row(texts, numbers, Wanted(study_uid, (one.series_uid,))))
        if problem:
            parent.setData(False, _LISTED)  # it may be tried again
            parent.appendRow(_note(problem))

    def wanted(self, index: QModelIndex) -> Wanted:
        """What a row stands for; a row that says something stands for the study above it."""
        item = self.itemFromIndex(index.siblingAtColumn(0))
        found = item.data(_WANTED)
        return found if isinstance(found, Wanted) else item.parent().data(_WANTED)

    def set_state(self, study_uid: str, text: str, role: str = "text") -> None:
        """Say how far the retrieval of a study is."""
        first = self._studies.get(study_uid)
        if first is not None:
            state = self.item(first.row(), STATE)
            state.setText(tr(text))
            state.setToolTip(tr(text))
            state.setData(text, _SORT)
            state.setForeground(colour(role))


def _row(texts: Sequence[str], numbers: Mapping[int, int | None], wanted: Wanted) -> list[QStandardItem]:
    row = []
    for column, text in enumerate(texts):
        item = QStandardItem(text)
        item.setEditable(False)
        number: int | str | None = numbers[column] if column in numbers else text.casefold()
        item.setData(-1 if number is None else number, _SORT)
        if column in _NUMBERS:
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.append(item)
    row[0].setData(wanted, _WANTED)
    return row


def _note(text: str) -> list[QStandardItem]:
    return [QStandardItem(text), *(QStandardItem() for _ in COLUMNS[1:])]


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
