"""The text around an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.controllers.texts import age_at, corners, patient_lines, read_out, window_text
from medviewer.app.mask_store import MaskStore
from medviewer.app.state import Session, View
from medviewer.domain.finding import Classification
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image, Lut, Rescale, Window
from medviewer.domain.mask import Segment, empty
from medviewer.domain.plane import planes_of
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import Patient, Study

TABLE = Lut(0, np.array([0, 128, 255], np.uint8), 8)


@pytest.mark.parametrize(
    ("born", "seen", "age"),
    [
        ("1960-03-02", "2020-03-01", "59 y"),
        ("1960-03-02", "2020-03-02", "60 y"),
        ("2000-02-29", "2001-02-28", "11 mo"),
        ("2000-02-29", "2002-02-28", "23 mo"),
        ("2000-02-29", "2002-03-01", "2 y"),
        ("", "2020-03-01", ""),
        ("1960-03-02", "", ""),
        ("unknown", "2020-03-01", ""),
    ],
)
def test_age_at_the_study_in_years_and_months_for_infants(born: str, seen: str, age: str) -> None:
    assert age_at(born, seen) == age


@pytest.mark.parametrize(
    ("window", "inverted", "unit", "text"),
    [
        (Window(40, 400, "Soft tissue"), False, "HU", "W 400  L 40 HU  Soft tissue"),
        (Window(-600.4, 1500), False, "HU", "W 1500  L -600 HU"),
        (Window(0.00123, 0.002), False, "mm2/s", "W 0.002  L 0.00123 mm2/s"),
        (Window(5, 10, "SUV 0-10"), True, "SUV", "W 10  L 5  SUV 0-10  inverted"),
        (Window(127.5, 255), True, "", "W 255  L 128  inverted"),
        (Window(40, 400, "Soft", "LINEAR"), False, "HU", "W 400  L 40 HU  Soft"),
        (Window(40, 400, "Soft", "SIGMOID"), True, "HU", "W 400  L 40 HU  Soft  sigmoid  inverted"),
        (Window(1, 2, "NORMAL", lut=TABLE), False, "HU", "VOI LUT  NORMAL"),
        (Window(1, 2, lut=TABLE), True, "", "VOI LUT  inverted"),
    ],
)
def test_window_text(window: Window, inverted: bool, unit: str, text: str) -> None:
    assert window_text(View(window=window, inverted=inverted), unit) == text


def test_patient_lines_leave_out_what_is_not_known() -> None:
    assert patient_lines(None) == patient_lines(Study("1")) == ("", "", "")
    whole = Study("1", "2020-03-01", "Trauma", Patient("ID-17", "Muster^Eva", "1960-03-02", "F"))
    assert patient_lines(whole) == ("Muster, Eva", "59 y  F  ID-17", "2020-03-01  Trauma")
    assert patient_lines(replace(whole, patient=Patient(sex="M"))) == ("", "M", "2020-03-01  Trauma")


def test_patient_window_and_results_stand_in_the_first_viewport_only(session: Session) -> None:
    grid = session.image.grid
    made = Provenance("tiny", "1.0", "1.2.0")
    session.heatmap = Heatmap(np.zeros(grid.shape, np.float32), grid, "Grad-CAM", "Brain", made)
    session.classification = Classification({"NORMAL": 0.25, "PNEUMONIA": 0.75}, made)
    texts = [corners(session, session.image, session.series, plane, k) for k, plane in enumerate(planes_of(grid))]
    assert texts[0].top_left.startswith("Muster, Eva")
    assert texts[0].top_right == "Axial  3 / 4\n3.00 mm\nHead"
    assert texts[0].bottom_left == (
        "NORMAL 0.25  PNEUMONIA 0.75\ntiny 1.2.0\nGrad-CAM of Brain, tiny 1.2.0\nW 400  L 40 HU  Soft tissue"
    )
    assert [text.top_right for text in texts[1:]] == ["Sagittal  5 / 8\n1.00 mm", "Coronal  4 / 6\n2.00 mm"]
    for text in texts[1:]:
        assert (text.top_left, text.bottom_left, text.bottom_right) == ("", "", "")


def test_a_hidden_heat_map_is_not_named(session: Session) -> None:
    grid = session.image.grid
    session.heatmap = Heatmap(np.zeros(grid.shape, np.float32), grid, "Grad-CAM", "Brain")
    session.view.heat_visible = False
    assert "Grad-CAM" not in corners(session, session.image, session.series, planes_of(grid)[0], 0).bottom_left


def test_a_radiograph_names_its_view_and_that_it_has_no_lengths(radiograph: Session) -> None:
    text = corners(radiograph, radiograph.image, radiograph.series, planes_of(radiograph.image.grid)[0], 0)
    assert text.top_right == "CHEST  PA\nDX"
    assert text.bottom_left.splitlines()[0] == "uncalibrated: no lengths in mm"


def test_read_out_of_a_volume(session: Session) -> None:
    # stored 1*48 + 2*8 + 3 = 67; x 10 + 3, y -20 + 2*2, z 30 + 3*1
    assert read_out(session, (1, 2, 3)) == "13.0, -16.0, 33.0 mm   HU 34"
    assert read_out(session, (1.4, 1.6, 3.2)) == "13.0, -16.0, 33.0 mm   HU 34", "the voxel under the pointer"


def test_read_out_names_the_segment(session: Session) -> None:
    store = MaskStore(empty(session.image.grid, (Segment(1, "Liver"), Segment(2, "Spleen"))))
    store.paint(np.array([67]), 2)
    session.mask = store
    assert read_out(session, (1, 2, 3)).endswith("HU 34   Spleen")
    assert read_out(session, (1, 2, 4)).endswith("HU 36")


def test_read_out_outside_and_without_an_image(session: Session) -> None:
    assert read_out(session, (-1, 0, 0)) == ""
    assert read_out(session, (0, 0, 7.6)) == ""
    assert read_out(Session(), (0, 0, 0)) == ""


def test_read_out_of_a_radiograph_and_of_colours(radiograph: Session) -> None:
    assert read_out(radiograph, (0, 2, 3)) == "column 3, row 2   value 17"
    grid = radiograph.image.grid
    voxels = np.zeros((*grid.shape, 3), np.uint8)
    voxels[0, 2, 3] = 10, 20, 30
    radiograph.image = Image(voxels, grid)
    assert read_out(radiograph, (0, 2, 3)) == "column 3, row 2   RGB 10, 20, 30"


def test_read_out_uses_the_rescale_of_the_slice(session: Session) -> None:
    session.image = replace(session.image, rescale=Rescale((1.0, 10.0, 1.0, 1.0), 0.0, "BQML"))
    assert read_out(session, (1, 2, 3)).endswith("BQML 670")


def test_the_large_viewport_carries_the_patient(session: Session) -> None:
    session.view.layout, session.view.active = "single", 1
    planes = planes_of(session.image.grid)
    large = corners(session, session.image, session.series, planes[1], 1)
    assert "Muster, Eva" in large.top_left
    assert large.bottom_left.startswith("W ")


def test_what_has_to_be_read_beside_a_result_stands_beside_it(session: Session) -> None:
    made = Provenance("chest-xray", "1.0.0", "1.0.0", notes=("Demonstration, not a validated model.",))
    session.plugin_names = {"chest-xray": "Chest X-ray"}
    session.classification = Classification({"NORMAL": 0.9, "PNEUMONIA": 0.1}, made, notes=made.notes)
    text = corners(session, session.image, session.series, planes_of(session.image.grid)[0], 0).bottom_left
    assert "NORMAL 0.90  PNEUMONIA 0.10\nChest X-ray 1.0.0\nDemonstration, not a validated model." in text


def test_a_mask_and_the_map_that_explains_it_take_a_short_line_each(session: Session) -> None:
    grid = session.image.grid
    made = Provenance("lesion-finder", "1.0.0", "1.0.0", notes=("Only the window of 32 voxels is explained.",))
    session.plugin_names = {"lesion-finder": "Lesion finder"}
    session.mask = MaskStore(replace(empty(grid, (Segment(1, "Bright lesion"),)), provenance=made))
    session.heatmap = Heatmap(np.zeros(grid.shape, np.float32), grid, "Grad-CAM", "Bright lesion", made)
    text = corners(session, session.image, session.series, planes_of(grid)[0], 0).bottom_left
    assert text.splitlines()[:-1] == ["Mask: Lesion finder 1.0.0, corrected", "Grad-CAM of Bright lesion"]
    session.heatmap = replace(session.heatmap, provenance=replace(made, model_version="1.1.0"))
    text = corners(session, session.image, session.series, planes_of(grid)[0], 0).bottom_left
    assert "Grad-CAM of Bright lesion, Lesion finder 1.1.0" in text
