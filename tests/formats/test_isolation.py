"""Decoders in processes of their own: whatever they do costs one call, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from medviewer.errors import JobCancelled, JobTimeout, NotFoundError, UnreadableError, WorkerDied
from medviewer.formats import isolation, load, scan, write_dicom_series
from medviewer.formats.dicom import slices
from tests.formats import faulty_decoders
from tests.formats.conftest import STUDY, grid_of, image_of, series_of

HERE = "tests.formats.faulty_decoders:"


@pytest.fixture(autouse=True, scope="module")
def _no_child_is_left():
    yield
    isolation.shutdown()
    assert isolation.processes() == ()


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(true) -> None:
    """Wait until something holds."""
    pause = threading.Event()
    for _ in range(2000):
        if true():
            return
        pause.wait(0.01)
    pytest.fail("it never came to hold")


def test_values_go_there_and_back():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    answer = isolation.call(f"{HERE}doubled", values, Path("somewhere"))
    np.testing.assert_array_equal(answer["values"], values * 2)
    assert answer["path"] == Path("somewhere")
    assert answer["pid"] in isolation.processes()
    assert answer["pid"] != os.getpid()
    assert not answer["memory"]


@pytest.mark.parametrize("name", ["segfault", "leave"])
def test_a_crash_costs_one_call(name):
    with pytest.raises(WorkerDied, match="ended"):
        isolation.call(f"{HERE}{name}")
    assert isolation.call("math:sqrt", 4.0) == 2.0


def test_a_hang_costs_its_time_limit():
    with pytest.raises(JobTimeout, match=r"within 0\.3 s"):
        isolation.call(f"{HERE}loop", timeout_s=0.3)
    assert isolation.call("math:sqrt", 4.0) == 2.0


@pytest.mark.parametrize(
    ("name", "text"),
    [("greedy", "more memory"), ("fail", "ValueError"), ("leave_politely", "SystemExit"), ("evil", "ended")],
)
def test_what_a_decoder_raises_is_one_error(name, text):
    with pytest.raises((UnreadableError, WorkerDied), match=text):
        isolation.call(f"{HERE}{name}")
    assert isolation.call("math:sqrt", 4.0) == 2.0


def test_our_own_errors_stay_what_they_are():
    with pytest.raises(NotFoundError, match=r"^There is none\.$") as caught:
        isolation.call(f"{HERE}refuse")
    assert caught.value.details == "details"


def test_what_a_library_prints_does_not_get_in_between():
    assert isolation.call(f"{HERE}babble") == 1


def test_both_sides_see_the_same_memory():
    with isolation.SharedBlock(40_000) as block:
        array = block.array((20_000,), np.dtype(np.uint16))
        isolation.call(f"{HERE}fill", block.token, 20_002, 5000)
        isolation.call(f"{HERE}fill", block.token, 0, 3)
    assert array[:4].tolist() == [0, 1, 2, 0]
    np.testing.assert_array_equal(array[10_001:15_001], np.arange(5000))
    array[:] = 7  # it outlives the block
    with pytest.raises(UnreadableError):
        isolation.call(f"{HERE}fill", block.token, 0, 3)


def test_several_callers_at_once():
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda k: isolation.call("math:sqrt", float(k * k)), range(60))) == list(range(60))
    assert len(isolation.processes()) <= isolation.size()


def test_a_call_that_is_cancelled_ends_soon():
    stop = threading.Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(JobCancelled):
        isolation.call(f"{HERE}loop", timeout_s=60.0, cancelled=stop)
    assert time.monotonic() - began < 30
    timer.join()
    with pytest.raises(JobCancelled):
        isolation.call("math:sqrt", 4.0, cancelled=stop)
    assert isolation.call("math:sqrt", 4.0) == 2.0


def test_a_child_that_was_killed_while_idle_is_replaced():
    isolation.call("math:sqrt", 4.0)
    for pid in isolation.processes():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not isolation.processes())
    assert isolation.call("math:sqrt", 4.0) == 2.0


@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_children_end_with_their_parent(end):
    last = "input()" if end == "killed" else ""
    code = (
        "from medviewer.formats import isolation\n"
        "block = isolation.SharedBlock(1000)\n"
        "isolation.call('math:sqrt', 4.0)\n"
        f"print(*isolation.processes(), flush=True)\n{last}"
    )
    before = set(Path("/dev/shm").iterdir())
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        if end == "killed":
            assert all(alive(pid) for pid in pids)
            parent.kill()
    assert pids
    until(lambda: not any(alive(pid) for pid in pids))
    assert set(Path("/dev/shm").iterdir()) <= before


@pytest.mark.parametrize(
    ("word", "code", "text"),
    [
        (faulty_decoders.KILL, "decoder-crash", "made its decoder crash"),
        (faulty_decoders.LEAVE, "decoder-crash", "made its decoder crash"),
        (faulty_decoders.HANG, "decoder-hang", "kept its decoder busy"),
        (faulty_decoders.GREEDY, "unreadable", "could not be decoded"),
        (faulty_decoders.RAISE, "unreadable", "could not be decoded"),
    ],
)
def test_a_file_that_breaks_its_decoder_costs_one_slice(tmp_path, monkeypatch, word, code, text):
    call = isolation.call
    monkeypatch.setattr(slices, "_DECODE", f"{HERE}decode_into")
    monkeypatch.setattr(isolation, "call", lambda *a, **k: call(*a, **{"timeout_s": 2.0, **k}))
    image = image_of(grid_of((3, 16, 17)), np.uint16)
    files = write_dicom_series(
        image, tmp_path, study=STUDY, series=series_of(image.grid), transfer_syntax=JPEGLSLossless
    )
    dataset = pydicom.dcmread(files[1])
    dataset.PixelData = encapsulate([word.ljust(8, b"\0")])
    dataset.save_as(files[1])
    told = []
    loaded = load(scan([tmp_path]).series[0], warn=told.append)
    assert [warning.code for warning in told] == [code]
    assert f"0002.dcm {text}" in told[0].text
    assert told[0].text.endswith("Its slice is shown blank.")
    np.testing.assert_array_equal(loaded.voxels[::2], image.voxels[::2])
    assert np.all(loaded.voxels[1] == image.voxels[::2].min())
