from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

import medviewer
from medviewer.archive import Archive, database
from medviewer.archive.database import FILE_NAME, REVISION, Database
from medviewer.archive.tables import Base, SideRow
from medviewer.errors import StoreError


def test_the_migrations_make_the_tables_of_the_program(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with Database(path):
        engine = create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            # The index of the search is a virtual table, and makes tables of its own.
            opts = {"compare_type": True, "include_name": lambda name, *_: not str(name).startswith("catalog_search")}
            context = MigrationContext.configure(connection, opts=opts)
            assert compare_metadata(context, Base.metadata) == []
        engine.dispose()


def test_partial_indexes_are_in_the_migrations(tmp_path: Path) -> None:
    # Alembic's comparison leaves their conditions out.
    with Database(tmp_path / FILE_NAME) as opened, opened.read() as session:
        rows = session.execute(text("SELECT name, sql FROM sqlite_master WHERE sql LIKE '%WHERE%'")).all()
    conditions = {name: sql.partition("WHERE ")[2] for name, sql in rows}
    declared = {
        index.name: str(index.dialect_options["sqlite"]["where"])
        for table in Base.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    assert conditions == declared


def test_the_program_names_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_it_is_durable_and_strict(tmp_path: Path) -> None:
    with Database(tmp_path / FILE_NAME) as opened, opened.read() as session:
        settings = {
            name: session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def add_and_fail(session: Session) -> None:
    session.add(SideRow(plugin_id="p", patient_key="k", side="train"))
    session.flush()
    raise ZeroDivisionError


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with Database(tmp_path / FILE_NAME) as opened:
        with pytest.raises(ZeroDivisionError), opened.write() as session:
            add_and_fail(session)
        with opened.read() as session:
            assert session.scalars(select(SideRow)).all() == []


def test_a_refused_change_is_one_sentence_without_values(tmp_path: Path) -> None:
    with Database(tmp_path / FILE_NAME) as opened:
        for attempt in (1, 2):
            row = SideRow(plugin_id="p", patient_key="secret-key", side="train")
            if attempt == 1:
                with opened.write() as session:
                    session.add(row)
            else:
                with pytest.raises(StoreError, match="refused the change") as caught, opened.write() as session:
                    session.add(row)
                assert "secret-key" not in str(caught.value) + caught.value.details


def test_readers_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with Database(path) as one, Database(path) as two, one.write() as writer:
        writer.add(SideRow(plugin_id="p", patient_key="k", side="train"))
        writer.flush()
        with two.read() as reader:
            assert reader.scalars(select(SideRow)).all() == []


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    Database(tmp_path / FILE_NAME).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
        connection.commit()
    with pytest.raises(StoreError, match=r"newer medviewer.*0999.*update medviewer"):
        Archive.open(tmp_path)
    assert not (tmp_path / "backups").exists()


def test_an_older_database_is_copied_before_it_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Archive.open(tmp_path) as archive, archive.session() as session:
        session.add(SideRow(plugin_id="p", patient_key="k", side="train"))
    monkeypatch.setattr(database, "REVISION", "9999")  # as if this program's tables were one step further
    with Archive.open(tmp_path) as archive, archive.reading() as session:
        assert len(session.scalars(select(SideRow)).all()) == 1
    [copy] = (tmp_path / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT patient_key FROM split_sides").fetchall() == [("k",)]


def test_what_is_no_database_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / FILE_NAME).write_text("not a database " * 100)
    with pytest.raises(StoreError, match="damaged"):
        Archive.open(tmp_path / "text")
    (tmp_path / "other").mkdir()
    with closing(sqlite3.connect(tmp_path / "other" / FILE_NAME)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match="another program made it"):
        Archive.open(tmp_path / "other")


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="MEDVIEWER_HOME"):
        Archive.open(tmp_path / "file" / "home")


OPEN_AND_COUNT = """
import sys
from pathlib import Path
from medviewer.archive import Archive
from medviewer.archive.tables import SideRow
sys.stdin.readline()
with Archive.open(Path(sys.argv[1])) as archive:
    for k in range(20):
        with archive.session() as session:
            session.add(SideRow(plugin_id=sys.argv[2], patient_key=str(k), side="train"))
"""


def test_processes_that_open_a_new_archive_at_once_all_get_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(medviewer.__file__).parents[1])}
    commands = [[sys.executable, "-c", OPEN_AND_COUNT, tmp_path / "home", f"p{n}"] for n in range(3)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) for command in commands]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.close()
    assert [child.wait(60) for child in children] == [0, 0, 0]
    with Archive.open(tmp_path / "home") as archive, archive.reading() as session:
        assert len(session.scalars(select(SideRow)).all()) == 60
