"""Change since an earlier study and the RECIST 1.1 sum, all numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medviewer.domain.measure.follow_up import (
    Measured,
    Others,
    Response,
    TimePoint,
    changes,
    course_of,
    judge,
    overall,
    sum_of_targets,
)
from medviewer.domain.measure.matching import suggest
from medviewer.domain.measure.measurement import HANDLES, NO_PRIOR, Kind, Measurement
from medviewer.domain.measure.target_table import table_of
from medviewer.domain.measure.values import Value


def lesion(label: str, long: float, short: float | None = None, *, node: bool = False, target: bool = True) -> Measured:
    kind: Kind = "length" if short is None else "bidirectional"
    points = tuple((float(k), 0.0, 0.0) for k in range(HANDLES[kind]))
    values: tuple[Value, ...] = (Value("Length", long, "mm"),)
    if short is not None:
        values = (Value("Long axis", long, "mm"), Value("Short axis", short, "mm"))
    return Measured(Measurement("", kind, points, (0, 0, 1), "", label, target=target, node=node), values)


def region(label: str, name: str, number: float, unit: str) -> Measured:
    points = ((0, 0, 0), (1, 0, 0))
    return Measured(Measurement("", "sphere", points, (0, 0, 1), "", label), (Value(name, number, unit),))


def test_the_prior_has_the_same_label_and_a_value_that_compares() -> None:
    now = [
        lesion("Left  Hilum", 30, 20),
        lesion("Node", 25, 12, node=True),
        region("VOI", "Volume", 150, "mm³"),
        region("Film", "Diameter", 3, "px"),
        lesion("New", 9),
        lesion("", 4),
    ]
    prior = [
        lesion("left hilum", 7),
        lesion("left hilum", 24),
        lesion("Node", 24, 16, node=True),
        region("VOI", "Volume", 200, "mm³"),
        region("Film", "Diameter", 3, "mm"),
    ]
    found = changes(now, prior)
    assert [change.now.label for change in found] == ["left hilum", "node", "voi", "film", "new"]
    # 24 -> 30 is +25 %; short axis 16 -> 12 is -25 %; 200 -> 150 is -25 %
    assert [change.percent for change in found] == [25.0, -25.0, -25.0, None, None]
    assert found[0].prior is prior[1]
    assert found[3].prior is None


def test_of_nodes_the_short_axis_is_added_and_of_all_else_the_long_one() -> None:
    point = TimePoint("1", "2020-01-01", (lesion("A", 32, 20), lesion("B", 18), lesion("N", 22, 15.5, node=True)))
    total = sum_of_targets(point)
    assert total is not None
    assert total.mm == pytest.approx(32 + 18 + 15.5)
    assert total.diameters == (("A", 32), ("B", 18), ("N", 15.5))
    assert sum_of_targets(TimePoint("1", "", (lesion("A", 3, target=False),))) is None
    odd = region("V", "Volume", 5, "mm³")
    aimed = Measured(Measurement("", "sphere", ((0, 0, 0), (1, 0, 0)), (0, 0, 1), "", "V", target=True), odd.values)
    six = TimePoint("1", "", (aimed, *(lesion(f"T{k}", 10) for k in range(5))))
    told = sum_of_targets(six)
    assert told is not None
    assert told.mm == 50
    assert [note.partition(",")[0] for note in told.notes] == ["V has no diameter in mm", "There are 6 targets"]


@pytest.mark.parametrize(
    ("baseline", "nadir", "now", "expected"),
    [
        (100, 100, 70, "PR"),  # 30 % down
        (100, 100, 70.1, "SD"),
        (100, 50, 60, "PD"),  # 20 % and 10 mm above the nadir, though 40 % below the baseline
        (100, 50, 59.9, "PR"),
        (30, 20, 24.9, "SD"),  # 24.5 %, but under 5 mm; 17 % below the baseline
        (30, 20, 25, "PD"),
        (100, 100, 119, "SD"),
        (0.3, 0.3, 0.21, "PR"),  # 0.3 - 0.21 is 0.09 but for the last digit
    ],
)
def test_the_limits_of_response(baseline: float, nadir: float, now: float, expected: str) -> None:
    assert judge(baseline, nadir, now, all_gone=False) == expected


def test_the_course_is_against_baseline_and_nadir() -> None:
    first = TimePoint("1", "2020-01-01", (lesion("A", 60), lesion("N", 30, 20, node=True)))
    second = TimePoint("2", "2020-03-01", (lesion("A", 30), lesion("N", 20, 10, node=True)))
    third = TimePoint("3", "2020-06-01", (lesion("A", 36), lesion("N", 20, 12, node=True)))
    assert course_of([first, second]).response == "PR"  # 80 -> 40
    course = course_of([first, second, third])  # 80, 40, 48
    assert [total.mm for total in course.sums] == [80, 40, 48]
    assert (course.from_baseline, course.from_nadir, course.response) == (-40.0, 20.0, "PD")
    gone = TimePoint("4", "2020-09-01", (lesion("A", 0), lesion("N", 12, 9.9, node=True)))
    assert course_of([first, second, gone]).response == "CR"


def test_other_targets_do_not_compare_and_small_ones_are_told() -> None:
    first = TimePoint("1", "2020-01-01", (lesion("A", 9), lesion("N", 30, 14, node=True)))
    assert [note.partition(";")[0] for note in course_of([first]).notes] == [
        "A has a longest diameter of 9.0 mm",
        "N has a short axis of 14.0 mm",
    ]
    later = TimePoint("2", "2020-02-01", (lesion("A", 9), lesion("B", 12)))
    course = course_of([first, later])
    assert course.response is None
    assert course.notes == (
        "N was a target at first and is not measured now.",
        "B was no target at first; targets are chosen once.",
    )
    unnamed = TimePoint("2", "2020-02-01", (lesion("", 9),))
    assert "name every target" in course_of([first, unnamed]).notes[0]
    assert course_of([first, TimePoint("3", "2021-01-01")]).response is None
    assert course_of([]).sums == ()


def placed(uid: str, x: float, mm: float, label: str = "", **what: object) -> Measured:
    """A length of `mm` whose middle is at x, known by a UID."""
    points = ((x - mm / 2, 0.0, 0.0), (x + mm / 2, 0.0, 0.0))
    m = Measurement(uid, "length", points, (0, 0, 1), "", label)
    return Measured(replace(m, **what), (Value("Length", mm, "mm"),))  # type: ignore[arg-type]


def test_a_prior_that_a_person_named_counts_before_the_label() -> None:
    prior = [placed("p1", 0, 10, "A"), placed("p2", 50, 20)]
    now = [placed("n1", 0, 12, "A", prior="p2"), placed("n2", 50, 5, "A", prior=NO_PRIOR)]
    found = changes(now, prior)
    assert [(one.prior.measurement.uid if one.prior else None, one.percent) for one in found] == [
        ("p2", -40.0),
        (None, None),
    ]
    assert found[0].difference == Value("Change", -8.0, "mm")
    assert found[1].difference is None


def test_the_nearest_of_the_same_shape_is_suggested_and_each_once() -> None:
    prior = [placed("p1", 0, 10), placed("p2", 15, 10), placed("p3", 100, 10, "B"), placed("p4", 300, 10)]
    now = [placed("n1", 4, 11), placed("n2", 12, 11), placed("n3", 90, 9, "b"), placed("n4", 200, 9)]
    places = {one.measurement.uid: one.measurement.centre for one in prior}
    guessed = suggest(now, prior, places)
    assert guessed == {"n1": "p1", "n2": "p2"}, "n3 has its prior by its label, n4 has nothing near"
    assert suggest(now, prior, {}) == {}
    # the frame of the prior lies 30 mm further: n2 at 12 is then nearest to p1 at 30 less 30
    moved = {uid: (x - 12.0, y, z) for uid, (x, y, z) in places.items()}
    assert suggest(now, prior, moved)["n1"] == "p2"
    found = changes(now, prior, guessed)
    assert [(one.now.measurement.uid, one.confirmed) for one in found] == [("n1", False), ("n2", False), ("n3", True)]
    assert found[0].percent == pytest.approx(10.0)
    said = [replace(now[0], measurement=replace(now[0].measurement, prior=NO_PRIOR)), *now[1:]]
    assert "n1" not in suggest(said, prior, places)


@pytest.mark.parametrize(
    ("targets", "others", "new", "expected"),
    [
        # Eisenhauer 2009, Table 1
        ("CR", "CR", False, "CR"),
        ("CR", "none", False, "CR"),
        ("CR", "non-CR/non-PD", False, "PR"),
        ("CR", "NE", False, "PR"),
        ("PR", "NE", False, "PR"),
        ("PR", "non-CR/non-PD", False, "PR"),
        ("SD", "NE", False, "SD"),
        ("SD", "non-CR/non-PD", False, "SD"),
        (None, "non-CR/non-PD", False, None),
        ("PD", "CR", False, "PD"),
        ("PR", "PD", False, "PD"),
        ("CR", "CR", True, "PD"),
        (None, "none", True, "PD"),
    ],
)
def test_the_response_of_all_lesions(targets: Response | None, others: Others, new: bool, expected: str | None) -> None:
    assert overall(targets, others, new) == expected


def test_three_targets_of_an_organ_are_told_and_nodes_are_one_organ() -> None:
    point = TimePoint(
        "1",
        "2020-01-01",
        (
            *(placed(f"l{k}", 0, 20, f"L{k}", target=True, organ=organ) for k, organ in enumerate(("Liver", "liver "))),
            *(placed(f"n{k}", 0, 20, f"N{k}", target=True, node=True) for k in range(3)),
        ),
    )
    total = sum_of_targets(point)
    assert total is not None
    assert total.notes == ("There are 3 targets in lymph nodes, but RECIST 1.1 takes 2 of an organ.",)
    assert total.mm == 100
    later = replace(point, study_uid="2", date="2020-02-01")
    assert course_of([point, later]).response == "SD", "it is a warning, not a refusal"


def test_the_table_has_a_column_a_study_and_follows_what_was_linked() -> None:
    first = TimePoint("1", "2020-01-01", (placed("a1", 0, 60, "A", target=True), placed("b1", 9, 20, target=True)))
    second = TimePoint(
        "2", "2020-03-01", (placed("a2", 0, 30, "a", target=True), placed("b2", 9, 10, prior="b1", target=True))
    )
    between = TimePoint("x", "2020-04-01", (placed("z", 0, 3),))
    third = TimePoint(
        "3", "2020-06-01", (placed("a3", 0, 36, "A", target=True), placed("b3", 9, 12, prior="b2", target=True))
    )
    table = table_of([first, second, between, third])
    assert table.dates == ("2020-01-01", "2020-03-01", "2020-06-01")
    assert [(row.title, row.mm) for row in table.rows] == [("A", (60, 30, 36)), ("Length", (20, 10, 12))]
    # 80 -> 40 is half of it; 40 -> 48 is 20 % and 8 mm above the nadir
    assert table.sums == (80, 40, 48)
    assert table.from_baseline == (None, -50.0, -40.0)
    assert table.from_nadir == (None, -50.0, 20.0)
    assert table.responses == (None, "PR", "PD")
    assert (table.nadir, table.notes) == (1, ())
    assert table_of([]).rows == ()
    twice = TimePoint("1", "2020-01-01", (placed("a", 0, 60, "A", target=True), placed("b", 9, 20, "a", target=True)))
    doubled = table_of([twice])
    assert (doubled.sums, [row.mm for row in doubled.rows]) == ((80,), [(60,), (20,)])
    assert doubled.notes[0] == "A is a target 2 times in one study; take all but one out of the sum."
    lost = TimePoint("4", "2020-08-01", (placed("a4", 0, 20, "A", target=True),))
    gone = table_of([first, second, lost])
    assert gone.responses[-1] is None
    assert gone.rows[1].mm == (20, 10, None)
    assert gone.notes == ("Length was a target at first and is not measured now.",)
