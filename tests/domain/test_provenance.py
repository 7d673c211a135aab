"""How a result came to be, and that it is kept whole."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from medviewer.domain.finding import Classification
from medviewer.domain.provenance import Provenance, utc_now

words = st.text(max_size=3)
parameters = st.dictionaries(words, st.none() | st.integers() | words | st.lists(st.integers(), max_size=2), max_size=2)


@settings(max_examples=30)
@given(st.builds(Provenance, words, words, words, parameters, words, words, words, words, st.tuples(words, words)))
def test_json_and_back(made: Provenance) -> None:
    assert Provenance.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_labels() -> None:
    assert Provenance("brain-extraction", "0.9", "1.2.0").label == "brain-extraction, model 1.2.0"
    assert Provenance(author="jd").label == "by jd"
    assert Provenance().label == "by hand"


def test_times_are_utc_to_the_second() -> None:
    now = datetime.fromisoformat(utc_now())
    assert now.utcoffset() == timedelta(0)
    assert now.microsecond == 0


def test_the_most_probable_class() -> None:
    assert Classification({"NORMAL": 0.2, "PNEUMONIA": 0.7, "OTHER": 0.1}).top == ("PNEUMONIA", 0.7)
