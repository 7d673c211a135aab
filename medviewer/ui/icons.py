"""Icons by our own short names, from one family: Material Design Icons 7 (Apache-2.0), drawn as a font."""

from __future__ import annotations

from functools import cache

from fonticon_mdi7 import MDI7  # type: ignore[import-untyped]  # it publishes no types
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPixmap, QPixmapCache
from PySide6.QtWidgets import QApplication, QStyleOption

from medviewer.ui.theme import colour

SIZE = 20
"""Edge of an icon on a tool button, in px."""

_GLYPHS = {
    "above": MDI7.view_split_horizontal,
    "add": MDI7.plus,
    "angle": MDI7.angle_acute,
    "arrow": MDI7.arrow_bottom_left,
    "ai": MDI7.creation_outline,
    "approve": MDI7.check_bold,
    "beside": MDI7.view_split_vertical,
    "bidirectional": MDI7.arrow_expand_all,
    "brush": MDI7.brush,
    "cancel": MDI7.close,
    "chevron_down": MDI7.chevron_down,
    "chevron_left": MDI7.chevron_left,
    "chevron_right": MDI7.chevron_right,
    "cobb": MDI7.angle_obtuse,
    "click": MDI7.cursor_default_click_outline,
    "compare": MDI7.compare,
    "crop": MDI7.crop,
    "crosshair": MDI7.crosshairs,
    "delete": MDI7.trash_can_outline,
    "doubt": MDI7.help_rhombus_outline,
    "download": MDI7.tray_arrow_down,
    "ellipse": MDI7.ellipse_outline,
    "eraser": MDI7.eraser,
    "error": MDI7.alert_circle_outline,
    "explain": MDI7.lightbulb_on_outline,
    "fill": MDI7.format_color_fill,
    "filter": MDI7.filter_variant,
    "fit": MDI7.fit_to_page_outline,
    "flip": MDI7.flip_horizontal,
    "four": MDI7.border_all,
    "freehand": MDI7.lasso,
    "heat": MDI7.fire,
    "hidden": MDI7.eye_off_outline,
    "image": MDI7.image_outline,
    "info": MDI7.information_outline,
    "invert": MDI7.invert_colors,
    "magnifier": MDI7.magnify_scan,
    "key": MDI7.star_outline,
    "length": MDI7.ruler,
    "mask": MDI7.texture_box,
    "more": MDI7.dots_vertical,
    "mpr": MDI7.view_grid_outline,
    "ok": MDI7.check_circle_outline,
    "open": MDI7.folder_open_outline,
    "pan": MDI7.hand_back_right_outline,
    "panel": MDI7.dock_right,
    "path": MDI7.vector_polyline,
    "pause": MDI7.pause,
    "plugin": MDI7.puzzle_outline,
    "point": MDI7.map_marker_outline,
    "probe": MDI7.eyedropper,
    "play": MDI7.play,
    "promote": MDI7.arrow_up_bold_box_outline,
    "pdf": MDI7.file_document_outline,
    "rectangle": MDI7.rectangle_outline,
    "redo": MDI7.redo_variant,
    "reject": MDI7.close_thick,
    "rename": MDI7.pencil_outline,
    "report": MDI7.text_box_outline,
    "rotate_3d": MDI7.axis_arrow,
    "rotate": MDI7.rotate_right,
    "rollback": MDI7.history,
    "save": MDI7.content_save_outline,
    "scroll": MDI7.layers_outline,
    "search": MDI7.magnify,
    "single": MDI7.square_outline,
    "sphere": MDI7.sphere,
    "swap": MDI7.swap_horizontal,
    "text": MDI7.format_text,
    "todo": MDI7.circle_outline,
    "tour": MDI7.map_marker_path,
    "train": MDI7.school_outline,
    "trust": MDI7.shield_check_outline,
    "turn": MDI7.axis_z_rotate_clockwise,
    "undo": MDI7.undo_variant,
    "upend": MDI7.flip_vertical,
    "visible": MDI7.eye_outline,
    "volume": MDI7.cube_outline,
    "warning": MDI7.alert_outline,
    "window_list": MDI7.palette_outline,
    "window": MDI7.contrast_circle,
    "zoom": MDI7.magnify_plus_outline,
    "zoom_out": MDI7.magnify_minus_outline,
}

NAMES = tuple(_GLYPHS)
"""Every name that `icon` knows."""

_PART = 0.875
"""Of an icon's height that the font takes: glyphs of 24 units then lie on whole pixels at the usual sizes."""


def icon(name: str, shade: str = "text") -> QIcon:
    """The icon of that name, in one colour of the palette, greyed where it is disabled.

    Parameters
    ----------
    name
        One of `NAMES`.
    shade
        A name in `theme.COLOURS`.
    """
    return QIcon(_Engine(name, shade))


class _Engine(QIconEngine):
    """Draws one glyph, at any size. superqt has such an engine too, but brings all its widgets and looks for fonts."""

    def __init__(self, name: str, shade: str) -> None:
        super().__init__()
        self._glyph = str(_GLYPHS[name]).rpartition(".")[2]
        self._name, self._shade = name, shade

    def clone(self) -> QIconEngine:
        """Another one that draws the same."""
        return _Engine(self._name, self._shade)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Draw it, centred."""
        font = QFont()
        font.setFamily(_family())
        font.setPixelSize(max(1, round(rect.height() * _PART)))
        painter.save()
        painter.setPen(colour("disabled" if mode == QIcon.Mode.Disabled else self._shade))
        painter.setFont(font)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._glyph)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Draw it into a picture of that size in pixels of the screen, once for all icons that look the same."""
        key = f"medviewer/{self._name}/{self._shade}/{mode.value}/{size.width()}/{size.height()}"
        known = QPixmap()
        if QPixmapCache.find(key, known):
            return known
        made = QPixmap(size)
        if made.isNull():
            return made  # asked for by a part that has no size yet: there is nothing to draw on
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        if mode == QIcon.Mode.Selected:  # tinted, as Qt tints pictures that are selected
            option = QStyleOption()
            option.palette = QApplication.palette()
            made = QApplication.style().generatedIconPixmap(mode, made, option)
        QPixmapCache.insert(key, made)
        return made


@cache
def _family() -> str:
    """The family of the icons' font, loaded with the first icon that is drawn."""
    return QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(MDI7.__font_file__))[0]
