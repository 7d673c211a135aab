"""What the screenshot command hands to the screen."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from medviewer import formats
from medviewer.app.solid_looks import solid_look
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Image
from medviewer.domain.mask import Segment, Segmentation
from medviewer.errors import StoreError
from tests.cli.conftest import GRID, STUDY, UID, PaperScreen, Run


def test_the_session_shows_image_mask_and_heat_map(
    head: Path, tmp_path: Path, image: Image, run: Run, screen: PaperScreen
) -> None:
    labels = (image.voxels > 300).astype(np.uint8)
    mask, heat, out = tmp_path / "mask.nii.gz", tmp_path / "heat.nii.gz", tmp_path / "a.png"
    formats.save_segmentation(Segmentation(labels, GRID, (Segment(1, "Ball"),)), mask)
    values = (image.voxels / image.voxels.max()).astype(np.float32)
    formats.save_heatmap(Heatmap(values, GRID, "Grad-CAM", "Ball"), heat)
    told = run("screenshot", head, "-o", out, "--mask", mask, "--heatmap", heat)
    assert (told.code, told.out) == (0, f"Wrote {out}\n")
    assert out.read_bytes().startswith(b"\x89PNG")
    (session,) = screen.sessions
    assert session.image is not None
    assert session.mask is not None
    assert session.heatmap is not None
    assert session.series is not None
    assert session.study is not None
    np.testing.assert_array_equal(session.image.voxels, image.voxels)
    np.testing.assert_array_equal(session.mask.labels, labels)
    np.testing.assert_array_equal(session.heatmap.values, values)
    assert (session.series.uid, session.study.uid) == (UID, STUDY.uid)
    assert (session.view.layout, session.view.cursor) == ("mpr", (3, 4, 5))
    assert not Path(os.environ["MEDVIEWER_HOME"]).exists(), "a picture needs no archive"


def test_the_layout_can_be_chosen(head: Path, tmp_path: Path, run: Run, screen: PaperScreen) -> None:
    assert run("screenshot", head, "-o", tmp_path / "a.png", "--layout", "single").code == 0
    assert screen.sessions[0].view.layout == "single"


class BlindScreen(PaperScreen):
    """A machine that cannot draw."""

    def render(self, session: object, path: Path, size: tuple[int, int] = (0, 0)) -> None:
        raise StoreError("A picture needs a display, and there is none; start one.")


def test_a_machine_that_cannot_draw_says_so(head: Path, tmp_path: Path, run: Run, screen: PaperScreen) -> None:
    screen.render = BlindScreen().render  # type: ignore[method-assign]
    told = run("screenshot", head, "-o", tmp_path / "a.png")
    assert (told.code, told.err) == (1, "A picture needs a display, and there is none; start one.\n")


def test_the_look_of_3d_and_its_layout(head: Path, tmp_path: Path, run: Run, screen: PaperScreen) -> None:
    out = tmp_path / "a.png"
    assert run("screenshot", head, "-o", out, "--layout", "solid", "--look", "mip").code == 0
    (session,) = screen.sessions
    assert session.view.layout == "solid"
    look = solid_look(session)
    assert look is not None
    assert look.preset.id == "mip"
    for wrong, told in (("gold", "should be one of bone, vessels"), ("pet", "PET MIP is for volumes in SUV")):
        refused = run("screenshot", head, "-o", out, "--look", wrong)
        assert refused.code != 0
        assert told in refused.err
