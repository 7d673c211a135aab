"""Arrays that are written once for many jobs, and go when nobody holds them any more."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer.jobs import Job, Runner
from medviewer.jobs import kept as kept_module
from medviewer.jobs.exchange import open_arrays, save_arrays
from medviewer.jobs.kept import KeptArrays

Run = Callable[..., Job[Any]]


@pytest.fixture
def kept(tmp_path: Path) -> KeptArrays:
    return KeptArrays(tmp_path)


def save(kept: KeptArrays, folder: Path, array: np.ndarray) -> int:
    """Save an array for one job and return the number of its file on the disk."""
    files = save_arrays(folder, {"voxels": array}, "request", kept, ["voxels"])
    np.testing.assert_array_equal(open_arrays(folder, files, "r")["voxels"], array)
    return (folder / files["voxels"]).stat().st_ino


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("kept-*"))


def test_the_next_job_gets_the_same_file(kept: KeptArrays, tmp_path: Path) -> None:
    volume = np.arange(24).reshape(2, 3, 4)
    first = save(kept, tmp_path / "a", volume)
    assert save(kept, tmp_path / "b", volume) == first
    assert save(kept, tmp_path / "c", volume[:]) == first, "a view of all of it is the same array"
    assert save(kept, tmp_path / "d", volume[:1]) != first
    assert save(kept, tmp_path / "e", volume.transpose(2, 0, 1)) != first
    assert len(files(tmp_path)) == 3


def test_the_file_goes_with_the_array(kept: KeptArrays, tmp_path: Path) -> None:
    volume, other = np.ones(9), np.zeros(9)
    save(kept, tmp_path / "a", volume)
    save(kept, tmp_path / "b", other)
    del volume
    kept.close()  # waits for what was left to remove
    assert files(tmp_path) == ["kept-000002.npy"]
    assert (tmp_path / "a" / "request-000.npy").exists(), "the job has its own link"


def test_what_lies_there_is_bounded(kept: KeptArrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "KEPT_BYTES", 250)
    arrays = [np.full(100, k, np.uint8) for k in range(3)]
    numbers = [save(kept, tmp_path / str(k), array) for k, array in enumerate(arrays)]
    assert files(tmp_path) == ["kept-000002.npy", "kept-000003.npy"]
    assert save(kept, tmp_path / "again", arrays[2]) == numbers[2]
    large = np.zeros(1000, np.uint8)
    save(kept, tmp_path / "large", large)
    assert files(tmp_path) == ["kept-000004.npy"], "the newest one stays, however large"


def test_a_disk_without_links_keeps_nothing(kept: KeptArrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = np.ones(9)
    first = save(kept, tmp_path / "a", volume)

    def refuse(*arguments: Any, **keywords: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    assert save(kept, tmp_path / "b", volume) != first


def test_jobs_share_what_is_fixed_and_copy_what_is_not(runner: Runner, scratch: Path) -> None:
    volume, brush = np.arange(10), np.zeros(3)

    def run() -> dict[str, np.ndarray]:
        job = runner.submit_process(
            "worker_entries:echo",
            {},
            {"voxels": volume, "brush": brush},
            title="it",
            lane="lane",
            convert=lambda reply: reply.arrays,
            fixed=["voxels"],
        )
        runner.wait(job, 60)
        return job.result()

    run()
    brush[1] = 7
    again = run()
    assert again["brush"].tolist() == [0, 7, 0]
    assert again["voxels"].tolist() == volume.tolist()
    assert len(files(runner._folder)) == 1
    runner.shutdown()
    assert not list(scratch.rglob("*"))


def test_what_was_staged_is_not_written_again(kept: KeptArrays, tmp_path: Path) -> None:
    volume = np.arange(24).reshape(2, 3, 4)
    kept.stage(volume)
    (staged,) = files(tmp_path)
    kept.stage(volume)
    assert files(tmp_path) == [staged], "once is enough"
    assert save(kept, tmp_path / "a", volume) == (tmp_path / staged).stat().st_ino
    assert not list(tmp_path.glob("staged-*"))


def test_staging_without_room_leaves_nothing(kept: KeptArrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: Any, **__: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space"):
        kept.stage(np.arange(24))
    assert not list(tmp_path.iterdir())


def test_a_runner_stages_only_while_a_worker_is_warm(runner: Runner, run: Run) -> None:
    volume = np.arange(24)
    assert runner.stage(volume) is None
    run("echo")
    job = runner.stage(volume)
    assert job is not None
    runner.wait(job)
    assert job.result() is None
