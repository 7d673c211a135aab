"""Reading the archive's database with what Python itself has: the window lists its studies this way.

SQLAlchemy takes a third of a second to import, and a start that waited for it would show an empty list as long. What
is written, and whatever else is read, goes through `medviewer.archive.sessions`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medviewer.errors import StoreError


class Reader:
    """Connections that only read: SQLite itself refuses them any change. Safe to use from several threads.

    Parameters
    ----------
    path
        The SQLite file, which exists.
    wait_s
        How long a question waits while another program has the file for itself.
    """

    def __init__(self, path: Path, wait_s: float) -> None:
        self._path, self._wait_s = path, wait_s
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def look(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one consistent state; its rows are known by the names of their columns.

        Raises
        ------
        StoreError
            If the database fails.
        """
        with told(self._path):
            connection = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    def close(self) -> None:
        """Close what nobody uses; what is in use is closed when it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()

    def _connect(self) -> sqlite3.Connection:
        # each connection is used by one thread at a time, but not always by the same
        made = sqlite3.connect(self._path, timeout=self._wait_s, isolation_level=None, check_same_thread=False)
        try:
            made.row_factory = sqlite3.Row
            made.execute("PRAGMA query_only = ON")
        except BaseException:
            made.close()
            raise
        return made


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say in a StoreError what SQLite's own errors mean."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(unusable(path, str(error)), str(error)) from error
    except sqlite3.Error as error:
        raise StoreError(damaged(path), str(error)) from error


def unusable(path: Path, said: str) -> str:
    """The sentence for a database that cannot be used now; `said` is what SQLite says."""
    busy = "locked" in said or "busy" in said
    cure = "close the other medviewer that is using it" if busy else "check the disk's space and permissions"
    return f"The database {path} could not be read or written; {cure} and try again."


def damaged(path: Path) -> str:
    """The sentence for a database that refuses what is asked of it."""
    return f"The database {path} refused the change or is damaged; its backups are beside it."
