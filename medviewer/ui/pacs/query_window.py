"""Search the hospital's archive and retrieve from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QDialog, QHBoxLayout, QHeaderView, QTreeView, QVBoxLayout, QWidget

from medviewer.app.commands import pacs
from medviewer.app.services import Services
from medviewer.archive.remote import MOST_STUDIES, Node, SeriesFound, StudyFound, Wanted
from medviewer.errors import JobCancelled, MedviewerError
from medviewer.jobs import Job
from medviewer.ui.pacs.found_model import COLUMNS, STATE, FoundModel
from medviewer.ui.pacs.hint import hint_in
from medviewer.ui.pacs.query_form import QueryForm
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import combo, explain, label, push, refill, set_role

_WIDTHS = (220, 120, 92, 84, 230, 62, 70)
_HINT = "Type a name, an ID or a date, and press Enter. Enter or a double click on a study retrieves and opens it."
_NO_NODE = "No archive yet: set one up with Nodes… above."
_NOTHING = "No study is like that; widen the search."


class QueryWindow(QDialog):
    """A form above, studies and their series below; never blocks the window behind it."""

    left = Signal()
    """What was retrieved to be opened is here, and this window is out of its way: the viewports are next."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Query archive"))
        self._services = services
        self._nodes: dict[str, Node] = {}
        self._searched: Node | None = None
        self._search: Job[list[StudyFound]] | None = None
        self._retrievals: list[pacs.Retrieval] = []
        self.node = combo("The archive to search", "Archive")
        self.nodes_button = push("Nodes…", "Set up archives, and test them", self._show_nodes)
        self.form = QueryForm()
        self.search_button = push("Search", "Search the archive (Enter)", self.search, "search", primary=True)
        self.model = FoundModel()
        self.tree = QTreeView()
        self.hint = hint_in(self.tree)
        self.status = label("", "quiet", wrap=True)
        self.cancel_button = push("Stop", "Stop the search and every retrieval of this window", self.stop, "cancel")
        self.retrieve_button = push("Retrieve", "Retrieve what is chosen", self.retrieve, "download")
        self.open_button = push("Retrieve and open", "Retrieve it and show it", self.retrieve_and_open, "open")
        self._set_up_tree()
        self._lay_out()
        self.form.entered.connect(self.search)
        self.tree.expanded.connect(self._expand)
        self.tree.doubleClicked.connect(lambda _: self.retrieve_and_open())
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shortcut = QShortcut(QKeySequence(key), self.tree, context=Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(self.retrieve_and_open)
        self.tree.selectionModel().selectionChanged.connect(lambda *_: self._enable())
        self.resize(1080, 640)
        self.refresh_nodes()
        self._enable()

    # -- what the buttons do --------------------------------------------------------------------------------------

    def refresh_nodes(self) -> None:
        """Read the list of archives anew."""
        try:
            nodes = pacs.book(self._services).nodes()
        except MedviewerError as error:
            nodes = []
            self._tell(str(error), "error")
        if not self.hint.text() or self.hint.text() == _NO_NODE or not nodes:
            self._advise(_HINT if nodes else _NO_NODE)
        if nodes and not self._nodes:
            self.form.fields["name"].setFocus()  # one can type at once
        self._nodes = {node.name: node for node in nodes}
        refill(self.node, [(node.name, node.name) for node in nodes])
        self.node.setEnabled(bool(nodes))
        self.search_button.setEnabled(bool(nodes))

    def search(self) -> None:
        """Search the chosen archive; a search that still runs is overtaken."""
        self.refresh_nodes()
        node = self._nodes.get(self.node.currentData() or "")
        if node is None:
            return
        if not self.form.check():
            return
        if self._search is not None:
            self._search.cancel()
        job = pacs.query(self._services, node, self.form.query)
        self._search, self._searched = job, node
        self._tell(f"Searching {node.name} …", "quiet")
        job.finished.connect(partial(self._found, job))
        self._enable()

    def retrieve(self) -> None:
        """Retrieve what is chosen."""
        self._retrieve(show=False)

    def retrieve_and_open(self) -> None:
        """Retrieve what is chosen, and show it."""
        self._retrieve(show=True)

    def stop(self) -> None:
        """Stop everything that this window began; what arrived stays."""
        for job in self._jobs():
            job.cancel()

    # -- answers --------------------------------------------------------------------------------------------------

    def _found(self, job: Job[list[StudyFound]]) -> None:
        if job is not self._search:
            return
        self._search = None
        self._enable()
        if job.error is not None:
            cancelled = isinstance(job.error, JobCancelled)
            self._tell("The search was stopped." if cancelled else str(job.error), "quiet" if cancelled else "error")
            return
        studies = job.result()
        self.model.fill(studies)
        header = self.tree.header()
        self.model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
        if len(studies) >= MOST_STUDIES:
            self._tell(f"These are the first {MOST_STUDIES} studies; narrow the search to see the others.", "warning")
        else:
            self._tell(f"{len(studies)} {'study' if len(studies) == 1 else 'studies'}.", "quiet")
        self._advise(_NOTHING)

    def _expand(self, index: QModelIndex) -> None:
        uid = self.model.needs_series(index)
        if uid and self._searched is not None:
            job = pacs.series(self._services, self._searched, uid)
            job.finished.connect(partial(self._listed, job, uid))

    def _listed(self, job: Job[list[SeriesFound]], study_uid: str) -> None:
        if job.error is not None:
            self.model.add_series(study_uid, (), str(job.error))
        else:
            self.model.add_series(study_uid, job.result())

    def _retrieve(self, show: bool) -> None:
        wanted = self._chosen()
        if not wanted or self._searched is None:
            return
        retrieval = pacs.retrieve(self._services, self._searched, wanted, show)
        self._retrievals.append(retrieval)
        for one in wanted:
            self.model.set_state(one.study_uid, "waiting", "quiet")
        retrieval.job.progressed.connect(partial(self._progressed, retrieval))
        retrieval.job.finished.connect(partial(self._retrieved, retrieval, wanted, show))
        self._enable()

    def _progressed(self, retrieval: pacs.Retrieval, *_: object) -> None:
        for state in tuple(retrieval.progress.values()):
            self.model.set_state(state.study_uid, pacs.counted(state.present, state.total), "accent")

    def _retrieved(self, retrieval: pacs.Retrieval, wanted: Sequence[Wanted], show: bool) -> None:
        self._retrievals.remove(retrieval)
        self._enable()
        error = retrieval.job.error
        if error is None:
            for outcome in retrieval.job.result():
                text = "done" if outcome.complete else f"{outcome.present} of {outcome.total} images: {outcome.problem}"
                self.model.set_state(outcome.study_uid, text, "ok" if outcome.complete else "warning")
            if show and any(outcome.present for outcome in retrieval.job.result()):
                self._make_way()
            return
        stopped = isinstance(error, JobCancelled)
        for one in wanted:
            state = retrieval.progress.get(one.study_uid)
            far = f", {pacs.counted(state.present, state.total)}" if state else ""
            text = f"stopped{far}" if stopped else f"failed{far}: {error}"
            self.model.set_state(one.study_uid, text, "quiet" if stopped else "error")

    def _make_way(self) -> None:
        """Hide, so that what opens now is seen; what was found is there when this window is opened again.

        It stays where something else is still searched for or retrieved: somebody is not done with it.
        """
        if not self._jobs():
            self.hide()
            self.left.emit()

    # -- parts ----------------------------------------------------------------------------------------------------

    def _chosen(self) -> list[Wanted]:
        """What is chosen: a study once, whole if its own row is chosen, else the series that are."""
        chosen: dict[str, tuple[str, ...]] = {}
        for index in self.tree.selectionModel().selectedRows():
            one = self.model.wanted(index)
            known = chosen.get(one.study_uid)
            whole = known == () or not one.series_uids
            chosen[one.study_uid] = () if whole else (*(known or ()), *one.series_uids)
        return [Wanted(uid, series) for uid, series in chosen.items()]

    def _jobs(self) -> list[Job[Any]]:
        search: list[Job[Any]] = [self._search] if self._search is not None else []
        return [*search, *(retrieval.job for retrieval in self._retrievals)]

    def _enable(self) -> None:
        chosen = self.tree.selectionModel().hasSelection()
        self.retrieve_button.setEnabled(chosen)
        self.open_button.setEnabled(chosen)
        self.cancel_button.setEnabled(bool(self._jobs()))

    def _advise(self, text: str) -> None:
        """Say what to do where the list has nothing."""
        self.hint.setText(tr(text))
        self.hint.setVisible(self.model.rowCount() == 0)

    def _tell(self, text: str, role: str) -> None:
        set_role(self.status, role)
        self.status.setText(tr(text))

    def _show_nodes(self) -> None:
        from medviewer.ui import pacs as windows

        windows.show_nodes(self._services, self).saved.connect(self.refresh_nodes)

    def _set_up_tree(self) -> None:
        explain(self.tree, "Studies that the archive has; unfold one for its series", "Studies found")
        self.tree.setModel(self.model)
        self.tree.setUniformRowHeights(True)
        self.tree.setStyleSheet("QTreeView::item { padding: 3px 4px; } QHeaderView::section { padding: 4px 6px; }")
        self.tree.setAllColumnsShowFocus(True)
        self.tree.setExpandsOnDoubleClick(False)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setSortingEnabled(True)
        header = self.tree.header()
        for column, width in enumerate(_WIDTHS):
            header.resizeSection(column, width)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(STATE, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(COLUMNS.index("Date"), Qt.SortOrder.DescendingOrder)

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.addWidget(label("Archive", "quiet"))
        first.addWidget(self.node, 1)
        first.addWidget(self.nodes_button)
        first.addStretch(1)
        first.addWidget(self.search_button)
        last = QHBoxLayout()
        last.addWidget(self.status, 1)
        for button in (self.cancel_button, self.retrieve_button, self.open_button):
            last.addWidget(button)
        box = QVBoxLayout(self)
        box.setContentsMargins(14, 12, 14, 12)
        box.setSpacing(10)
        box.addLayout(first)
        box.addWidget(self.form)
        box.addWidget(self.tree, 1)
        box.addLayout(last)
        for button in (self.nodes_button, self.cancel_button, self.retrieve_button, self.open_button):
            button.setAutoDefault(False)
        self.search_button.setAutoDefault(False)  # Enter searches from the fields, not from the list

    def showEvent(self, event: QShowEvent) -> None:
        """One can type at once."""
        super().showEvent(event)
        self.refresh_nodes()
        first = self.form.fields["name"] if self._nodes else self.nodes_button
        first.setFocus()

    def changeEvent(self, event: QEvent) -> None:
        """Whoever comes back from setting up an archive finds it in the list."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.refresh_nodes()

    def reject(self) -> None:
        """A search ends with its window, by Escape too; retrievals go on, and the job bar shows them."""
        if self._search is not None:
            self._search.cancel()
        super().reject()
