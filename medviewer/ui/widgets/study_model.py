"""The studies of the session as a tree: patient, study, series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt

from medviewer.app.state import Session
from medviewer.domain.study import Patient, Series, Study, Warning

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What the model gives beside its text."""

    NODE = Qt.ItemDataRole.UserRole + 1
    SEARCH = Qt.ItemDataRole.UserRole + 2


@dataclass(eq=False)
class Node:
    """One row.

    Parameters
    ----------
    value
        What it stands for.
    parent, row
        Its place in the tree.
    search
        Lower-case text that a search looks through; a series has that of its study and patient too.
    """

    value: Patient | Study | Series | None
    parent: Node | None = None
    row: int = 0
    search: str = ""
    children: list[Node] = field(default_factory=list)

    def add(self, value: Patient | Study | Series, *words: str) -> Node:
        """Append a child that is found by those words and by its parents'."""
        text = " ".join([self.search, *words]).lower()
        child = Node(value, self, len(self.children), text)
        self.children.append(child)
        return child

    @property
    def key(self) -> str:
        """What stays the same when the tree is built anew."""
        if isinstance(self.value, Patient):
            return f"patient {self.value.id} {self.value.name}"
        return self.value.uid if self.value is not None else ""

    def walk(self) -> Iterator[Node]:
        """Every row below this one."""
        for child in self.children:
            yield child
            yield from child.walk()


def person(name: str) -> str:
    """A DICOM person name (PS3.5 6.2) as it is read: ``DOE^JANE^M`` becomes ``DOE, JANE M``."""
    family, *given = (part.strip() for part in name.split("=")[0].split("^"))
    rest = " ".join(part for part in given if part)
    return ", ".join(part for part in (family, rest) if part)


def title(value: Patient | Study | Series | None) -> str:
    """What a row is called."""
    if isinstance(value, Patient):
        return person(value.name) or value.id or "No name"
    if isinstance(value, Study):
        return "  ".join(part for part in (value.date, value.description) if part) or "Study without a date"
    if isinstance(value, Series):
        return value.description or (f"Series {value.number}" if value.number is not None else value.modality)
    return ""


def extent(series: Series) -> str:
    """Modality and number of slices, or the size of a single picture."""
    slices, rows, columns = series.grid.shape
    size = f"{slices} slices" if slices > 1 else f"{columns} × {rows}"
    return f"{series.modality} · {size}"


class StudyModel(QAbstractItemModel):
    """A view of `session.studies`; it holds rows, and reads everything else from the session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._root = Node(None)

    @property
    def root(self) -> Node:
        """The invisible row above all patients."""
        return self._root

    def rebuild(self) -> None:
        """Read the session's studies anew."""
        self.beginResetModel()
        self._root = _tree(self._session.studies)
        self.endResetModel()

    def warnings_of(self, series: Series) -> tuple[Warning, ...]:
        """What is wrong with a series; loading may have found more than the scan did."""
        shown = self._session.series
        return shown.warnings if shown is not None and shown.uid == series.uid else series.warnings

    def is_shown(self, series: Series) -> bool:
        """Whether the viewports show that series."""
        return self._session.series is not None and self._session.series.uid == series.uid

    def index_of(self, node: Node) -> QModelIndex:
        """Where a row is."""
        return self.createIndex(node.row, 0, node) if node.parent is not None else QModelIndex()

    def refresh(self) -> None:
        """Paint every row again: another series is shown, or a thumbnail came."""
        for node in self._root.walk():
            if node.children:
                first, last = node.children[0], node.children[-1]
                self.dataChanged.emit(self.index_of(first), self.index_of(last))

    # Qt's own names from here on.

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature; an index is a value
        """Number of rows below one."""
        return len(self._node(parent).children)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # as above
        """One column."""
        return 1

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008  # as above
        """The index of a row below another."""
        children = self._node(parent).children
        return self.createIndex(row, column, children[row]) if 0 <= row < len(children) else QModelIndex()

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override]  # noqa: B008  # Qt overloads it
        """The row above."""
        above = self._node(index).parent
        return self.index_of(above) if above is not None else QModelIndex()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, tool tip, and the roles above."""
        node = self._node(index)
        if role == Role.NODE:
            return node
        if role == Role.SEARCH:
            return node.search
        if role == Qt.ItemDataRole.DisplayRole:
            return title(node.value)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            return "\n".join(self._tip(node.value))
        return None

    def _tip(self, value: Patient | Study | Series | None) -> list[str]:
        if isinstance(value, Patient):
            return [part for part in (title(value), value.id, value.birth_date, value.sex) if part]
        if not isinstance(value, Series):
            return [title(value)]
        plain = [title(value), value.modality, value.size_text]
        body = "  ".join(part for part in (value.body_part, value.view, value.laterality) if part)
        return [*plain, *([body] if body else []), *(f"⚠ {warning.text}" for warning in self.warnings_of(value))]

    def _node(self, index: Index) -> Node:
        found = index.internalPointer() if index.isValid() else None
        return found if isinstance(found, Node) else self._root


class StudyFilter(QSortFilterProxyModel):
    """Leaves the series that hold every word of the search, and the rows above them."""

    def __init__(self, model: StudyModel) -> None:
        super().__init__()
        self._words: list[str] = []
        self.setSourceModel(model)
        self.setRecursiveFilteringEnabled(True)

    def search(self, text: str) -> None:
        """Filter by the words of a text; case does not matter."""
        self._words = text.lower().replace("^", " ").split()
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        """Whether a series stays; rows above a series stay because of it."""
        node = self.sourceModel().index(source_row, 0, source_parent).data(Role.NODE)
        return isinstance(node.value, Series) and all(word in node.search for word in self._words)


def _tree(studies: tuple[Study, ...]) -> Node:
    root = Node(None)
    patients: dict[tuple[str, ...], Node] = {}
    for study in sorted(studies, key=lambda s: s.date, reverse=True):
        patient = study.patient
        # Without a name or an ID nothing says that two studies are of one person.
        key = (patient.id, patient.name) if patient.id or patient.name else (study.uid,)
        if key not in patients:
            patients[key] = root.add(patient, person(patient.name), patient.id)
        above = patients[key].add(study, study.date, study.description)
        for series in study.series:
            above.add(series, series.modality, series.description, series.body_part)
    return root
