"""3D as it is drawn: what is left and right, how bright, what is cut away, and how much of the resolution is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks, solid
from medviewer.app.controllers.display import resolve_scene
from medviewer.app.ports.display import MaskLook
from medviewer.app.ports.scene import Scene, SolidSide
from medviewer.app.solid_looks import Point, SolidLook, SolidMode, SolidPreset
from medviewer.ui.main import Program
from medviewer.ui.viewport import volume_view
from medviewer.ui.viewport.solid import Surfaces, Texture, factors_for, mesh_of, texture_of, thin_labels
from medviewer.ui.viewport.solid_camera import DIRECTIONS, LETTERS, cube_faces, right_of, rotated
from medviewer.ui.viewport.solid_marks import OrientationCube, SolidLegend
from medviewer.ui.viewport.solid_stage import box_corners
from medviewer.ui.viewport.volume_view import VolumeView, notice

SHAPE = (24, 24, 24)


def look(
    mode: SolidMode, low: float = 0.0, high: float = 1000.0, opacity: float = 1.0, shade: float = 0.0
) -> SolidLook:
    points = (Point(low, (0, 0, 0), 0 if mode == "shaded" else 1), Point(high, (1, 1, 1), opacity))
    preset = SolidPreset("test", "Test", mode, points, shade=shade)
    return SolidLook(preset, points)


def scene(voxels: NDArray[Any], shown: SolidLook, **more: Any) -> Scene:
    """Array axes run to the feet, to posterior and to the left, as the scene's do, unless `more` says otherwise."""
    plain: dict[str, Any] = {"spacing": (1.0, 1.0, 1.0), "flips": (False,) * 3, "order": (0, 1, 2)}
    return Scene(voxels=voxels, limits=(0, 1000), look=shown, **{**plain, **more})


@pytest.fixture(scope="module")
def one_view(qapp: QApplication) -> Iterator[VolumeView]:
    """A canvas and its shaders take seconds, so all tests that draw share them."""
    made = VolumeView()
    made.resize(240, 240)
    made.show()
    laid_out(made)
    yield made
    made.close_canvas()
    made.close()
    made.deleteLater()
    qapp.processEvents()


@pytest.fixture
def shown(one_view: VolumeView) -> VolumeView:
    one_view.apply(None)
    one_view._looked_at = None
    return one_view


def laid_out(view: VolumeView) -> None:
    """Wait until the canvas has its place: it is made when it is first needed."""
    for _ in range(100):
        QApplication.processEvents()
        if view.canvas.native.size() == view.size() - QSize(2, 2):
            return
    pytest.fail("the canvas was not laid out")


def draw(view: VolumeView, one: Scene, side: SolidSide = "anterior") -> NDArray[np.float32]:
    """The picture, red, 0 to 1, rows downwards."""
    view.apply(one)
    view.settle()
    view.look_from(side)
    view.stage.set_moving(False)
    return grab(view)


def grab(view: VolumeView) -> NDArray[np.float32]:
    return pixels(view)[..., 0]


def pixels(view: VolumeView) -> NDArray[np.float32]:
    """Red, green and blue, 0 to 1."""
    native: Any = view.canvas.native
    picture = native.grabFramebuffer().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    values = rows[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3)
    return (values / 255).astype(np.float32)


def centre_of(picture: NDArray[np.float32]) -> tuple[float, float]:
    """Where the bright is, as (right, down), each -1 to 1 from the middle."""
    rows, columns = np.nonzero(picture > 0.5)
    assert rows.size
    height, width = picture.shape
    return float(columns.mean() / width * 2 - 1), float(rows.mean() / height * 2 - 1)


# -- left is left


def corner_block() -> NDArray[np.int16]:
    """A block at the patient's left, anterior and superior: low to the feet and to posterior, high to the left."""
    voxels = np.zeros(SHAPE, np.int16)
    voxels[2:7, 2:7, 17:22] = 1000
    return voxels


@pytest.mark.parametrize(
    ("side", "right", "down"),
    [
        ("anterior", 1, -1),  # before the patient, the left is at the viewer's right
        ("posterior", -1, -1),
        ("left", -1, -1),  # from the left, the front is at the viewer's left
        ("right", 1, -1),
        ("head", 1 * -1, -1),  # from the head, the front up: the left is at the viewer's left
        ("feet", 1, -1),  # as in an axial slice
    ],
)
@pytest.mark.parametrize("mode", ["mip", "shaded"])
def test_left_front_and_head_are_where_they_are_said(
    shown: VolumeView, side: SolidSide, right: int, down: int, mode: SolidMode
) -> None:
    place = centre_of(draw(shown, scene(corner_block(), look(mode)), side))
    assert np.sign(place).tolist() == [right, down]
    assert min(abs(part) for part in place) > 0.2
    # the cube says the same: what is to the right on it is to the right in the picture
    assert shown.cube.faces[-1].side == side


def test_flipped_and_exchanged_axes_give_the_same_picture(shown: VolumeView) -> None:
    plain = draw(shown, scene(corner_block(), look("mip")))
    turned = corner_block()[::-1, :, ::-1].transpose(2, 0, 1)
    other = scene(turned, look("mip"), order=(1, 2, 0), flips=(True, False, True))
    np.testing.assert_allclose(draw(shown, other), plain, atol=0.02)


def test_right_is_the_cross_product_of_the_patients_axes() -> None:
    for side, expected in (
        ("anterior", (0, 0, 1)),
        ("posterior", (0, 0, -1)),
        ("left", (0, 1, 0)),
        ("feet", (0, 0, 1)),
    ):
        np.testing.assert_array_equal(right_of(*DIRECTIONS[side]), expected)  # type: ignore[index]


def test_the_cube_shows_the_faces_that_can_be_seen_and_none_mirrored() -> None:
    for side in LETTERS:
        faces = cube_faces(*DIRECTIONS[side])
        assert [face.side for face in faces] == [side]
        np.testing.assert_allclose(faces[0].corners, [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)], atol=1e-12)
    faces = cube_faces(*DIRECTIONS["first"])
    assert {face.side for face in faces} == {"anterior", "head", "right"}
    for face in faces:  # top left, top right, bottom right, bottom left: clockwise on a screen
        (x0, y0), (x1, y1), _, (x3, y3) = face.corners
        assert (x1 - x0) * (y3 - y0) - (y1 - y0) * (x3 - x0) > 0, face.side


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        ("anterior", ("R", "L", "S", "I")),
        ("posterior", ("L", "R", "S", "I")),
        ("left", ("A", "P", "S", "I")),
        ("right", ("P", "A", "S", "I")),
        ("head", ("L", "R", "A", "P")),
        ("feet", ("R", "L", "A", "P")),
    ],
)
def test_letters_at_the_edges_say_where_the_patient_lies(
    shown: VolumeView, side: SolidSide, expected: tuple[str, ...]
) -> None:
    plain = scene(corner_block(), look("mip"))
    draw(shown, plain, side)
    assert shown.letters.isVisible()
    assert shown.letters.state.letters == expected
    left, right, top, bottom = expected
    shown.turn(np.pi, 0)
    assert shown.letters.state.letters == (right, left, top, bottom), "turned about what is up on the screen"
    shown.turn(0, np.pi)
    assert shown.letters.state.letters[2:] == (bottom, top)


def test_letters_turn_with_the_camera_and_have_two_parts_where_it_is_oblique(shown: VolumeView) -> None:
    draw(shown, scene(corner_block(), look("mip")), "anterior")
    shown.turn(np.radians(30), 0)
    assert shown.letters.state.letters == ("RP", "LA", "S", "I"), "the front went to the right"
    shown.canvas.camera.set_view_direction(view_direction=DIRECTIONS["left"][0], up_direction=DIRECTIONS["left"][1])
    assert shown.letters.state.letters == ("A", "P", "S", "I"), "whoever turns the camera"


def test_letters_are_in_the_picture_and_go_with_the_text(shown: VolumeView) -> None:
    black = scene(np.zeros(SHAPE, np.int16), look("mip"))

    def bright() -> tuple[bool, ...]:
        """Whether there is something at the left, right, top and bottom of the picture."""
        image = shown.picture().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        height, width = image.height(), image.width()
        grey = rows[:, :width]
        room, marks = shown.letters.geometry(), []
        for x, y in (
            (room.left() + 14, room.center().y()),
            (room.right() - 14, room.center().y()),
            (room.center().x(), room.top() + 16),
            (room.center().x(), room.bottom() - 16),
        ):
            marks.append(bool((grey[max(y - 6, 0) : min(y + 6, height), max(x - 6, 0) : x + 6] > 180).any()))
        return tuple(marks)

    shown.resize(400, 400)
    try:
        draw(shown, black)
        assert bright() == (True,) * 4
        shown.apply(replace(black, lettered=False))
        assert bright() == (False,) * 4, "hidden with the text over the slices, at once"
        shown.apply(black)
        assert bright() == (True,) * 4
        shown.apply(None)
        assert not shown.letters.isVisible()
    finally:
        shown.resize(240, 240)
        laid_out(shown)


@pytest.mark.parametrize("size", [(240, 240), (400, 135), (300, 180), (600, 600)])
@pytest.mark.parametrize(
    "note", ["3D", "3D at 1/2 front to back, 1/2 side to side of the resolution: no graphics card"]
)
def test_letters_stand_clear_of_note_buttons_and_cube(qtbot: QtBot, size: tuple[int, int], note: str) -> None:
    view = VolumeView()
    qtbot.addWidget(view)
    view.resize(*size)
    view._note.setText(note)
    view.reserve(190)
    room = view.letters.geometry()
    top = QRect(room.center().x() - 12, room.top() + 8, 24, 16)
    left = QRect(room.left() + 8, room.center().y() - 8, 24, 16)
    buttons = QRect(view.width() - 190, 8, 182, 36)
    for mark in (top, left):
        assert not mark.intersects(view.cube.geometry())
        assert not mark.intersects(view._note.geometry())
        assert not mark.intersects(buttons)
        assert view.rect().contains(mark)


def test_a_click_on_a_face_looks_from_there(shown: VolumeView) -> None:
    draw(shown, scene(corner_block(), look("mip")), "first")
    cube = shown.findChild(OrientationCube)
    assert cube is not None
    face = next(one for one in cube.faces if one.side == "right")
    middle = cube._outline(face).boundingRect().center()
    QTest.mouseClick(cube, Qt.MouseButton.LeftButton, pos=middle.toPoint())
    np.testing.assert_allclose(shown.canvas.camera.view_direction, DIRECTIONS["right"][0], atol=1e-6)
    assert cube.side_at(QPointF(1, 1)) == ""


def test_a_side_that_is_asked_for_before_there_is_a_picture_is_looked_from_once_there_is(shown: VolumeView) -> None:
    shown.look_from("feet")
    shown.apply(scene(corner_block(), look("mip"), identity=object()))
    shown.settle()
    np.testing.assert_allclose(shown.canvas.camera.view_direction, DIRECTIONS["feet"][0], atol=1e-6)
    shown.apply(None)
    shown.apply(scene(corner_block(), look("mip"), identity=object()))
    shown.settle()
    first = np.array(DIRECTIONS["first"][0])
    np.testing.assert_allclose(shown.canvas.camera.view_direction, first / np.linalg.norm(first), atol=1e-6)


def test_keys_turn_what_is_seen_the_way_they_say(shown: VolumeView) -> None:
    """Something in front of the middle goes to the right with a turn to the right, and up with one upwards."""
    voxels = np.zeros(SHAPE, np.int16)
    voxels[10:14, 1:5, 10:14] = 1000
    middle = centre_of(draw(shown, scene(voxels, look("mip"))))
    assert np.abs(middle).max() < 0.05
    for right, up, expected in ((0.5, 0, (1, 0)), (-0.5, 0, (-1, 0)), (0, 0.5, (0, -1)), (0, -0.5, (0, 1))):
        shown.look_from("anterior")
        shown.turn(right, up)
        place = np.array(centre_of(grab(shown)))
        np.testing.assert_array_equal(np.where(np.abs(place) < 0.05, 0, np.sign(place)), expected)
    view, above = rotated(*DIRECTIONS["first"], 0.3, -0.7)
    assert np.dot(view, above) == pytest.approx(0)


# -- how bright


@pytest.mark.parametrize(("mode", "of"), [("mip", np.max), ("minip", np.min), ("mean", np.mean)])
def test_projections_are_those_of_numpy(shown: VolumeView, mode: SolidMode, of: Any) -> None:
    voxels = np.random.default_rng(3).integers(100, 900, SHAPE[1]).astype(np.int16)  # one value a layer
    block = np.broadcast_to(voxels[None, :, None], SHAPE).copy()
    picture = draw(shown, scene(block, look(mode)))
    assert picture[110:130, 110:130].mean() == pytest.approx(of(voxels) / 1000, abs=0.02)


def test_real_values_are_seen_whatever_slope_and_intercept(shown: VolumeView) -> None:
    stored = np.full(SHAPE, 100, np.int16)
    stored[0, 0, 0], stored[0, 0, 1] = 0, 400
    for slope, intercept in ((2.0, 300.0), (-1.0, 600.0)):
        picture = draw(shown, scene(stored, look("mean"), slope=slope, intercept=intercept))
        assert picture[110:130, 110:130].mean() == pytest.approx((100 * slope + intercept) / 1000, abs=0.01)


@pytest.mark.parametrize("software", [False, True])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 0.5, 1.0)])
def test_opacity_is_per_mm_whatever_the_step_and_the_voxels_size(
    shown: VolumeView, monkeypatch: pytest.MonkeyPatch, spacing: tuple[float, float, float], software: bool
) -> None:
    """Light through d mm of opacity a is (1 - a) ** d: Beer and Lambert."""
    voxels = np.full(SHAPE, 1000, np.int16)
    voxels[0, 0, 0] = 0
    expected = 1 - 0.9 ** (SHAPE[1] * spacing[1])
    monkeypatch.setattr(shown.stage, "_software", software)
    draw(shown, scene(voxels, look("shaded", opacity=0.1), spacing=spacing))
    assert shown.stage.node.method == ("quick" if software else "shaded")
    for moving in (False, True):
        shown.stage.set_moving(moving)
        # white, blended with black by its opacity
        assert grab(shown)[115:125, 115:125].mean() == pytest.approx(expected, abs=0.03)


def test_a_surface_is_where_its_value_is_passed_and_faces_are_lit(shown: VolumeView) -> None:
    z, y, x = np.indices(SHAPE) - 11.5
    ball = (1000 - 60 * np.sqrt(z**2 + y**2 + x**2)).astype(np.int16)  # 500 at a radius of 8.3 mm
    modes: tuple[SolidMode, ...] = ("surface", "shaded")
    for mode in modes:
        picture = draw(shown, scene(ball, look(mode, 450, 550, shade=1.0)))
        radius = np.sqrt((picture > 0.1).sum() / np.pi) / shown.canvas.camera.zoom
        assert radius == pytest.approx(8.3, abs=0.5)
        assert picture[120, 120] > 0.9  # it faces the lamp
        edge = round(120 + 7.6 * shown.canvas.camera.zoom)
        assert picture[120, edge] < 0.8 * picture[120, 120]


# -- the box


def test_the_box_is_turned_as_the_volume_is() -> None:
    one = scene(np.zeros((4, 6, 8)), look("mip"), order=(2, 0, 1), flips=(True, False, True))
    assert box_corners(one) == ((-0.5, -0.5, -0.5), (7.5, 3.5, 5.5))
    cut = replace(one, box=((0.5, 2.5), (-0.5, 3.5), (1.5, 7.5)))
    assert box_corners(cut) == ((-0.5, 0.5, 1.5), (5.5, 2.5, 5.5))


def test_what_is_outside_the_box_is_gone_at_once_volume_and_structures(shown: VolumeView) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:7, 2:7, 2:7] = 1
    mask = MaskLook(labels, ((1, (255, 255, 255)),), 1.0)
    one = scene(corner_block(), look("mip"), mask=mask)
    picture = draw(shown, one)
    left, right = picture[:, :120] > 0.3, picture[:, 120:] > 0.3
    assert left.any()
    assert right.any()
    shown.apply(replace(one, box=((-0.5, 23.5), (-0.5, 23.5), (11.5, 23.5))))
    cut = grab(shown)
    assert not (cut[:, :120] > 0.3).any()
    np.testing.assert_allclose(cut[:, 125:], picture[:, 125:], atol=0.03)
    shown.apply(replace(one, box=((-0.5, 23.5), (-0.5, 23.5), (-0.5, 11.5))))
    cut = grab(shown)
    assert (cut[:, :115] > 0.3).any()
    assert not (cut[:, 120:] > 0.3).any()
    shown.apply(one)
    np.testing.assert_allclose(grab(shown), picture, atol=0.03)


def test_structures_are_seen_through_the_volume_or_only_where_nothing_is_before_them(shown: VolumeView) -> None:
    voxels = np.zeros(SHAPE, np.int16)
    voxels[4:20, 2:6, 4:20] = 1000  # a wall before it
    labels = np.zeros(SHAPE, np.uint8)
    labels[8:16, 14:20, 8:16] = 3
    mask = MaskLook(labels, ((3, (255, 0, 0)),), 1.0)
    one = scene(voxels, look("shaded"), mask=mask)

    def green(now: Scene) -> float:
        shown.apply(now)
        return float(pixels(shown)[119, 119, 1])

    draw(shown, one)
    assert green(one) < 0.75, "red is mixed in"
    assert green(replace(one, through=False)) > 0.9
    shown.look_from("posterior")
    assert green(replace(one, through=False)) < 0.1, "from behind, nothing is before it"


# -- arrays


def test_a_texture_is_the_mean_of_the_voxels_that_become_one() -> None:
    values = np.random.default_rng(1).integers(-1000, 3000, (7, 9, 10)).astype(np.int16)
    one = scene(values, look("mip"), order=(1, 2, 0), flips=(True, False, False))
    made = texture_of(one, (2, 3, 4))
    turned = values.transpose(1, 2, 0)[::-1].astype(float)
    assert made.values.shape == (5, 4, 2)
    real = made.values / 65535 * made.span + made.low
    for index in np.ndindex(*made.values.shape):
        block = turned[tuple(slice(k * f, (k + 1) * f) for k, f in zip(index, (2, 3, 4), strict=True))]
        assert real[index] == pytest.approx(block.mean(), abs=made.span / 65535)
    assert made.place_of(made.low) == 0
    assert Texture(made.values, -10, 20, (1, 1, 1)).place_of(0) == 0.5


def test_padding_and_what_is_no_number_are_as_dark_as_anything() -> None:
    values = np.array([[[-2000.0, 0, 500]], [[np.nan, np.inf, 1000]]], np.float32)
    made = texture_of(scene(values, look("mip"), padding=(-2000, -2000, 0)), (1, 1, 1))
    real = made.values / 65535 * made.span + made.low
    np.testing.assert_allclose(real, [[[0, 0, 500]], [[-2000, 1000, 1000]]], atol=0.05)


def test_surfaces_enclose_their_structure_in_mm_and_only_what_changed_is_worked_out_anew() -> None:
    labels = np.zeros((16, 24, 30), np.uint8)
    labels[4:12, 6:12, 6:12] = 1
    labels[4:12, 16:22, 18:26] = 2
    one = scene(labels, look("mip"), spacing=(2.0, 1.0, 1.0), mask=MaskLook(labels, (), 1.0))
    factors = (1, 2, 2)
    thinned = thin_labels(one, factors)
    assert thinned is not None
    spacing = (2.0, 2.0, 2.0)
    first = Surfaces().updated(thinned, [1, 2, 7], spacing)
    assert first.found[7] is None
    mesh = mesh_of(first, ((2, (0, 0, 255)),), one.spacing, factors)
    assert mesh is not None
    np.testing.assert_allclose(mesh.vertices.mean(axis=0), (2 * 7.5, 18.5, 21.5), atol=1.0)
    np.testing.assert_array_equal(np.unique(mesh.colours, axis=0), [(0, 0, 1, 1)])
    labels[4:12, 6:12, 12:16] = 1
    second = first.updated(thin_labels(one, factors), [1, 2], spacing)  # type: ignore[arg-type]
    assert second.found[2] is first.found[2]
    assert second.found[1] is not first.found[1]
    assert mesh_of(second, (), one.spacing, factors) is None


# -- how much of the resolution


def test_every_axis_is_thinned_for_itself() -> None:
    assert factors_for((600, 512, 512), 512) == (2, 1, 1)
    assert factors_for((20, 30, 40), 512) == (1, 1, 1)
    assert factors_for((513, 100, 1025), 256) == (3, 1, 5)


def test_the_notice_says_how_much_and_why() -> None:
    cases = {
        ((20, 30, 40), 2048, False): "3D",
        ((20, 30, 40), 2048, True): "3D, drawn without a graphics card",
        ((600, 600, 600), 2048, False): "3D at 1/2 of the resolution: more than 512 voxels along an edge",
        ((600, 512, 512), 2048, False): "3D at 1/2 head to feet of the resolution: more than 512 voxels along an edge",
        ((300, 300, 100), 256, False): (
            "3D at 1/2 head to feet, 1/2 front to back of the resolution: "
            "the graphics card takes 256 voxels along an edge"
        ),
        ((200, 200, 200), 2048, True): "3D at 1/2 of the resolution: no graphics card",
    }
    for (shape, limit, software), text in cases.items():
        edge = min(128 if software else 512, limit)
        assert notice(shape, factors_for(shape, edge), limit, software) == text


def test_a_small_texture_limit_is_kept_to_and_told_for_every_volume(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graphics card that takes 16 voxels along an edge."""
    monkeypatch.setattr(volume_view, "texture_limit", lambda: 16)
    monkeypatch.setattr(volume_view, "software_rendered", lambda: False)
    view = VolumeView()
    qtbot.addWidget(view)
    view.resize(240, 240)
    view.show()
    laid_out(view)
    note = view.findChild(QLabel, "viewportNote")
    assert note is not None
    for n, text in ((24, "3D at 1/2 of the"), (16, "3D"), (40, "3D at 1/3 of the"), (24, "3D at 1/2 of the")):
        block = np.zeros((n, n, n), np.int16)
        block[: n // 4, : n // 4, -n // 4 :] = 1000
        picture = draw(view, scene(block, look("mip"), identity=object()))
        assert max(view.stage.node._texture.shape[:3]) <= 16
        assert note.text().startswith(text)
        assert note.isVisible()
        assert ("takes 16 voxels" in note.text()) == (n > 16)
        # where it lies in the patient does not change with what is left out
        right, down = centre_of(picture)
        assert right > 0.3
        assert down < -0.3
    view.close_canvas()


def test_3d_says_that_it_is_worked_out_until_there_is_a_picture(qtbot: QtBot, opened: Program) -> None:
    one = resolve_scene(opened.services.session)
    assert one is not None
    started: list[Any] = []
    view = VolumeView(background=lambda work, done: started.append((work, done)))
    qtbot.addWidget(view)
    view.resize(300, 300)
    view.show()
    view.apply(one)
    note = view.findChild(QLabel, "viewportNote")
    assert note is not None
    assert (note.text(), note.isVisible()) == ("Working out 3D…", True)
    view.settle()
    assert note.text() == "Working out 3D…"
    work, done = started.pop()
    done(work())
    qtbot.waitUntil(lambda: note.text() == "3D, drawn without a graphics card")
    assert view.legend.look is one.look
    view.apply(replace(one, limits=(0.0, 5.0)))
    assert note.text().startswith("3D,"), "the picture of before is there meanwhile"
    view.apply(None)
    assert not note.isVisible()
    view.close_canvas()


# -- in the window


def drawn(program: Program, qtbot: QtBot) -> VolumeView:
    view = program.window.grid.volume
    qtbot.waitUntil(lambda: view._stage is not None and view._stage.shown, timeout=20_000)
    return view


def test_looks_boxes_and_keys_reach_the_picture(opened: Program, qtbot: QtBot, tmp_path: Path) -> None:
    view, session, window = drawn(opened, qtbot), opened.services.session, opened.window
    assert window.solid_bar.looks.text() == "Bone"
    window.commands["solid.skin"].trigger()
    qtbot.waitUntil(lambda: view.legend.look is not None and view.legend.look.preset.id == "skin")
    assert window.solid_bar.looks.text() == "Skin"
    assert window.commands["solid.skin"].isChecked()
    assert not window.commands["solid.pet"].isEnabled()
    native = view.canvas.native
    QTest.mousePress(native, Qt.MouseButton.RightButton, pos=QPoint(50, 50))
    QTest.mouseMove(native, QPoint(80, 110))
    QTest.mouseRelease(native, Qt.MouseButton.RightButton, pos=QPoint(80, 110))
    assert (session.view.solid_shift, session.view.solid_stretch) == pytest.approx((60 / 300, 1 + 30 / 300))
    qtbot.waitUntil(lambda: window.commands["solid.reset_look"].isEnabled())
    window.commands["solid.reset_look"].trigger()
    assert session.view.solid_shift == 0
    before = view.canvas.camera.center
    QTest.mousePress(native, Qt.MouseButton.MiddleButton, pos=QPoint(50, 50))
    QTest.mouseMove(native, QPoint(80, 50))
    QTest.mouseRelease(native, Qt.MouseButton.MiddleButton, pos=QPoint(80, 50))
    moved = np.subtract(view.canvas.camera.center, before)
    assert np.linalg.norm(moved) * view.canvas.camera.zoom == pytest.approx(30, rel=1e-3)
    window.commands["solid.from_left"].trigger()
    np.testing.assert_allclose(view.canvas.camera.view_direction, DIRECTIONS["left"][0], atol=1e-6)
    assert view.letters.isVisible()
    assert view.letters.state.letters == ("A", "P", "S", "I")
    session.view.show_text = False
    qtbot.waitUntil(lambda: not view.letters.isVisible())
    session.view.show_text = True
    qtbot.waitUntil(view.letters.isVisible)
    window.save_solid(tmp_path / "3d.png")
    assert QImage(str(tmp_path / "3d.png")).width() >= view.width()
    assert window.solid_bar.isVisible(), "buttons are only hidden for the picture"


def test_the_panel_of_the_box_goes_both_ways(opened: Program, qtbot: QtBot) -> None:
    session, bar, window = opened.services.session, opened.window.solid_bar, opened.window
    panel, section = window.panel_area.clip, window.panels["clip"]
    drawn(opened, qtbot)
    bar.clip.click()
    assert panel.isVisible()
    assert window.panel_dock.isAncestorOf(panel), "over a small 3D view it would hide what it cuts"
    heads = panel.sides[2]
    assert [end.text() for end in heads.ends] == ["I", "S"]
    heads.slider.setValue((15.0, 45.0))
    assert session.view.solid_box is not None
    assert session.view.solid_box[0] == pytest.approx((4.5, 14.5))
    heads.fields[1].setValue(30.0)
    assert solid.box_mm(session)[0] == pytest.approx((15.0, 30.0))
    assert heads.slider.value() == pytest.approx((15.0, 30.0))
    assert not panel.to_mask.isEnabled()
    masks.new(opened.services).paint(np.array([0]), 1)
    assert panel.to_mask.isEnabled()
    panel.to_mask.click()
    assert solid.box_mm(session)[0] == pytest.approx((0, 6.0))
    panel.reset.click()
    assert session.view.solid_box is None
    assert heads.fields[1].value() == 60.0
    window.commands["mode.correct"].trigger()
    assert section.isVisible(), "in every mode"
    window.commands["view.single"].trigger()
    qtbot.waitUntil(section.isHidden)
    window.commands["view.mpr"].trigger()
    qtbot.waitUntil(section.isVisible)
    bar.clip.click()
    assert section.isHidden()


def test_a_double_click_makes_3d_large_and_a_right_click_offers_what_there_is(opened: Program, qtbot: QtBot) -> None:
    view, session = drawn(opened, qtbot), opened.services.session
    zoom = view.canvas.camera.zoom
    small = min(view.width(), view.height())
    QTest.mouseDClick(view.canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(60, 60))
    assert session.view.layout == "solid"
    qtbot.waitUntil(lambda: min(view.width(), view.height()) > 1.2 * small)
    assert view.canvas.camera.zoom == pytest.approx(zoom * min(view.width(), view.height()) / small, rel=0.01)
    menu = opened.window.solid_bar.menu
    QTest.mouseClick(view.canvas.native, Qt.MouseButton.RightButton, pos=QPoint(60, 60))
    assert menu.isVisible()
    names = {action.objectName() for action in menu.actions()}
    assert {"solid.bone", "solid.from_head", "solid.cut_top", "solid.save"} <= names
    assert "solid.pet" not in names, "there is no PET"
    menu.close()


def test_structures_follow_strokes_and_the_segments_panel(opened: Program, qtbot: QtBot) -> None:
    view, session = drawn(opened, qtbot), opened.services.session
    store = masks.new(opened.services)
    labels = np.zeros(store.labels.shape, bool)
    labels[5:15, 8:20, 10:30] = True
    store.paint(np.flatnonzero(labels), 1)
    qtbot.waitUntil(lambda: view.stage._surface is not None and view.stage._surface.visible, timeout=20_000)
    camera = view.canvas.camera
    np.testing.assert_allclose(camera.view_direction, np.array((0.25, 1, 0.45)) / np.linalg.norm((0.25, 1, 0.45)))
    assert view.legend.names == tuple((s.name, s.colour) for s in store.segments)
    count = len(view.stage._surface.mesh.vertices)
    store.undo()
    qtbot.waitUntil(lambda: not view.stage._surface.visible, timeout=20_000)
    store.redo()
    qtbot.waitUntil(lambda: bool(view.stage._surface.visible), timeout=20_000)
    assert len(view.stage._surface.mesh.vertices) == count
    session.hidden_labels = frozenset({1})
    qtbot.waitUntil(lambda: not view.stage._surface.visible, timeout=20_000)
    assert view.legend.names == ()


def test_drawing_is_coarse_while_something_moves_and_fine_after(opened: Program, qtbot: QtBot) -> None:
    view = drawn(opened, qtbot)
    qtbot.waitUntil(lambda: not view.stage.moving)
    native = view.canvas.native
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    QTest.mouseMove(native, QPoint(70, 60))
    QTest.mouseMove(native, QPoint(90, 60))
    assert view.stage.moving
    view._come_to_rest()
    assert view.stage.moving, "the button is still down"
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=QPoint(90, 60))
    qtbot.waitUntil(lambda: not view.stage.moving)


def test_the_legend_names_values_and_structures(qtbot: QtBot) -> None:
    legend = SolidLegend(None)  # type: ignore[arg-type]
    qtbot.addWidget(legend)
    legend.show_look(look("shaded", 100, 900), tuple((f"Structure {k}", (k, k, k)) for k in range(9)))
    assert legend.values() == [(0.0, "100"), (1.0, "900")]
    assert legend.lines()[-1] == "and 3 more"
    legend.show_look(look("mip", 0, 1), ())
    assert legend.values() == [(0.0, "0.00"), (0.5, "0.50"), (1.0, "1.00")]
    assert legend.lines() == []


@pytest.mark.parametrize("height", [90, 130, 400])
def test_the_legend_s_bar_makes_room_for_the_letter_above_it(qtbot: QtBot, height: int) -> None:
    legend = SolidLegend(None)  # type: ignore[arg-type]
    qtbot.addWidget(legend)
    legend.show_look(look("shaded", 100, 900), ())
    whole = legend.height()
    legend.fit(height)
    assert legend.height() == min(height, whole)
    assert not legend.grab().isNull()
    legend.fit(1000)
    assert legend.height() == whole


def test_what_stands_over_3d_before_its_canvas_is_made_stays_over_it(qtbot: QtBot) -> None:
    view = VolumeView()
    qtbot.addWidget(view)
    bar = QLabel("Bone", view)
    assert view.prepare()
    order = view.children()
    over = (bar, view.letters, view.cube, view.legend, view._note)
    assert all(order.index(one) > order.index(view.canvas.native) for one in over)
    view.close_canvas()
