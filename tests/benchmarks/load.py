"""Time opening a DICOM series beside SimpleITK and pydicom, in turn in one process.

    python tests/benchmarks/load.py [DIR] [--runs 5] [--json]

Without DIR a CT series of 600 slices of 512 x 512 is written to a temporary folder, from the demo head with noise.
The figures are medians in seconds; the first round, which fills the cache, is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
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
from medviewer.formats import load, scan, write_dicom_series  # noqa: E402

GEOMETRY = ["ImagePositionPatient", "ImageOrientationPatient", "SeriesInstanceUID", "Rows", "Columns"]
SLICES, SIZE = 600, 512


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


ROWS: tuple[tuple[str, Callable[[Path], None], Callable[[Path], None], float | None], ...] = (
    ("scan and load into one array, against SimpleITK", ours, simpleitk, 0.30),
    ("scan, against a bare pydicom header scan", ours_scan, pydicom_headers, 1.5),
    ("scan and load, against reading the bytes", ours, read_bytes, None),
)


def seconds(job: Callable[[Path], None], folder: Path) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    job(folder)
    return time.perf_counter() - start


def measure(folder: Path, runs: int) -> list[dict[str, object]]:
    """Run each row's two jobs in turn and compare their medians."""
    rows = []
    for name, job, baseline, target in ROWS:
        pairs = [(seconds(job, folder), seconds(baseline, folder)) for _ in range(runs + 1)][1:]
        mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = mine / other
        rows.append(
            {
                "name": name,
                "ours": round(mine, 4),
                "baseline": round(other, 4),
                "unit": "s",
                "ratio": round(ratio, 3),
                "target": target,
                "holds": None if target is None else ratio <= target,
            }
        )
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "series", type=Path, nargs="?", help="folder with one DICOM series; default: written for the run"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.series or Path(temporary)
        if arguments.series is None:
            write_synthetic(folder)
        rows = measure(folder, arguments.runs)
    if arguments.json:
        sys.stdout.write(json.dumps({"rows": rows}, indent=2) + "\n")
        return 0
    for row in rows:
        target = "" if row["target"] is None else f"  target {row['target']}  {'holds' if row['holds'] else 'missed'}"
        line = f"{row['name']:50s} {row['ours']:.3f} / {row['baseline']:.3f} s = {row['ratio']:.2f}{target}\n"
        sys.stdout.write(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
