"""The strip of messages: what stays, what fades, what folds."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from medviewer.app.services import Services
from medviewer.ui.widgets.message_strip import MessageStrip


@pytest.fixture
def strip(qtbot: QtBot, services: Services) -> MessageStrip:
    made = MessageStrip(services)
    qtbot.addWidget(made)
    return made


def test_hidden_until_something_is_said(strip: MessageStrip, services: Services) -> None:
    assert strip.isHidden()
    services.session.say("Saved the mask.", "ok")
    assert not strip.isHidden()
    assert strip.text.text() == "Saved the mask."


@pytest.mark.parametrize(("level", "fades"), [("info", True), ("ok", True), ("warning", False), ("error", False)])
def test_only_what_asks_nothing_of_the_user_fades(
    strip: MessageStrip, services: Services, qtbot: QtBot, level: str, fades: bool
) -> None:
    services.session.say("Something.", level)
    assert strip.fade.isActive() == fades
    if fades:
        strip.fade.start(0)
        qtbot.waitUntil(strip.isHidden)
        assert services.session.message is None


def test_a_warning_is_not_taken_away_by_the_clock_of_the_message_before(
    strip: MessageStrip, services: Services
) -> None:
    services.session.say("Saved.", "ok")
    services.session.say("A slice is missing.", "warning")
    assert not strip.fade.isActive()


def test_the_same_error_shows_again_after_it_was_dismissed(strip: MessageStrip, services: Services) -> None:
    for _ in range(2):
        services.session.say("The file should be a mask, but is text.", "error")
        assert not strip.isHidden()
        strip.dismiss_button.click()
        assert strip.isHidden()


def test_details_fold_and_stop_the_clock(strip: MessageStrip, services: Services, qtbot: QtBot) -> None:
    services.session.say("Two files were left out.", "info", "a.dcm\nb.dcm")
    assert strip.details.isHidden()
    strip.details_button.click()
    assert not strip.details.isHidden()
    assert strip.details.toPlainText() == "a.dcm\nb.dcm"
    assert not strip.fade.isActive()
    services.session.say("No details here.", "info")
    assert strip.details.isHidden()
    assert strip.details_button.isHidden()


def test_escape_dismisses(strip: MessageStrip, services: Services, qtbot: QtBot) -> None:
    services.session.say("A slice is missing.", "warning")
    qtbot.keyClick(strip, Qt.Key.Key_Escape)
    assert services.session.message is None


def test_text_of_files_is_never_markup(strip: MessageStrip, services: Services) -> None:
    services.session.say("<b>bold</b> & more", "error")
    assert strip.text.textFormat() == Qt.TextFormat.PlainText


LONG = "Slices 12 to 48 of the series are missing; they are shown blank and must not be taken for tissue. " * 3


def test_a_long_sentence_takes_three_lines_and_the_rest_is_in_the_details(
    strip: MessageStrip, services: Services
) -> None:
    strip.resize(360, 80)
    services.session.say(LONG, "warning", "Slice 12\nSlice 13")
    three = 3 * strip.text.fontMetrics().lineSpacing()
    assert strip.text.heightForWidth(strip.text.width()) == three
    assert strip.text.text().endswith("…")
    assert LONG.startswith(strip.text.text()[:-1])
    assert strip.text.accessibleName() == LONG
    assert strip.details.toPlainText() == f"{LONG}\n\nSlice 12\nSlice 13"
    assert not strip.details_button.isHidden()
    strip.resize(4000, 60)
    assert strip.text.text() == LONG
    assert strip.details.toPlainText() == "Slice 12\nSlice 13"


def test_a_long_sentence_without_details_gets_some(strip: MessageStrip, services: Services) -> None:
    strip.resize(360, 60)
    services.session.say(LONG, "warning")
    assert not strip.details_button.isHidden()
    assert strip.details.toPlainText() == LONG
    services.session.say("Short.", "warning")
    assert strip.details_button.isHidden()
