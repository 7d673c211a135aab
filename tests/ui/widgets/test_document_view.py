"""Reports and documents in a window of their own, and the dialog of a de-identified export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from medviewer.app.commands import attachments
from medviewer.app.ports.shell import Dialogs
from medviewer.app.services import Services
from medviewer.domain.document import Document
from medviewer.domain.study import Attachment
from medviewer.formats.dicom.deidentify.options import Options
from medviewer.ui.theme import RESEARCH_USE
from medviewer.ui.widgets.deidentify_dialog import DeidentifyDialog
from medviewer.ui.widgets.document_view import DocumentSheet, PdfView, ReportView
from tests.formats.test_documents import content, made_pdf, report, saved

Wait = Callable[[Callable[[], bool]], None]
REPORT = Document(
    "report", "Chest", "2024-03-01", "Muster Eva  ID-17", html="<h2>Chest</h2><ul><li>clear</li></ul>", text="clear"
)


@pytest.fixture
def dialogs() -> Dialogs:
    made = create_autospec(Dialogs)
    made.save_path.return_value = None
    return made  # type: ignore[no-any-return]  # a fake of the protocol


@pytest.fixture
def show(qtbot: QtBot, services: Services, dialogs: Dialogs) -> Callable[[Document], DocumentSheet]:
    """Open a document in a window of its own."""
    behind = QWidget()
    qtbot.addWidget(behind)

    def opened(document: Document) -> DocumentSheet:
        sheet = DocumentSheet(services, dialogs, document, behind)
        sheet.finish()
        return sheet

    return opened


def test_a_report_is_shown_with_whom_it_is_about(show: Callable[[Document], DocumentSheet]) -> None:
    sheet = show(REPORT)
    assert isinstance(sheet.view, ReportView)
    assert "clear" in sheet.view.text.toPlainText()
    texts = [child.text() for child in sheet.findChildren(QWidget) if hasattr(child, "text") and callable(child.text)]
    assert "2024-03-01  Muster Eva  ID-17" in texts
    assert RESEARCH_USE.upper() in texts
    assert sheet.windowTitle() == "Chest"
    assert not sheet.isModal()
    sheet.close()


def test_words_are_found_from_the_start_again(show: Callable[[Document], DocumentSheet]) -> None:
    view = show(Document("report", "T", html="<p>one two one</p>", text="")).view
    assert isinstance(view, ReportView)
    view.search.setText("one")
    places = [view.text.textCursor().position()]
    for _ in range(2):
        QTest.keyClick(view.search, Qt.Key.Key_Return)
        places.append(view.text.textCursor().position())
    assert places == [3, 11, 3]
    view.search.setText("three")
    assert view.missing.text() == "not found"
    view.search.setText("two")
    assert view.missing.text() == ""


def test_a_report_loads_nothing_and_opens_no_link(show: Callable[[Document], DocumentSheet], tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    picture.write_bytes(b"x")
    html = f"<p><a href='http://127.0.0.1/'>go</a><img src='{picture.as_uri()}'/></p>"
    view = show(Document("report", "T", html=html)).view
    assert isinstance(view, ReportView)
    assert not view.text.openLinks()
    assert not view.text.openExternalLinks()
    kind = QTextDocument.ResourceType.ImageResource.value
    assert view.text.loadResource(kind, QUrl.fromLocalFile(str(picture))) is None


def test_the_pages_of_a_pdf_turn_and_grow(show: Callable[[Document], DocumentSheet], wait: Wait) -> None:
    sheet = show(Document("pdf", "Letter", pdf=made_pdf(3)))
    view = sheet.view
    assert isinstance(view, PdfView)
    wait(lambda: not view.page.pixmap().isNull())
    width = view.page.pixmap().deviceIndependentSize().width()
    assert view.state.text() == "Page 1 of 3"
    assert (view.previous.isEnabled(), view.next.isEnabled()) == (False, True)
    view.turn(1)
    view.turn(5)
    assert view.state.text() == "Page 3 of 3"
    assert (view.previous.isEnabled(), view.next.isEnabled()) == (True, False)
    view.larger.click()
    wait(lambda: view.page.pixmap().deviceIndependentSize().width() > width)
    sheet.close()


def test_a_broken_pdf_is_told_in_its_window(show: Callable[[Document], DocumentSheet], wait: Wait) -> None:
    view = show(Document("pdf", "Letter", pdf=b"%PDF-1.7 nothing")).view
    assert isinstance(view, PdfView)
    wait(lambda: "cannot be opened" in view.state.text())
    assert not view.next.isEnabled()


def test_a_window_that_is_closed_while_a_page_is_drawn_is_gone(
    show: Callable[[Document], DocumentSheet], services: Services, wait: Wait
) -> None:
    sheet = show(Document("pdf", "Letter", pdf=made_pdf(1)))
    view = sheet.view
    assert isinstance(view, PdfView)
    job = view._job
    assert job is not None
    sheet.close()
    wait(lambda: job.done)
    assert services.session.message is None


@pytest.mark.parametrize(
    ("document", "name", "data"),
    [(REPORT, "a.txt", b"clear"), (Document("pdf", "Letter", pdf=b"%PDF-x"), "a.pdf", b"%PDF-x")],
    ids=["text", "pdf"],
)
def test_a_document_is_saved(
    show: Callable[[Document], DocumentSheet],
    dialogs: Dialogs,
    services: Services,
    tmp_path: Path,
    document: Document,
    name: str,
    data: bytes,
) -> None:
    dialogs.save_path.return_value = tmp_path / name  # type: ignore[attr-defined]  # a fake
    show(document).save_button.click()
    assert (tmp_path / name).read_bytes() == data
    assert services.session.message is not None
    assert services.session.message.level == "ok"


def test_an_attachment_is_read_off_the_home_thread_and_shown(services: Services, wait: Wait, tmp_path: Path) -> None:
    path = saved(report(content("TEXT", "Finding", TextValue="Clear.")), tmp_path / "sr.dcm")
    shown: list[Document] = []
    services.session.events.document.connect(shown.append)
    attachments.open_attachment(services, Attachment("1", "report", "Chest", path))
    assert shown == []
    wait(lambda: bool(shown))
    assert shown[0].title == "Chest report"
    attachments.open_attachment(services, Attachment("1", "report", "Chest", tmp_path / "missing.dcm"))
    wait(lambda: services.session.message is not None)
    assert services.session.message is not None
    assert "could not be opened" in services.session.message.text


def test_the_dialog_keeps_least_at_first_and_needs_a_folder(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = DeidentifyDialog()
    qtbot.addWidget(dialog)
    assert dialog.choice.options == Options()
    assert not dialog.choice.keep_key
    assert not dialog.export_button.isEnabled()
    dialog.folder.setText(f" {tmp_path} ")
    dialog.boxes["shift_dates"].setChecked(True)
    dialog.keep_key.setChecked(True)
    dialog.patient_id.setText("CASE-7")
    assert dialog.export_button.isEnabled()
    assert dialog.choice.folder == tmp_path
    assert dialog.choice.options == Options(shift_dates=True, patient_id="CASE-7", patient_name="CASE-7")
    assert dialog.choice.keep_key
    for control in dialog.findChildren(QWidget):
        if isinstance(control, (QAbstractButton, QLineEdit)):
            assert control.accessibleName(), control
            assert control.toolTip(), control
