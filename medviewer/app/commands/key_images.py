"""Key images: slices that a person marked, each with its look, its picture and a note. Each change is kept at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from medviewer import formats
from medviewer.app.commands.arriving import check_complete
from medviewer.app.commands.catalog import HURRY_S
from medviewer.app.controllers.display import resolve_pane
from medviewer.app.controllers.turning import turned_of
from medviewer.app.hanging.companions import aside, companion_of, plane_of
from medviewer.app.hanging.layouts import SINGLE, Pane, SliceKind
from medviewer.app.hanging.wearing import worn
from medviewer.app.pictures import picture_of, png_of
from medviewer.app.state import KeyStep
from medviewer.domain.image import Window
from medviewer.domain.measure.key_image import KeyImage, Oblique
from medviewer.domain.measure.measurement import new_uid
from medviewer.domain.plane import PLANES
from medviewer.domain.provenance import utc_now
from medviewer.domain.turned import Turned
from medviewer.errors import InputError, NotFoundError
from medviewer.formats.atomic import replacing
from medviewer.jobs import Job

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.ports.display import Display
    from medviewer.app.services import Services
    from medviewer.app.state import Session
    from medviewer.domain.image import Image
    from medviewer.domain.study import Series, Study
    from medviewer.plugin_api import RunContext

_STEPS = 200
"""Changes that can be undone."""


def mark(services: Services, number: int | None = None, note: str = "") -> KeyImage:
    """Mark what a viewport shows as a key image, with its look; a slice that is marked already gets the new look.

    Parameters
    ----------
    number
        The viewport, by default the active one. One of another study is kept with that study.
    note
        What it shows, for a report.

    Raises
    ------
    InputError
        If no image is open, or it is still being read.
    StoreError
        If it cannot be kept; then nothing has changed.
    """
    session = services.session
    pane = session.view.active if number is None else number
    made, study = _looked_at(session, pane), _study_of(session, pane)
    made = replace(made, note=note, author=services.author, created=utc_now())
    uid = study.uid if study is not None else ""
    here = uid == (session.study.uid if session.study is not None else "")
    kept = session.key_images if here else services.archive.measurements.key_images_of(uid)
    before = next((one for one in kept if one.same_place(made)), None)
    if before is not None:
        made = replace(before.looked_at_as(made), note=note or before.note)
    display = _display(session, pane)
    if not here:
        services.archive.measurements.save_key_image(made, uid, HURRY_S)
        session.say(f"Marked {made.place} as a key image of its own study{_dated(study)}.", "ok")
    else:
        _do(services, KeyStep(before, made, png=_picture(services, before)))
        session.chosen_key = made.uid
        again = "Brought the key image up to date" if before is not None else "Marked as a key image"
        session.say(f"{again}: {made.place}.", "ok")
    if display is not None:
        _draw(services, made, display)
    return made


def annotate(services: Services, uid: str, note: str) -> None:
    """Say what a key image shows. Raises NotFoundError if there is none of that UID, StoreError if it is not kept."""
    before = found(services.session, uid)
    if note.strip() != before.note:
        _do(services, KeyStep(before, replace(before, note=note.strip())))


def remove(services: Services, uid: str) -> None:
    """Take a mark away; undo brings it back with its picture. Raises as `annotate` does."""
    before = found(services.session, uid)
    _do(services, KeyStep(before, None, png=_picture(services, before)))


def undo(services: Services) -> None:
    """Take the last change back. Raises InputError if there is none, StoreError if it cannot be kept."""
    session = services.session
    none = "There is no key image to undo; none was marked or changed since the study was opened."
    step = session.key_steps.newest(none)
    now = _picture(services, step.after)
    _keep(services, step.turned_back)
    session.key_steps = session.key_steps.undone(replace(step, png=now))
    complete(services)  # the picture of the look that it has again may not have been drawn when it was left


def redo(services: Services) -> None:
    """Do again what was undone last. Raises InputError if there is none, StoreError if it cannot be kept."""
    session = services.session
    none = "There is no key image to do again; none was undone since the last change."
    step = session.key_steps.next(none)
    now = _picture(services, step.before)
    _keep(services, step)
    session.key_steps = session.key_steps.redone(replace(step, png=now))
    complete(services)


def found(session: Session, uid: str) -> KeyImage:
    """The key image of that UID. Raises NotFoundError if the open study has none."""
    for image in session.key_images:
        if image.uid == uid:
            return image
    raise NotFoundError("The open study has no such key image any more; choose one of its list.")


def jump_to(services: Services, uid: str) -> None:
    """Look at a key image as it was marked; its series is opened first where needed.

    Raises
    ------
    NotFoundError
        If the study has no such key image, or its series is no longer listed.
    """
    session = services.session
    image = found(session, uid)
    session.chosen_key = uid

    def opened() -> bool:
        return session.series is not None and session.series.uid == image.series_uid and session.image is not None

    if opened():
        _look(session, image)
        return
    from medviewer.app.commands import study  # it restores key images by the measurements' module

    series = series_of(session, image)
    services.when_done(study.show(services, series), lambda _: _look(session, image), wanted=opened)


def series_of(session: Session, image: KeyImage) -> Series:
    """The series that a key image is of. Raises NotFoundError if it is not listed."""
    for listed in session.studies:
        for series in listed.series:
            if series.uid == image.series_uid:
                return series
    raise NotFoundError("The series of this key image is not listed; open the folder that holds it too.")


def complete(services: Services) -> None:
    """Draw the pictures of key images that have none: those of before there were any, or of before a crash."""
    session = services.session
    image, series = session.image, session.series
    if image is None or series is None or session.study is None or session.arrival is not None:
        return
    there = services.archive.measurements.pictured(session.study.uid)
    for one in session.key_images:
        if one.uid not in there and one.series_uid == series.uid:
            _draw(services, one, _display_of(session, one))


def save_pictures(
    services: Services, folder: Path, uids: Sequence[str] = (), stem: str = "key-image"
) -> Job[list[Path]]:
    """Write key images as PNG files into a folder, off the home thread: those of these UIDs, by default all.

    The names begin with the stem and tell number and slice, never the patient.

    Raises
    ------
    InputError
        If there are none.
    """
    session = services.session
    chosen = [one for one in session.key_images if not uids or one.uid in uids]
    if not chosen:
        raise InputError("The study has no key images to save; mark some first.")
    write = picture_writer(services, chosen, folder, stem)
    job = services.runner.submit(write, title=f"Saving {_count(chosen)}", must_finish=True)
    return services.when_done(job, lambda paths: session.say(f"Saved {_count(paths)} to {folder.name}.", "ok"))


def picture_writer(
    services: Services, chosen: Sequence[KeyImage], folder: Path, stem: str = "key-image"
) -> Callable[[RunContext | None], list[Path]]:
    """What writes the pictures of key images, on any thread."""
    store = services.archive.measurements

    def write(context: RunContext | None = None) -> list[Path]:
        written = []
        for number, one in enumerate(chosen, start=1):
            png = store.key_picture(one.uid)
            if png is None:
                raise NotFoundError(f"Key image {number} has no picture yet; open its series once, then save again.")
            path = folder / f"{stem}-{number:02d}-{one.place.lower().replace(' ', '-')}.png"
            with replacing(path) as temporary:
                temporary.write_bytes(png)
            written.append(path)
            if context is not None:
                context.report(number / len(chosen), path.name)
        return written

    return write


def save_objects(services: Services, path: Path) -> Job[tuple[int, int]]:
    """Write the key images of the open study as a DICOM Key Object Selection, off the home thread.

    It points at the files' own slices; key images of other planes, of slabs and of other files than DICOM have no such
    slice and are left out, which is said. The job's answer is how many there are in it, and how many were left out.

    Raises
    ------
    InputError
        If there are no key images, or none is of a slice of a DICOM file.
    """
    session = services.session
    if session.study is None or not session.key_images:
        raise InputError("The study has no key images to save; mark some first.")
    write = object_writer(session.study, session.key_images, path, services.author)
    job = services.runner.submit(lambda _: write(), title=f"Saving {path.name}", must_finish=True)

    def told(counts: tuple[int, int]) -> None:
        left = f" {counts[1]} of other planes or slabs were left out." if counts[1] else ""
        session.say(f"Saved {counts[0]} key images to {path.name}.{left}", "warning" if left else "ok")

    return services.when_done(job, told)


def object_writer(study: Study, images: Sequence[KeyImage], path: Path, author: str) -> Callable[[], tuple[int, int]]:
    """Check what is to be written; what comes back writes it, on any thread. Raises as `save_objects` does."""
    listed = {series.uid: series for series in study.series}
    stored = [(one, listed[one.series_uid]) for one in images if one.is_stored_slice and one.series_uid in listed]
    stored = [(one, series) for one, series in stored if series.reader == "dicom" and series.source is None]
    if not stored:
        raise InputError(
            "A DICOM key object points at slices of DICOM files, and no key image is one; save them as pictures."
        )

    def write() -> tuple[int, int]:
        formats.write_key_objects(stored, path, author)
        return len(stored), len(images) - len(stored)

    return write


def _count(things: Sequence[object]) -> str:
    return "1 key image" if len(things) == 1 else f"{len(things)} key images"


def _dated(study: Study | None) -> str:
    return f" of {study.date}" if study is not None and study.date else ""


def _study_of(session: Session, number: int) -> Study | None:
    companion = companion_of(session, number)
    return session.study if companion is None else companion.study


def _looked_at(session: Session, number: int) -> KeyImage:
    """How a viewport looks at what it shows."""
    check_complete(session)
    plane = plane_of(session, number)
    if session.series is None or session.image is None or plane is None:
        raise InputError("A key image needs an open image; open a study first.")
    pane = session.view.hung[number]
    if pane.is_empty:
        raise InputError("A key image needs a viewport that shows something; click on another one first.")
    companion = companion_of(session, number)
    about = worn(session if companion is None else aside(session, companion), pane.look)
    series, view = about.series, about.view
    assert series is not None  # one is open
    turned = turned_of(about) if plane.name in PLANES else None
    window = view.window.plain[0]
    return KeyImage(
        uid=new_uid(),
        series_uid=series.uid,
        axis=plane.axis,
        slice=view.cursor[plane.axis],
        cursor=view.cursor,
        center=window.center,
        width=window.width,
        inverted=view.inverted,
        phase=view.phase,
        plane=plane.name,
        colours=view.colours,
        slab_mode=view.slab_mode if turned is None else "none",
        slab_mm=view.slab_mm,
        turn=pane.turn,
        oblique=None if turned is None else Oblique(turned.bases, turned.point),
    )


def _display(session: Session, number: int) -> Display | None:
    planes = tuple(plane for k in range(len(session.view.hung)) if (plane := plane_of(session, k)) is not None)
    return resolve_pane(session, planes, number)


def _display_of(session: Session, image: KeyImage) -> Display:
    """How a key image of the open series is drawn, whatever the viewports show now."""
    view = replace(
        session.view,
        cursor=image.cursor,
        phase=image.phase,
        playing=False,
        window=Window(image.center, image.width),
        inverted=image.inverted,
        colours=image.colours,
        slab_mode=image.slab_mode,
        slab_mm=image.slab_mm,
        tool="crosshair",
        layout="1x2",
        panes=(Pane(_kind(image), turn=image.turn), Pane("acquired")),
        active=0,
        focus=None,
        turned=_turned(session, image),
    )
    known = {name: getattr(session, name) for name in ("series", "study", "image", "measurements", "live_values")}
    made = type(session)(**known, view=view)
    return cast("Display", _display(made, 0))  # an image is open


def _kind(image: KeyImage) -> SliceKind:
    return cast("SliceKind", image.plane.lower()) if image.plane in PLANES else "acquired"


def _turned(session: Session, image: KeyImage) -> Turned | None:
    opened: Image | None = session.image
    if image.oblique is None or opened is None:
        return None
    return Turned(opened.grid, image.oblique.bases, image.oblique.point)


def _picture(services: Services, image: KeyImage | None) -> bytes | None:
    """What a key image looks like now, as far as that is known."""
    return services.archive.measurements.key_picture(image.uid) if image is not None else None


def _draw(services: Services, image: KeyImage, display: Display) -> None:
    """Draw and keep the picture off the home thread: the mark itself is kept already.

    One that was looked at anew meanwhile has another picture on its way.
    """
    store, session = services.archive.measurements, services.session
    job = services.runner.submit(
        lambda _: store.set_key_picture(image, png_of(picture_of(display))), title="", must_finish=True
    )

    def there(_: bool) -> None:
        session.key_revision += 1

    services.when_done(job, there)


def _do(services: Services, step: KeyStep) -> None:
    session = services.session
    _keep(services, replace(step, png=None))  # what is kept in the step is what it looked like before
    session.key_steps = session.key_steps.with_done(step, _STEPS)


def _keep(services: Services, step: KeyStep) -> None:
    """Put the archive, then the session, into the state after a step."""
    session, store = services.session, services.archive.measurements
    before, after = step.before, step.after
    if after is None:
        assert before is not None  # a step has one or the other
        store.remove_key_image(before.uid, HURRY_S)
        session.key_images = tuple(one for one in session.key_images if one.uid != before.uid)
        if session.chosen_key == before.uid:
            session.chosen_key = ""
        return
    store.save_key_image(after, session.study.uid if session.study is not None else "", HURRY_S, step.png)
    if any(one.uid == after.uid for one in session.key_images):
        session.key_images = tuple(after if one.uid == after.uid else one for one in session.key_images)
    else:
        session.key_images = (*session.key_images, after)


def _look(session: Session, image: KeyImage) -> None:
    """Show the open series as a key image of it was looked at, in a viewport of its plane."""
    opened, view = session.image, session.view
    if opened is None:
        return
    if opened.dynamic is not None:
        view.playing, view.phase = False, min(image.phase, len(opened.dynamic.axis) - 1)
    view.window, view.inverted, view.colours = Window(image.center, image.width), image.inverted, image.colours
    view.slab_mode, view.slab_mm = image.slab_mode, image.slab_mm
    panes, own = list(view.hung), _kind(image)
    wanted = opened.grid.plane_name(0).lower() if own == "acquired" else own
    mine = [k for k, pane in enumerate(panes) if not pane.series]

    def shows(pane: Pane) -> bool:
        kind = opened.grid.plane_name(0).lower() if pane.kind == "acquired" else pane.kind
        return kind == wanted or not opened.is_volume

    at = next((k for k in mine if shows(panes[k])), mine[0] if mine else 0)
    panes[at] = replace(
        panes[at], kind=panes[at].kind if shows(panes[at]) else own, series="", turn=image.turn, look=None
    )
    view.panes = tuple(panes)
    if view.layout == SINGLE or view.active not in mine or view.active != at:
        view.active = at
    view.turned = _turned(session, image)
    view.cursor = opened.grid.clamp(image.cursor)
