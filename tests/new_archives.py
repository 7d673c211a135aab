"""New archives in a moment: what Alembic's steps come to is noted once a run, and written as it is from then on.

Nearly every test has an archive of its own. Those about archives go the long way (``tests/archive``).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from medviewer.archive import sessions

_BY_STEPS = sessions._migrate
_PARTS_OF_THE_SEARCH = "catalog_search_"
"""Beginning of the names of the tables that the search's virtual table makes itself."""
_noted: list[str] = []


def make(path: Path, connection: Connection, present: str | None, wanted: str) -> None:
    """Do what `sessions._migrate` does; a new database gets the tables that the first one got."""
    if present is not None or sessions._has_tables(connection):
        _BY_STEPS(path, connection, present, wanted)
    elif not _noted:
        _BY_STEPS(path, connection, present, wanted)
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        ).all()
        _noted.extend(sql for name, sql in rows if not name.startswith(_PARTS_OF_THE_SEARCH))
        _noted.append(f"INSERT INTO alembic_version VALUES ('{wanted}')")
    else:
        for statement in _noted:
            connection.exec_driver_sql(statement)
