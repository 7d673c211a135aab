"""What stands beside the text of a report: AI results, tables and key images, each of which may be left out."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from medviewer.domain.measure.follow_up import OTHERS
from medviewer.domain.report import Report
from medviewer.reporting.page import ANSWERS, KEYS, PARTS, TARGETS, Answer, KeyEntry, Page, Table
from medviewer.ui.icons import icon
from medviewer.ui.translate import tr
from medviewer.ui.widgets.parts import GAP, combo, exchange, explain, label, refill
from medviewer.ui.widgets.plain_table import PlainTable, Row

_KEY_EDGE = 250
_ROWS = 14


class FinalHead(QFrame):
    """What stands above a final report: that it is final, which version, when it was signed, and by whom."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("finalHead")
        self.title, self.line = label("", "title"), label("", wrap=True)
        self.title.setObjectName("finalTitle")
        mark = QLabel()
        mark.setPixmap(icon("ok", "ok").pixmap(20, 20))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(10)
        row.addWidget(mark)
        row.addWidget(self.title)
        row.addWidget(self.line, 1)
        self.hide()

    def show_report(self, report: Report) -> None:
        """Tell of a report; a draft has none."""
        self.setVisible(report.is_final)
        if not report.is_final:
            return
        what = "addendum" if report.kind == "addendum" else "report"
        signed = f"{report.signed[:10]} {report.signed[11:16]} UTC" if report.signed else ""
        told = (
            f"Version {report.version}",
            f"signed {signed}" if signed else "",
            report.author and f"by {report.author}",
        )
        self.title.setText(tr(f"Final {what}"))
        self.line.setText(tr("  ·  ".join(part for part in told if part)))


class PagePart(QWidget):
    """One part of the page under its heading, which is a check box: whether the report has it.

    Parameters
    ----------
    name
        One of `reporting.page.PARTS`.
    """

    left_out = Signal(str, bool)
    """Name of the part, or UID of a key image, and whether it is to be left out."""
    noted = Signal(str, str)
    """UID of a key image and its caption."""
    judged = Signal(str, bool)
    """What the reader says of the lesions that are no targets, and whether there are new ones."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self.head = QCheckBox(tr(PARTS[name]))
        self.head.setProperty("role", "title")
        explain(self.head, f"Whether the report has the part {PARTS[name]}", PARTS[name])
        self.head.toggled.connect(lambda on: self.left_out.emit(self.name, not on))
        self.title = label(PARTS[name], "title")
        self.title.hide()
        self._body = QWidget()
        self._shown: object = None
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 8, 0, 0)
        box.setSpacing(GAP)
        box.addWidget(self.head)
        box.addWidget(self.title)
        box.addWidget(self._body)

    def show_page(self, page: Page, report: Report, pictures: dict[str, QImage]) -> None:
        """Show this part of the page; not there where it is empty."""
        self.setVisible(page.has(self.name) and not (report.is_final and self.name in report.left_out))
        wanted = self.name not in report.left_out
        self.head.blockSignals(True)
        self.head.setChecked(wanted)
        self.head.setVisible(not report.is_final)
        self.title.setVisible(report.is_final)
        self.head.blockSignals(False)
        content = getattr(page, self.name)
        keys = (content, report.left_out, report.is_final, report.others, report.new_lesions, frozenset(pictures))
        if keys != self._shown and page.has(self.name):
            self._shown = keys
            self._put(self._made(page, report, pictures))
        self._body.setEnabled(wanted)

    def _made(self, page: Page, report: Report, pictures: dict[str, QImage]) -> QWidget:
        if self.name == ANSWERS:
            return answers_view(page.answers)
        if self.name == KEYS:
            return self._keys(page.keys, report, pictures)
        made = table_view(getattr(page, self.name), PARTS[self.name])
        return self._judging(made, report) if self.name == TARGETS and not report.is_final else made

    def _put(self, body: QWidget) -> None:
        layout = self.layout()
        assert layout is not None  # made in the constructor
        self._body = exchange(layout, self._body, body)

    def _judging(self, table: QWidget, report: Report) -> QWidget:
        """What only a reader can say stands below the sums."""
        others = combo("How the lesions went that are no targets", "Other lesions")
        refill(others, [(f"Other lesions: {text}", key) for key, text in OTHERS.items()])
        others.setCurrentIndex(others.findData(report.others))
        new = QCheckBox(tr("New lesions"))
        new.setChecked(report.new_lesions)
        explain(new, "Whether there are lesions that were not there before: that is progressive disease", "New lesions")

        def tell(*_: object) -> None:
            self.judged.emit(str(others.currentData()), new.isChecked())

        others.currentIndexChanged.connect(tell)
        new.toggled.connect(tell)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(table)
        row = QHBoxLayout()
        row.addWidget(others, 1)
        row.addWidget(new)
        row.addStretch(2)
        column.addLayout(row)
        return body

    def _keys(self, keys: tuple[KeyEntry, ...], report: Report, pictures: dict[str, QImage]) -> QWidget:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(12)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        shown = [key for key in keys if not (report.is_final and key.uid in report.left_out)]
        for number, key in enumerate(shown):
            grid.addWidget(self._key(key, report, pictures.get(key.uid)), number // 2, number % 2)
        return body

    def _key(self, key: KeyEntry, report: Report, image: QImage | None) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        picture = QLabel()
        picture.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        if image is not None:
            shown = QPixmap.fromImage(image)
            shown.setDevicePixelRatio(2)
            picture.setPixmap(shown)
        else:
            picture.setText(tr("The picture is on its way."))
            picture.setProperty("role", "quiet")
        explain(picture, key.place, f"Key image {key.place}")
        if report.is_final:
            said = label(key.caption, wrap=True)
            said.setVisible(bool(key.caption))
            for line in (picture, said, label(key.place, "quiet")):
                column.addWidget(line)
            column.addStretch(1)
            return body
        has = QCheckBox(tr(key.place))
        has.setChecked(key.uid not in report.left_out)
        explain(has, "Whether the report has this key image", f"Key image {key.place}")
        has.toggled.connect(lambda on: self.left_out.emit(key.uid, not on))
        caption = QLineEdit(key.caption)
        caption.setPlaceholderText(tr("What it shows"))
        explain(caption, "Caption: what this key image shows", f"Caption of {key.place}")
        caption.editingFinished.connect(lambda: self.noted.emit(key.uid, caption.text()))
        for part in (picture, has, caption):
            column.addWidget(part)
        column.addStretch(1)
        return body


def answers_view(answers: tuple[Answer, ...]) -> QWidget:
    """What models said: who, what, how sure, and what speaks against it."""
    body = QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    for answer in answers:
        column.addWidget(label(answer.title, "title", wrap=True))
        for line in answer.lines:
            column.addWidget(label(line, wrap=True))
        column.addWidget(label(answer.doubt, "quiet", wrap=True))
        for flag in answer.flags:
            column.addWidget(label(flag, "warning", wrap=True))
        column.addSpacing(6)
    return body


def table_view(table: Table, name: str) -> QWidget:
    """A table with its lines below."""
    body = QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP)
    numbers = [table.header[k] for k in table.numbers]
    shown = PlainTable(table.header, name, name, numbers=numbers, most_rows=_ROWS)
    shown.setSelectionMode(PlainTable.SelectionMode.NoSelection)
    shown.fill([Row(str(k), row, "  ".join(row)) for k, row in enumerate(table.rows)])
    column.addWidget(shown)
    for line in table.lines:
        column.addWidget(label(line, wrap=True))
    return body


def small(png: bytes) -> QImage:
    """A key image as large as its place on the page, on screens with small pixels too."""
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return QImage.fromData(png).scaled(2 * _KEY_EDGE, 2 * _KEY_EDGE, keep, smooth)
