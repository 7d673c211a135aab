"""Key images and lesions beside their priors in the real window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from medviewer.app.commands import key_images, measuring, study
from medviewer.domain.measure.follow_up import Change, Measured
from medviewer.domain.measure.measurement import NO_PRIOR, Measurement
from medviewer.domain.measure.values import Value
from medviewer.domain.study import Patient, ScanResult
from medviewer.ui.main import Program
from medviewer.ui.report.window import EMPTY as NO_REPORT
from medviewer.ui.report.window import ReportWindow
from medviewer.ui.theme import colour
from medviewer.ui.widgets.follow_up import FollowUpBox, change_row
from medviewer.ui.widgets.key_panel import EMPTY, KeyPanel
from medviewer.ui.widgets.measure_panel import MeasurePanel
from medviewer.ui.widgets.plain_table import Row
from tests.domain.colour_vision import SIGHT, least_distance
from tests.ui.conftest import GRID, SERIES, STUDY, ramp


def settle(program: Program, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not program.services.runner.jobs, timeout=30_000)
    for _ in range(5):
        program.app.processEvents()


def keys(program: Program) -> KeyPanel:
    content = program.window.panels["keys"].content
    assert isinstance(content, KeyPanel)
    return content


def follow_up(program: Program) -> FollowUpBox:
    content = program.window.panels["measure"].content
    assert isinstance(content, MeasurePanel)
    return content.follow_up


def test_a_slice_is_marked_listed_with_its_picture_and_gone_to(opened: Program, qtbot: QtBot) -> None:
    session, window, listed = opened.services.session, opened.window, keys(opened)
    assert listed.empty.text() == EMPTY
    window.commands["key.mark"].trigger()
    session.view.cursor = (3, 4, 5)
    window.commands["key.mark"].trigger()
    settle(opened, qtbot)
    assert listed.list.count() == 2
    item = listed.list.item(1)
    assert item.text() == "Ax 4  Head"
    picture = item.icon().pixmap(64, 64).toImage()
    assert not picture.isNull()
    assert listed.list.currentRow() == 1
    listed.note.setText("cyst")
    listed.note.editingFinished.emit()
    assert session.key_images[1].note == "cyst"
    assert listed.list.item(1).text() == "Ax 4  Head\ncyst"
    session.view.cursor = (9, 9, 9)
    listed.list.setCurrentRow(0)
    assert session.view.cursor == (10, 15, 20)
    listed.delete_button.click()
    assert [one.note for one in session.key_images] == ["cyst"]
    window.update_context()
    window.commands["edit.undo"].trigger()
    assert len(session.key_images) == 2


def test_pictures_are_saved_by_the_menu(
    opened: Program, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_images.mark(opened.services)
    settle(opened, qtbot)
    monkeypatch.setattr(opened.window.dialogs, "save_path", lambda *_: tmp_path / "case7.png")
    keys(opened).pictures_button.click()
    settle(opened, qtbot)
    assert [path.name for path in tmp_path.glob("*.png")] == ["case7-01-ax-11.png"]


def line(row: int, columns: tuple[int, int], **what: object) -> Measurement:
    points = GRID.index_to_world([(10, row, columns[0]), (10, row, columns[1])]).tolist()
    made = Measurement("", "length", (tuple(points[0]), tuple(points[1])), (0, 0, 1), "")
    return replace(made, **what)  # type: ignore[arg-type]


def test_a_lesion_stands_beside_its_prior_and_the_sum_of_targets_is_told(opened: Program, qtbot: QtBot) -> None:
    services, session, box = opened.services, opened.services.session, follow_up(opened)
    assert not box.isVisible()
    before = replace(SERIES, uid="1.2.826.0.1.19")
    earlier = replace(STUDY, uid="1.2.826.0.1.17", date="2019-03-01", series=(before,))
    services.archive.catalog.add(ScanResult((earlier, STUDY)))
    session.studies = (earlier, STUDY)
    study._present(services, before, ramp())
    measuring.add(services, line(5, (5, 25), label="Hilum", target=True))
    study._present(services, SERIES, ramp())
    made = measuring.add(services, line(5, (8, 20)))
    box.refresh()
    assert box.isVisibleTo(box.parentWidget())
    assert box.head.text() == "Since 2019-03-01"
    assert box.changes.rows[0].cells == ("Length ?", "20.0", "12.0 mm", "-8.0  -40 %")
    assert box.response.text() == "No target is measured in this study."
    box.confirm.click()
    box.refresh()
    assert box.changes.rows[0].cells[0] == "Hilum", "it takes the name of its prior"
    assert [row.cells for row in box.targets.rows] == [
        ("Hilum", "20.0", "20.0", "12.0"),
        ("Sum, mm", "20.0", "20.0", "12.0"),
        ("To baseline", "", "", "-40 %"),
        ("To nadir", "", "", "-40 %"),
    ]
    assert box.targets.isColumnHidden(2), "the baseline is the nadir"
    assert box.response.text() == "PR: partial response of the targets"
    assert session.measurements[0].prior
    box.prior.setCurrentIndex(box.prior.count() - 1)
    box.confirm.click()
    box.refresh()
    assert session.measurements[0].prior == "none"
    assert np.isclose(session.measured[made.uid][0].number, 12.0)


def opened_report(program: Program, qtbot: QtBot) -> ReportWindow:
    program.window.commands["report.open"].trigger()
    found = program.window.findChild(ReportWindow)
    assert found is not None
    settle(program, qtbot)
    return found


def test_what_is_typed_is_kept_and_the_page_follows_the_study(opened: Program, qtbot: QtBot) -> None:
    services, session = opened.services, opened.services.session
    page = opened_report(opened, qtbot)
    assert not page.isModal()
    qtbot.keyClicks(page.field("findings"), "No fracture.")
    settle(opened, qtbot)
    assert page.saved.text() == "Saved"
    (kept,) = services.archive.reports.of_study(STUDY.uid)
    assert kept.text_of("findings") == "No fracture."
    assert page.parts["measured"].isHidden()
    measuring.add(services, line(5, (5, 25), label="Hilum", target=True))
    made = key_images.mark(services, note="cyst")
    settle(opened, qtbot)
    page.collect()
    settle(opened, qtbot)
    assert not page.parts["measured"].isHidden()
    assert not page.parts["targets"].isHidden()
    assert page.field("findings").toPlainText() == "No fracture.", "the fields are left alone"
    page.parts["keys"].noted.emit(made.uid, "two cysts")
    assert session.key_images[0].note == "two cysts"
    page.parts["measured"].head.click()
    assert session.report is not None
    assert session.report.left_out == ("measured",)
    page.parts["targets"].judged.emit("non-CR/non-PD", True)
    assert (session.report.others, session.report.new_lesions) == ("non-CR/non-PD", True)
    settle(opened, qtbot)
    page.close()


def test_a_final_report_cannot_be_typed_in_and_an_addendum_can(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened_report(opened, qtbot)
    width = page.width()
    monkeypatch.setattr(opened.window.dialogs, "confirm", lambda *_: pytest.fail("nothing to sign"))
    assert not page.sign_button.isEnabled()
    assert "write something first" in page.sign_button.toolTip()
    opened.window.commands["report.sign"].trigger()
    page.field("impression").setPlainText("Normal.")
    assert page.sign_button.isEnabled()
    assert "write something first" not in page.sign_button.toolTip()
    monkeypatch.setattr(opened.window.dialogs, "confirm", lambda *_: True)
    page.sign_button.click()
    assert page.saved.text() == "Making it final…"
    assert page.field("impression").isReadOnly(), "what would be typed now would be in no version"
    assert not page.sign_button.isEnabled()
    assert not page.discard_button.isEnabled()
    settle(opened, qtbot)
    assert page.field("impression").isReadOnly()
    assert "final" in page.state.text()
    assert page.sign_button.isHidden()
    page.add_button.click()
    seen = [one.text() for one in page.findChildren(QLabel) if one.isVisible()]
    assert "Impression" not in seen, "nothing of the page before lies under the addendum, not for a moment"
    settle(opened, qtbot)
    assert list(page.fields) == ["findings"]
    assert page.version.width() >= page.version.sizeHint().width(), "which version it is can be read"
    assert page.width() == width, "the window does not grow for it"
    page.field("findings").setPlainText("Seen again.")
    assert page.version.count() == 2
    page.version.setCurrentIndex(0)
    page.version.activated.emit(0)
    assert page.field("impression").toPlainText() == "Normal."
    other = replace(STUDY, uid="1.2.826.0.1.27", series=(replace(SERIES, uid="1.2.826.0.1.29"),))
    opened.services.session.studies = (STUDY, other)
    study._present(opened.services, other.series[0], ramp())
    settle(opened, qtbot)
    assert not page.empty.isHidden()
    assert NO_REPORT
    page.begin_button.click()
    assert page.empty.isHidden()
    assert page.field("findings").toPlainText() == ""
    page.close()


def test_after_the_window_was_closed_another_patient_has_a_report_of_his_own(opened: Program, qtbot: QtBot) -> None:
    services, session, window = opened.services, opened.services.session, opened.window
    page = opened_report(opened, qtbot)
    page.field("findings").setPlainText("Of Jane.")
    page.close()
    settle(opened, qtbot)
    other = replace(
        STUDY, uid="1.2.826.0.1.27", patient=Patient("Q", "ROE^JOHN"), series=(replace(SERIES, uid="1.2.826.0.1.29"),)
    )
    session.studies = (STUDY, other)
    study._present(services, other.series[0], ramp())
    settle(opened, qtbot)
    window.update_context()
    assert not any(window.commands[name].isEnabled() for name in ("report.sign", "report.pdf", "report.discard"))
    page = opened_report(opened, qtbot)
    assert page.field("findings").toPlainText() == ""
    assert session.report is not None
    assert session.report.study_uid == other.uid
    page.close()


def test_a_window_that_is_closed_while_it_is_written_in_keeps_the_last_letter(opened: Program, qtbot: QtBot) -> None:
    page = opened_report(opened, qtbot)
    page.field("findings").setPlainText("The last letter")
    home = opened.services.archive.home
    opened.close()
    from medviewer.archive import Archive

    with Archive.open(home) as archive:
        (kept,) = archive.reports.of_study(STUDY.uid)
    assert kept.text_of("findings") == "The last letter"


def test_a_final_report_looks_final_and_says_its_errors_itself(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services, session = opened.services, opened.services.session
    measuring.add(services, line(5, (5, 25), label="Hilum", target=True))
    key_images.mark(services, note="cyst")
    page = opened_report(opened, qtbot)
    assert page.final.isHidden()
    page.field("impression").setPlainText("Normal.")
    monkeypatch.setattr(opened.window.dialogs, "confirm", lambda *_: True)
    page.sign_button.click()
    settle(opened, qtbot)
    page.collect()
    settle(opened, qtbot)
    report = session.report
    assert report is not None
    assert page.final.isVisible()
    assert page.final.title.text() == "Final report"
    assert page.final.line.text().startswith(f"Version 1  ·  signed {report.signed[:10]} {report.signed[11:16]} UTC")
    assert [key for key, field in page.fields.items() if not field.isHidden()] == ["impression"]
    for name in ("measured", "targets", "keys"):
        part = page.parts[name]
        assert part.isVisible()
        assert part.head.isHidden()
        assert part.title.isVisible()
        assert [
            one for kind in (QCheckBox, QComboBox, QLineEdit) for one in part.findChildren(kind) if one.isVisible()
        ] == []
    monkeypatch.setattr(opened.window.dialogs, "save_path", lambda *_: tmp_path / "not there" / "report.pdf")
    page.pdf_button.click()
    settle(opened, qtbot)
    assert session.message is not None
    assert page.messages.isVisible()
    assert page.messages.text.whole == session.message.text
    assert opened.window.messages.isHidden(), "it is said where the user is, once"
    page.close()


def test_a_message_is_in_the_window_that_the_user_is_in_and_goes_with_the_user(
    opened: Program, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened_report(opened, qtbot)
    main, second = opened.window.messages, page.messages
    at: list[QWidget | None] = [opened.window]
    monkeypatch.setattr(QApplication, "activeWindow", lambda: at[0])
    say, go = opened.services.session.say, opened.app.focusWindowChanged.emit
    say("A slice is missing.", "warning")
    assert (main.isHidden(), second.isHidden()) == (False, True)
    at[0] = page
    go(page.windowHandle())
    assert (main.isHidden(), second.isHidden()) == (True, False)
    at[0] = None
    go(None)
    say("Saved the mask.", "ok")
    assert (main.isHidden(), second.isHidden()) == (True, False), "another program is in front"
    assert (main.fade.isActive(), second.fade.isActive()) == (False, True), "only what is seen fades"
    question = QDialog(page)
    at[0] = question
    say("Made final.", "ok")
    assert (main.isHidden(), second.isHidden()) == (True, False)
    question.deleteLater()
    at[0] = opened.window
    go(opened.window.windowHandle())
    assert (main.isHidden(), second.isHidden()) == (False, True)
    assert main.text.whole == "Made final."
    main.dismiss()
    assert main.isHidden()
    assert second.isHidden()
    page.close()


def rows_of_changes() -> dict[str, Row]:
    """A row of the follow-up for each way that a lesion may go."""
    uids = iter(range(100))

    def measured(mm: float, prior: str = "") -> Measured:
        one = Measurement(str(next(uids)), "length", ((0, 0, 0), (mm, 0, 0)), (0, 0, 1), "", "Node", prior=prior)
        return Measured(one, (Value("Length", mm, "mm"),))

    def went(before: float, now: float, confirmed: bool = True) -> Row:
        return change_row(Change(measured(now), measured(before), 100 * (now / before - 1), confirmed))

    return {
        "growing": went(20, 27),
        "shrinking": went(20, 13),
        "stable": went(20, 20),
        "new": change_row(Change(measured(9, NO_PRIOR))),
        "unmatched": change_row(Change(measured(9))),
        "suggested": went(20, 27, confirmed=False),
    }


def test_how_a_lesion_went_is_told_by_signs_and_words_and_not_by_colour() -> None:
    rows = rows_of_changes()
    told = {name: row.cells[-1] for name, row in rows.items()}
    assert told["growing"].startswith("+")
    assert told["shrinking"].startswith("-")
    assert told["stable"] == "0.0  0 %"
    assert told["new"] == "new"
    assert told["unmatched"] == "no prior", "whether it is new nobody has said"
    assert rows["suggested"].cells[0].endswith("?")
    assert len({row.cells for row in rows.values()}) == len(rows)


def rgb(name: str) -> tuple[int, int, int]:
    shade = colour(name)
    return shade.red(), shade.green(), shade.blue()


@pytest.mark.parametrize("sight", SIGHT)
def test_states_that_have_a_colour_stay_apart_for_everyone(sight: str) -> None:
    """Warnings, errors, what went well, what is chosen and what is quiet; signs and words stand beside each as well."""
    names = ("text", "quiet", "accent", "warning", "error", "ok")
    assert least_distance([rgb(name) for name in names], sight) > 16
    drawn = ("measure", "measure_chosen", "accent", "mark_out")
    assert least_distance([rgb(name) for name in drawn], sight) > 16


def test_while_nothing_is_measured_the_earlier_studys_lesions_are_told(opened: Program, qtbot: QtBot) -> None:
    services, session, box = opened.services, opened.services.session, follow_up(opened)
    before = replace(SERIES, uid="1.2.826.0.1.39")
    earlier = replace(STUDY, uid="1.2.826.0.1.37", date="2019-03-01", series=(before,))
    services.archive.catalog.add(ScanResult((earlier, STUDY)))
    session.studies = (earlier, STUDY)
    study._present(services, before, ramp())
    measuring.add(services, line(5, (5, 25), label="Hilum"))
    study._present(services, SERIES, ramp())
    box.refresh()
    assert box.isVisibleTo(box.parentWidget())
    assert "No lesion of this study is measured yet" in box.empty.text()
    assert "2019-03-01 (Hilum  20.0 mm)" in box.empty.text()
    assert box.changes.isHidden()
    measuring.add(services, line(5, (8, 20), label="Hilum"))
    box.refresh()
    assert box.empty.isHidden()
    assert not box.changes.isHidden()
