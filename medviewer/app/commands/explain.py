"""Ask why: a heat map of what moved a model's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medviewer.app.commands import heatmaps, results
from medviewer.app.commands.arriving import check_complete
from medviewer.app.commands.predict import active_weights
from medviewer.app.commands.weights import begin_work, once_read
from medviewer.app.mask_store import of_phase
from medviewer.app.run_choice import RunChoice
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.errors import InputError
from medviewer.explain.client import submit_explanation
from medviewer.jobs import Job

if TYPE_CHECKING:
    from medviewer.app.services import Services


def submit(
    services: Services,
    image: Image,
    series: Series,
    plugin_id: str,
    *,
    method: str = "gradcam",
    label: int | None = None,
    device: str = "auto",
    version: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Job[Heatmap]:
    """Explain a plugin's answer for an image in its child process; nothing of the session is touched.

    Parameters
    ----------
    label
        Index of the explained label in the manifest; None explains the answer that the model gives.
    version
        The model version that is explained, by default the active one.
    parameters
        Values of the manifest's parameters that are not the defaults.
    """
    plugin = services.plugin(plugin_id)
    chosen, weights = active_weights(services, plugin, version)
    return submit_explanation(
        services.runner,
        image,
        series,
        plugin,
        weights,
        chosen,
        method=method,
        label=label,
        device=device,
        parameters=parameters,
    )


def run(services: Services, plugin_id: str, *, method: str = "gradcam", label: int | None = None) -> Job[Any]:
    """Explain a plugin's answer for the open image and show the heat map.

    Where its weights are large and were never read they are read first; the job returned is that, then.
    """
    session = services.session
    image, series = session.shown, session.series
    if image is None or series is None:
        raise InputError("There is no open image to explain; open a study first.")
    check_complete(session)
    choice = services.choices.get(plugin_id, RunChoice())
    phase = image.phase if image.dynamic is not None else None

    def found(heatmap: Heatmap) -> None:
        heatmap = heatmap if phase is None else of_phase(heatmap, phase)
        if session.series is not None and session.series.uid == series.uid and session.arrival is None:
            heatmaps.offer(session, [heatmap])
            session.say(f"{heatmap.label}.", "ok")
        results.keep_heatmaps(services, replace(heatmap, series_uid=series.uid))

    def start() -> Job[Heatmap]:
        job = submit(services, image, series, plugin_id, method=method, label=label, parameters=choice.parameters)
        return services.when_done(job, found, begin_work(services, plugin_id))

    return once_read(services, plugin_id, (), start)
