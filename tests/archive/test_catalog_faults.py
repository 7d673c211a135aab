"""The catalogue when things go wrong: an older database, a killed import, two programs at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

import medviewer
from medviewer import formats
from medviewer.archive import Archive, database
from medviewer.archive.catalog import copies as copies_module
from medviewer.archive.database import FILE_NAME, REVISION
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Patient, Series, Study
from medviewer.errors import JobCancelled

CHILD = Path(__file__).with_name("crash_child.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(medviewer.__file__).parents[1])}
COUNT, FILES = 6, 5


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """Six series of one study, five files each."""
    folder = tmp_path / "disc"
    grid = Grid((FILES, 32, 32), (2.0, 1.0, 1.0))
    image = Image(np.zeros(grid.shape, np.int16), grid, "CT")
    study = Study("1.2.826.0.1.5", "2020-01-02", "Trauma", Patient("P", "ROE^JOHN"))
    for k in range(COUNT):
        (folder / str(k)).mkdir(parents=True)
        series = Series(f"1.2.826.0.1.5.{k}", "CT", f"Series {k}", grid, (), "dicom", number=k)
        formats.write_dicom_series(image, folder / str(k), study=study, series=series)
    return folder


def test_a_database_of_before_the_catalogue_is_upgraded_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO split_sides VALUES ('p', 'k', 'train')")
        connection.commit()
    with Archive.open(tmp_path) as archive:
        assert archive.catalog.count() == 0
        archive.catalog.add(formats.scan([Path(__file__).parents[1] / "data" / "colin27_brain.nii.gz"]))
        assert archive.catalog.count() == 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT side FROM split_sides").fetchall() == [("train",)]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
    assert len(list((tmp_path / "backups").iterdir())) == 1


def test_a_killed_import_lists_whole_series_only_and_can_be_done_again(tmp_path: Path, disc: Path) -> None:
    home = tmp_path / "home"
    with subprocess.Popen(
        [sys.executable, CHILD, "import", home, disc], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "2", "series that it had listed when it was killed"
        child.kill()
    with Archive.open(home) as archive:
        catalog = archive.catalog
        series = catalog.series_of("1.2.826.0.1.5")
        assert len(series) == 2
        for one in series:
            files = catalog.files_of(one.uid)
            assert len(files) == FILES
            assert {path.read_bytes() for path in files} == {
                path.read_bytes() for path in (disc / one.uid.rpartition(".")[2]).iterdir()
            }
        litter = list((home / "studies" / ".incoming").iterdir())
        assert len(litter) == 1, "the file that was being copied"
        catalog.add(formats.scan([disc]), copy=True)
        assert list((home / "studies" / ".incoming").iterdir()) == []
        assert len(catalog.series_of("1.2.826.0.1.5")) == COUNT
        assert all(len(catalog.files_of(one.uid)) == FILES for one in catalog.series_of("1.2.826.0.1.5"))
        assert catalog.missing("1.2.826.0.1.5") == ()


IMPORT = """
import sys
from pathlib import Path
from medviewer import formats
from medviewer.archive import Archive
found = formats.scan([Path(sys.argv[2])])
with Archive.open(Path(sys.argv[1])) as archive:
    sys.stdin.readline()
    archive.catalog.add(found, copy=sys.argv[3] == "copy")
"""


def test_two_programs_that_import_the_same_at_once_list_it_once(tmp_path: Path, disc: Path) -> None:
    home = tmp_path / "home"
    commands = [[sys.executable, "-c", IMPORT, home, disc, how] for how in ("copy", "copy", "reference")]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, env=ENVIRONMENT) for command in commands]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.close()
    assert [child.wait(60) for child in children] == [0, 0, 0]
    with Archive.open(home) as archive:
        [entry] = archive.catalog.search("roe")
        series = archive.catalog.series_of(entry.uid)
        assert len(series) == COUNT
        assert archive.catalog.missing(entry.uid) == ()
        assert all(len(archive.catalog.files_of(one.uid)) == FILES for one in series)


def test_a_cancelled_import_deletes_no_copy_that_another_one_has_listed(tmp_path: Path, disc: Path) -> None:
    found = formats.scan([disc / "0"])
    stop = threading.Event()
    with Archive.open(tmp_path / "home") as first, Archive.open(tmp_path / "home") as second:
        real = copies_module._copied
        done: list[bool] = []

        def copied(*args: object) -> bool:
            made = real(*args)  # type: ignore[arg-type]
            done.append(made)
            if len(done) == FILES - 1:  # the other program comes in between, copies the last one, and lists all
                second.catalog.add(found, copy=True)
                stop.set()
            return made

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(copies_module, "_copied", copied)
            with pytest.raises(JobCancelled):
                first.catalog.add(found, copy=True, cancelled=stop)
        [series] = second.catalog.series_of("1.2.826.0.1.5")
        assert len(second.catalog.files_of(series.uid)) == FILES
        assert second.catalog.missing("1.2.826.0.1.5") == ()


def test_copies_that_a_cancelled_import_took_away_are_made_again(tmp_path: Path, disc: Path) -> None:
    found = formats.scan([disc / "0"])
    with Archive.open(tmp_path / "home") as archive:
        real = copies_module.Copies.take
        times: list[int] = []

        def take(*args: object) -> object:
            taken = real(*args)  # type: ignore[arg-type]
            if not times:
                for _, known in taken[:2]:
                    known.path.unlink()
            times.append(len(taken))
            return taken

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(copies_module.Copies, "take", take)
            archive.catalog.add(found, copy=True)
        assert times == [FILES, FILES]
        assert archive.catalog.missing("1.2.826.0.1.5") == ()
