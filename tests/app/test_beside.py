"""Series beside the main one: hung, linked, looked at, let go."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from medviewer import formats
from medviewer.app.commands import beside, companion_looks, listed, panes, study, view
from medviewer.app.controllers.display import DisplayController, resolve_pane
from medviewer.app.hanging.companions import companion_of, cursor_of, looked_at, plane_of, point, share_a_frame
from medviewer.app.ports.display import Display, ViewPort
from medviewer.app.services import Services
from medviewer.app.state import Companion, Session
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.study import Patient, Series, Study
from medviewer.errors import InputError

from .conftest import GRID, STUDY

FRAME = "1.2.826.0.1.60"
WAIT_S = 60.0


def image_on(grid: Grid, modality: str = "CT") -> Image:
    voxels = np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape)
    return Image(voxels, grid, modality, Rescale(1.0, 0.0, "HU"), (Window(50, 100, "Own"), Window(60, 30, "Other")))


def lying(angles: tuple[float, float, float], spacing: tuple[float, float, float]) -> Grid:
    """A grid about the middle of the main one."""
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ GRID.axes
    shape = (9, 12, 11)
    flat = Grid(shape, spacing, direction=tuple(axes.ravel()))
    middle = GRID.index_to_world([(n - 1) / 2 for n in GRID.shape])
    return replace(flat, origin=tuple(middle - flat.index_to_world([(n - 1) / 2 for n in shape])))


def hung(session: Session, grid: Grid, frame: str = FRAME, uid: str = "1.2.9", modality: str = "CT") -> Companion:
    """A companion in the second of two viewports."""
    session.series = replace(session.series, frame_of_reference=FRAME)
    if not session.companions:
        panes.arrange(session, "compare")
    series = Series(uid, modality, "Prior", grid, (), "dicom", frame_of_reference=frame)
    beside.accept(session, STUDY, series, image_on(grid, modality), 1)
    companion = companion_of(session, 1)
    assert companion is not None
    return companion


def shown(session: Session, number: int) -> Display:
    planes = tuple(plane_of(session, k) for k in range(len(session.view.hung)))
    display = resolve_pane(session, planes, number)
    assert display is not None
    return display


# -- linked by world position


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.4, 4)] * 3),
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 7)),
)
def test_the_crosshair_is_at_one_place_in_both(services: Services, angles, spacing, cursor) -> None:
    session = services.session
    session.view.focus = None
    companion = hung(session, lying(angles, spacing))
    grid = companion.image.grid
    session.view.cursor = cursor
    world = GRID.index_to_world(cursor)
    np.testing.assert_allclose(grid.index_to_world(grid.world_to_index(world)), world, atol=1e-6)
    assert cursor_of(session, companion) == grid.clamp(grid.world_to_index(world))
    # and the other way: every voxel of the companion can be reached, however coarse the main series is
    for own in ((0, 0, 0), (4, 6, 5), (8, 11, 10)):
        beside.move(services, 1, own)
        assert cursor_of(session, companion) == own
        assert session.view.cursor == GRID.clamp(GRID.world_to_index(grid.index_to_world(own)))
    np.testing.assert_allclose(point(session), grid.index_to_world((8, 11, 10)), atol=1e-6)
    session.view.cursor = cursor if cursor != session.view.cursor else (0, 0, 0)
    assert cursor_of(session, companion) == grid.clamp(grid.world_to_index(GRID.index_to_world(session.view.cursor)))


def test_a_finer_series_scrolls_slice_by_slice_beside_a_coarser_one(services: Services) -> None:
    fine = Grid((24, 6, 8), (0.5, 2.0, 1.0), GRID.origin)
    companion = hung(services.session, fine)
    seen = []
    beside.move(services, 1, (0, 3, 4))
    for _ in range(6):
        beside.scroll(services, 1, 1)
        seen.append((cursor_of(services.session, companion)[0], services.session.view.cursor[0]))
    assert [own for own, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert [main for _, main in seen] == [0, 0, 0, 1, 1, 1]
    beside.scroll(services, 0, 1)
    assert cursor_of(services.session, companion)[0] == 12


def test_other_frames_scroll_by_themselves_until_they_are_linked(services: Services) -> None:
    session = services.session
    grid = Grid((10, 6, 8), (1.5, 2.0, 1.0), (0.0, 0.0, 500.0))
    companion = hung(session, grid, frame="1.2.826.0.1.61")
    assert companion.offset is None
    session.view.cursor = (1, 3, 4)
    beside.scroll(services, 1, -3)
    companion = companion_of(session, 1)
    assert (cursor_of(session, companion)[0], session.view.cursor[0]) == (2, 1)
    beside.link_here(session)
    beside.scroll(services, 0, 1)  # 3 mm, which are two slices of the other
    companion = companion_of(session, 1)
    assert (cursor_of(session, companion)[0], session.view.cursor[0]) == (4, 2)
    beside.scroll(services, 1, 2)
    assert session.view.cursor[0] == 3
    beside.link_here(session)
    companion = companion_of(session, 1)
    assert (companion.offset, cursor_of(session, companion)[0]) == (None, 6)
    session.view.cursor = (0, 3, 4)
    assert cursor_of(session, companion_of(session, 1))[0] == 6


def test_linking_needs_something_to_link(session: Session) -> None:
    with pytest.raises(InputError, match="drag one from the list"):
        beside.link_here(session)


def test_what_shares_a_frame() -> None:
    one = Series("1", "CT", "", GRID, (), "dicom", frame_of_reference="1.2")
    assert share_a_frame(one, replace(one, uid="2"))
    assert not share_a_frame(one, replace(one, frame_of_reference="1.3"))
    assert not share_a_frame(one, replace(one, frame_of_reference=""))
    nameless = replace(one, frame_of_reference="")
    assert share_a_frame(nameless, replace(nameless, uid="2"))
    assert not share_a_frame(nameless, replace(nameless, grid=lying((10, 0, 0), (1, 1, 1))))


# -- what is seen


def test_each_viewport_shows_its_own_series(services: Services) -> None:
    session = services.session
    companion = hung(session, lying((20, 0, 0), (1, 1, 1)))
    first, second = shown(session, 0), shown(session, 1)
    assert first.voxels is session.image.voxels
    assert second.voxels is companion.image.voxels
    assert (first.active, second.active) == (False, True)
    assert "Prior" in second.corners.top_right
    assert "2020-03-01" in second.corners.top_left
    assert second.limits == (0, 100)
    assert second.crosshair is not None
    assert second.lines == ()
    ((start, end),) = first.lines
    assert start[0] == pytest.approx(end[0], abs=1e-6), "the volume was turned about x: the line runs along x"
    session.view.show_lines = False
    assert shown(session, 0).lines == ()


def test_masks_are_of_the_main_series(services: Services) -> None:
    session = services.session
    hung(session, lying((0, 0, 0), (1, 1, 1)))
    view.choose_tool(services, "brush")
    assert shown(session, 0).mask is not None
    second = shown(session, 1)
    assert (second.mask, second.brush_mm) == (None, None)


def test_windows_are_of_the_active_series(services: Services) -> None:
    session = services.session
    hung(session, lying((0, 0, 0), (1, 1, 1)))
    before = session.view.window
    view.choose_window(services, 2)
    view.invert(services)
    companion = companion_of(session, 1)
    assert (companion.window.name, companion.inverted, session.view.window) == ("Brain", True, before)
    companion_looks.drag(session, 1, 0.5, 0.0)
    assert companion_of(session, 1).window.width > 30
    assert session.view.window == before
    session.view.active = 0
    view.invert(services)
    assert session.view.inverted
    session.view.sync_window = True
    session.view.window = Window(1, 2)
    assert shown(session, 1).limits == (2, 0)
    session.view.active = 1
    view.choose_window(services, 1)
    assert session.view.window.name == "Soft tissue"


def test_zoom_goes_by_place_where_series_are_linked(services: Services) -> None:
    session = services.session
    grid = Grid((4, 6, 8), (3.0, 1.0, 0.5), (12.0, -18.0, 30.0))
    hung(session, grid)
    planes = tuple(plane_of(session, k) for k in range(2))
    session.view.cursor = (2, 0, 0)
    at = beside.same_place(session, planes, 0, 1, (2.0, 4.0))
    assert at == pytest.approx((2.0, 4.0))  # y -16 mm is 2 of 1 mm from -18; x 14 mm is 4 of 0.5 mm from 12
    assert beside.same_place(session, planes, 1, 0, at) == pytest.approx((2.0, 4.0))
    assert beside.same_place(session, planes, 0, 0, (2.0, 4.0)) is None


# -- hung and let go


def test_a_companion_that_no_viewport_shows_is_let_go(session: Session) -> None:
    hung(session, lying((0, 0, 0), (1, 1, 1)))
    panes.enlarge(session)
    assert len(session.companions) == 1, "it is behind the large one"
    panes.arrange(session, "2x2")
    assert session.view.hung[1].series == "1.2.9"
    panes.arrange(session, "mpr")
    assert session.companions == ()
    assert not any(pane.series for pane in session.view.hung)


def test_another_main_series_of_the_patient_keeps_what_is_beside(session: Session, image: Image) -> None:
    companion = hung(session, lying((0, 0, 0), (1, 1, 1)))
    prior = replace(session.series, uid="1.2.11")
    session.studies = (*session.studies, replace(STUDY, uid="9", series=(prior,)))
    study.present(session, prior, image)
    assert session.companions == (companion,)
    assert (session.series, session.view.layout) == (prior, "compare")


def test_another_patient_ends_the_comparison(session: Session, image: Image) -> None:
    hung(session, lying((0, 0, 0), (1, 1, 1)))
    other = replace(session.series, uid="1.2.12")
    session.studies = (Study("8", patient=Patient("X", "Other^One"), series=(other,)),)
    study.present(session, other, image)
    assert (session.companions, session.view.layout) == ((), "mpr")


def test_a_plane_of_its_own(session: Session) -> None:
    hung(session, lying((0, 0, 0), (1, 1, 1)))
    assert plane_of(session, 1).name == "Axial"
    panes.next_plane(session)
    assert plane_of(session, 1).name == "Sagittal"
    panes.next_plane(session)
    panes.next_plane(session)
    assert plane_of(session, 1).name == "Axial"
    assert plane_of(session, 0).name == "Axial"


def test_series_of_files_are_read_beside(services: Services, tmp_path: Path) -> None:
    for name, shift in (("one", 0.0), ("same", 0.0), ("moved", 40.0)):
        affine = np.diag([-1.0, -2.0, 3.0, 1.0])
        affine[0, 3] = shift
        nib.save(nib.Nifti1Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), affine), tmp_path / f"{name}.nii")
    found = formats.scan([tmp_path])
    study.include(services, found)
    session = services.session
    uids = {series.files[0].stem: (owner.uid, series.uid) for owner in found.studies for series in owner.series}
    services.runner.wait(listed.open_series(services, *uids["one"]), WAIT_S)
    for name, linked in (("same", True), ("moved", False)):
        job = listed.open_beside(services, *uids[name])
        services.runner.wait(job, WAIT_S)
        assert session.view.layout == "compare"
        companion = companion_of(session, 1)
        assert companion.series.uid == uids[name][1]
        assert (companion.offset is not None) == linked
        assert len(session.companions) == 1, "the one before is let go"
        assert looked_at(session).grid is companion.image.grid
    panes.arrange(session, "2x2")
    services.runner.wait(listed.open_beside(services, *uids["same"], 3), WAIT_S)
    assert [pane.series for pane in session.view.hung] == ["", uids["moved"][1], "", uids["same"][1]]
    assert listed.open_beside(services, *uids["one"], 1) is None
    assert [one.series.uid for one in session.companions] == [uids["same"][1]]
    study.close(services)
    assert session.companions == ()


def test_what_an_image_is_shown_with_is_worked_out_where_it_is_read(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        nib.save(nib.Nifti1Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), np.eye(4)), tmp_path / f"{name}.nii")
    found = formats.scan([tmp_path])
    study.include(services, found)
    one, other = ((owner.uid, series.uid) for owner in found.studies for series in owner.series)
    threads: list[int] = []
    sample = Image._sample

    def noted(image: Image, *edges: tuple[int, ...]) -> NDArray[np.floating[Any]]:
        threads.append(threading.get_ident())
        return sample(image, *edges)

    monkeypatch.setattr(Image, "_sample", noted)
    services.runner.wait(listed.open_series(services, *one), WAIT_S)
    services.runner.wait(listed.open_beside(services, *other), WAIT_S)
    screen = DisplayController(services.session, [create_autospec(ViewPort, instance=True)] * 2, None, lambda _: None)
    screen.refresh()
    assert companion_of(services.session, 1) is not None
    assert threads
    assert threading.get_ident() not in threads


def test_what_was_read_for_a_patient_who_was_left_hangs_beside_nobody(
    services: Services, image: Image, tmp_path: Path
) -> None:
    session, patients = services.session, (Patient("P1", "One^A"), Patient("P2", "Two^B"))
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), tmp_path / "prior.nii")
    (series,) = (series for owner in formats.scan([tmp_path]).studies for series in owner.series)
    first = Study("7", patient=patients[0], series=(replace(session.series, uid="1.2.21"), series))
    other = Study("8", patient=patients[1], series=(replace(session.series, uid="1.2.22"),))
    session.studies = (first, other)
    study.present(session, first.series[0], image)
    job = beside.hang(services, first, series, None, lambda series: None)
    study.present(session, other.series[0], image)
    services.runner.wait(job, WAIT_S)
    assert session.companions == ()
    study.present(session, first.series[0], image)
    job = beside.hang(services, first, series, None, lambda series: None)
    study.present(session, replace(first.series[0]), image)
    services.runner.wait(job, WAIT_S)
    assert len(session.companions) == 1, "another series of the patient keeps it"


def test_the_controller_follows_both(services: Services) -> None:
    session = services.session
    companion = hung(session, lying((0, 30, 0), (1, 1, 1)))
    controller = DisplayController(session, (), None, lambda refresh: refresh())
    controller.refresh()
    assert [plane.grid for plane in controller.planes] == [GRID, companion.image.grid]
