"""Masks that a scan found beside the images open on the series that they were drawn on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medviewer import formats
from medviewer.app.commands import masks, study
from medviewer.app.services import Services
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.study import Attachment
from medviewer.errors import InputError
from tests.formats.conftest import STUDY, grid_of, image_of, series_of
from tests.formats.test_rtstruct import FRAME, loop, square, written

WAIT_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of two series with a SEG and a structure set on the second one."""
    for name, z in (("first", 4), ("second", 5)):
        (tmp_path / name).mkdir()
        grid = grid_of((z, 8, 9))
        header = replace(series_of(grid), frame_of_reference=FRAME)
        formats.write_dicom_series(image_of(grid), tmp_path / name, study=STUDY, series=header)
    [second] = formats.scan([tmp_path / "second"]).series
    labels = np.zeros(second.grid.shape, np.uint8)
    labels[1, 2:5, 3:6] = 1
    mask = Segmentation(labels, second.grid, (Segment(1, "Lesion"),), series_uid=second.uid)
    formats.save_segmentation(mask, tmp_path / "seg.dcm", second)
    written(tmp_path / "rs.dcm", [("Organ", (1, 2, 3), [loop(second.grid, 3, square(1.5, 4.5))])])
    return tmp_path


@pytest.fixture
def listed(services: Services, folder: Path) -> Services:
    """The program with both series listed, and another study open."""
    services.runner.wait(study.open_paths(services, [folder], show_first=False), WAIT_S)
    return services


def settle(services: Services) -> None:
    """Wait for everything that was started, one after the other."""
    while services.runner.jobs:
        services.runner.wait(services.runner.jobs[0], WAIT_S)


def attachment_in(services: Services, kind: str) -> Attachment:
    [found] = [one for s in services.session.studies for one in s.attachments if one.kind == kind]
    return found


def test_a_seg_opens_on_its_series(listed: Services) -> None:
    masks.open_attachment(listed, attachment_in(listed, "seg"))
    settle(listed)
    session = listed.session
    assert session.series.grid.shape == (5, 8, 9)
    assert np.count_nonzero(session.mask.labels) == 9
    assert [segment.name for segment in session.mask.segments] == ["Lesion"]
    # Again, with the series open.
    masks.open_attachment(listed, attachment_in(listed, "seg"))
    settle(listed)
    assert np.count_nonzero(session.mask.labels) == 9


def test_a_structure_set_of_no_listed_series_is_tried_on_the_open_one(listed: Services) -> None:
    second = next(s for one in listed.session.studies for s in one.series if s.grid.shape == (5, 8, 9))
    listed.runner.wait(study.show(listed, second), WAIT_S)
    masks.open_attachment(listed, attachment_in(listed, "rtstruct"))
    settle(listed)
    assert np.count_nonzero(listed.session.mask.labels) == 9
    assert [segment.name for segment in listed.session.mask.segments] == ["Organ"]


def test_what_was_done_to_a_mask_is_told(listed: Services, tmp_path: Path) -> None:
    second = next(s for one in listed.session.studies for s in one.series if s.grid.shape == (5, 8, 9))
    listed.runner.wait(study.show(listed, second), WAIT_S)
    path = written(tmp_path / "two.dcm", [(n, (1, 2, 3), [loop(second.grid, 3, square(1.5, 4.5))]) for n in "AB"])
    masks.import_mask(listed, path)
    settle(listed)
    assert listed.session.message.text == "two.dcm: 9 voxels lay in more than one region; the later region has them."


def test_a_mask_of_a_series_that_is_not_listed_is_refused_on_an_image_without_a_place(listed: Services) -> None:
    mask = replace(attachment_in(listed, "seg"), of_series=("1.2.3",))
    with pytest.raises(InputError, match=r"seg\.dcm was drawn on is not listed"):
        masks.open_attachment(listed, mask)


def test_masks_that_come_without_images_say_where_they_are_listed(services: Services, folder: Path) -> None:
    services.session.say("What was said of another study.", "warning")
    services.runner.wait(study.open_paths(services, [folder / "seg.dcm"]), WAIT_S)
    assert services.session.message.text == ("1 mask is listed, but not the images that it belongs to; open them too.")
    services.runner.wait(study.open_paths(services, [folder / "first", folder / "second"], show_first=False), WAIT_S)
    [second] = formats.scan([folder / "second"]).series
    services.runner.wait(study.open_paths(services, [folder / "seg.dcm"]), WAIT_S)
    name = f"{second.modality} {second.description}".strip()
    assert services.session.message.text == f"1 mask is listed with {name}; click it to open it."
    assert services.session.message.level == "info"
    settle(services)
    # After a restart the catalogue knows the images.
    services.session.studies = ()
    services.runner.wait(study.open_paths(services, [folder / "seg.dcm"]), WAIT_S)
    assert services.session.message.text == f"1 mask is listed with {name}; click it to open it."
