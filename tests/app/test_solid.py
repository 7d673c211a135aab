"""3D: which looks there are, what they come to in real units, and the box that the volume is cut to."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import create_autospec

import numpy as np
import pytest

from medviewer.app import settings
from medviewer.app.actions import build
from medviewer.app.commands import masks, solid, study
from medviewer.app.controllers.display import resolve_scene
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.app.solid_looks import first_preset, fitting, look_of, preset, presets, solid_look
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale
from medviewer.domain.plane import Plane
from medviewer.errors import InputError
from medviewer.ui.viewport.solid_camera import DIRECTIONS, edge_letters

GRID = Grid((4, 6, 8), (2.0, 1.0, 0.5))


def image(modality: str = "CT", rescale: Rescale | None = None, low: int = -1024) -> Image:
    voxels = np.linspace(low, 3000, num=4 * 6 * 8).reshape(GRID.shape).astype(np.int16)
    return Image(voxels, GRID, modality, rescale or Rescale(1.0, 0.0, "HU"))


def test_every_preset_is_a_transfer_function() -> None:
    ids = [one.id for one in presets()]
    assert len(set(ids)) == len(ids) >= 10
    assert {"bone", "vessels", "skin", "lung", "muscle", "pet", "head"} <= set(ids)
    assert {one.mode for one in presets()} == {"shaded", "surface", "depth", "mip", "minip", "mean"}
    for one in presets():
        values = [point.value for point in one.points]
        assert values == sorted(set(values)), one.id
        assert all(0 <= part <= 1 for point in one.points for part in (*point.colour, point.opacity)), one.id
        if one.mode == "shaded":  # what lies below the first value must be clear, or air is a block
            assert one.points[0].opacity == 0, one.id
            assert one.shade > 0, one.id


@pytest.mark.parametrize(
    ("modality", "unit", "first", "offered"),
    [
        ("CT", "HU", "bone", {"bone", "vessels", "muscle", "skin", "lung", "bone_surface"}),
        ("MR", "", "head", {"head"}),
        ("PT", "SUV", "pet", {"pet"}),
        ("PT", "BQML", "depth", set()),
    ],
)
def test_looks_fit_modality_and_unit(modality: str, unit: str, first: str, offered: set[str]) -> None:
    opened = image(modality, Rescale(1.0, 0.0, unit), low=0)
    everywhere = {"depth", "mip", "minip", "mean", "surface"}
    assert {one.id for one in fitting(opened)} == offered | everywhere
    chosen = first_preset(opened)
    assert chosen is not None
    assert chosen.id == first
    remembered = first_preset(opened, "mip")
    assert remembered is not None
    assert remembered.id == "mip"
    other = first_preset(opened, "no such")
    assert other is not None
    assert other.id == first


def test_a_volume_of_no_unit_that_can_only_be_hu_has_the_looks_of_ct() -> None:
    assert "bone" in {one.id for one in fitting(image("OT", Rescale()))}
    assert "bone" not in {one.id for one in fitting(image("OT", Rescale(), low=0))}
    assert "bone" not in {one.id for one in fitting(image("MR", Rescale()))}


def test_there_is_no_look_for_colours_and_single_slices() -> None:
    flat = Grid((1, 6, 8))
    assert fitting(Image(np.zeros(flat.shape, np.int16), flat, "CT", Rescale(1, 0, "HU"))) == ()
    assert first_preset(Image(np.zeros((*GRID.shape, 3), np.uint8), GRID, "CT")) is None


@pytest.mark.parametrize("rescale", [Rescale(1.0, -1024.0, "HU"), Rescale(0.5, 100.0, "HU"), Rescale(-2.0, 10.0, "HU")])
def test_values_are_in_real_units_whatever_the_rescale(rescale: Rescale) -> None:
    bone = preset("bone")
    assert bone is not None
    look = look_of(bone, image(rescale=rescale))
    assert look.limits == (130, 1200)
    assert look.unit == "HU"
    table = look.table()
    assert table.shape == (256, 4)
    at = round((450 - 130) / (1200 - 130) * 255)
    np.testing.assert_allclose(table[at, 3], 0.7, atol=0.01)
    np.testing.assert_allclose(table[-1], (1, 250 / 255, 240 / 255, 0.95), atol=1e-6)


def test_without_a_unit_values_are_parts_of_the_automatic_window() -> None:
    opened = image("MR", Rescale(), low=0)
    low, high = opened.auto_window().limits
    mip = preset("mip")
    assert mip is not None
    assert look_of(mip, opened).limits == pytest.approx((low, low + 1.3 * (high - low)))


def test_a_look_is_moved_and_widened_about_its_middle() -> None:
    bone = preset("bone")
    assert bone is not None
    moved = look_of(bone, image(), shift=0.1)
    assert moved.limits == pytest.approx((130 + 107, 1200 + 107))
    assert look_of(bone, image(), stretch=2).limits == pytest.approx((130 - 535, 1200 + 535))
    assert moved.points[1].value == pytest.approx(260 + 107)
    assert replace(moved.points[1], value=260) == bone.points[1]


def test_the_look_that_was_chosen_is_remembered_for_its_modality(services: Services) -> None:
    assert solid_look(services.session).preset.id == "bone"  # type: ignore[union-attr]
    solid.move_look(services, 0.5, 1.0)
    solid.choose_look(services, "skin")
    assert (services.session.view.solid_shift, services.session.view.solid_stretch) == (0.0, 1.0)
    assert resolve_scene(services.session).look.preset.id == "skin"  # type: ignore[union-attr]
    assert settings.load(services.archive.home).solid_looks == {"CT": "skin"}
    again = Services.open(services.archive.home)
    assert again.session.solid_looks == {"CT": "skin"}
    again.close()
    solid.next_look(services)
    assert services.session.solid_looks == {"CT": "lung"}
    for _ in range(len(fitting(services.session.image)) - 1):  # type: ignore[arg-type]
        solid.next_look(services)
    assert services.session.solid_looks == {"CT": "skin"}, "after the last comes the first"


def test_a_look_that_does_not_fit_is_refused(services: Services) -> None:
    with pytest.raises(InputError, match="PET MIP is for volumes in SUV"):
        solid.choose_look(services, "pet")
    with pytest.raises(InputError, match="MR tissue is for MR and OT"):
        solid.choose_look(services, "head")
    with pytest.raises(InputError, match="should be one of"):
        solid.choose_look(services, "gold")
    services.session.image = None
    with pytest.raises(InputError, match="needs a volume"):
        solid.next_look(services)


def test_looks_stay_within_bounds(services: Services) -> None:
    for _ in range(40):
        solid.move_look(services, 1.0, 1.0)
    view = services.session.view
    assert (view.solid_shift, view.solid_stretch) == (solid.SHIFT_RANGE[1], solid.STRETCH_RANGE[1])
    for _ in range(40):
        solid.move_look(services, -1.0, -5.0)
    assert (view.solid_shift, view.solid_stretch) == (solid.SHIFT_RANGE[0], solid.STRETCH_RANGE[0])


def test_the_box_is_told_and_set_in_mm_from_the_edge(services: Services) -> None:
    session = services.session
    session.image = replace(image(), voxels=image().voxels)
    assert solid.box_mm(session) == ((0, 8), (0, 6), (0, 4))
    solid.set_side(session, 2, 1.0, 3.0)
    assert session.view.solid_box == ((-0.5, 3.5), (-0.5, 5.5), (1.5, 5.5))
    assert solid.box_mm(session)[2] == (1.0, 3.0)
    solid.set_side(session, 2, 3.9, 1.0)
    assert solid.box_mm(session)[2] == (3.5, 4.0), "a voxel is left"
    solid.set_side(session, 2, -5, 99)
    assert session.view.solid_box is None


def test_clipping_to_the_mask_leaves_its_shown_structures_and_a_margin(services: Services) -> None:
    session = services.session
    with pytest.raises(InputError, match="none has a voxel"):
        solid.clip_to_mask(session)
    store = masks.new(services)
    grid = session.image.grid  # type: ignore[union-attr]
    place = tuple(n // 2 for n in grid.shape)
    store.paint(np.array([np.ravel_multi_index(place, grid.shape)]), 1)
    solid.clip_to_mask(session)
    box = session.view.solid_box
    assert box is not None
    for (low, high), k, n, mm in zip(box, place, grid.shape, grid.spacing, strict=True):
        assert low == max(-0.5, k - 0.5 - solid.MARGIN_MM / mm)
        assert high == min(n - 0.5, k + 0.5 + solid.MARGIN_MM / mm)
    session.hidden_labels = frozenset({1})
    with pytest.raises(InputError, match="none has a voxel"):
        solid.clip_to_mask(session)


@pytest.mark.parametrize("direction", [(0, 0, 1, 0, 1, 0, 1, 0, 0), (0, 0, -1, 0, -1, 0, -1, 0, 0)])
def test_what_is_cut_away_at_the_crosshair_lies_where_it_is_said(
    services: Services, direction: tuple[float, ...]
) -> None:
    session = services.session
    grid = Grid((7, 9, 11), (1, 1, 1), direction=direction)  # type: ignore[arg-type]
    session.image = Image(np.zeros(grid.shape, np.int16), grid, "CT", Rescale(1, 0, "HU"))
    session.view.cursor = (3, 4, 5)
    for side, world, sign in (("anterior", 1, -1), ("left", 0, 1), ("head", 2, 1)):
        session.view.solid_box = None
        solid.cut_at_cursor(session, side)  # type: ignore[arg-type]
        box = session.view.solid_box
        assert box is not None
        middle = grid.index_to_world([(low + high) / 2 for low, high in box])
        whole = grid.index_to_world([(n - 1) / 2 for n in grid.shape])
        assert np.sign(middle - whole)[world] == -sign
        assert np.count_nonzero(middle - whole) == 1
        across = grid.array_axis(world)
        lengths = [n if k != across else n // 2 + 1 for k, n in enumerate(grid.shape)]
        assert [high - low for low, high in box] == lengths
        solid.cut_at_cursor(session, side)
        assert session.view.solid_box is None, "once more takes it back"


def test_another_series_begins_whole_and_as_its_look_comes(services: Services) -> None:
    session = services.session
    solid.set_side(session, 0, 1, 2)
    solid.move_look(services, 0.3, 0.2)
    assert session.series is not None
    assert session.image is not None
    study.present(session, session.series, session.image)
    assert (session.view.solid_box, session.view.solid_shift, session.view.solid_stretch) == (None, 0.0, 1.0)


def test_what_is_asked_of_3d_is_seen(services: Services) -> None:
    shell = create_autospec(Shell, instance=True)
    actions = {action.id: action for action in build(services, create_autospec(Dialogs, instance=True), shell)}
    for name in ("solid.skin", "solid.next", "solid.from_head", "solid.turn_up", "solid.cut_top", "solid.through"):
        services.session.view.layout = "single"
        actions[name].callback()  # type: ignore[operator]
        assert services.session.view.layout == "mpr", name
    shell.look_from.assert_called_once_with("head")
    right, up = shell.turn_solid.call_args.args
    assert (right, np.degrees(up)) == (0, pytest.approx(15))
    solid.enlarge(services.session)
    assert services.session.view.layout == "solid"
    solid.enlarge(services.session)
    assert services.session.view.layout == "mpr"


def test_the_scene_tells_names_padding_and_whether_letters_are_known(services: Services) -> None:
    session = services.session
    masks.new(services)
    assert session.image is not None
    session.image = replace(session.image, padding=(-2000.0, -1500.0))
    scene = resolve_scene(session)
    assert scene is not None
    assert [name for name, _ in scene.names] == [s.name for s in session.mask.segments]  # type: ignore[union-attr]
    assert scene.padding is not None
    assert scene.padding[:2] == (-2000.0, -1500.0)
    real = scene.padding[2] * scene.slope + scene.intercept
    assert real == pytest.approx(session.image.darkest(False))
    session.hidden_labels = frozenset({1})
    scene = resolve_scene(session)
    assert scene is not None
    assert scene.names == ()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)])
def test_letters_hold_for_volumes_of_flipped_and_exchanged_axes(
    services: Services, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    axes = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        axes[world, axis] = sign
    session = services.session
    assert session.image is not None
    voxels = np.zeros((6, 7, 8), np.int16)
    session.image = replace(session.image, voxels=voxels, grid=Grid(voxels.shape, direction=tuple(axes.ravel())))
    made = resolve_scene(session)
    assert made is not None
    assert edge_letters(*DIRECTIONS["anterior"], made.towards) == ("R", "L", "S", "I")
    assert edge_letters(*DIRECTIONS["feet"], made.towards) == ("R", "L", "A", "P")


def test_letters_of_an_oblique_scan_are_the_patients_as_its_planes_have_them(services: Services) -> None:
    """Its axes lie askew in the patient, and the scene lies along them."""
    lean = np.radians(25)
    tilt = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    axes = tilt @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    session = services.session
    assert session.image is not None
    voxels = np.zeros((6, 7, 8), np.int16)
    session.image = replace(session.image, voxels=voxels, grid=Grid(voxels.shape, direction=tuple(axes.ravel())))
    made = resolve_scene(session)
    assert made is not None
    assert edge_letters(*DIRECTIONS["feet"], made.towards) == Plane.of(session.image.grid, "Axial").letters()
    assert edge_letters(*DIRECTIONS["anterior"], made.towards) == Plane.of(session.image.grid, "Coronal").letters()
    assert edge_letters(*DIRECTIONS["left"], made.towards) == Plane.of(session.image.grid, "Sagittal").letters()


def test_the_manual_has_every_look() -> None:
    text = resource("help/volume.md").read_text(encoding="utf-8")
    named = {name.strip() for row in text.splitlines() if row.startswith("| ") for name in row.split("|")[1].split(",")}
    assert {one.name for one in presets()} <= named
    assert f"{solid.MARGIN_MM:g} mm around" in text
