"""Transactions on the archive's database, and its upgrades: SQLAlchemy and, where it is needed, Alembic."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from medviewer.archive.database import BUSY_S
from medviewer.archive.home import make_folder, make_private
from medviewer.archive.reader import damaged, unusable
from medviewer.domain.provenance import utc_now
from medviewer.errors import StoreError

_MIGRATIONS = Path(__file__).parent / "migrations"


class Sessions:
    """The sessions of one database; nothing is opened before one is asked for.

    Parameters
    ----------
    path
        The SQLite file, which exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)
        self._writing = self._engine.execution_options(medviewer_immediate=True)

    def read(self) -> AbstractContextManager[Session]:
        """A session that sees one consistent state. Raises StoreError if the database fails."""
        return self._session(self._engine)

    def write(self, wait_s: float) -> AbstractContextManager[Session]:
        """A session that commits at its end, all or nothing; see `Database.write`."""
        return self._session(self._writing.execution_options(medviewer_wait_s=wait_s))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def upgrade(self, revision: str) -> None:
        """Bring the database to the format of this program, after a copy of it was put aside; make a new one.

        Parameters
        ----------
        revision
            That format.

        Raises
        ------
        StoreError
            If the file is no database of medviewer, is from a newer medviewer, or cannot be opened.
        """
        with _mapped(self.path):
            with self._engine.connect() as connection:
                present = _revision(connection)
            if present == revision:
                return
            with self._writing.begin() as connection:
                # Another process may have done it while this one waited for its turn.
                present = _revision(connection)
                if present != revision:
                    _migrate(self.path, connection, present, revision)

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        with _mapped(self.path), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session


def _migrate(path: Path, connection: Connection, present: str | None, wanted: str) -> None:
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
            f"knows up to {wanted}); update medviewer to open it."
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
    make_private(target)
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
        raise StoreError(unusable(path, str(error.orig)), str(error)) from error
    except SQLAlchemyError as error:
        raise StoreError(damaged(path), str(error)) from error
