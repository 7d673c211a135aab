"""A series laid over the main one: chosen, read from PET/CT files, shown with true values, let go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

from medviewer import formats
from medviewer.app.commands import beside, fusion, listed, panes, planes, study, view
from medviewer.app.controllers.display import resolve, resolve_pane
from medviewer.app.controllers.fusing import fused_lines, fused_value, shows_fused
from medviewer.app.controllers.texts import corners, read_out
from medviewer.app.controllers.turning import turned_of
from medviewer.app.hanging.companions import companion_of, plane_of, point
from medviewer.app.ports.display import Display
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.app.words import number_text
from medviewer.domain.fusing import join, slice_through
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Dynamic, Image, Rescale, Window
from medviewer.domain.study import Patient, PhaseAxis, Series, Study
from medviewer.errors import InputError, NotFoundError
from medviewer.formats.dicom.write import write_dicom_series

from .conftest import STUDY

FRAME = "1.2.826.0.1.60"
WAIT_S = 60.0
PET_GRID = Grid((5, 7, 6), (2.5, 2.0, 2.0), (9.0, -21.0, 29.0))
PET = Series("1.2.826.0.1.90", "PT", "WB", PET_GRID, (), "dicom", frame_of_reference=FRAME)


def pet_image(unit: str = "SUV", **more: object) -> Image:
    voxels = np.arange(np.prod(PET_GRID.shape), dtype=np.int16).reshape(PET_GRID.shape)
    return Image(voxels, PET_GRID, "PT", Rescale(0.05, 0.0, unit), **more)


def laid(session: Session, image: Image | None = None, series: Series = PET) -> None:
    """The PET lies over the CT of the session."""
    session.series = replace(session.series, frame_of_reference=FRAME)
    fusion.accept(session, STUDY, series, image or pet_image())


def shown(session: Session, number: int = 0) -> Display:
    display = resolve(session, plane_of(session, number), number)
    assert display is not None
    return display


# -- from files


def write_pet_ct(folder: Path, **elements: object) -> tuple[Study, Grid, Grid]:
    """A CT and a PET of one examination: other spacing, other extent, a rescale and a decay of each PET slice."""
    ct_grid = Grid((8, 20, 22), (2.0, 1.5, 1.5), (-14.0, -12.0, 100.0))
    pet_grid = Grid((6, 9, 10), (3.27, 4.0, 4.0), (-17.0, -15.5, 98.5))
    patient = Patient("ID-1", "Test^Fusion", "1960-01-01", "F")
    ct = Series("1.2.826.0.1.501", "CT", "Low dose", ct_grid, (), "dicom", frame_of_reference=FRAME)
    pet = Series("1.2.826.0.1.502", "PT", "WB AC", pet_grid, (), "dicom", frame_of_reference=FRAME)
    made = Study("1.2.826.0.1.500", "2020-03-01", "PET/CT", patient, (ct, pet), "A2")
    random = np.random.default_rng(4)
    for series, grid, rescale in (
        (ct, ct_grid, Rescale(1.0, -1024.0, "HU")),
        (pet, pet_grid, Rescale(tuple(0.5 + 0.25 * k for k in range(6)), 0.0)),
    ):
        voxels = random.integers(0, 3000 if series is ct else 30_000, grid.shape).astype(np.int16)
        (folder / series.modality).mkdir()
        image = Image(voxels, grid, "CT" if series is ct else "MR", rescale)
        paths = write_dicom_series(image, folder / series.modality, study=made, series=series)
        for path in paths if series is pet else ():
            _as_pet(path, elements)
    return made, ct_grid, pet_grid


def _as_pet(path: Path, elements: dict[str, object]) -> None:
    """350 MBq of F-18 injected at 11:00 into 70 kg, scanned from 12:00 on."""
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
    dataset.Modality, dataset.Units, dataset.DecayCorrection = "PT", "BQML", "START"
    if "RescaleType" in dataset:
        del dataset.RescaleType
    dataset.CorrectedImage = ["DECY", "ATTN"]
    dataset.PatientWeight = 70.0
    dataset.SeriesDate = dataset.AcquisitionDate = "20200301"
    dataset.SeriesTime = dataset.AcquisitionTime = "120000"
    tracer = Dataset()
    tracer.RadiopharmaceuticalStartTime = "110000"
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = 350e6, 6586.2
    dataset.RadiopharmaceuticalInformationSequence = [tracer]
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def opened(services: Services, folder: Path) -> None:
    """The CT of the folder is open."""
    study.include(services, formats.scan([folder]))
    session = services.session
    ct = next(one for found in session.studies for one in found.series if one.modality == "CT" and one.files)
    services.runner.wait(study.show(services, ct), WAIT_S)
    assert session.series is not None
    assert session.series.uid == ct.uid


def itk_resampled(image: Image, target: Grid) -> np.ndarray:
    """Real values on another grid by SimpleITK, NaN outside."""
    source = SimpleITK.GetImageFromArray(image.real().astype(np.float64))
    source.SetSpacing(image.grid.spacing[::-1])
    source.SetOrigin(image.grid.origin)
    source.SetDirection(tuple(image.grid.axes[:, ::-1].ravel()))
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetSize(target.shape[::-1])
    resampler.SetOutputSpacing(target.spacing[::-1])
    resampler.SetOutputOrigin(target.origin)
    resampler.SetOutputDirection(tuple(target.axes[:, ::-1].ravel()))
    resampler.SetInterpolator(SimpleITK.sitkLinear)
    resampler.SetDefaultPixelValue(np.nan)
    return SimpleITK.GetArrayFromImage(resampler.Execute(source))


def test_a_pet_lies_over_its_ct_in_suv(services: Services, tmp_path: Path) -> None:
    """5000 Bq/ml at 12:00 are 5000 * 70000 g / (350e6 Bq * 2**(-3600 s / 6586.2 s)) = SUV 1.4606."""
    write_pet_ct(tmp_path)
    opened(services, tmp_path)
    session = services.session
    offered = fusion.candidates(session)
    pet = next(one for one in offered if one.series.modality == "PT")
    assert offered[0] is pet
    assert pet.fits
    services.runner.wait(fusion.fuse(services, pet.series.uid), WAIT_S)
    laid_over = session.fusion
    assert laid_over is not None
    assert laid_over.image.rescale.unit == "SUV"
    assert laid_over.window.name == "SUV 0-10"
    assert not laid_over.foreign
    stored, bq = laid_over.image.voxels[3, 4, 5], 0.5 + 0.25 * 3
    assert laid_over.image.value_at((3, 4, 5)) == pytest.approx(float(stored) * bq * 1.4606 / 5000, rel=1e-4)
    expected = itk_resampled(laid_over.image, session.image.grid)
    for number, name in enumerate(("Axial", "Sagittal", "Coronal")):
        display = shown(session, number)
        look = display.fused
        assert display.plane.name == name
        values, inside = slice_through(look.voxels, look.grid, display.plane, display.k)
        wanted = display.plane.take(expected, display.k)
        both = inside & np.isfinite(wanted)
        assert both.sum() > 50
        np.testing.assert_allclose((values * look.slope + look.intercept)[both], wanted[both], rtol=1e-3, atol=1e-4)
    plane = plane_of(session, 0)
    said = read_out(session, session.view.cursor, plane, 0)
    hu = session.image.value_at(session.view.cursor)
    suv = expected[session.view.cursor]
    assert f"HU {hu:.5g} · SUV {number_text(float(suv), 'SUV')}" in said


def test_activity_that_has_no_suv_is_told_in_its_own_unit(services: Services, tmp_path: Path) -> None:
    write_pet_ct(tmp_path, PatientWeight=None)
    opened(services, tmp_path)
    session = services.session
    pet = fusion.candidates(session)[0]
    services.runner.wait(fusion.fuse(services, pet.series.uid), WAIT_S)
    assert "Bq/ml" in read_out(session, session.view.cursor, plane_of(session, 0), 0)
    assert session.fusion.window.limits[0] == 0
    assert "SUV" in session.message.text, "why there is none"


def test_one_image_in_memory_for_a_viewport_and_the_fusion(services: Services, tmp_path: Path) -> None:
    write_pet_ct(tmp_path)
    opened(services, tmp_path)
    session = services.session
    pet = fusion.candidates(session)[0]
    services.runner.wait(listed.open_beside(services, pet.study.uid, pet.series.uid), WAIT_S)
    assert fusion.fuse(services, pet.series.uid) is None
    assert session.fusion.image is companion_of(session, 1).image
    panes.arrange(session, "mpr")
    assert session.companions == ()
    assert listed.open_beside(services, pet.study.uid, pet.series.uid) is None
    assert companion_of(session, 1).image is session.fusion.image
    display = resolve_pane(session, tuple(plane_of(session, k) for k in range(2)), 1)
    assert display.fused is None, "the PET by itself"


def test_the_two_are_exchanged(services: Services, tmp_path: Path) -> None:
    write_pet_ct(tmp_path)
    opened(services, tmp_path)
    session = services.session
    pet = fusion.candidates(session)[0]
    services.runner.wait(fusion.fuse(services, pet.series.uid), WAIT_S)
    ct = session.image
    services.runner.wait(fusion.swap(services), WAIT_S)
    assert session.series.modality == "PT"
    assert session.view.inverted, "a PET by itself is black on white"
    assert session.fusion.image is ct
    assert session.fusion.colours == "gray"
    assert "SUV" in read_out(session, session.view.cursor, plane_of(session, 0), 0).split("·")[0]


def test_the_crosshair_stays_at_its_place_when_the_two_are_exchanged(services: Services, tmp_path: Path) -> None:
    write_pet_ct(tmp_path)
    opened(services, tmp_path)
    session = services.session
    services.runner.wait(fusion.fuse(services, fusion.candidates(session)[0].series.uid), WAIT_S)
    view.move_cursor(services, (6, 15, 4))
    before, there = session.view.cursor, point(session)
    services.runner.wait(fusion.swap(services), WAIT_S)
    assert session.series.modality == "PT"
    assert session.view.cursor == session.image.grid.clamp(session.image.grid.world_to_index(there))
    assert point(session) == pytest.approx(there)
    services.runner.wait(fusion.swap(services), WAIT_S)
    assert (session.series.modality, session.view.cursor) == ("CT", before)


# -- what may be laid over


def test_another_patients_series_is_asked_about_by_name(services: Services) -> None:
    session = services.session
    session.series = replace(session.series, frame_of_reference=FRAME)
    theirs = Study("1.2.9", "2021-01-01", "PET", Patient("ID-9", "Roe^Jane"), (replace(PET, uid="1.2.9.1"),))
    own = replace(PET, uid="1.2.8", modality="MR", frame_of_reference="1.2.826.0.1.61")
    session.studies = (theirs, replace(STUDY, series=(*STUDY.series, own)))
    session.study = session.studies[1]
    offered = fusion.candidates(session)
    assert [one.series.uid for one in offered] == [own.uid, "1.2.9.1"], "though it has the frame and is a PET"
    assert "another patient: Roe, Jane" in offered[1].title
    assert "another patient" not in offered[0].title
    with pytest.raises(InputError, match="patient"):
        fusion.fuse(services, "1.2.9.1")
    asked: list[str] = []
    assert fusion.fuse_asking(services, "1.2.9.1", lambda *words: bool(asked.extend(words))) is None
    assert session.fusion is None
    assert asked[0] == "Another patient"
    assert "Roe, Jane" in asked[1]


def test_another_frame_of_reference_needs_the_users_word(services: Services) -> None:
    session = services.session
    other = replace(PET, uid="1.2.8", frame_of_reference="1.2.826.0.1.61")
    session.series = replace(session.series, frame_of_reference=FRAME)
    session.studies = (replace(STUDY, series=(*STUDY.series, other)),)
    assert [one.fits for one in fusion.candidates(session)] == [False]
    with pytest.raises(InputError, match="frame of reference"):
        fusion.fuse(services, other.uid)
    asked: list[str] = []

    def refuse(title: str, text: str, accept: str) -> bool:
        asked.append(text)
        return False

    assert fusion.fuse_asking(services, other.uid, refuse) is None
    assert session.fusion is None
    assert "same place" in asked[0]
    beside.accept(session, STUDY, other, pet_image(), 1)
    fusion.fuse_asking(services, other.uid, lambda *_: True)
    assert session.fusion.foreign
    for number in (0, 1, 2):
        alone = companion_of(session, number) is not None
        assert any("not aligned" in line for line in fused_lines(session, number)) != alone
    with pytest.raises(NotFoundError):
        fusion.fuse(services, "1.2.3.4.5")


def test_what_cannot_be_laid_over_is_refused(services: Services, radiograph: Session) -> None:
    session = services.session
    grid = Grid((5, 7, 6))
    colours = Image(np.zeros((5, 7, 6, 3), np.uint8), grid, "OT")
    with pytest.raises(InputError, match="grey"):
        fusion.accept(session, STUDY, PET, colours)
    assert fusion.candidates(radiograph) == ()
    for act in (fusion.toggle, fusion.toggle_here, fusion.next_window):
        with pytest.raises(InputError, match="Nothing is laid over"):
            act(session)


def test_another_patient_is_told(services: Services) -> None:
    other = replace(STUDY, uid="1.2.4", patient=Patient("ID-99", "Other^One"))
    services.session.series = replace(services.session.series, frame_of_reference=FRAME)
    fusion.accept(services.session, other, PET, pet_image())
    assert services.session.message.level == "warning"
    assert "another patient" in services.session.message.text


def test_it_goes_with_the_series_that_it_was_laid_over(services: Services) -> None:
    session = services.session
    laid(session)
    thin = replace(session.series, uid="1.2.55")
    study.present(session, thin, session.image)
    assert session.fusion is not None, "a series of the same frame of reference keeps it"
    study.present(session, PET, pet_image())
    assert session.fusion is None, "nothing lies over itself"
    laid(session, series=replace(PET, uid="1.2.56"))
    study.present(session, replace(thin, frame_of_reference="1.2.57"), pet_image())
    assert session.fusion is None
    laid(session)
    study.close(services)
    assert session.fusion is None


# -- how it is shown


def test_slabs_and_turned_planes_are_told_as_they_are_shown(services: Services) -> None:
    session = services.session
    laid(session)
    session.view.cursor = (2, 3, 4)
    planes.set_slab(services, "mip")
    planes.set_slab_mm(services, 9.0)
    display = shown(session)
    look = display.fused
    assert (look.thick.start, look.thick.stop, look.thick.mode) == (1, 4, "mip")
    sampled = [slice_through(look.voxels, look.grid, display.plane, k) for k in (1, 2, 3)]
    values, inside = join(sampled, "mip")
    row, column = display.plane.to_screen((2, 3, 4))
    assert inside[int(row), int(column)]
    expected = values[int(row), int(column)] * 0.05
    told = read_out(session, (2, 3, 4), display.plane, 0).split("· SUV ")[1]
    assert float(told) == pytest.approx(expected, abs=0.0051)
    planes.set_slab(services, "none")
    planes.turn(services, "Axial", 0.3)
    assert turned_of(session) is not None
    display = shown(session, 1)
    assert display.fused.thick is None
    at = (*display.crosshair, display.k)
    world = display.plane.grid.index_to_world(display.plane.to_index(*display.crosshair, display.k))
    index = PET_GRID.world_to_index(world)
    value = np.ravel(np.dot(index, (42, 6, 1)))[0] * 0.05  # the ramp that the voxels are
    told = fused_value(session, display.plane, at, 1).removeprefix("SUV ")
    assert float(told) == pytest.approx(value, abs=0.0051)


def test_panes_show_it_or_not(services: Services) -> None:
    session = services.session
    laid(session)
    panes.arrange(session, "compare")
    session.view.active = 1
    fusion.toggle_here(session)
    assert [shows_fused(session, k) for k in (0, 1)] == [True, False]
    assert shown(session, 1).fused is None
    assert "SUV" not in read_out(session, session.view.cursor, plane_of(session, 1), 1)
    text = corners(session, session.image, session.series, plane_of(session, 0), 0)
    assert "Over it: PT  WB\nSUV 0 to 10" in text.top_right
    fusion.toggle(session)
    assert not shows_fused(session, 0)
    fusion.set_opacity(session, 0.3)
    assert session.fusion.visible, "who moves the slider wants to see it"
    fusion.step_opacity(session, 9)
    assert session.fusion.opacity == 1.0


def test_windows_and_colours(services: Services) -> None:
    session = services.session
    laid(session)
    assert [one.name for one in fusion.presets(session)] == ["SUV 0-5", "SUV 0-7", "SUV 0-10", "SUV 0-15", "Auto"]
    fusion.next_window(session)
    assert session.fusion.window.limits == (0, 15)
    fusion.drag_window(session, 0.25, 0.0)
    assert session.fusion.window.limits == pytest.approx((0, 22.5)), "what is nothing stays clear"
    fusion.set_limits(session, 1.0, 4.0)
    assert shown(session).fused.limits == (1.0, 4.0)
    fusion.drag_window(session, 0.0, 0.5)
    assert session.fusion.window.center == pytest.approx(5.5)
    with pytest.raises(InputError, match="above"):
        fusion.set_limits(session, 4.0, 4.0)
    fusion.set_colours(session, "pet")
    fusion.next_colours(session)
    assert session.fusion.colours == "pet-20-step"
    with pytest.raises(InputError):
        fusion.set_colours(session, "no such")


def dynamic(count: int) -> Image:
    voxels = np.arange(count * np.prod(PET_GRID.shape), dtype=np.int16).reshape(count, *PET_GRID.shape)
    rescale = Rescale(1.0, 0.0, "Bq/ml")
    axis = PhaseAxis("time", tuple(float(k) for k in range(count)), "s")
    return Image(
        voxels[0], PET_GRID, "PT", rescale, (Window(50, 100),), dynamic=Dynamic(axis, voxels, (rescale,) * count)
    )


def test_phases_of_what_is_laid_over(services: Services) -> None:
    session = services.session
    laid(session, dynamic(3))
    fusion.set_phase(session, 7)
    assert session.fusion.phase == 2
    assert shown(session).fused.voxels is session.fusion.image.dynamic.voxels[2] or np.shares_memory(
        shown(session).fused.voxels, session.fusion.image.dynamic.voxels[2]
    )
    study.present(session, replace(session.series, uid="1.2.66"), dynamic(3))
    laid(session, dynamic(3))
    session.view.phase = 1
    np.testing.assert_array_equal(shown(session).fused.voxels, session.fusion.image.dynamic.voxels[1])
    fusion.set_phase(session, 2)
    assert session.fusion.phase == 0, "it goes along with the main series"
