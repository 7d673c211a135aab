"""The list of studies: search, look, open."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLabel, QLineEdit, QStackedWidget, QTreeView, QVBoxLayout, QWidget

from medviewer.app.commands import study
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.jobs import Job
from medviewer.ui.icons import icon
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, MARGIN, explain, label, push
from medviewer.ui.widgets.study_delegate import StudyDelegate
from medviewer.ui.widgets.study_model import Node, Role, StudyFilter, StudyModel
from medviewer.ui.widgets.thumbnails import Thumbnails

_INDENT = 10


class StudyBrowser(QWidget):
    """Patients, their studies and series, with a search over all of them."""

    left = Signal()
    """The search is over: the keyboard may go back to the viewports."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self._folded: set[str] = set()
        self._asked: tuple[str, Job[Image]] | None = None
        self.model = StudyModel(services.session)
        self.filter = StudyFilter(self.model)
        self.thumbnails = Thumbnails(services, self)
        self._delegate = StudyDelegate(self.model, self.thumbnails)
        self.search = self._make_search()
        self.tree = self._make_tree()
        self.demo_button = push("Open the demo", "Open the studies that come with medviewer", self._open_demo, "open")
        self.no_match = label(role="quiet", wrap=True)
        self.pages = QStackedWidget()
        for page in (self.tree, self._empty_page(), _centred(self.no_match)):
            self.pages.addWidget(page)
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        box.setSpacing(GAP)
        box.addWidget(self.search)
        box.addWidget(self.pages)
        self._links.add(services.session.events.studies, self._rebuild)
        self._links.add(services.session.events.series, self._mark)
        self._links.add(services.session.events.image, self._mark)
        self.thumbnails.ready.connect(self._mark)
        self._rebuild()

    def sizeHint(self) -> QSize:
        """Wide enough for a thumbnail and a description."""
        return QSize(250, 500)

    def focus_search(self) -> None:
        """Put the keyboard into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """From the search field, Down goes to the list, and Escape clears and leaves."""
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Down:
                self.tree.setFocus(Qt.FocusReason.TabFocusReason)
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.search.clear()
                self.left.emit()
                return True
        return super().eventFilter(watched, event)

    # -- parts

    def _make_search(self) -> QLineEdit:
        made = QLineEdit()
        made.setPlaceholderText("Search studies")
        made.setClearButtonEnabled(True)
        made.addAction(icon("search", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
        explain(made, "Find by name, ID, date, modality or description", "Search studies")
        made.textChanged.connect(self._search)
        made.installEventFilter(self)
        return made

    def _make_tree(self) -> QTreeView:
        made = QTreeView()
        made.setModel(self.filter)
        made.setItemDelegate(self._delegate)
        made.setHeaderHidden(True)
        made.setIndentation(_INDENT)
        made.setUniformRowHeights(False)
        made.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        made.setExpandsOnDoubleClick(False)
        made.setAccessibleName("Studies")
        made.clicked.connect(self._open)
        made.activated.connect(self._open)
        made.expanded.connect(lambda index: self._note_fold(index, folded=False))
        made.collapsed.connect(lambda index: self._note_fold(index, folded=True))
        return made

    def _empty_page(self) -> QWidget:
        text = label("Drop a folder here, or open the demo.", "quiet", wrap=True)
        return _centred(text, self.demo_button)

    # -- from the session

    def _rebuild(self, *_: object) -> None:
        self.model.rebuild()
        self._unfold()
        self._choose_page()
        self._mark()

    def _mark(self, *_: object) -> None:
        """Another series is shown, or a thumbnail came: paint the rows again."""
        self.model.refresh()
        shown = self._services.session.series
        current = self.tree.currentIndex().data(Role.NODE)
        if shown is None or (isinstance(current, Node) and current.key == shown.uid):
            return
        if not self.tree.hasFocus():
            node = next((node for node in self.model.root.walk() if node.key == shown.uid), None)
            if node is not None:
                self.tree.setCurrentIndex(self.filter.mapFromSource(self.model.index_of(node)))

    def _choose_page(self) -> None:
        if not self._services.session.studies:
            self.pages.setCurrentIndex(1)
        elif self.filter.rowCount() == 0:
            self.no_match.setText(f"No series matches “{self.search.text().strip()}”.")
            self.pages.setCurrentIndex(2)
        else:
            self.pages.setCurrentIndex(0)

    # -- from the user

    def _search(self, text: str) -> None:
        self.filter.search(text)
        self._unfold()
        self._choose_page()

    def _open(self, index: QModelIndex) -> None:
        node = index.data(Role.NODE)
        series = node.value if isinstance(node, Node) else None
        if isinstance(series, Series):
            self._show(series)
        elif index.isValid():
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def _show(self, series: Series) -> None:
        """Open a series, once: a double click is two clicks, and a click on the open one changes nothing."""
        services = self._services
        on_its_way = self._asked is not None and not self._asked[1].done
        asked = self._asked[0] if self._asked is not None and on_its_way else ""
        shown = services.session.image is not None and self.model.is_shown(series)
        if asked == series.uid or (shown and not on_its_way):
            return
        job = services.attempt(lambda: study.show(services, series))
        self._asked = (series.uid, job) if job is not None else None

    def _open_demo(self) -> Any:
        return self._services.attempt(lambda: study.open_demo(self._services))

    # -- folding

    def _unfold(self) -> None:
        """Rows are open unless the user folded them; a search opens everything that it found."""
        searching = bool(self.search.text().strip())
        self.tree.blockSignals(True)
        self.tree.expandAll()
        if not searching:
            for node in self.model.root.walk():
                if node.children and node.key in self._folded:
                    self.tree.collapse(self.filter.mapFromSource(self.model.index_of(node)))
        self.tree.blockSignals(False)

    def _note_fold(self, index: QModelIndex, *, folded: bool) -> None:
        node = index.data(Role.NODE)
        if isinstance(node, Node) and not self.search.text().strip():
            (self._folded.add if folded else self._folded.discard)(node.key)


def _centred(*parts: QWidget) -> QWidget:
    page = QWidget()
    box = QVBoxLayout(page)
    box.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
    box.setSpacing(2 * GAP)
    box.addStretch(2)
    for part in parts:
        if isinstance(part, QLabel):
            part.setAlignment(Qt.AlignmentFlag.AlignCenter)
            box.addWidget(part)
        else:
            box.addWidget(part, alignment=Qt.AlignmentFlag.AlignHCenter)
    box.addStretch(3)
    return page
