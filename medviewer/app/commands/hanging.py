"""Hang a study that is opened: which protocol, what in which viewport, and reading what is shown beside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medviewer.app.commands import beside, fusion, panes
from medviewer.app.hanging import library
from medviewer.app.hanging.choosing import Place, chosen, comparable, placed, ranked, what, why
from medviewer.app.hanging.companions import at_hand, share_a_frame
from medviewer.app.hanging.in_use import Hanging, Prior, arranged, is_own
from medviewer.app.hanging.layouts import NOTHING, Look, Pane, plane_for
from medviewer.app.hanging.orienting import turn_to
from medviewer.app.hanging.protocol import Hung, Overlay, Protocol
from medviewer.app.presets import found_window, windows_for
from medviewer.domain.geometry import Vector
from medviewer.domain.image import Image, Window
from medviewer.domain.plane import UNTURNED
from medviewer.domain.study import Series, Study

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session

_SWITCHED_OFF = "Studies are not hung by protocols when they are opened, as you chose."
_NONE_FITS = "No hanging protocol fits this study."


@dataclass(frozen=True)
class Plan:
    """What is to be hung.

    Parameters
    ----------
    protocol, step
        By what.
    main
        The series that masks and models are about.
    prior
        The earlier study that there is, or None.
    why
        Why this protocol.
    by_hand
        Whether the user chose it.
    """

    protocol: Protocol
    step: int
    main: Series
    prior: Prior | None
    why: str
    by_hand: bool = False


# -- which


def protocols(services: Services) -> tuple[Protocol, ...]:
    """Every protocol that there is: the user's first."""
    own = [row.protocol for row in library.own_rows(services.archive.home) if row.protocol is not None]
    return (*own, *library.shipped())


def get_ready(services: Services) -> None:
    """Read every protocol, off the home thread: to check one of the user's takes long."""
    library.shipped()
    library.own_rows(services.archive.home)


def first_series(services: Services, study: Study) -> Series:
    """The series that a study is opened with: the largest, unless the protocol that fits the study shows another."""
    plan = decide(services, study, None) if services.session.hang_automatic else None
    return largest(study.series) if plan is None else plan.main


def largest(series: Iterable[Series]) -> Series:
    """The one with most slices; of several, the first."""
    return max(series, key=lambda one: one.grid.shape[0])


def decide(services: Services, study: Study, main: Series | None) -> Plan | None:
    """The protocol that fits a study best, and shows the series that it is opened with; None where none does."""
    if not study.series:
        return None
    asked = main or largest(study.series)
    prior = prior_of(services, study, asked)
    fits = ranked((one for one in protocols(services) if one.automatic), study, asked, prior is not None)
    for found in fits:
        plan = plan_of(found.protocol, study, main, prior, why(found, [one for one in fits if one is not found]))
        if plan is not None:
            return plan
    return None


def plan_of(
    protocol: Protocol, study: Study, main: Series | None, prior: Prior | None, reason: str = "", by_hand: bool = False
) -> Plan | None:
    """What a protocol makes of a study: its first step that shows the main series; None where no step does.

    Parameters
    ----------
    main
        The series that has to be shown; None for any: the largest where it is shown, else the first that is.
    """
    under = _under(protocol, study) if main is None else None
    asked = main or under or largest(study.series)
    for number in range(len(protocol.steps)):
        shown = shown_by(protocol, number, study, asked, prior)
        if any(series.uid == asked.uid for series in shown):
            return Plan(protocol, number, asked, prior, reason, by_hand)
        if main is None and shown:
            return Plan(protocol, number, shown[0], prior, reason, by_hand)
    return None


def _under(protocol: Protocol, study: Study) -> Series | None:
    """The series that a protocol lays something over: it has to be the main one."""
    found = (hung for step in protocol.steps for hung in step.viewports if hung.overlay is not None)
    first = next(found, None)
    return None if first is None else chosen(first.series, study.series, largest(study.series))


def shown_by(protocol: Protocol, step: int, study: Study, main: Series, prior: Prior | None) -> list[Series]:
    """The series of the opened study that a step shows, in the order of its viewports."""
    _, places = placed(protocol.steps[step], study, main, None if prior is None else prior.study)
    return [place.series for place in places if place.hung.of == "current" and place.series is not None]


def prior_of(services: Services, study: Study, main: Series) -> Prior | None:
    """The latest earlier study of the same patient that has images to compare, of the list or of the catalogue."""
    patient = study.patient
    if not study.date or not (patient.id or patient.name):
        return None
    known = {one.uid for one in services.session.studies}
    found = [
        Prior(one.uid, one.date, one)
        for one in services.session.studies
        if one.uid != study.uid
        and one.patient.same_as(patient)
        and "" < one.date < study.date
        and any(
            _comparable(main, study, s.modality, s.body_part, f"{one.description} {s.description}") for s in one.series
        )
    ]
    latest = max((one.date for one in found), default="")
    catalog = services.archive.catalog
    for entry in reversed(catalog.of_patient(patient)):  # the latest first
        if entry.uid == study.uid or entry.uid in known or not latest < entry.date < study.date:
            continue
        if main.modality in entry.modalities and any(
            _comparable(main, study, s.modality, s.body_part, f"{entry.description} {s.description}")
            for s in catalog.series_of(entry.uid)
        ):
            return Prior(entry.uid, entry.date)
    return max(found, key=lambda one: one.date, default=None)


def _comparable(main: Series, study: Study, modality: str, body_part: str, text: str) -> bool:
    if modality != main.modality:
        return False
    return comparable(main.body_part, f"{study.description} {main.description}", body_part, text)


# -- hanging


def follow(services: Services, kept: bool, plan: Plan | None = None) -> None:
    """A series was made the main one: hang its study by what fits it, unless the user laid it out already.

    Parameters
    ----------
    kept
        Whether the layout is the user's own for this study.
    plan
        What is to be hung, where somebody decided that already.
    """
    session = services.session
    study, series, former = session.study, session.series, session.hanging
    if study is None or series is None or session.image is None:
        session.hanging = None
        return
    if kept and plan is None:
        services.hung_images.clear()
        return
    if (
        plan is None
        and former is not None
        and former.study == study.uid
        and former.by_hand
        and former.protocol is not None
    ):
        plan = plan_of(former.protocol, study, series, former.prior, former.why, by_hand=True)
    if plan is None and session.hang_automatic:
        plan = decide(services, study, series)
    if plan is None:
        _release_links(session)
        stop(services)
        services.hung_images.clear()
        reason = _NONE_FITS if session.hang_automatic else _SWITCHED_OFF
        session.hanging = Hanging(study.uid, why=reason, arranged=arranged(session), number=_next(session))
        return
    hang(services, plan)


def hang(services: Services, plan: Plan) -> None:
    """Hang what a plan has beside the open series, which is its main one; `read_rest` reads what is not there yet."""
    session = services.session
    study, main = session.study, session.series
    if study is None or main is None:
        return
    former = session.hanging
    if former is None or former.study != study.uid:
        services.hung_images.clear()
    remember(services)
    stop(services)
    _release_links(session)
    layout, places = placed(
        plan.protocol.steps[plan.step], study, main, None if plan.prior is None else plan.prior.study
    )
    number = _next(session)
    session.hanging = Hanging(
        study.uid, plan.protocol, plan.step, plan.why, plan.by_hand, places, plan.prior, number=number
    )
    _link(session, plan.protocol)
    panes.arrange(session, layout)
    session.view.panes = tuple(_pane(services, place) for place in places)
    shown = [k for k, pane in enumerate(session.view.panes) if not pane.series]
    session.view.active = shown[0] if shown else 0
    for uid in dict.fromkeys(place.series.uid for place in places if place.series is not None):
        if uid != main.uid and uid in services.hung_images:
            _land(services, number, *services.hung_images[uid])
    panes.let_go(session)
    _note_arranged(session)
    _forget_others(services, plan, study)


def _forget_others(services: Services, plan: Plan, study: Study) -> None:
    """Keep at hand only what some step of the protocol shows."""
    prior = None if plan.prior is None else plan.prior.study
    shown = {
        place.series.uid
        for step in plan.protocol.steps
        for place in placed(step, study, plan.main, prior)[1]
        if place.series is not None
    }
    for uid in services.hung_images.keys() - shown:
        del services.hung_images[uid]


def stop(services: Services) -> None:
    """What was being read to hang beside something else is not wanted any more."""
    for job in services.hung_jobs:
        if not job.done:
            job.cancel()
    services.hung_jobs.clear()


def remember(services: Services) -> None:
    """Keep at hand what is open, for a step of the protocol that shows it again."""
    session = services.session
    if session.series is not None and session.image is not None and session.arrival is None:
        services.hung_images[session.series.uid] = session.study, session.series, session.image
    for one in session.companions:
        services.hung_images[one.series.uid] = one.study, one.series, one.image


def read_rest(services: Services) -> None:
    """Read what hangs beside the main series and is not there yet: an earlier study's files first."""
    session = services.session
    hanging, main = session.hanging, session.series
    if hanging is None or hanging.protocol is None or main is None:
        return
    number, prior = hanging.number, hanging.prior
    if prior is not None and prior.study is None and any(place.hung.of == "prior" for place in hanging.places):
        _scan_prior(services, number, prior)
    _lay_over(services)
    there = {one.series.uid for one in session.companions}
    for place in hanging.places:
        if place.series is not None and place.series.uid != main.uid and place.series.uid not in there:
            there.add(place.series.uid)
            _read(services, number, _study_of(session, place), place.series)


def _read(services: Services, number: int, study: Study | None, series: Series) -> None:
    def wanted() -> bool:
        return _is_wanted(services.session, number)

    def over() -> None:
        if job.error is not None and wanted():
            _note(services.session, series.uid, "This series could not be read")

    job = beside.read(services, series, lambda told, image: _land(services, number, study, told, image), wanted, over)
    services.hung_jobs.append(job)


def _overlay(session: Session) -> tuple[Overlay, Series] | None:
    """What the protocol lays over the main series, and which series that is; None where it lays nothing over it."""
    hanging, main, study = session.hanging, session.series, session.study
    if hanging is None or main is None or study is None:
        return None
    for place in hanging.places:
        over = place.hung.overlay
        if over is not None and place.series is not None and place.series.uid == main.uid:
            series = chosen(over.series, [one for one in study.series if one.uid != main.uid], main)
            if series is not None and series.grid.shape[0] > 1 and share_a_frame(main, series):
                return over, series
    return None


def _lay_over(services: Services) -> None:
    """Lay over the main series what the protocol lays there; one that also hangs beside it is read once, for both."""
    session = services.session
    wanted = _overlay(session)
    if wanted is None or session.hanging is None:
        return
    over, series = wanted
    hung = {place.series.uid for place in session.hanging.places if place.series is not None}
    if session.fusion is not None and session.fusion.series.uid == series.uid:
        return
    if at_hand(session, series.uid) is None and series.uid in hung:
        return  # it comes, and this is asked again
    job = fusion.fuse(services, series.uid)
    number = session.hanging.number

    def laid() -> None:
        now = session.fusion
        if _is_wanted(session, number) and now is not None and now.series.uid == series.uid:
            opacity = now.opacity if over.opacity is None else over.opacity
            session.fusion = replace(now, colours=over.colours or now.colours, opacity=opacity)

    if job is None:
        laid()
    else:
        job.finished.connect(laid)


def _scan_prior(services: Services, number: int, prior: Prior) -> None:
    """Find the files of an earlier study that only the catalogue knows."""
    from medviewer.app.commands import listed  # it imports this module

    session = services.session

    def scanned() -> None:
        study_now, main, hanging = session.study, session.series, session.hanging
        found = next((one for one in session.studies if one.uid == prior.uid), None)
        if hanging is None or not _is_wanted(session, number) or study_now is None or main is None or found is None:
            return
        assert hanging.protocol is not None
        _, places = placed(hanging.protocol.steps[hanging.step], study_now, main, found)
        own = is_own(session)
        session.hanging = replace(hanging, places=places, prior=replace(prior, study=found))
        if not own:
            session.view.panes = tuple(
                _pane(services, place) if pane.is_empty else pane
                for pane, place in zip(session.view.hung, places, strict=True)
            )
            _note_arranged(session)
        read_rest(services)

    def over() -> None:
        if job.error is not None and _is_wanted(session, number):
            _note(session, "", f"The study of {prior.date} could not be read", of="prior")

    job = listed.rescan(services, prior.uid, scanned, over)
    services.hung_jobs.append(job)


def _land(services: Services, number: int, study: Study | None, series: Series, image: Image) -> None:
    """A series beside was read: it hangs in every viewport that waits for it."""
    session = services.session
    hanging = session.hanging
    if hanging is None or not _is_wanted(session, number):
        return
    image = at_hand(session, series.uid) or image  # it may have been read meanwhile to be laid over
    services.hung_images[series.uid] = study, series, image
    own = is_own(session)
    waiting = [
        k
        for k, (pane, place) in enumerate(zip(session.view.hung, hanging.places, strict=False))
        if pane.is_empty and place.series is not None and place.series.uid == series.uid
    ]
    if not waiting:
        return
    companion = beside.companion_for(session, study, series, image)
    if companion.offset is None and hanging.protocol is not None and hanging.protocol.links.scroll:
        offset = between(session, image)
        companion = replace(companion, offset=offset, guessed=offset is not None)
    beside.join(session, companion)
    hung = list(session.view.hung)
    for k in waiting:
        hung[k] = _pane_of(services, hanging.places[k].hung, series, image, series.uid)
    session.view.panes = tuple(hung)
    if not own:
        _note_arranged(session)
    _lay_over(services)


def between(session: Session, image: Image) -> Vector | None:
    """What leads from a place of the main series to the same one of another, as a first guess: middle to middle, in mm.

    None where one of them has no places.
    """
    main = session.image
    if main is None or not (main.is_volume and image.is_volume):
        return None
    middles = [one.grid.index_to_world(np.array([(n - 1) / 2 for n in one.grid.shape])) for one in (image, main)]
    x, y, z = (middles[0] - middles[1]).tolist()
    return x, y, z


# -- viewports


def _pane(services: Services, place: Place) -> Pane:
    """The pane of a place: of the main series at once, else one that waits."""
    session = services.session
    main, image, hung = session.series, session.image, place.hung
    if place.series is None:
        return Pane(hung.plane, NOTHING, note=_missing(session, hung))
    if main is not None and image is not None and place.series.uid == main.uid:
        return _pane_of(services, hung, main, image, "")
    return Pane(hung.plane, NOTHING, note=f"Loading {place.series.description or place.series.modality}…")


def _missing(session: Session, hung: Hung) -> str:
    hanging = session.hanging
    if not hung.series:
        return ""
    if hung.of == "current":
        return f"This study has no {what(hung)}"
    prior = hanging.prior if hanging is not None else None
    if prior is None:
        return "There is no earlier study to compare"
    if prior.study is None:
        return f"Looking for the study of {prior.date}…"
    return f"The study of {prior.date} has no {what(hung)}"


def _pane_of(services: Services, hung: Hung, series: Series, image: Image, uid: str) -> Pane:
    turn = UNTURNED
    if hung.orient and all(warning.code != "no-orientation" for warning in series.warnings):
        turn = turn_to(plane_for(image.grid, hung.plane), *hung.orient)
    look = _look(services, hung, image)
    fused = hung.overlay is not None or _overlay(services.session) is None
    return Pane(hung.plane, uid, turn, look=look, fused=fused, hung=turn, side=hung.side, hung_look=look)


def _look(services: Services, hung: Hung, image: Image) -> Look | None:
    if image.is_colour:
        return None
    made = Look(window_named(services, hung.window, image), hung.invert, hung.colours, hung.slab_mode, hung.slab_mm)
    return None if made == Look(slab_mm=hung.slab_mm) else made


def window_named(services: Services, wanted: str | tuple[float, float] | None, image: Image) -> Window | None:
    """The window that a protocol names, for an image; None where none is named, or there is none of that name."""
    if wanted is None:
        return None
    if isinstance(wanted, tuple):
        return Window(*wanted)
    if wanted.casefold() == "auto":
        return found_window(image)
    unit = image.rescale.unit
    own = [one.window for one in services.session.own_windows if one.fits(image.modality, unit)]
    offered = (*own, *windows_for(image.modality, unit), *image.windows)
    return next((one for one in offered if one.name.casefold() == wanted.casefold()), None)


def _note(session: Session, uid: str, text: str, of: str = "") -> None:
    """Say in every viewport that waits for a series why it will not come."""
    hanging = session.hanging
    if hanging is None:
        return
    session.view.panes = tuple(
        replace(pane, note=text)
        if pane.is_empty and ((place.series is not None and place.series.uid == uid) or (of and place.hung.of == of))
        else pane
        for pane, place in zip(session.view.hung, hanging.places, strict=False)
    )


# -- small things


def _next(session: Session) -> int:
    return 1 if session.hanging is None else session.hanging.number + 1


def _is_wanted(session: Session, number: int) -> bool:
    return session.image is not None and session.hanging is not None and session.hanging.number == number


def _note_arranged(session: Session) -> None:
    if session.hanging is not None:
        session.hanging = replace(session.hanging, arranged=arranged(session))


def _study_of(session: Session, place: Place) -> Study | None:
    uid = "" if place.series is None else place.series.uid
    return next((one for one in session.studies if any(series.uid == uid for series in one.series)), None)


def _link(session: Session, protocol: Protocol) -> None:
    """What a protocol lets go together; `_release_links` puts it back."""
    view, links = session.view, protocol.links
    before = view.sync_zoom, view.sync_window, view.show_lines
    if session.hanging is not None:
        session.hanging = replace(session.hanging, links=before)
    view.sync_zoom = before[0] if links.zoom is None else links.zoom
    view.sync_window = before[1] if links.window is None else links.window
    view.show_lines = before[2] if links.lines is None else links.lines


def _release_links(session: Session) -> None:
    """What went together by a protocol is as it was before, unless the user has changed it meanwhile."""
    hanging, view = session.hanging, session.view
    if hanging is None or hanging.protocol is None or hanging.links is None:
        return
    links, (zoom, window, lines) = hanging.protocol.links, hanging.links
    if links.zoom is not None and view.sync_zoom == links.zoom:
        view.sync_zoom = zoom
    if links.window is not None and view.sync_window == links.window:
        view.sync_window = window
    if links.lines is not None and view.show_lines == links.lines:
        view.show_lines = lines
