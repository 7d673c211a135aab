"""What the user says about hanging: this protocol, its next step, beside the prior, by itself or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.app import settings
from medviewer.app.commands import hanging, hanging_plan, study
from medviewer.app.hanging.choosing import fit
from medviewer.app.hanging.in_use import Prior
from medviewer.app.hanging.library import shipped
from medviewer.app.hanging.protocol import Protocol
from medviewer.domain.study import Series, Study
from medviewer.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from medviewer.app.services import Services

COMPARE = "compare-prior"
"""The protocol that shows a series beside the one of an earlier study that is most like it."""


def offered(services: Services) -> list[tuple[Protocol, str]]:
    """Every protocol, with why it cannot hang the open study; the reason is empty where it can."""
    session = services.session
    known = hanging_plan.protocols(services)
    if session.study is None or session.series is None or session.arrival is not None:
        return [(one, "open a series first, and wait until it is read") for one in known]
    prior = hanging_plan.prior_of(services, session.study, session.series)
    return [(one, _obstacle(one, session.study, prior)) for one in known]


def _obstacle(protocol: Protocol, study: Study, prior: Prior | None) -> str:
    if protocol.needs_prior and prior is None:
        return "there is no earlier study to compare"
    lacking = [one for one in protocol.when.together if all(series.modality != one for series in study.series)]
    if lacking:
        return f"the study has no {' and no '.join(lacking)}"
    return "" if hanging_plan.plan_of(protocol, study, None, prior) is not None else "the study has no such series"


def use(services: Services, protocol: Protocol) -> None:
    """Hang the open study by a protocol, whatever it says of when it is for.

    Raises
    ------
    InputError
        If nothing is open, or the study has nothing that the protocol shows.
    """
    opened, series = _opened(services)
    prior = hanging_plan.prior_of(services, opened, series)
    reason = _obstacle(protocol, opened, prior)
    if reason:
        raise InputError(f"{protocol.name} cannot be hung: {reason}; choose another protocol.")
    why = "You chose it."
    plan = hanging_plan.plan_of(protocol, opened, series, prior, why, by_hand=True) or hanging_plan.plan_of(
        protocol, opened, None, prior, why, by_hand=True
    )
    if plan is not None:
        _go_to(services, plan)


def again(services: Services) -> None:
    """Hang the open study anew, by the protocol that fits it best.

    Raises
    ------
    InputError
        If nothing is open, or none fits.
    """
    opened, series = _opened(services)
    plan = hanging_plan.decide(services, opened, series) or hanging_plan.decide(services, opened, None)
    if plan is None:
        raise InputError("No hanging protocol fits this study; choose one, or save this layout as one of your own.")
    _go_to(services, plan)


def next_step(services: Services, steps: int = 1) -> None:
    """Go to the next step of the protocol that is in use, and from the last to the first.

    Raises
    ------
    InputError
        If none is in use, or it has one step only.
    """
    opened, series = _opened(services)
    now = services.session.hanging
    if now is None or now.protocol is None or len(now.protocol.steps) < 2:
        raise InputError("A hanging protocol with several steps should be in use for that; choose one, as mammography.")
    coming = services.stepping
    at = coming.step if coming is not None and coming.protocol is now.protocol else now.step
    number = (at + steps) % len(now.protocol.steps)
    shown = hanging_plan.shown_by(now.protocol, number, opened, series, now.prior)
    if not shown:
        raise NotFoundError("The study has no series that this step shows; go on to the next one.")
    main = series if any(one.uid == series.uid for one in shown) else shown[0]
    _go_to(services, hanging_plan.Plan(now.protocol, number, main, now.prior, now.why, now.by_hand))


def compare_with_prior(services: Services) -> None:
    """Show the open series beside the one of the latest earlier study that is most like it.

    Raises
    ------
    InputError
        If nothing is open, or no earlier study of the patient has such images.
    """
    opened, series = _opened(services)
    if hanging_plan.prior_of(services, opened, series) is None:
        raise InputError(
            "An earlier study of this patient with comparable images is needed, and none is listed; open one."
        )
    use(services, next(one for one in shipped() if one.id == COMPARE))
    services.session.view.sync_zoom = True


def set_automatic(services: Services, on: bool) -> None:
    """Say whether studies are hung by the protocol that fits best when they are opened. Raises StoreError."""
    settings.change(services.archive.home, hang=on)
    services.session.hang_automatic = on


def fits(services: Services, protocol: Protocol) -> bool:
    """Whether the conditions of a protocol hold for the open study."""
    session = services.session
    if session.study is None or session.series is None:
        return False
    prior = hanging_plan.prior_of(services, session.study, session.series)
    return fit(protocol, session.study, session.series, prior is not None) is not None


def _opened(services: Services) -> tuple[Study, Series]:
    session = services.session
    if session.study is None or session.series is None or session.image is None:
        raise InputError("Hanging needs a study; open one first.")
    if session.arrival is not None:
        raise InputError("The series is still being read; wait until it is complete, and hang it then.")
    return session.study, session.series


def _go_to(services: Services, plan: hanging_plan.Plan) -> None:
    """Hang what a plan has; where its main series is another one, that one is opened, at once where it is at hand."""
    session = services.session
    if session.series is not None and plan.main.uid == session.series.uid:
        if services.stepping is not None:
            services.overtake()  # what was asked for before this is not hung over it
        hanging.hang(services, plan)
        hanging.read_rest(services)
        return
    study.show_hung(services, plan)
