"""Turned planes lie on the screen by the convention of the anatomical plane that they are nearest to."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.domain.geometry import Grid
from medviewer.domain.plane import PLANES, nearest_plane, seen_as
from medviewer.domain.turned import Turned

LEFT, BACK, HEAD = np.eye(3)
SCREEN = {"Axial": (BACK, LEFT), "Coronal": (-HEAD, LEFT), "Sagittal": (-HEAD, BACK)}
"""What is down and what is right, as reading rooms hang it: the patient's right, or the front, is at the left."""

names = st.sampled_from(PLANES)
turns = st.lists(st.tuples(names, st.floats(-3.1, 3.1)), min_size=1, max_size=5)
senses = st.tuples(*[st.sampled_from((-1, 1))] * 3)


def straight(sense: tuple[int, int, int] = (1, 1, 1)) -> Turned:
    """Straight planes of a volume whose arrays run this way or that along the patient."""
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * sense
    return Turned.straight(Grid((40, 50, 60), (1.5, 1.0, 1.0), (0, 0, 0), tuple(axes.ravel())), (0.0, 0.0, 0.0))


@settings(max_examples=100)
@given(turns, senses)
def test_nothing_is_mirrored_whatever_way_it_is_turned(
    steps: list[tuple[str, float]], sense: tuple[int, int, int]
) -> None:
    first = made = straight(sense)
    for name, angle in steps:
        made = made.turned(name, angle)
    for name in PLANES:
        normal, down, right = made.basis(name).T
        seen, _ = seen_as(made.basis(name), name)
        convention = SCREEN[seen]
        assert down @ convention[0] > 0, seen
        assert right @ convention[1] > 0, seen
        assert np.cross(right, -down) @ np.cross(convention[1], -convention[0]) > 0, "seen from the usual side"
        assert normal @ first.basis(seen)[:, 0] > 0, "the wheel goes the usual way"
        nearest, _ = nearest_plane(tuple(normal), name)
        others = np.abs(normal)
        assert seen == nearest or np.sort(others)[-1] - np.sort(others)[-2] < 0.075, "it is the nearest, or nearly"


def jumps(made: Turned, plane: str, turned_in: str, degrees: list[float]) -> int:
    """How often a plane is flipped while a hand turns it through so many degrees, one after the other."""
    count = 0
    for step in degrees:
        before = made.basis(plane)[:, 1:]
        made = made.turned(turned_in, np.radians(step))
        count += bool(((before * made.basis(plane)[:, 1:]).sum(axis=0) < 0.5).any())
    return count


@pytest.mark.parametrize("turned_in", PLANES)
@pytest.mark.parametrize("way", [-1, 1])
def test_a_hand_that_trembles_half_way_flips_nothing_to_and_fro(turned_in: str, way: int) -> None:
    tremble = [way * 1.0] * 43 + [way * 4.0, -way * 4.0] * 20
    for plane in PLANES:
        assert jumps(straight(), plane, turned_in, tremble) <= 1
        assert jumps(straight(), plane, turned_in, [way * 1.0] * 90) <= 1
        assert jumps(straight(), plane, turned_in, [way * 0.5] * 60 + [-way * 0.5] * 60) == 0


def test_a_coronal_plane_that_is_turned_to_the_side_is_shown_as_a_sagittal_one() -> None:
    for way in (-1, 1):
        made = straight().turned("Axial", way * np.pi / 2)
        assert made.title("Coronal") == "Sagittal"
        assert made.plane("Coronal")[0].letters() == ("A", "P", "S", "I")
        assert made.plane("Sagittal")[0].letters() == ("R", "L", "S", "I")
        made = straight().turned("Coronal", way * np.pi / 2)
        assert made.plane("Axial")[0].letters() == ("A", "P", "S", "I"), "an axial one is rotated for it, too"
        assert made.plane("Sagittal")[0].letters() == ("R", "L", "A", "P")


def test_turning_on_and_back_shows_the_planes_as_they_were() -> None:
    made = straight()
    for _ in range(36):
        made = made.turned("Sagittal", np.radians(5))
    for name in PLANES:
        np.testing.assert_allclose(made.basis(name), straight().basis(name), atol=1e-9)


def test_a_saved_basis_stays_as_it_was_until_its_plane_is_turned() -> None:
    mirrored = np.stack([LEFT, -HEAD, -BACK], axis=1)
    first = straight()
    saved = Turned(first.grid, (first.bases[0], tuple(mirrored.ravel()), first.bases[2]), first.point)
    np.testing.assert_array_equal(saved.basis("Sagittal"), mirrored)
    for made in (saved.moved((3.0, 4.0, 5.0)), saved.stepped("Sagittal", 2), saved.turned("Sagittal", 0.3)):
        np.testing.assert_array_equal(made.basis("Sagittal"), mirrored)
    _, down, right = saved.turned("Axial", 0.1).basis("Sagittal").T
    assert right @ BACK > 0.9
    assert down @ -HEAD > 0.9


def test_a_plane_is_flipped_in_one_step_alone() -> None:
    """Between two flips the picture only turns, as the hand does."""
    made, bases = straight(), []
    for _ in range(180):
        made = made.turned("Axial", np.radians(1))
        bases.append(made.basis("Coronal"))
    steps = [np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1))) for a, b in pairwise(bases)]
    assert sum(step > 1.01 for step in steps) <= 2
