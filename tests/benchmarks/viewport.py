"""Time the viewports beside the plain way to do the same in napari.

    python tests/benchmarks/viewport.py [--edge 512] [--slices 600] [--steps 40] [--json]

Rows: a crosshair step over three planes with a mask, a slice step, painting, window/level, each beside napari in one
run; then what the plain way does not have: a slab step, a step with turned planes, a switch of the layout, and the
memory of a third and a fourth viewport. Steps are timed to the drawn frame. Needs a display. The start: `start.py`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

SPACING = (0.3, 0.48, 0.48)
TARGETS = {
    "crosshair step, three planes, mask on": 0.7,
    "slice step, one plane": 1.0,
    "paint, seen in all planes": 1.0,
    "window/level, three planes": 0.9,
    "layout switch": 150.0,
    "memory of two more viewports": 5.0,
}
"""Ratios to the baseline; where there is none, milliseconds and percent."""
TURNS = 6
SWITCHED = ("1x2", "2x2", "single", "mpr", "2x1", "compare")


@dataclass(frozen=True)
class Row:
    """One line of the table: medians and 95th percentiles, and whether ours is within the target, if there is one."""

    name: str
    unit: str
    ours: float
    ours_p95: float
    baseline: float | None = None
    baseline_p95: float | None = None
    ratio: float | None = None
    target: float | None = None
    holds: bool | None = None

    def __str__(self) -> str:
        line = f"{self.name:40s} ours {self.ours:8.1f} p95 {self.ours_p95:8.1f} {self.unit:2s}"
        if self.baseline is not None:
            line += f"  baseline {self.baseline:8.1f} p95 {self.baseline_p95:8.1f}  ratio {self.ratio:.2f}"
        return line + (f"  target {self.target} {'holds' if self.holds else 'misses'}" if self.target else "")


def row(name: str, ours: list[float], baseline: list[float] | None = None, unit: str = "ms") -> Row:
    """Medians of both, beside the target of that name."""
    target, a = TARGETS.get(name), statistics.median(ours)
    figures = (name, unit, round(a, 3), round(float(np.percentile(ours, 95)), 3))
    if baseline is None:
        return Row(*figures, target=target, holds=None if target is None else a <= target)
    b = statistics.median(baseline)
    p95 = round(float(np.percentile(baseline, 95)), 3)
    return Row(*figures, round(b, 3), p95, round(a / b, 3), target, None if target is None else a / b <= target)


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

    def __init__(self, image: np.ndarray, mask: np.ndarray, layout: str = "mpr") -> None:
        from medviewer.app.commands import panes
        from medviewer.app.mask_store import MaskStore
        from medviewer.app.state import Session
        from medviewer.domain.geometry import Grid
        from medviewer.domain.image import Image, Window
        from medviewer.domain.mask import Segment, Segmentation
        from medviewer.domain.study import Patient, Series, Study
        from medviewer.ui.viewport_pane import ViewportPane
        from medviewer.ui.widgets.empty_state import EmptyState

        self.session = Session()
        panes.arrange(self.session, layout)
        self.services: Any = SimpleNamespace(session=self.session)
        self.window = ViewportPane(self.session, EmptyState())
        grid = Grid(image.shape, SPACING)
        series = Series("1", "CT", "Benchmark", grid, (), "dicom")
        self.session.study = Study("2", "2020-01-01", "Head", Patient("1", "Bench^Mark"), (series,))
        self.session.series = series
        self.session.view.cursor = (100, 100, 100)
        self.session.view.window = Window(40, 400)
        self.session.image = Image(image, grid, "CT")
        self.session.mask = MaskStore(Segmentation(mask, grid, (Segment(1, "Block"),)))
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

    def slab(self, k: int) -> None:
        self.session.view.slab_mode, self.session.view.slab_mm = "mip", 10.0
        self.cross(k)

    def turned(self, k: int) -> None:
        from medviewer.app.commands import planes

        self.session.view.slab_mode = "none"
        planes.turn(self.services, "Axial", np.radians(1.0))

    def turned_by_hand(self, k: int) -> None:
        self.window.hasten()
        self.turned(k)

    def straight(self) -> None:
        self.window.come_to_rest()
        self.session.view.slab_mode, self.session.view.turned = "none", None


def time_steps(app: Any, bare: Bare, ours: Ours, steps: int) -> list[Row]:
    """What napari does too, in turn, several times: what else the machine does comes and goes."""
    timed: dict[str, dict[str, list[float]]] = {}
    names = {
        "cross": "crosshair step, three planes, mask on",
        "step": "slice step, one plane",
        "paint": "paint, seen in all planes",
        "window_level": "window/level, three planes",
    }
    subjects: list[tuple[str, Any]] = [("baseline", bare), ("ours", ours)]
    for _, subject in subjects:
        subject.window.hide()
    for _ in range(TURNS):
        for label, subject in subjects:
            subject.window.show()
            _settle(app)
            for method, name in names.items():
                timed.setdefault(name, {}).setdefault(label, []).extend(_time(app, getattr(subject, method), steps))
            subject.window.hide()
            _settle(app)
    return [row(name, both["ours"], both["baseline"]) for name, both in timed.items()]


def time_own(app: Any, ours: Ours, steps: int) -> list[Row]:
    """What the plain way does not have."""
    ours.window.show()
    _settle(app)
    rows = [
        row("crosshair step, slabs of 10 mm", _time(app, ours.slab, steps)),
        row("turn by a degree, all pixels", _time(app, ours.turned, steps)),
        row("turn by a degree, under a hand", _time(app, ours.turned_by_hand, steps)),
    ]
    ours.straight()
    ours.window.volume.show()
    rows.append(row("layout switch", _time_switches(app, ours, max(3, steps // len(SWITCHED)))))
    return rows


def _time_switches(app: Any, ours: Ours, rounds: int) -> list[float]:
    """To the frame in which the last of the slices that the layout has was drawn; 3D comes when it is worked out."""
    from medviewer.app.commands import panes
    from medviewer.app.controllers.display import visible_panes

    drawn: set[int] = set()
    milliseconds = []
    for name in ("2x2", "mpr"):  # every viewport is made
        panes.arrange(ours.session, name)
        _settle(app)
    for number, slice_view in enumerate(ours.window.slices):
        slice_view.canvas.native.frameSwapped.connect(lambda number=number: drawn.add(number))
    for name in SWITCHED * rounds:
        drawn.clear()
        start = time.perf_counter()
        panes.arrange(ours.session, name)
        wanted = set(visible_panes(ours.session))
        app.processEvents()
        for number in wanted - drawn:
            ours.window.slices[number].canvas.native.update()  # also what stays as and where it is
        while not wanted <= drawn:
            app.processEvents()
        milliseconds.append((time.perf_counter() - start) * 1000)
        _settle(app, 0.4)
    return milliseconds


def weigh(app: Any, image: np.ndarray, mask: np.ndarray) -> Row:
    """Memory of this process with four viewports that have been drawn, beside that with two, on one volume."""
    from medviewer.app.commands import panes
    from medviewer.ui import viewport_pane

    viewport_pane._AT_FIRST = 2
    ours = Ours(image, mask, "1x2")
    _until_drawn(app, ours, 2)
    two = _resident()
    panes.arrange(ours.session, "2x2")
    _until_drawn(app, ours, 4)
    return row("memory of two more viewports", [(_resident() - two) / two * 100], unit="%")


def _until_drawn(app: Any, ours: Ours, number: int) -> None:
    """Wait until there are so many viewports and each has drawn a frame with its picture, and nothing more comes."""
    drawn: set[int] = set()
    end = time.perf_counter() + 60
    while len(drawn) < number:
        assert time.perf_counter() < end, f"{len(drawn)} of {number} viewports were drawn"
        _settle(app, 0.2)
        while ours.window.prepare_next():  # as the program does after its start
            _settle(app, 0.05)
        for at, slice_view in enumerate(ours.window._views):
            if slice_view.shown is not None and ours.window.updatesEnabled() and at not in drawn:
                slice_view.canvas.native.frameSwapped.connect(lambda at=at: drawn.add(at))
                slice_view.canvas.native.update()
    _settle(app)
    assert len(ours.window._views) == number


def _weighed(args: argparse.Namespace) -> list[Row]:
    """`weigh` in a process of its own, where nothing else comes and goes."""
    size = ["--edge", str(args.edge), "--slices", str(args.slices)]
    command = [sys.executable, __file__, "--only", "memory", "--json", *size]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [Row(**one) for one in json.loads(answer)["rows"]]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _settle(app: Any, seconds: float = 1.0) -> None:
    end = time.perf_counter() + seconds
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
    parser.add_argument("--only", choices=("steps", "own", "memory"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from medviewer.ui.main import application

    rows = [] if args.only else _weighed(args)
    app = application()
    image, mask = make_volume(args.slices, args.edge)
    if args.only == "memory":
        rows.append(weigh(app, image, mask))
    else:
        bare = Bare(image, mask) if args.only != "own" else None
        ours = Ours(image, mask)
        gc.freeze()  # as the program does once its viewports are there; of use to both
        rows += time_steps(app, bare, ours, args.steps) if bare is not None else []
        rows += time_own(app, ours, args.steps) if args.only != "steps" else []
    if args.json:
        sys.stdout.write(json.dumps({"rows": [asdict(r) for r in rows]}, indent=2) + "\n")
        sys.stdout.flush()
        os._exit(0)
    for r in rows:
        sys.stdout.write(f"{r}\n")
    sys.stdout.flush()
    os._exit(0)  # neither napari nor the driver need to be taken apart in order


if __name__ == "__main__":
    main()
