"""Run a plugin on an image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from medviewer.app.commands import heatmaps, masks, results
from medviewer.app.commands.arriving import check_complete
from medviewer.app.mask_store import of_phase
from medviewer.app.services import Services
from medviewer.domain.finding import Classification
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series
from medviewer.errors import InputError, WeightsMissingError
from medviewer.inference.client import base_weights, submit_prediction
from medviewer.inference.fetch import submit_fetch
from medviewer.jobs import Job
from medviewer.plugin_api.discovery import DiscoverResult

Prediction = Segmentation | Classification


def submit(
    services: Services,
    image: Image,
    series: Series,
    plugin_id: str,
    *,
    device: str = "auto",
    version: str | None = None,
    parameters: dict[str, Any] | None = None,
) -> Job[Prediction]:
    """Run a plugin on an image in its child process; nothing of the session is touched.

    Raises
    ------
    UnsuitableImageError, WeightsMissingError
        At once, if the image is not one for this plugin, or its weights are not here.
    """
    plugin = services.plugin(plugin_id)
    chosen, weights = active_weights(services, plugin, version)
    job = submit_prediction(
        services.runner, image, series, plugin, weights, chosen, device=device, parameters=parameters
    )
    return cast("Job[Prediction]", job)


def run(services: Services, plugin_id: str, *, device: str = "auto") -> Job[Prediction]:
    """Run a plugin on the open image and show what it found."""
    session = services.session
    image, series = session.shown, session.series
    if image is None or series is None:
        raise InputError("There is no open image to run on; open a study first.")
    check_complete(session)
    job = submit(services, image, series, plugin_id, device=device)
    phase = image.phase if image.dynamic is not None else None
    session.busy_plugins = session.busy_plugins | {plugin_id}

    def found(result: Prediction) -> None:
        maps: tuple[Heatmap, ...] = ()
        if isinstance(result, Segmentation):
            maps = tuple(replace(one, series_uid=series.uid) for one in result.uncertainty)
            result = replace(result if phase is None else of_phase(result, phase), uncertainty=())
        is_open = session.series is not None and session.series.uid == series.uid
        if is_open and session.arrival is None:
            _show(services, result, maps)
        elif isinstance(result, Segmentation):  # it comes back with its series, which may be on its way just now
            services.saves.submit(series.uid, result)
        if isinstance(result, Classification):
            services.archive.results.save_classification(replace(result, series_uid=series.uid))
        for one in reversed(maps):  # the first is the newest then, and is shown first when the series is opened again
            results.keep_heatmap(services, one)

    def idle() -> None:
        session.busy_plugins = session.busy_plugins - {plugin_id}

    return services.when_done(job, found, idle)


def fetch(services: Services, plugin_id: str) -> Job[Path]:
    """Fetch a plugin's weights. Call it only after the user has agreed to their source and licence."""
    plugin = services.plugin(plugin_id)
    session = services.session
    session.busy_plugins = session.busy_plugins | {plugin_id}
    job = submit_fetch(services.runner, plugin, services.archive.home)

    def fetched(_: Path) -> None:
        session.models_revision += 1
        session.say(f"The weights of {plugin_id} are here.", "ok")

    def idle() -> None:
        session.busy_plugins = session.busy_plugins - {plugin_id}

    return services.when_done(job, fetched, idle)


def weights_present(services: Services, plugin: DiscoverResult) -> bool:
    """Whether a plugin can run without fetching anything."""
    return base_weights(plugin, services.archive.home).is_file()


def active_weights(services: Services, plugin: DiscoverResult, version: str | None = None) -> tuple[str, Path]:
    """The version that runs (the active one unless named) and its weights' file."""
    base = base_weights(plugin, services.archive.home)
    if not base.is_file():
        raise WeightsMissingError(
            f"The weights of {plugin.id} are not on this machine yet; read where they come from and fetch them "
            f"with the panel's button or: medviewer plugin fetch {plugin.id}"
        )
    services.registry.ensure_base(plugin, base)
    chosen = version or services.registry.active(plugin.id).version
    return chosen, services.registry.weights_path(plugin.id, chosen)


def _show(services: Services, result: Prediction, maps: tuple[Heatmap, ...] = ()) -> None:
    session = services.session
    if isinstance(result, Segmentation):
        heatmaps.forget_doubt(session)
        heatmaps.offer(session, maps)
        masks.replace_with(services, result)
        session.view.mask_visible = True
        volumes = ", ".join(f"{s.name} {result.volume_ml(s.label):.0f} ml" for s in result.segments)
        text = f"{volumes} ({result.provenance.label})."
    else:
        session.classification = result
        name, probability = result.top
        text = f"{name} {probability:.2f} ({result.provenance.label})."
    notes = result.provenance.notes
    session.say(f"{text} {' '.join(notes)}".strip(), "warning" if notes else "ok")
