"""One plugin: what it does, a button that runs it, and what it found."""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from medviewer.app.click_plugins import answers_clicks_only
from medviewer.app.commands import predict, view
from medviewer.app.commands.detections import said
from medviewer.app.mask_store import MaskStore
from medviewer.app.plugin_state import waits_for_trust
from medviewer.app.run_choice import RunChoice
from medviewer.app.services import Services
from medviewer.app.volumes import millilitres
from medviewer.domain.provenance import Provenance
from medviewer.errors import UnsuitableImageError
from medviewer.inference.suitability import check_suitable
from medviewer.jobs import Job
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.ui.translate import tr
from medviewer.ui.widgets.consent_dialog import ConsentDialog
from medviewer.ui.widgets.detection_list import DetectionList
from medviewer.ui.widgets.elided import ElidedLabel
from medviewer.ui.widgets.label_counter import LabelCounter
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.numbers import seconds
from medviewer.ui.widgets.parts import explain, keep_height, label, push, set_text, tool
from medviewer.ui.widgets.plugin_result import PluginResult
from medviewer.ui.widgets.run_options import RunOptions
from medviewer.ui.widgets.section import Section

_KINDS = {
    "segment": "Segmentation",
    "classify": "Classification",
    "detect": "Detection",
    "interactive": "Segmentation by clicks",
}


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
    """A healthy plugin. It shows what the session has of it: a mask, a classification, or nothing.

    `asked` is sent when the user wants to look into the plugins.
    """

    asked = Signal()

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
        self._waits_for_trust = waits_for_trust(plugin)
        self._counter = LabelCounter(self)
        self._counter.changed.connect(self._show_result)
        self._make_parts()
        self._lay_out()
        for part in (self, self.fold, self._inside):
            keep_height(part)
        session = services.session.events
        for signal in (session.image, session.busy_plugins, session.models_revision):
            self._links.add(signal, self.refresh)
        self._links.add(session.classification, self._show_result)
        self._links.add(session.detections, self._show_result)
        self._links.add(session.mask, self._follow_mask)
        self._links.add(services.runner.started, self._on_started)
        self._follow_mask(services.session.mask)
        self.refresh()

    # -- parts

    def _make_parts(self) -> None:
        name = self.manifest.name
        clicks = answers_clicks_only(self.manifest)
        self._running_says = f"Click with {name} on the open image" if clicks else f"Run {name} on the open image"
        words, picture = ("Click", "click") if clicks else ("Run", "play")
        self.run_button = push(words, self._running_says, self.run, picture, primary=True)
        self.fetch_button = push(
            "Download weights…", f"{name} comes without its weights: get them", self.ask, "download"
        )
        self.cancel_button = tool("cancel", f"Stop {name}", self.cancel)
        self.description = ElidedLabel(self.manifest.description)
        self.description.setProperty("role", "quiet")
        kinds = [text for kind, text in _KINDS.items() if kind in self.manifest.kinds]
        explain(self.description, f"{', '.join(map(tr, kinds))}. {self.manifest.description}")
        self.reason = label(role="quiet", wrap=True)
        self.bar = QProgressBar(textVisible=False)
        explain(self.bar, f"How far {name} is", f"Progress of {name}")
        self.step = ElidedLabel()
        self.step.setProperty("role", "quiet")
        self.found = PluginResult()
        self.finds = DetectionList(self._services, self.plugin.id)
        self.trust_button = push("Trust…", f"See what {name} is, and whether you trust it", self.show_plugins, "trust")
        self.options: RunOptions | None = None
        self._inside = QWidget()
        QVBoxLayout(self._inside).setContentsMargins(0, 0, 0, 0)
        self.fold = Section("Options", self._inside)
        self.fold.expanded = False
        self.fold.toggled.connect(self._unfold)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        name = ElidedLabel(self.manifest.name)
        name.setProperty("role", "title")
        name.setToolTip(f"{self.manifest.name} {self.manifest.version}")
        head.addWidget(name, 1)
        for button in (self.run_button, self.fetch_button, self.trust_button, self.cancel_button):
            head.addWidget(button)
        box = QVBoxLayout(self)
        box.setContentsMargins(10, 8, 8, 8)
        box.setSpacing(4)
        box.addLayout(head)
        below: tuple[QWidget, ...] = (self.description, self.reason, self.bar, self.step)
        for part in (*below, self.found, self.finds, self.fold):
            box.addWidget(part)

    # -- from the user

    def show_plugins(self) -> None:
        """Open the dialog in which plugins are trusted."""
        self.asked.emit()

    def _unfold(self, expanded: bool) -> None:
        if not expanded:
            return
        if self.options is None:  # a form of a dozen fields a plugin, which most never open
            self.options = RunOptions(self._services, self.manifest)
            self.options.changed.connect(self._name_fold)
            layout = self._inside.layout()
            assert layout is not None
            layout.addWidget(self.options)
        self.options.refresh()

    def _name_fold(self) -> None:
        count = self._services.choices.get(self.plugin.id, RunChoice()).changed
        self.fold.rename(f"Options ({count} changed)" if count else "Options")

    def run(self) -> None:
        """Run the plugin on the open image."""
        if answers_clicks_only(self.manifest):
            self._services.attempt(lambda: view.click_with(self._services, self.plugin.id))
            return
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
        free = self._job is None or self._job.done  # what reads the other channels ends by starting the run itself
        if free and job.title.startswith(f"{self.manifest.name}:"):
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
        if self._job is not None and not self._job.done:
            return  # the end of one that another has taken over from
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
        self.step.setText(tr((job.message if job is not None else "") or "Starting"))

    # -- from the session

    def refresh(self, *_: object) -> None:
        """Bring buttons, reason and result up to date."""
        here = predict.weights_present(self._services, self.plugin)
        running = self._job is not None
        busy = self.plugin.id in self._services.session.busy_plugins
        why_not = obstacle(self._services, self.manifest)
        untrusted = self._waits_for_trust
        fetchable = self.manifest.weights.fetch and not here and not untrusted
        self.run_button.setVisible(not running and not fetchable and not untrusted)
        self.trust_button.setVisible(untrusted)
        self.run_button.setEnabled(here and not why_not and not busy)
        self.fetch_button.setVisible(not running and fetchable)
        self.cancel_button.setVisible(running)
        if untrusted:
            why_not = "It brings code that nobody has trusted yet: nothing of it runs."
        elif not here and not fetchable:
            why_not = "The weights are missing; install the plugin again."
        elif fetchable:
            why_not = "Its weights are not on this machine yet."
        self.run_button.setToolTip(tr(why_not or self._running_says))
        set_text(self.reason, "" if running else why_not)
        if self.options is not None and self.fold.expanded:
            self.options.refresh()
        self._name_fold()
        self._show_progress()
        self._show_result()

    def _follow_mask(self, store: MaskStore | None) -> None:
        ours = store is not None and store.base.provenance.plugin_id == self.plugin.id
        self._counter.start(store.base.labels if store is not None and ours else None)
        self._show_result()

    def _show_result(self, *_: object) -> None:
        session = self._services.session
        store, classified, boxes = session.mask, session.classification, session.detections
        if store is not None and store.base.provenance.plugin_id == self.plugin.id:
            made, voxel_ml, counted = store.base.provenance, store.base.grid.voxel_ml, self._counter
            lines = [
                f"{s.name} {millilitres(counted.count(s.label) * voxel_ml)}"
                for s in (store.base.segments if counted.complete else ())
            ]
            self.found.show_volumes(lines, made, self._time_of(made), self.manifest.notes)
        elif classified is not None and classified.provenance.plugin_id == self.plugin.id:
            self.found.show_classes(classified, self._time_of(classified.provenance), self.manifest.notes)
        elif boxes is not None and boxes.provenance.plugin_id == self.plugin.id:
            made = boxes.provenance
            self.found.show_volumes([f"{said(boxes)}."], made, self._time_of(made), self.manifest.notes)
        else:
            self.found.clear()

    def _time_of(self, made: Provenance) -> str:
        """How long the result that is shown took; empty when it is from another day."""
        return self._took[1] if self._took is not None and self._took[0] == made.created else ""


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
