"""Open studies and show series."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medviewer import formats
from medviewer.app.commands import (
    attachments,
    catalog,
    curved,
    fusion,
    hanging,
    hanging_plan,
    key_images,
    mask_restore,
    masks,
    measured_read,
    measuring,
    panes,
    recent,
    results,
)
from medviewer.app.commands.arriving import Arriving, early_window, take_away
from medviewer.app.commands.hanging_plan import Plan
from medviewer.app.hanging.in_use import is_own
from medviewer.app.presets import first_window, make_ready, opens_inverted
from medviewer.app.resources import resource
from medviewer.app.state import Arrival, Focus
from medviewer.domain.geometry import Vector
from medviewer.domain.image import Image
from medviewer.domain.study import ScanResult, Series, Study, Warning, is_usual
from medviewer.errors import NotFoundError, StoreError, UnreadableError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session

log = logging.getLogger(__name__)


def open_paths(services: Services, paths: Sequence[Path], show_first: bool = True, title: str = "") -> Job[ScanResult]:
    """Scan files, folders or archives off the home thread and list what they hold.

    Studies that are listed already are brought up to date, not doubled. The largest series is shown. `title` is what
    the user reads meanwhile, where the names of the paths say nothing.
    """
    chosen = [Path(path) for path in paths]

    def work(context: RunContext) -> ScanResult:
        hanging_plan.get_ready(services)
        return formats.scan(chosen, context.report, context.cancelled)

    title = title or (f"Opening {chosen[0].name}" if len(chosen) == 1 else f"Opening {len(chosen)} items")
    job = services.runner.submit(work, title=title)
    recent.follow(services, chosen, job)

    def found_some(found: ScanResult) -> None:
        _add(services, found, show_first)
        if not found.series and not found.warnings:
            attachments.announce(services, found)
            measured_read.dropped(services, chosen, found)
        catalog.register(services, found)

    return services.when_done(job, found_some)


def open_demo(services: Services) -> Job[ScanResult]:
    """Open the studies that come with the program."""
    return open_paths(services, [resource("demo")])


def show(services: Services, series: Series, plan: Plan | None = None, at: Vector | None = None) -> Job[Image]:
    """Load a series off the home thread and make it the open one; a newer request overtakes an older.

    It is on the screen as soon as its middle slice is there, and may be scrolled through while the others arrive.

    Parameters
    ----------
    plan
        What is to be hung with it; None for what fits its study best.
    at
        Where the crosshair is at first, mm; None for the middle.
    """
    generation = services.overtake()
    if services.session.arrival is not None:
        take_away(services.session)  # what is on the screen will never be whole
    notes: list[Warning] = []

    def wanted() -> bool:
        return generation == services.generation

    def told() -> Series:
        return replace(series, warnings=_joined(series.warnings, notes))

    def show_early(image: Image) -> None:
        masks.leave(services)
        hanging.remember(services)
        hanging.follow(services, present(services.session, series, image, Arrival(1, image.grid.shape[0]), at), plan)

    arriving = Arriving(services, show_early, wanted)

    def work(context: RunContext) -> Image:
        def early(image: Image) -> None:
            arriving.came(image)
            context.report(0.0, "Reading the other slices")

        image = formats.load(series, context.report, context.cancelled, warn=notes.append, early=early)
        make_ready(image)
        _read_ahead(services, series)
        return image

    def opened(image: Image) -> None:
        if arriving.shown:
            services.session.series = told()
            arriving.complete(image)
            _restore(services, told())
            hanging.read_rest(services)
        else:
            _present(services, told(), image, plan, at)
        if image.is_volume:
            services.runner.stage(image.at_phase(0).voxels if image.dynamic is not None else image.voxels)

    def over() -> None:
        if wanted():
            services.loading = None  # a finished job holds the image
            if job.error is None:
                return
            arriving.abandon()
        _forget_ahead(services)

    job = services.loading = services.runner.submit(work, title=f"Loading {series.description or series.modality}")
    job.progressed.connect(arriving.progressed)
    return services.when_done(job, opened, over, wanted)


def close(services: Services) -> None:
    """Close the open series; its mask is saved off the home thread."""
    masks.leave(services)
    services.overtake()
    session = services.session
    session.view.playing = False
    take_away(session)
    hanging.stop(services)
    services.hung_images.clear()
    session.hanging = None
    session.view.panes = session.view.arranged.panes
    panes.let_go(session)
    measuring.clear(session)


def find_series(found: ScanResult, uid: str | None = None) -> Series:
    """The series of that UID, or the first one.

    A Series Instance UID is enough where one series has it; `Series.uid` says what may follow it.

    Raises
    ------
    UnreadableError
        If nothing that can be opened was found; the text is one of the scan's warnings.
    NotFoundError
        If there are series, but none of that UID.
    """
    if not found.series:
        # One broken file is told by its own sentence; of many, the last says what all of them come to.
        told = [warning.text for warning in found.warnings] or ["No image was found; name files with images."]
        chosen = told.pop(0 if len(told) == 2 else -1)
        raise UnreadableError(chosen, "\n".join(told))
    for series in found.series:
        if uid in (None, series.uid):
            return series
    same = [series for series in found.series if series.instance_uid == uid]
    if len(same) == 1:
        return same[0]
    raise NotFoundError(f"There is no series {uid}; found are: {', '.join(s.uid for s in found.series)}.")


def include(services: Services, found: ScanResult) -> None:
    """Bring what a scan found into the session, and say what was wrong; nothing is shown, nothing is noted."""
    _add(services, found, show_first=False)


def _add(services: Services, found: ScanResult, show_first: bool) -> None:
    session = services.session
    new = {study.uid: study for study in found.studies}
    kept = tuple(_merged(study, new.pop(study.uid, None)) for study in session.studies)
    session.studies = (*kept, *new.values())
    if found.warnings:
        more = f" ({len(found.warnings)} warnings)" if len(found.warnings) > 1 else ""
        details = "\n".join(warning.text for warning in found.warnings)
        session.say(found.warnings[0].text + more, "warning" if found.studies else "error", details)
    if show_first and found.series:
        show(services, _first(services, found))


def _first(services: Services, found: ScanResult) -> Series:
    """The series to show of what was found: of the largest one's patient, the latest study that has its modality."""
    large = hanging_plan.largest(found.series)
    studies = services.session.studies
    first = _study_of(studies, large)
    if first is None:
        return large
    same = [one for one in found.studies if _is_later(one, first, large.modality)]
    latest = max(same, key=lambda one: one.date, default=first)
    listed = next((one for one in studies if one.uid == latest.uid), latest)
    return hanging_plan.first_series(services, listed)


def _is_later(study: Study, first: Study, modality: str) -> bool:
    """Whether a study is a later one of the same patient, with images of that modality."""
    (one, other) = study.patient, first.patient
    same = bool(one.id or one.name) and (one.id, one.name) == (other.id, other.name)
    return same and study.date > first.date > "" and any(series.modality == modality for series in study.series)


def _merged(listed: Study, found: Study | None) -> Study:
    """A listed study with what a scan found of it: its series are brought up to date, others of it stay or are added.

    A scan of one folder of a study finds only the series that lie there.
    """
    if found is None:
        return listed
    series = {known.uid: known for known in (*listed.series, *found.series)}
    attachments = {known.uid: known for known in (*listed.attachments, *found.attachments)}
    return replace(found, series=tuple(series.values()), attachments=tuple(attachments.values()))


def show_hung(services: Services, plan: Plan) -> Job[Any] | None:
    """Make a plan's main series the open one, and hang what the plan has.

    At once where a viewport beside has it, and nothing was kept of it that has to be read first.
    """
    hanging.remember(services)
    at_hand = services.hung_images.get(plan.main.uid)
    if at_hand is None:
        return show(services, plan.main, plan)
    generation = services.overtake()
    _, series, image = at_hand

    def wanted() -> bool:
        return generation == services.generation

    def over() -> None:
        if wanted():
            services.loading = services.stepping = None
            if job.error is None:
                return
        _forget_ahead(services)

    if not _is_kept(services, series):
        _present(services, series, image, plan)
        return None
    title = f"Loading {series.description or series.modality}"
    job = services.runner.submit(lambda _: _read_ahead(services, series), title=title)
    services.loading, services.stepping = job, plan
    return services.when_done(job, lambda _: _present(services, series, image, plan), over, wanted)


def _forget_ahead(services: Services) -> None:
    """Let go of what was read ahead and is not wanted; while another series is read, it may be that one's."""
    if services.loading is None:
        services.archive.ahead.clear()


def _present(
    services: Services, series: Series, image: Image, plan: Plan | None = None, at: Vector | None = None
) -> None:
    masks.leave(services)
    hanging.remember(services)
    hanging.follow(services, present(services.session, series, image, at=at), plan)
    _restore(services, series)
    hanging.read_rest(services)


def _is_kept(services: Services, series: Series) -> bool:
    """Whether something of a series has to be read by `_restore`, which tells what cannot be."""
    try:
        return mask_restore.is_kept(services, series) or results.are_kept(services, series.uid)
    except StoreError:
        return False


def _read_ahead(services: Services, series: Series) -> None:
    """Read, off the home thread, what `_restore` will bring back in a moment; it tells what cannot be read."""
    try:
        results.read_ahead(services, series.uid)
        mask_restore.read_ahead(services, series)
    except StoreError as error:
        log.info("what was kept of a series was not read ahead (%s)", type(error).__name__)


def _restore(services: Services, series: Series) -> None:
    """Bring back what was kept of a series that is now open as a whole, and say what is wrong with it."""
    results.restore(services)
    mask_restore.restore(services)
    services.archive.ahead.clear()
    measuring.restore(services)
    key_images.complete(services)
    alarming = [warning.text for warning in series.warnings if not is_usual(warning.text)]
    if alarming:
        details = "\n".join(warning.text for warning in series.warnings)
        services.session.say(alarming[0], "warning", details, series.uid)


def present(
    session: Session, series: Series, image: Image, arrival: Arrival | None = None, at: Vector | None = None
) -> bool:
    """Make a loaded series the open one, as it is first looked at; what was open is gone.

    The crosshair is in its middle, or as near to the place `at` in mm as it reaches.

    Returns
    -------
    Whether the layout stayed, because it is the user's own for the study.
    """
    view = session.view
    study = _study_of(session.studies, series)
    kept = study is not None and session.hanging is not None and session.hanging.study == study.uid and is_own(session)
    session.mask = session.heatmap = session.classification = session.detections = session.tour = None
    session.heatmaps = ()
    session.image = None
    if session.message is not None and session.message.series_uid not in ("", series.uid):
        session.message = None
    session.series, session.study = series, study
    measuring.enter(session)
    fusion.stay_or_go(session)
    curved.forget(session)
    view.phase, view.playing = 0, False
    middle = [n // 2 for n in image.grid.shape]
    view.cursor = image.grid.clamp(middle if at is None else image.grid.world_to_index(at))
    view.inverted, view.colours = opens_inverted(image), "gray"
    view.window = first_window(image) if arrival is None else early_window(image)
    view.focus = None if at is None else Focus(at, view.cursor)
    view.solid_shift, view.solid_stretch, view.solid_box = 0.0, 1.0, None
    panes.welcome(session, series.uid, study, image.is_volume, kept)
    panes.turn_back(session)
    session.arrival = arrival
    session.image = image
    return kept


def _study_of(studies: Sequence[Study], series: Series) -> Study | None:
    return next((study for study in studies if any(s.uid == series.uid for s in study.series)), None)


def _joined(first: Sequence[Warning], second: Sequence[Warning]) -> tuple[Warning, ...]:
    return tuple(dict.fromkeys((*first, *second)))
