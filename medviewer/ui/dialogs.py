"""Questions to the user, and the sheets of the Help menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QImage, QTextDocument
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QScrollArea,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from medviewer import __version__
from medviewer.app import actions
from medviewer.app.resources import resource
from medviewer.app.shortcuts import Shortcuts
from medviewer.app.state import Session
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import explain, label

OPEN_FILES = (
    "All files (*)",
    "DICOM (*.dcm *.dicom *.ima DICOMDIR)",
    "Volumes: NIfTI, NRRD, MetaImage (*.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd)",
    "Pictures: PNG, JPEG, TIFF (*.png *.jpg *.jpeg *.tif *.tiff)",
    "ZIP archives (*.zip)",
)
"""Filters of the dialog that opens files; all files come first, for DICOM files often have no ending."""

T = TypeVar("T")

KeysIn = Callable[[str], list[tuple[str, str]]]

_TOP = Qt.AlignmentFlag.AlignTop


_OVERTAKEN = "Another series was opened while you were asked, so nothing was done; do it again where it is meant."


class QtDialogs:
    """Implements `Dialogs` with Qt's own ones.

    Parameters
    ----------
    parent
        The window.
    session
        What the questions are about: an answer is none where another series came onto the screen before it was given.
    """

    def __init__(self, parent: QWidget, session: Session) -> None:
        self._parent, self._session = parent, session

    def _asked(self, ask: Callable[[], T], none: T) -> T:
        """An answer about what is open; none where that is another one by now."""
        session = self._session
        before = session.study, session.series
        answer = ask()
        uids = [[one.uid if one is not None else "" for one in of] for of in (before, (session.study, session.series))]
        if answer == none or uids[0] == uids[1]:
            return answer
        session.say(_OVERTAKEN, "warning")
        return none

    @property
    def _above(self) -> QWidget:
        """The window that is worked in: a question must not lie behind the report."""
        active = QApplication.activeWindow()
        return active if active is not None and active.parentWidget() is self._parent else self._parent

    def open_paths(self, folder: bool) -> list[Path]:
        """Ask for a folder, or for files, to open; empty when the user thought better of it."""
        if folder:
            chosen = [QFileDialog.getExistingDirectory(self._above, tr("Open folder"))]
        else:
            chosen, _ = QFileDialog.getOpenFileNames(
                self._above, tr("Open files"), "", ";;".join(tr(one) for one in OPEN_FILES)
            )
        return [Path(name) for name in chosen if name]

    def save_path(self, title: str, suggestion: str, filters: Sequence[str]) -> Path | None:
        """Ask where to save; the filter's ending is added to a name without one."""
        return self._asked(lambda: self._save_path(title, suggestion, filters), None)

    def _save_path(self, title: str, suggestion: str, filters: Sequence[str]) -> Path | None:
        name, chosen = QFileDialog.getSaveFileName(
            self._above, tr(title), suggestion, ";;".join(tr(one) for one in filters)
        )
        if not name:
            return None
        ending = chosen.partition("*")[2].rstrip(")")
        return Path(name if Path(name).suffix or not ending else name + ending)

    def confirm(self, title: str, text: str, accept: str) -> bool:
        """Ask a yes-or-no question; `accept` names the button that does it. Enter alone is a no."""
        return self._asked(lambda: self._confirm(title, text, accept), False)

    def _confirm(self, title: str, text: str, accept: str) -> bool:
        box = QMessageBox(QMessageBox.Icon.Question, tr(title), tr(text), parent=self._above)
        yes = box.addButton(tr(accept), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return box.clickedButton() is yes

    def ask_text(self, title: str, text: str, suggestion: str = "") -> str | None:
        """Ask for a line of text, which begins as the suggestion; None when the user thought better of it."""
        return self._asked(lambda: self._ask_text(title, text, suggestion), None)

    def _ask_text(self, title: str, text: str, suggestion: str) -> str | None:
        answer, accepted = QInputDialog.getText(self._above, tr(title), tr(text), text=suggestion)
        return answer if accepted else None


class Sheet(QDialog):
    """A quiet window with a close button; it never blocks the one behind it."""

    def __init__(self, title: str, parent: QWidget, size: tuple[int, int]) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr(title))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*size)
        self.body = QVBoxLayout(self)

    def finish(self) -> Sheet:
        """Add the close button and show it."""
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        self.body.addWidget(buttons)
        self.show()
        return self


def show_keys(keys_in: KeysIn, parent: QWidget, shortcuts: Shortcuts) -> Sheet:
    """Show every action with its key, by menu; it follows when keys are changed, and can be searched.

    Parameters
    ----------
    keys_in
        The key and the title of every action of a menu, by the menu's id.
    """
    sheet = Sheet("Keys", parent, (1180, 760))
    field = QLineEdit()
    field.setObjectName("findKey")
    field.setPlaceholderText(tr("Find a command or a key"))
    field.setClearButtonEnabled(True)
    field.addAction(icon("search", "quiet"), QLineEdit.ActionPosition.LeadingPosition)
    explain(field, "Some letters of a command's name, or a key", "Find a key")
    area = _KeysArea(keys_in, shortcuts)
    field.textChanged.connect(area.look_for)
    sheet.body.addWidget(field)
    sheet.body.addWidget(area)
    sheet.finish()
    field.setFocus()
    return sheet


class _KeysArea(QScrollArea):
    def __init__(self, keys_in: KeysIn, shortcuts: Shortcuts) -> None:
        super().__init__()
        self._keys_in = keys_in
        self._query = ""
        self._links = Links(self)
        self._links.add(shortcuts.changed, self.fill)
        self.setWidgetResizable(True)
        self.fill()

    def look_for(self, query: str) -> None:
        """Show only what has these letters in its name, or that key."""
        self._query = query.strip()
        self.fill()

    def fill(self) -> None:
        """Write all keys anew."""
        self.setWidget(_keys_page(self._keys_in, self._query))


def _keys_page(keys_in: KeysIn, query: str = "") -> QWidget:
    page = QWidget()
    columns = QHBoxLayout(page)
    every = [(title, _found(keys_in(menu), title, query)) for menu, title in actions.titles(tr).items()]
    groups = [(title, rows) for title, rows in every if rows]
    if not groups:
        columns.addWidget(label("No command and no key is called so.", "quiet"), alignment=_TOP)
    third = sum(len(rows) + 2 for _, rows in groups) / 3
    grid, filled = _column(columns), 0
    for title, rows in groups:
        if filled and filled + len(rows) / 2 > third and columns.count() < 3:
            grid, filled = _column(columns), 0
        _fill(grid, title, rows)
        filled += len(rows) + 2
    for column in range(columns.count()):
        columns.setStretch(column, 1)
    return page


def _found(rows: list[tuple[str, str]], menu: str, query: str) -> list[tuple[str, str]]:
    """The rows (key, title) that a query means: by their key as it is written, or by parts of menu and title."""
    if not query:
        return rows
    words = query.lower().split()

    def means(key: str, text: str) -> bool:
        return key.lower() == query.lower() or all(word in f"{menu} {tr(text)}".lower() for word in words)

    return [(key, text) for key, text in rows if means(key, text)]


def _column(columns: QHBoxLayout) -> QGridLayout:
    holder = QWidget()
    grid = QGridLayout(holder)
    grid.setColumnStretch(1, 1)
    grid.setHorizontalSpacing(16)
    columns.addWidget(holder, alignment=_TOP)
    return grid


def _fill(grid: QGridLayout, title: str, rows: list[tuple[str, str]]) -> None:
    head = QLabel(tr(title))
    head.setObjectName("sheetHead")
    grid.addWidget(head, grid.rowCount(), 0, 1, 2)
    for key, text in rows:
        row = grid.rowCount()
        shown = QLabel(key)
        shown.setObjectName("key")
        grid.addWidget(shown, row, 0)
        grid.addWidget(QLabel(tr(text)), row, 1)


class _ManualBrowser(QTextBrowser):
    """Shows Markdown with pictures no wider than the page."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenExternalLinks(True)
        font = self.font()
        font.setPointSize(10)  # Qt spaces paragraphs by points, and not at all where the font is set in pixels
        self.document().setDefaultFont(font)
        self.document().setDocumentMargin(16)

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Load a page or a picture; a picture is fitted to the page."""
        found = super().loadResource(kind, name)
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return found
        picture = found if isinstance(found, QImage) else QImage(self.source().resolved(QUrl(name)).toLocalFile())
        room = self.viewport().width() - 48
        if picture.width() <= room:
            return picture
        ratio = self.devicePixelRatioF()
        fitted = picture.scaledToWidth(round(room * ratio), Qt.TransformationMode.SmoothTransformation)
        fitted.setDevicePixelRatio(ratio)
        return fitted


def show_manual(parent: QWidget, page: str = "index.md") -> Sheet:
    """Open the manual, which is Markdown in resources/help."""
    folder = resource("help")
    sheet = Sheet("Manual", parent, (1080, 760))
    browser, pages = _ManualBrowser(), QListWidget()
    browser.setSearchPaths([str(folder)])
    index = (folder / "index.md").read_text(encoding="utf-8")
    files = sorted(folder.glob("*.md"), key=lambda file: (file.name != "index.md", index.find(f"({file.name})")))
    for file in files:
        pages.addItem(file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# "))
    pages.currentRowChanged.connect(lambda row: browser.setSource(QUrl.fromLocalFile(str(files[row]))))
    pages.setMaximumWidth(220)
    row = QHBoxLayout()
    row.addWidget(pages)
    row.addWidget(browser, 1)
    sheet.body.addLayout(row)
    sheet.finish()
    # once it is shown, and the width that pictures have to fit in is known
    pages.setCurrentRow([file.name for file in files].index(page))
    return sheet


def show_about(parent: QWidget) -> None:
    """Tell version, licence and intended use."""
    QMessageBox.about(
        parent,
        "About medviewer",
        f"<h3>medviewer {__version__}</h3>"
        "<p>Open a study, segment it, see why, correct the mask, and teach the model.</p>"
        "<p><b>Research use only. Not for diagnosis.</b></p>"
        "<p>Apache License 2.0. Built on Qt, napari, vispy, PyTorch, MONAI, captum, pydicom, highdicom and "
        "SimpleITK.</p>",
    )
