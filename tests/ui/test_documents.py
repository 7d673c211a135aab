"""The window shows what the session has read."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from medviewer.domain.document import Document
from medviewer.formats.dicom.deidentify.options import Options
from medviewer.ui.main import Program
from medviewer.ui.widgets.deidentify_dialog import DeidentifyDialog
from medviewer.ui.widgets.document_view import DocumentSheet

REPORT = Document("report", "Chest", html="<p>clear</p>", text="clear")


def sheets(program: Program) -> list[DocumentSheet]:
    return [sheet for sheet in program.window.findChildren(DocumentSheet) if sheet.isVisible()]


def test_a_document_opens_in_a_window_of_its_own_as_often_as_asked(program: Program) -> None:
    session = program.services.session
    for count in (1, 2):
        session.document = REPORT
        assert len(sheets(program)) == count
        assert session.document is None
    for sheet in sheets(program):
        sheet.close()


def test_the_export_asks_in_a_dialog_and_does_nothing_without_an_answer(
    opened: Program, qtbot: QtBot, tmp_path: Path
) -> None:
    def answer(accept: bool) -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, DeidentifyDialog)
        dialog.folder.setText(str(tmp_path / "out"))
        if accept:
            dialog.accept()
        else:
            dialog.reject()

    QTimer.singleShot(0, lambda: answer(False))
    assert opened.window.ask_deidentify() is None
    QTimer.singleShot(0, lambda: answer(True))
    choice = opened.window.ask_deidentify()
    assert choice is not None
    assert (choice.folder, choice.options) == (tmp_path / "out", Options())
    assert opened.window.commands["file.deidentify"].isEnabled()
