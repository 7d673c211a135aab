"""What a scan found."""

from __future__ import annotations

from dataclasses import replace

from medviewer.domain.geometry import Grid
from medviewer.domain.study import ScanResult, Series, Study


def test_all_series_in_the_order_of_their_studies() -> None:
    made = [Series(uid, "MR", "", Grid((1, 1, 1)), (), "dicom") for uid in ("1", "2", "3")]
    found = ScanResult((Study("a", series=(made[1], made[0])), Study("b"), Study("c", series=(made[2],))))
    assert [series.uid for series in found.series] == ["2", "1", "3"]
    assert ScanResult().series == ()


def test_a_file_lies_where_the_index_says_and_else_in_order() -> None:
    plain = Series("1.2", "MR", "", Grid((4, 1, 1)), (), "dicom")
    gap = replace(plain, index=(0, 1, 3))
    assert [plain.slice_of(k) for k in range(3)] == [0, 1, 2]
    assert [gap.slice_of(k) for k in range(3)] == [0, 1, 3]


def test_the_series_instance_uid_is_what_stands_before_the_number_sign() -> None:
    for uid in ("1.2", "1.2#0a1b2c3d4e", "1.2#t2", "1.2#0a1b2c3d4e-t2"):
        assert Series(uid, "MR", "", Grid((1, 1, 1)), (), "dicom").instance_uid == "1.2"
