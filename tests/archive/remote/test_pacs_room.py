"""What a retrieval may bring: bounds, and the room on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from medviewer.archive.remote.landing import Landing
from medviewer.archive.remote.room import RESERVE, Room
from medviewer.errors import RemoteError, StoreError

SMALL = Path(str(get_testdata_file("CT_small.dcm")))
STUDY, SERIES = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322", "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322"
CONTENT = SMALL.read_bytes()


def test_objects_that_nobody_listed_are_bounded_in_number_and_bytes(tmp_path: Path) -> None:
    for room in (Room(tmp_path, max_objects=1), Room(tmp_path, max_bytes=len(CONTENT) + 1)):
        landing = Landing(tmp_path, STUDY, SERIES, [], room=room)
        landing.take(lambda stream: stream.write(CONTENT))
        assert not room.is_spent
        with pytest.raises(RemoteError, match="does not list, but it sent more"):
            landing.take(lambda stream: stream.write(CONTENT))
        assert room.is_spent
        assert landing.count() == 1


def test_a_disk_that_gets_full_is_told_and_nothing_unfinished_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = Landing(tmp_path, STUDY, SERIES, [])
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": RESERVE - 1})())
    with pytest.raises(StoreError, match="free some space"):
        landing.take(lambda stream: stream.write(CONTENT))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": RESERVE + 1000})())
    room = Room(tmp_path)
    room.check_rest(100, 1, 1000)  # one object tells nothing of the others
    with pytest.raises(StoreError, match="needs about"):
        room.check_rest(8000, 8, 100)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="free some space"):
        landing.take(full)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
