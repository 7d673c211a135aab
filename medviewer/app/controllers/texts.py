"""The text that stands around an image."""

from __future__ import annotations

from datetime import date

from medviewer.app.colours import GREY, colour_map
from medviewer.app.controllers.fusing import fused_lines, fused_value
from medviewer.app.controllers.slabs import slab_text, slab_value
from medviewer.app.controllers.turning import turned_of
from medviewer.app.mask_store import phase_of
from medviewer.app.ports.display import Corners
from medviewer.app.settings import LINE_PLACES, PLACES, Place
from medviewer.app.state import Session, View
from medviewer.app.words import number_text, word
from medviewer.domain.image import Image
from medviewer.domain.plane import PLANES, Plane
from medviewer.domain.slab import NAMES
from medviewer.domain.study import PhaseAxis, Series, Study


def age_at(birth_date: str, study_date: str) -> str:
    """Age at the study: whole years, for example ``45 y``, and months below two years, for example ``7 mo``.

    Empty when either date (ISO) is missing.
    """
    try:
        born, seen = date.fromisoformat(birth_date), date.fromisoformat(study_date)
    except ValueError:
        return ""
    months = 12 * (seen.year - born.year) + seen.month - born.month - (seen.day < born.day)
    return f"{months} mo" if months < 24 else f"{months // 12} y"


def person(name: str) -> str:
    """A DICOM person name (PS3.5 6.2) as it is read: ``DOE^JANE^M`` becomes ``DOE, JANE M``."""
    family, *given = (part.strip() for part in name.split("=")[0].split("^"))
    rest = " ".join(part for part in given if part)
    return ", ".join(part for part in (family, rest) if part)


_AGES = {"Y": "y", "M": "mo", "W": "wk", "D": "d"}
"""Units of DICOM's Age String (PS3.5 6.2), and how they are written here."""


def age_of(study: Study) -> str:
    """The patient's age at the study: by the dates, else as the file says it (``045Y``); empty where neither does."""
    patient = study.patient
    said = patient.age.strip().upper()
    told = f"{int(said[:-1])} {_AGES[said[-1]]}" if said[:-1].isdecimal() and said[-1] in _AGES else ""
    return age_at(patient.birth_date, study.date) or told


def patient_lines(study: Study | None) -> tuple[str, str, str]:
    """Name; age, sex and ID; the study's date and description: three lines, so that they stay off the anatomy."""
    if study is None:
        return "", "", ""
    patient = study.patient
    who = "  ".join(part for part in (age_of(study), patient.sex, patient.id) if part)
    return person(patient.name), who, "  ".join(part for part in (study.date, study.description) if part)


def window_text(view: View, unit: str) -> str:
    """Window width and level with the unit, the preset's name, and its function where that is not linear."""
    if view.window.lut is not None:
        return "  ".join(
            part for part in ("VOI LUT", view.window.name, word("inverted") if view.inverted else "") if part
        )
    width, center = (f"{v:.0f}" if abs(v) >= 20 else f"{v:.3g}" for v in (view.window.width, view.window.center))
    name = f"  {word(view.window.name)}" if view.window.name else ""
    suffix = f" {unit}" if unit and not view.window.name.startswith(unit) else ""
    shape = "" if view.window.is_linear else f"  {word('sigmoid')}"
    return f"W {width}  L {center}{suffix}{name}{shape}{'  ' + word('inverted') if view.inverted else ''}"


def _window(view: View, image: Image) -> list[str]:
    """The window of grey values and the colour map they are shown through; colours are shown as they are."""
    if image.is_colour:
        return []
    colours = [word(f"Colours: {colour_map(view.colours).title}")] if view.colours != GREY else []
    return [window_text(view, image.rescale.unit), *colours]


_SYMBOLS = {"time": "t", "b-value": "b", "echo": "TE"}
"""What readers call the values of a 4th axis that have a unit."""


def phase_value(axis: PhaseAxis, phase: int) -> str:
    """The value of a phase with its unit, for example ``t = 400 ms``; empty where phases are merely counted."""
    value = axis.values[phase]
    if axis.unit:
        return f"{_SYMBOLS.get(axis.name, axis.name)} = {value:.6g} {axis.unit}"
    counted = all(values == start + k for start in (axis.values[0],) for k, values in enumerate(axis.values))
    return "" if counted and axis.values[0] in (0, 1) else f"{axis.name} {value:.6g}"


def phase_text(axis: PhaseAxis, phase: int) -> str:
    """Which phase is shown of how many, with its value: ``time 5 / 12  t = 400 ms``."""
    return "  ".join(
        part for part in (f"{word(axis.name)} {phase + 1} / {len(axis)}", phase_value(axis, phase)) if part
    )


def _results(session: Session) -> list[str]:
    """What models said of the image, in one short line each, and by which version of which; the panels tell the rest.

    Notes stand here only beside probabilities, which are read off the image itself.
    """
    lines = []
    told = ""  # who made what the line before is about
    said = session.classification
    if said is not None:
        lines.append("  ".join(f"{name} {p:.2f}" for name, p in said.probabilities.items()))
        lines += [session.maker(said.provenance), *said.notes]
    mask = session.mask
    if mask is not None and session.view.mask_visible and mask.base.provenance.plugin_id:
        made = mask.base.provenance
        corrected = mask.can_undo or made.author != "algorithm"
        told = session.maker(made)
        lines.append(word(f"Mask: {told}{', corrected' if corrected else ''}"))
    heat = session.heatmap
    if heat is not None and session.view.heat_visible:
        away = _away(session, "Heat map", phase_of(heat))
        maker = session.maker(heat.provenance)
        lines += away or [word(f"{heat.method} of {heat.target}{f', {maker}' if maker != told else ''}")]
    if session.detections is not None and session.view.mask_visible:
        lines += _away(session, "Finds", phase_of(session.detections))
    return list(dict.fromkeys(lines))


def _away(session: Session, what: str, phase: int | None) -> list[str]:
    """That something is not drawn here, because it was found in another phase."""
    image = session.shown
    if phase is None or image is None or image.dynamic is None or not session.elsewhere(phase):
        return []
    axis = image.dynamic.axis
    return [word(f"{what} not drawn here: of {axis.name} {phase + 1} / {len(axis)}")]


def _leading(session: Session) -> int:
    """The first viewport that is seen of those that show the main series."""
    view, image = session.view, session.image
    panes = view.hung
    if view.layout == "single" and image is not None and (image.is_volume or view.arranged.volume is None):
        return min(view.active, len(panes) - 1)
    return next((k for k, pane in enumerate(panes) if not pane.series), 0)


def corners(session: Session, image: Image, series: Series, plane: Plane, number: int) -> Corners:
    """The four corners of a viewport; patient, study and results stand in the first one that is seen.

    Where each line stands is the user's choice; what a picture must not be read without stands always.
    """
    view = session.view
    first = number == _leading(session)
    places = {**LINE_PLACES, **session.line_places}
    texts: dict[str, list[str]] = {}

    def put(place: Place, *lines: str) -> None:
        texts.setdefault(place, []).extend(line for line in lines if line)

    if first:
        for name, line in zip(("name", "person", "study"), patient_lines(session.study), strict=True):
            put(places[name], line)
    where, slab = _where(session, image, series, plane), slab_text(session, image, plane) if plane.name else ""
    put(places["slice"], *where)
    put(
        "top_right",
        word("turned plane") if turned_of(session) is not None and plane.name and not image.is_colour else "",
    )
    put("top_right", slab)
    phase = phase_text(image.dynamic.axis, image.phase) if first and image.dynamic is not None else ""
    put("top_right", phase)
    fused = fused_lines(session, number)
    put("top_right", *fused)
    turn = view.hung[number].turn.text if number < len(view.hung) else ""
    put("top_right", turn)
    if first:
        put(places["series"], series.description or series.modality)
        put("bottom_left", *_results(session), "" if image.calibrated else word("uncalibrated: no lengths in mm"))
    if first or (number < len(view.hung) and view.hung[number].look is not None):
        put(places["window"], *_window(view, image))
    left, right = _brief(session, where, places, (slab, phase, *fused, turn), first)
    return Corners(
        **{place: "\n".join(texts.get(place, ())) for place in PLACES}, shown=True, brief_left=left, brief_right=right
    )


def _brief(
    session: Session, where: tuple[str, ...], places: dict[str, Place], always: tuple[str, ...], first: bool
) -> tuple[str, str]:
    """What stands at the top of a viewport too small for all: whose, of when, which slice, and how it is shown."""
    study = session.study
    person_ = patient_lines(study)[0] if first and places["name"] in PLACES else ""
    date_ = study.date if study is not None and first and places["study"] in PLACES else ""
    slice_ = where[0] if places["slice"] in PLACES else ""
    left, right = ("\n".join(line for line in lines if line) for lines in ((person_, date_), (slice_, *always)))
    return left, right


def _where(session: Session, image: Image, series: Series, plane: Plane) -> tuple[str, ...]:
    if not plane.name:
        return ("  ".join(part for part in (series.body_part, series.view, series.laterality) if part),)
    turned = turned_of(session)
    if turned is not None and plane.name in PLANES and not image.is_colour:
        # the corner says that it is turned: which slice means nothing
        return word(turned.title(plane.name)), f"{turned.spacing:.2f} mm"
    k, step = session.view.cursor[plane.axis], image.grid.spacing[plane.axis]
    return f"{word(plane.name)}  {k + 1} / {plane.count}", f"{step:.2f} mm"


def read_out(
    session: Session, index: tuple[float, float, float], plane: Plane | None = None, number: int | None = None
) -> str:
    """What the status bar says of the voxel under the pointer: position in mm and value with its unit.

    Over a plane that shows a slab, the value is the slab's; what is laid over pane `number` is told behind it.
    """
    image = session.shown
    if image is None or not image.grid.contains(index):
        return ""
    z, y, x = image.grid.clamp(index)
    if image.is_colour:
        red, green, blue = (int(v) for v in image.voxels[z, y, x])
        value = f"RGB {red}, {green}, {blue}"
    else:
        slab = slab_value(session, image, plane, (z, y, x)) if plane is not None else None
        found = image.value_at((z, y, x)) if slab is None else slab
        name = f" {NAMES[session.view.slab_mode]}" if slab is not None else ""
        value = f"{image.rescale.unit or word('value')}{name} {number_text(found, image.rescale.unit)}"
    if plane is not None and number is not None and session.fusion is not None:
        at = (*plane.to_screen((z, y, x)), (z, y, x)[plane.axis])
        value = " · ".join(part for part in (value, fused_value(session, plane, at, number)) if part)
    if not image.calibrated or not image.is_volume:
        where = word(f"column {x}, row {y}")
    else:
        where = "{:.1f}, {:.1f}, {:.1f} mm".format(*image.grid.index_to_world((z, y, x)))
    mask = session.mask
    label = int(mask.labels[z, y, x]) if mask is not None else 0
    named = next((s.name for s in mask.segments if s.label == label), "") if mask is not None and label else ""
    return "   ".join(part for part in (where, value, named) if part)
