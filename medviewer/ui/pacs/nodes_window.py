"""Settings of the archives on the network: a list, a form, and a test."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QListWidget, QMessageBox, QScrollArea, QVBoxLayout, QWidget

from medviewer.app.commands import pacs
from medviewer.app.services import Services
from medviewer.archive.remote import Node
from medviewer.errors import MedviewerError
from medviewer.jobs import Job
from medviewer.ui.pacs.hint import hint_in
from medviewer.ui.pacs.node_form import NodeForm
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import explain, label, push, set_role, set_text

_NOTE = "Passwords and tokens are kept in nodes.json in medviewer's folder, readable by your user only."
_EMPTY = "No archive yet: fill in the form and save it."


class NodesWindow(QDialog):
    """Archives on the left, the chosen one on the right; never blocks the window behind it.

    `saved` is sent when an archive was kept or forgotten.
    """

    saved = Signal()

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Archives on the network"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._services = services
        self._book = pacs.book(services)
        self._nodes: list[Node] = []
        self._dirty = False
        self._job: Job[Any] | None = None
        self.list = QListWidget()
        explain(self.list, "Archives that are set up", "Archives")
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setStyleSheet("QListView::item { padding: 4px 4px; }")
        self.hint = hint_in(self.list)
        self.add_button = push("Add", "Set up another archive", self.add, "add")
        self.remove_button = push("Remove", "Forget the chosen archive", self.remove, "cancel")
        self.form = NodeForm()
        self.test_button = push("Test", "Ask the archive whether it is there and talks to us", self.test, "play")
        self.save_button = push("Save", "Keep what is in the form", self.save, "save", primary=True)
        self.close_button = push("Close", "Close this window", self.close)
        self.verdict = label(wrap=True)
        self.verdict.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out()
        self.list.currentRowChanged.connect(self._choose)
        self.form.changed.connect(self._on_change)
        self.resize(800, 620)
        self._reload()
        (self.list if self._nodes else self.form.fields["name"]).setFocus()

    # -- what the buttons do --------------------------------------------------------------------------------------

    def add(self) -> None:
        """Empty the form for another archive."""
        if self._may_leave():
            with QSignalBlocker(self.list):
                self.list.setCurrentRow(-1)
            self._show(None)
            self.form.fields["name"].setFocus()

    def remove(self) -> None:
        """Forget the chosen archive, after a question."""
        node = self._chosen
        if node is None:
            return
        text = f"Forget how to reach {node.name}? What was retrieved from it stays."
        if self._ask("Remove archive", text, "Remove") and self._attempt(lambda: self._book.remove(node.name)):
            self._dirty = False
            self._reload()
            self.saved.emit()

    def save(self) -> bool:
        """Keep the form; what is wrong is said beneath its field."""
        node = self.form.node()
        if node is None:
            self._tell("Some fields need another look.", "error")
            return False
        former = self._chosen.name if self._chosen else ""
        if not self._attempt(lambda: self._book.save(node, former)):
            return False
        self._dirty = False
        self._reload(node.name)
        self._tell("Saved.", "ok")
        self.saved.emit()
        return True

    def test(self) -> None:
        """Ask the archive in the form, saved or not."""
        node = self.form.node()
        if node is None:
            self._tell("Some fields need another look.", "error")
            return
        if self._job is not None:
            self._job.cancel()
        self._tell(f"Asking {node.where} …", "quiet")
        job = self._job = pacs.ping(self._services, node)
        job.finished.connect(self._tested)

    # -- parts ----------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.addWidget(self.list, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add_button)
        buttons.addWidget(self.remove_button)
        left.addLayout(buttons)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields have it
        area.setWidget(self.form)
        verdict = QHBoxLayout()
        verdict.addWidget(self.test_button, 0, Qt.AlignmentFlag.AlignTop)
        verdict.addWidget(self.verdict, 1)
        last = QHBoxLayout()
        last.addStretch(1)
        last.addWidget(self.close_button)
        last.addWidget(self.save_button)
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addWidget(area, 1)
        right.addLayout(verdict)
        right.addWidget(label(_NOTE, "quiet", wrap=True))
        right.addLayout(last)
        box = QHBoxLayout(self)
        box.setContentsMargins(14, 14, 14, 12)
        box.setSpacing(16)
        box.addLayout(left, 1)
        box.addLayout(right, 3)
        for button in (self.add_button, self.remove_button, self.test_button, self.close_button):
            button.setAutoDefault(False)
        self.save_button.setDefault(True)

    @property
    def _chosen(self) -> Node | None:
        row = self.list.currentRow()
        return self._nodes[row] if 0 <= row < len(self._nodes) else None

    def _reload(self, name: str = "") -> None:
        nodes: list[Node] = []
        self._attempt(lambda: nodes.extend(self._book.nodes()))
        self._nodes = nodes
        with QSignalBlocker(self.list):
            self.list.clear()
            for node in nodes:
                self.list.addItem(node.name)
                self.list.item(self.list.count() - 1).setToolTip(node.where)
            row = next((k for k, node in enumerate(nodes) if node.name == name), 0 if nodes else -1)
            self.list.setCurrentRow(row)
        self._show(self._chosen)

    def _choose(self, row: int) -> None:
        if self._may_leave():
            self._show(self._chosen)

    def _show(self, node: Node | None) -> None:
        self._dirty = False
        self._job = None  # a late answer was about another archive
        self.form.show_node(node)
        self.remove_button.setEnabled(node is not None)
        set_text(self.hint, "" if self._nodes else _EMPTY)
        self._tell("", "quiet")

    def _on_change(self) -> None:
        self._dirty = True
        self._job = None
        if self.verdict.property("role") != "error" or not any(p.text() for p in self.form.problems.values()):
            self._tell("", "quiet")

    def _tested(self) -> None:
        job = self._job
        if job is None or not job.done:
            return
        if job.error is None:
            self._tell(f"It answers, within {job.result() * 1000:.0f} ms.", "ok")
        else:
            self._tell(str(job.error), "error")

    def _tell(self, text: str, role: str) -> None:
        set_role(self.verdict, role)
        self.verdict.setText(tr(text))

    def _attempt(self, act: Any) -> bool:
        try:
            act()
        except MedviewerError as error:
            self._tell(str(error), "error")
            return False
        return True

    def _may_leave(self) -> bool:
        if not self._dirty:
            return True
        return self._ask("Changes are not saved", "Leave this archive without saving what you changed?", "Leave")

    def _ask(self, title: str, text: str, accept: str) -> bool:
        box = QMessageBox(QMessageBox.Icon.Question, title, text, parent=self)
        yes = box.addButton(accept, QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return box.clickedButton() is yes

    def reject(self) -> None:
        """Ask before changes are lost, and let go of a test that still runs; Escape and closing both come here."""
        if not self._may_leave():
            return
        self._dirty = False
        job, self._job = self._job, None  # its answer finds nobody
        if job is not None:
            job.cancel()
        super().reject()
