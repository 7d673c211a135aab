"""Run a plugin on every study of the worklist that is like this and that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from medviewer.app.case_table import CaseRow, CaseTable
from medviewer.app.commands import batch, batch_job, batch_places, batch_results, predict, weights
from medviewer.app.controllers.texts import person
from medviewer.app.doubt_text import doubt_text
from medviewer.app.durations import left_text
from medviewer.app.services import Services
from medviewer.app.volumes import millilitres
from medviewer.archive.catalog import Query
from medviewer.domain.doubt import Doubt
from medviewer.jobs import Job
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import combo, explain, label, push, refill, set_role
from medviewer.ui.widgets.plain_table import PlainTable, Row
from medviewer.ui.widgets.study_filter import StudyFilterPanel

_COLOURS = {"refused": "quiet", "failed": "error"}
_MOST_TEXT = 40
"""Letters of a reason in the table; the tool tip has all of it."""
_NOTE = "Results are kept with their series: they are there when it is opened. You can go on reading meanwhile."


class BatchDialog(QDialog):
    """Which plugin, which studies, a row a case, and how long it will take. It never blocks the window behind it.

    Rows name the patient, as the worklist does; a table that is saved does not.

    Closed, it is only hidden: what runs goes on in the job bar, and its table is there when the dialog is opened again.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Run on all in worklist"))
        self._services = services
        self._links = Links(self)
        self._running: batch.Batch | None = None
        self._list_links = Links(self)
        self._asked = ""
        self._listing: Job[list[batch_places.Place]] | None = None
        self._make_parts()
        self._lay_out()
        self.filter.changed.connect(self._count)
        self.search.textChanged.connect(self._count)
        self.resize(1120, 620)
        self._offer()
        self._count()

    # -- parts

    def _make_parts(self) -> None:
        self.plugin = combo("The plugin that runs, as its card's Options say", "Plugin")
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Name, ID, date, description… (empty: all)"))
        explain(self.search, "Only studies in which every word begins one of theirs", "Search")
        self.filter = StudyFilterPanel(self._services)
        self.count = label(role="quiet")
        columns = ("Patient", "Series", "State", "Answer", "Doubt", "Time", "Notes")
        self.table = PlainTable(columns, "A row a case", "Cases", numbers=("Time",), most_rows=12)
        self.table.horizontalHeader().setMinimumSectionSize(56)
        self.bar = QProgressBar(textVisible=False)
        explain(self.bar, "How far the run is", "Progress")
        self.status = label(_NOTE, "quiet", wrap=True)
        self.run_button = push(
            "Run", "Run the plugin on these studies, one after the other", self.run, "play", primary=True
        )
        self.stop_button = push("Stop", "Stop; what is done stays", self.stop, "cancel")
        self.save_button = push("Save table…", "Write the rows to a file (.csv or .json)", self.save, "save")
        self.close_button = push("Close", "Close this window; what runs goes on, and is in the job bar", self.close)
        for button in (self.run_button, self.stop_button, self.save_button, self.close_button):
            button.setAutoDefault(False)

    def _lay_out(self) -> None:
        self.filter.lead({"Plugin": self.plugin, "Search": self.search})
        left = QVBoxLayout()
        left.addWidget(self.filter)
        left.addWidget(self.count)
        left.addWidget(self.run_button)
        left.addStretch(1)
        side = QWidget()
        side.setLayout(left)
        side.setFixedWidth(270)
        right = QVBoxLayout()
        right.addWidget(self.table)
        right.addWidget(self.bar)
        right.addWidget(self.status)
        right.addStretch(1)
        end = QHBoxLayout()
        end.addWidget(self.save_button)
        end.addStretch(1)
        end.addWidget(self.stop_button)
        end.addWidget(self.close_button)
        right.addLayout(end)
        box = QHBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(12)
        box.addWidget(side)
        box.addLayout(right, 1)
        self.bar.hide()
        self.stop_button.setEnabled(False)
        self.save_button.setEnabled(False)

    def _offer(self) -> None:
        rows: list[tuple[str, object]] = []
        for row in self._services.plugins:
            manifest = row.manifest
            if manifest is not None and row.enabled and {"segment", "classify", "detect"} & set(manifest.kinds):
                here = predict.weights_present(self._services, row)
                rows += [(manifest.name, manifest.id)] if here and manifest.inputs.channel_count == 1 else []
        refill(self.plugin, rows)

    # -- what the user does

    @property
    def query(self) -> Query:
        """Which studies are meant."""
        return self.filter.applied_to(Query(self.search.text()))

    def run(self) -> None:
        """Begin."""
        plugin_id = self.plugin.currentData()
        services, query = self._services, self.query
        if not plugin_id or self._listing is not None or (self._running is not None and not self._running.done):
            return
        self._let_choose(False)
        self._asked = plugin_id
        # there may be a hundred thousand of them
        self._listing = services.runner.submit(lambda _: batch_places.studies_as_places(services, query), title="")
        self._list_links.add(self._listing.finished, self._listed)

    def _listed(self) -> None:
        """Begin with the studies that were found, unless it was stopped."""
        services, job, self._listing = self._services, self._listing, None
        self._list_links.cut()
        made = services.attempt(lambda: self._batch(self._asked, job.result())) if job is not None else None
        if made is None:
            message = services.session.message
            self._say(message.text if message is not None else "It could not begin.", "error")
            self._let_choose(True)
        else:
            self._begin(made)

    def _batch(self, plugin_id: str, places: Sequence[batch_places.Place]) -> batch.Batch:
        choice = self._services.choices.get(plugin_id)
        weights.check_read(self._services, plugin_id, (choice.version, *choice.ensemble) if choice else ())
        return batch.Batch(self._services, plugin_id, places, choice=choice, people=True)

    def _begin(self, made: batch.Batch) -> None:
        self._links.cut()
        self._running = made
        self._links.add(made.changed, self._show)
        self._links.add(made.finished, self._over)
        self.table.fill(())
        self.bar.show()
        batch_job.start(self._services, made, len(made.places))

    def _let_choose(self, may: bool) -> None:
        for part in (self.run_button, self.filter):
            part.setEnabled(may)
        self.stop_button.setEnabled(not may)

    def stop(self) -> None:
        """Stop; what is done stays."""
        if self._listing is not None:
            self._list_links.cut()
            listing, self._listing = self._listing, None
            listing.cancel()
            self._let_choose(True)
        if self._running is not None:
            self._running.cancel()

    def save(self) -> None:
        """Ask for a file, and write the rows to it."""
        name, _ = QFileDialog.getSaveFileName(self, "Save the table", "cases.csv", "Tables (*.csv *.json)")
        if name and self._running is not None:
            self._services.attempt(lambda: self.write(Path(name)))

    def write(self, path: Path) -> None:
        """Write the rows to a file, in place of what is there."""
        running = self._running
        assert running is not None
        # The user was asked about a file that is there already.
        CaseTable(path, batch_results.columns_of(running.manifest), anew=True).fill(running.rows)
        self._say(f"Saved {len(running.rows)} rows to {path.name}.", "ok")

    def showEvent(self, event: QShowEvent) -> None:
        """Offer the plugins and count the studies that there are now."""
        self._offer()
        self._count()
        super().showEvent(event)

    # -- what is shown

    def _count(self, *_: object) -> None:
        found = self._services.attempt(lambda: self._services.archive.catalog.page(self.query, 1))
        count = found[1] if found is not None else 0
        self.count.setText(tr(f"{count} {'study matches' if count == 1 else 'studies match'}."))
        idle = self._listing is None and (self._running is None or self._running.done)
        self.run_button.setEnabled(bool(count) and self.plugin.count() > 0 and idle)

    def _show(self, *_: object) -> None:
        running = self._running
        if running is None:
            return
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * running.fraction))
        shown = self.table.rowCount()
        if shown != len(running.rows):
            self.table.extend([_row(k, row) for k, row in enumerate(running.rows[shown:], shown)])
            self.table.scrollToBottom()
        if running.message:
            parts = (f"{running.fraction:.0%}".replace("%", " %"), left_text(running.left_s), running.message)
            self._say(", ".join(part for part in parts if part), "quiet")
        self.save_button.setEnabled(bool(running.rows))

    def _over(self) -> None:
        running = self._running
        if running is None:
            return
        self._show()
        failed = any(row.status == "failed" for row in running.rows)
        self._say(batch_job.counts_text(running), "warning" if failed else "ok")
        self._let_choose(True)

    def _say(self, text: str, role: str) -> None:
        set_role(self.status, role)
        self.status.setText(tr(text))


def show_batch(services: Services, parent: QWidget | None = None) -> BatchDialog:
    """Open the dialog, or bring the one that is open to the front."""
    for known in parent.findChildren(BatchDialog) if parent is not None else ():
        known.show()
        known.raise_()
        known.activateWindow()
        return known
    dialog = BatchDialog(services, parent)
    dialog.show()
    return dialog


def _row(number: int, row: CaseRow) -> Row:
    done = row.status == "done"
    if row.abstained:
        answer = "no answer"
    else:
        answer = ", ".join(_answer(name, value) for name, value in list(row.values.items())[:2])
    doubt = _figures(row) if done else ""
    notes = row.flags if done else (row.reason,)
    more = f" (+{len(notes) - 1})" if len(notes) > 1 else ""
    told = f"{_short(notes[0])}{more}" if notes and notes[0] else ""
    said = doubt_text(Doubt(row.uncertainty, row.distance)) if done else ""
    tip = row.reason or "\n".join((*row.flags, f"{said[0].upper()}{said[1:]}." if said else ""))
    name = person(row.person.get("patient_name", "")) or row.person.get("patient_id", "")
    cells = (name, row.description or row.series_uid, row.status, answer, doubt, f"{row.seconds:.1f} s", told)
    # Of a case that is done only the notes ask for attention.
    only: tuple[int, ...]
    colour, only = ("warning", (len(cells) - 1,)) if done else (_COLOURS[row.status], ())
    return Row(str(number), cells, tip, colour, coloured=only)


def _answer(name: str, value: float) -> str:
    if name.endswith("_ml"):
        return f"{name.removesuffix('_ml')} {millilitres(value)}"
    return f"{name.removesuffix('_count')} {value:.0f}" if name.endswith("_count") else f"{name} {value:.2f}"


def _figures(row: CaseRow) -> str:
    uncertain = "" if row.uncertainty is None else f"{row.uncertainty:.0%}".replace("%", " %")
    distant = "" if row.distance is None or row.distance <= 1 else f"{row.distance:.1f}×"
    return ", ".join(part for part in (uncertain, distant) if part)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"
