from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medviewer.learning.split import HELD_OUT_FRACTION, Side, assign

patients = st.sets(st.text("0123456789abcdef", min_size=1, max_size=6), max_size=40)


def held_out(sides: dict[str, Side]) -> int:
    return sum(side is Side.HELD_OUT for side in sides.values())


@given(patients)
def test_a_third_is_held_out_and_someone_always_trains(people: set[str]) -> None:
    sides = assign("p", people, {})
    assert sides.keys() == people
    if len(people) < 2:
        assert held_out(sides) == 0
    else:
        assert held_out(sides) == max(1, round(len(people) * HELD_OUT_FRACTION)) < len(people)


@given(patients, st.randoms())
def test_the_order_in_which_cases_came_does_not_matter(people: set[str], random: object) -> None:
    shuffled = sorted(people)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types it as object's Random
    assert assign("p", shuffled, {}) == assign("p", people, {})


@given(st.lists(patients, max_size=6))
def test_nobody_ever_changes_sides(waves: list[set[str]]) -> None:
    known: dict[str, Side] = {}
    for wave in waves:
        sides = assign("p", wave, known)
        assert known.items() <= sides.items()
        assert sides.keys() == known.keys() | wave
        assert not sides or Side.TRAIN in sides.values()
        assert len(sides) < 2 or held_out(sides) >= 1 or not (wave - known.keys())
        known = sides


def test_plugins_split_their_own_way() -> None:
    people = {f"patient {k}" for k in range(30)}
    assert assign("a", people, {}) != assign("b", people, {})


def test_the_first_patient_trains_and_the_second_is_held_out() -> None:
    first = assign("p", {"x"}, {})
    assert first == {"x": Side.TRAIN}
    assert assign("p", {"x", "y"}, first) == {"x": Side.TRAIN, "y": Side.HELD_OUT}
