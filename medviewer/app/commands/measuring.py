"""Measurements: made, changed, undone, gone to. Each change is in the archive before it is shown.

They belong to the open study: those of its other series are listed too, and going to one of them opens its series.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.app.commands.catalog import HURRY_S
from medviewer.app.state import MeasureStep
from medviewer.domain.measure.measurement import Measurement, new_uid
from medviewer.domain.measure.values import Value
from medviewer.domain.provenance import utc_now
from medviewer.errors import InputError, NotFoundError, StoreError

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.app.state import Session
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
    _do(services, MeasureStep(None, made))
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
        _do(services, MeasureStep(before, m))


def name(services: Services, uid: str, label: str) -> None:
    """Call a measurement something. Raises as `change` does."""
    change(services, replace(found(services.session, uid), label=" ".join(label.split())))


def remove(services: Services, uid: str) -> None:
    """Take a measurement away; undo brings it back. Raises as `change` does."""
    _do(services, MeasureStep(found(services.session, uid), None))


def undo(services: Services) -> None:
    """Take the last change back. Raises InputError if there is none, StoreError if it cannot be kept."""
    session = services.session
    if not session.measure_past:
        raise InputError("There is no measurement to undo; none was made or changed since the study was opened.")
    step = session.measure_past[-1]
    _keep(services, MeasureStep(step.after, step.before))
    session.measure_past = session.measure_past[:-1]
    session.measure_future = (*session.measure_future, step)


def redo(services: Services) -> None:
    """Do again what was undone last. Raises InputError if there is none, StoreError if it cannot be kept."""
    session = services.session
    if not session.measure_future:
        raise InputError("There is no measurement to do again; none was undone since the last change.")
    step = session.measure_future[-1]
    _keep(services, step)
    session.measure_future = session.measure_future[:-1]
    session.measure_past = (*session.measure_past, step)


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
    try:
        kept = store.of_studies([session.study.uid])
        images = store.key_images_of(session.study.uid)
    except StoreError as error:  # the image opens all the same
        session.say(str(error), "warning", error.details)
        return
    session.measured_study = session.study.uid
    session.measured = {one.measurement.uid: one.values for one in kept}
    session.measurements = tuple(one.measurement for one in kept)
    session.key_images = tuple(images)
    if all(m.uid != session.chosen_measurement for m in session.measurements):
        session.chosen_measurement = ""


def enter(session: Session) -> None:
    """A series is opened: the measurements of another study go; `restore` brings its own."""
    uid = session.study.uid if session.study is not None else ""
    if uid != session.measured_study:
        clear(session)
        session.measured_study = uid


def clear(session: Session) -> None:
    """Show no measurements: another study is opened, or none. What is kept stays kept."""
    session.measured_study = ""
    session.measurements, session.measured = (), {}
    session.chosen_measurement = ""
    session.measure_past = session.measure_future = ()
    session.key_images = ()


def _do(services: Services, step: MeasureStep) -> None:
    session = services.session
    _keep(services, step)
    session.measure_past = (*session.measure_past, step)[-_STEPS:]
    session.measure_future = ()


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
    values = _values(session, after)
    store.save(after, values, session.study.uid if session.study is not None else "", HURRY_S)
    session.measured = {**session.measured, after.uid: values}
    if any(m.uid == after.uid for m in session.measurements):
        session.measurements = tuple(after if m.uid == after.uid else m for m in session.measurements)
    else:
        session.measurements = (*session.measurements, after)


def _values(session: Session, m: Measurement) -> tuple[Value, ...]:
    """What it comes to; of a series that is not open, what it came to before, which a label does not change."""
    if session.image is None or session.series is None or session.series.uid != m.series_uid:
        return session.measured.get(m.uid, ())
    known = session.live_values.values(m, session.image)  # None for a large region, which is counted in a thread
    return known if known is not None else ()


def note_values(services: Services) -> None:
    """Keep the values that came after their measurement was kept: those of large regions. Raises StoreError."""
    session, store = services.session, services.archive.measurements
    image, series = session.image, session.series
    if image is None or series is None:
        return
    study_uid = session.study.uid if session.study is not None else ""
    for m in session.measurements:
        values = session.live_values.known(m, image) if m.series_uid == series.uid else None
        if values is not None and values != session.measured.get(m.uid):
            store.save(m, values, study_uid, HURRY_S)
            session.measured = {**session.measured, m.uid: values}


def _look(session: Session, m: Measurement) -> None:
    image = session.image
    if image is None:
        return
    if image.dynamic is not None:
        session.view.phase = min(m.phase, len(image.dynamic.axis) - 1)
    session.view.cursor = image.grid.clamp(image.grid.world_to_index(m.centre))


def _series(session: Session, m: Measurement) -> Series:
    for study in session.studies:
        for series in study.series:
            if series.uid == m.series_uid:
                return series
    raise NotFoundError("The series that this was measured on is not listed; open the folder that holds it too.")
