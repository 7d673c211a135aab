"""Time opening a DICOM series beside SimpleITK and pydicom, in turn in one process.

    python tests/benchmarks/load.py [DIR] [--runs 5] [--rows WORD ...] [--json]

Without DIR a CT series of 600 slices of 512 x 512 is written to a temporary folder, from the demo head with noise; a
part of it is compressed for the rows of the decoders. The figures are medians in seconds; the first round, which fills
the cache and starts the decoders, is not counted. Memory is the peak of a fresh process less what it had before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813 - its usual name
from scipy.ndimage import zoom

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from medviewer.domain.geometry import Grid  # noqa: E402 - the script runs without an installed package
from medviewer.domain.image import Image, Rescale, Window  # noqa: E402
from medviewer.domain.study import Patient, Series, Study  # noqa: E402
from medviewer.formats import isolation, load, scan, write_dicom_series  # noqa: E402

GEOMETRY = ["ImagePositionPatient", "ImageOrientationPatient", "SeriesInstanceUID", "Rows", "Columns"]
SLICES, SIZE = 600, 512
COMPRESSED = {
    "RLE": pydicom.uid.RLELossless,
    "JPEG-LS": pydicom.uid.JPEGLSLossless,
    "JPEG 2000": pydicom.uid.JPEG2000Lossless,
}
PART = 60
"""Slices of the compressed series: one thread of pydicom needs half a minute for all of them."""


def write_synthetic(folder: Path) -> None:
    """A head as a CT: stored values 0 to 4095, HU = stored - 1024, file names not in the order of the slices."""
    head = load(scan([REPOSITORY / "resources" / "demo" / "colin27"]).series[0])
    wanted = (SLICES, SIZE, SIZE)
    hu = zoom(head.voxels.astype(np.float32), [n / m for n, m in zip(wanted, head.grid.shape, strict=True)], order=1)
    hu = hu * 8 - 1000
    random = np.random.default_rng(0)
    for plane in hu:
        plane += random.normal(0, 12, plane.shape)
    stored = np.clip(hu + 1024, 0, 4095).astype(np.uint16)
    grid = Grid(stored.shape, (0.3, 0.48, 0.48), (-122.5, -122.5, 0.0))
    image = Image(stored, grid, "CT", Rescale(1.0, -1024.0, "HU"), (Window(40, 400),))
    study = Study(pydicom.uid.generate_uid(), "2020-01-01", "Benchmark", Patient("BENCH", "Bench^Mark"))
    series = Series(pydicom.uid.generate_uid(), "CT", "Benchmark", grid, (), "dicom", number=1)
    files = write_dicom_series(image, folder, study=study, series=series)
    for file, name in zip(files, random.permutation(SLICES), strict=True):
        file.rename(folder / f"IM{name:05d}.dcm")


def ours(folder: Path) -> None:
    """Scan the folder and load its series into one array."""
    load(scan([folder]).series[0])


def ours_scan(folder: Path) -> None:
    """Scan the folder."""
    scan([folder])


def simpleitk(folder: Path) -> None:
    """What a user of SimpleITK writes."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    sitk.GetArrayViewFromImage(reader.Execute())


def pydicom_headers(folder: Path) -> None:
    """A bare header scan."""
    for file in folder.glob("*.dcm"):
        pydicom.dcmread(file, stop_before_pixels=True, specific_tags=GEOMETRY)


def read_bytes(folder: Path) -> None:
    """The machine's own limit."""
    for file in folder.glob("*.dcm"):
        file.read_bytes()


class _Enough(Exception):
    """The first slice is there."""


def ours_first(folder: Path) -> None:
    """Scan the folder, and read the slice that is seen first."""

    def early(image: Image) -> None:
        raise _Enough

    try:
        load(scan([folder]).series[0], early=early)
    except _Enough:
        return
    raise AssertionError("the series was not shown early")


def ours_load(folder: Path) -> None:
    """Load a series that was scanned before; the rows of the decoders leave out what they have in common."""
    load(_scanned(folder))


def pydicom_slices(folder: Path) -> None:
    """Slice by slice, as pydicom comes: GDCM, its first choice for JPEG 2000, takes a thread for each core."""
    np.stack([pydicom.dcmread(file).pixel_array for file in _scanned(folder).files])


def pydicom_one_thread(folder: Path) -> None:
    """Slice by slice on one core, so that a decoder with threads of its own is held to one."""
    if not hasattr(os, "sched_setaffinity"):
        pydicom_slices(folder)
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        pydicom_slices(folder)
    finally:
        os.sched_setaffinity(0, cores)


_SERIES: dict[Path, Series] = {}


def _scanned(folder: Path) -> Series:
    if folder not in _SERIES:
        _SERIES[folder] = scan([folder]).series[0]
    return _SERIES[folder]


def compress(folder: Path, target: Path, syntax: str) -> None:
    """A part of a series, compressed."""
    target.mkdir()
    for file in _scanned(folder).files[:PART]:
        dataset = pydicom.dcmread(file)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(target / file.name)


Job = Callable[[Path], None]

ROWS: tuple[tuple[str, Job, Job, float | None], ...] = (
    ("full load: scan and load into one array, against SimpleITK", ours, simpleitk, 0.30),
    ("first slice: scan and the middle slice, against SimpleITK", ours_first, simpleitk, 0.10),
    ("scan, against a bare pydicom header scan", ours_scan, pydicom_headers, 1.5),
    ("full load, against reading the bytes", ours, read_bytes, None),
)


def seconds(job: Job, folder: Path) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    job(folder)
    return time.perf_counter() - start


def row(name: str, unit: str, mine: float, other: float, target: float | None, most: bool = True) -> dict[str, object]:
    """One row of the table; `most` says whether the ratio may be at most or has to be at least the target."""
    ratio = mine / other if most else other / mine
    holds = None if target is None else (ratio <= target if most else ratio >= target)
    return {
        "name": name,
        "ours": round(mine, 4),
        "baseline": round(other, 4),
        "unit": unit,
        "ratio": round(ratio, 3),
        "target": target,
        "holds": holds,
    }


def compare(folder: Path, runs: int, job: Job, baseline: Job) -> tuple[float, float]:
    """Medians of two jobs that take turns."""
    pairs = [(seconds(job, folder), seconds(baseline, folder)) for _ in range(runs + 1)][1:]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return mine, other


_PEAK = """
import resource, sys
from pathlib import Path
import numpy, pydicom
from medviewer.formats import load, scan
series = scan([Path(sys.argv[1])]).series[0]
head = Path("/proc/self/clear_refs")
head.write_text("5")  # the peak so far is forgotten
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
image = load(series)
print(peak() - before, image.voxels.nbytes)
"""


def memory(folder: Path) -> tuple[float, float]:
    """Megabytes by which loading raises the peak of a fresh process (Linux), and those that are stored."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    answer = subprocess.run(
        [sys.executable, "-c", _PEAK, str(folder)], capture_output=True, text=True, check=True, env=environment
    )
    grown, stored = (int(word) / 1e6 for word in answer.stdout.split())
    return grown, stored


def decoder_rows(folder: Path, runs: int, scratch: Path) -> list[dict[str, object]]:
    """Compressed series against one thread of pydicom, decoders warm; and what their start takes."""
    rows = []
    for name, syntax in COMPRESSED.items():
        part = scratch / name.replace(" ", "")
        compress(folder, part, syntax)
        mine, other = compare(part, runs, ours_load, pydicom_one_thread)
        text = f"{name}: load, times as fast as one thread of pydicom"
        rows.append(row(text, "s", mine, other, 1.7, most=False))
        mine, other = compare(part, runs, ours_load, pydicom_slices)
        rows.append(row(f"{name}: the same against pydicom as it comes", "s", mine, other, None, most=False))
        shutil.rmtree(part)
    isolation.shutdown()
    start = time.perf_counter()
    isolation.call("medviewer.formats.dicom.codecs:_segments", b"")
    started = time.perf_counter() - start
    rows.append(row("start of a decoder, seconds against 1 s", "s", started, 1.0, None))
    return rows


def measure(folder: Path, runs: int, scratch: Path, words: list[str]) -> list[dict[str, object]]:
    """Run each row's two jobs in turn and compare their medians."""

    def wanted(name: str) -> bool:
        return not words or any(word.lower() in name.lower() for word in words)

    rows = [
        row(name, "s", *compare(folder, runs, mine, other), target)
        for name, mine, other, target in ROWS
        if wanted(name)
    ]
    if wanted("memory") and sys.platform == "linux":
        rows.append(row("memory of a load, against the stored bytes", "MB", *memory(folder), 1.15))
    if wanted("decoders"):
        rows += decoder_rows(folder, runs, scratch)
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "series", type=Path, nargs="?", help="folder with one DICOM series; default: written for the run"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--rows", nargs="*", default=[], help="only rows with such a word: full, first, scan, memory, decoders"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.series or Path(temporary, "series")
        if arguments.series is None:
            folder.mkdir()
            write_synthetic(folder)
        rows = measure(folder, arguments.runs, Path(temporary), arguments.rows)
    if arguments.json:
        sys.stdout.write(json.dumps({"rows": rows}, indent=2) + "\n")
        return 0
    for one in rows:
        target = "" if one["target"] is None else f"  target {one['target']}  {'holds' if one['holds'] else 'missed'}"
        line = (
            f"{one['name']:60s} {one['ours']:.3f} / {one['baseline']:.3f} {one['unit']}: {one['ratio']:.2f}{target}\n"
        )
        sys.stdout.write(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
