from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medviewer.learning.gate import (
    HD95_TOLERANCE_MM,
    MAX_CASE_LOSS,
    MIN_CASES,
    CaseScore,
    Score,
    Verdict,
    VerdictKind,
    judge,
)

scores = st.builds(Score, st.floats(0, 1), st.floats(0, 400))
pair_lists = st.lists(st.builds(CaseScore, st.uuids().map(str), scores, scores), max_size=8)


def pairs(*changes: float, hd95: float = 0.0) -> list[CaseScore]:
    """Cases that start at Dice 0.8 and HD95 5 mm."""
    return [CaseScore(f"case{k}", Score(0.8, 5.0), Score(0.8 + c, 5.0 + hd95)) for k, c in enumerate(changes)]


@given(pair_lists)
def test_only_what_is_better_passes(cases: list[CaseScore]) -> None:
    verdict = judge(cases)
    if verdict.kind is VerdictKind.BETTER:
        assert np.mean([pair.candidate.dice for pair in cases]) > np.mean([pair.present.dice for pair in cases])
        assert np.mean([pair.hd95_change for pair in cases]) <= HD95_TOLERANCE_MM
        assert min(pair.dice_change for pair in cases) >= -MAX_CASE_LOSS
        assert len(cases) >= MIN_CASES
    assert (verdict.kind is VerdictKind.UNDECIDED) == (len(cases) < MIN_CASES)
    assert Verdict.from_json(verdict.to_json()) == verdict


@given(pair_lists)
def test_no_version_is_better_than_itself(cases: list[CaseScore]) -> None:
    assert judge([CaseScore(p.case_id, p.present, p.present) for p in cases]).kind is not VerdictKind.BETTER


@given(st.lists(st.builds(CaseScore, st.just("c"), scores, scores), min_size=MIN_CASES, max_size=6))
def test_order_does_not_matter(cases: list[CaseScore]) -> None:
    forward, backward = judge(cases), judge(cases[::-1])
    assert forward.kind == backward.kind
    assert forward.dice_change == pytest.approx(backward.dice_change)


@pytest.mark.parametrize(
    ("cases", "kind", "words"),
    [
        (pairs(0.05, 0.05, 0.05), VerdictKind.BETTER, "3 held-out cases mean Dice went from 0.800 to 0.850"),
        (pairs(0.05, 0.05, -0.01), VerdictKind.BETTER, "Better"),
        (pairs(0.2, 0.2, -0.03), VerdictKind.WORSE, "case case2 lost 0.030 Dice"),
        (pairs(0.05, 0.05, 0.05, hd95=1.0), VerdictKind.WORSE, "HD95 from 5.0 to 6.0 mm"),
        (pairs(0.0, 0.0, 0.0), VerdictKind.WORSE, "mean Dice did not rise; the present version stays"),
        (pairs(-0.1, -0.1, -0.1), VerdictKind.WORSE, "Not better"),
        (
            pairs(0.3),
            VerdictKind.UNDECIDED,
            "1 held-out case is too few to tell better from worse (3 needed): look at the masks and decide yourself.",
        ),
        (pairs(-0.3, -0.3), VerdictKind.UNDECIDED, "2 held-out cases are too few"),
        ([], VerdictKind.UNDECIDED, "0 held-out cases are too few"),
    ],
)
def test_the_sentence_says_what_and_why(cases: list[CaseScore], kind: VerdictKind, words: str) -> None:
    verdict = judge(cases)
    assert verdict.kind is kind
    assert words in verdict.sentence


def test_a_score_that_is_no_number_never_passes() -> None:
    broken = CaseScore("c", Score(0.8, 5.0), Score(float("nan"), 5.0))
    assert judge([broken, *pairs(0.1, 0.1, 0.1)]).kind is VerdictKind.WORSE
