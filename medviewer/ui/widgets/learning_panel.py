"""The fine-tuning queue, a run of training, and the versions of a model."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from medviewer.app.commands import learning, weights
from medviewer.app.services import Services
from medviewer.jobs import Job
from medviewer.learning.compare import Comparison
from medviewer.learning.finetune import FinetuneResult, split_cases
from medviewer.learning.gate import VerdictKind
from medviewer.learning.options import FinetuneOptions
from medviewer.learning.versions import ModelVersion, VersionState, line_of_activations
from medviewer.ui.translate import tr
from medviewer.ui.widgets.elided import ElidedLabel
from medviewer.ui.widgets.learning_dialogs import FinetuneDialog, ReasonDialog
from medviewer.ui.widgets.learning_rows import case_row, count_line, sentence_of, version_row
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.loss_curve import LossCurve
from medviewer.ui.widgets.parts import GAP, MARGIN, combo, explain, label, push, refill, set_role, tool
from medviewer.ui.widgets.plain_table import PlainTable


class LearningPanel(QWidget):
    """For one plugin: what it can learn from, its training, its versions and which of them runs."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self._job_links = Links(self)
        self._job: Job[FinetuneResult] | None = None
        self._stale = False
        self._make_parts()
        self._lay_out()
        session = services.session.events
        for signal in (session.queue_revision, session.models_revision):
            self._links.add(signal, self.refresh)
        self._links.add(session.busy_plugins, self._follow_runs)
        trainable = [p.manifest for p in services.plugins if p.manifest is not None and "train" in p.manifest.kinds]
        refill(self.plugins, [(manifest.name, manifest.id) for manifest in trainable])
        self.plugins.setVisible(len(trainable) > 1)
        self.refresh()

    @property
    def plugin_id(self) -> str:
        """The plugin that is shown; empty when none can learn."""
        return self.plugins.currentData() or ""

    # -- parts

    def _make_parts(self) -> None:
        self.plugins = combo("Plugin that learns", "Plugin")
        self.plugins.currentIndexChanged.connect(self.refresh)
        columns = ("Case", "Date", "Dice", "State")
        tip = "Verdicts on masks; Dice is of the model's mask against the corrected one"
        self.queue = PlainTable(columns, tip, "Fine-tuning queue", numbers=("Dice",))
        self.counts = label(role="quiet", wrap=True)
        self.train_button = push(
            "Fine-tune…", "Train a new version from the approved cases", self.ask_training, "train"
        )
        self.bar = QProgressBar(textVisible=False)
        explain(self.bar, "How far the training is", "Progress of the training")
        self.step = ElidedLabel()
        self.step.setProperty("role", "quiet")
        self.curve = LossCurve()
        self.cancel_button = tool("cancel", "Stop the training; the present version stays", self.cancel)
        columns = ("Version", "State", "Dice", "HD95")
        tip = "Versions of the model; Dice and HD95 (mm) are means over held-out cases"
        self.versions = PlainTable(columns, tip, "Model versions", numbers=("Dice", "HD95"))
        self.versions.itemSelectionChanged.connect(self._show_version)
        self.sentence = label(role="quiet", wrap=True)
        self.promote_button = push("Promote", "Use this version from now on", self.promote, "promote")
        self.compare_button = push("Compare", "Score this version and the active one on held-out cases", self.compare)
        self.rollback_button = push("Roll back", "Go back to the version before", self.roll_back, "rollback")

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        box.addWidget(self.plugins)
        row = QHBoxLayout()
        row.addWidget(self.counts, 1)
        row.addWidget(self.train_button)
        box.addLayout(row)
        box.addWidget(self.queue)
        self.training = QWidget()
        training = QVBoxLayout(self.training)
        training.setContentsMargins(0, 0, 0, 0)
        training.setSpacing(4)
        progress = QHBoxLayout()
        progress.addWidget(self.bar)
        progress.addWidget(self.cancel_button)
        training.addWidget(self.curve)
        training.addLayout(progress)
        training.addWidget(self.step)
        box.addWidget(self.training)
        box.addWidget(self.versions)
        box.addWidget(self.sentence)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addWidget(self.promote_button)
        buttons.addWidget(self.compare_button)
        buttons.addStretch(1)
        buttons.addWidget(self.rollback_button)
        box.addLayout(buttons)
        box.addStretch(1)
        self.training.hide()

    # -- from the user

    def ask_training(self) -> None:
        """Say what a run would learn from, and start it if the user agrees."""
        services, plugin_id = self._services, self.plugin_id
        cases = services.attempt(lambda: split_cases(services.queue, services.registry, plugin_id))
        if cases is None:
            return
        dialog = FinetuneDialog(self.plugins.currentText(), cases, self)
        dialog.accepted.connect(lambda: self.train(dialog.options))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def train(self, options: FinetuneOptions | None = None) -> None:
        """Start to train; the curve shows how it goes."""
        job = self._services.attempt(lambda: self._train(options))
        if job is not None:
            self.curve.clear()
            self._job_links.cut()
            self._job = job
            self._job_links.add(job.progressed, self._show_progress)
            self._job_links.add(job.event, self._take_event)
            self._job_links.add(job.finished, self._finished)
            self.refresh()

    def _train(self, options: FinetuneOptions | None) -> Job[FinetuneResult]:
        weights.check_read(self._services, self.plugin_id)
        return learning.finetune(self._services, self.plugin_id, options)

    def cancel(self) -> None:
        """Stop the training."""
        if self._job is not None:
            self._job.cancel()

    def compare(self) -> None:
        """Let the gate judge the chosen version against the active one again."""
        self._services.attempt(lambda: self._compare(self.versions.chosen))

    def _compare(self, version: str) -> Job[Comparison]:
        weights.check_read(self._services, self.plugin_id, (version,))
        return learning.compare(self._services, self.plugin_id, version)

    def promote(self) -> None:
        """Make the chosen version the active one; where the gate could not tell, the user says why."""
        version = self._chosen()
        if version is None or version.verdict is None:
            return
        if version.verdict.kind is not VerdictKind.UNDECIDED:
            self._promote(version.version, "", decide=False)
            return
        dialog = ReasonDialog(version.version, version.verdict.sentence, self)
        dialog.accepted.connect(lambda: self._promote(version.version, dialog.reason.text().strip(), decide=True))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def roll_back(self) -> None:
        """Go back to the version that ran before."""
        self._services.attempt(lambda: learning.rollback(self._services, self.plugin_id))

    def _promote(self, version: str, reason: str, *, decide: bool) -> None:
        services, plugin_id = self._services, self.plugin_id
        services.attempt(lambda: learning.promote(services, plugin_id, version, reason=reason, decide=decide))

    # -- the job

    def _take_event(self, event: dict[str, Any]) -> None:
        if event.get("kind") == "loss":
            self.curve.add(event["step"], event["steps"], event["loss"])

    def _finished(self) -> None:
        job, self._job = self._job, None
        self._job_links.cut()
        self.refresh()
        if job is not None and job.error is None:
            self.versions.choose(job.result().candidate.version)

    def _show_progress(self, *_: object) -> None:
        job = self._job
        self.training.setVisible(job is not None)
        if job is not None:
            self.bar.setRange(0, 100 if job.fraction > 0 else 0)
            self.bar.setValue(round(job.fraction * 100))
            self.step.setText(tr(job.message or "Starting"))

    # -- from the session

    def refresh(self, *_: object) -> None:
        """Read queue and versions anew."""
        self._services.attempt(self._refresh)

    def _follow_runs(self, *_: object) -> None:
        """The first run of a plugin makes its first version; nobody waits for that who does not see the panel."""
        if self.isVisible():
            self.refresh()
        else:
            self._stale = True

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what happened while nobody saw it."""
        super().showEvent(event)
        if self._stale:
            self.refresh()

    def _refresh(self) -> None:
        self._stale = False
        services, plugin_id = self._services, self.plugin_id
        if not plugin_id:
            self.counts.setText(tr("No installed plugin can learn."))
        cases = services.queue.list(plugin_id) if plugin_id else ()
        self.queue.fill([case_row(case) for case in reversed(cases)])
        self.queue.setVisible(bool(cases))
        if plugin_id:
            self.counts.setText(tr(count_line(cases)))
        # Read only: commands.learning.versions would hash the weights, on this thread.
        versions = services.registry.versions(plugin_id) if plugin_id else []
        rows = [version_row(v, services.registry.scores(plugin_id, v.version)) for v in reversed(versions)]
        self.versions.fill(rows)
        self.versions.setVisible(bool(rows))
        if not self.versions.chosen:
            active = next((v.version for v in versions if v.state is VersionState.ACTIVE), "")
            self.versions.choose(active)
        self.train_button.setEnabled(bool(services.queue.cases_for_training(plugin_id)) and self._job is None)
        self._show_progress()
        self._show_version()

    def _chosen(self) -> ModelVersion | None:
        chosen = self.versions.chosen
        return next((v for v in self._services.registry.versions(self.plugin_id) if v.version == chosen), None)

    def _show_version(self) -> None:
        version = self._chosen()
        text, role = sentence_of(version) if version is not None else ("No version was used yet.", "quiet")
        self.sentence.setText(tr(text))
        set_role(self.sentence, role)
        active = next((row.key for row in self.versions.rows if row.cells[1] == VersionState.ACTIVE), "")
        other = version is not None and version.version != active
        self.compare_button.setEnabled(other and self._job is None)
        may, tip = _may_promote(version, active)
        self.promote_button.setEnabled(may)
        self.promote_button.setToolTip(tr(tip))
        line = line_of_activations(self._services.registry.history(self.plugin_id)) if active else []
        self.rollback_button.setEnabled(len(line) > 1)
        self.rollback_button.setToolTip(tr(f"Go back to {line[-2]}" if len(line) > 1 else "There is no version before"))


def _may_promote(version: ModelVersion | None, active: str) -> tuple[bool, str]:
    """Whether the gate lets a version be promoted, and why not or what happens."""
    if version is None or version.version == active:
        return False, "This version is active already"
    if version.verdict is None or version.compared_with != active:
        return False, f"Compare it with {active} first"
    if version.verdict.kind is VerdictKind.WORSE:
        return False, version.verdict.sentence
    if version.verdict.kind is VerdictKind.UNDECIDED:
        return True, "The gate cannot tell; you decide, and say why"
    return True, "Use this version from now on"
