"""Measurements of the open study: kept at once, undone, brought back, gone to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from medviewer.app.commands import measuring
from medviewer.app.commands import study as study_commands
from medviewer.app.controllers.measures import drawn_measures
from medviewer.app.hanging.companions import plane_of
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.domain.measure.measurement import Measurement
from medviewer.errors import InputError, NotFoundError
from tests.app.conftest import GRID, SERIES, STUDY


def length(label: str = "") -> Measurement:
    """5 mm on slice 1, from voxel (1, 2, 1): 4 mm along y, 3 mm along x."""
    a, b = GRID.index_to_world([(1, 2, 1), (1, 4, 4)]).tolist()
    return Measurement("", "length", (tuple(a), tuple(b)), (0, 0, 1), "", label)


def test_what_is_measured_is_kept_at_once_and_comes_back(launch: Callable[..., Services], image: Image) -> None:
    services = launch(opened=image)
    made = measuring.add(services, length("Target 1"))
    assert (made.author, made.series_uid, services.session.chosen_measurement) == ("reader", SERIES.uid, made.uid)
    other = launch(opened=image)  # a second program on the archive, while the first runs
    assert other.session.measurements == (made,)
    assert [value.text for value in other.session.measured[made.uid]] == ["5.0 mm"]


@pytest.mark.parametrize(("label", "text"), [("", ("5.0 mm",)), ("Target 1", ("Target 1", "5.0 mm"))])
def test_where_there_is_little_room_it_says_what_it_comes_to(
    services: Services, label: str, text: tuple[str, ...]
) -> None:
    session = services.session
    session.view.cursor = (1, 2, 1)
    measuring.add(services, length(label))
    plane = plane_of(session, 0)
    assert plane is not None
    (drawn,) = drawn_measures(session, plane, 1)
    assert (drawn.text, drawn.brief) == (text, "5.0 mm")


def test_every_change_can_be_undone_and_done_again(services: Services) -> None:
    session = services.session
    made = measuring.add(services, length())
    measuring.name(services, made.uid, "  Left   hilum ")
    measuring.remove(services, made.uid)
    named = replace(made, label="Left hilum")
    states: list[tuple[Measurement, ...]] = [()]
    undone: list[tuple[Measurement, ...]] = [(named,), (made,), ()]
    for expected in undone:
        measuring.undo(services)
        states.append(session.measurements)
        assert session.measurements == expected
    with pytest.raises(InputError, match="no measurement to undo"):
        measuring.undo(services)
    for again in reversed(states[:-1]):
        measuring.redo(services)
        assert session.measurements == again
    with pytest.raises(InputError, match="to do again"):
        measuring.redo(services)
    measuring.restore(services)
    assert session.measurements == ()


def test_a_change_ends_what_could_be_done_again_and_no_change_is_no_step(services: Services) -> None:
    made = measuring.add(services, length())
    measuring.change(services, made)
    assert len(services.session.measure_steps.past) == 1
    measuring.name(services, made.uid, "A")
    measuring.undo(services)
    measuring.name(services, made.uid, "B")
    assert services.session.measure_steps.future == ()
    with pytest.raises(NotFoundError, match="no such measurement"):
        measuring.change(services, replace(made, uid="2.25.1"))


def test_the_crosshair_goes_to_a_measurement(services: Services) -> None:
    made = measuring.add(services, length())
    services.session.chosen_measurement = ""
    measuring.jump_to(services, made.uid)
    assert services.session.view.cursor == (1, 3, 2)
    assert services.session.chosen_measurement == made.uid


def test_a_measurement_belongs_to_its_study(services: Services, image: Image) -> None:
    session = services.session
    sibling = replace(SERIES, uid="1.2.826.0.1.78")
    session.studies = (
        replace(STUDY, series=(SERIES, sibling)),
        replace(STUDY, uid="1.2.5", series=(replace(SERIES, uid="1.2.6"),)),
    )
    made = measuring.add(services, length())
    study_commands.present(session, sibling, image)
    assert [m.uid for m in session.measurements] == [made.uid]
    measuring.name(services, made.uid, "hidden")  # its image is not open: it comes to what it came to
    assert session.measured[made.uid][0].number == pytest.approx(5)
    study_commands._present(services, session.studies[1].series[0], image)
    assert not session.measurements
    study_commands._present(services, SERIES, image)
    assert [m.label for m in session.measurements] == ["hidden"]
    study_commands.close(services)
    assert not session.measurements
    with pytest.raises(InputError, match="open a study first"):
        measuring.add(services, length())


def beside(services: Services, image: Image) -> None:
    """Another series of the study is open, by which nothing on the first one can be measured."""
    sibling = replace(SERIES, uid="1.2.826.0.1.78")
    services.session.studies = (replace(STUDY, series=(SERIES, sibling)),)
    study_commands._present(services, sibling, image)


def values_kept(services: Services) -> list[list[str]]:
    return [[value.text for value in one.values] for one in services.archive.measurements.of_studies([STUDY.uid])]


def test_undo_on_a_series_that_is_not_open_brings_the_values_back_too(services: Services, image: Image) -> None:
    session = services.session
    made = measuring.add(services, length())
    a, b = GRID.index_to_world([(1, 2, 1), (1, 5, 6)]).tolist()
    measuring.change(services, replace(made, points=(tuple(a), tuple(b))))
    assert values_kept(services) == [["7.8 mm"]]
    beside(services, image)
    measuring.undo(services)
    assert session.measurements == (made,)
    assert values_kept(services) == [["5.0 mm"]]
    assert [value.text for value in session.measured[made.uid]] == ["5.0 mm"]
    measuring.redo(services)
    assert values_kept(services) == [["7.8 mm"]]


def test_what_was_removed_comes_back_with_its_values_when_its_series_is_not_open(
    services: Services, image: Image
) -> None:
    made = measuring.add(services, length())
    measuring.remove(services, made.uid)
    beside(services, image)
    measuring.undo(services)
    assert values_kept(services) == [["5.0 mm"]]
    measuring.name(services, made.uid, "Hilum")
    assert values_kept(services) == [["5.0 mm"]]
