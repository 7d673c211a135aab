"""Reports and documents: text that can be searched, or the pages of a PDF."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QAction, QImage, QKeySequence, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QScrollArea, QTextBrowser, QVBoxLayout, QWidget

from medviewer.app.ports.shell import Dialogs
from medviewer.app.services import Services
from medviewer.domain.document import Document
from medviewer.formats import pdf
from medviewer.formats.atomic import replacing
from medviewer.jobs import Job
from medviewer.ui.dialogs import Sheet
from medviewer.ui.theme import RESEARCH_USE
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import explain, label, push, set_role, set_text, tool

_DPI = (50, 72, 96, 120, 150, 200, 300)
_START = 2


class _Reader(QTextBrowser):
    """Shows HTML that came with a study: it opens no link and loads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        font = self.font()
        font.setPointSize(10)  # Qt spaces paragraphs by points, and not at all where the font is set in pixels
        self.document().setDefaultFont(font)
        self.document().setDocumentMargin(16)

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Load nothing, neither from the network nor from the disk."""
        return None


class ReportView(QWidget):
    """A report as text, with a search field.

    Parameters
    ----------
    html
        Content as `formats.read_document` made it.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = _Reader()
        self.text.setHtml(html)
        explain(self.text, "The report as text", "Report")
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Find in the report"))
        self.search.setClearButtonEnabled(True)
        explain(self.search, "Find words in the report; Enter finds the next (Ctrl+F)", "Find in the report")
        self.missing = label("", "quiet")
        self.search.textChanged.connect(lambda _: self.go_on(anew=True))
        self.search.returnPressed.connect(self.go_on)
        key = QAction(self)
        key.setShortcut(QKeySequence(QKeySequence.StandardKey.Find))
        key.triggered.connect(self.search.setFocus)
        self.addAction(key)
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        row.addWidget(self.missing)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addLayout(row)
        box.addWidget(self.text, 1)

    def go_on(self, *, anew: bool = False) -> bool:
        """Go to the next place of the words, from the start where there is none further on."""
        words = self.search.text()
        cursor = self.text.textCursor()
        if anew:
            cursor.setPosition(min(cursor.selectionStart(), cursor.position()))
            self.text.setTextCursor(cursor)
        found = not words or self.text.find(words)
        if not found:
            cursor.setPosition(0)
            self.text.setTextCursor(cursor)
            found = self.text.find(words)
        set_text(self.missing, "" if found else "not found")
        return found


class PdfView(QWidget):
    """The pages of a PDF, one at a time. They are drawn by a process of their own, off the home thread."""

    def __init__(self, services: Services, data: bytes) -> None:
        super().__init__()
        self._services, self._data = services, data
        self._count, self._number, self._zoom, self._wanted = 0, 0, _START, 0
        self._job: Job[Any] | None = None
        self.page = QLabel()
        self.page.setAlignment(Qt.AlignmentFlag.AlignCenter)
        explain(self.page, "The page as a picture", "Page")
        self.state = label("Opening…", "quiet")
        self.area = QScrollArea()
        self.area.setWidget(self.page)
        self.area.setWidgetResizable(True)
        self.previous = tool("chevron_left", "Previous page (PgUp)", lambda: self.turn(-1))
        self.next = tool("chevron_right", "Next page (PgDn)", lambda: self.turn(1))
        self.smaller = tool("zoom_out", "Smaller (Ctrl+-)", lambda: self.scale(-1))
        self.larger = tool("zoom", "Larger (Ctrl++)", lambda: self.scale(1))
        for keys, act in (
            (("PgUp",), self.previous),
            (("PgDown",), self.next),
            (("Ctrl+-",), self.smaller),
            (("Ctrl++", "Ctrl+="), self.larger),
        ):
            action = QAction(self)
            action.setShortcuts([QKeySequence(key) for key in keys])
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.triggered.connect(act.click)
            self.addAction(action)
        row = QHBoxLayout()
        for part in (self.previous, self.next, self.state):
            row.addWidget(part)
        row.addStretch(1)
        row.addWidget(self.smaller)
        row.addWidget(self.larger)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addLayout(row)
        box.addWidget(self.area, 1)
        self._enable()
        self._ask(lambda: pdf.page_count(data), self._counted)

    def turn(self, pages: int) -> None:
        """Go so many pages on."""
        self._number = min(max(self._number + pages, 0), max(self._count - 1, 0))
        self.area.verticalScrollBar().setValue(0)
        self._draw()

    def scale(self, steps: int) -> None:
        """Draw the page larger or smaller."""
        self._zoom = min(max(self._zoom + steps, 0), len(_DPI) - 1)
        self._draw()

    def stop(self) -> None:
        """What is being drawn is not wanted any more."""
        self._wanted += 1
        if self._job is not None:
            self._job.cancel()

    def _counted(self, count: int) -> None:
        self._count = count
        self._draw()

    def _draw(self) -> None:
        if not self._count:
            return
        self._enable()
        self.state.setText(tr(f"Page {self._number + 1} of {self._count}"))
        dpi, number = _DPI[self._zoom] * self.devicePixelRatioF(), self._number
        self._ask(lambda: pdf.page(self._data, number, dpi), self._show)

    def _show(self, picture: NDArray[np.uint8]) -> None:
        rows, columns, _ = picture.shape
        image = QImage(picture.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        shown = QPixmap.fromImage(image)
        shown.setDevicePixelRatio(self.devicePixelRatioF())
        self.page.setPixmap(shown)

    def _enable(self) -> None:
        self.previous.setEnabled(self._number > 0)
        self.next.setEnabled(self._number < self._count - 1)
        self.smaller.setEnabled(bool(self._count) and self._zoom > 0)
        self.larger.setEnabled(bool(self._count) and self._zoom < len(_DPI) - 1)

    def _ask(self, work: Any, then: Any) -> None:
        """Have something done off the home thread; only the last thing that was asked for is shown."""
        self.stop()
        wanted = self._wanted
        job = self._job = self._services.runner.submit(lambda _: work(), title="")

        def finished() -> None:
            if wanted != self._wanted:
                return
            self._job = None
            if job.error is None:
                then(job.result())
            else:
                self.state.setText(tr(str(job.error)))
                set_role(self.state, "error")

        job.finished.connect(finished)


class DocumentSheet(Sheet):
    """A report or document in a window of its own, that never blocks the one behind it."""

    def __init__(self, services: Services, dialogs: Dialogs, document: Document, parent: QWidget) -> None:
        super().__init__(document.title, parent, (900, 860))
        self._services, self._dialogs, self._document = services, dialogs, document
        self.view: ReportView | PdfView
        self.view = PdfView(services, document.pdf) if document.pdf else ReportView(document.html)
        head = QHBoxLayout()
        head.addWidget(label(document.title, "title"))
        head.addWidget(label("  ".join(part for part in (document.date, document.patient) if part), "quiet"))
        head.addStretch(1)
        head.addWidget(label(RESEARCH_USE.upper(), "warning"))
        what = "Save as PDF…" if document.pdf else "Save as text…"
        self.save_button = push(what, "Save it to a file, with the patient data that it holds", self.save, "save")
        self.save_button.setAutoDefault(False)
        self.body.addLayout(head)
        self.body.addWidget(self.view, 1)
        self.body.addWidget(self.save_button, alignment=Qt.AlignmentFlag.AlignLeft)
        if isinstance(self.view, PdfView):
            self.finished.connect(self.view.stop)

    def save(self) -> None:
        """Save the PDF, or the text of a report, where the user says."""
        ending, kind = (".pdf", "PDF (*.pdf)") if self._document.pdf else (".txt", "Text (*.txt)")
        path = self._dialogs.save_path("Save document", f"document{ending}", (kind,))
        if path is None:
            return

        def write() -> None:
            with replacing(path) as temporary:
                temporary.write_bytes(self._document.pdf or self._document.text.encode("utf-8"))
            self._services.session.say(f"Saved the document to {path.name}.", "ok")

        self._services.attempt(write)


def show_document(services: Services, dialogs: Dialogs, document: Document, parent: QWidget) -> Sheet:
    """Show a report or document."""
    return DocumentSheet(services, dialogs, document, parent).finish()
