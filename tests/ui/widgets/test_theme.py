"""One palette feeds Qt's palette, the style sheet and the icons."""

import re

import pytest
from PySide6.QtWidgets import QCheckBox
from pytestqt.qtbot import QtBot

from medviewer.app.resources import resource
from medviewer.ui import icons, theme


def test_style_sheet_names_only_colours_of_the_palette() -> None:
    text = theme.style_sheet()
    folder = resource("themes").as_posix()
    assert "@" not in re.sub(r"/\*.*?\*/", "", text.replace(folder, ""), flags=re.S)
    assert theme.COLOURS["accent"] in text


def test_style_sheet_has_no_colour_of_its_own() -> None:
    source = resource("themes/dark.qss").read_text(encoding="utf-8")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", source)


def test_apply_gives_the_window_the_palette(qtbot: QtBot, qapp: object) -> None:
    palette = theme.palette()
    assert palette.window().color().name() == theme.COLOURS["panel"]
    assert theme.font().pixelSize() == theme.TEXT_PX


@pytest.mark.parametrize("name", icons.NAMES)
def test_every_icon_draws_something(qtbot: QtBot, name: str) -> None:
    image = icons.icon(name).pixmap(icons.SIZE, icons.SIZE).toImage()
    assert any(image.pixelColor(x, y).alpha() for x in range(image.width()) for y in range(image.height()))


def test_icons_the_window_asks_for_are_there() -> None:
    wanted = (
        "window pan zoom scroll crosshair brush eraser fill undo redo open save play explain approve reject mask heat "
        "invert fit mpr single panel cancel train promote rollback add visible hidden warning info swap"
    )
    assert set(wanted.split()) <= set(icons.NAMES)


def test_a_box_that_is_ticked_has_a_tick_and_not_only_another_colour(qtbot: QtBot) -> None:
    box = QCheckBox()
    qtbot.addWidget(box)
    box.setStyleSheet(theme.style_sheet())
    box.setChecked(True)
    box.resize(box.sizeHint())
    drawn = box.grab().toImage()
    pixels = [drawn.pixelColor(x, y) for x in range(13) for y in range(drawn.height())]
    rows = [y for y in range(drawn.height()) if drawn.pixelColor(3, y) == theme.colour("accent")]
    inside = [drawn.pixelColor(x, y) for x in range(2, 11) for y in range(min(rows), max(rows))]
    assert pixels.count(theme.colour("accent")) > 30
    assert sum(one.lightness() < 60 for one in inside) > 4
