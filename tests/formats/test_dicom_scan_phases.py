"""Single-frame series whose files repeat positions: phases, echoes, b-values, and volumes with grids of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medviewer.formats import scan, write_dicom_series
from tests.formats.conftest import STUDY, dicom_axes, grid_of, image_of, series_of

GRID = grid_of((4, 5, 7))


def edit(path: Path, **values) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def volumes_in(folder: Path, tags: dict[str, list], backwards: bool = False, grid=GRID, count: int = 0) -> None:
    """Volumes of one series at the same positions, in folders 0, 1, ...; volume k has the k-th value of each tag.

    A value that is called is called with the slice.
    """
    count = count or len(next(iter(tags.values()), [0, 0]))
    image = image_of(grid)
    for k in range(count):
        part = folder / str(k)
        part.mkdir()
        own = replace(image, voxels=image.voxels + k)
        for z, file in enumerate(write_dicom_series(own, part, study=STUDY, series=series_of(grid, image.modality))):
            values = {name: of[k](z) if callable(of[k]) else of[k] for name, of in tags.items()}
            number = z * count + (count - k if backwards else k)
            edit(file, InstanceNumber=number, SOPInstanceUID=f"1.2.{k + 1}.{z}", **values)


def phase_of(series, path: Path) -> tuple[int, int]:
    """Phase and z of a file of single frames."""
    return series.slot(series.files.index(path))


@pytest.mark.parametrize(
    ("tags", "name", "values", "unit", "interval"),
    [
        ({"TemporalPositionIdentifier": [1, 2, 10]}, "time", (1, 2, 10), "", None),
        (
            {"TemporalPositionIdentifier": [1, 2, 3], "TemporalResolution": [2500] * 3},
            "time",
            (0, 2500, 5000),
            "ms",
            None,
        ),
        ({"TriggerTime": [0, 41.5, 83]}, "time", (0, 41.5, 83), "ms", 41.5),
        ({"TriggerTime": [lambda z: z, lambda z: 40 + z, lambda z: 80 + z]}, "time", (1.5, 41.5, 81.5), "ms", 40),
        ({"FrameReferenceTime": [500, 9000]}, "time", (500, 9000), "ms", None),
        ({"EchoNumbers": [1, 2]}, "echo", (1, 2), "", None),
        ({"EchoNumbers": [1, 2], "EchoTime": [2.3, 4.6]}, "echo", (2.3, 4.6), "ms", None),
        ({"DiffusionBValue": [0.0, 800.0, 1000.0]}, "b-value", (0, 800, 1000), "s/mm²", None),
        ({"AcquisitionNumber": [3, 4]}, "acquisition", (3, 4), "", None),
        ({"AcquisitionNumber": [3, 4], "DiffusionBValue": [0.0, 900.0]}, "b-value", (0, 900), "s/mm²", None),
        (
            {"EchoNumbers": [1, 1, 2, 2], "TemporalPositionIdentifier": [1, 2] * 2},
            "acquisition",
            (1, 2, 3, 4),
            "",
            None,
        ),
        ({"ImageType": [["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]]}, "image type", (1, 2), "", None),
    ],
)
def test_volumes_at_the_same_positions_are_phases(tmp_path, tags, name, values, unit, interval):
    volumes_in(tmp_path, tags, backwards=True)
    [series] = scan([tmp_path]).series
    assert "#" not in series.uid
    assert series.grid.matches(GRID)
    assert series.phases is not None
    assert (series.phases.name, series.phases.unit, series.phases.interval_ms) == (name, unit, interval)
    assert series.phases.values == pytest.approx(values)
    assert series.warnings == ()
    order = [0, 2, 1, 3] if values == (1, 2, 3, 4) else range(len(values))  # echo 1 is not next to time 1
    for phase, folder in enumerate(order):
        for z in range(4):
            assert phase_of(series, tmp_path / str(folder) / f"{z + 1:04d}.dcm") == (phase, z)
    assert series.index == tuple(range(4 * len(values)))
    assert series.frames == ()


def test_what_only_the_order_tells_apart_is_said(tmp_path):
    volumes_in(tmp_path, {}, count=2)
    [series] = scan([tmp_path]).series
    assert [warning.code for warning in series.warnings] == ["several-volumes"]
    assert "told apart by the order of acquisition and instance numbers" in series.warnings[0].text
    assert (series.phases.name, series.phases.values) == ("acquisition", (1, 2))
    assert phase_of(series, tmp_path / "1" / "0001.dcm") == (1, 0)


def test_a_slice_that_one_phase_lacks_leaves_a_gap_in_that_phase_only(tmp_path):
    volumes_in(tmp_path, {"TemporalPositionIdentifier": [1, 2]})
    (tmp_path / "0" / "0002.dcm").unlink()
    [series] = scan([tmp_path]).series
    assert [warning.code for warning in series.warnings] == ["missing-slice"]
    assert "(1 of phase 1)" in series.warnings[0].text
    assert series.index == (0, 2, 3, 4, 5, 6, 7)


def test_a_last_volume_that_was_cut_short_stays_a_phase(tmp_path):
    volumes_in(tmp_path, {"TemporalPositionIdentifier": [1, 2, 3]})
    for z in (2, 3, 4):
        (tmp_path / "2" / f"000{z}.dcm").unlink()
    [series] = scan([tmp_path]).series
    assert len(series.phases) == 3
    assert series.index == (*range(8), 8)


def test_volumes_with_grids_of_their_own_stay_series_of_their_own(tmp_path):
    volumes_in(tmp_path, {"AcquisitionNumber": [1, 2]}, grid=grid_of((8, 5, 7)))
    for z in range(1, 5):
        (tmp_path / "0" / f"000{z}.dcm").unlink()
    first, second = scan([tmp_path]).series
    assert second.uid == f"{first.uid}#t2"
    assert (first.grid.shape[0], second.grid.shape[0]) == (4, 8)
    assert first.grid.origin[2] == pytest.approx(second.grid.origin[2] + 4 * 2.5)
    assert [series.description for series in (first, second)] == [f"A series (volume {k} of 2)" for k in (1, 2)]
    assert all([warning.code for warning in series.warnings] == ["several-volumes"] for series in (first, second))
    assert "told apart by acquisition number" in second.warnings[0].text
    assert first.phases is None


def test_phases_that_are_shifted_sideways_are_series_of_their_own(tmp_path):
    volumes_in(tmp_path, {"AcquisitionNumber": [1, 2]})
    for file in (tmp_path / "1").iterdir():
        x, y, z = pydicom.dcmread(file).ImagePositionPatient
        edit(file, ImagePositionPatient=[x + 3, y, z])
    first, second = scan([tmp_path]).series
    assert second.grid.origin[0] == pytest.approx(first.grid.origin[0] + 3)


def test_one_slice_over_time_is_a_film(tmp_path):
    volumes_in(tmp_path, {"TriggerTime": [float(40 * k) for k in range(6)]}, grid=grid_of((1, 5, 7)))
    [series] = scan([tmp_path]).series
    assert series.grid.shape == (1, 5, 7)
    assert (len(series.phases), series.phases.interval_ms) == (6, 40)


def test_a_localizer_is_split_off_phases(tmp_path):
    volumes_in(tmp_path, {"EchoNumbers": [1, 2]})
    scout = grid_of((1, 5, 7), axes=dicom_axes(1))
    (tmp_path / "scout").mkdir()
    write_dicom_series(image_of(scout), tmp_path / "scout", study=STUDY, series=series_of(GRID))
    main, other = scan([tmp_path]).series
    assert (len(main.phases), main.grid.shape) == (2, (4, 5, 7))
    assert (other.phases, other.grid.shape) == (None, (1, 5, 7))
    assert other.uid.startswith(f"{main.uid}#")


def test_shuffled_files_scan_the_same(tmp_path):
    volumes_in(tmp_path, {"TemporalPositionIdentifier": [1, 2]})
    files = sorted(tmp_path.rglob("*.dcm"))
    order = np.random.default_rng(1).permutation(len(files))
    assert scan([files[k] for k in order]) == scan(files)
