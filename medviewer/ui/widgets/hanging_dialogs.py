"""Where a hanging protocol of the present layout is kept, and where the user's are renamed and removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from medviewer.app.commands import hanging_own
from medviewer.app.commands.hanging_own import Wanted
from medviewer.app.hanging import library
from medviewer.app.hanging.library import Row
from medviewer.app.ports.shell import Dialogs
from medviewer.app.services import Services
from medviewer.errors import MedviewerError
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import MARGIN, explain, label, push, set_text, tool

_WIDTH = 460


class SaveHangingDialog(QDialog):
    """Name, and what it is for: filled in from the open study, and all of it can be changed.

    Parameters
    ----------
    services
        Its session is what is kept.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self.setWindowTitle(tr("Save this layout as a hanging protocol"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        proposed = hanging_own.proposal(services)
        self.name_box = self._line(proposed.name, "What it is called in the menu", "Name")
        self.name_box.setMaxLength(60)
        self.modality_box = self._line(
            proposed.modality, "For example CT; several with commas; empty for any", "Modality"
        )
        self.part_box = self._line(
            proposed.body_part, "For example HEAD, BRAIN, by the header or the description; empty for any", "Body part"
        )
        self.text_box = self._line(
            proposed.description,
            "Words of the study's or series' description, or a pattern; empty for any",
            "Description",
        )
        self.text_box.setPlaceholderText(tr("any"))
        self.prior_box = QCheckBox(tr("Only with an earlier study to compare"))
        explain(self.prior_box, "Whether it is for studies only of whose patient there is an earlier one")
        self.prior_box.setChecked(proposed.prior)
        self.automatic_box = QCheckBox(tr("Hang such studies by it when they are opened"))
        explain(self.automatic_box, "Else it is chosen in the menu")
        self.automatic_box.setChecked(proposed.automatic)
        self.problem = label(role="error", wrap=True)
        self.problem.hide()
        self._lay_out()
        self.setMinimumWidth(_WIDTH)
        self.name_box.setFocus()
        self.name_box.selectAll()

    @staticmethod
    def _line(text: str, tip: str, name: str) -> QLineEdit:
        made = QLineEdit(text)
        explain(made, tip, name)
        return made

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("Name"), self.name_box)
        form.addRow(label("It is for studies with", "quiet"))
        form.addRow(tr("Modality"), self.modality_box)
        form.addRow(tr("Body part"), self.part_box)
        form.addRow(tr("Description"), self.text_box)
        form.addRow("", self.prior_box)
        form.addRow("", self.automatic_box)
        save = push("Save", "Keep this layout", self._save, "save", primary=True)
        save.setDefault(True)
        back = push("Cancel", "Keep nothing", self.reject)
        back.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(back)
        buttons.addWidget(save)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(MARGIN)
        column.addLayout(form)
        column.addWidget(self.problem)
        column.addStretch(1)
        column.addLayout(buttons)

    def _save(self) -> None:
        wanted = Wanted(
            self.name_box.text(),
            self.modality_box.text(),
            self.part_box.text(),
            self.text_box.text(),
            self.prior_box.isChecked(),
            self.automatic_box.isChecked(),
        )
        try:
            kept = hanging_own.keep(self._services, wanted)
        except MedviewerError as error:
            set_text(self.problem, str(error))
            return
        self._services.session.say(f"Kept the hanging protocol {kept.name}.", "ok")
        self.accept()


class OwnHangingsDialog(QDialog):
    """The user's protocols, a row each; a file that is none is a row with its error.

    Parameters
    ----------
    services
        What is listed and changed.
    dialogs
        Asks for names, and whether one is to go.
    reveal
        Shows a folder in the system's file manager.
    """

    def __init__(
        self, services: Services, dialogs: Dialogs, reveal: Callable[[Path], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._services, self._dialogs = services, dialogs
        self.setWindowTitle(tr("Your hanging protocols"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(MARGIN)
        folder = push("Show folder", "Show the files in the file manager", lambda: self._reveal(reveal))
        folder.setAutoDefault(False)
        close = push("Close", "Leave them as they are", self.accept, primary=True)
        close.setDefault(True)
        buttons = QHBoxLayout()
        buttons.addWidget(folder)
        buttons.addStretch(1)
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.addLayout(self._rows)
        column.addStretch(1)
        column.addLayout(buttons)
        self.setMinimumWidth(_WIDTH)
        services.session.events.hanging_revision.connect(self._list)
        self._list()

    def _list(self, *_: object) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            former = item.widget()
            if former is not None:
                former.deleteLater()
        rows = library.own_rows(self._services.archive.home)
        for row in rows:
            self._rows.addWidget(self._row(row))
        if not rows:
            text = "There are none yet. Lay out a study; then View > Hanging > Save this layout as a hanging protocol."
            self._rows.addWidget(label(text, "quiet", wrap=True))

    def _row(self, row: Row) -> QWidget:
        made = QWidget()
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(QLabel(row.name))
        told = label(
            f"{row.path.name}, {row.error}" if row.error else _for(row), "error" if row.error else "quiet", wrap=True
        )
        column.addWidget(told)
        line = QHBoxLayout(made)
        line.setContentsMargins(0, 0, 0, 0)
        line.addLayout(column, 1)
        if not row.error:
            line.addWidget(tool("rename", f"Rename {row.name}", lambda: self._rename(row)))
        line.addWidget(tool("delete", f"Remove {row.name}", lambda: self._remove(row)))
        return made

    def _rename(self, row: Row) -> None:
        name = self._dialogs.ask_text(tr("Rename"), tr("Name of the hanging protocol"), row.name)
        if name is not None and name.strip() and name.strip() != row.name:
            self._services.attempt(lambda: hanging_own.rename(self._services, row, name))

    def _remove(self, row: Row) -> None:
        text = f"The file {row.path.name} is deleted. What hangs now stays as it is."
        if self._dialogs.confirm(f"Remove {row.name}?", text, "Remove"):
            self._services.attempt(lambda: hanging_own.remove(self._services, row))

    def _reveal(self, reveal: Callable[[Path], None]) -> None:
        folder = self._services.archive.home / library.FOLDER
        self._services.attempt(lambda: reveal(folder if folder.is_dir() else folder.parent))

    def done(self, result: int) -> None:
        """Follow nothing any more."""
        self._services.session.events.hanging_revision.disconnect(self._list)
        super().done(result)


def _for(row: Row) -> str:
    """What a protocol is for, in few words."""
    assert row.protocol is not None
    when = row.protocol.when
    parts = [
        ", ".join(when.modality) or "any modality",
        ", ".join(when.body_part).lower(),
        f"description {when.description}" if when.description else "",
        "with an earlier study" if when.prior else "",
        "" if row.protocol.automatic else "chosen by hand",
    ]
    return "  ·  ".join(part for part in parts if part)
