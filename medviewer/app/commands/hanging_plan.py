"""Which hanging protocol fits a study that is opened, with which series and which earlier study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medviewer.app.hanging import library
from medviewer.app.hanging.choosing import chosen, comparable, placed, ranked, why
from medviewer.app.hanging.in_use import Prior
from medviewer.app.hanging.protocol import Protocol
from medviewer.domain.study import Series, Study

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services


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
