"""Ask why, and look at the answer."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from medviewer.app.commands import doubtful, heatmaps, predict
from medviewer.app.commands import explain as commands
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.domain.finding import Classification, Detections
from medviewer.domain.heatmap import Heatmap
from medviewer.explain.methods import METHODS
from medviewer.jobs import Job
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.ui.translate import tr
from medviewer.ui.widgets.links import Links
from medviewer.ui.widgets.parts import GAP, MARGIN, combo, explain, label, push, refill, set_text, slider, tool
from medviewer.ui.widgets.plugin_card import obstacle

COLOUR_MAPS = ("inferno", "magma", "plasma", "viridis", "turbo")
"""Colour maps that a heat map can be drawn in; all but the last are even to the eye and safe for colour-blind users."""

_OWN_ANSWER = "The model's answer"

_TITLES = {"saliency": "Saliency"}
"""Methods whose name is a word, for translators; the others are names."""


class SaliencyPanel(QWidget):
    """Chooses plugin, method and target of an explanation, runs it, and sets how the heat map is drawn."""

    def __init__(self, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._links = Links(self)
        self._job_links = Links(self)
        self._job: Job[Any] | None = None
        self._make_parts()
        self._lay_out()
        session, look = services.session.events, services.session.view.events
        for signal in (session.image, session.models_revision, session.plugins_revision, session.busy_plugins):
            self._links.add(signal, self.refresh)
        for signal in (session.heatmap, session.heatmaps):
            self._links.add(signal, self._show_heatmap)
        for signal in (look.heat_opacity, look.heat_colormap, look.doubt_colormap, look.heat_visible):
            self._links.add(signal, self._show_look)
        self._busy: frozenset[str] = services.session.busy_plugins
        self._links.add(session.busy_plugins, self._follow_busy)
        self._links.add(session.mask, self._follow_mask)
        for result in (session.heatmap, session.classification, session.detections):
            self._links.add(result, self._follow_result)
        self.refresh()
        self._show_heatmap()
        self._follow_mask(services.session.mask)
        self._follow_result(services.session.heatmap)

    # -- parts

    def _make_parts(self) -> None:
        self.plugins = combo("Model whose answer is explained", "Plugin")
        self.methods = combo("How the explanation is computed", "Method")
        self.targets = combo("What is explained", "Target")
        self.plugins.currentIndexChanged.connect(self._plugin_chosen)
        refill(self.methods, [(_TITLES.get(key, name), key) for key, name in METHODS.items()])
        self.run_button = push("Explain", "Show what moved the model's answer", self.run, "explain", primary=True)
        self.cancel_button = tool("cancel", "Stop explaining", self.cancel)
        self.bar = QProgressBar(textVisible=False)
        explain(self.bar, "How far the explanation is", "Progress of the explanation")
        self.reason = label(role="quiet", wrap=True)
        self.shown = QCheckBox(tr("Show"))
        explain(self.shown, "Show or hide the heat map", "Show the heat map")
        self.shown.toggled.connect(self._shown_toggled)
        self.opacity = slider(0, 100, "How much of the image the heat map covers", "Heat map opacity")
        self.opacity.valueChanged.connect(self._opacity_moved)
        self.figure = label(role="quiet")
        self.figure.setMinimumWidth(34)
        self.figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.colour_maps = combo("Colours of the heat map, from low to high", "Colour map")
        refill(self.colour_maps, [(name.capitalize(), name) for name in COLOUR_MAPS])
        self.colour_maps.currentIndexChanged.connect(self._colour_map_chosen)
        self.maps = combo("Which of the maps at hand lies over the image", "Shown map")
        self.maps.currentIndexChanged.connect(self._map_chosen)
        self.what = label(wrap=True)
        self.notes = label(role="warning", wrap=True)
        self.next_button = push(
            "Next doubtful place",
            "Put the crosshair where the model was most in doubt, and then where it was next (U)",
            self.next_place,
            "doubt",
        )
        self.clear_button = push("Clear", "Take the heat map away", lambda: heatmaps.clear(self._services))

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(MARGIN, 4, MARGIN, MARGIN)
        box.setSpacing(GAP)
        self.chooser = _form(("Plugin", self.plugins), ("Method", self.methods), ("Target", self.targets))
        box.addWidget(self.chooser)
        box.addWidget(self.reason)
        row = QHBoxLayout()
        for part in (self.run_button, self.bar, self.cancel_button):
            row.addWidget(part)
        row.addStretch(1)
        box.addLayout(row)
        self.look = QWidget()
        look = QVBoxLayout(self.look)
        look.setContentsMargins(0, 2, 0, 0)
        look.setSpacing(GAP)
        self.choice = _form(("Map", self.maps))
        look.addWidget(self.choice)
        look.addWidget(self.what)
        look.addWidget(self.notes)
        opacity = QWidget()
        line = QHBoxLayout(opacity)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.opacity, 1)
        line.addWidget(self.figure)
        look.addWidget(_form(("Opacity", opacity), ("Colours", self.colour_maps)))
        last = QHBoxLayout()
        last.addWidget(self.shown)
        last.addStretch(1)
        last.addWidget(self.clear_button)
        look.addLayout(last)
        look.addWidget(self.next_button, 0, Qt.AlignmentFlag.AlignLeft)
        box.addWidget(self.look)
        box.addStretch(1)

    # -- from the user

    def run(self) -> None:
        """Explain the chosen plugin's answer for the open image."""
        plugin_id, method, target = (box.currentData() for box in (self.plugins, self.methods, self.targets))
        services = self._services
        job = services.attempt(lambda: commands.run(services, plugin_id, method=method, label=target))
        if job is not None:
            self._job_links.cut()
            self._job = job
            self._job_links.add(job.progressed, self._show_progress)
            self._job_links.add(job.finished, self._finished)
            self.refresh()

    def cancel(self) -> None:
        """Stop the explanation that runs."""
        if self._job is not None:
            self._job.cancel()

    def _plugin_chosen(self, *_: object) -> None:
        plugin = next((p for p in self._services.plugins if p.id == self.plugins.currentData()), None)
        labels = plugin.manifest.outputs.labels if plugin is not None and plugin.manifest is not None else ()
        refill(self.targets, [(_OWN_ANSWER, None), *((spec.name, k) for k, spec in enumerate(labels))])

    def _shown_toggled(self, shown: bool) -> None:
        self._services.session.view.heat_visible = shown

    def _opacity_moved(self, value: int) -> None:
        self._services.session.view.heat_opacity = value / 100

    def _colour_map_chosen(self, *_: object) -> None:
        session, chosen = self._services.session, self.colour_maps.currentData()
        if session.heatmap is not None and session.heatmap.is_doubt:
            session.view.doubt_colormap = chosen
        else:
            session.view.heat_colormap = chosen

    def _map_chosen(self, number: int) -> None:
        maps = self._services.session.heatmaps
        if 0 <= number < len(maps):
            heatmaps.show(self._services.session, maps[number])

    def next_place(self) -> None:
        """Go to the next place that the model was in doubt about."""
        services = self._services
        services.attempt(lambda: doubtful.go_on(services))

    # -- from the session

    def refresh(self, *_: object) -> None:
        """Offer the plugins that can explain the open image."""
        fitting = self._fitting()
        refill(self.plugins, [(p.manifest.name, p.id) for p in fitting if p.manifest is not None])
        self._plugin_chosen()
        self.chooser.setVisible(bool(fitting))
        chosen = next((p for p in fitting if p.id == self.plugins.currentData()), None)
        ready = chosen is not None and predict.weights_present(self._services, chosen)
        self.run_button.setEnabled(ready and self._job is None)
        self.run_button.setVisible(bool(fitting))
        set_text(self.reason, self._reason(fitting, ready))
        self._show_progress()

    def _follow_busy(self, busy: frozenset[str]) -> None:
        """A plugin was asked to run or to explain, here or elsewhere: it is the one that is meant."""
        begun, self._busy = busy - self._busy, busy
        for plugin_id in begun:
            self._mean(plugin_id)

    def _follow_mask(self, store: MaskStore | None) -> None:
        if store is not None:
            self._mean(store.base.provenance.plugin_id)

    def _follow_result(self, result: Heatmap | Classification | Detections | None) -> None:
        if result is not None:
            self._mean(result.provenance.plugin_id)

    def _mean(self, plugin_id: str) -> None:
        """Choose the plugin that the user is looking at, where it can explain; until then the user's choice holds."""
        at = self.plugins.findData(plugin_id)
        if at >= 0 and at != self.plugins.currentIndex():
            self.plugins.setCurrentIndex(at)
            self.refresh()

    def _fitting(self) -> list[DiscoverResult]:
        return [
            plugin
            for plugin in self._services.plugins
            if plugin.manifest is not None
            and plugin.enabled
            and "explain" in plugin.manifest.kinds
            and not obstacle(self._services, plugin.manifest)
        ]

    def _reason(self, fitting: list[DiscoverResult], ready: bool) -> str:
        if self._services.session.image is None:
            return "Open a study first."
        if not fitting:
            return "No installed plugin can explain an answer for this image."
        return "" if ready else "Its weights are not on this machine yet: download them in the AI panel."

    def _finished(self) -> None:
        self._job_links.cut()
        self._job = None
        self.refresh()

    def _show_progress(self, *_: object) -> None:
        job = self._job
        self.bar.setVisible(job is not None)
        self.cancel_button.setVisible(job is not None)
        fraction = job.fraction if job is not None else 0.0
        self.bar.setRange(0, 100 if fraction > 0 else 0)
        self.bar.setValue(round(fraction * 100))
        self.bar.setToolTip(tr((job.message if job is not None else "") or "How far the explanation is"))

    def _show_heatmap(self, *_: object) -> None:
        session = self._services.session
        heatmap, maps = session.heatmap, session.heatmaps
        self.look.setVisible(heatmap is not None)
        refill(self.maps, [(_title(one), k) for k, one in enumerate(maps)])
        blocker = QSignalBlocker(self.maps)
        self.maps.setCurrentIndex(next((k for k, one in enumerate(maps) if one is heatmap), -1))
        blocker.unblock()
        self.choice.setVisible(len(maps) > 1)
        self.next_button.setVisible(heatmaps.doubt_map(session) is not None)
        self.what.setText(heatmap.label if heatmap is not None else "")
        set_text(self.notes, " ".join(heatmap.provenance.notes) if heatmap is not None else "")
        self._show_look()

    def _show_look(self, *_: object) -> None:
        look, heatmap = self._services.session.view, self._services.session.heatmap
        colours = look.doubt_colormap if heatmap is not None and heatmap.is_doubt else look.heat_colormap
        blocked = [QSignalBlocker(part) for part in (self.opacity, self.colour_maps, self.shown)]
        self.opacity.setValue(round(look.heat_opacity * 100))
        self.colour_maps.setCurrentIndex(self.colour_maps.findData(colours))
        self.shown.setChecked(look.heat_visible)
        self.figure.setText(f"{look.heat_opacity:.0%}")
        for blocker in blocked:
            blocker.unblock()


def _title(heatmap: Heatmap) -> str:
    """What a map shows, in a few words."""
    return f"{'Doubt' if heatmap.is_doubt else 'Reasons'}: {heatmap.method} of {heatmap.target}"


def _form(*rows: tuple[str, QWidget]) -> QWidget:
    made = QWidget()
    grid = QGridLayout(made)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(10)
    grid.setVerticalSpacing(4)
    grid.setColumnMinimumWidth(0, 48)
    grid.setColumnStretch(1, 1)
    for k, (name, part) in enumerate(rows):
        grid.addWidget(label(name, "quiet"), k, 0)
        grid.addWidget(part, k, 1)
    return made
