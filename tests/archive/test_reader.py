"""What the window reads before SQLAlchemy is there: the same database, and never a change to it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from medviewer.archive import Archive
from medviewer.archive.database import FILE_NAME, Database
from medviewer.archive.tables import SideRow
from medviewer.errors import StoreError


def test_what_looks_can_change_nothing(tmp_path: Path) -> None:
    with Database(tmp_path / FILE_NAME) as database:
        with pytest.raises(StoreError, match="could not be read or written"), database.look() as connection:
            connection.execute("INSERT INTO split_sides VALUES ('p', 'k', 'train')")
        with database.look() as connection:
            assert connection.execute("SELECT count(*) FROM split_sides").fetchone()[0] == 0


def test_a_look_is_of_one_moment_and_the_next_one_is_newer(tmp_path: Path) -> None:
    count = "SELECT count(*) FROM split_sides"
    with Database(tmp_path / FILE_NAME) as database:
        with database.look() as connection:
            assert connection.execute(count).fetchone()[0] == 0
            with database.write() as session:
                session.add(SideRow(plugin_id="p", patient_key="k", side="train"))
            assert connection.execute(count).fetchone()[0] == 0
        with database.look() as connection:
            assert connection.execute(count).fetchone()[0] == 1


def test_threads_look_at_once(tmp_path: Path) -> None:
    inside = threading.Barrier(4, timeout=30)
    seen: list[int] = []

    def look(database: Database) -> None:
        for _ in range(5):
            with database.look() as connection:
                inside.wait()  # all of them have a connection now
                seen.append(connection.execute("SELECT count(*) FROM catalog_studies").fetchone()[0])

    with Database(tmp_path / FILE_NAME) as database:
        threads = [threading.Thread(target=look, args=(database,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [0] * 20


def test_a_statement_that_fails_is_told_without_what_was_asked_for(tmp_path: Path) -> None:
    with Database(tmp_path / FILE_NAME) as database:
        with pytest.raises(StoreError, match="could not be read or written") as caught, database.look() as connection:
            connection.execute("SELECT nothing FROM nowhere WHERE name = ?", ["DOE^JANE"])
        assert "DOE" not in str(caught.value) + caught.value.details
        with database.look() as connection:  # the next one has a connection that works
            connection.execute("SELECT 1")


def test_what_looks_is_closed_with_the_database(tmp_path: Path) -> None:
    database = Database(tmp_path / FILE_NAME)
    with database.look() as connection:
        database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME], "the log is gone with the last connection"


READ_ALL = """
import sys
from pathlib import Path
from medviewer.archive import Archive
from medviewer.archive.catalog import Query
with Archive.open(Path(sys.argv[1])) as archive:
    catalog = archive.catalog
    page, count = catalog.page(Query("roe"), 10)
    assert [one.uid for one in page] == ["1.2.3"] and count == 1, page
    assert catalog.get("1.2.3").patient.name == "ROE^JOHN"
    assert catalog.series_of("1.2.3") == catalog.attachments_of("1.2.3") == []
    assert catalog.choices() == ([], []) and catalog.listed(["1.2.3", "4"]) == {"1.2.3"}
    assert catalog.absent(["1.2.3"]) == frozenset() and catalog.files_of_study("1.2.3") == ()
    assert catalog.thumbnail("1.2.3.4") is None and catalog.of_same_patient("1.2.3") == []
    catalog.sweep()
print(*(name for name in ("sqlalchemy", "alembic") if name in sys.modules))
"""


def test_an_archive_is_read_without_sqlalchemy(tmp_path: Path) -> None:
    from medviewer.domain.study import Patient, ScanResult, Study

    with Archive.open(tmp_path) as archive:
        archive.catalog.add(ScanResult((Study("1.2.3", "2020-01-02", "", Patient("P", "ROE^JOHN")),)))
    command = [sys.executable, "-c", READ_ALL, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == ""
