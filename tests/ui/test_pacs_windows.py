"""The windows about the hospital's archive, by keyboard and mouse, over a real Orthanc."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from medviewer import formats
from medviewer.app.commands import masks, pacs, study
from medviewer.archive.remote import Node
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Patient, Series, Study
from medviewer.ui.main import Program
from medviewer.ui.pacs.found_model import STATE
from medviewer.ui.pacs.nodes_window import NodesWindow
from medviewer.ui.pacs.query_window import QueryWindow
from medviewer.ui.pacs.send_dialog import SendDialog
from tests.interop.archives import cutting, data_set, make_report
from tests.interop.servers import Orthanc

SLICES = 12
CT = Series("1.2.826.0.1.91", "CT", "Axial", Grid((SLICES, 64, 64), (3.0, 1.0, 1.0)), (), "dicom", number=2)
HEAD = Study("1.2.826.0.1.90", "2020-03-01", "Head", Patient("ID-17", "Muster^Eva", "1960-03-02", "F"), (CT,), "A1")
WAIT_MS = 60_000


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A CT of twelve slices, and a report about it."""
    folder = tmp_path / "head"
    folder.mkdir()
    voxels = np.random.default_rng(0).integers(-1000, 1000, CT.grid.shape, np.int16)
    written = formats.write_dicom_series(Image(voxels, CT.grid, "CT"), folder, study=HEAD, series=CT)
    return [*written, make_report(folder / "report.dcm", written[:1])]


@pytest.fixture
def node(orthanc: Orthanc) -> Node:
    """Orthanc by DIMSE."""
    return Node(name="Orthanc", host="127.0.0.1", port=orthanc.dicom_port, ae_title="ORTHANC")


@pytest.fixture
def known(program: Program, node: Node) -> Program:
    """The window, where Orthanc is set up."""
    pacs.book(program.services).save(node)
    return program


def opened(program: Program, qtbot: QtBot, command: str, kind: type[QWidget]) -> QWidget:
    """A window about the archive, in front."""
    program.window.commands[command].trigger()
    window = program.window.findChild(kind)
    assert isinstance(window, kind)
    qtbot.waitUntil(window.isActiveWindow)
    return window


def click(button: QPushButton) -> None:
    assert button.isEnabled(), button.text()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def write(field: QWidget, text: str) -> None:
    """Type over what is in a field."""
    field.setFocus()
    assert isinstance(field, (QLineEdit, QSpinBox))
    field.selectAll()
    QTest.keyClicks(field, text)


def answer(word: str) -> None:
    """Press a button of the question that is about to be asked."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        next(button for button in box.buttons() if button.text().replace("&", "") == word).click()

    QTimer.singleShot(0, press)


# -- nodes


def test_a_node_is_set_up_tested_and_removed(program: Program, qtbot: QtBot, node: Node) -> None:
    window = opened(program, qtbot, "pacs.nodes", NodesWindow)
    assert isinstance(window, NodesWindow)
    assert (window.hint.isVisible(), "No archive yet" in window.hint.text()) == (True, True)
    assert QApplication.focusWidget() is window.form.fields["name"], "one can type at once"
    for name, value in (("name", "Orthanc"), ("host", node.host), ("port", str(node.port)), ("ae_title", "ORTHANC")):
        write(window.form.fields[name], value)
    click(window.test_button)
    qtbot.waitUntil(lambda: window.verdict.property("role") == "ok", timeout=WAIT_MS)
    assert window.verdict.text().startswith("It answers, within")
    QTest.keyClick(window.form.fields["host"], Qt.Key.Key_Return)
    assert [one.name for one in pacs.book(program.services).nodes()] == ["Orthanc"]
    assert window.list.item(0).text() == "Orthanc"
    write(window.form.fields["port"], "1")
    click(window.test_button)
    qtbot.waitUntil(lambda: window.verdict.property("role") == "error", timeout=WAIT_MS)
    assert window.verdict.text() == (
        "Nothing answers at 127.0.0.1:1; check host and port of Orthanc, and whether it is running."
    )
    answer("Cancel")
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.isVisible(), "what was typed is not lost by a key"
    answer("Leave")
    with qtbot.waitSignal(window.destroyed):
        QTest.keyClick(window, Qt.Key.Key_Escape)
    assert pacs.book(program.services).nodes() == [node]


def test_what_is_wrong_with_a_node_is_said_beneath_the_field(known: Program, qtbot: QtBot) -> None:
    window = opened(known, qtbot, "pacs.nodes", NodesWindow)
    assert isinstance(window, NodesWindow)
    title = window.form.fields["ae_title"]
    write(title, "")
    QTest.keyClick(title, Qt.Key.Key_Backspace)
    click(window.save_button)
    assert window.form.problems["ae_title"].isVisible()
    assert QApplication.focusWidget() is title
    assert pacs.book(known.services).get("Orthanc").ae_title == "ORTHANC"
    write(title, "PACS")
    assert not window.form.problems["ae_title"].isVisible()
    click(window.save_button)
    assert pacs.book(known.services).get("Orthanc").ae_title == "PACS"
    answer("Remove")
    click(window.remove_button)
    assert pacs.book(known.services).nodes() == []
    window.close()


# -- query


@pytest.fixture
def query(known: Program, qtbot: QtBot, orthanc: Orthanc, files: list[Path]) -> Iterator[QueryWindow]:
    """The search, which found the study."""
    orthanc.upload(*files)
    window = opened(known, qtbot, "pacs.query", QueryWindow)
    assert isinstance(window, QueryWindow)
    name = window.form.fields["name"]
    assert QApplication.focusWidget() is name, "one can type at once"
    QTest.keyClicks(name, "mus")
    QTest.keyClick(name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.model.rowCount() == 1, timeout=WAIT_MS)
    yield window
    window.close()


def choose(window: QueryWindow) -> None:
    """Click on the first study."""
    rect = window.tree.visualRect(window.model.index(0, 0))
    QTest.mouseClick(window.tree.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())


def state(window: QueryWindow) -> str:
    return window.model.item(0, STATE).text()


def test_search_unfold_retrieve_and_open(query: QueryWindow, known: Program, qtbot: QtBot) -> None:
    shown = [query.model.item(0, column).text() for column in range(STATE)]
    assert shown == ["Muster, Eva", "ID-17", "2020-03-01", "CT SR", "Head", "2", "13"]
    assert query.status.text() == "1 study."
    assert not query.open_button.isEnabled(), "nothing is chosen"
    choose(query)
    QTest.keyClick(query.tree, Qt.Key.Key_Right)
    first = query.model.item(0)
    qtbot.waitUntil(lambda: first.rowCount() == 2, timeout=WAIT_MS)
    assert [first.child(0, column).text() for column in (0, 3, 4, 6)] == ["Series 2", "CT", "Axial", "12"]
    assert query.open_button.isEnabled()
    QTest.keyClick(query.tree, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: state(query) == "done", timeout=WAIT_MS)
    session, browser = known.services.session, known.window.browser
    qtbot.waitUntil(lambda: session.image is not None and session.arrival is None, timeout=WAIT_MS)
    assert session.series is not None
    assert session.series.instance_uid == CT.uid
    assert session.image is not None
    assert session.image.voxels.shape == CT.grid.shape
    assert not query.isVisible(), "it is out of the way of what it opened"
    qtbot.waitUntil(lambda: QApplication.focusWidget() is known.window.grid, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not known.services.runner.jobs, timeout=WAIT_MS)
    again = opened(known, qtbot, "pacs.query", QueryWindow)
    assert again is query
    assert query.model.rowCount() == 1, "what was found is there still"
    qtbot.waitUntil(lambda: browser.model.study_item(HEAD.uid) is not None, timeout=WAIT_MS)
    assert known.services.archive.catalog.get(HEAD.uid).patient.name == "Muster^Eva"


def test_stop_in_the_middle_and_retrieve_the_rest(
    query: QueryWindow, known: Program, qtbot: QtBot, orthanc: Orthanc
) -> None:
    gate = threading.Event()
    with cutting(orthanc.dicom_port, [], gate) as proxy:
        book = pacs.book(known.services)
        book.save(book.get("Orthanc").model_copy(update={"port": proxy.port}), replacing="Orthanc")
        click(query.search_button)
        qtbot.waitUntil(lambda: query.status.text() == "1 study.", timeout=WAIT_MS)
        assert not query.cancel_button.isEnabled()
        # the list of series, two lists of objects, and then the objects, of which some come
        proxy.cuts[:] = [1 << 30, 1 << 30, 1 << 30, 50_000]
        choose(query)
        click(query.retrieve_button)
        qtbot.waitUntil(lambda: state(query)[:1] in "123456789" and "of 13" in state(query), timeout=WAIT_MS)
        click(query.cancel_button)
        qtbot.waitUntil(lambda: state(query).startswith("stopped, "), timeout=WAIT_MS)
        gate.set()
    landed = len(list(known.services.archive.home.rglob("studies/**/*.dcm")))
    assert 0 < landed < 13
    assert state(query) == f"stopped, {landed} of 13 images"
    book.save(book.get("Orthanc").model_copy(update={"port": orthanc.dicom_port}), replacing="Orthanc")
    click(query.search_button)
    qtbot.waitUntil(lambda: state(query) == "" and query.status.text() == "1 study.", timeout=WAIT_MS)
    choose(query)
    QTest.mouseDClick(query.tree.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(60, 10))
    qtbot.waitUntil(lambda: state(query) == "done", timeout=WAIT_MS)
    qtbot.waitUntil(lambda: known.services.session.image is not None, timeout=WAIT_MS)


def test_a_search_that_cannot_be_is_said_and_nothing_is_found_too(query: QueryWindow, qtbot: QtBot) -> None:
    day = query.form.fields["date_from"]
    write(day, "yesterday")
    QTest.keyClick(day, Qt.Key.Key_Return)
    assert (query.form.problem.isVisible(), "2020-01-31" in query.form.problem.text()) == (True, True)
    assert QApplication.focusWidget() is day
    assert query.model.rowCount() == 1, "what was found stays"
    write(day, "2020-03-02")
    QTest.keyClick(day, Qt.Key.Key_Return)
    qtbot.waitUntil(query.hint.isVisible, timeout=WAIT_MS)
    assert query.hint.text() == "No study is like that; widen the search."
    assert (query.model.rowCount(), query.form.problem.isVisible()) == (0, False)
    QTest.keyClick(query, Qt.Key.Key_Escape)
    assert not query.isVisible()


def test_without_a_node_the_search_says_what_to_do(program: Program, qtbot: QtBot) -> None:
    window = opened(program, qtbot, "pacs.query", QueryWindow)
    assert isinstance(window, QueryWindow)
    assert (window.hint.isVisible(), "set one up" in window.hint.text()) == (True, True)
    assert not window.search_button.isEnabled()
    QTest.keyClick(window.nodes_button, Qt.Key.Key_Space)
    nodes = program.window.findChild(NodesWindow)
    assert isinstance(nodes, NodesWindow)
    qtbot.waitUntil(nodes.isActiveWindow)
    for name, value in (("name", "A"), ("host", "127.0.0.1"), ("ae_title", "A")):
        write(nodes.form.fields[name], value)
    click(nodes.save_button)
    nodes.close()
    qtbot.waitUntil(window.search_button.isEnabled)
    assert window.node.currentText() == "A"
    window.close()


# -- send


@pytest.fixture
def reading(known: Program, qtbot: QtBot, files: list[Path]) -> Program:
    """The study is open from the disk."""
    session = known.services.session
    study.open_paths(known.services, [files[0].parent], show_first=True)
    qtbot.waitUntil(lambda: session.image is not None and session.arrival is None, timeout=WAIT_MS)
    return known


def sent(program: Program, qtbot: QtBot) -> str:
    """Press Enter in the dialog, and wait for the sentence."""
    session = program.services.session
    dialog = program.window.findChild(SendDialog)
    assert isinstance(dialog, SendDialog)
    session.message = None
    with qtbot.waitSignal(dialog.destroyed):
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.message is not None, timeout=WAIT_MS)
    assert session.message is not None
    return session.message.text


def test_the_open_mask_is_sent_as_a_segmentation(
    reading: Program, qtbot: QtBot, orthanc: Orthanc, tmp_path: Path
) -> None:
    masks.new(reading.services).paint(np.array([5, 6]), 1)
    dialog = opened(reading, qtbot, "pacs.send", SendDialog)
    assert isinstance(dialog, SendDialog)
    assert dialog.mask_choice.isChecked(), "a mask is what one sends as a rule"
    assert sent(reading, qtbot) == "Sent the mask to Orthanc."
    (instance,) = json.loads(orthanc.request("/instances"))
    stored = tmp_path / "stored.dcm"
    stored.write_bytes(orthanc.request(f"/instances/{instance}/file"))
    assert dcmread(stored).Modality == "SEG"
    assert np.flatnonzero(formats.load_segmentation(stored, CT.grid).labels).tolist() == [5, 6]


def test_a_report_is_sent_as_it_is(reading: Program, qtbot: QtBot, orthanc: Orthanc, files: list[Path]) -> None:
    session = reading.services.session
    (report,) = pacs.reports(reading.services)
    session.chosen_attachment = report.uid
    dialog = opened(reading, qtbot, "pacs.send", SendDialog)
    assert isinstance(dialog, SendDialog)
    assert not dialog.mask_choice.isEnabled()
    assert dialog.report_choice.isChecked(), "it is chosen in the list"
    assert (dialog.report.count(), "(SR)" in dialog.report.currentText()) == (1, True)
    assert sent(reading, qtbot) == "Sent the report to Orthanc."
    assert data_set(orthanc.stored(report.uid)) == data_set(files[-1].read_bytes())


def test_there_may_be_nothing_to_send_and_nowhere_to(program: Program, qtbot: QtBot) -> None:
    dialog = opened_anyhow(program, qtbot)
    assert "No archive is set up" in dialog.note.text()
    assert not dialog.send_button.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)


def opened_anyhow(program: Program, qtbot: QtBot) -> SendDialog:
    """The dialog, though its command is greyed."""
    program.window.show_pacs_send()
    dialog = program.window.findChild(SendDialog)
    assert isinstance(dialog, SendDialog)
    qtbot.waitUntil(dialog.isActiveWindow)
    return dialog
