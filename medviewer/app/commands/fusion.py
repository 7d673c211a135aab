"""Lay another series over the main one, and change how it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medviewer import formats
from medviewer.app.colours import COLOUR_MAPS, GREY
from medviewer.app.commands.companion_looks import dragged
from medviewer.app.controllers.fusing import follows_phases
from medviewer.app.controllers.texts import person
from medviewer.app.hanging.companions import at_hand, point, share_a_frame
from medviewer.app.presets import make_ready, overlay_window, windows_for
from medviewer.app.state import Fusion
from medviewer.app.words import word
from medviewer.domain.image import Image, Window
from medviewer.domain.study import Patient, Series, Study, Warning, is_usual
from medviewer.errors import InputError, NotFoundError
from medviewer.jobs import Job
from medviewer.plugin_api import RunContext

if TYPE_CHECKING:
    from medviewer.app.services import Services
    from medviewer.app.state import Session

OPACITY_STEP = 0.1
Confirm = Callable[[str, str, str], bool]
"""Asks a yes-or-no question by title, text and the name of the button that does it."""
_TITLE = "Another frame of reference"
_OTHER_TITLE = "Another patient"
_QUESTION = (
    "The files do not say that positions in the two series are the same place in the patient. "
    "It would lie where its own positions put it, which may be anywhere."
)
_FIRST = ("PT", "NM", "MR", "CT")
"""What is looked for first to be laid over something."""


@dataclass(frozen=True)
class Candidate:
    """A series that may be laid over the main one.

    Parameters
    ----------
    study, series
        What it is.
    fits
        Whether positions in mm mean the same in both.
    whose
        The name of its patient, or the ID where there is no name, where that is not the patient that is open; else
        empty.
    """

    study: Study
    series: Series
    fits: bool
    whose: str = ""

    @property
    def title(self) -> str:
        """What a list calls it; a series of another patient says whose it is."""
        parts = self.series.modality, self.series.description, self.study.date
        return "  ".join(part for part in (*parts, another_patient(self.whose) if self.whose else "") if part)


def another_patient(whose: str) -> str:
    """How lists say whose a series is that is not of the patient that is open."""
    return word(f"another patient: {whose}")


def candidates(session: Session) -> tuple[Candidate, ...]:
    """Every volume of the opened studies beside the main one: those that fit first, PET before others.

    Those of other patients come last, person by person.
    """
    main = session.series
    if main is None or session.image is None or not session.image.is_volume:
        return ()
    found = [
        Candidate(study, series, share_a_frame(main, series), _whose(session, study))
        for study in session.studies
        for series in study.series
        if series.uid != main.uid and series.grid.shape[0] > 1
    ]

    def rank(one: Candidate) -> tuple[bool, str, str, bool, bool, int]:
        modality = one.series.modality
        same = session.study is not None and one.study.uid == session.study.uid
        person_id = one.study.patient.id if one.whose else ""
        return (
            bool(one.whose),
            one.whose,
            person_id,
            not one.fits,
            not same,
            _FIRST.index(modality) if modality in _FIRST else len(_FIRST),
        )

    return tuple(sorted(found, key=rank))


def _whose(session: Session, study: Study) -> str:
    opened = session.study
    if opened is None or opened.patient.same_as(study.patient):
        return ""
    patient = study.patient
    name = person(patient.name)
    if not name or (name == person(opened.patient.name) and patient.id):
        name = " ".join(part for part in (name, patient.id) if part)  # the name alone would not tell them apart
    return name or word("without name and ID")


def fuse(services: Services, series_uid: str, anyway: bool = False) -> Job[Image] | None:
    """Lay a series of an opened study over the main one; it is read off the home thread where it has to be.

    Parameters
    ----------
    series_uid
        Which.
    anyway
        Whether one of another frame of reference, or of another patient, is laid over where its own positions in mm
        put it. Only the user's explicit word is a reason for that: nothing aligns the two.

    Returns
    -------
    Job or None
        What reads it; None where it is in memory already, for example because a viewport shows it.

    Raises
    ------
    InputError
        If no volume is open, or the series does not fit and `anyway` is false.
    NotFoundError
        If no opened study has such a series.
    """
    session = services.session
    main = session.series
    if main is None or session.image is None or not session.image.is_volume:
        raise InputError("Something can be laid over a volume only, and none is open; open one first.")
    chosen = next((one for one in candidates(session) if one.series.uid == series_uid), None)
    if chosen is None:
        raise NotFoundError(
            "The series to lay over should be another volume of an opened study; choose one of the list."
        )
    if chosen.whose and not anyway:
        raise InputError(
            "The series to lay over should be of the patient that is open, and is another's; "
            "Fusion > Fuse with asks whether it is laid over anyway."
        )
    if not chosen.fits and not anyway:
        raise InputError(
            "The series to lay over should have the main one's frame of reference, and has another; "
            "Fusion > Fuse with asks whether it is laid over anyway."
        )
    image = at_hand(session, series_uid)
    if image is not None:
        accept(session, chosen.study, chosen.series, image)
        return None
    return _load(services, chosen, main.uid)


def fuse_asking(services: Services, series_uid: str, confirm: Confirm) -> Job[Image] | None:
    """Lay a series over the main one; one that does not fit, or of another patient, only after a person said so.

    Raises as `fuse` does.
    """
    chosen = next((one for one in candidates(services.session) if one.series.uid == series_uid), None)
    if chosen is not None and (chosen.whose or not chosen.fits):
        title, text = _asked(services.session, chosen)
        if not confirm(title, text, "Lay over anyway"):
            return None
    return fuse(services, series_uid, anyway=True)


def _asked(session: Session, chosen: Candidate) -> tuple[str, str]:
    """Title and text of the question before a series is laid over that does not belong there."""
    if not chosen.whose:
        return _TITLE, _QUESTION
    opened = session.study.patient if session.study is not None else Patient()
    own = person(opened.name) or opened.id or word("without name and ID")
    if own == chosen.whose and opened.id:
        own = f"{own} {opened.id}"
    text = f"The series is of another patient: {chosen.whose}. The patient that is open: {own}."
    return _OTHER_TITLE, text if chosen.fits else f"{text} {_QUESTION}"


def _load(services: Services, chosen: Candidate, main: str) -> Job[Image]:
    session, series = services.session, chosen.series
    services.fusing = series.uid
    notes: list[Warning] = []

    def work(context: RunContext) -> Image:
        image = formats.load(series, context.report, context.cancelled, warn=notes.append)
        make_ready(image)
        return image

    def wanted() -> bool:
        return services.fusing == series.uid and session.series is not None and session.series.uid == main

    def loaded(image: Image) -> None:
        told = replace(series, warnings=tuple(dict.fromkeys((*series.warnings, *notes))))
        accept(session, chosen.study, told, at_hand(session, series.uid) or image)

    title = f"Loading {series.description or series.modality} to lay over"
    return services.when_done(services.runner.submit(work, title=title), loaded, wanted=wanted)


def accept(session: Session, study: Study | None, series: Series, image: Image) -> None:
    """A series was read: it lies over the main one from now on.

    Raises
    ------
    InputError
        If it has colours, or no slices.
    """
    main = session.series
    if main is None or session.image is None:
        return
    if image.is_colour or not image.is_volume:
        raise InputError("Only a volume of grey values can be laid over another, and this one is none; choose another.")
    colours = GREY if image.modality == "CT" else "hot-iron"
    foreign = not share_a_frame(main, series)
    session.fusion = Fusion(series, study, image, overlay_window(image), colours, foreign=foreign)
    _tell(session, study, series, foreign)


def _tell(session: Session, study: Study | None, series: Series, foreign: bool) -> None:
    """What a reader has to know of it at once."""
    opened = session.study
    if opened is not None and study is not None and not opened.patient.same_as(study.patient):
        session.say(
            "What is laid over is of another patient; take it away with Fusion > Remove if that is not meant.",
            "warning",
        )
        return
    if foreign:
        session.say("What is laid over has another frame of reference: nothing aligned the two.", "warning")
        return
    alarming = [warning.text for warning in series.warnings if not is_usual(warning.text)]
    if alarming:
        session.say(alarming[0], "warning", "\n".join(warning.text for warning in series.warnings))


def remove(services: Services) -> None:
    """Take away what is laid over."""
    services.fusing = ""
    services.session.fusion = None


def stay_or_go(session: Session) -> None:
    """Another series became the main one: what is laid over stays where it fits that one too."""
    fusion, main = session.fusion, session.series
    if fusion is None or main is None:
        return
    fits = main.grid.shape[0] > 1 and not fusion.foreign and share_a_frame(main, fusion.series)
    if main.uid == fusion.series.uid or not fits:
        session.fusion = None


def swap(services: Services) -> Job[Any]:
    """Make what is laid over the main series, and lay the main one over it; the crosshair stays at its place in mm.

    Raises
    ------
    InputError
        If nothing is laid over, or the main series is still read.
    """
    session = services.session
    fusion, main, study, image = _there(session), session.series, session.study, session.image
    if session.arrival is not None or main is None or image is None:
        raise InputError("The series should be read before it is laid over another; wait for the end of the loading.")
    from medviewer.app.commands import study as studies  # it asks this module what stays

    def exchanged(_: Image) -> None:
        if session.series is not None and session.series.uid == fusion.series.uid:
            accept(session, study, main, image)
            session.fusion = replace(_there(session), opacity=fusion.opacity)

    return services.when_done(
        studies.show(services, fusion.series, at=point(session)), exchanged, wanted=lambda: session.image is not None
    )


# -- how it is looked at --------------------------------------------------------------------------------------------


def set_opacity(session: Session, opacity: float) -> None:
    """Show it stronger or weaker, 0 to 1."""
    if session.fusion is not None:
        session.fusion = replace(session.fusion, opacity=min(max(round(opacity, 3), 0.0), 1.0), visible=True)


def step_opacity(session: Session, steps: int) -> None:
    """Show it stronger or weaker by tenths."""
    set_opacity(session, _there(session).opacity + steps * OPACITY_STEP)


def toggle(session: Session) -> None:
    """Show or hide it."""
    fusion = _there(session)
    session.fusion = replace(fusion, visible=not fusion.visible)


def toggle_here(session: Session) -> None:
    """Show or hide it in the active viewport alone: the image by itself stands beside the two together.

    Raises
    ------
    InputError
        If nothing is laid over, or the viewport shows another series.
    """
    _there(session)
    view = session.view
    panes, number = list(view.hung), min(view.active, len(view.hung) - 1)
    if panes[number].series:
        raise InputError("Only the main series has something laid over it; choose a viewport that shows it.")
    panes[number] = replace(panes[number], fused=not panes[number].fused)
    view.panes = tuple(panes)


def set_window(session: Session, window: Window) -> None:
    """Which of its values are clear, and which are shown in the last of the colours."""
    if session.fusion is not None:
        session.fusion = replace(session.fusion, window=window)


def set_limits(session: Session, low: float, high: float) -> None:
    """The same by the two values.

    Raises
    ------
    InputError
        If the second is not above the first.
    """
    if not high > low:
        raise InputError(f"The upper value should be above the lower one, and {high:g} is not above {low:g}.")
    set_window(session, Window.from_limits(low, high))


def drag_window(session: Session, right: float, down: float) -> None:
    """Its window/level by dragging, as with the main series; one that begins at 0 goes on beginning there."""
    fusion = session.fusion
    if fusion is None:
        return
    low = fusion.window.plain[0].limits[0]
    window, _ = dragged(fusion.window, fusion.image, right, down)
    if low == 0:
        # of activity nothing is nothing: as with a PET by itself, the hand changes what is brightest
        span = fusion.window.plain[0].width * (1 + 2 * (right + down))
        floor = 0.01 * max(fusion.image.auto_window().width, 1e-6)
        window = Window.from_limits(0.0, max(span, floor))
    set_window(session, window)


def presets(session: Session) -> tuple[Window, ...]:
    """The windows that are offered for it."""
    image = _there(session).image
    return (*windows_for(image.modality, image.rescale.unit), image.auto_window())


def next_window(session: Session) -> None:
    """Show it with the next of its windows."""
    offered, now = presets(session), _there(session).window
    at = next((k for k, one in enumerate(offered) if one.limits == now.limits), -1)
    set_window(session, offered[(at + 1) % len(offered)])


def set_colours(session: Session, name: str) -> None:
    """Show it in other colours.

    Raises
    ------
    InputError
        If there is no such colour map.
    """
    if name not in {one.id for one in COLOUR_MAPS}:
        raise InputError(f"The colours should be one of {', '.join(one.id for one in COLOUR_MAPS)}, not {name}.")
    session.fusion = replace(_there(session), colours=name)


def next_colours(session: Session) -> None:
    """Show it in the next colours."""
    names = [one.id for one in COLOUR_MAPS]
    set_colours(session, names[(names.index(_there(session).colours) + 1) % len(names)])


def set_phase(session: Session, phase: int) -> None:
    """Go along its own 4th axis, where it does not go along with the main series'."""
    fusion = session.fusion
    if fusion is not None and fusion.image.dynamic is not None and not follows_phases(session, fusion):
        count = len(fusion.image.dynamic.axis)
        session.fusion = replace(fusion, phase=min(max(phase, 0), count - 1))


def _there(session: Session) -> Fusion:
    if session.fusion is None:
        raise InputError("Nothing is laid over the series; choose Fusion > Fuse with.")
    return session.fusion
