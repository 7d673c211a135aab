from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medviewer.archive import Archive
from medviewer.archive.home import home
from medviewer.domain.finding import Classification
from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.mask import Code, Segment, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import NotFoundError, StoreError

OBLIQUE = Grid((2, 3, 4), (2.5, 0.7, 0.8), (-10.25, 3.0, 7.125), (0, 0, 1, 0.6, 0.8, 0, -0.8, 0.6, 0))
PROVENANCE = Provenance("brain", "1.0.0", "1.0.0-ft.1", {"tta": False}, "ab" * 32, "ann", notes=("slow", "cpu"))


def mask(value: int, dtype: type = np.uint8) -> Segmentation:
    segments = (Segment(value, "Brain", (1, 2, 3), Code("12738006", "SCT", "Brain")),)
    return Segmentation(np.full(OBLIQUE.shape, value, dtype), OBLIQUE, segments, PROVENANCE, "1.2")


def test_a_mask_comes_back_as_it_was(archive: Archive) -> None:
    saved = mask(300, np.uint16)
    back = archive.masks.load_mask(archive.masks.save_mask("1.2", saved))
    np.testing.assert_array_equal(back.labels, saved.labels)
    assert back.labels.dtype == np.uint16
    assert (back.grid, back.segments, back.provenance, back.series_uid) == (OBLIQUE, saved.segments, PROVENANCE, "1.2")


def test_every_version_of_a_mask_is_kept_newest_first(archive: Archive) -> None:
    ids = [archive.masks.save_mask("1.2", mask(k)) for k in (1, 2, 3)]
    archive.masks.save_mask("1.3", mask(9))
    assert [record.id for record in archive.masks.masks_for("1.2")] == ids[::-1]
    assert archive.masks.load_mask(ids[0]).labels.max() == 1
    assert archive.masks.masks_for("9.9") == []


def test_a_mask_that_was_written_ahead_is_not_written_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = mask(7)
    archive.masks.write_ahead(saved.labels)
    files = set((archive.home / "masks").iterdir())
    monkeypatch.setattr("medviewer.archive.masks.write_array", None)
    mask_id = archive.masks.save_mask("1.2", replace(saved, series_uid="1.2"))
    assert set((archive.home / "masks").iterdir()) == files
    np.testing.assert_array_equal(archive.masks.load_mask(mask_id).labels, saved.labels)


def test_two_saves_of_one_array_have_a_file_each(archive: Archive) -> None:
    saved = mask(7)
    archive.masks.write_ahead(saved.labels)
    first, second = archive.masks.save_mask("1.2", saved), archive.masks.save_mask("1.2", saved)
    assert len(list((archive.home / "masks").iterdir())) == 2
    assert archive.masks.load_mask(first).labels.max() == archive.masks.load_mask(second).labels.max() == 7


def test_what_was_written_ahead_and_never_saved_goes_with_its_labels(archive: Archive) -> None:
    archive.masks.write_ahead(np.ones(OBLIQUE.shape, np.uint8))
    assert list((archive.home / "masks").iterdir()) == []


def test_a_full_disk_is_told_when_the_mask_is_saved(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk should take the mask, but is full; make room.")

    saved = mask(7)
    with monkeypatch.context() as patched:
        patched.setattr("medviewer.archive.masks.write_array", full)
        archive.masks.write_ahead(saved.labels)
        with pytest.raises(StoreError, match="is full"):
            archive.masks.save_mask("1.2", saved)
    assert archive.masks.load_mask(archive.masks.save_mask("1.2", saved)).labels.max() == 7


def test_a_mask_that_was_read_ahead_is_not_read_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (archive.masks.save_mask("1.2", mask(k)) for k in (7, 8))
    labels = archive.masks.read_ahead(first)
    with monkeypatch.context() as patched:
        patched.setattr("medviewer.archive.blobs.read_array", None)
        assert archive.masks.load_mask(first).labels is labels
    assert labels is not None
    assert labels.max() == 7
    assert archive.masks.load_mask(second).labels.max() == 8
    assert archive.masks.load_mask(first).labels is not labels  # who got it may write into it


def test_a_damaged_mask_that_was_to_be_read_ahead_is_told_when_it_is_loaded(archive: Archive) -> None:
    mask_id = archive.masks.save_mask("1.2", mask(7))
    (file,) = (archive.home / "masks").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert archive.masks.read_ahead(mask_id) is None
    with pytest.raises(StoreError, match="damaged"):
        archive.masks.load_mask(mask_id)


def test_what_was_read_ahead_for_nobody_is_let_go(archive: Archive) -> None:
    mask_id = archive.masks.save_mask("1.2", mask(7))
    labels = archive.masks.read_ahead(mask_id)
    archive.ahead.clear()
    assert archive.masks.load_mask(mask_id).labels is not labels


def test_a_heat_map_that_was_read_ahead_is_not_read_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(OBLIQUE.shape, np.float32)
    heatmap_id = archive.results.save_heatmap(Heatmap(values, OBLIQUE, "saliency", "brain", PROVENANCE, "1.2"))
    archive.results.read_ahead(heatmap_id)
    monkeypatch.setattr("medviewer.archive.blobs.read_array", None)
    np.testing.assert_array_equal(archive.results.load_heatmap(heatmap_id).values, values)


def test_an_unknown_mask_is_told(archive: Archive) -> None:
    with pytest.raises(NotFoundError, match="no mask 'nope'"):
        archive.masks.load_mask("nope")


def test_a_lost_mask_file_is_told(archive: Archive) -> None:
    mask_id = archive.masks.save_mask("1.2", mask(1))
    for path in (archive.home / "masks").iterdir():
        path.unlink()
    with pytest.raises(StoreError, match="missing or damaged"):
        archive.masks.load_mask(mask_id)


def test_results_come_back(archive: Archive) -> None:
    result = Classification({"NORMAL": 0.25, "PNEUMONIA": 0.75}, PROVENANCE, "1.2", ("a demonstration",))
    archive.results.save_classification(Classification({"NORMAL": 1.0}, PROVENANCE, "1.2"))
    archive.results.save_classification(result)
    assert archive.results.classifications_for("1.2")[0] == result
    values = np.linspace(0, 1, 24, dtype=np.float16).reshape(OBLIQUE.shape)
    heatmap_id = archive.results.save_heatmap(Heatmap(values, OBLIQUE, "Grad-CAM", "Brain", PROVENANCE, "1.2"))
    [record] = archive.results.heatmaps_for("1.2")
    assert (record.id, record.method, record.target) == (heatmap_id, "Grad-CAM", "Brain")
    back = archive.results.load_heatmap(heatmap_id)
    np.testing.assert_array_equal(back.values, values)
    assert (back.grid, back.label, back.provenance) == (
        OBLIQUE,
        "Grad-CAM of Brain, brain, model 1.0.0-ft.1",
        PROVENANCE,
    )
    with pytest.raises(NotFoundError, match="no heat map"):
        archive.results.load_heatmap("nope")


def test_patients_are_told_apart_by_this_archive_only(tmp_path: Path) -> None:
    with Archive.open(tmp_path / "a") as first, Archive.open(tmp_path / "b") as second:
        key = first.patient_key("Q7", "1.2")
        assert key == first.patient_key(" Q7 ", "1.3")
        assert len({key, first.patient_key("Q8"), first.patient_key("", "Q7"), second.patient_key("Q7")}) == 4
        with pytest.raises(StoreError, match="cannot be queued"):
            first.patient_key(" ")
    with Archive.open(tmp_path / "a") as again:
        assert again.patient_key("Q7") == key
    assert stat.S_IMODE((tmp_path / "a" / "patient.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_a_damaged_key_is_never_replaced(archive: Archive) -> None:
    (archive.home / "patient.key").write_bytes(b"short")
    with pytest.raises(StoreError, match="restore it from a backup"):
        archive.patient_key("Q7")


def test_home_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDVIEWER_HOME", str(tmp_path / "deep" / "home"))
    assert home() == tmp_path / "deep" / "home"
    assert home().is_dir()
    with Archive.open() as archive:
        assert archive.home == home()
