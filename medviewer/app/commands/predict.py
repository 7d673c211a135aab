"""Run a plugin on an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from medviewer import formats
from medviewer.app.commands import detections, heatmaps, masks, results
from medviewer.app.commands.arriving import check_complete
from medviewer.app.commands.keeping import once_kept
from medviewer.app.commands.weights import begin_work, once_read, read_ahead
from medviewer.app.doubt_text import no_answer, warnings_of
from medviewer.app.mask_store import of_phase
from medviewer.app.run_choice import RunChoice
from medviewer.app.volumes import millilitres
from medviewer.domain.finding import Classification, Detections
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series
from medviewer.errors import InputError, WeightsMissingError
from medviewer.inference.acquiring.fetch import submit_fetch
from medviewer.inference.client import base_weights, submit_prediction
from medviewer.inference.preparing.channels import Channel
from medviewer.inference.request import RunOptions
from medviewer.jobs import Job
from medviewer.plugin_api import Manifest, RunContext
from medviewer.plugin_api.discovery import DiscoverResult

if TYPE_CHECKING:
    from medviewer.app.services import Services

Prediction = Segmentation | Classification | Detections


def submit(
    services: Services,
    image: Image,
    series: Series,
    plugin_id: str,
    *,
    device: str = "auto",
    version: str | None = None,
    choice: RunChoice | None = None,
    others: Mapping[str, Channel] | None = None,
    kept: bool = False,
) -> Job[Prediction]:
    """Run a plugin on an image in its child process; nothing of the session is touched.

    Parameters
    ----------
    device, version
        Take the place of what `choice` says.
    choice
        How it is to run.
    others
        Image and series of each further channel, by its name in the manifest.
    kept
        Whether what it finds will go to `keep`: a mask is then packed, copied and counted off the home thread.

    Raises
    ------
    UnsuitableImageError, WeightsMissingError, UntrustedError, InputError
        At once, if the image is not one for this plugin, its weights are not here, its code may not run, or something
        that was chosen is not possible.
    """
    plugin, how = services.plugin(plugin_id), choice or RunChoice()
    chosen, weights = active_weights(services, plugin, version or how.version or None)
    averaged = [one for one in how.ensemble if one != chosen]
    further = tuple(services.registry.weights_path(plugin.id, one) for one in averaged)
    hashes = tuple(services.registry.get(plugin.id, one).sha256 for one in averaged)
    job = submit_prediction(
        services.runner,
        image,
        series,
        plugin,
        weights,
        chosen,
        device=how.device if device == "auto" else device,
        parameters=how.parameters,
        options=RunOptions(how.tta, how.samples, how.uncertainty, further, hashes),
        others=others,
        arrived=(lambda found: masks.make_ready(services, found)) if kept else (lambda _: None),
    )
    return cast("Job[Prediction]", job)


def run(services: Services, plugin_id: str, *, device: str = "auto") -> Job[Any]:
    """Run a plugin on the open image, as was chosen for it, and show what it found.

    Where it looks at several series together, or its weights are large and were never read, these are read first; the
    job returned is that, then.
    """
    session = services.session
    image, series = session.shown, session.series
    if image is None or series is None:
        raise InputError("There is no open image to run on; open a study first.")
    check_complete(session)
    choice = services.choices.get(plugin_id, RunChoice())
    manifest = services.plugin(plugin_id).manifest
    assert manifest is not None
    if plugin_id in session.busy_plugins:  # the menu and its keys, for the card has no button then
        raise InputError(f"{manifest.name} is at work already; wait for it, or stop it on its card.")
    wanted = chosen_channels(services, manifest, choice)

    def work(context: RunContext) -> dict[str, Channel]:
        return {name: (formats.load(one, context.report, context.cancelled), one) for name, one in wanted.items()}

    def read(others: dict[str, Channel]) -> None:
        _run(services, plugin_id, image, series, device, choice, others)

    def start() -> Job[Any]:
        if not wanted:
            return _run(services, plugin_id, image, series, device, choice, None)
        job = services.runner.submit(work, title=f"{manifest.name}: reading its other channels")
        return services.when_done(job, read, begin_work(services, plugin_id))

    return once_read(services, plugin_id, (choice.version, *choice.ensemble), start)


def chosen_channels(services: Services, manifest: Manifest, choice: RunChoice) -> dict[str, Series]:
    """The series of each further channel of a plugin; the open series is the first.

    Raises
    ------
    InputError
        If one was not chosen, or is no longer there.
    """
    study = services.session.study
    known = {one.uid: one for one in study.series} if study is not None else {}
    found = {}
    for name in manifest.inputs.channels[1:]:
        one = known.get(choice.channels.get(name, ""))
        if one is None:
            raise InputError(f"{manifest.name} also needs {name}; choose a series of this study for it under Options.")
        found[name] = one
    return found


def _run(
    services: Services,
    plugin_id: str,
    image: Image,
    series: Series,
    device: str,
    choice: RunChoice,
    others: Mapping[str, Channel] | None,
) -> Job[Prediction]:
    job = submit(services, image, series, plugin_id, device=device, choice=choice, others=others, kept=True)
    phase = image.phase if image.dynamic is not None else None

    def found(result: Prediction) -> None:
        once_kept(services, lambda: keep(services, series, result, phase))

    return services.when_done(job, found, begin_work(services, plugin_id))


def keep(
    services: Services, series: Series, result: Prediction, phase: int | None = None, *, over_work: bool = True
) -> None:
    """Keep what a plugin found with its series, and show it where that is open.

    Parameters
    ----------
    phase
        The one of several phases that it was found in.
    over_work
        Whether a mask takes the place of one that is open, or that a person made. If not it is kept as a version below.
    """
    session = services.session
    maps: tuple[Heatmap, ...] = ()
    if isinstance(result, Detections) and phase is not None:
        result = of_phase(result, phase)
    if isinstance(result, Segmentation):
        maps = tuple(replace(one, series_uid=series.uid) for one in result.uncertainty)
        maps = maps if phase is None else tuple(of_phase(one, phase) for one in maps)
        result = replace(result if phase is None else of_phase(result, phase), uncertainty=())
    is_open = session.series is not None and session.series.uid == series.uid
    in_the_way = isinstance(result, Segmentation) and session.mask is not None and not over_work
    if is_open and session.arrival is None and not in_the_way:
        _show(services, result, maps)
    elif isinstance(result, Segmentation):  # it comes back with its series, which may be on its way just now
        services.saves.submit(series.uid, result, over_work=over_work)
    if isinstance(result, Classification):
        services.archive.results.save_classification(replace(result, series_uid=series.uid))
    if isinstance(result, Detections):
        services.archive.results.save_detections(replace(result, series_uid=series.uid))
    if maps:  # the first as the newest: it is shown first when the series is opened again
        results.keep_heatmaps(services, *reversed(maps))


def fetch(services: Services, plugin_id: str) -> Job[Path]:
    """Fetch a plugin's weights. Call it only after the user has agreed to their source and licence."""
    plugin = services.plugin(plugin_id)
    session = services.session
    job = submit_fetch(services.runner, plugin, services.archive.home)

    def fetched(_: Path) -> None:
        session.models_revision += 1
        session.say(f"The weights of {plugin_id} are here.", "ok")
        read_ahead(services)

    return services.when_done(job, fetched, begin_work(services, plugin_id))


def weights_present(services: Services, plugin: DiscoverResult) -> bool:
    """Whether a plugin can run without fetching anything."""
    return base_weights(plugin, services.archive.home).is_file()


def active_weights(services: Services, plugin: DiscoverResult, version: str | None = None) -> tuple[str, Path]:
    """The version that runs (the active one unless named) and its weights' file."""
    base = base_weights(plugin, services.archive.home)
    if not base.is_file():
        raise WeightsMissingError(
            f"The weights of {plugin.id} are not on this machine yet; read where they come from and download them "
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
        count, voxel_ml = partial(services.masks_ahead.count, result.labels), result.grid.voxel_ml
        volumes = ", ".join(f"{s.name} {millilitres(count(s.label) * voxel_ml)}" for s in result.segments)
        text = f"{volumes} ({result.provenance.label})."
    elif isinstance(result, Detections):
        text = f"{detections.show(services, result)} ({result.provenance.label})."
    else:
        session.classification = result
        name, probability = result.top
        text = no_answer(result) or f"{name} {probability:.2f}."
        text = f"{text[:-1]} ({result.provenance.label})."
    made = result.provenance
    told = [one for one in warnings_of(made.doubt, made.notes) if not text.startswith(one[:-1])]
    session.say(f"{text} {' '.join(told)}".strip(), "warning" if told or made.doubt.flags else "ok")
