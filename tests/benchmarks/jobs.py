"""How long a job takes to begin and to stop: ``python -m tests.benchmarks.jobs``.

Warm start is from `submit_prediction` to the network's first call, in a child that has run the plugin before, on an
image of 512 x 512 x 300 of 16 bits with a sliding window and no resampling: with an image that was opened a moment ago
(opening it writes it for the children, while one is warm), with the same image again, whose file is used again, and
with one that nobody staged. Cancel is from `Job.cancel` to the end of the job, of a plugin that
listens between windows, and of one that sits in native code and has to be killed. Medians; times are of this machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Series
from medviewer.inference import base_weights, submit_prediction
from medviewer.jobs import Job, Runner
from medviewer.plugin_api.discovery import DiscoverResult
from tests.inference.tiny_plugins import write_plugin

SHAPE = (300, 512, 512)
ROUNDS = 5
SMALL = (40, 64, 64)

_FIRST_TILE = """
    def build_network(self):
        class Told(nn.Sequential):
            def forward(self, x):
                open(os.environ['MEDVIEWER_BENCH_TOLD'], 'a').write(f'{time.time()}\\\\n')
                if os.environ.get('MEDVIEWER_BENCH_SLEEP'):
                    import ctypes
                    ctypes.PyDLL(None).sleep(3600)
                time.sleep(0.05)
                return super().forward(x)
        return Told(nn.Conv3d(1, 1, 1), nn.ReLU(), nn.Conv3d(1, 1, 1))

    normalise = None
"""


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(prefix="medviewer-bench-") as folder:
        _measure(Path(folder))


def _measure(folder: Path) -> None:
    import os

    told = folder / "first-tile.txt"
    os.environ["MEDVIEWER_BENCH_TOLD"] = str(told)
    inputs = {"size": [], "windows": {"roi": [96, 96, 96], "overlap": 0.5}, "intensity": "real"}
    plugin = write_plugin(folder, "told", _FIRST_TILE.replace("\\\\", "\\"), kinds=["segment"], inputs=inputs)
    runner = Runner(folder / "scratch")
    random = np.random.default_rng(0)
    rows: list[tuple[str, list[float]]] = []
    try:
        first = _image(random.integers(-1000, 2000, SHAPE, np.int16))
        _first_tile(runner, plugin, first, folder, told)  # warm
        new = [_first_tile(runner, plugin, _image(first.voxels.copy()), folder, told) for _ in range(ROUNDS)]
        opened = [_first_tile(runner, plugin, _staged(runner, first), folder, told) for _ in range(ROUNDS)]
        again = [_first_tile(runner, plugin, first, folder, told) for _ in range(ROUNDS)]
        rows += [
            ("warm start, image opened", opened),
            ("warm start, same image", again),
            ("warm start, not staged", new),
        ]
        small = _image(random.integers(0, 9, SMALL, np.int16))
        rows.append(("cancel, it listens", [_cancelled(runner, plugin, first, folder, told) for _ in range(ROUNDS)]))
        os.environ["MEDVIEWER_BENCH_SLEEP"] = "1"
        runner.shutdown()  # a child has the environment that it began with
        runner = Runner(folder / "scratch")
        rows.append(("cancel, native code", [_cancelled(runner, plugin, small, folder, told) for _ in range(3)]))
    finally:
        runner.shutdown()
    for name, seconds in rows:
        ordered = sorted(seconds)
        median = statistics.median(ordered)
        sys.stdout.write(f"{name:24} median {median:6.3f} s   {ordered[0]:.3f} to {ordered[-1]:.3f} s\n")


def _image(voxels: np.ndarray) -> Image:
    return Image(voxels, Grid((voxels.shape[0], voxels.shape[1], voxels.shape[2])), "MR", series_uid="1.2.3")


def _staged(runner: Runner, image: Image) -> Image:
    """Another image of the same size, as it is a moment after it was opened."""
    made = _image(image.voxels.copy())
    job = runner.stage(made.voxels)
    if job is None:
        raise SystemExit("No worker is warm.")
    runner.wait(job)
    return made


def _start(runner: Runner, plugin: DiscoverResult, image: Image, folder: Path) -> Job[object]:
    series = Series(image.series_uid, "MR", "T1", image.grid, (Path("a.dcm"),), "dicom")
    weights = base_weights(plugin, folder)
    return submit_prediction(runner, image, series, plugin, weights, "1.2.3", device="cpu")  # type: ignore[return-value]


def _first_tile(runner: Runner, plugin: DiscoverResult, image: Image, folder: Path, told: Path) -> float:
    """Seconds from submission to the network's first call; the job is cancelled then."""
    told.unlink(missing_ok=True)
    begin = time.time()
    job = _start(runner, plugin, image, folder)
    _until_told(runner, job, told)
    seconds = float(told.read_text().splitlines()[0]) - begin
    job.cancel()
    runner.wait(job)
    return seconds


def _cancelled(runner: Runner, plugin: DiscoverResult, image: Image, folder: Path, told: Path) -> float:
    """Seconds from the cancel of a job whose network runs to its end."""
    told.unlink(missing_ok=True)
    job = _start(runner, plugin, image, folder)
    _until_told(runner, job, told)
    begin = time.perf_counter()
    job.cancel()
    runner.wait(job)
    return time.perf_counter() - begin


def _until_told(runner: Runner, job: Job[object], told: Path) -> None:
    while not (told.exists() and told.read_text().endswith("\n")):
        runner.pump()
        if job.done:
            job.result()  # raises, and says why
            raise SystemExit("The job was over before its network ran.")
        time.sleep(0.002)


if __name__ == "__main__":
    main()
