"""Beside the earlier study: each lesion's change, which a person confirms, and the targets of RECIST 1.1."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from medviewer.app.commands import measured, measuring
from medviewer.app.services import Services
from medviewer.domain.measure.follow_up import RESPONSES, Change, Measured, TimePoint
from medviewer.domain.measure.measurement import NO_PRIOR
from medviewer.domain.measure.target_table import TargetTable
from medviewer.domain.measure.values import format_number, percent_text, with_sign, with_unit
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, combo, label, push, refill, set_text
from medviewer.ui.widgets.plain_table import PlainTable, Row

_SOON_MS = 120
_NAMED = 4
"""Lesions of the earlier study that are named before any of this one is measured."""
_COLUMNS = ("Target", "Baseline", "Nadir", "Now")


class FollowUpBox(QWidget):
    """Empty, and not there, while there is neither an earlier study that was measured nor a target."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self._found: measured.FollowUp | None = None
        self.head = label("", "title")
        self.empty = label("", "quiet", wrap=True)
        self.changes = PlainTable(
            ("Lesion", "Before", "Now", "Change"),
            "Each lesion beside the same one in the earlier study; choose one to look at it",
            "Change since the earlier study",
            numbers=("Before", "Now", "Change"),
            most_rows=8,
        )
        self.prior = combo("Which measurement of the earlier study is the same lesion", "Prior of the chosen lesion")
        self.confirm = push(
            "Confirm",
            "Say that the measurement in the list on the left is the same lesion; undo takes it back",
            self._set,
        )
        self.targets_head = label("Targets, RECIST 1.1", "title")
        self.targets = PlainTable(
            _COLUMNS,
            "Diameters of the target lesions in mm (of nodes the short axis) and their sum",
            "Targets of RECIST 1.1",
            numbers=_COLUMNS[1:],
            most_rows=10,
        )
        self.response = label("", "", wrap=True)
        self.notes = label("", "warning", wrap=True)
        self._lay_out()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self.refresh)
        self.changes.currentCellChanged.connect(lambda row, *_: self._choose(row))
        events = services.session.events
        for signal in (events.measurements, events.measured, events.study, events.companions, events.catalog_revision):
            self._links.add(signal, self._later)
        self._links.add(events.chosen_measurement, self._follow)
        self.refresh()

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 4, 0, 0)
        box.setSpacing(GAP)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.prior, 1)
        row.addWidget(self.confirm)
        self._choice = QWidget()
        self._choice.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        rows = (self.head, self.empty, self.changes, self._choice)
        for part in (*rows, self.targets_head, self.targets, self.response, self.notes):
            box.addWidget(part)

    def _later(self, *_: object) -> None:
        self._soon.start()

    def refresh(self) -> None:
        """Compare anew."""
        session = self._services.session
        found = None
        if session.study is not None and session.measured_study == session.study.uid:
            found = self._services.attempt(lambda: measured.compare(self._services))
        self._found = found
        prior = found.prior if found is not None else None
        table = found.table if found is not None else TargetTable()
        self.setVisible(prior is not None or bool(table.rows))
        self._show_changes(found)
        self._show_targets(table)
        self._follow(session.chosen_measurement)

    def _show_changes(self, found: measured.FollowUp | None) -> None:
        prior = found.prior if found is not None else None
        changes = found.changes if found is not None else ()
        set_text(self.empty, how_to_begin(prior) if prior is not None and not changes else "")
        set_text(self.head, f"Since {prior.date}" if prior is not None else "")
        for part in (self.changes, self._choice):
            part.setVisible(prior is not None and bool(changes))
        self.changes.fill([change_row(change) for change in changes])

    def _show_targets(self, table: TargetTable) -> None:
        shown = bool(table.rows)
        for part in (self.targets_head, self.targets):
            part.setVisible(shown)
        if shown:
            self.targets.setColumnHidden(1, len(table.dates) < 2)
            self.targets.setColumnHidden(2, len(table.dates) < 3)
            heading = self.targets.horizontalHeaderItem(3)
            if heading is not None:
                heading.setText(tr("Now" if table.current else "Last"))
            self.targets.fill(target_rows(table))
        set_text(self.response, response_text(table))
        set_text(self.notes, "\n".join(table.notes))

    def _follow(self, uid: str) -> None:
        """Offer the earlier measurements for the one that is chosen."""
        found, session = self._found, self._services.session
        chosen = next((m for m in session.measurements if m.uid == uid), None)
        if (
            chosen is not None
            and session.study is not None
            and measuring.study_of(session, chosen) != session.study.uid
        ):
            chosen = None  # of a study beside: it is the prior itself
        can = found is not None and found.prior is not None and chosen is not None
        self.prior.setEnabled(can)
        self.confirm.setEnabled(can)
        rows: list[tuple[str, object]] = [("Choose a lesion first", "")]
        at: object = ""
        if found is not None and found.prior is not None and chosen is not None:
            rows = [(_named(one), one.measurement.uid) for one in found.prior.measured]
            rows.append(("Not there before: a new lesion", NO_PRIOR))
            change = next((one for one in found.changes if one.now.measurement.uid == uid), None)
            before = change.prior if change is not None else None
            at = NO_PRIOR if before is None else before.measurement.uid
        refill(self.prior, rows)
        self.prior.setCurrentIndex(max(self.prior.findData(at), 0))
        with QSignalBlocker(self.changes):
            self.changes.setCurrentCell(-1, -1)  # a measurement of the study beside has no row here
            self.changes.choose(uid)

    def _set(self) -> None:
        uid, prior = self._services.session.chosen_measurement, str(self.prior.currentData() or "")
        if uid and prior == NO_PRIOR:
            self._services.attempt(lambda: measured.unlink(self._services, uid))
        elif uid and prior:
            self._services.attempt(lambda: measured.link(self._services, uid, prior))

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self.changes.rows):
            uid = self.changes.rows[row].key
            self._services.attempt(lambda: measuring.jump_to(self._services, uid))


def how_to_begin(prior: TimePoint) -> str:
    """What to do while an earlier study was measured and this one was not, and what was measured there."""
    lesions = [_named(one) for one in prior.measured]
    more = len(lesions) - _NAMED
    told = ", ".join(lesions[:_NAMED]) + (f", and {more} more" if more > 0 else "")
    return (
        f"No lesion of this study is measured yet. Measure here what was measured on {prior.date} ({told}): "
        "each then stands in a table with its change."
    )


def _named(one: Measured) -> str:
    return f"{one.measurement.title}  {one.main.text}" if one.main is not None else one.measurement.title


def change_row(change: Change) -> Row:
    """One lesion as a row; what is only suggested is quiet and has a question mark."""
    m, now, before = change.now.measurement, change.now.main, change.prior.main if change.prior is not None else None
    title = m.title if change.confirmed else f"{m.title} ?"
    # the unit stands once: a panel is narrow
    earlier = format_number(before) if before is not None else "–"
    cells = (title, earlier, now.text if now is not None else "–", change_text(change))
    lines = [m.title]
    if before is not None and now is not None and change.prior is not None:
        change_of = with_unit(change_text(change).partition("  ")[0], now.unit)
        lines.append(f"{now.name}: {before.text} before, {now.text} now, {change_of}")
        lines.append(f"Earlier: {change.prior.measurement.title}")
    if not change.confirmed:
        lines.append("Suggested because it lies near; confirm it below.")
    elif change.is_new:
        lines.append("Not there before.")
    elif change.prior is None:
        lines.append("Nothing of the earlier study goes with it; say below what does, or that it was not there before.")
    return Row(m.uid, cells, "\n".join(lines), "text" if change.confirmed else "quiet")


def change_text(change: Change) -> str:
    """The change in the value's unit and in %, for example ``+2.0  +25 %``; ``new`` where a person said it is."""
    difference = change.difference
    if difference is None:
        return "" if change.prior is not None else "new" if change.is_new else "no prior"
    told = with_sign(format_number(difference))
    return told if change.percent is None else f"{told}  {percent_text(change.percent)}"


def target_rows(table: TargetTable) -> list[Row]:
    """Targets, their sum and its change, at baseline, nadir and now; all time points are in the tool tips."""
    last = len(table.dates) - 1
    places = (0, table.nadir, last)
    rows = []
    for number, row in enumerate(table.rows):
        title = f"{row.title} (node)" if row.node else row.title
        every = "\n".join(f"{table.dates[k]}: {_mm(mm)}" for k, mm in enumerate(row.mm))
        tip = "\n".join(part for part in (title, row.organ, every) if part)
        rows.append(Row(f"target {number}", (title, *(_mm(row.mm[k]) for k in places)), tip))
    sums = "\n".join(f"{date}: {mm:.1f} mm" for date, mm in zip(table.dates, table.sums, strict=True))
    rows.append(Row("sum", ("Sum, mm", *(f"{table.sums[k]:.1f}" for k in places)), sums))
    if last:
        for key, title, parts in (
            ("baseline", "To baseline", table.from_baseline),
            ("nadir", "To nadir", table.from_nadir),
        ):
            cells = ("" if k == 0 or (part := parts[k]) is None else percent_text(part) for k in (*places[:2], last))
            rows.append(Row(key, (title, *cells), f"Change of the sum {title.lower()}", "quiet"))
    return rows


def response_text(table: TargetTable) -> str:
    """Say what the targets of the study that is read came to, in words; empty where there are none at all."""
    if not table.rows:
        return ""
    if not table.current:
        return "No target is measured in this study."
    response = table.responses[-1]
    if response is not None:
        return f"{response}: {RESPONSES[response]} of the targets"
    return "Baseline" if len(table.dates) == 1 else "NE: the sums do not compare"


def _mm(mm: float | None) -> str:
    return "–" if mm is None else f"{mm:.1f}"
