"""Look at other series beside the main one: open, hang, move, link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medviewer import formats
from medviewer.app.commands import panes, view
from medviewer.app.commands.companion_looks import change
from medviewer.app.controllers.reference_lines import slice_of
from medviewer.app.hanging.companions import (
    SAME_PLACE,
    at_hand,
    companion_of,
    cursor_of,
    looked_at,
    plane_of,
    point,
    rehung,
    share_a_frame,
)
from medviewer.app.presets import first_window, make_ready, opens_inverted
from medviewer.app.state import Companion, Focus
from medviewer.domain.geometry import Vector
from medviewer.domain.image import Image
from medviewer.domain.plane import Plane
from medviewer.domain.study import Series, Study, Warning, is_usual
from medviewer.errors import InputError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from medviewer.app.services import Services
    from medviewer.app.state import Session

Show = Callable[[Series], object]


def hang(services: Services, study: Study, series: Series, number: int | None, show: Show) -> Job[Image] | None:
    """Show a series in a viewport, beside what is open; it is read off the home thread.

    Parameters
    ----------
    study, series
        What to show.
    number
        The pane to show it in; None for one beside the main series. Three planes and 3D are about one series, so from
        them the layout becomes two viewports side by side, and the series is in the second.
    show
        Makes a series the main one: called where nothing is open, and where the main series would be seen no more.
    """
    session = services.session
    if session.image is None or session.series is None:
        show(series)
        return None
    number = _room_for(session, number)
    if series.uid == session.series.uid:
        _put(session, number, "")
        return None
    if _only_main(session, number):
        show(series)
        return None
    if any(one.series.uid == series.uid for one in session.companions):
        _put(session, number, series.uid)
        return None
    image = at_hand(session, series.uid)
    if image is not None:  # it lies over the main series
        accept(session, study, series, image, number)
        return None
    return _load(services, study, series, number)


def _room_for(session: Session, number: int | None) -> int:
    """The pane that a further series goes to; the layout gets one where it has none."""
    view_state = session.view
    if view_state.arranged.volume is not None:
        panes.arrange(session, "compare")
        return 1
    if view_state.layout == "single":
        panes.enlarge(session)
    hung = view_state.hung
    if number is not None and number < len(hung):
        return number
    free = [k for k, pane in enumerate(hung) if pane.is_empty] + [
        k for k, pane in enumerate(hung) if k and not pane.series
    ]
    return free[0] if free else len(hung) - 1


def _only_main(session: Session, number: int) -> bool:
    """Whether the main series is seen in that pane alone."""
    hung = session.view.hung
    return not hung[number].series and sum(not pane.series for pane in hung) == 1


def _load(services: Services, study: Study, series: Series, number: int) -> Job[Image]:
    session = services.session
    asked = session.study

    def wanted() -> bool:
        if session.image is None or session.series is None:
            return False
        # who opened another patient meanwhile has left what hung beside the former one, too
        return session.study is asked or panes.same_person(session.study, asked)

    def loaded(told: Series, image: Image) -> None:
        there = at_hand(session, series.uid) or image  # it may have been read meanwhile to be laid over
        accept(session, study, told, there, _room_for(session, number))

    return read(services, series, loaded, wanted)


def read(
    services: Services,
    series: Series,
    then: Callable[[Series, Image], object],
    wanted: Callable[[], bool],
    always: Callable[[], object] | None = None,
) -> Job[Image]:
    """Read a series that is looked at beside the main one, off the home thread.

    Parameters
    ----------
    then
        Called with the series, which has the warnings of the reading, and its image.
    wanted, always
        As of `Services.when_done`.
    """
    notes: list[Warning] = []

    def work(context: RunContext) -> Image:
        image = formats.load(series, context.report, context.cancelled, warn=notes.append)
        make_ready(image)
        return image

    def loaded(image: Image) -> None:
        then(replace(series, warnings=tuple(dict.fromkeys((*series.warnings, *notes)))), image)

    title = f"Loading {series.description or series.modality} beside"
    return services.when_done(services.runner.submit(work, title=title), loaded, always, wanted)


def accept(session: Session, study: Study, series: Series, image: Image, number: int) -> None:
    """A companion was read: it hangs in a pane, linked where it shares the main series' frame of reference."""
    if _only_main(session, number) and len(session.view.hung) > 1:
        number = (number + 1) % len(session.view.hung)  # the main series came there meanwhile
    join(session, companion_for(session, study, series, image))
    _put(session, number, series.uid)
    _tell(session, study, series)


def companion_for(session: Session, study: Study | None, series: Series, image: Image) -> Companion:
    """A companion as it is first looked at: linked where it shares the main series' frame of reference."""
    main = session.series
    linked = image.is_volume and main is not None and share_a_frame(main, series)
    return Companion(
        series,
        study,
        image,
        first_window(image),
        opens_inverted(image),
        cursor=image.grid.clamp([n // 2 for n in image.grid.shape]),
        offset=SAME_PLACE if linked else None,
    )


def join(session: Session, companion: Companion) -> None:
    """Have a companion at hand, in place of one of the same series."""
    others = tuple(one for one in session.companions if one.series.uid != companion.series.uid)
    session.companions = (*others, companion)


def _tell(session: Session, study: Study, series: Series) -> None:
    """What a reader has to know of it at once."""
    opened = session.study
    if opened is not None and not opened.patient.same_as(study.patient):
        session.say("The series beside is of another patient, as the corners say.", "warning")
        return
    alarming = [warning.text for warning in series.warnings if not is_usual(warning.text)]
    if alarming:
        session.say(alarming[0], "warning", "\n".join(warning.text for warning in series.warnings))


def _put(session: Session, number: int, uid: str) -> None:
    view_state = session.view
    view_state.panes = rehung(view_state.hung, number, uid)
    view_state.active = number
    panes.let_go(session)


# -- where they stand ---------------------------------------------------------------------------------------------


def move(services: Services, number: int, index: Vector) -> None:
    """Put the crosshair on an index (z, y, x) of the series that pane `number` shows; what is linked to it follows."""
    session = services.session
    companion, image = companion_of(session, number), session.image
    if companion is None or image is None:
        view.move_cursor(services, index)
        return
    own = companion.image.grid.clamp(index)
    if companion.offset is None:
        change(session, companion, cursor=own)
        return
    world = companion.image.grid.index_to_world(own) - companion.offset
    cursor = image.grid.clamp(image.grid.world_to_index(world))
    x, y, z = world.tolist()
    session.view.focus = Focus((x, y, z), cursor)
    session.view.cursor = cursor


def scroll(services: Services, number: int, steps: int) -> None:
    """Move pane `number` by whole slices of its own series."""
    session = services.session
    plane, companion = plane_of(session, number), companion_of(session, number)
    if plane is None or session.view.hung[number].is_empty:
        return
    if companion is None:
        view.scroll(services, plane, steps)
        return
    index = list(cursor_of(session, companion))
    index[plane.axis] += steps
    move(services, number, (index[0], index[1], index[2]))


def link_here(session: Session) -> None:
    """Let what scrolls by itself follow from here on, as many mm as the main series; or let all go by themselves.

    The slices that are seen now count as the same place; where a frame of reference is shared, it is the place itself
    that counts.

    Raises
    ------
    InputError
        If no other series is open beside.
    """
    main = session.series
    if not session.companions or main is None:
        raise InputError("A series beside the main one is needed to be linked; drag one from the list to a viewport.")
    if all(one.offset is not None or not one.image.is_volume for one in session.companions):
        session.companions = tuple(
            replace(one, cursor=cursor_of(session, one), offset=None, guessed=False) for one in session.companions
        )
        return
    here = np.array(point(session))
    session.companions = tuple(
        one
        if one.offset is not None or not one.image.is_volume
        else replace(one, offset=_offset(main, one, here), guessed=False)
        for one in session.companions
    )


def _offset(main: Series, companion: Companion, here: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Vector:
    if share_a_frame(main, companion.series):
        return SAME_PLACE
    x, y, z = (companion.image.grid.index_to_world(companion.cursor) - here).tolist()
    return x, y, z


def refuse(services: Services) -> None:
    """Say that nothing is painted or clicked on a series beside."""
    services.session.say("Only the main series is painted and clicked on; open this one from the list to work on it.")


def index_at(session: Session, number: int, row: float, column: float) -> Vector | None:
    """The index (z, y, x) of the pane's own series under a row and column of its slice; None where nothing is open."""
    plane, companion = plane_of(session, number), companion_of(session, number)
    if plane is None:
        return None
    k = session.view.cursor[plane.axis] if companion is None else cursor_of(session, companion)[plane.axis]
    return plane.to_index(row, column, k)


def same_place(
    session: Session, planes: Sequence[Plane], number: int, other: int, at: tuple[float, float]
) -> tuple[float, float] | None:
    """Row and column in pane `other` of what lies at a row and column of pane `number`.

    By the world where the series are linked, else by the distance from the middle of the picture; pictures that hang
    mirrored to each other, as both breasts do, move mirrored. None where the two do not move together: those of one
    series do not, nor do those of different modalities or planes.
    """
    first, second = companion_of(session, number), companion_of(session, other)
    here, there = looked_at(session, number), looked_at(session, other)
    if first is second or here is None or there is None or here.modality != there.modality:
        return None
    plane, target = planes[number], planes[other]
    if plane.name != target.name:
        return None
    offsets = [SAME_PLACE if one is None else one.offset for one in (first, second)]
    if plane.name and offsets[0] is not None and offsets[1] is not None:
        k = slice_of(session, planes, number)
        world = plane.grid.index_to_world(plane.to_index(*at, k)) - offsets[0] + offsets[1]
        z, y, x = target.grid.world_to_index(world).tolist()
        return target.to_screen((z, y, x))
    from_middle = [
        (value - (size - 1) / 2) * mm for value, size, mm in zip(at, plane.shape, plane.spacing, strict=True)
    ]
    if not plane.name and plane.letters()[1] == target.letters()[0]:
        from_middle[1] = -from_middle[1]
    row, column = (
        (size - 1) / 2 + distance / mm
        for distance, size, mm in zip(from_middle, target.shape, target.spacing, strict=True)
    )
    return row, column
