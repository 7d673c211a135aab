"""Time the viewports beside the plain way to do the same in napari.

    python tests/benchmarks/viewport.py [--edge 512] [--slices 600] [--steps 40] [--runs 3] [--json]

Rows: start to a window that shows the demo (each run in a process of its own, in turn), a crosshair step over three
planes with a mask, a slice step, painting, and window/level. Steps are timed to the drawn frame. Needs a display.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

SPACING = (0.3, 0.48, 0.48)
TARGETS = {
    "start to the demo shown": 1.5,
    "crosshair step, three planes, mask on": 1.0,
    "slice step, one plane": 1.0,
    "paint, seen in all planes": 1.0,
    "window/level, three planes": 1.0,
}
UNITS = {"start to the demo shown": "s"}


@dataclass(frozen=True)
class Row:
    """One line of the table: medians, and whether ours is within the target ratio."""

    name: str
    ours: float
    baseline: float
    unit: str
    ratio: float
    target: float
    holds: bool


def row(name: str, ours: list[float], baseline: list[float]) -> Row:
    a, b = statistics.median(ours), statistics.median(baseline)
    return Row(
        name, round(a, 4), round(b, 4), UNITS.get(name, "ms"), round(a / b, 3), TARGETS[name], a / b <= TARGETS[name]
    )


# -- start --------------------------------------------------------------------------------------------------------

BARE = """
import sys, numpy, napari
viewer = napari.Viewer()
viewer.add_image(numpy.load(sys.argv[1]), contrast_limits=(0, 160))
from qtpy.QtWidgets import QApplication
for _ in range(5):
    QApplication.processEvents()
viewer.window._qt_viewer.canvas.native.grabFramebuffer()
import os; os._exit(0)
"""

OURS = """
import os
from medviewer.__main__ import main
from PySide6.QtWidgets import QApplication

def until_shown(app):
    from medviewer.ui.window import MainWindow
    window, = [w for w in app.topLevelWidgets() if isinstance(w, MainWindow)]
    while window.services.session.image is None or any(view.shown is None for view in window.grid.slices):
        app.processEvents()
    for _ in range(5):
        app.processEvents()
    window.grid.slices[0].canvas.native.grabFramebuffer()
    os._exit(0)

QApplication.exec = until_shown
main(["--demo"])
"""


def time_start(runs: int) -> Row:
    from medviewer.app.resources import resource
    from medviewer.formats import load, scan

    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        volume = Path(folder) / "volume.npy"
        np.save(volume, load(scan([resource("demo/colin27")]).series[0]).voxels)
        environment = os.environ | {"MEDVIEWER_HOME": f"{folder}/home", "NAPARI_CONFIG": f"{folder}/napari.yaml"}
        for k in range(runs + 1):
            a = _process(BARE, [str(volume)], environment)
            b = _process(OURS, [], environment)
            if k:  # the first pair warms the file cache
                bare.append(a)
                ours.append(b)
    return row("start to the demo shown", ours, bare)


def _process(code: str, arguments: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


# -- steps --------------------------------------------------------------------------------------------------------


def make_volume(slices: int, edge: int) -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(0).normal(0, 100, (slices, edge, edge)).astype(np.int16)
    mask = np.zeros(image.shape, np.uint8)
    mask[slices // 4 : 3 * slices // 4, edge // 4 : 3 * edge // 4, edge // 4 : 3 * edge // 4] = 1
    return image, mask


class Bare:
    """Three ViewerModels over one volume, as one writes it with napari alone; siblings are refreshed whole."""

    def __init__(self, image: np.ndarray, mask: np.ndarray) -> None:
        from napari.components.viewer_model import ViewerModel
        from napari.qt import QtViewer
        from PySide6.QtWidgets import QGridLayout, QWidget

        self.window = QWidget()
        grid = QGridLayout(self.window)
        self.models, self.views = [], []
        for k, order in enumerate([(0, 1, 2), (2, 0, 1), (1, 0, 2)]):
            model = ViewerModel()
            view = QtViewer(model)
            grid.addWidget(view.canvas.native, k // 2, k % 2)
            model.add_image(image, scale=SPACING, contrast_limits=(-160, 240), colormap="gray")
            model.dims.order = order
            self.models.append(model)
            self.views.append(view)
        self.labels = [
            model.add_labels(mask.copy() if k == 0 else mask, scale=SPACING) for k, model in enumerate(self.models)
        ]
        for label in self.labels[1:]:
            label.data = self.labels[0].data
        self.window.resize(1200, 900)
        self.window.show()

    def cross(self, k: int) -> None:
        for axis, model in zip((0, 2, 1), self.models, strict=True):
            model.dims.set_current_step(axis, 100 + k)

    def step(self, k: int) -> None:
        self.models[0].dims.set_current_step(0, 100 + k)

    def paint(self, k: int) -> None:
        position = [int(step) for step in self.models[0].dims.current_step]
        self.labels[0].brush_size = 16
        self.labels[0].paint((position[0], 60 + k, 60), 1)
        for sibling in self.labels[1:]:
            sibling.refresh()

    def window_level(self, k: int) -> None:
        for model in self.models:
            model.layers[0].contrast_limits = (-160 + k, 240 + k)


class Ours:
    """The window's own viewports over the same volume, with text, crosshair and scale bars; 3D is off, as above."""

    def __init__(self, image: np.ndarray, mask: np.ndarray) -> None:
        from medviewer.app.mask_store import MaskStore
        from medviewer.app.state import Session
        from medviewer.domain.geometry import Grid
        from medviewer.domain.image import Image, Window
        from medviewer.domain.mask import Segment, Segmentation
        from medviewer.domain.study import Patient, Series, Study
        from medviewer.ui.viewport_pane import ViewportPane
        from medviewer.ui.widgets.empty_state import EmptyState

        self.session = Session()
        self.window = ViewportPane(self.session, EmptyState())
        grid = Grid(image.shape, SPACING)
        series = Series("1", "CT", "Benchmark", grid, (), "dicom")
        self.session.study = Study("2", "2020-01-01", "Head", Patient("1", "Bench^Mark"), (series,))
        self.session.series = series
        self.session.view.cursor = (100, 100, 100)
        self.session.view.window = Window(40, 400)
        self.session.image = Image(image, grid, "CT")
        self.session.mask = MaskStore(Segmentation(mask, grid, (Segment(1, "Block"),)))
        self.window.volume.hide()
        self.window.resize(1200, 900)
        self.window.show()
        self.window.volume.hide()

    def cross(self, k: int) -> None:
        self.session.view.cursor = (100 + k, 100 + k, 100 + k)

    def step(self, k: int) -> None:
        self.session.view.cursor = (100 + k, 100, 100)

    def paint(self, k: int) -> None:
        from medviewer.app.brush import stroke_voxels

        plane = self.window.plane(0)
        assert plane is not None
        assert self.session.mask is not None
        where = stroke_voxels(plane, self.session.view.cursor[0], (60 + k, 60), (60 + k, 60), 8 * SPACING[1])
        self.session.mask.paint(where, 2 - k % 2)

    def window_level(self, k: int) -> None:
        from medviewer.domain.image import Window

        self.session.view.window = Window(40 + k, 400)


def time_steps(slices: int, edge: int, steps: int) -> list[Row]:
    from medviewer.ui.main import application

    app = application()
    image, mask = make_volume(slices, edge)
    timed: dict[str, dict[str, list[float]]] = {}
    names = {
        "cross": "crosshair step, three planes, mask on",
        "step": "slice step, one plane",
        "paint": "paint, seen in all planes",
        "window_level": "window/level, three planes",
    }
    subjects: list[tuple[str, Any]] = [("baseline", Bare(image, mask)), ("ours", Ours(image, mask))]
    for _, subject in subjects:
        subject.window.hide()
    for _ in range(2):  # in turn, twice
        for label, subject in subjects:
            subject.window.show()
            _settle(app)
            for method, name in names.items():
                timed.setdefault(name, {}).setdefault(label, []).extend(_time(app, getattr(subject, method), steps))
            subject.window.hide()
            _settle(app)
    return [row(name, both["ours"], both["baseline"]) for name, both in timed.items()]


def _settle(app: Any) -> None:
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        app.processEvents()


def _time(app: Any, step: Callable[[int], None], steps: int) -> list[float]:
    milliseconds = []
    for k in range(steps):
        start = time.perf_counter()
        step(k)
        app.processEvents()
        app.processEvents()  # what the first turn asked for: the refresh, then the frame
        milliseconds.append((time.perf_counter() - start) * 1000)
    return milliseconds[3:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=int, default=512)
    parser.add_argument("--slices", type=int, default=600)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("start", "steps"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    if args.only != "steps":
        rows.append(time_start(args.runs))
    if args.only != "start":
        rows += time_steps(args.slices, args.edge, args.steps)
    if args.json:
        sys.stdout.write(json.dumps({"rows": [asdict(r) for r in rows]}, indent=2) + "\n")
        return
    for r in rows:
        verdict = "holds" if r.holds else "misses"
        figures = f"ours {r.ours:8.3f}  baseline {r.baseline:8.3f} {r.unit:2s}  ratio {r.ratio:.2f}"
        sys.stdout.write(f"{r.name:40s} {figures}  target {r.target} {verdict}\n")


if __name__ == "__main__":
    main()
