"""The list of studies: search, look, open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from medviewer.app import pointing
from medviewer.app.commands import catalog, fusion, listed, study
from medviewer.app.services import Services
from medviewer.archive.catalog import Query, SeriesEntry, StudyEntry
from medviewer.domain.study import Attachment, Patient
from medviewer.jobs import Job
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.drops import OpensDrops
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.mirror import mirror
from medviewer.ui.widgets.parts import GAP, MARGIN, explain, label, push, set_text
from medviewer.ui.widgets.study_delegate import StudyDelegate
from medviewer.ui.widgets.study_filter import StudyFilterPanel, filter_button
from medviewer.ui.widgets.study_model import Item, Role, StudyModel
from medviewer.ui.widgets.study_rows import Node
from medviewer.ui.widgets.thumbnails import Thumbnails

_INDENT = 10
_FEW = 10
"""Up to so many studies are shown with their series."""
_AHEAD = 3
"""The next page is loaded when so many screens are left below."""


class StudyBrowser(OpensDrops, QWidget):
    """Patients, their studies and series, with a search over all of them.

    Attributes
    ----------
    commands
        The actions of the window by their id, for the context menu; those that it has not are left out.
    reason
        Why one of them is not possible just now, by its id.
    confirm
        Asks a yes-or-no question.
    """

    left = Signal()
    """The search is over: the keyboard may go back to the viewports."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.commands: Mapping[str, QAction] = {}
        self.confirm: fusion.Confirm = lambda *_: False
        self.reason: Callable[[str], str] = lambda _: ""
        self.services = services
        self._links = Links(self)
        self._folded: set[str] = set()
        self._unfolded: set[str] = set()
        self._asked: tuple[str, Job[Any]] | None = None
        self._quiet = False
        self._query = Query()
        self.model = StudyModel(services, self)
        self.thumbnails = Thumbnails(services, self)
        self._delegate = StudyDelegate(self.model, self.thumbnails)
        self.search = self._make_search()
        self.filters = StudyFilterPanel(services)
        self.filter_button = filter_button(self.filters)
        self.filter_text = label(role="quiet", wrap=True)
        self.tree = self._make_tree()
        self.demo_button = push("Open the demo", "Open the studies that come with medviewer", self._open_demo, "open")
        self.no_match = label(role="quiet", wrap=True)
        self.number = label(role="quiet")
        self.pages = QStackedWidget()
        self._lay_out()
        self._listen()
        self._look_up()

    def sizeHint(self) -> QSize:
        """Wide enough for a thumbnail and a description."""
        return QSize(250, 500)

    def focus_search(self) -> None:
        """Put the keyboard into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """From the search field, Down and Enter go to the list, Escape clears and leaves; Delete asks to remove."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return super().eventFilter(watched, event)
        if watched is self.search and event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._enter_list()
            return True
        if watched is self.search and event.key() == Qt.Key.Key_Escape:
            self.search.clear()
            self.left.emit()
            return True
        if watched is self.tree and event.key() == Qt.Key.Key_Delete and "study.remove" in self.commands:
            if self.services.session.chosen_study:
                self.commands["study.remove"].trigger()
            return True
        return super().eventFilter(watched, event)

    # -- parts

    def _make_search(self) -> QLineEdit:
        made = QLineEdit()
        made.setPlaceholderText(tr("Search studies"))
        made.setClearButtonEnabled(True)
        made.setAcceptDrops(False)  # a dropped folder is opened, not typed
        made.addAction(icon("search", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
        explain(made, "Find by name, ID, date, modality, description, accession number or tag", "Search studies")
        made.textChanged.connect(self._look_up)
        made.installEventFilter(self)
        return made

    def _make_tree(self) -> QTreeView:
        made = QTreeView()
        made.setModel(self.model)
        made.setItemDelegate(self._delegate)
        made.setHeaderHidden(True)
        made.setIndentation(_INDENT)
        made.setUniformRowHeights(True)
        made.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        made.setExpandsOnDoubleClick(False)
        made.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        made.setAccessibleName(tr("Studies"))
        made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        made.installEventFilter(self)
        return made

    def _lay_out(self) -> None:
        for page in (self.tree, self._empty_page(), _centred(self.no_match)):
            self.pages.addWidget(page)
        top = QHBoxLayout()
        top.setSpacing(2)
        top.addWidget(self.search)
        top.addWidget(self.filter_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        box.setSpacing(GAP)
        box.addLayout(top)
        box.addWidget(self.filter_text)
        box.addWidget(self.pages)
        box.addWidget(self.number)
        self.setAcceptDrops(True)

    def _listen(self) -> None:
        events = self.services.session.events
        self._links.add(events.studies, self._studies_changed)
        self._links.add(events.catalog_revision, self._catalog_changed)
        self._links.add(events.series, self._mark)
        self._links.add(events.study, self._study_changed)
        self._links.add(events.image, self._mark)
        self.thumbnails.ready.connect(self._picture_came)
        self.filters.changed.connect(self._look_up)
        self.model.listed.connect(self._listed)
        self.model.near_end = self._near_end
        tree = self.tree
        tree.clicked.connect(self._open)
        tree.activated.connect(self._activate)
        tree.expanded.connect(lambda index: self._note_fold(index, folded=False))
        tree.collapsed.connect(lambda index: self._note_fold(index, folded=True))
        tree.customContextMenuRequested.connect(self._show_menu)
        tree.selectionModel().currentChanged.connect(self._chosen)
        tree.verticalScrollBar().valueChanged.connect(self._read_ahead)
        tree.verticalScrollBar().rangeChanged.connect(self._read_ahead)

    def _empty_page(self) -> QWidget:
        text = label("Drop a folder here, or open the demo.", "quiet", wrap=True)
        return _centred(text, self.demo_button)

    # -- the list

    def _look_up(self, *_: object) -> None:
        set_text(self.filter_text, self.filters.text())
        self.model.look_up(self.filters.applied_to(Query(self.search.text())))

    def _studies_changed(self, *_: object) -> None:
        """Something was opened: its studies come first, unfolded."""
        self._unfolded |= {one.uid for one in self.services.session.studies} - self._folded
        self._look_up()

    def _study_changed(self, *_: object) -> None:
        """Another study is open: a search that hides it is over; actions would be about a study that is not seen."""
        opened = self.services.session.study
        if opened is not None and self.model.study_item(opened.uid) is None:
            self.search.clear()
            self.filters.clear()
        self._mark()

    def _catalog_changed(self, *_: object) -> None:
        self.thumbnails.save()
        self.filters.refresh()
        self._look_up()

    def _listed(self) -> None:
        """A page came: unfold what belongs unfolded, and tell how many there are."""
        self._quiet = True
        few = self.model.count <= _FEW
        for item in self.model.fresh:
            is_study = isinstance(item.node.value, StudyEntry)
            self._unfold(item, wanted=few or not is_study or item.node.key in self._unfolded)
        self._quiet = False
        self._choose_page()
        if self.model.query != self._query:  # other studies are listed, not the same ones anew
            self._query = self.model.query
            self.tree.scrollToTop()
        self._mark()

    def _unfold(self, item: Item, *, wanted: bool) -> None:
        if wanted and item.node.key not in self._folded:
            self.model.fill(item)
            self.tree.expand(item.index())

    def _choose_page(self) -> None:
        text = self.search.text().strip()
        self.number.setVisible(self.model.rowCount() > 0)
        self.number.setText(tr(self._number()))
        if self.model.rowCount() > 0:
            self.pages.setCurrentIndex(0)
        elif self.model.empty:
            self.pages.setCurrentIndex(1)
        else:
            filtered = " with this filter" if self.filters.text() else ""
            what = f"matches “{text}”{filtered}" if text else "matches this filter"
            self.no_match.setText(tr(f"No study {what}."))
            self.pages.setCurrentIndex(2)

    def _number(self) -> str:
        """How many studies are listed, of how many there are: a filter that was forgotten is seen here."""
        loaded, count = self.model.loaded, self.model.count
        if loaded < count:
            return f"1–{loaded:,} of {count:,}"
        if not self.model.query.narrowed:
            return _studies(count)
        return f"{count:,} of {_studies(self.model.total)}"

    def _near_end(self) -> bool:
        bar = self.tree.verticalScrollBar()
        return bar.maximum() > 0 and bar.value() > bar.maximum() - _AHEAD * bar.pageStep()

    def _read_ahead(self, *_: object) -> None:
        if self.model.canFetchMore(QModelIndex()):
            self.model.fetchMore(QModelIndex())

    def _mark(self, *_: object) -> None:
        """Another series is shown: its row is marked, and is the current one unless somebody is using the list."""
        self.tree.viewport().update()
        shown, opened = self.services.session.series, self.services.session.study
        if shown is None or opened is None or self.tree.hasFocus():
            return
        above = self.model.study_item(opened.uid)
        if above is None:
            return
        self.model.fill(above)
        row = self.model.series_item(shown.uid)
        if row is not None and self.tree.currentIndex() != row.index():
            self.tree.setCurrentIndex(row.index())

    def _picture_came(self, uid: str) -> None:
        row = self.model.series_item(uid)
        if row is not None:
            self.tree.update(row.index())

    # -- from the user

    def _chosen(self, index: QModelIndex, _: QModelIndex) -> None:
        node = index.data(Role.NODE)
        uid = node.study if isinstance(node, Node) else ""
        if isinstance(node, Node) and isinstance(node.value, Patient) and self.model.rowCount(index) == 1:
            uid = self.model.index(0, 0, index).data(Role.NODE).study
        attachment = isinstance(node, Node) and isinstance(node.value, Attachment)
        self.services.session.chosen_attachment = node.value.uid if attachment else ""
        series = isinstance(node, Node) and isinstance(node.value, SeriesEntry)
        self.services.session.chosen_series = node.value.uid if series else ""
        if uid != self.services.session.chosen_study:
            self.services.attempt(lambda: catalog.choose(self.services, uid))

    def _enter_list(self) -> None:
        """Put the keyboard on the first study that was found: the next Enter opens it, in sight of its name."""
        self.tree.setFocus(Qt.FocusReason.TabFocusReason)
        first = self.model.index(0, 0, self.model.index(0, 0))
        if first.isValid():
            self.tree.setCurrentIndex(first)

    def _activate(self, index: QModelIndex) -> None:
        """Enter or a double click: a study shows its largest series; anything else does what a click does."""
        node = index.data(Role.NODE)
        if isinstance(node, Node) and isinstance(node.value, StudyEntry):
            self.tree.expand(index)
            self._open_study(node.study)
        else:
            self._open(index)

    def _open(self, index: QModelIndex) -> None:
        node = index.data(Role.NODE)
        if not isinstance(node, Node):
            return
        if isinstance(node.value, SeriesEntry):
            self._show(node.study, node.value.uid)
        elif isinstance(node.value, Attachment):
            attachment = node.value
            self.services.attempt(lambda: listed.open_attachment(self.services, node.study, attachment))
        else:
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def _show(self, study_uid: str, uid: str) -> None:
        """Open a series, once: a double click is two clicks, and a click on the open one changes nothing."""
        services = self.services
        on_its_way = self._asked is not None and not self._asked[1].done
        asked = self._asked[0] if self._asked is not None and on_its_way else ""
        shown = services.session.image is not None and self.model.is_shown(uid)
        if asked == uid or (shown and not on_its_way):
            return
        job = services.attempt(lambda: listed.open_series(services, study_uid, uid))
        self._asked = (uid, job) if job is not None else None

    def _open_demo(self) -> Any:
        return self.services.attempt(lambda: study.open_demo(self.services))

    def _show_menu(self, where: QPoint) -> None:
        index = self.tree.indexAt(where)
        if index.isValid():
            menu = self.menu_of(index)
            menu.aboutToHide.connect(menu.deleteLater)
            menu.popup(self.tree.viewport().mapToGlobal(where))

    def menu_of(self, index: QModelIndex) -> QMenu:
        """The context menu of a row."""
        menu = QMenu(self)
        node = index.data(Role.NODE)
        if isinstance(node, Node) and isinstance(node.value, (SeriesEntry, Attachment)):
            menu.addAction(icon("open"), tr("Open"), lambda: self._open(index))
            if isinstance(node.value, SeriesEntry):
                uid = node.value.uid
                menu.addAction(tr("Open beside"), lambda: self._open_beside(node.study, uid))
                lay = menu.addAction(tr("Lay over the open series"), lambda: self._lay_over(node.study, uid))
                lay.setEnabled(self._may_lay_over(uid))
        elif isinstance(node, Node) and isinstance(node.value, StudyEntry):
            menu.addAction(icon("open"), tr("Open"), lambda: self._open_study(node.study))
        if not menu.isEmpty():
            menu.addSeparator()
        for name in pointing.STUDY:
            if not name:
                menu.addSeparator()
            elif isinstance(name, str) and name in self.commands:
                mirror(menu, self.commands[name], self.reason(name))
        return menu

    def _open_beside(self, study_uid: str, uid: str) -> None:
        self.services.attempt(lambda: listed.open_beside(self.services, study_uid, uid))

    def _lay_over(self, study_uid: str, uid: str) -> None:
        self.services.attempt(lambda: listed.fuse(self.services, study_uid, uid, self.confirm))

    def _may_lay_over(self, uid: str) -> bool:
        image, series = self.services.session.image, self.services.session.series
        return image is not None and image.is_volume and series is not None and series.uid != uid

    def _open_study(self, uid: str) -> None:
        self.services.attempt(lambda: listed.open_series(self.services, uid))

    # -- folding

    def _note_fold(self, index: QModelIndex, *, folded: bool) -> None:
        node = index.data(Role.NODE)
        item = self.model.itemFromIndex(index)
        if isinstance(item, Item) and not folded:
            self.model.fill(item)
        if isinstance(node, Node) and not self._quiet:
            (self._folded if folded else self._unfolded).add(node.key)
            (self._unfolded if folded else self._folded).discard(node.key)


def _studies(count: int) -> str:
    return "1 study" if count == 1 else f"{count:,} studies"


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
