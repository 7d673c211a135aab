"""The SQLite database of the archive: opening, upgrading, and transactions.

Several processes may have it open (a window and the command line): the write-ahead log lets them read while one
writes, and writers take turns.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from medviewer.archive.home import make_folder
from medviewer.domain.provenance import utc_now
from medviewer.errors import StoreError

FILE_NAME = "medviewer.db"
REVISION = "0004"
"""The revision that this program's tables have; a database that has it opens without loading the migrations."""

_MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 20.0
"""How long a writer waits for its turn before it gives up."""


class Database:
    """One open database.

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
        _make_private(path)
        self._engine = _engine(path)
        self._writing = self._engine.execution_options(medviewer_immediate=True)
        try:
            self._upgrade()
        except BaseException:
            self.close()
            raise

    def read(self) -> AbstractContextManager[Session]:
        """A session that sees one consistent state. Raises StoreError if the database fails."""
        return self._session(self._engine)

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
        return self._session(self._writing.execution_options(medviewer_wait_s=wait_s))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        with _mapped(self.path), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def _upgrade(self) -> None:
        with _mapped(self.path):
            with self._engine.connect() as connection:
                present = _revision(connection)
            if present == REVISION:
                return
            with self._writing.begin() as connection:
                # Another process may have done it while this one waited for its turn.
                present = _revision(connection)
                if present != REVISION:
                    _migrate(self.path, connection, present)


def _make_private(path: Path) -> None:
    """Let nobody else read the database: it holds names. Its log gets the same permissions from SQLite."""
    try:
        path.touch(mode=0o600)
        if os.name != "nt" and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"The database {path} should be readable by this user only, but its permissions cannot be set; choose "
            "another folder with MEDVIEWER_HOME.",
            str(error),
        ) from error


def _migrate(path: Path, connection: Connection, present: str | None) -> None:
    # Imported here: most starts find the database up to date and need none of it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if present is None and _has_tables(connection):
        raise StoreError(
            f"{path} should be a database of medviewer, but another program made it; move it away and start again."
        )
    if present is not None and present not in known:
        raise StoreError(
            f"The archive in {path.parent} was written by a newer medviewer (its format is {present}, this program "
            f"knows up to {REVISION}); update medviewer to open it."
        )
    if present is not None:
        _back_up(path, present)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"The archive in {path.parent} could not be upgraded and stays as it was; report this.", str(error)
        ) from error


def _back_up(path: Path, revision: str) -> None:
    folder = make_folder(path.parent / "backups")
    stamp = utc_now().replace(":", "").replace("+0000", "Z")
    target = folder / f"medviewer-{revision}-{stamp}.db"
    _make_private(target)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def _revision(connection: Connection) -> str | None:
    known = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).first()
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first() if known else None
    return str(row[0]) if row else None


def _has_tables(connection: Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'"
    return connection.execute(text(query)).first() is not None


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": BUSY_S},
        hide_parameters=True,  # values never reach a log or an error's text
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself: it begins them late and never for DDL.
        connection.isolation_level = None
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # a name that was removed is not left readable in the file

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A writer takes its turn at once: one that reads first and writes later can be refused without waiting.
        options = connection.get_execution_options()
        immediate = options.get("medviewer_immediate", False)
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {options.get('medviewer_wait_s', BUSY_S) * 1000:.0f}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on; SQLite does not wait by itself when two processes do this to a new file."""
    give_up = time.monotonic() + BUSY_S
    while _first(connection, "PRAGMA journal_mode") != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _first(connection: sqlite3.Connection, query: str) -> Any:
    return connection.execute(query).fetchone()[0]


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        busy = "locked" in str(error.orig) or "busy" in str(error.orig)
        cure = "close the other medviewer that is using it" if busy else "check the disk's space and permissions"
        raise StoreError(
            f"The database {path} could not be read or written; {cure} and try again.", str(error)
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(
            f"The database {path} refused the change or is damaged; its backups are beside it.", str(error)
        ) from error
