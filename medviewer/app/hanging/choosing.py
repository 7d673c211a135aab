"""Which series a rule means, and which protocol fits a study best: pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medviewer.app.hanging.protocol import Hung, Protocol, Rule, Step
from medviewer.domain.study import Series, Study

_MAMMOGRAM = re.compile(r"\b([RL])[ _-]?(CC|MLO|ML|LM|XCCL|XCCM)\b", re.IGNORECASE)
"""How descriptions name a view of a breast, where the header has no View Position: ``R CC``, ``LMLO``."""

_LATERAL = re.compile(r"\blat(eral)?\b", re.IGNORECASE)
_FRONTAL = re.compile(r"\b(PA|AP)\b", re.IGNORECASE)

PARTS: tuple[frozenset[str], ...] = tuple(
    frozenset(words.split())
    for words in (
        "HEAD BRAIN SKULL NEURO CRANIUM",
        "CHEST THORAX LUNG LUNGS",
        "ABDOMEN PELVIS ABDOMENPELVIS LIVER",
        "BREAST MAMMA",
        "CSPINE TSPINE LSPINE SPINE",
    )
)
"""Words for body parts that are compared with each other (Body Part Examined, DICOM PS3.16 Annex L)."""


def view_of(series: Series) -> str:
    """View Position, else what the description says of it: ``CC``, ``MLO``, ``PA``, ``LATERAL``; or empty."""
    if series.view or series.grid.shape[0] > 1:
        return series.view
    found = _MAMMOGRAM.search(series.description) if series.modality == "MG" else None
    if found is not None:
        return found[2].upper()
    if _LATERAL.search(series.description):
        return "LATERAL"
    frontal = _FRONTAL.search(series.description)
    return frontal[1].upper() if frontal is not None else ""


def laterality_of(series: Series) -> str:
    """``R`` or ``L`` as the header says, else as the description of a mammogram does; or empty."""
    if series.laterality:
        return series.laterality
    found = _MAMMOGRAM.search(series.description) if series.modality == "MG" else None
    return "" if found is None else found[1].upper()


def meets(rule: Rule, series: Series, main: Series | None) -> bool:
    """Whether a series is one that a rule means."""
    if rule.main:
        return main is not None and series.uid == main.uid
    slices = series.grid.shape[0]
    given: Iterable[tuple[tuple[str, ...], str]] = (
        (rule.modality, series.modality),
        (rule.body_part, series.body_part),
        (rule.view, view_of(series)),
        (rule.laterality, laterality_of(series)),
    )
    return (
        all(not wanted or value in wanted for wanted, value in given)
        and (not rule.description or bool(re.search(rule.description, series.description, re.IGNORECASE)))
        and (not rule.unlike or not re.search(rule.unlike, series.description, re.IGNORECASE))
        and (rule.least is None or slices >= rule.least)
        and (rule.most is None or slices <= rule.most)
    )


def chosen(rules: Sequence[Rule], among: Sequence[Series], main: Series | None) -> Series | None:
    """The series that the first rule means which any meets; None where none is met.

    Of several, the one with the view that the rule names first, the main series, the one with most slices, the one
    with the lowest number.
    """
    for rule in rules:
        fitting = [series for series in among if meets(rule, series, main)]
        if fitting:
            return min(fitting, key=lambda series: _order(rule, series, main))
    return None


def _order(rule: Rule, series: Series, main: Series | None) -> tuple[object, ...]:
    view = view_of(series)
    return (
        rule.view.index(view) if view in rule.view else 0,
        main is None or series.uid != main.uid,
        -series.grid.shape[0],
        series.number is None,
        series.number or 0,
        series.uid,
    )


def chosen_prior(rules: Sequence[Rule], among: Sequence[Series], main: Series) -> Series | None:
    """As `chosen`, of an earlier study; there the main series' rule means the one that is most like it."""
    for rule in rules:
        if rule.main:
            like = [series for series in among if series.modality == main.modality]
            if like:
                return max(like, key=lambda series: _likeness(series, main))
            continue
        fitting = [series for series in among if meets(rule, series, None)]
        if fitting:
            return min(fitting, key=lambda series: (*_order(rule, series, None)[:1], *_unlikeness(series, main)))
    return None


def _unlikeness(series: Series, main: Series) -> tuple[int, ...]:
    return tuple(-one for one in _likeness(series, main))


def _likeness(series: Series, main: Series) -> tuple[int, ...]:
    """How alike two series are, the most important first."""
    return (
        (series.grid.shape[0] > 1) == (main.grid.shape[0] > 1),
        view_of(series) == view_of(main),
        laterality_of(series) == laterality_of(main),
        bool(_parts(series.body_part) & _parts(main.body_part)),
        series.grid.plane_name(0) == main.grid.plane_name(0),
        series.description.casefold() == main.description.casefold(),
        -abs(series.grid.shape[0] - main.grid.shape[0]),
    )


def _parts(text: str) -> frozenset[str]:
    """Words of a text, with those that are compared with them."""
    words = frozenset(re.findall(r"[A-Z]+", text.upper()))
    return words.union(*(group for group in PARTS if group & words))


def named_parts(text: str) -> frozenset[str]:
    """The body parts that a description names, with those that are compared with them."""
    known = frozenset().union(*PARTS)
    words = frozenset(re.findall(r"[A-Z]+", text.upper())) & known
    return words.union(*(group for group in PARTS if group & words)) if words else words


def comparable(one: str, one_text: str, other: str, other_text: str) -> bool:
    """Whether two body parts may be compared: by the headers, else by the descriptions; what nobody says may be."""
    first = _parts(one) if one else named_parts(one_text)
    second = _parts(other) if other else named_parts(other_text)
    return not first or not second or bool(first & second)


# -- protocols


@dataclass(frozen=True)
class Fit:
    """How well a protocol fits a study.

    Parameters
    ----------
    protocol
        Which.
    points
        How much its conditions say.
    reasons
        Which of them hold, in words.
    """

    protocol: Protocol
    points: int
    reasons: tuple[str, ...]


def fit(protocol: Protocol, study: Study, main: Series, prior: bool) -> Fit | None:
    """How well a protocol fits a study that is opened with a series; None where a condition does not hold.

    Points: 1 for the modality, the number of series and a prior; 2 for the body part, the description, the series that
    there have to be, and for each of the modalities that come together.
    """
    when, points = protocol.when, 0
    reasons: list[str] = []
    has = {series.modality for series in study.series}
    if when.modality:
        if main.modality not in when.modality:
            return None
        points, reasons = points + 1, [*reasons, f"modality {main.modality}"]
    if when.together:
        if not set(when.together) <= has:
            return None
        points, reasons = points + 2 * len(when.together), [*reasons, f"modalities {' and '.join(when.together)}"]
    if when.body_part:
        part = _part(when.body_part, study, main)
        if not part:
            return None
        points, reasons = points + 2, [*reasons, f"body part {part}"]
    if when.description:
        texts = (main.description, study.description)
        if not any(re.search(when.description, text, re.IGNORECASE) for text in texts):
            return None
        points, reasons = points + 2, [*reasons, "description"]
    if when.least is not None or when.most is not None:
        if not (when.least or 0) <= len(study.series) <= (when.most or len(study.series)):
            return None
        points, reasons = points + 1, [*reasons, f"{len(study.series)} series"]
    if when.shows:
        met = sum(any(meets(rule, series, main) for series in study.series) for rule in when.shows)
        if met < (when.at_least or len(when.shows)):
            return None
        points, reasons = points + 2, [*reasons, f"{met} of its {len(when.shows)} kinds of series"]
    if when.prior is not None:
        if when.prior != prior:
            return None
        points, reasons = points + 1, [*reasons, "an earlier study" if prior else "no earlier study"]
    return Fit(protocol, points, tuple(reasons))


def _part(wanted: tuple[str, ...], study: Study, main: Series) -> str:
    """The body part by which a study fits, in words; empty where it does not."""
    if main.body_part:
        return main.body_part.lower() if main.body_part in wanted else ""
    words = set(re.findall(r"[A-Z]+", f"{study.description} {main.description}".upper()))
    found = next((one for one in wanted if one in words), "")
    return f"{found.lower()} of the description" if found else ""


def ranked(protocols: Iterable[Protocol], study: Study, main: Series, prior: bool) -> list[Fit]:
    """Those that fit, the best first: by points, then in the order that they are listed in."""
    fits = [found for one in protocols if (found := fit(one, study, main, prior)) is not None]
    return sorted(fits, key=lambda found: -found.points)


def why(best: Fit, others: Sequence[Fit]) -> str:
    """In a sentence or two, why a protocol was chosen."""
    text = f"It fits by {', '.join(best.reasons)}." if best.reasons else "It fits every study."
    same = [one for one in others if one.points == best.points and one is not best]
    if same:
        first = "it is yours" if best.protocol.own and not same[0].protocol.own else "it is listed first"
        text += f" {same[0].protocol.name} fits as well; of the two, {first}."
    elif others and others[0] is not best:
        text += f" {others[0].protocol.name} fits, too, but says less of this study."
    return text


@dataclass(frozen=True)
class Place:
    """What of which study is to be hung in a viewport.

    Parameters
    ----------
    hung
        What the protocol says.
    series
        Which series that is; None where there is none, or the earlier study is not read yet.
    """

    hung: Hung
    series: Series | None


_ROOM = ((1, "1x1"), (2, "1x2"), (3, "1x3"), (4, "2x2"), (6, "2x3"), (8, "2x4"), (12, "3x4"))


def placed(step: Step, study: Study, main: Series | None, prior: Study | None) -> tuple[str, tuple[Place, ...]]:
    """The layout of a step, and what is hung in each of its viewports.

    A layout that goes by what is there has no viewport for what the opened study has not.
    """
    places = []
    for hung in step.viewports:
        if hung.of == "current":
            series = chosen(hung.series, study.series, main)
        else:
            series = None if prior is None or main is None else chosen_prior(hung.series, prior.series, main)
        places.append(Place(hung, series))
    if step.layout:
        return step.layout, tuple(places)
    there = tuple(place for place in places if place.series is not None or place.hung.of == "prior")
    layout = next(name for room, name in _ROOM if room >= len(there))
    rows, columns = layout.split("x")
    empty = int(rows) * int(columns) - len(there)
    return layout, (*there, *(Place(Hung(series=()), None) for _ in range(empty)))


def what(hung: Hung) -> str:
    """What a viewport is for, in few words: for the note in one that is empty."""
    rule = hung.series[0] if hung.series else Rule()
    words = [*rule.laterality[:1], *rule.view[:1]] or [*rule.modality[:1], rule.description.split("|")[0]]
    return " ".join(word for word in words if word and word.isalnum()) or "series"
