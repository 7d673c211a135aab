"""The plugins and adapters: install, trust, switch, check, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from medviewer.app.commands import plugins, predict
from medviewer.app.plugin_state import PluginState, Word, state_of
from medviewer.app.services import Services
from medviewer.errors import MedviewerError
from medviewer.inference import base_weights, submit_check
from medviewer.inference.acquiring.install import Candidate
from medviewer.jobs import Job
from medviewer.plugin_api.discovery import AdapterResult, Origin
from medviewer.plugin_api.testing import CheckRow
from medviewer.ui.translate import tr
from medviewer.ui.widgets.consent_dialog import ConsentDialog
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, explain, label, push, set_role, set_text
from medviewer.ui.widgets.plain_table import PlainTable, Row
from medviewer.ui.widgets.trust_dialog import TrustDialog

_BAD = (Word.UNTRUSTED, Word.CHANGED)
_HINT = "Drop a plugin folder, a wheel, a ZIP archive or a model here to install it."


_DOES = {
    "segment": "segments",
    "classify": "classifies",
    "detect": "detects",
    "interactive": "answers clicks",
    "explain": "explains",
    "train": "learns",
}


class PluginsDialog(QDialog):
    """A row a plugin or adapter, what is known of the chosen one, and what can be done with it.

    It never blocks the window behind it. Plugins and models may be dropped on it.
    """

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Plugins"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        self._services = services
        self._links = Links(self)
        self._job_links = Links(self)
        self._look_links = Links(self)
        self._look: Job[list[PluginState]] | None = None
        self._states: dict[str, PluginState] = {}
        self._adapters: dict[str, AdapterResult] = {}
        self._job: Job[Any] | None = None
        self._ends_with_window = False
        self._wanted = ""
        self._make_parts()
        self._lay_out()
        self.table.itemSelectionChanged.connect(self._show_chosen)
        session = services.session.events
        self._links.add(session.plugins_revision, self.refresh)
        self._links.add(session.models_revision, self.refresh)
        self._links.add(session.busy_plugins, self._follow_busy)
        self.resize(860, 620)
        self.refresh()
        self.table.setFocus()

    # -- parts

    def _make_parts(self) -> None:
        columns = ("Plugin", "Version", "Does", "State", "Weights")
        self.table = PlainTable(columns, "Plugins and adapters", "Plugins", most_rows=9)
        self.what = label(wrap=True)
        self.what.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.error = label(role="error", wrap=True)
        self.checks = PlainTable(("Check", "Result", "What it says"), "What the checks found", "Checks", most_rows=8)
        self.checks.hide()
        self.status = label(_HINT, "quiet", wrap=True)
        self.bar = QProgressBar(textVisible=False)
        self.bar.hide()
        self.stop_button = push("Stop", "Stop what is under way", self.stop, "cancel")
        self.file_button = push("Install file…", "A wheel, a ZIP archive or a model", self.install_file, "add")
        self.folder_button = push(
            "Install folder…", "A plugin folder, or a model that is one", self.install_folder, "add"
        )
        self.trust_button = push("Trust…", "See what it is, and let its code run", self.trust, "trust")
        self.distrust_button = push("Distrust", "Let its code run no more", self.distrust)
        self.switch_button = push("Switch off", "Offer it, or offer it no more", self.switch)
        self.fetch_button = push("Download weights…", "Get weights that do not come with it", self.fetch, "download")
        self.check_button = push("Check", "Run the contract tests on it", self.check, "play")
        self.open_button = push("Open folder", "Show its files", self.open_folder, "open")
        self.remove_button = push("Remove…", "Remove its files, and the trust in it", self.remove, "cancel")
        self.close_button = push("Close", "Close this window", self.close)
        for button in self._buttons:
            button.setAutoDefault(False)

    @property
    def _buttons(self) -> tuple[QPushButton, ...]:
        return (
            self.trust_button,
            self.distrust_button,
            self.switch_button,
            self.fetch_button,
            self.check_button,
            self.open_button,
            self.remove_button,
        )

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.file_button)
        top.addWidget(self.folder_button)
        top.addStretch(1)
        row = QHBoxLayout()
        for button in self._buttons:
            row.addWidget(button)
        row.addStretch(1)
        end = QHBoxLayout()
        end.addWidget(self.status, 1)
        end.addWidget(self.bar)
        end.addWidget(self.stop_button)
        end.addWidget(self.close_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(GAP + 2)
        box.addLayout(top)
        box.addWidget(self.table)
        box.addLayout(row)
        box.addWidget(self.error)
        box.addWidget(self.what)
        box.addWidget(self.checks)
        box.addStretch(1)
        box.addLayout(end)
        self.stop_button.hide()

    # -- what is shown

    def refresh(self, *_: object) -> None:
        """Look at every plugin again; the files of installed ones are hashed beside the window."""
        rows = list(self._services.plugins)
        # A look that is older, or that comes when the window is closed, is not waited for any more.
        self._look_links.cut()
        self._look = self._services.runner.submit(lambda _: [state_of(row) for row in rows], title="")
        self._look_links.add(self._look.finished, self._looked)

    def _looked(self) -> None:
        look = self._look
        if look is not None:
            self._services.attempt(lambda: self._show_states(look.result()))

    def _show_states(self, states: list[PluginState]) -> None:
        self._states = {str(state.row.folder): state for state in states}
        self._adapters = {str(row.folder): row for row in self._services.adapters()}
        rows = [self._row(key, state) for key, state in self._states.items()]
        self.table.fill([*rows, *(_adapter_row(key, row) for key, row in self._adapters.items())])
        if self._wanted:
            self.table.choose(self._wanted)
            self._wanted = ""
        if not self.table.chosen and self.table.rows:
            self.table.selectRow(0)
        self._show_chosen()

    def _row(self, key: str, state: PluginState) -> Row:
        row, manifest = state.row, state.row.manifest
        if manifest is None:
            return Row(key, (row.id, "", "", "broken", ""), row.error, "error")
        here = "here" if predict.weights_present(self._services, row) else "to be downloaded"
        colour = "warning" if state.word in _BAD else "text" if row.enabled else "quiet"
        does = ", ".join(_DOES.get(kind, kind) for kind in manifest.kinds)
        cells = (manifest.name, manifest.version, does, state.text, here)
        return Row(key, cells, " ".join(manifest.description.split()), colour)

    def _show_chosen(self) -> None:
        state, adapter = self._states.get(self.table.chosen), self._adapters.get(self.table.chosen)
        mine = state is not None and state.row.origin is Origin.INSTALLED
        manifest = state.row.manifest if state is not None else None
        idle = self._job is None
        self.trust_button.setEnabled(
            idle and mine and manifest is not None and state is not None and state.word in _BAD
        )
        self.distrust_button.setEnabled(idle and mine and state is not None and bool(state.row.trusted))
        self.switch_button.setEnabled(idle and state is not None)
        off = state is not None and not state.row.enabled
        self.switch_button.setText(tr("Switch on" if off else "Switch off"))
        there = state is not None and manifest is not None and predict.weights_present(self._services, state.row)
        runs = idle and state is not None and state.runs
        self.fetch_button.setEnabled(bool(runs and manifest is not None and manifest.weights.fetch and not there))
        self.check_button.setEnabled(bool(runs and there))
        self.open_button.setEnabled(state is not None or adapter is not None)
        busy = state is not None and plugins.at_work(self._services, state.row.id)
        self.remove_button.setEnabled(idle and mine and not busy)
        set_text(self.error, state.row.error if state is not None else adapter.error if adapter is not None else "")
        set_text(self.what, _told(state) if state is not None else _adapter_told(adapter) if adapter else "")

    def _follow_busy(self, *_: object) -> None:
        self._show_chosen()

    @property
    def _chosen(self) -> PluginState:
        return self._states[self.table.chosen]

    # -- what the user does

    def install_file(self) -> None:
        """Ask for a file, and install it."""
        name, _ = QFileDialog.getOpenFileName(self, "Install a plugin or a model")
        if name:
            self.install(Path(name))

    def install_folder(self) -> None:
        """Ask for a folder, and install it."""
        name = QFileDialog.getExistingDirectory(self, "Install a plugin folder or a model")
        if name:
            self.install(Path(name))

    def install(self, source: Path) -> None:
        """Make a plugin ready, show what it is, and put it in place if the user agrees."""
        self._begin(lambda: plugins.prepare(self._services, source), self._ask_to_install, for_this_window=True)

    def _ask_to_install(self, candidate: Candidate) -> None:
        proposal = self._tried(lambda: plugins.propose(self._services, candidate))
        if proposal is None:
            return
        question = proposal.question or f"Install {candidate.manifest.name}?"
        rows = plugins.rows_to_show(proposal)
        dialog = TrustDialog("Install a plugin", question, rows, "Install", trust=proposal.brings_code, parent=self)

        def agreed() -> None:
            trusted = dialog.trust.isChecked() and proposal.brings_code
            self._begin(lambda: plugins.install(self._services, proposal, trusted=trusted), installed)

        def installed(plugin_id: str) -> None:
            self._say(f"{candidate.manifest.name} is installed.", "ok")
            self._wanted = str(plugins.row_of(self._services, plugin_id).folder)

        dialog.accepted.connect(agreed)
        dialog.rejected.connect(lambda: plugins.forget(self._services, candidate))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def trust(self) -> None:
        """Show what would be trusted, and ask."""
        state = self._chosen
        manifest = state.row.manifest
        if manifest is None:
            return
        rows = [
            ("Name", f"{manifest.name} {manifest.version} ({manifest.id})"),
            ("Source", manifest.weights.source),
            ("Licence", manifest.weights.licence),
            ("Folder", str(state.row.folder)),
            ("Code", ", ".join(state.code) or "none"),
            ("Fingerprint", state.fingerprint),
        ]
        if state.word is Word.CHANGED:
            rows.append(("Changed", "It is not what you trusted before."))
        question = f"Let the code of {manifest.name} run? It runs with your rights."
        dialog = TrustDialog("Trust a plugin", question, rows, "Trust", parent=self)
        dialog.accepted.connect(
            lambda: self._begin(
                lambda: plugins.trust(self._services, manifest.id, state.fingerprint),
                lambda _: self._say(f"{manifest.name} is trusted.", "ok"),
            )
        )
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def distrust(self) -> None:
        """Take the trust back."""
        self._tried(lambda: plugins.distrust(self._services, self._chosen.row.id))

    def switch(self) -> None:
        """Switch it on or off."""
        row = self._chosen.row
        self._tried(lambda: plugins.switch(self._services, row.id, not row.enabled))

    def fetch(self) -> None:
        """Show where the weights come from, and fetch them if the user agrees."""
        row = self._chosen.row
        if row.manifest is None:
            return
        dialog = ConsentDialog(row.manifest, self)
        dialog.accepted.connect(
            lambda: self._begin(lambda: predict.fetch(self._services, row.id), lambda _: self._say("Fetched.", "ok"))
        )
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def check(self) -> None:
        """Run the contract tests, and show what they found."""
        row = self._chosen.row
        weights = base_weights(row, self._services.archive.home)
        self._begin(lambda: submit_check(self._services.runner, row, weights), self._show_checks, for_this_window=True)

    def _show_checks(self, found: list[CheckRow]) -> None:
        rows = [
            Row(str(k), (one.name, "ok" if one.ok else "FAILED", one.text), one.text, "text" if one.ok else "error")
            for k, one in enumerate(found)
        ]
        self.checks.fill(rows)
        self.checks.show()
        failed = [one.name for one in found if not one.ok]
        self._say(f"Fails: {', '.join(failed)}." if failed else "Every check passed.", "error" if failed else "ok")

    def open_folder(self) -> None:
        """Show its files in the system's file manager."""
        if self.table.chosen:
            QDesktopServices.openUrl(QUrl.fromLocalFile(self.table.chosen))

    def remove(self) -> None:
        """Remove it, after a question."""
        row = self._chosen.row
        name = row.manifest.name if row.manifest is not None else row.id
        rows = [("Folder", str(row.folder)), ("Stays", "What it found, and versions that were trained from it.")]
        dialog = TrustDialog("Remove a plugin", f"Remove {name} and its files?", rows, "Remove", parent=self)
        dialog.accepted.connect(
            lambda: self._begin(
                lambda: plugins.remove(self._services, row.id), lambda _: self._say(f"{name} is removed.", "ok")
            )
        )
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def stop(self) -> None:
        """Stop what is under way."""
        if self._job is not None:
            self._job.cancel()

    def done(self, result: int) -> None:
        """Close: what is prepared or checked for this window stops, and a question that is open is answered with no.

        What changes plugins goes on, and tells of a failure in the main window.
        """
        self._let_go()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        """The same for a dialog that is closed while it is not shown, which Qt does not call done."""
        self._let_go()
        super().closeEvent(event)

    def _let_go(self) -> None:
        for question in self.findChildren(TrustDialog):
            if question.isVisible():
                question.reject()
        job, self._job = self._job, None
        self._job_links.cut()
        self._look_links.cut()
        if job is not None and self._ends_with_window:
            job.cancel()
        elif job is not None:
            self._services.when_done(job, lambda _: None)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a single file or folder."""
        if len(event.mimeData().urls()) == 1 and event.mimeData().urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Install what was dropped."""
        event.acceptProposedAction()
        self.install(Path(event.mimeData().urls()[0].toLocalFile()))

    # -- jobs and messages

    def _begin(self, start: Any, then: Any, *, for_this_window: bool = False) -> None:
        """Start a job, show how far it is, and go on with its result; one for this window ends with it."""
        if self._job is not None:
            return
        job = self._tried(start)
        if job is None:
            return
        self._job, self._then, self._ends_with_window = job, then, for_this_window
        self._job_links.add(job.progressed, self._progressed)
        self._job_links.add(job.finished, self._finished)
        self._say(job.title, "quiet")
        self._progressed()
        self._show_chosen()

    def _progressed(self, *_: object) -> None:
        job = self._job
        self.bar.setVisible(job is not None)
        self.stop_button.setVisible(job is not None)
        if job is not None:
            self.bar.setRange(0, 100 if job.fraction > 0 else 0)
            self.bar.setValue(round(100 * job.fraction))

    def _finished(self) -> None:
        job, self._job = self._job, None
        self._job_links.cut()
        self._progressed()
        self._show_chosen()
        if job is None:
            return
        if job.error is not None:
            self._say(str(job.error), "error", job.error.details)
        else:
            self._say(_HINT, "quiet")
            self._then(job.result())
        self.refresh()

    def _tried(self, function: Any) -> Any:
        """What a command gives; what it raises on purpose is said here, where the user looks."""
        try:
            return function()
        except MedviewerError as error:
            self._say(str(error), "error", error.details)
            return None

    def _say(self, text: str, role: str, details: str = "") -> None:
        set_role(self.status, role)
        self.status.setText(tr(text))
        explain(self.status, details or text, text)


def show_plugins(services: Services, parent: QWidget | None = None) -> PluginsDialog:
    """Open the dialog, or bring the one that is open to the front."""
    for known in parent.findChildren(PluginsDialog) if parent is not None else ():
        known.raise_()
        known.activateWindow()
        return known
    dialog = PluginsDialog(services, parent)
    dialog.show()
    return dialog


def _told(state: PluginState) -> str:
    manifest, row = state.row.manifest, state.row
    if manifest is None:
        return str(row.folder)
    adapter = f"Run by the adapter {manifest.adapter}. " if manifest.adapter else ""
    code = f"\nCode: {', '.join(state.code)}" if state.code else ""
    return (
        f"{' '.join(manifest.description.split())} {adapter}\nSource: {manifest.weights.source}\n"
        f"Licence: {manifest.weights.licence}\nIntended use: {manifest.weights.intended_use}\n"
        f"Folder: {row.folder}{code}"
    )


def _adapter_row(key: str, row: AdapterResult) -> Row:
    if row.manifest is None:
        return Row(key, (row.id, "", "adapter", "broken", ""), row.error, "error")
    cells = (row.manifest.name, row.manifest.version, "adapter", _ORIGINS[row.origin], "")
    return Row(key, cells, f"Reads {row.manifest.reads}.", "quiet")


def _adapter_told(row: AdapterResult) -> str:
    if row.manifest is None:
        return str(row.folder)
    return f"{row.manifest.description}\nReads: {row.manifest.reads}\nFolder: {row.folder}"


_ORIGINS = {
    Origin.SHIPPED: str(Word.SHIPPED),
    Origin.PACKAGE: str(Word.PACKAGE),
    Origin.NAMED: str(Word.NAMED),
    Origin.INSTALLED: str(Word.UNTRUSTED),
}
