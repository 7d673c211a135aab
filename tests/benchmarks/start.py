"""Time the start beside a bare napari viewer, each run in a process of its own, in turn.

    python tests/benchmarks/start.py [--runs 5] [--json]

Rows: to a window that can be used (its menus open, the studies are listed, one can be picked), to the demo's first
picture, drawn as the viewports will draw it, and, without a target, to its viewports themselves. Two figures each:
seconds on the clock, and seconds of processor time, which other programs on the machine change less. Needs a display.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

BARE = """
import napari
viewer = napari.Viewer()
from qtpy.QtWidgets import QApplication
for _ in range(5):
    QApplication.processEvents()
import os; os._exit(0)
"""

BARE_PICTURE = """
import sys, numpy, napari
viewer = napari.Viewer()
viewer.add_image(numpy.load(sys.argv[1]), contrast_limits=(0, 160))
from qtpy.QtWidgets import QApplication
for _ in range(5):
    QApplication.processEvents()
viewer.window._qt_viewer.canvas.native.grabFramebuffer()
import os; os._exit(0)
"""

_WHEN = """
import os
from medviewer.__main__ import import_window, main
import_window()  # as `main` does it, before Qt is wanted here
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

run = QApplication.exec

def until(app):
    from medviewer.ui.window import MainWindow
    window, = [w for w in app.topLevelWidgets() if isinstance(w, MainWindow)]

    drawn = []
    window.drawn.connect(lambda: drawn.append(True))

    def look():
        if WHAT:
            THEN
            os._exit(0)

    # In the loop that the program runs: one that asks for events without a rest leaves little to its other threads.
    looks = QTimer(interval=2)
    looks.timeout.connect(look)
    looks.start()
    return run()

QApplication.exec = until
"""

USABLE = _WHEN.replace("WHAT", "drawn and window.browser.tree.model().rowCount()").replace(
    "THEN", "assert window.isVisible() and window.menus.bar.actions()"
)
USABLE += "main([])\n"
_SHOWN = _WHEN.replace("THEN", "window.grid.grab()") + 'main(["--demo"])\n'
PICTURE, VIEWPORTS = _SHOWN.replace("WHAT", "window.grid.has_image"), _SHOWN.replace("WHAT", "window.grid.has_picture")
LISTED = _SHOWN.replace("WHAT", "window.services.archive.catalog.count()")


@dataclass(frozen=True)
class Row:
    """One line of the table, medians in seconds; the targets are ratios of the clock's."""

    name: str
    ours: float
    baseline: float
    ratio: float
    ours_processor: float
    baseline_processor: float
    ratio_processor: float
    target: float | None
    holds: bool

    def __str__(self) -> str:
        clock = f"ours {self.ours:6.2f}  baseline {self.baseline:6.2f} s  ratio {self.ratio:.2f}"
        processor = f"{self.ours_processor:.2f} / {self.baseline_processor:.2f} = {self.ratio_processor:.2f}"
        verdict = f"target {self.target} {'holds' if self.holds else 'misses'}" if self.target else "no target"
        return f"{self.name:28s} {clock}  (processor {processor})  {verdict}"


def time_start(runs: int) -> list[Row]:
    """Every row; the first round warms the file cache."""
    import medviewer
    from medviewer.app.resources import resource
    from medviewer.formats import load, scan

    compileall.compile_dir(Path(medviewer.__file__).parent, quiet=1)  # as an installed program is
    with tempfile.TemporaryDirectory() as folder:
        home, volume = Path(folder) / "home", Path(folder) / "volume.npy"
        np.save(volume, load(scan([resource("demo/colin27")]).series[0]).voxels)
        environment = os.environ | {"MEDVIEWER_HOME": str(home), "NAPARI_CONFIG": f"{folder}/napari.yaml"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        programs = {"bare": BARE, "usable": USABLE, "bare picture": BARE_PICTURE, "picture": PICTURE}
        programs["viewports"] = VIEWPORTS
        _process(LISTED, [], environment)  # from now on the list of studies has some
        timed: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for k in range(runs + 1):
            for name, code in programs.items():
                figures = _process(code, [str(volume)], environment)
                if k:
                    timed[name].append(figures)
    return [
        _row("start to a usable window", timed["usable"], timed["bare"], 0.4),
        _row("start to the demo's picture", timed["picture"], timed["bare picture"], 1.2),
        _row("start to the demo's viewports", timed["viewports"], timed["bare picture"], None),
    ]


def _row(name: str, ours: list[tuple[float, float]], bare: list[tuple[float, float]], target: float | None) -> Row:
    (a, b), (c, d) = ([statistics.median(part) for part in zip(*one, strict=True)] for one in (ours, bare))
    figures = (a, c, a / c, b, d, b / d)
    return Row(name, *(round(figure, 3) for figure in figures), target=target, holds=target is None or a / c <= target)


def _process(code: str, arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds on the clock, and of processor time."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"A program that was timed ended with {child.returncode}; run it by itself to see why.")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = time_start(args.runs)
    if args.json:
        sys.stdout.write(json.dumps({"rows": [asdict(r) for r in rows]}, indent=2) + "\n")
        return
    for r in rows:
        sys.stdout.write(f"{r}\n")


if __name__ == "__main__":
    main()
