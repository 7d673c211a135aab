"""Hang what was decided: layout, viewports and links, and reading what is shown beside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medviewer.app.commands import beside, fusion, hanging_panes, hanging_plan, panes
from medviewer.app.commands.hanging_plan import Plan
from medviewer.app.hanging.choosing import Place, placed
from medviewer.app.hanging.companions import at_hand
from medviewer.app.hanging.in_use import Hanging, Prior, arranged, is_own
from medviewer.app.hanging.protocol import Protocol
from medviewer.domain.geometry import Vector
from medviewer.domain.image import Image
from medviewer.domain.study import Series, Study

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session

_SWITCHED_OFF = "Studies are not hung by protocols when they are opened, as you chose."
_NONE_FITS = "No hanging protocol fits this study."


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
        plan = hanging_plan.plan_of(former.protocol, study, series, former.prior, former.why, by_hand=True)
    if plan is None and session.hang_automatic:
        plan = hanging_plan.decide(services, study, series)
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
    session.view.panes = tuple(hanging_panes.pane_at(services, place) for place in places)
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


def _lay_over(services: Services) -> None:
    """Lay over the main series what the protocol lays there; one that also hangs beside it is read once, for both."""
    session = services.session
    wanted = hanging_panes.overlay_of(session)
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
                hanging_panes.pane_at(services, place) if pane.is_empty else pane
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
        hung[k] = hanging_panes.filled(services, hanging.places[k].hung, series, image, series.uid)
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
