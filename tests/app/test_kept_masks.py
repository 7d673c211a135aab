"""Masks that were kept when their series was shown in another way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.commands import masks, verdicts
from medviewer.app.commands import study as study_commands
from medviewer.app.services import Services
from medviewer.archive import JournalHeader, journal
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.domain.study import PhaseAxis, Series, SliceStack
from tests.app.conftest import GRID, SERIES, STUDY

UNEVEN = Grid((7, 6, 8), GRID.spacing, GRID.origin)
"""Seven slices 3 mm apart, of a file with four."""
SLICES = SliceStack(
    (6, 8),
    (2.0, 1.0),
    (0.0, 1.0, 0.0),
    (1.0, 0.0, 0.0),
    tuple((10.0, -20.0, 30.0 + z) for z in (0.0, 3.0, 10.0, 18.0)),
)
MADE = Provenance("brain-extraction", "1.0.0", "1.2.0", author=masks.ALGORITHM)


def opened(services: Services, series: Series) -> Services:
    """The series is shown."""
    services.session.studies = (replace(STUDY, series=(series,)),)
    image = Image(np.zeros(series.grid.shape, np.int16), series.grid, series.modality)
    study_commands._present(services, series, image)
    return services


def uneven(modality: str = "CT") -> Series:
    return replace(SERIES, grid=UNEVEN, source=SLICES, modality=modality)


def older(uid: str = SERIES.uid, *, value: int = 1) -> Segmentation:
    """As it was kept: one slice a slice of the file."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[1, 2:4, 3] = value
    return Segmentation(labels, GRID, (Segment(1, "Brain"), Segment(2, "Lesion")), MADE, uid)


def test_a_mask_on_the_slices_of_an_uneven_series_comes_to_its_grid(launch: Callable[..., Services]) -> None:
    services = launch()
    services.archive.masks.save_mask(SERIES.uid, older())
    shown = opened(services, uneven()).session
    assert shown.mask is not None
    labels = shown.mask.labels
    assert labels.shape == UNEVEN.shape
    assert np.flatnonzero(labels.any(axis=(1, 2))).tolist() == [1, 2]  # up to half way to the slice 7 mm on
    assert np.argwhere(labels[1]).tolist() == [[2, 3], [3, 3]]
    assert "brought from the slices of the file" in shown.message.text
    [now, _] = services.archive.masks.masks_for(SERIES.uid)
    assert now.grid.matches(UNEVEN)
    assert now.provenance.plugin_id == MADE.plugin_id
    assert now.provenance.notes == ("brought from the slices of the file onto the even grid",)
    again = opened(launch(), uneven()).session
    np.testing.assert_array_equal(again.mask.labels, labels)
    assert again.message is None


def test_a_mask_that_a_model_made_on_the_slices_is_still_what_a_correction_is_compared_with(
    launch: Callable[..., Services],
) -> None:
    services = launch()
    services.archive.masks.save_mask(SERIES.uid, older())
    touched = older()
    services.archive.masks.save_mask(SERIES.uid, replace(touched, provenance=replace(MADE, author="reader")))
    opened(services, uneven("MR"))
    view = services.session.mask.segments
    services.session.mask.paint(np.array([100]), view[0].label)
    found = verdicts.model_mask(services, uneven(), MADE)
    assert found is not None
    assert found.grid.matches(UNEVEN)


@pytest.mark.parametrize("base", [True, False])
def test_strokes_that_were_made_on_the_slices_are_kept_in_a_file(launch: Callable[..., Services], base: bool) -> None:
    services = launch()
    mask_id = services.archive.masks.save_mask(SERIES.uid, older()) if base else ""
    left = services.archive.journal_for(SERIES.uid)
    left.begin(JournalHeader(SERIES.uid, GRID.shape, mask_id))
    left.append(b"a stroke", sync=True)
    left.close()
    session = opened(services, uneven()).session
    assert (session.mask is not None) == base
    assert session.message.text.endswith(".kept keeps them.")
    [file] = (services.archive.home / "journal").glob("*.kept")
    assert journal.read(file) == [b"a stroke"]


def test_strokes_on_a_mask_of_the_same_shape_elsewhere_are_kept_in_a_file(
    launch: Callable[..., Services],
) -> None:
    services = launch()
    moved = replace(older(), grid=replace(GRID, origin=(0.0, 0.0, 0.0)))
    there = services.archive.masks.save_mask(SERIES.uid, moved)
    services.archive.masks.save_mask(SERIES.uid, older())
    left = services.archive.journal_for(SERIES.uid)
    left.begin(JournalHeader(SERIES.uid, GRID.shape, there))
    left.append(b"a stroke", sync=True)
    left.close()
    session = opened(services, SERIES).session
    assert session.mask is not None
    assert session.mask.snapshot().grid.matches(GRID)
    assert session.message.text.endswith(".kept keeps them.")


@pytest.mark.parametrize(("uid", "former"), [("1.2.3", "1.2.3#t3"), ("1.2.3#abc", "1.2.3#abc-t3")])
def test_a_mask_of_a_volume_that_became_a_phase_is_shown(
    launch: Callable[..., Services], uid: str, former: str
) -> None:
    services = launch()
    services.archive.masks.save_mask(former, older(former, value=1))
    services.archive.masks.save_mask(former.replace("t3", "t2"), older(former.replace("t3", "t2"), value=2))
    services.archive.masks.save_mask(former, older(former, value=2))
    left = services.archive.journal_for(former)
    left.begin(JournalHeader(former, GRID.shape, ""))
    left.append(b"a stroke", sync=True)
    left.close()
    series = replace(SERIES, uid=uid, phases=PhaseAxis("time", (0.0, 1.0, 2.0), "s"))
    session = opened(services, series).session
    assert session.mask is not None
    assert np.unique(session.mask.labels).tolist() == [0, 2]
    assert "painted on volume 3 of 3" in session.message.text
    assert session.message.text.endswith(".kept keeps them.")
    [row] = services.archive.masks.masks_for(uid)
    assert row.provenance.notes == ("painted on volume 3 of 3, when that was a series of its own",)


def test_a_mask_of_the_series_itself_comes_first_and_other_volumes_are_no_phases(
    launch: Callable[..., Services],
) -> None:
    services = launch()
    services.archive.masks.save_mask(f"{SERIES.uid}#t2", older(value=2))
    assert opened(services, SERIES).session.mask is None
    services.archive.masks.save_mask(SERIES.uid, older(value=1))
    services.archive.masks.save_mask(f"{SERIES.uid}#t2", older(value=2))
    shown = opened(launch(), replace(SERIES, phases=PhaseAxis("time", (0.0, 1.0), "s"))).session
    assert np.unique(shown.mask.labels).tolist() == [0, 1]


def test_strokes_on_a_volume_that_became_a_phase_are_kept_in_a_file(launch: Callable[..., Services]) -> None:
    services = launch()
    left = services.archive.journal_for(f"{SERIES.uid}#t2")
    left.begin(JournalHeader(f"{SERIES.uid}#t2", GRID.shape, ""))
    left.append(b"a stroke", sync=True)
    left.close()
    session = opened(services, replace(SERIES, phases=PhaseAxis("time", (0.0, 1.0), "s"))).session
    assert session.mask is None
    assert session.message.text.endswith(".kept keeps them.")
    session.message = None
    opened(services, replace(SERIES, phases=PhaseAxis("time", (0.0, 1.0), "s")))
    assert session.message is None
