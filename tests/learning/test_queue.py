from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import medviewer
from medviewer.archive import Archive
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.mask import Correction, Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.errors import GridMismatchError, NotFoundError, StoreError
from medviewer.inference.request import image_from_json
from medviewer.learning.queue import CorrectionQueue, Status

from .conftest import GRID, make_case

Approve = Callable[[int, str], Correction]


def test_an_approved_case_comes_back_as_it_was(queue: CorrectionQueue) -> None:
    case = make_case(1)
    image = replace(case.image, rescale=Rescale(2.5, -7.0, "HU"), windows=(Window(40, 80, "brain"),), padding=(-9, -9))
    added = queue.add(image, case.series, "P1", case.truth, None, "approved", "ann", "ball moved")
    back, mask = queue.load_case(added.id)
    np.testing.assert_array_equal(back.voxels, image.voxels)
    assert back.voxels.dtype == np.int16
    assert replace(back, voxels=image.voxels).__dict__ == image.__dict__
    np.testing.assert_array_equal(mask.labels, case.truth.labels)
    assert (mask.segments, mask.grid, mask.provenance.plugin_id) == (case.truth.segments, GRID, "tiny")
    shown = queue.get(added.id[:5])
    assert shown.correction == added
    assert (shown.status, shown.note, shown.modality, shown.shape) == (Status.WAITING, "ball moved", "MR", GRID.shape)
    assert (added.plugin_id, added.model_version, added.verdict, added.author) == ("tiny", "1.0.0", "approved", "ann")


def test_a_per_slice_rescale_comes_back(queue: CorrectionQueue) -> None:
    case = make_case(1)
    slopes = tuple(1 + 0.1 * z for z in range(GRID.shape[0]))
    image = replace(case.image, rescale=Rescale(slopes, 3.0))
    added = queue.add(image, case.series, "P1", case.truth, None, "approved", "ann")
    assert queue.load_case(added.id)[0].rescale == Rescale(slopes, 3.0)


def test_images_that_were_kept_stay_readable() -> None:
    # The description as the queue first wrote it: archives of users hold it, so what reads it must go on doing so.
    kept = {
        "grid": {
            "shape": [2, 3, 4],
            "spacing": [2.0, 1.0, 1.0],
            "origin": [0.0, 0.0, 5.0],
            "direction": [0, 0, 1, 0, 1, 0, 1, 0, 0],
        },
        "modality": "CT",
        "rescale": {"slope": [1.0, 2.0], "intercept": -1024.0, "unit": "HU"},
        "windows": [{"center": 40.0, "width": 400.0, "name": "soft"}],
        "inverted": False,
        "calibrated": True,
        "padding": [-2000.0, -2000.0],
        "series_uid": "1.2.3",
    }
    voxels = np.zeros((2, 3, 4), np.int16)
    image = image_from_json(kept, voxels)
    expected = Image(
        voxels,
        Grid((2, 3, 4), (2.0, 1.0, 1.0), (0.0, 0.0, 5.0)),
        "CT",
        Rescale((1.0, 2.0), -1024.0, "HU"),
        (Window(40.0, 400.0, "soft"),),
        padding=(-2000.0, -2000.0),
        series_uid="1.2.3",
    )
    assert image.__dict__ == expected.__dict__


def test_who_the_patient_is_stays_out(queue: CorrectionQueue, archive: Archive) -> None:
    case = make_case(1)
    series = replace(case.series, description="DOE^JANE head", files=(Path("/scans/doe_jane/1.dcm"),))
    queue.add(case.image, series, "DOE-4711", case.truth, None, "approved", "ann")
    archive.close()
    kept = b"".join(path.read_bytes() for path in archive.home.rglob("*") if path.is_file())
    for secret in (b"DOE-4711", b"JANE", b"doe_jane"):
        assert secret not in kept


def test_the_same_verdict_again_changes_nothing(queue: CorrectionQueue, archive: Archive, approve: Approve) -> None:
    first = approve(1, "P1")
    assert approve(1, "P1") == first
    assert len(queue.list()) == 1
    assert len(list((archive.home / "masks").iterdir())) == 1


def test_a_new_verdict_supersedes_the_former(queue: CorrectionQueue, archive: Archive, approve: Approve) -> None:
    first = approve(1, "P1")
    case = make_case(1)
    changed = case.truth.with_labels(np.zeros_like(case.truth.labels))
    second = queue.add(case.image, case.series, "P1", changed, case.truth, "approved", "bob")
    assert [(c.id, c.status) for c in queue.list("tiny")] == [
        (first.id, Status.SUPERSEDED),
        (second.id, Status.WAITING),
    ]
    assert [c.id for c in queue.cases_for_training("tiny")] == [second.id]
    assert queue.load_case(first.id)[1].labels.any()
    assert len(list((archive.home / "images").iterdir())) == 1  # the voxels are kept once
    third = queue.add(case.image, case.series, "P1", changed, None, "rejected", "bob")
    assert queue.cases_for_training("tiny") == []
    assert [c.id for c in queue.list(status="rejected")] == [third.id]


def test_a_rejected_case_keeps_its_verdict_only(queue: CorrectionQueue, archive: Archive) -> None:
    case = make_case(1)
    added = queue.add(case.image, case.series, "P1", case.truth, None, "rejected", "ann")
    assert queue.get(added.id).status is Status.REJECTED
    assert not (archive.home / "images").exists()
    assert queue.cases_for_training("tiny") == []
    with pytest.raises(StoreError, match="was rejected, so no image"):
        queue.load_case(added.id)


def test_plugins_have_queues_of_their_own(queue: CorrectionQueue) -> None:
    for plugin_id in ("tiny", "other"):
        case = make_case(1, plugin_id)
        queue.add(case.image, case.series, "P1", case.truth, None, "approved", "ann")
    assert len(queue.list()) == 2
    assert [c.correction.plugin_id for c in queue.list("other")] == ["other"]


def test_dice_before_tells_how_much_was_changed(queue: CorrectionQueue) -> None:
    case = make_case(1)
    same = queue.add(case.image, case.series, "P1", case.truth, case.truth, "approved", "ann")
    assert same.dice_before == 1.0
    relabelled = case.truth.with_labels(case.truth.labels * 2)
    moved = queue.add(case.image, case.series, "P1", relabelled, case.truth, "approved", "ann")
    assert moved.dice_before == 0.0


def test_a_mask_by_hand_needs_to_name_the_plugin_it_teaches(queue: CorrectionQueue) -> None:
    case = make_case(1)
    drawn = replace(case.truth, provenance=Provenance(author="ann"))
    with pytest.raises(StoreError, match="run a plugin first"):
        queue.add(case.image, case.series, "P1", drawn, None, "approved", "ann")
    added = queue.add(case.image, case.series, "P1", drawn, None, "approved", "ann", plugin_id="tiny")
    assert (added.plugin_id, added.model_version, added.dice_before) == ("tiny", "", None)
    corrected = queue.add(case.image, case.series, "P1", drawn, case.truth, "approved", "ann")
    assert (corrected.plugin_id, corrected.model_version) == ("tiny", "1.0.0")


def test_bad_cases_are_refused_in_a_sentence(queue: CorrectionQueue) -> None:
    case = make_case(1)
    shifted = Segmentation(case.truth.labels, replace(GRID, origin=(0, 0, 0)), case.truth.segments)
    with pytest.raises(GridMismatchError, match="open the mask on its own series"):
        queue.add(case.image, case.series, "P1", shifted, None, "approved", "ann", plugin_id="tiny")
    with pytest.raises(StoreError, match="approved or rejected, not 'maybe'"):
        queue.add(case.image, case.series, "P1", case.truth, None, "maybe", "ann")  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="one of waiting, used, rejected, superseded"):
        queue.list(status="odd")
    for wrong in ("nope", ""):
        with pytest.raises(NotFoundError, match=f"no case '{wrong}'"):
            queue.get(wrong)
    assert queue.list() == []


def test_a_patient_without_an_id_is_told_by_the_study(queue: CorrectionQueue) -> None:
    keys = []
    for number in (1, 2, 3):
        case = make_case(number)
        study = "9.9.1" if number < 3 else "9.9.2"
        added = queue.add(case.image, case.series, "", case.truth, None, "approved", "ann", study_uid=study)
        keys.append(added.patient_key)
    assert keys[0] == keys[1] != keys[2]


def test_several_threads_may_queue_at_once(queue: CorrectionQueue, approve: Approve) -> None:
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda k: approve(k % 3, f"P{k % 3}"), range(12)))
    assert len(queue.list()) == len({case.id for case in queue.list()})
    assert {c.id for c in queue.cases_for_training("tiny")} <= {c.id for c in added}
    assert len(queue.cases_for_training("tiny")) == 3


def test_the_database_itself_allows_one_current_verdict(queue: CorrectionQueue, approve: Approve) -> None:
    approve(1, "P1")
    path = queue.archive.home / "medviewer.db"
    connection = sqlite3.connect(path)
    columns = "series_uid, patient_key, plugin_id, model_version, verdict, status, author, created, note, dice_before, "
    columns += "modality, body_part, mask_sha256, segments"
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(f"INSERT INTO corrections (id, {columns}) SELECT 'x', {columns} FROM corrections")
    connection.close()


def test_a_queued_case_outlives_kill_9(tmp_path: Path) -> None:
    folder = Path(__file__).parent
    paths = os.pathsep.join([str(Path(medviewer.__file__).parents[1]), str(folder)])
    command = [sys.executable, folder / "crash_child.py", tmp_path]
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        case_id = child.stdout.readline().strip()
        child.kill()
    with Archive.open(tmp_path) as archive:
        [case] = CorrectionQueue(archive).cases_for_training("tiny")
        assert case.id == case_id
        np.testing.assert_array_equal(CorrectionQueue(archive).load_case(case_id)[1].labels, make_case(1).truth.labels)
