"""Studies that are hung in the real window."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import study
from medviewer.app.controllers import display
from medviewer.app.hanging import library
from medviewer.ui.main import Program
from medviewer.ui.widgets.hanging_dialogs import OwnHangingsDialog, SaveHangingDialog
from medviewer.ui.widgets.hanging_menu import HangingButton
from tests.app.hung_studies import write_mammogram, write_mammography, write_volume
from tests.ui.conftest import SERIES, ramp

WAIT_MS = 60_000


def hang(program: Program, qtbot: QtBot, folder: Path) -> None:
    """Open a folder, and wait until all of it hangs."""
    services = program.services
    study.open_paths(services, [folder])
    qtbot.waitUntil(lambda: services.session.hanging is not None and not services.runner.jobs, timeout=WAIT_MS)
    for _ in range(5):
        program.app.processEvents()


def test_breasts_hang_with_their_chest_walls_in_the_middle(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    write_mammography(tmp_path / "mg")
    hang(program, qtbot, tmp_path / "mg")
    slices = program.window.grid.slices[:4]
    qtbot.waitUntil(lambda: program.window.grid.has_picture and all(one.shown is not None for one in slices))
    for slice_view, side in zip(slices, ("right", "left") * 2, strict=True):
        assert slice_view.isVisible()
        columns = slice_view.shown.plane.shape[1]
        edge = slice_view.to_pixel(0, columns - 0.5 if side == "right" else -0.5).x()
        assert edge == pytest.approx(slice_view.canvas.native.width() if side == "right" else 0, abs=1)
        assert slice_view.overlay.state.letters[1] == ("P" if side == "right" else "A")
    first, second = slices[:2]
    assert first.x() < second.x()
    _, column, zoom = first.looking_at
    first._pan(QPointF(30, 10))  # the right breast to the right: the left one goes to the left
    moved = [one.looking_at for one in slices[:2]]
    assert moved[0][1] < column
    rest = second.shown.plane.shape[1] - 1 - moved[1][1]
    assert rest == pytest.approx(moved[0][1], abs=0.01), "mirrored at the middle"
    assert moved[1][::2] == pytest.approx((moved[0][0], zoom), abs=0.01)
    button = program.window.findChild(HangingButton)
    assert button.text() == "Mammography: four views, back to back  1 / 3: CC above MLO"
    assert "4 of its 4 kinds of series" in button.toolTip()
    program.window.commands["hang.next"].trigger()
    qtbot.waitUntil(lambda: [one.isVisible() for one in slices] == [True, True, False, False])
    program.window.commands["view.2x1"].trigger()
    assert button.text() == "Your layout"


def test_large_breasts_are_filled_and_drawn_one_after_the_other(
    program: Program, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "LARGE", 1000)
    write_mammography(tmp_path / "mg")
    hang(program, qtbot, tmp_path / "mg")
    grid = program.window.grid
    slices = grid.slices[:4]
    qtbot.waitUntil(lambda: all(one.shown is not None and not one.canvas.undrawn for one in slices))
    qtbot.waitUntil(lambda: not grid.controller.resting)
    assert all(one.canvas.native.updatesEnabled() for one in slices)
    for one in slices:
        drawn = one.canvas.native.grabFramebuffer()
        grey = {drawn.pixelColor(x, drawn.height() // 2).lightness() for x in range(0, drawn.width(), 3)}
        assert len(grey) > 5, "there is a breast, not a dark viewport"


def test_large_pictures_are_all_there_for_a_picture_and_none_is_drawn_after_the_end(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = opened.window.grid
    expected = grid.picture().toImage()
    monkeypatch.setattr(display, "LARGE", 10)
    study.present(opened.services.session, SERIES, ramp())
    grid.controller.refresh()
    assert grid.controller.resting
    grid.settle()
    assert grid.picture().toImage() == expected
    study.present(opened.services.session, SERIES, ramp())
    qtbot.waitUntil(lambda: grid.controller.resting)
    opened.close()
    for _ in range(5):
        QTest.qWait(10)  # what was to come then finds its widgets gone


def test_an_empty_place_says_what_is_missing_and_takes_no_tool(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    for side, view in (("R", "CC"), ("L", "CC"), ("L", "MLO")):
        write_mammogram(tmp_path / "mg", side, view)
    hang(program, qtbot, tmp_path / "mg")
    empty = program.window.grid.slices[2]
    qtbot.waitUntil(lambda: empty.overlay.state.note == "This study has no R MLO")
    assert empty.isVisible()
    session = program.services.session
    for tool in ("brush", "length", "crosshair", "window", "scroll"):
        session.view.tool = tool
        before = session.view.window, session.view.cursor, session.measurements
        canvas = empty.canvas.native
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
        QTest.mouseMove(canvas, canvas.rect().center() * 1.2)
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center() * 1.2)
        assert (session.view.window, session.view.cursor, session.measurements) == before
    assert session.mask is None or not session.mask.labels.any()
    assert session.view.active == 2
    qtbot.waitUntil(lambda: bool(empty.property("active")))


def test_a_layout_is_saved_listed_and_chosen_from_the_palette(program: Program, qtbot: QtBot, tmp_path: Path) -> None:
    window, home = program.window, program.services.archive.home
    hang(program, qtbot, write_volume(tmp_path / "ct", "CT", "Routine", BodyPartExamined="HEAD"))
    assert window.findChild(HangingButton).text() == "CT head: brain, subdural, bone"
    window.commands["view.1x2"].trigger()
    window.commands["hang.save"].trigger()
    dialog = window.findChild(SaveHangingDialog)
    assert (dialog.modality_box.text(), dialog.part_box.text()) == ("CT", "HEAD")
    dialog.text_box.setText("(")
    dialog._save()
    assert "regex" in dialog.problem.text()
    dialog.text_box.clear()
    dialog.name_box.setText("Two planes")
    dialog._save()
    assert program.services.session.hanging.protocol.name == "Two planes"
    (home / library.FOLDER / "bad.yaml").write_text("name: Bad\nviewports: 3\n")
    window.hangings.fill()
    texts = [action.text() for action in window.hangings.actions()]
    assert texts[:4] == ["", "Yours", "Two planes", "bad  cannot be read"]
    [bad] = [action for action in window.hangings.actions() if action.text().startswith("bad ")]
    assert (bad.isEnabled(), bad.toolTip()) == (False, "bad.yaml, line 2: 3 is not of type 'array'.")
    window.grid.setFocus()
    window.commands["edit.palette"].trigger()
    QTest.keyClicks(window.palette_box.field, "hang ct head")
    assert window.palette_box.shown[0].title == "Hang: CT head: brain, subdural, bone"
    QTest.keyClick(window.palette_box.field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: program.services.session.hanging.protocol.id == "ct-head")
    window.hangings.fill()
    checked = [action.text() for action in window.hangings.actions() if action.isChecked() and action.data()]
    assert checked == ["CT head: brain, subdural, bone"]


def test_the_users_protocols_are_renamed_and_removed(
    program: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, folder = program.window, program.services.archive.home / library.FOLDER
    folder.mkdir()
    (folder / "a.yaml").write_text("name: A\nlayout: 1x1\nviewports:\n  - {}\n")
    (folder / "b.yaml").write_text("name: B\nlayout: 3x1\nviewports:\n  - {}\n")
    window.commands["hang.own"].trigger()
    dialog = window.findChild(OwnHangingsDialog)

    assert dialog._rows.count() == 2
    monkeypatch.setattr(window.dialogs, "ask_text", lambda *_: "Mine")
    monkeypatch.setattr(window.dialogs, "confirm", lambda *_: True)
    dialog._rename(library.own_rows(folder.parent)[0])
    rows = library.own_rows(folder.parent)
    assert [row.name for row in rows] == ["b", "Mine"]
    assert rows[0].error == "line 3: The layout 3x1 has 3 viewports, not 1."
    dialog._remove(rows[0])
    assert [row.name for row in library.own_rows(folder.parent)] == ["Mine"]
    assert dialog._rows.count() == 1
    dialog.accept()
