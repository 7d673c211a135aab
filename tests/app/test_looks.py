"""Windows that are typed in and kept, and the colours of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.colours import COLOUR_MAPS, colour_map, palette
from medviewer.app.commands import looks, panes, study, view
from medviewer.app.controllers.display import resolve
from medviewer.app.controllers.texts import age_of, read_out, window_text
from medviewer.app.services import Services
from medviewer.app.settings import LINE_PLACES
from medviewer.app.state import Session
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.plane import Plane, planes_of
from medviewer.errors import InputError

from .conftest import SERIES, STUDY


def test_a_typed_window_is_exact(services: Services) -> None:
    looks.set_window(services, 40, 80)
    assert services.session.view.window.limits == (0, 80)
    assert window_text(services.session.view, "HU") == "W 80  L 40 HU"


@pytest.mark.parametrize(("center", "width"), [(0, 0), (0, -1), (float("nan"), 1), (0, float("inf"))])
def test_what_is_no_window_is_said(services: Services, center: float, width: float) -> None:
    before = services.session.view.window
    with pytest.raises(InputError, match="width above 0"):
        looks.set_window(services, center, width)
    assert services.session.view.window is before


def test_windows_and_colours_are_for_grey_values(launch: Callable[..., Services], image: Image) -> None:
    empty = launch()
    acts = (
        lambda: looks.set_window(empty, 1, 2),
        lambda: looks.next_file_window(empty),
        lambda: looks.keep_window(empty, "A"),
        lambda: looks.set_colours(empty, "viridis"),
    )
    for act in acts:
        with pytest.raises(InputError, match="open a series first"):
            act()
    empty.session.image = replace(image, voxels=np.zeros((*image.grid.shape, 3), np.uint8))
    for act in acts:
        with pytest.raises(InputError, match="in colour"):
            act()


def test_the_windows_of_the_file_come_round(services: Services) -> None:
    session = services.session
    session.image = replace(session.image, windows=(Window(1, 2, "A"), Window(3, 4)))
    names = []
    for _ in range(3):
        looks.next_file_window(services)
        names.append(session.view.window.name)
    assert names == ["A", "File 2", "A"]
    session.image = replace(session.image, windows=())
    with pytest.raises(InputError, match="brings no window"):
        looks.next_file_window(services)


def test_a_kept_window_is_there_after_a_restart_and_for_its_kind_only(
    launch: Callable[..., Services], image: Image
) -> None:
    services = launch(opened=image)
    looks.set_window(services, 700, 4000)
    looks.keep_window(services, " Ear ", 5)
    assert services.session.view.window.name == "Ear"
    services.close()

    again = launch(opened=image)
    view.choose_window(again, 5)
    assert again.session.view.window == Window(700, 4000, "Ear")
    again.session.image = replace(image, rescale=Rescale())
    view.choose_window(again, 6)
    view.choose_window(again, 5)
    assert again.session.view.window.name == "Bone", "another unit: the preset has its digit"
    looks.forget_window(again, again.session.own_windows[0])
    assert launch().session.own_windows == ()


def test_what_cannot_be_kept_is_said(services: Services) -> None:
    for name, key in (("", 0), ("  ", 0), ("x" * 41, 0), ("Ear", 10), ("Ear", -1)):
        with pytest.raises(InputError, match="name of 1 to 40 letters"):
            looks.keep_window(services, name, key)
    services.session.view.window = Window(1, 2, "S", "SIGMOID")
    with pytest.raises(InputError, match="curve of the file"):
        looks.keep_window(services, "Ear")
    assert services.session.own_windows == ()


def test_a_files_linear_window_is_kept_as_it_looks(services: Services) -> None:
    services.session.view.window = Window(0, 21, "F", "LINEAR")
    limits = services.session.view.window.limits
    kept = looks.keep_window(services, "Mine")
    assert kept.window.limits == pytest.approx(limits)


def test_colours_are_chosen_told_and_gone_with_the_series(services: Services, image: Image) -> None:
    session = services.session
    looks.set_colours(services, "hot-iron")
    shown = resolve(session, planes_of(image.grid)[0], 0)
    assert shown.colours == "hot-iron"
    assert "Colours: Hot iron" in shown.corners.bottom_left
    looks.grey(services)
    assert "Colours" not in resolve(session, planes_of(image.grid)[0], 0).corners.bottom_left
    seen = [looks.next_colours(services) or session.view.colours for _ in COLOUR_MAPS]
    assert seen == [*(one.id for one in COLOUR_MAPS[1:]), "gray"]
    with pytest.raises(InputError, match="should be one of"):
        looks.set_colours(services, "pink")
    looks.set_colours(services, "viridis")
    study.present(session, SERIES, image)
    assert session.view.colours == "gray"


def test_rainbows_say_that_they_are() -> None:
    assert all("rainbow" in one.title for one in COLOUR_MAPS if one.id.startswith("pet"))
    assert colour_map("gone").id == "gray"
    assert len({one.id for one in COLOUR_MAPS}) == len(COLOUR_MAPS)


def test_palettes_are_those_of_dicom() -> None:
    """Values of PS3.6 Annex B, tables B.1-1 to B.1-4."""
    tables = {one.id: palette(one.palette) * 255 for one in COLOUR_MAPS if one.palette}
    for table in tables.values():
        assert table.shape == (256, 3)
        assert (table[0], table[-1]) == (pytest.approx((0, 0, 0)), pytest.approx((255, 255, 255)))
    assert tables["hot-iron"][64] == pytest.approx((128, 0, 0))
    assert tables["hot-iron"][128] == pytest.approx((255, 0, 0))
    assert tables["pet"][128] == pytest.approx((128, 0, 255))
    assert tables["hot-metal-blue"][64] == pytest.approx((0, 0, 125))
    assert len(np.unique(tables["pet-20-step"], axis=0)) == 20


def test_lines_stand_where_the_user_wants_them_and_stay_there(launch: Callable[..., Services], image: Image) -> None:
    services = launch(opened=image)
    plane = planes_of(image.grid)[0]
    before = resolve(services.session, plane, 0).corners
    assert before.top_left.splitlines()[0] == "Muster, Eva"
    assert before.bottom_left == "W 400  L 40 HU  Soft tissue"
    looks.place_lines(services, {"name": "hidden", "person": "bottom_right", "window": "top_left"})
    shown = resolve(services.session, plane, 0).corners
    assert shown.top_left == "2020-03-01  Trauma\nW 400  L 40 HU  Soft tissue"
    assert (shown.bottom_left, shown.bottom_right) == ("", "59 y  F  ID-17")
    assert shown.top_right == before.top_right
    services.close()

    again = launch(opened=image)
    assert resolve(again.session, plane, 0).corners == shown
    looks.place_lines(again, {})
    assert resolve(again.session, plane, 0).corners == before
    with pytest.raises(InputError, match="Lines are called"):
        looks.place_lines(again, {"pulse": "hidden"})


def test_what_must_be_read_with_a_picture_shows_with_every_line_hidden(radiograph: Session) -> None:
    radiograph.line_places = dict.fromkeys(LINE_PLACES, "hidden")
    panes.turn(radiograph, "flip")
    shown = resolve(radiograph, Plane.picture(radiograph.image.grid), 0).corners
    assert (shown.top_left, shown.top_right) == ("", "flipped left to right")
    assert shown.bottom_left == "uncalibrated: no lengths in mm"
    assert shown.shown


@pytest.mark.parametrize(
    ("born", "said", "age"),
    [
        ("1960-03-02", "", "59 y"),
        ("1960-03-02", "061Y", "59 y"),
        ("", "045Y", "45 y"),
        ("", "018M", "18 mo"),
        ("", "003W", "3 wk"),
        ("", "010D", "10 d"),
        ("", "old", ""),
        ("", "", ""),
    ],
)
def test_the_age_is_that_at_the_study(born: str, said: str, age: str) -> None:
    patient = replace(STUDY.patient, birth_date=born, age=said)
    assert age_of(replace(STUDY, patient=patient)) == age


@pytest.mark.parametrize(
    ("rescale", "value"),
    [
        (Rescale(2.0, -100.0, "HU"), "HU 56"),  # 1 * 48 + 3 * 8 + 6 = 78; 2 * 78 - 100 = 56
        (Rescale(0.25, 0.0, "SUV"), "SUV 19.5"),
        (Rescale(), "value 78"),
        (Rescale((1.0, 0.5, 1.0, 1.0), 1.0, "BQML"), "BQML 40"),
    ],
)
def test_the_value_under_the_pointer_has_its_unit_and_its_place(session: Session, rescale: Rescale, value: str) -> None:
    session.image = replace(session.image, rescale=rescale)
    # x = 10 + 6 * 1, y = -20 + 3 * 2, z = 30 + 1 * 3
    assert read_out(session, (1, 3, 6)) == f"16.0, -14.0, 33.0 mm   {value}"
