"""What a study is hung by, and what hangs where."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medviewer import formats
from medviewer.app.commands import (
    hanging_choice,
    hanging_panes,
    key_images,
    masks,
    panes,
    pointed,
    study,
    view,
)
from medviewer.app.controllers.display import resolve_pane
from medviewer.app.hanging import library
from medviewer.app.hanging.choosing import chosen, fit, laterality_of, ranked, view_of
from medviewer.app.hanging.companions import companion_of, cursor_of, plane_of
from medviewer.app.hanging.in_use import is_own
from medviewer.app.hanging.layouts import Look
from medviewer.app.hanging.orienting import turn_to
from medviewer.app.hanging.protocol import Rule, protocol_of
from medviewer.app.hanging.wearing import relooked, window_of
from medviewer.app.ports.display import Display
from medviewer.app.presets import windows_for
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.archive import blobs
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Window
from medviewer.domain.plane import UNTURNED, Plane, Turn
from medviewer.domain.study import Series, Study
from medviewer.errors import InputError
from tests.app.hung_studies import write_mammogram, write_mammography, write_radiograph, write_volume

WAIT_S = 60.0

Opener = Callable[..., Services]


@pytest.fixture
def opened(launch: Callable[..., Services]) -> Opener:
    """Open folders in a program, and wait until all that hangs is read."""

    def make(*folders: Path, services: Services | None = None) -> Services:
        program = services or launch()
        program.runner.wait(study.open_paths(program, folders), WAIT_S)
        settle(program)
        return program

    return make


def settle(services: Services) -> None:
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0], WAIT_S)
    services.runner.pump()
    if services.runner.jobs:
        settle(services)


def shown(services: Services) -> list[Display | None]:
    session = services.session
    planes = tuple(plane_of(session, k) for k in range(len(session.view.hung)))
    return [resolve_pane(session, planes, k) for k in range(len(planes))]


def descriptions(services: Services) -> list[str]:
    """What hangs in each viewport, empty for nothing."""
    session = services.session
    found = []
    for number, pane in enumerate(session.view.hung):
        companion = companion_of(session, number)
        series = session.series if companion is None else companion.series
        date = (session.study if companion is None else companion.study).date
        found.append("" if pane.is_empty else f"{series.description} {date[:4]}")
    return found


def in_use(services: Services) -> str:
    protocol = services.session.hanging.protocol
    return "" if protocol is None else protocol.id


# -- what comes with the program


def test_the_shipped_protocols_fit_their_schema_and_name_what_there_is() -> None:
    data = yaml.safe_load(resource("presets/hanging.yaml").read_text(encoding="utf-8"))
    for one in data:
        library.parsed(yaml.safe_dump(one), one["id"])
    known = library.shipped()
    assert len({one.id for one in known}) == len(known) == len(data)
    for protocol in known:
        for step in protocol.steps:
            for hung in step.viewports:
                names = {window.name for modality in protocol.when.modality for window in windows_for(modality, "HU")}
                assert hung.window is None or hung.window in names, protocol.id


# -- CT and MR


def test_a_head_hangs_in_three_windows_at_once(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="HEAD"))
    session = services.session
    assert in_use(services) == "ct-head"
    assert session.hanging.why == "It fits by modality CT, body part head."
    assert [window_of(session, k)[0].name for k in range(4)] == ["Brain", "Subdural", "Bone", "Brain"]
    displays = shown(services)
    assert [display.limits for display in displays] == [(0, 80), (-32.5, 182.5), (-500, 1500), (0, 80)]
    assert [display.plane.name for display in displays] == ["Axial", "Axial", "Axial", "Coronal"]
    assert all(display.voxels is displays[0].voxels for display in displays), "one volume in memory"
    assert "Subdural" in displays[1].corners.bottom_left


def test_a_window_is_changed_in_its_own_viewport(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="HEAD"))
    session = services.session
    session.view.active = 1
    view.choose_window(services, 6)
    assert [window_of(session, k)[0].name for k in range(4)] == ["Brain", "Lung", "Bone", "Brain"]
    view.invert(services)
    assert [window_of(session, k)[1] for k in range(4)] == [False, True, False, False]
    view.drag_window(services, 0.1, 0, 2)
    assert window_of(session, 2)[0].width > 2000
    assert window_of(session, 0)[0].name == "Brain"
    session.view.sync_window = True
    view.choose_window(services, 5)
    assert [window_of(session, k)[0].name for k in range(4)] == ["Bone"] * 4
    assert [display.limits for display in shown(services)] == [(1500, -500)] * 4
    panes.arrange(session, "mpr")
    assert all(pane.look is None for pane in session.view.hung)


def test_key_images_and_resets_are_about_the_viewport(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="HEAD"))
    session = services.session
    session.view.active = 2
    key_images.mark(services)
    assert [(one.center, one.width) for one in session.key_images] == [(500, 2000)]
    view.choose_window(services, 6)
    view.invert(services)
    assert window_of(session, 2) == (windows_for("CT", "HU")[5], True)
    pointed.reset(session)
    assert [window_of(session, k)[0].name for k in range(4)] == ["Brain", "Subdural", "Bone", "Brain"], "as it was hung"
    assert not window_of(session, 2)[1]


def test_a_reset_brings_back_colours_inversion_and_slab_of_the_hung_look(tmp_path: Path, opened: Opener) -> None:
    session = opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="HEAD")).session
    look = Look(Window(50, 100), True, "hot", "mip", 12.0)
    before = session.view.hung
    session.view.panes = (replace(before[0], look=look, hung_look=look), *before[1:])
    session.view.active = 0
    other = {"window": Window(1, 2), "inverted": False, "colours": "gray", "slab_mode": "mean", "slab_mm": 3.0}
    session.view.panes = relooked(session.view.hung, 0, **other)
    pointed.reset(session)
    assert session.view.hung[0].look == look
    assert session.view.hung[1:] == before[1:]


def test_the_body_part_may_stand_in_the_description_only(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_volume(tmp_path, "CT", "Thorax 2.0 I70f"))
    assert in_use(services) == "ct-chest"
    assert services.session.hanging.why == "It fits by modality CT, body part thorax of the description."
    panes_looked = [look.window.name for look in (pane.look for pane in services.session.view.hung)]
    assert panes_looked == ["Lung", "Mediastinum", "Lung", "Bone"]


def test_what_no_protocol_is_for_opens_as_before(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="KNEE"))
    session = services.session
    assert (in_use(services), session.view.layout) == ("", "mpr")
    assert session.hanging.why == "No hanging protocol fits this study."


def test_a_brain_has_as_many_viewports_as_it_has_sequences(tmp_path: Path, opened: Opener) -> None:
    mr = {"BodyPartExamined": "BRAIN", "RescaleIntercept": 0}
    for number, name in enumerate(("localizer", "Ax T2 TSE", "Ax FLAIR", "Sag T1 SE"), start=1):
        write_volume(tmp_path, "MR", name, slices=3 if number == 1 else 8, SeriesNumber=number, **mr)
    services = opened(tmp_path)
    assert in_use(services) == "mr-brain"
    assert services.session.view.layout == "1x3"
    assert descriptions(services) == ["Sag T1 SE 2024", "Ax T2 TSE 2024", "Ax FLAIR 2024"]
    assert all(one.offset is not None for one in services.session.companions)
    write_volume(tmp_path, "MR", "DWI b1000 trace", slices=8, SeriesNumber=7, **mr)
    again = opened(tmp_path, services=services)
    assert (again.session.view.layout, descriptions(again)[3]) == ("2x2", "DWI b1000 trace 2024")


def test_a_series_that_no_protocol_shows_is_shown_all_the_same(tmp_path: Path, opened: Opener) -> None:
    mr = {"BodyPartExamined": "BRAIN", "RescaleIntercept": 0}
    for name in ("localizer", "Ax T2 TSE", "Ax FLAIR"):
        write_volume(tmp_path, "MR", name, slices=3 if name == "localizer" else 8, **mr)
    services = opened(tmp_path)
    [scout] = [one for one in services.session.study.series if one.description == "localizer"]
    study.show(services, scout)
    settle(services)
    assert (services.session.series.uid, in_use(services)) == (scout.uid, "")
    assert not services.hung_images, "nothing is held that nobody can go back to"


def test_pet_and_ct_hang_beside_each_other(tmp_path: Path, opened: Opener) -> None:
    write_volume(tmp_path, "CT", "CT low dose", BodyPartExamined="CHEST")
    write_volume(tmp_path, "PT", "PET AC", RescaleIntercept=0)
    services = opened(tmp_path)
    assert in_use(services) == "pet-ct", "it says more than what is for a chest"
    assert descriptions(services) == ["CT low dose 2024"] * 2 + ["PET AC 2024"] * 2
    displays = shown(services)
    assert [display.fused is not None for display in displays] == [False, True, False, False]
    assert services.session.fusion.image is services.session.companions[0].image, "one PET in memory"
    assert displays[3].slab.mode == "mip"
    for cursor in ((0, 0, 0), services.session.image.grid.shape):
        view.move_cursor(services, cursor)
        assert shown(services)[3].slab.slices == slice(0, displays[3].plane.count), "a lesion is never out of it"
    assert "MIP, whole volume" in displays[3].corners.top_right
    assert [display.slab is None for display in displays[:3]] == [True] * 3
    assert len(services.session.companions) == 1, "one PET in two viewports"


# -- the user's word


def test_an_arrangement_of_the_user_stays_for_the_study(tmp_path: Path, opened: Opener) -> None:
    for name in ("Thin", "Thick"):
        write_volume(tmp_path, "CT", name, slices=12 if name == "Thin" else 6, BodyPartExamined="HEAD")
    services = opened(tmp_path)
    session = services.session
    assert not is_own(session)
    panes.arrange(session, "1x2")
    assert is_own(session)
    other = next(one for one in session.study.series if one.uid != session.series.uid)
    study.show(services, other)
    settle(services)
    assert (session.series.uid, session.view.layout) == (other.uid, "1x2")
    hanging_choice.again(services)
    assert (session.view.layout, is_own(session)) == ("2x2", False)


def test_it_can_be_switched_off_for_good(tmp_path: Path, opened: Opener, launch: Callable[..., Services]) -> None:
    services = launch()
    hanging_choice.set_automatic(services, False)
    opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="HEAD"), services=services)
    assert (in_use(services), services.session.view.layout) == ("", "mpr")
    assert "as you chose" in services.session.hanging.why
    assert launch().session.hang_automatic is False
    hanging_choice.again(services)
    assert in_use(services) == "ct-head"


def test_links_of_a_protocol_end_with_it(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_mammography(tmp_path / "mg"))
    state = services.session.view
    assert (state.sync_window, state.sync_zoom) == (True, True)
    opened(write_volume(tmp_path / "ct", "CT", "Routine", "ct", BodyPartExamined="HEAD"), services=services)
    assert (in_use(services), state.sync_window) == ("ct-head", False)


def test_choosing_a_protocol_that_has_nothing_to_show_says_why(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="HEAD"))
    offered = {one.id: reason for one, reason in hanging_choice.offered(services)}
    assert offered["ct-abdomen"] == "", "whatever it is for, it can be hung"
    assert offered["mammography"] == "the study has no such series"
    assert offered["compare-prior"] == "there is no earlier study to compare"
    with pytest.raises(InputError, match=r"Mammography.* cannot be hung: the study has no such series"):
        hanging_choice.use(services, next(one for one in library.shipped() if one.id == "mammography"))
    with pytest.raises(InputError, match="several steps"):
        hanging_choice.next_step(services)


# -- mammograms


def chest_wall(display: Display) -> str:
    """The side of a picture on which the breast is flat, from its pixels."""
    picture = display.plane.take(display.voxels, 0)
    left, right = (int((picture[:, column] > 500).sum()) for column in (0, -1))
    return "left" if left > right else "right"


def marker_row(display: Display) -> float:
    """How far down, from 0 to 1, the marker of the upper side lies."""
    picture = display.plane.take(display.voxels, 0)
    return float(np.nonzero(picture > 3000)[0].mean() / picture.shape[0])


@pytest.mark.parametrize("stored", [None, "A\\R", "P\\L", "A\\L", "P\\R"])
def test_mammograms_hang_back_to_back_however_they_are_stored(
    tmp_path: Path, opened: Opener, stored: str | None
) -> None:
    write_mammogram(tmp_path, "R", "CC", stored=stored)
    write_mammogram(tmp_path, "L", "CC", stored=stored)
    for side in "RL":
        write_mammogram(tmp_path, side, "MLO", stored=None if stored is None else stored[:2] + "F")
    services = opened(tmp_path)
    assert in_use(services) == "mammography"
    assert descriptions(services) == ["R CC 2024", "L CC 2024", "R MLO 2024", "L MLO 2024"]
    displays = shown(services)
    assert [chest_wall(display) for display in displays] == ["right", "left"] * 2
    assert [display.side for display in displays] == ["right", "left"] * 2
    letters = [display.letters for display in displays]  # left, right, top, bottom
    assert [one[:2] for one in letters] == [("A", "P"), ("P", "A")] * 2
    assert [one[2:] for one in letters[:2]] == [("R", "L"), ("L", "R")], "lateral is up"
    assert [one[2:] for one in letters[2:]] == [("S", "I")] * 2
    assert all(marker_row(display) < 0.5 for display in displays), "pixels and letters went together"
    for display, side in zip(displays, "RLRL", strict=True):
        outer = display.corners.top_left if side == "R" else display.corners.top_right
        assert side in outer.split(), "the side is written, whatever was flipped, and not over the breast"


def test_turning_back_goes_back_to_how_it_was_hung(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_mammography(tmp_path))
    session = services.session
    hung = [pane.turn for pane in session.view.hung]
    assert Turn(0, True) in hung
    session.view.active = 1
    panes.turn(session, "flip")
    assert shown(services)[1].letters[:2] == ("A", "P"), "letters follow"
    panes.turn_back(session)
    assert [pane.turn for pane in session.view.hung] == hung


def test_a_view_that_is_missing_leaves_its_place_empty(tmp_path: Path, opened: Opener) -> None:
    for side, name in (("R", "CC"), ("L", "CC"), ("L", "MLO")):
        write_mammogram(tmp_path, side, name)
    services = opened(tmp_path)
    assert descriptions(services) == ["R CC 2024", "L CC 2024", "", "L MLO 2024"]
    assert services.session.view.hung[2].note == "This study has no R MLO"
    assert shown(services)[2] is None


def test_without_orientation_nothing_is_flipped_and_no_letter_is_guessed(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_mammography(tmp_path, stored=""))
    assert in_use(services) == "mammography"
    assert {pane.turn for pane in services.session.view.hung} == {UNTURNED}
    assert {display.letters for display in shown(services)} == {("", "", "", "")}


def test_the_windows_of_both_breasts_go_together(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_mammography(tmp_path))
    view.drag_window(services, 0.2, 0.1, 1)
    assert len({display.limits for display in shown(services)}) == 1


def test_views_of_a_breast_are_named_by_descriptions_too() -> None:
    grid = Grid((1, 4, 4))
    for text, expected in (("R CC", ("R", "CC")), ("LMLO", ("L", "MLO")), ("Mammo", ("", ""))):
        series = Series("1", "MG", text, grid, (), "dicom")
        assert (laterality_of(series), view_of(series)) == expected
    assert view_of(Series("1", "DX", "Thorax lateral", grid, (), "dicom")) == "LATERAL"
    assert view_of(Series("1", "DX", "Thorax PA", grid, (), "dicom", view="AP")) == "AP"


@given(st.sampled_from(["P\\L", "A\\R", "A\\L", "P\\R", "L\\P", "R\\A", "L\\A", "R\\P"]), st.sampled_from("PA"))
def test_every_turn_that_is_needed_is_found(stored: str, right: str) -> None:
    steps = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0)}
    row, column = (np.array(steps[letter], float) for letter in stored.split("\\"))
    direction = np.stack([np.cross(row, column), column, row], axis=1)
    plane = Plane.picture(Grid((1, 4, 5), direction=tuple(direction.ravel())))
    bottom = "L" if right == "P" else "R"
    letters = plane.turned(turn_to(plane, right, bottom)).letters()
    assert (letters[1], letters[3]) == (right, bottom)


def test_what_cannot_lie_as_asked_is_turned_no_more_than_needed() -> None:
    # rows to anterior, columns to the feet: L or R cannot be at the bottom
    direction = np.stack([np.cross((0, -1, 0), (0, 0, -1)), (0, 0, -1), (0, -1, 0)], axis=1)
    plane = Plane.picture(Grid((1, 4, 5), direction=tuple(direction.ravel())))
    assert turn_to(plane, "P", "L") == Turn(0, True)
    assert turn_to(plane, "A", "R") == UNTURNED
    assert turn_to(plane, "L", "L") == UNTURNED


# -- with the prior


def test_steps_show_the_priors_views_below(tmp_path: Path, opened: Opener) -> None:
    write_mammography(tmp_path, "before", "20200101")
    write_mammography(tmp_path, "long-before", "20180101")
    write_mammography(tmp_path, "now", "20240305")
    services = opened(tmp_path)
    session = services.session
    assert (in_use(services), session.study.date) == ("mammography-prior", "2024-03-05"), "the latest is opened"
    assert session.hanging.title == "Mammography with the prior's views  1 / 5: all views"
    hanging_choice.next_step(services)
    settle(services)
    assert descriptions(services) == ["R CC 2024", "L CC 2024", "R CC 2020", "L CC 2020"]
    assert [chest_wall(display) for display in shown(services)] == ["right", "left"] * 2
    hanging_choice.next_step(services)
    settle(services)
    assert descriptions(services) == ["R MLO 2024", "L MLO 2024", "R MLO 2020", "L MLO 2020"]
    assert session.series.description == "R MLO", "some viewport shows the series that models are about"
    jobs = len(services.runner.jobs)
    hanging_choice.next_step(services, -1)
    assert (len(services.runner.jobs), "" in descriptions(services)) == (jobs, False), "at hand, nothing is read again"


def test_a_mask_of_a_series_at_hand_is_read_off_the_home_thread_when_a_step_goes_to_it(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mammography(tmp_path, "before", "20200101")
    write_mammography(tmp_path, "now", "20240305")
    services = opened(tmp_path)
    session = services.session
    for _ in range(2):
        hanging_choice.next_step(services)
        settle(services)
    assert session.series.description == "R MLO"
    labels = masks.new(services)
    labels.paint(np.arange(40), 1)
    hanging_choice.next_step(services, -1)  # it is saved while it is left
    settle(services)
    assert session.series.description == "R CC"
    threads, really = [], blobs.read_array

    def read(path: Path) -> object:
        threads.append(threading.get_ident())
        return really(path)

    monkeypatch.setattr(blobs, "read_array", read)
    before = session.hanging.step
    hanging_choice.next_step(services)
    hanging_choice.next_step(services, -1)  # back before it is there
    settle(services)
    assert (session.hanging.step, session.series.description) == (before, "R CC"), "what was asked for last"
    hanging_choice.next_step(services, -1)
    hanging_choice.next_step(services)
    hanging_choice.next_step(services)  # two on, though the first of them is not there yet
    settle(services)
    assert session.hanging.step == before + 1
    assert session.series.description == "R MLO"
    assert session.mask.labels.reshape(-1)[:41].tolist() == [1] * 40 + [0]
    assert threads
    assert threading.get_ident() not in threads
    assert services.loading is None
    assert not services.archive.ahead._arrays, "nothing stays that nobody asked for"
    assert [pane.is_empty for pane in session.view.hung] == [False] * 4


def test_a_radiograph_hangs_beside_its_prior(tmp_path: Path, opened: Opener) -> None:
    write_radiograph(tmp_path, "PA", "before", "20220101", orientation="R\\F")  # stored the other way round
    write_radiograph(tmp_path, "LL", "before", "20220101", orientation="A\\F")
    write_radiograph(tmp_path, "PA", "now", "20240305")
    services = opened(tmp_path)
    assert in_use(services) == "chest-frontal-prior"
    assert descriptions(services) == ["Chest PA 2024", "Chest PA 2022"]
    assert [display.letters for display in shown(services)] == [("R", "L", "S", "I")] * 2


def test_two_views_hang_side_by_side(tmp_path: Path, opened: Opener) -> None:
    write_radiograph(tmp_path, "LL", orientation="A\\F")
    write_radiograph(tmp_path, "PA")
    services = opened(tmp_path)
    assert in_use(services) == "chest-two-views"
    assert descriptions(services) == ["Chest PA 2024", "Chest LL 2024"]


def test_another_body_part_is_no_prior(tmp_path: Path, opened: Opener) -> None:
    write_radiograph(tmp_path, "PA", "before", "20220101", BodyPartExamined="KNEE")
    write_radiograph(tmp_path, "PA", "now", "20240305")
    services = opened(tmp_path)
    assert in_use(services) == ""
    with pytest.raises(InputError, match="none is listed"):
        hanging_choice.compare_with_prior(services)


def test_a_prior_that_only_the_catalogue_knows_is_read(
    tmp_path: Path, opened: Opener, launch: Callable[..., Services]
) -> None:
    services = opened(write_volume(tmp_path / "old", "CT", "Knee thin", "old", "20210101", BodyPartExamined="KNEE"))
    services.close()
    services = opened(write_volume(tmp_path / "now", "CT", "Knee", "now", BodyPartExamined="KNEE"), services=launch())
    session = services.session
    assert [one.uid for one in session.studies] == [session.study.uid]
    hanging_choice.compare_with_prior(services)
    assert [pane.note for pane in session.view.hung] == ["", "Looking for the study of 2021-01-01…"]
    settle(services)
    assert descriptions(services) == ["Knee 2024", "Knee thin 2021"]
    companion = companion_of(session, 1)
    assert companion.offset is not None, "other frames of reference scroll together from middle to middle"
    assert companion.guessed, "no measurement is matched by that"
    before = cursor_of(session, companion)[0]
    view.scroll(services, plane_of(session, 0), 2)
    assert cursor_of(session, companion_of(session, 1))[0] == before + 2


def test_a_prior_whose_files_are_gone_says_so(tmp_path: Path, opened: Opener, launch: Callable[..., Services]) -> None:
    old = write_radiograph(tmp_path / "old", "PA", "old", "20210101")
    services = opened(tmp_path / "old")
    services.close()
    old.unlink()
    write_radiograph(tmp_path / "now", "PA", "now")
    services = opened(tmp_path / "now", services=launch())
    assert in_use(services) == "chest-frontal-prior"
    assert descriptions(services) == ["Chest PA 2024", ""]
    assert services.session.view.hung[1].note == "The study of 2021-01-01 could not be read"
    assert "None of the 1 files" in services.session.message.text


def test_what_is_asked_for_before_is_not_hung_any_more(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mammography(tmp_path / "mg")
    services = opened(write_volume(tmp_path / "ct", "CT", "Routine", "ct", BodyPartExamined="HEAD"))
    session = services.session
    load = formats.load
    late = []

    def slow(series: Series, *rest: object, **more: object) -> object:
        image = load(series, *rest, **more)
        late.append(series)
        return image

    monkeypatch.setattr(formats, "load", slow)
    services.runner.wait(study.open_paths(services, [tmp_path / "mg"]), WAIT_S)
    while session.study.date and session.series.modality != "MG":
        services.runner.wait(services.loading, WAIT_S)
    study.close(services)
    settle(services)
    assert session.companions == ()
    assert late


# -- which fits best


def made(points_by: dict[str, object], name: str = "x", own: bool = False) -> object:
    return protocol_of({"name": name, "when": points_by, "viewports": [{}]}, own, key=name)


def test_the_one_that_says_most_wins_and_ties_go_by_order() -> None:
    grid = Grid((9, 4, 4))
    main = Series("1", "CT", "Thin", grid, (), "dicom", body_part="CHEST")
    opened = Study("2", "2024-01-01", "Chest routine", series=(main,))
    any_ct, chest = made({"modality": "CT"}, "ct"), made({"modality": "CT", "body_part": "CHEST"}, "chest")
    mine = made({"modality": "CT", "description": "ROUTINE"}, "mine", own=True)
    no = made({"modality": "MR"}, "no")
    fits = ranked([mine, any_ct, chest, no], opened, main, prior=False)
    assert [(one.protocol.id, one.points) for one in fits] == [("mine", 3), ("chest", 3), ("ct", 1)]
    assert fits == ranked([mine, any_ct, chest, no], opened, main, prior=False)


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"series": {"at_least": 2}}, False),
        ({"series": {"at_most": 1}}, True),
        ({"prior": True}, False),
        ({"prior": False}, True),
        ({"together": ["CT", "PT"]}, False),
        ({"description": "thin|routine"}, True),
        ({"description": "contrast"}, False),
        ({"shows": [{"slices": {"at_least": 5}}]}, True),
        ({"shows": [{"slices": {"at_least": 5}}, {"modality": "MR"}]}, False),
        ({"shows": [{"slices": {"at_least": 5}}, {"modality": "MR"}], "at_least": 1}, True),
        ({"body_part": ["LUNG"]}, False),
        ({}, True),
    ],
)
def test_every_condition_has_to_hold(when: dict[str, object], holds: bool) -> None:
    main = Series("1", "CT", "Thin", Grid((9, 4, 4)), (), "dicom", body_part="CHEST")
    opened = Study("2", "2024-01-01", "Chest routine", series=(main,))
    assert (fit(made(when), opened, main, prior=False) is not None) == holds


def test_rules_take_earlier_views_first_and_then_the_open_series() -> None:
    flat = Grid((1, 4, 4))
    ml, mlo, other = (
        Series(name, "MG", "", flat, (), "dicom", view=name.split("-")[0], number=n)
        for n, name in enumerate(("ML", "MLO", "MLO-2"))
    )
    rule = (Rule(view=("MLO", "ML")),)
    assert chosen(rule, (ml, mlo, other), None) is mlo
    assert chosen(rule, (ml, mlo, other), other) is other
    assert chosen(rule, (ml,), None) is ml
    assert chosen((Rule(view=("CC",)), Rule(main=True)), (ml, mlo), ml) is ml


def test_a_window_is_found_by_name_figures_or_values(tmp_path: Path, opened: Opener) -> None:
    services = opened(write_volume(tmp_path, "CT", "Routine", BodyPartExamined="HEAD"))
    image = services.session.image
    assert hanging_panes.window_named(services, "bone", image).center == 500
    assert hanging_panes.window_named(services, (10.0, 20.0), image).limits == (0, 20)
    assert hanging_panes.window_named(services, "auto", image) == image.auto_window()
    assert hanging_panes.window_named(services, "no such", image) is None
