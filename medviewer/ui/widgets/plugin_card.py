"""One plugin: what it does, a button that runs it, and what it found."""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget
from superqt import QElidingLabel

from medviewer.app.commands import predict
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.domain.provenance import Provenance
from medviewer.errors import UnsuitableImageError
from medviewer.inference.suitability import check_suitable
from medviewer.jobs import Job
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.ui.widgets.bars import ProbabilityBars
from medviewer.ui.widgets.consent_dialog import ConsentDialog
from medviewer.ui.widgets.label_counter import LabelCounter
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.numbers import millilitres, seconds
from medviewer.ui.widgets.parts import explain, label, push, set_text, tool

_KINDS = {"segment": "Segmentation", "classify": "Classification"}


def obstacle(services: Services, manifest: Manifest) -> str:
    """Why a plugin cannot run on what is open, in one sentence; empty when it can."""
    image, series = services.session.image, services.session.series
    if image is None or series is None:
        return "Open a study first."
    try:
        check_suitable(manifest, image, series)
    except UnsuitableImageError as error:
        return str(error)
    return ""


class PluginCard(QFrame):
    """A healthy plugin. It shows what the session has of it: a mask, a classification, or nothing."""

    def __init__(self, services: Services, plugin: DiscoverResult, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        assert plugin.manifest is not None  # a broken one has a BrokenPluginCard
        self.setProperty("card", True)
        self.plugin, self.manifest = plugin, plugin.manifest
        self._services = services
        self._links = Links(self)
        self._job_links = Links(self)
        self._job: Job[Any] | None = None
        self._took: tuple[str, str] | None = None
        self._counter = LabelCounter(self)
        self._counter.changed.connect(self._show_result)
        self._make_parts()
        self._lay_out()
        session = services.session.events
        for signal in (session.image, session.busy_plugins, session.models_revision):
            self._links.add(signal, self.refresh)
        self._links.add(session.classification, self._show_result)
        self._links.add(session.mask, self._follow_mask)
        self._links.add(services.runner.started, self._on_started)
        self._follow_mask(services.session.mask)
        self.refresh()

    # -- parts

    def _make_parts(self) -> None:
        name = self.manifest.name
        self.run_button = push("Run", f"Run {name} on the open image", self.run, "play", primary=True)
        self.fetch_button = push("Fetch weights…", f"{name} comes without its weights: get them", self.ask, "download")
        self.cancel_button = tool("cancel", f"Stop {name}", self.cancel)
        self.description = QElidingLabel(self.manifest.description)
        self.description.setProperty("role", "quiet")
        kinds = [text for kind, text in _KINDS.items() if kind in self.manifest.kinds]
        explain(self.description, f"{', '.join(kinds)}. {self.manifest.description}")
        self.reason = label(role="quiet", wrap=True)
        self.bar = QProgressBar(textVisible=False)
        explain(self.bar, f"How far {name} is", f"Progress of {name}")
        self.step = QElidingLabel()
        self.step.setProperty("role", "quiet")
        self.result = label(wrap=True)
        self.bars = ProbabilityBars()
        self.made_by = label(role="quiet", wrap=True)
        self.notes = label(role="warning", wrap=True)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        name = QElidingLabel(self.manifest.name)
        name.setProperty("role", "title")
        name.setToolTip(f"{self.manifest.name} {self.manifest.version}")
        head.addWidget(name, 1)
        for button in (self.run_button, self.fetch_button, self.cancel_button):
            head.addWidget(button)
        box = QVBoxLayout(self)
        box.setContentsMargins(10, 8, 8, 8)
        box.setSpacing(4)
        box.addLayout(head)
        below: tuple[QWidget, ...] = (self.description, self.reason, self.bar, self.step)
        for part in (*below, self.result, self.bars, self.made_by, self.notes):
            box.addWidget(part)

    # -- from the user

    def run(self) -> None:
        """Run the plugin on the open image."""
        job = self._services.attempt(lambda: predict.run(self._services, self.plugin.id))
        if job is not None:
            self._follow_job(job)

    def ask(self) -> None:
        """Show where the weights come from; they are fetched if the user agrees."""
        dialog = ConsentDialog(self.manifest, self)
        dialog.accepted.connect(self._fetch)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def cancel(self) -> None:
        """Stop what the plugin does."""
        if self._job is not None:
            self._job.cancel()

    def _fetch(self) -> None:
        job = self._services.attempt(lambda: predict.fetch(self._services, self.plugin.id))
        if job is not None:
            self._follow_job(job)

    # -- the job

    def _on_started(self, job: Job[Any]) -> None:
        """A run that was started elsewhere, from a menu for instance, shows here too."""
        if self._job is None and job.title.startswith(f"{self.manifest.name}:"):
            self._follow_job(job)

    def _follow_job(self, job: Job[Any]) -> None:
        if job is self._job:
            return
        self._job_links.cut()
        self._job = job
        self._job_links.add(job.progressed, self._show_progress)
        self._job_links.add(job.finished, self._job_finished)
        self.refresh()

    def _job_finished(self) -> None:
        job, self._job = self._job, None
        self._job_links.cut()
        if job is not None and job.error is None and job.started is not None:
            made = getattr(job.result(), "provenance", None)
            if isinstance(made, Provenance):
                self._took = (made.created, seconds(time.monotonic() - job.started))
        self.refresh()

    def _show_progress(self, *_: object) -> None:
        job = self._job
        self.bar.setVisible(job is not None)
        self.step.setVisible(job is not None)
        fraction = job.fraction if job is not None else 0.0
        self.bar.setRange(0, 100 if fraction > 0 else 0)
        self.bar.setValue(round(fraction * 100))
        self.step.setText((job.message if job is not None else "") or "Starting")

    # -- from the session

    def refresh(self, *_: object) -> None:
        """Bring buttons, reason and result up to date."""
        here = predict.weights_present(self._services, self.plugin)
        running = self._job is not None
        busy = self.plugin.id in self._services.session.busy_plugins
        why_not = obstacle(self._services, self.manifest)
        fetchable = self.manifest.weights.fetch and not here
        self.run_button.setVisible(not running and not fetchable)
        self.run_button.setEnabled(here and not why_not and not busy)
        self.fetch_button.setVisible(not running and fetchable)
        self.cancel_button.setVisible(running)
        if not here and not fetchable:
            why_not = "The weights are missing; install the plugin again."
        elif fetchable:
            why_not = "Its weights are not on this machine yet."
        self.run_button.setToolTip(why_not or f"Run {self.manifest.name} on the open image")
        set_text(self.reason, "" if running else why_not)
        self._show_progress()
        self._show_result()

    def _follow_mask(self, store: MaskStore | None) -> None:
        ours = store is not None and store.base.provenance.plugin_id == self.plugin.id
        self._counter.start(store.base.labels if store is not None and ours else None)
        self._show_result()

    def _show_result(self, *_: object) -> None:
        session = self._services.session
        made, lines, values = None, [], {}
        store, classified = session.mask, session.classification
        if store is not None and store.base.provenance.plugin_id == self.plugin.id:
            made = store.base.provenance
            voxel_ml = store.base.grid.voxel_ml
            if self._counter.complete:
                lines = [
                    f"{s.name} {millilitres(self._counter.count(s.label) * voxel_ml)}" for s in store.base.segments
                ]
        elif classified is not None and classified.provenance.plugin_id == self.plugin.id:
            made, values = classified.provenance, classified.probabilities
        set_text(self.result, "   ".join(lines))
        self.bars.show_values(values)
        set_text(self.made_by, self._origin(made) if made is not None else "")
        notes = (*(made.notes if made is not None else ()), *(self.manifest.notes if made is not None else ()))
        set_text(self.notes, " ".join(dict.fromkeys(notes)))

    def _origin(self, made: Provenance) -> str:
        """Model version, device and time of the result that is shown."""
        took = self._took[1] if self._took is not None and self._took[0] == made.created else ""
        parts = (f"model {made.model_version}", made.device, took)
        return ", ".join(part for part in parts if part)


class BrokenPluginCard(QFrame):
    """A plugin that cannot be used, and why."""

    def __init__(self, plugin: DiscoverResult, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        box = QVBoxLayout(self)
        box.setContentsMargins(10, 8, 8, 8)
        box.setSpacing(4)
        box.addWidget(label(plugin.id, "title"))
        self.error = label(plugin.error, "error", wrap=True)
        explain(self.error, plugin.error)
        box.addWidget(self.error)
