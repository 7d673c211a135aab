"""The report of the open study in a window of its own: one page that is kept with every letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QImage
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from medviewer.app.commands import key_images, report
from medviewer.app.services import Services
from medviewer.domain.measure.follow_up import Others
from medviewer.domain.report import RESEARCH_USE, Report
from medviewer.errors import MedviewerError
from medviewer.reporting.page import PARTS, Page, state_line
from medviewer.ui.report.parts import FinalHead, PagePart, small
from medviewer.ui.translate import tr
from medviewer.ui.widgets.elided import ElidedLabel
from medviewer.ui.widgets.growing_text import GrowingText
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.message_strip import MessageStrip
from medviewer.ui.widgets.parts import combo, exchange, explain, label, push, refill, set_role, set_text

_WIDTH, _HEIGHT, _PAGE = 860, 900, 780
_SOON_MS = 250
EMPTY = "This study has no report yet."


class ReportWindow(QDialog):
    """Follows the open study: shows its report, or offers to begin one. It never blocks the images.

    Parameters
    ----------
    commands
        Actions of the main window by their ids, for its buttons.
    """

    def __init__(self, services: Services, commands: Mapping[str, QAction], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle(f"{tr('Report')} - {tr(RESEARCH_USE)}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        room = parent.screen().availableGeometry()
        self.resize(min(_WIDTH, room.width() - 40), min(_HEIGHT, room.height() - 60))
        self._services, self._commands = services, commands
        self._links = Links(self)
        self.fields: dict[str, GrowingText] = {}
        self._shown: object = None
        self._asked = 0
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self.collect)
        self._make_head()
        self._make_page()
        self._make_foot()
        self.messages = MessageStrip(services, self, second=True)
        self.messages.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 12, 16, 12)
        box.setSpacing(8)
        for part in (self._head, self._area, self.empty, self.messages, self._foot):
            box.addWidget(part, 1 if part in (self._area, self.empty) else 0)
        for action in commands.values():  # the keys of the main window work here too
            if action.shortcut().toString() in ("Ctrl+R", "Shift+K"):
                self.addAction(action)
        events = services.session.events
        self._links.add(events.report, self._follow)
        self._links.add(events.report_revision, self._tell_saved)
        self._links.add(events.report_signing, self._hold)
        self._links.add(events.study, self._other_study)
        for signal in (
            events.measurements,
            events.measured,
            events.key_images,
            events.key_revision,
            events.classification,
            events.detections,
            events.mask,
        ):
            self._links.add(signal, self._later)
        self._follow(services.session.report)

    # -- parts ----------------------------------------------------------------------------------------------------

    def _make_head(self) -> None:
        self.title = label("Report", "title")
        self.state = ElidedLabel()  # long, and the version stands beside it: the window does not grow for it
        set_role(self.state, "quiet")
        self.saved = label("", "quiet")
        self.version = combo("Which version of the report is shown", "Version")
        self.version.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.version.activated.connect(lambda _: self._choose(self.version.currentData()))
        self._head = QWidget()
        row = QHBoxLayout(self._head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.title)
        row.addWidget(self.state, 1)
        row.addWidget(self.saved)
        row.addStretch(0)  # takes the room where the state is not told
        row.addWidget(self.version)
        row.addWidget(label(RESEARCH_USE.upper(), "warning"))

    def _make_page(self) -> None:
        self._patient = QWidget()
        self._text = QWidget()
        self.final = FinalHead()
        self.parts = {name: PagePart(name) for name in PARTS}
        page = QWidget()
        page.setMaximumWidth(_PAGE)
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(4, 4, 12, 12)
        self._column.setSpacing(6)
        self._column.addWidget(self.final)
        self._column.addWidget(self._patient)
        self._column.addWidget(self._text)
        for part in self.parts.values():
            part.left_out.connect(self._leave_out)
            part.noted.connect(self._note)
            part.judged.connect(self._judge)
            self._column.addWidget(part)
            part.hide()
        self._column.addStretch(1)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(page, 100)
        row.addStretch(1)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(holder)
        self.empty = QWidget()
        column = QVBoxLayout(self.empty)
        column.addStretch(1)
        column.addWidget(label(EMPTY, "quiet"), alignment=Qt.AlignmentFlag.AlignHCenter)
        self.begin_button = push("Begin a report", "Begin the report of this study", self.begin, "add", primary=True)
        column.addWidget(self.begin_button, alignment=Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def _make_foot(self) -> None:
        self.pdf_button = self._command("Save as PDF…", "report.pdf", "pdf")
        self.dicom_button = push(
            "Save as DICOM", "Save it as a structured report, or its PDF inside DICOM", lambda: None
        )
        menu = QMenu(self.dicom_button)
        for command in ("report.structured", "report.document"):
            menu.addAction(self._commands[command])
        self.dicom_button.setMenu(menu)
        self.discard_button = self._command("Throw away…", "report.discard", "delete")
        self.add_button = self._command("Addendum", "report.add", "add")
        self.renew_button = self._command("New version", "report.renew", "redo")
        self.sign_button = self._command("Make final…", "report.sign", "approve", primary=True)
        self._foot = QWidget()
        row = QHBoxLayout(self._foot)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.pdf_button)
        row.addWidget(self.dicom_button)
        row.addStretch(1)
        for button in (self.discard_button, self.add_button, self.renew_button, self.sign_button):
            row.addWidget(button)
        for button in (self.pdf_button, self.dicom_button, self.discard_button, self.add_button):
            button.setAutoDefault(False)
        for button in (self.renew_button, self.sign_button, self.begin_button):
            button.setAutoDefault(False)

    def _command(self, text: str, command: str, icon: str, *, primary: bool = False) -> QPushButton:
        action = self._commands[command]
        return push(text, action.toolTip() or action.text(), action.trigger, icon, primary=primary)

    # -- what is shown --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the report of the open study, or begin it."""
        self._services.attempt(lambda: report.begin(self._services))

    def _other_study(self, study: object) -> None:
        """Another study is open: its report is shown, if it has one."""
        session = self._services.session
        uid = session.study.uid if session.study is not None else ""
        if session.report is None or session.report.study_uid != uid:
            self._services.attempt(lambda: report.recall(self._services))
            self._follow(session.report)

    def _follow(self, shown: Report | None) -> None:
        """Show a report; while it is written in, its fields are left alone."""
        self._area.setVisible(shown is not None)
        self._foot.setVisible(shown is not None)
        self.empty.setVisible(shown is None)
        self.begin_button.setEnabled(self._services.session.study is not None)
        for part in (self.state, self.saved, self.version):
            part.setVisible(shown is not None)
        if shown is None:
            self._shown = None
            return
        identity = (shown.uid, shown.is_final)
        if identity != self._shown:
            self._shown = identity
            self._write_fields(shown)
            self.collect()
        signing = self._signing()
        for field in self.fields.values():  # what is typed while it is made final would be in no version
            field.setReadOnly(shown.is_final or signing)
        self._list_versions(shown)
        draft = not shown.is_final
        for button, wanted in (
            (self.discard_button, draft),
            (self.sign_button, draft),
            (self.add_button, not draft),
            (self.renew_button, not draft),
        ):
            button.setVisible(wanted)
        self.sign_button.setEnabled(not shown.is_empty and not signing)
        self.discard_button.setEnabled(not signing)
        self.sign_button.setToolTip(
            tr(report.NOTHING_WRITTEN) if shown.is_empty else self._commands["report.sign"].toolTip()
        )
        last = self._services.session.report_versions
        for button in (self.add_button, self.renew_button):
            button.setEnabled(bool(last) and last[-1].is_final)
        set_text(self.state, state_line(shown).removeprefix("Report, "))  # the title before it says so
        self.state.setToolTip(self.state.text())
        self.state.setVisible(draft)
        self.final.show_report(shown)
        self._tell_saved()

    def _hold(self, *_: object) -> None:
        self._follow(self._services.session.report)

    def _signing(self) -> bool:
        session = self._services.session
        return session.report is not None and session.report.uid == session.report_signing

    def _write_fields(self, shown: Report) -> None:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.fields = {}
        for section in shown.sections:
            field = GrowingText(section.text, 4 if section.key == "findings" else 2)
            field.textChanged.connect(lambda key=section.key, one=field: self._typed(key, one.toPlainText()))
            explain(field, f"{section.title}; every letter is kept at once", section.title)
            self.fields[section.key] = field
            if shown.is_final:
                field.freeze()
                explain(field, section.title)
            if shown.is_final and not section.text.strip():
                field.setParent(body)  # nothing was written: a final report does not ask for it
                field.hide()
                continue
            column.addSpacing(6)
            column.addWidget(label(section.title, "title"))
            column.addWidget(field)
        self._text = exchange(self._column, self._text, body)
        first = next((one for one in self.fields.values() if not one.toPlainText()), None)
        if first is not None and not shown.is_final:
            first.setFocus()

    def field(self, key: str) -> GrowingText:
        """The field of a section."""
        return self.fields[key]

    def _list_versions(self, shown: Report) -> None:
        versions = self._services.session.report_versions
        with QSignalBlocker(self.version):
            names = {"report": "Report", "addendum": "Addendum"}
            rows: list[tuple[str, object]] = [
                (f"{names[one.kind]} {one.version}{'' if one.is_final else ', draft'}", one.version) for one in versions
            ]
            refill(self.version, rows)
            self.version.setCurrentIndex(max(self.version.findData(shown.version), 0))
        self.version.setMinimumWidth(self.version.sizeHint().width())  # else it is squeezed, and its text cut off
        self.version.setVisible(len(versions) > 1)

    def _choose(self, version: object) -> None:
        self._services.attempt(lambda: report.choose_version(self._services, int(cast("int", version))))

    def _tell_saved(self, *_: object) -> None:
        shown, wrong = self._services.session.report, self._services.session.report_saved
        text = "" if shown is None or shown.is_final else "Saved"
        if shown is not None and not shown.is_final and self._services.report_saves.pending:
            text = "Saving…"
        if self._signing():
            text = "Making it final…"
        set_text(self.saved, wrong or text)
        set_role(self.saved, "warning" if wrong else "quiet")

    # -- what stands beside the text -------------------------------------------------------------------------------

    def _later(self, *_: object) -> None:
        if self.isVisible():
            self._soon.start()

    def collect(self) -> None:
        """Collect tables, answers and pictures anew, off the home thread; only the last that was asked for is shown."""
        shown = self._services.session.report
        if shown is None:
            return
        self._asked += 1
        asked = self._asked
        self._services.attempt(lambda: report.page(self._services, lambda page: self._load(asked, page)))

    def _load(self, asked: int, page: Page) -> None:
        if asked != self._asked:
            return
        pictures = self._services.archive.measurements

        def work() -> dict[str, QImage]:
            found = {key.uid: pictures.key_picture(key.uid) for key in page.keys}
            return {uid: small(png) for uid, png in found.items() if png is not None}

        def there(images: dict[str, QImage]) -> None:
            shown = self._services.session.report
            if asked == self._asked and shown is not None:
                self._show_header(page)
                for part in self.parts.values():
                    part.show_page(page, shown, images)

        self._services.when_done(self._services.runner.submit(lambda _: work(), title=""), there)

    def _show_header(self, page: Page) -> None:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 4)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        half = (len(page.header) + 1) // 2
        for number, (name, value) in enumerate(page.header):
            row, column = number % half, 2 * (number // half)
            grid.addWidget(label(name, "quiet"), row, column)
            grid.addWidget(label(value, wrap=True), row, column + 1)
        self._patient = exchange(self._column, self._patient, body)
        self.title.setText(page.title)

    # -- what the user does ----------------------------------------------------------------------------------------

    def _typed(self, key: str, text: str) -> None:
        self._services.attempt(lambda: report.write(self._services, key, text))
        self._tell_saved()

    def _leave_out(self, name: str, out: bool) -> None:
        self._services.attempt(lambda: report.leave_out(self._services, name, out))
        self.collect()

    def _note(self, uid: str, text: str) -> None:
        session = self._services.session
        if any(one.uid == uid for one in session.key_images):
            self._services.attempt(lambda: key_images.annotate(self._services, uid, text))

    def _judge(self, others: str, new_lesions: bool) -> None:
        self._services.attempt(lambda: report.judge(self._services, cast("Others", others), new_lesions))
        self.collect()

    def closeEvent(self, event: QCloseEvent) -> None:
        """What was written last is on the disk before the window goes; the window stays where it cannot be."""
        try:
            self._services.report_saves.flush()
        except MedviewerError as error:
            self._services.session.report_saved = str(error)
            self._tell_saved()
            main = self.parentWidget()
            if main is not None and main.isVisible():
                event.ignore()
                return
        self._asked += 1
        self._soon.stop()
        super().closeEvent(event)


def show_report(services: Services, commands: Mapping[str, QAction], parent: QWidget) -> ReportWindow:
    """Open the report of the open study, or bring its window to the front."""
    window = parent.findChild(ReportWindow)
    if window is None:
        window = ReportWindow(services, commands, parent)
    study, known = services.session.study, services.session.report
    if known is None or study is None or known.study_uid != study.uid:
        window.begin()
    window.show()
    window.raise_()
    window.activateWindow()
    return window
