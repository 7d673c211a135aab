"""The window in another language: a made-up one in which every Latin letter of the program is a full-width one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QModelIndex, Qt, QTranslator
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDialog,
    QGroupBox,
    QLabel,
    QLineEdit,
    QMenu,
    QTabBar,
    QTableView,
    QTreeView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from installer.translations import gather, release, update
from medviewer.app.commands import measuring, study, view
from medviewer.app.modes import MODES
from medviewer.domain.measure.measurement import Measurement
from medviewer.ui import translate
from medviewer.ui.main import Program
from medviewer.ui.translate import CONTEXT, tr
from medviewer.ui.viewport.overlay import Overlay

from .conftest import SERIES, STUDY, ramp

SOURCES = gather()
_FIELD = re.compile(r"(\{\d+\})")


def marked(text: str) -> str:
    """With full-width letters; fields of values stay."""
    parts = _FIELD.split(text)
    return "".join(
        part if k % 2 else re.sub(r"[A-Za-z]", lambda one: chr(ord(one.group()) + 0xFEE0), part)
        for k, part in enumerate(parts)
    )


class Marker(QTranslator):
    """Knows what translators would know: the texts that were gathered, and Qt's own."""

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str | None:  # type: ignore[override]
        """The text with marked letters; None where translators never saw it."""
        if context != CONTEXT or source in SOURCES:
            return marked(source)
        return None

    def isEmpty(self) -> bool:
        return False


@pytest.fixture
def foreign(qapp: QCoreApplication) -> Iterator[None]:
    """The made-up language is in use."""
    translate.use([Marker()], SOURCES)
    yield
    translate.use((), ())


def test_a_text_with_values_is_told_by_its_pattern(foreign: None) -> None:
    assert tr("Saved the picture to brain.png.") == f"{marked('Saved the picture to')} brain.png."
    assert tr("1.2.840 of nobody's text") == "1.2.840 of nobody's text", "what no code says stays"
    plain = "Show single slices, no slab"
    assert tr(f"{plain} (Ctrl+9)") == f"{marked(plain)} (Ctrl+9)", "a key behind a text is no part of it"


def test_english_costs_nothing_and_changes_nothing() -> None:
    assert tr("Saved the picture to brain.png.") == "Saved the picture to brain.png."


def test_a_file_of_translations_comes_and_goes(qapp: QCoreApplication, tmp_path: Path) -> None:
    """From the code to a .ts, by a translator and Qt's compiler to a .qm, into the window."""
    root = tmp_path / "checkout"
    (root / "medviewer" / "ui").mkdir(parents=True)
    code = 'def f(name):\n    tr("Open")\n    tr(f"Saved the picture to {name.x}.")\n'
    (root / "medviewer" / "ui" / "some.py").write_text(code)
    file = update("de", root)
    text = file.read_text(encoding="utf-8")
    assert text.count("unfinished") == 2
    for source, translation in (("Open", "Öffnen"), ("Saved the picture to {0}.", "Das Bild liegt in {0}.")):
        text = text.replace(
            f'<source>{source}</source>\n      <translation type="unfinished" />',
            f"<source>{source}</source><translation>{translation}</translation>",
        )
    file.write_text(text, encoding="utf-8")
    assert update("de", root).read_text(encoding="utf-8").count("Öffnen") == 1, "what was translated stays"
    compiled = release(file.parent)
    home = tmp_path / "home"
    (home / "translations").mkdir(parents=True)
    for one in (file, *compiled):
        one.rename(home / "translations" / one.name)
    assert translate.languages(translate.folders(home)) == {"en": "English", "de": "Deutsch"}
    try:
        translate.install("de", home)
        assert tr("Open") == "Öffnen"
        assert tr("Saved the picture to a.png.") == "Das Bild liegt in a.png."
        translate.install("en", home)
        assert tr("Open") == "Open"
    finally:
        translate.use((), ())


# -- every text of the window

DATA = {
    "Colin27",
    "DOE",
    "JANE",
    "Head",
    "Trauma",
    "Wide",  # the window that the file names
}
"""What the open study says."""

NAMES = {
    "medviewer",
    "napari",
    "CT",
    "MR",
    "HU",
    "mm",
    "cm",
    "ml",
    "px",
    "DICOM",
    "SEG",
    "SUV",
    "NIfTI",
    "ZIP",
    "MIP",
    "MinIP",
    "GPU",
    "RECIST",
    "PACS",
    "English",  # languages say their own names
    "Grad",
    "CAM",
    "Inferno",  # colour maps
    "Viridis",
    "Magma",
    "Plasma",
    "Turbo",
    "YYYY",  # examples of what can be typed
    "MEDVIEWER",
}
"""Names, units and formats, the same in every language."""

DIALOGS = (
    "view.corners",
    "hang.own",
    "image.window_type",
    "edit.shortcuts",
    "edit.language",
    "help.keys",
    "ai.plugins",
    "ai.batch",
    "pacs.nodes",
    "pacs.query",
    "pacs.send",
)
"""Commands that open a window which locks nothing."""

_KEY = re.compile(
    r"\b(Ctrl|Shift|Alt|Del|Delete|Tab|Esc|Escape|Return|Enter|Up|Down|Left|Right|Pg\w+|Page\w+|F\d+|Backspace)\b"
)


_FILE = re.compile(
    r"(?i)[\w.+/~-]+\.(png|csv|dcm|nii|gz|ts|qm|onnx|pt|yaml)\b|\*\.\w+(\.\w+)?|\S*\.example\S*|(/[\w.+-]+)+"
)
"""Names of files, folders, and addresses of examples."""


def untranslated(text: str, known: set[str]) -> list[str]:
    """Words of Latin letters that are no data, no name and no key."""
    plain = _KEY.sub("", _FILE.sub("", text))
    return [word for word in re.findall(r"[A-Za-z]{3,}", plain) if word not in NAMES | DATA | known]


def said_by(widget: QWidget) -> Iterator[str]:
    """Everything that a widget shows or tells, now or when it is pointed at."""
    yield widget.toolTip()
    yield widget.accessibleName()
    yield widget.windowTitle() if widget.isWindow() else ""
    if isinstance(widget, QLabel | QAbstractButton):
        yield widget.text()
    if isinstance(widget, QLineEdit):
        yield widget.placeholderText()
    if isinstance(widget, QGroupBox | QMenu):
        yield widget.title()
    if isinstance(widget, QComboBox):
        yield from (widget.itemText(k) for k in range(widget.count()))
    if isinstance(widget, QTabBar):
        yield from (f"{widget.tabText(k)} {widget.tabToolTip(k)}" for k in range(widget.count()))
    if isinstance(widget, QTableView | QTreeView) and widget.model() is not None:
        model = widget.model()
        yield from (
            str(model.headerData(k, Qt.Orientation.Horizontal) or "") for k in range(model.columnCount(QModelIndex()))
        )
    if isinstance(widget, Overlay):
        corners = widget.state.corners
        yield from (corners.top_left, corners.top_right, corners.bottom_left, corners.bottom_right)
        yield from (line for one in widget.state.measures for line in one.text)


def _of_napari(widget: QWidget) -> bool:
    """napari's own controls around the canvases are never seen."""
    parent: object = widget
    while isinstance(parent, QWidget):
        if type(parent).__module__.startswith("napari"):
            return True
        parent = parent.parent()
    return False


def faults(root: QWidget, known: set[str]) -> list[str]:
    found = []
    for widget in (root, *root.findChildren(QWidget)):
        if _of_napari(widget):
            continue
        for text in said_by(widget):
            words = untranslated(text, known)
            if words:
                found.append(f"{type(widget).__name__} {widget.objectName()!r}: {text!r}: {words}")
    for action in root.findChildren(QAction):
        for text in (action.text(), action.toolTip(), action.statusTip()):
            words = untranslated(text, known)
            if words:
                found.append(f"action {action.objectName()!r}: {text!r}: {words}")
    return found


def names_of_plugins(program: Program) -> set[str]:
    """What plugins say of themselves is theirs."""
    said = set()
    for plugin in program.services.plugins:
        manifest = plugin.manifest
        if manifest is not None:
            texts = (manifest.id, manifest.name, manifest.description, manifest.version, str(manifest.model_dump()))
            said |= {word for text in texts for word in re.findall(r"[A-Za-z]{3,}", text)}
    return said


def test_every_text_of_the_window_is_translated(
    foreign: None, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translate, "install", lambda *_: None)  # the program would choose English again
    program = Program(home=tmp_path / "home")
    try:
        qtbot.waitExposed(program.window)
        known = names_of_plugins(program)
        found = faults(program.window, known)
        found += shown_in_use(program, known)
        found += dialogs(program, known)
        assert sorted(set(found)) == []
    finally:
        program.close()


def shown_in_use(program: Program, known: set[str]) -> list[str]:
    """With an image, a measurement and a mask, in every mode, and what the menus of right clicks say."""
    services, session, window = program.services, program.services.session, program.window
    session.studies, session.study = (STUDY,), STUDY
    study.present(session, SERIES, ramp())
    window.tour.start()
    assert session.image is not None
    ends = [tuple(session.image.grid.index_to_world((10, 10, x)).tolist()) for x in (8, 28)]
    for kind in ("length", "ellipse"):
        points = (ends[0], ends[1]) if kind == "length" else (ends[0], ends[1], ends[0], ends[1])
        measuring.add(services, Measurement("", kind, points, (0.0, 0.0, 1.0), SERIES.uid))
    view.choose_tool(services, "brush")
    view.invert(services)
    session.say("Saved the picture to brain.png.", "ok")
    found = []
    for mode in MODES:
        session.mode = mode
        window.update_context()
        window.grid.settle()
        program.app.processEvents()
        found += faults(window, known)
    menus = window.right_clicks.menus
    for menu in (menus.viewport(0, (10.0, 5.0, 5.0)), menus.measurement(), menus.segment(), menus.modes()):
        for below in (menu, *menu.findChildren(QMenu)):
            below.aboutToShow.emit()
        found += faults(menu, known)
        menu.deleteLater()
    found += [
        f"palette: {text!r}: {words}"
        for one in window.menus.entries()
        for text in (one.title, one.menu, one.tip, one.reason)
        if (words := untranslated(text, known))
    ]
    return found


def dialogs(program: Program, known: set[str]) -> list[str]:
    """The windows that commands open."""
    window, found = program.window, []
    for command in DIALOGS:
        window.commands[command].setEnabled(True)
        window.commands[command].trigger()
        program.app.processEvents()
        opened = [one for one in window.findChildren(QDialog) if one.isVisible()]
        assert opened, command
        for dialog in opened:
            found += faults(dialog, known)
            dialog.close()
        program.app.processEvents()
    return found
