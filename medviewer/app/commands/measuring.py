"""Measurements: made, changed, undone, gone to. Each change is in the archive before it is shown.

They belong to the open study: those of its other series are listed too, and going to one of them opens its series.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.app.commands import planes
from medviewer.app.commands.catalog import HURRY_S
from medviewer.app.controllers.measures import companion_with
from medviewer.app.state import MeasureStep
from medviewer.app.steps import Steps
from medviewer.domain.measure.measurement import PLACES, Measurement, new_uid
from medviewer.domain.measure.values import Value
from medviewer.domain.provenance import utc_now
from medviewer.errors import InputError, NotFoundError, StoreError

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Companion, Session
    from medviewer.domain.image import Image
    from medviewer.domain.study import Series

_STEPS = 500
"""Changes that can be undone."""


def add(services: Services, m: Measurement) -> Measurement:
    """Keep a new measurement and choose it. Returns it with its UID, author and time, where these were empty.

    Raises
    ------
    InputError
        If no image is open.
    StoreError
        If it cannot be kept; then nothing has changed.
    """
    session = services.session
    if session.series is None:
        raise InputError("A measurement needs an open image; open a study first.")
    made = replace(
        m,
        uid=m.uid or new_uid(),
        series_uid=m.series_uid or session.series.uid,
        author=m.author or services.author,
        created=m.created or utc_now(),
    )
    _do(services, None, made)
    session.chosen_measurement = made.uid
    return made


def change(services: Services, m: Measurement) -> None:
    """Keep a changed measurement in place of the one of its UID; one that has not changed makes no step.

    Raises
    ------
    NotFoundError
        If the study has none of that UID.
    StoreError
        If it cannot be kept; then nothing has changed.
    """
    before = found(services.session, m.uid)
    if before != m:
        _do(services, before, m)


def name(services: Services, uid: str, label: str) -> None:
    """Call a measurement something. Raises as `change` does."""
    change(services, replace(found(services.session, uid), label=" ".join(label.split())))


def remove(services: Services, uid: str) -> None:
    """Take a measurement away; undo brings it back. Raises as `change` does."""
    _do(services, found(services.session, uid), None)


def undo(services: Services) -> None:
    """Take the last change back. Raises InputError if there is none, StoreError if it cannot be kept."""
    session = services.session
    none = "There is no measurement to undo; none was made or changed since the study was opened."
    step = session.measure_steps.newest(none)
    step = replace(step, values_after=_known(session, step.after))
    _keep(services, step.turned_back)
    session.measure_steps = session.measure_steps.undone(step)


def redo(services: Services) -> None:
    """Do again what was undone last. Raises InputError if there is none, StoreError if it cannot be kept."""
    session = services.session
    none = "There is no measurement to do again; none was undone since the last change."
    step = session.measure_steps.next(none)
    step = replace(step, values_before=_known(session, step.before))
    _keep(services, step)
    session.measure_steps = session.measure_steps.redone(step)


def jump_to(services: Services, uid: str) -> None:
    """Look at a measurement: the crosshair goes to it, in its phase; its series is opened first where needed.

    Raises
    ------
    NotFoundError
        If the study has no such measurement, or its series is no longer listed.
    """
    session = services.session
    m = found(session, uid)
    session.chosen_measurement = uid
    if session.series is not None and session.series.uid == m.series_uid and session.image is not None:
        _look(session, m)
        return
    companion = companion_with(session, m.series_uid)
    if companion is not None:
        _look_beside(services, m, companion)
        return
    from medviewer.app.commands import study  # it restores measurements by this module

    def opened() -> bool:
        return session.series is not None and session.series.uid == m.series_uid and session.image is not None

    services.when_done(study.show(services, _series(session, m)), lambda _: _look(session, m), wanted=opened)


def found(session: Session, uid: str) -> Measurement:
    """The measurement of that UID. Raises NotFoundError if the open study has none."""
    for m in session.measurements:
        if m.uid == uid:
            return m
    raise NotFoundError("The open study has no such measurement any more; choose one of its list.")


def restore(services: Services) -> None:
    """Bring back the measurements and key images of the open study; those of another one are gone."""
    session = services.session
    if session.study is None or session.series is None:
        clear(session)
        return
    store = services.archive.measurements
    beside = _studies_beside(session)
    try:
        kept = store.of_studies([session.study.uid, *beside])
        images = store.key_images_of(session.study.uid)
    except StoreError as error:  # the image opens all the same
        session.say(str(error), "warning", error.details)
        return
    session.measured_study, session.measured_beside = session.study.uid, beside
    session.measured = {one.measurement.uid: one.values for one in kept}
    session.measurements = tuple(one.measurement for one in kept)
    session.key_images = tuple(images)
    if all(m.uid != session.chosen_measurement for m in session.measurements):
        session.chosen_measurement = ""
    if all(one.uid != session.chosen_key for one in session.key_images):
        session.chosen_key = ""


def restore_beside(services: Services) -> None:
    """Series beside came or went: the measurements of their studies come and go with them."""
    session = services.session
    if session.study is None or session.measured_study != session.study.uid:
        return
    if _studies_beside(session) != session.measured_beside:
        restore(services)


def _studies_beside(session: Session) -> frozenset[str]:
    """UIDs of the studies of the series beside, without the open one."""
    opened = session.study.uid if session.study is not None else ""
    return frozenset(one.study.uid for one in session.companions if one.study is not None and one.study.uid != opened)


def study_of(session: Session, m: Measurement) -> str:
    """UID of the study that a measurement belongs to: that of its series, else the open one."""
    companion = companion_with(session, m.series_uid)
    if companion is not None and companion.study is not None:
        return companion.study.uid
    listed = (one.uid for one in session.studies if any(series.uid == m.series_uid for series in one.series))
    opened = session.study.uid if session.study is not None else ""
    if session.series is not None and session.series.uid == m.series_uid:
        return opened
    return next(listed, opened)


def enter(session: Session) -> None:
    """A series is opened: the measurements of another study go; `restore` brings its own."""
    uid = session.study.uid if session.study is not None else ""
    if uid != session.measured_study:
        clear(session)
        session.measured_study = uid


def clear(session: Session) -> None:
    """Show no measurements: another study is opened, or none. What is kept stays kept."""
    session.measured_study, session.measured_beside = "", frozenset()
    session.measurements, session.measured = (), {}
    session.chosen_measurement = ""
    session.measure_steps = Steps()
    session.key_images, session.chosen_key = (), ""
    session.key_steps = Steps()


def _do(services: Services, before: Measurement | None, after: Measurement | None) -> None:
    session = services.session
    # on a series that is not open it is named or linked, which changes no value
    step = MeasureStep(before, after, values_before=_known(session, before), values_after=_known(session, after))
    _keep(services, step)
    session.measure_steps = session.measure_steps.with_done(step, _STEPS)


def _known(session: Session, m: Measurement | None) -> tuple[Value, ...]:
    """What a measurement of the open study came to when it was last changed."""
    return session.measured.get(m.uid, ()) if m is not None else ()


def _keep(services: Services, step: MeasureStep) -> None:
    """Put the archive, then the session, into the state after a step."""
    session = services.session
    store, after = services.archive.measurements, step.after
    if after is None:
        assert step.before is not None  # a step has one or the other
        store.remove(step.before.uid, HURRY_S)
        uid = step.before.uid
        session.measurements = tuple(m for m in session.measurements if m.uid != uid)
        if session.chosen_measurement == uid:
            session.chosen_measurement = ""
        return
    values = _values(session, after, step.values_after)
    store.save(after, values, study_of(session, after), HURRY_S)
    session.measured = {**session.measured, after.uid: values}
    if any(m.uid == after.uid for m in session.measurements):
        session.measurements = tuple(after if m.uid == after.uid else m for m in session.measurements)
    else:
        session.measurements = (*session.measurements, after)


def _values(session: Session, m: Measurement, known_before: tuple[Value, ...]) -> tuple[Value, ...]:
    """What it comes to; on a series that is not open, what it came to when it was."""
    image = _image_of(session, m)
    if image is None:
        return known_before
    known = session.live_values.values(m, image)  # None for a large region, which is counted in a thread
    return known if known is not None else ()


def _image_of(session: Session, m: Measurement) -> Image | None:
    """The image that a measurement was drawn on, where it is open, as the main one or beside."""
    companion = companion_with(session, m.series_uid)
    if companion is not None:
        return companion.image
    return session.image if session.series is not None and session.series.uid == m.series_uid else None


def note_values(services: Services) -> None:
    """Keep the values that came after their measurement was kept: those of large regions. Raises StoreError."""
    session, store = services.session, services.archive.measurements
    for m in session.measurements:
        image = _image_of(session, m)
        values = session.live_values.known(m, image) if image is not None else None
        if values is not None and values != session.measured.get(m.uid):
            store.save(m, values, study_of(session, m), HURRY_S)
            session.measured = {**session.measured, m.uid: values}


def _look(session: Session, m: Measurement) -> None:
    image = session.image
    if image is None:
        return
    if image.dynamic is not None:
        session.view.phase = min(m.phase, len(image.dynamic.axis) - 1)
    if m.kind in PLACES or not image.is_volume:
        session.view.cursor = image.grid.clamp(image.grid.world_to_index(m.centre))
    else:
        planes.face(session, m.normal, m.centre)  # it shows in the plane that it was drawn in


def _look_beside(services: Services, m: Measurement, companion: Companion) -> None:
    """Look at a measurement where its series is shown: nothing else goes."""
    from medviewer.app.commands import beside  # it brings what opens series, and that this module

    session = services.session
    number = next(k for k, pane in enumerate(session.view.hung) if pane.series == companion.series.uid)
    if companion.image.dynamic is not None:
        session.companions = tuple(
            replace(one, phase=min(m.phase, len(companion.image.dynamic.axis) - 1)) if one is companion else one
            for one in session.companions
        )
    session.view.active = number
    z, y, x = (float(v) for v in companion.image.grid.world_to_index(m.centre))
    beside.move(services, number, (z, y, x))


def _series(session: Session, m: Measurement) -> Series:
    for study in session.studies:
        for series in study.series:
            if series.uid == m.series_uid:
                return series
    raise NotFoundError("The series that this was measured on is not listed; open the folder that holds it too.")
