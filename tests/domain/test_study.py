"""What a scan found."""

from __future__ import annotations

from medviewer.domain.geometry import Grid
from medviewer.domain.study import ScanResult, Series, Study


def test_all_series_in_the_order_of_their_studies() -> None:
    made = [Series(uid, "MR", "", Grid((1, 1, 1)), (), "dicom") for uid in ("1", "2", "3")]
    found = ScanResult((Study("a", series=(made[1], made[0])), Study("b"), Study("c", series=(made[2],))))
    assert [series.uid for series in found.series] == ["2", "1", "3"]
    assert ScanResult().series == ()
