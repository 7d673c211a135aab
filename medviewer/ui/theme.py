"""The look of the program: one palette, from which Qt's palette and the style sheet are made."""

from __future__ import annotations

from string import Template

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from medviewer.app.resources import resource

RESEARCH_USE = "Research use only, not for diagnosis"
"""Stands in the title bar, on pictures and on documents."""

COLOURS = {
    "background": "#101214",  # around images, the darkest
    "field": "#131517",  # lists and text fields, a little sunk into the panel
    "panel": "#17191c",
    "raised": "#1f2226",  # buttons, menus, tool tips
    "hover": "#282c31",
    "line": "#2b2f34",
    "track": "#363b41",  # what a slider or a progress bar runs along
    "disabled": "#575d64",
    "quiet": "#8b9299",
    "text": "#d7dadd",
    "accent": "#4da3ff",
    "accent_fill": "#1c4a7c",  # the accent as a surface: light enough to find, dark enough beside an image
    "accent_hover": "#225a96",
    "selection": "#1b344f",
    "warning": "#f0b429",
    "error": "#ff6b6b",
    "ok": "#5cd090",  # told from the accent also by those who see no blue, from the error by those who see no red
    "graphics": "#ffe9a8",  # what a file draws over its pixels: light, and no grey of the image
    "mark_in": "#35d0a0",  # what is pointed at: bluish green, told from the next also by those who see no red
    "mark_out": "#ff7f3a",  # what does not belong to it
    "measure": "#f2d64b",  # measurements: told from grey values, from the crosshair and from marks
    "measure_chosen": "#8ff0ff",  # the one that is pointed at or worked on
}
"""Every colour of the window but those of masks and heat maps."""

TEXT_PX = 12
"""Height of running text; the system's own sans serif."""

_ROLES = {
    QPalette.ColorRole.Window: "panel",
    QPalette.ColorRole.WindowText: "text",
    QPalette.ColorRole.Base: "field",
    QPalette.ColorRole.AlternateBase: "panel",
    QPalette.ColorRole.Text: "text",
    QPalette.ColorRole.PlaceholderText: "quiet",
    QPalette.ColorRole.Button: "raised",
    QPalette.ColorRole.ButtonText: "text",
    QPalette.ColorRole.BrightText: "text",
    QPalette.ColorRole.ToolTipBase: "raised",
    QPalette.ColorRole.ToolTipText: "text",
    QPalette.ColorRole.Highlight: "selection",
    QPalette.ColorRole.HighlightedText: "text",
    QPalette.ColorRole.Accent: "accent",
    QPalette.ColorRole.Link: "accent",
    QPalette.ColorRole.LinkVisited: "accent",
    QPalette.ColorRole.Light: "hover",
    QPalette.ColorRole.Midlight: "raised",
    QPalette.ColorRole.Mid: "line",
    QPalette.ColorRole.Dark: "background",
    QPalette.ColorRole.Shadow: "background",
}
_DIMMED = (
    QPalette.ColorRole.WindowText,
    QPalette.ColorRole.Text,
    QPalette.ColorRole.ButtonText,
    QPalette.ColorRole.HighlightedText,
)


class _Sheet(Template):
    """A style sheet with ``@name`` where a colour goes, or the folder of its pictures; Qt gives @ no meaning there."""

    delimiter = "@"


def colour(name: str) -> QColor:
    """The colour of that name, for painting."""
    return QColor(COLOURS[name])


def style_sheet() -> str:
    """The style sheet with its colours, and where its pictures lie, filled in."""
    source = resource("themes/dark.qss")
    return _Sheet(source.read_text(encoding="utf-8")).substitute(COLOURS, themes=source.parent.as_posix())


def palette() -> QPalette:
    """Qt's palette, for what the style sheet does not name."""
    made = QPalette()
    for role, name in _ROLES.items():
        made.setColor(role, colour(name))
    for role in _DIMMED:
        made.setColor(QPalette.ColorGroup.Disabled, role, colour("disabled"))
    return made


def font() -> QFont:
    """The system's sans serif with figures of one width, so that numbers do not jump when they change."""
    made = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    made.setPixelSize(TEXT_PX)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def apply(app: QApplication) -> None:
    """Give the whole program its look."""
    app.setStyle("Fusion")
    app.setPalette(palette())
    app.setFont(font())
    app.setStyleSheet(style_sheet())
