"""What each viewport shows, with viewports that only remember."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from unittest.mock import create_autospec

import numpy as np
import pytest

from medviewer.app.commands import study
from medviewer.app.controllers import display
from medviewer.app.controllers.display import DisplayController, heat_look, mask_look, resolve, resolve_scene
from medviewer.app.mask_store import MaskStore
from medviewer.app.ports.display import Corners, Display, ViewPort
from medviewer.app.ports.scene import Scene, VolumePort
from medviewer.app.state import Arrival, Session
from medviewer.domain.geometry import Grid
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.image import Dynamic, GraphicOverlay, Image, Rescale, Window
from medviewer.domain.mask import Segment, Segmentation, empty
from medviewer.domain.plane import Plane, planes_of
from medviewer.domain.study import PhaseAxis, Series, Warning


class Screen:
    """Four viewports and the next frame."""

    def __init__(self, session: Session) -> None:
        self.viewports = [create_autospec(ViewPort, instance=True) for _ in range(4)]
        self.volume = create_autospec(VolumePort, instance=True)
        self.frames: list[Callable[[], None]] = []
        self.controller = DisplayController(session, self.viewports, self.volume, self.frames.append)

    def draw(self) -> int:
        """Draw what was asked for; returns how many refreshes that took."""
        frames, self.frames[:] = list(self.frames), []
        for frame in frames:
            frame()
        return len(frames)

    def shown(self, number: int = 0) -> Display | None:
        return self.viewports[number].apply.call_args.args[0]

    @property
    def scene(self) -> Scene | None:
        return self.volume.apply.call_args.args[0]


@pytest.fixture
def screen(session: Session) -> Screen:
    """A screen that is up to date."""
    made = Screen(session)
    made.controller.request()
    made.draw()
    return made


def axial(session: Session, number: int = 0) -> Display:
    display = resolve(session, Plane.of(session.image.grid, "Axial"), number)
    assert display is not None
    return display


def with_mask(session: Session) -> MaskStore:
    grid = session.image.grid
    segments = (Segment(1, "Liver", (1, 2, 3)), Segment(2, "Spleen", (4, 5, 6)))
    session.mask = MaskStore(empty(grid, segments))
    return session.mask


def with_heat(session: Session) -> Heatmap:
    grid = session.image.grid
    session.heatmap = Heatmap(np.zeros(grid.shape, np.float32), grid, "Grad-CAM", "Brain")
    return session.heatmap


# -- the controller ---------------------------------------------------------------------------------------------------


class Slow(Screen):
    """Viewports that take their time to draw: `rests` is what waits for it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.rests: list[Callable[[], None]] = []
        self.controller.close()
        self.controller = DisplayController(session, self.viewports, self.volume, self.frames.append, self.rests.append)

    def drawn(self) -> None:
        """What was applied is drawn."""
        rests, self.rests[:] = list(self.rests), []
        for rest in rests:
            rest()

    def showing(self, *images: Image) -> list[int]:
        """Which of these images the viewports of the three planes show, counted from 1; 0 where one shows nothing."""
        applied = [viewport.apply.call_args_list for viewport in self.viewports[:3]]
        last = [calls[-1].args[0] if calls else None for calls in applied]
        return [sum(k for k, one in enumerate(images, 1) if made and made.identity is one) for made in last]


def test_large_pictures_come_one_after_the_other(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "LARGE", 30)  # axial and coronal slices have more pixels, sagittal ones fewer
    screen, first = Slow(session), session.image
    screen.controller.refresh()
    assert screen.showing(first) == [1, 1, 0]
    screen.controller.request()
    screen.draw()
    assert screen.showing(first) == [1, 1, 0], "the one that is drawn has its time"
    screen.drawn()
    assert screen.showing(first) == [1, 1, 1]
    session.view.cursor = (1, 1, 1)
    screen.draw()
    assert [screen.shown(number).k for number in range(3)] == [1, 1, 1], "a step moves all of them at once"
    screen.drawn()
    assert not screen.rests


def test_no_viewport_shows_what_another_one_has_left(
    session: Session, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen, first = Slow(session), session.image
    screen.controller.refresh(at_once=True)
    assert screen.showing(first) == [1, 1, 1]
    monkeypatch.setattr(display, "LARGE", 30)
    session.image = second = replace(image)
    screen.draw()
    assert screen.showing(first, second) == [2, 2, 0]
    screen.drawn()
    assert screen.showing(first, second) == [2, 2, 2]


def test_for_a_picture_all_of_them_come_at_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "LARGE", 1)
    screen = Slow(session)
    screen.controller.refresh(at_once=True)
    assert screen.showing(session.image) == [1, 1, 1]
    assert not screen.rests


def test_three_planes_and_a_scene_of_one_volume(screen: Screen, image: Image) -> None:
    shown = [screen.shown(number) for number in range(4)]
    assert [display.plane.name for display in shown[:3]] == ["Axial", "Sagittal", "Coronal"]
    assert shown[3] is None
    assert all(display.voxels is image.voxels for display in shown[:3])
    assert [display.k for display in shown[:3]] == [2, 4, 3]
    assert [display.active for display in shown[:3]] == [True, False, False]
    assert screen.scene.voxels is image.voxels


def test_many_changes_are_one_refresh(screen: Screen, session: Session) -> None:
    session.view.cursor = (1, 2, 3)
    session.view.window = Window(1, 2)
    session.view.show_text = False
    with_mask(session).paint(np.array([3]), 1)
    assert [viewport.apply.call_count for viewport in screen.viewports] == [1] * 4, "nothing is drawn at once"
    assert screen.draw() == 1
    assert (screen.shown().k, screen.shown().limits) == (1, (0.0, 2.0))
    assert screen.draw() == 0
    session.view.cursor = (2, 2, 3)
    assert screen.draw() == 1


def test_a_value_that_stays_is_no_refresh(screen: Screen, session: Session) -> None:
    session.view.cursor = tuple(session.view.cursor)
    assert screen.draw() == 0


def test_painting_raises_the_revision_and_refreshes(screen: Screen, session: Session) -> None:
    store = with_mask(session)
    screen.draw()
    before = screen.shown().revision
    store.paint(np.array([3]), 1)
    assert screen.draw() == 1
    assert screen.shown().revision > before
    assert screen.shown().mask.labels is store.labels
    store.undo()
    assert screen.draw() == 1


def test_a_new_segment_refreshes(screen: Screen, session: Session) -> None:
    store = with_mask(session)
    screen.draw()
    store.add_segment("Lesion")
    assert screen.draw() == 1
    assert [label for label, _ in screen.shown().mask.colours] == [1, 2, 3]


def test_the_former_mask_is_let_go(screen: Screen, session: Session) -> None:
    former = with_mask(session)
    latter = with_mask(session)
    screen.draw()
    former.paint(np.array([3]), 1)
    former.add_segment("Late")
    assert screen.draw() == 0
    assert len(former.changed) == len(former.segments_changed) == 0
    latter.paint(np.array([3]), 1)
    assert screen.draw() == 1
    session.mask = None
    screen.draw()
    latter.paint(np.array([4]), 1)
    assert screen.draw() == 0
    assert screen.shown().mask is None


def test_a_mask_that_was_there_before_the_screen_is_followed(session: Session) -> None:
    store = with_mask(session)
    screen = Screen(session)
    store.paint(np.array([3]), 1)
    assert screen.draw() == 1


def test_a_radiograph_fills_one_viewport(screen: Screen, radiograph: Session) -> None:
    screen.draw()
    assert screen.shown().plane == Plane.picture(radiograph.image.grid)
    assert [screen.shown(number) for number in (1, 2, 3)] == [None] * 3
    assert screen.scene is None


def test_closing_shows_nothing(screen: Screen, session: Session) -> None:
    session.image = session.series = None
    screen.draw()
    assert [screen.shown(number) for number in range(4)] == [None] * 4
    assert screen.scene is None


def test_another_image_has_its_own_planes(screen: Screen, session: Session) -> None:
    grid = Grid((9, 5, 3), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1))
    other = Image(np.zeros(grid.shape, np.uint8), grid, "MR")
    study.present(session, Series("1.2.8", "MR", "", grid, (), "nifti"), other)
    screen.draw()
    assert screen.shown().voxels is other.voxels
    assert screen.shown().plane == Plane.of(grid, "Axial")
    assert all(screen.shown(number).k < screen.shown(number).plane.count for number in range(3))


# -- resolve ----------------------------------------------------------------------------------------------------------


def test_hidden_things_are_not_shown(session: Session) -> None:
    with_mask(session)
    with_heat(session)
    view = session.view
    shown = axial(session)
    assert None not in (shown.mask, shown.heat, shown.crosshair)
    view.mask_visible = view.heat_visible = view.show_crosshair = view.show_text = False
    hidden = axial(session)
    assert (hidden.mask, hidden.heat, hidden.crosshair) == (None, None, None)
    assert (hidden.letters, hidden.corners) == (("",) * 4, Corners())
    assert resolve_scene(session).mask is None


def test_looks(session: Session) -> None:
    assert mask_look(session) is None
    assert heat_look(session) is None
    store, heat = with_mask(session), with_heat(session)
    session.hidden_labels = frozenset({1})
    session.view.mask_opacity, session.view.heat_opacity, session.view.heat_colormap = 0.3, 0.7, "magma"
    mask, hot = mask_look(session), heat_look(session)
    assert (mask.labels, mask.colours, mask.opacity) == (store.labels, ((2, (4, 5, 6)),), 0.3)
    assert (hot.values, hot.colormap, hot.opacity) == (heat.values, "magma", 0.7)


@pytest.mark.parametrize("monochrome1", [False, True])
@pytest.mark.parametrize("inverted", [False, True])
def test_black_and_white_are_exchanged_once(session: Session, monochrome1: bool, inverted: bool) -> None:
    session.image = replace(session.image, inverted=monochrome1)
    session.view.inverted = inverted
    limits = axial(session).limits
    assert limits == ((240.0, -160.0) if monochrome1 != inverted else (-160.0, 240.0))


@pytest.mark.parametrize("rescale", [Rescale(2.0, -100.0), Rescale((1.0, 0.5, 4.0, 2.0), (0.0, 10.0, -2.0, 1.0))])
def test_every_plane_shows_real_values(session: Session, rescale: Rescale) -> None:
    """A coronal slice of a PET series crosses slices that have a slope each."""
    session.image = replace(session.image, rescale=rescale)
    real = session.image.real()
    for cursor in ((0, 0, 0), (2, 3, 4), (3, 5, 7)):
        session.view.cursor = cursor
        for number, plane in enumerate(planes_of(session.image.grid)):
            shown = resolve(session, plane, number)
            values = plane.take(shown.voxels, shown.k) * shown.slope + shown.intercept
            np.testing.assert_array_equal(values, plane.take(real, cursor[plane.axis]))
            row, column = (int(v) for v in shown.crosshair)
            assert values[row, column] == session.image.value_at(cursor)


@pytest.mark.parametrize("rescale", [Rescale(2.0, -100.0), Rescale((1.0, 0.5, 4.0, 2.0), 5.0)])
def test_the_scene_has_its_own_window_in_the_units_of_its_voxels(session: Session, rescale: Rescale) -> None:
    session.image = replace(session.image, rescale=rescale)
    scene = resolve_scene(session)
    low, high = session.image.auto_window().limits
    session.view.window = Window(0.0, 1.0)  # the reader's window is for the slices
    assert resolve_scene(session).limits == scene.limits
    bright = (scene.voxels > scene.limits[0]) & (scene.voxels < scene.limits[1])
    np.testing.assert_array_equal(bright, (session.image.real() > low) & (session.image.real() < high))


def test_the_scene_turns_every_volume_feet_down_and_patient_facing(session: Session) -> None:
    for direction in ((0, 0, 1, 0, 1, 0, 1, 0, 0), (1, 0, 0, 0, -1, 0, 0, 0, -1), (0, -1, 0, 0, 0, 1, -1, 0, 0)):
        grid = Grid((2, 3, 4), direction=direction)
        session.image = Image(np.arange(24.0).reshape(grid.shape), grid)
        scene = resolve_scene(session)
        for place, (world, sign) in enumerate(((2, -1), (1, 1), (0, 1))):
            step = grid.axes[world, scene.order[place]] * (-1 if scene.flips[place] else 1)
            assert step == sign


def test_colours_have_no_scene(session: Session) -> None:
    grid = session.image.grid
    session.image = Image(np.zeros((*grid.shape, 3), np.uint8), grid)
    assert resolve_scene(session) is None
    assert axial(session).voxels.ndim == 4


@pytest.mark.parametrize(
    ("tool", "shown"), [("brush", 7.5), ("eraser", 7.5), ("fill", None), ("crosshair", None), ("window", None)]
)
def test_the_brush_follows_the_pointer(session: Session, tool: str, shown: float | None) -> None:
    session.view.brush_mm, session.view.tool = 7.5, tool
    assert axial(session).brush_mm == shown


def test_crosshair_letters_and_calibration(session: Session) -> None:
    session.view.cursor = (1, 2, 3)
    shown = [resolve(session, plane, k) for k, plane in enumerate(planes_of(session.image.grid))]
    # rows run to the feet in the sagittal and coronal slice, and the volume's z to the head
    assert [display.crosshair for display in shown] == [(2, 3), (2, 2), (2, 3)]
    assert shown[0].letters == ("R", "L", "A", "P")
    assert shown[1].letters == ("A", "P", "S", "I")
    assert shown[2].letters == ("R", "L", "S", "I")
    assert shown[0].calibrated


def test_a_radiograph_has_no_crosshair_and_the_letters_that_its_file_gives(radiograph: Session) -> None:
    display = resolve(radiograph, Plane.picture(radiograph.image.grid), 0)
    assert (display.crosshair, display.letters, display.calibrated) == (None, ("R", "L", "A", "P"), False)

    silent = (Warning("no-orientation", "The file does not say how the patient lay."),)
    radiograph.series = replace(radiograph.series, warnings=silent)
    display = resolve(radiograph, Plane.picture(radiograph.image.grid), 0)
    assert display.letters == ("",) * 4
    assert display.limits[0] > display.limits[1], "MONOCHROME1: the lowest value is white"


def test_the_curve_of_a_window_that_is_not_linear(session: Session) -> None:
    assert axial(session).curve is None
    session.view.window = Window(40, 400, function="SIGMOID")
    display = axial(session)
    assert display.curve is session.view.window.curve, "the same object, by which the screen sees that nothing changed"
    assert display.limits == (-760, 840)
    session.view.inverted = True
    assert axial(session).limits == (840, -760)


def test_padding_is_drawn_as_background(session: Session) -> None:
    assert axial(session).padding is None
    session.image = replace(session.image, padding=(190, 191))  # the brightest two of 0 to 191; HU is 2 x - 100
    padding = axial(session).padding
    assert (padding.low, padding.high, padding.value) == (190, 191, -100)
    assert padding.voxels is session.image.voxels
    session.view.inverted = True
    assert axial(session).padding is None, "it is at the dark end then"


def test_overlays_of_the_file_lie_on_their_own_plane(session: Session) -> None:
    overlay = GraphicOverlay("Text", {2: np.ones((6, 8), bool)})
    session.image = replace(session.image, overlays=(overlay,))
    session.view.cursor = (2, 3, 4)
    looks = [resolve(session, plane, k).graphics for k, plane in enumerate(planes_of(session.image.grid))]
    assert looks[1:] == [None, None]
    assert (looks[0].overlays, looks[0].slot) == ((overlay,), 2)
    session.view.show_graphics = False
    assert axial(session).graphics is None


def test_overlays_of_every_phase(session: Session) -> None:
    image = session.image
    phases = Dynamic(PhaseAxis("time", (0.0, 1.0)), np.stack([image.voxels] * 2), (image.rescale,) * 2)
    session.image = replace(image, overlays=(GraphicOverlay("Text", {}),), dynamic=phases)
    session.view.cursor, session.view.phase = (3, 0, 0), 1
    assert axial(session).graphics.slot == 7


def test_a_mask_on_the_image_keeps_its_own_labels(session: Session) -> None:
    labels = np.ones(session.image.grid.shape, np.uint16)
    session.mask = MaskStore(Segmentation(labels, session.image.grid, ()))
    assert axial(session).mask.colours == ()
    assert axial(session).revision == session.mask.revision


def test_a_slice_is_drawn_again_when_it_arrives_and_not_before_or_after(session: Session) -> None:
    slices = 401
    seen = [[Arrival(count, slices).seen(0, k) for count in range(0, slices + 1, 16)] for k in (200, 150, 0)]
    changes = [sum(a != b for a, b in pairwise(one)) for one in seen]
    assert all(0 < count < 6 for count in changes)  # of 25
    assert seen[0][0] != seen[0][1]  # the middle one comes at once
    assert seen[2][0] == seen[2][15]  # the first one late
    across = [Arrival(count, slices).seen(1, 5) for count in range(0, slices + 1, 16)]
    assert len(set(across)) == len(across)
    second = [Arrival(count, slices).seen(0, 200, phase=1) for count in (0, 200, 401, 420)]
    assert second[0] == second[1] != second[2] != second[3]


def test_while_slices_arrive_viewports_follow_and_3d_waits(session: Session) -> None:
    assert axial(session).arrived == -1
    session.arrival = Arrival(1, session.image.grid.shape[0])
    first = axial(session).arrived
    session.arrival = Arrival(3, session.image.grid.shape[0])
    assert axial(session).arrived != first
    assert resolve_scene(session) is None
    session.arrival = None
    assert resolve_scene(session) is not None
