"""Make the manual's pictures: drive the real window on the demo study and grab it at every step.

    python resources/help/make_pictures.py [--out FOLDER]

Needs a display; without one: ``xvfb-run -a -s "-screen 0 1600x1000x24" python resources/help/make_pictures.py``.
Nothing of the user's archive is read or written, with one exception: where the weights of the chest plugin were fetched
before, they are borrowed, so that its picture shows an answer.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QWidget
from scipy import ndimage

from medviewer.app.commands import (
    explain,
    heatmaps,
    key_images,
    learning,
    measuring,
    panes,
    predict,
    report,
    solid,
    study,
    verdicts,
    view,
)
from medviewer.app.resources import resource
from medviewer.archive.home import home as user_home
from medviewer.domain.measure.measurement import Measurement, vector
from medviewer.domain.plane import Plane
from medviewer.inference.client import base_weights
from medviewer.jobs import Job
from medviewer.learning.options import FinetuneOptions
from medviewer.ui.main import Program
from medviewer.ui.report.window import ReportWindow
from medviewer.ui.widgets.learning_panel import LearningPanel

BRAIN, CHEST = "brain-extraction", "chest-xray"
SIZE = (1440, 900)
PATIENCE_S = 300
Point = tuple[float, float]
_SAGITTAL_STROKE = ((16, 118, 90), (6, 122, 90))
"""Voxels (z, y, x) of Colin27 between which a stroke in the sagittal plane goes on down the brain stem."""
_VENTRICLES = tuple((slice(76, 105), slice(66, 158), columns) for columns in (slice(60, 88), slice(93, 121)))
"""Boxes (z, y, x) around Colin27's right and left lateral ventricle."""
_FLUID = 65
"""Grey values below it are fluid."""


class Studio:
    """The running window, and what it takes to bring it to rest and to grab it.

    Parameters
    ----------
    program
        The window with everything behind it.
    out
        The folder for the pictures.
    """

    def __init__(self, program: Program, out: Path) -> None:
        self.program, self.services, self.window = program, program.services, program.window
        self.session, self.look = program.services.session, program.services.session.view
        self.out = out
        self.window.resize(*SIZE)

    def wait(self, ready: Callable[[], object], what: str) -> None:
        """Let the window work until something holds; a picture of anything else would be wrong."""
        until = time.monotonic() + PATIENCE_S
        while not ready():
            if time.monotonic() > until:
                raise SystemExit(f"Waited {PATIENCE_S} s for {what}; the last message was: {self.session.message}")
            QTest.qWait(20)

    def has_all_of(self, uid: str = "") -> bool:
        """Whether that series, or any, is open with all of its slices."""
        session = self.session
        open_uid = session.series.uid if session.series is not None else ""
        return session.image is not None and session.arrival is None and uid in ("", open_uid)

    def finish(self, job: Job[Any]) -> None:
        """Wait for a job; a failed one ends the script with its sentence."""
        self.wait(lambda: job.done, job.title)
        job.result()
        self.wait(lambda: not self.session.busy_plugins, "the panels")

    def settle(self) -> None:
        """Let layouts, slices and the 3D view come to rest."""
        QTest.qWait(500)
        self.window.grid.settle()
        unseen = self.services.runner  # what works out 3D has no title
        self.wait(lambda: all(job.done or job.title for job in unseen.jobs), "the 3D view")
        QTest.qWait(300)

    def panels(self, *opened: str) -> None:
        """Unfold these panels and fold the rest."""
        for name, section in self.window.panels.items():
            section.expanded = name in opened

    def plane(self, number: int) -> Plane:
        """The plane of a viewport."""
        plane = self.window.grid.plane(number)
        if plane is None:
            raise SystemExit("The head should be open in three planes, but is not.")
        return plane

    def stroke(self, plane: Plane, start: Point, end: Point, radius_mm: float) -> None:
        """Paint one stroke on the slice that a plane shows, in rows and columns."""
        view.choose_tool(self.services, "brush")
        view.set_brush(self.services, radius_mm)
        view.begin_stroke(self.services)
        view.stroke(self.services, plane, self.look.cursor[plane.axis], start, end)
        view.end_stroke(self.services)

    def save(self, name: str, widget: QWidget | None = None) -> None:
        """Grab the window, or a sheet of it, without a message over the image."""
        self.window.messages.dismiss()
        self.settle()
        path = self.out / f"{name}.png"
        (widget or self.window).grab().save(str(path))
        with Picture.open(path) as grabbed:
            grabbed.convert("RGB").save(path, optimize=True)
        sys.stdout.write(f"{path.name}  {path.stat().st_size // 1024} KiB\n")


def chest(studio: Studio) -> None:
    """The radiograph, with the demonstration classifier's answer where its weights are on this machine."""
    services = studio.services
    series = next(one for known in studio.session.studies for one in known.series if one.modality == "CR")
    study.show(services, series)
    studio.wait(lambda: studio.has_all_of(series.uid), "the chest")
    if predict.weights_present(services, services.plugin(CHEST)):
        studio.finish(predict.run(services, CHEST))
        studio.finish(explain.run(services, CHEST))
    studio.panels("ai", "saliency")
    studio.save("chest")


def brain(studio: Studio) -> None:
    """The head with the brain mask."""
    series = next(one for known in studio.session.studies for one in known.series if one.modality == "MR")
    study.show(studio.services, series)
    studio.wait(lambda: studio.has_all_of(series.uid), "the head")
    studio.finish(predict.run(studio.services, BRAIN))
    studio.panels("ai", "segments", "saliency")
    studio.save("window")


def volume(studio: Studio) -> None:
    """3D large, cut open at the crosshair, with the brain in it."""
    panes.arrange(studio.session, "solid")
    solid.cut_at_cursor(studio.session, "anterior")
    studio.panels("segments")
    studio.save("volume")
    solid.unclip(studio.session)
    panes.arrange(studio.session, "mpr")


def report_page(studio: Studio) -> None:
    """A report with an AI result, a measurement and a key image."""
    services, session = studio.services, studio.session
    image, series = session.image, session.series
    if image is None or series is None:
        raise SystemExit("The head should be open, but is not.")
    z = studio.look.cursor[0]
    ends = image.grid.index_to_world([(z, 112, 76), (z, 112, 106)])
    normal = vector(image.grid.axes[:, 0])
    line = Measurement("", "length", (vector(ends[0]), vector(ends[1])), normal, "", "Ventricles")
    measuring.add(services, line)
    key_images.mark(services, 0, "Ventricles of normal width")
    report.begin(services)
    report.write(services, "indication", "Headache for three weeks.")
    report.write(services, "findings", "Ventricles and basal cisterns of normal width. No midline shift.")
    report.write(services, "impression", "Normal head for research use.")
    studio.window.show_report()
    page = studio.window.findChild(ReportWindow)
    if page is None:
        raise SystemExit("The report should be open, but is not.")
    page.resize(860, 1000)
    studio.wait(lambda: not services.runner.jobs and page.parts["keys"].isVisible(), "the page")
    studio.save("report", page)
    page.close()
    for m in session.measurements:
        measuring.remove(services, m.uid)


def saliency(studio: Studio) -> None:
    """Grad-CAM over the head, without the mask."""
    studio.finish(explain.run(studio.services, BRAIN))
    heat, middle = studio.session.heatmap, studio.look.cursor
    if heat is None:
        raise SystemExit("The heat map should be shown, but is not.")
    z, y, x = (int(n) for n in np.unravel_index(int(heat.values.argmax()), heat.values.shape))
    studio.look.cursor = (z, y, x)
    studio.look.mask_visible = False
    studio.panels("ai", "saliency")
    studio.save("saliency")
    studio.look.mask_visible, studio.look.cursor = True, middle
    heatmaps.clear(studio.services)


def learn(studio: Studio) -> None:
    """The queue and the versions after a very short fine-tune on one small correction, with nothing held out."""
    services, plane = studio.services, studio.plane(1)
    start, end = (plane.to_screen(voxel) for voxel in _SAGITTAL_STROKE)
    studio.stroke(plane, start, end, radius_mm=5.0)
    verdicts.approve(services)
    options = FinetuneOptions(epochs=2, max_steps=2, learning_rate=1e-4)
    job = learning.finetune(services, BRAIN, options)
    studio.finish(job)
    studio.session.mode = "review"
    studio.panels("learning")
    panel = studio.window.panels["learning"].content
    if isinstance(panel, LearningPanel):
        panel.versions.choose(job.result().candidate.version)
    studio.save("learning")


def correct(studio: Studio) -> None:
    """A second segment over the mask, and the brush that just went over it."""
    services, plane = studio.services, studio.plane(0)
    store = studio.session.mask
    if store is None:
        raise SystemExit("The brain mask should be open, but is not.")
    studio.session.mode = "correct"
    studio.session.active_label = store.add_segment("Ventricles").label
    view.choose_tool(services, "brush")
    store.paint(ventricles(studio), studio.session.active_label)
    row, column = plane.to_screen(studio.look.cursor)
    studio.stroke(plane, (row + 16, column + 17), (row + 24, column + 22), radius_mm=3.0)
    studio.panels("segments")
    studio.settle()
    canvas = studio.window.grid.slices[0].canvas.native
    QTest.mouseMove(canvas, QPoint(round(canvas.width() * 0.6), round(canvas.height() * 0.63)))
    studio.save("correct")
    view.choose_tool(services, "crosshair")
    studio.session.mode = "read"


def ventricles(studio: Studio) -> NDArray[np.int64]:
    """Flat indices of the lateral ventricles: the largest dark region on either side, without its thin branches."""
    image = studio.session.image
    if image is None:
        raise SystemExit("The head should be open, but is not.")
    found = np.zeros(image.grid.shape, bool)
    for box in _VENTRICLES:
        dark = image.voxels[box] < _FLUID
        regions, _ = ndimage.label(ndimage.binary_erosion(dark))
        largest = int(np.bincount(regions.ravel())[1:].argmax()) + 1
        found[box] = ndimage.binary_dilation(regions == largest, mask=dark)
    return np.flatnonzero(found)


def keys(studio: Studio) -> None:
    """The sheet of keys."""
    studio.window.show_keys()
    sheet = next(one for one in studio.window.findChildren(QDialog) if one.windowTitle() == "Keys")
    studio.save("keys", sheet)
    sheet.close()


def main() -> None:
    """Make every picture, each with the window as the one before left it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures", help="the folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="medviewer-pictures-") as folder:
        program = Program([resource("demo")], Path(folder))
        try:
            studio = Studio(program, out)
            program.services.author = "reader"
            borrow_weights(program, Path(folder))
            studio.wait(studio.has_all_of, "the demo")
            for step in (brain, report_page, volume, saliency, learn, correct, chest, keys):
                step(studio)
        finally:
            program.close()
    sys.stdout.write(f"Done in {time.monotonic() - began:.0f} s.\n")


def borrow_weights(program: Program, home: Path) -> None:
    """Use the chest plugin's weights of the user's archive, where they were fetched."""
    plugin = program.services.plugin(CHEST)
    fetched = base_weights(plugin, user_home())
    if fetched.is_file():
        target = base_weights(plugin, home)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(fetched, target)
        program.services.session.models_revision += 1


if __name__ == "__main__":
    main()
