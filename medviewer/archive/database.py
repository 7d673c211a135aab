"""The SQLite database of the archive: opening it, and the two ways to it.

Several processes may have it open (a window and the command line): the write-ahead log lets them read while one
writes, and writers take turns.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from medviewer.archive.home import make_folder, make_private
from medviewer.archive.reader import Reader

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from medviewer.archive.sessions import Sessions

FILE_NAME = "medviewer.db"
REVISION = "0004"
"""The revision that this program's tables have; a database that has it opens without SQLAlchemy and Alembic."""

BUSY_S = 20.0
"""How long a writer waits for its turn before it gives up."""


class Database:
    """One open database. Safe to use from several threads.

    Parameters
    ----------
    path
        The SQLite file. It is made when missing, and upgraded, after a copy of it was put aside, when it is older
        than this program.

    Raises
    ------
    StoreError
        If the file is no database of medviewer, is from a newer medviewer, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        make_private(path)
        self._reader = Reader(path, BUSY_S)
        self._asked = threading.Lock()
        self._sessions: Sessions | None = None
        try:
            if not self._is_present():
                self._opened().upgrade(REVISION)
        except BaseException:
            self.close()
            raise

    def look(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that only reads and sees one consistent state, with rows by the names of their columns.

        What is asked in plain SQL, and soon after the start. Raises StoreError if the database fails.
        """
        return self._reader.look()

    def read(self) -> AbstractContextManager[Session]:
        """A session that sees one consistent state. Raises StoreError if the database fails."""
        return self._opened().read()

    def write(self, wait_s: float = BUSY_S) -> AbstractContextManager[Session]:
        """A session that commits at its end, all or nothing; the only writer while it is open.

        Parameters
        ----------
        wait_s
            How long it waits for its turn, in seconds; who writes while a person waits for the window asks for less.

        Raises
        ------
        StoreError
            If the database fails or another process keeps it for longer than that.
        """
        return self._opened().write(wait_s)

    def close(self) -> None:
        """Close every connection."""
        self._reader.close()
        if self._sessions is not None:
            self._sessions.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> Sessions:
        """SQLAlchemy's half, which takes a third of a second to import, once it is needed."""
        with self._asked:
            if self._sessions is None:
                from medviewer.archive.sessions import Sessions

                self._sessions = Sessions(self.path)
            return self._sessions

    def _is_present(self) -> bool:
        """Whether the file has the format of this program; one that is new has none."""
        with self._reader.look() as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
                return False
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return row is not None and row["version_num"] == REVISION
