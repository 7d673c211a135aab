"""A small oblique head in DICOM, and a way to run commands in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medviewer import cli, formats
from medviewer.app.state import Session
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.study import Patient, Series, Study

GRID = Grid((6, 9, 11), (3.0, 1.5, 1.25), (-20.5, 4.25, 61.0), (0.0, -0.6, 0.8, 0.0, 0.8, 0.6, 1.0, 0.0, 0.0))
UID = "1.2.826.0.1.3680043.8.498.1001"
STUDY = Study("1.2.826.0.1.3680043.8.498.1000", "2020-01-02", "Head", Patient("ID1", "Doe^Jane", "1970-01-01", "F"))
SERIES = Series(UID, "MR", "A small head", GRID, (), "dicom", number=1, body_part="HEAD")


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str


class PaperScreen:
    """A screen that draws a grey picture and remembers what it was asked to show."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    def render(self, session: Session, path: Path, size: tuple[int, int] = (1400, 1000)) -> None:
        self.sessions.append(session)
        Picture.new("L", size).save(path)


Run = Callable[..., Ran]


@pytest.fixture
def screen() -> PaperScreen:
    return PaperScreen()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], screen: PaperScreen) -> Run:
    """Run a command in this process; arguments may be paths."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments], screen=lambda: screen)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return call


@pytest.fixture
def image() -> Image:
    """A bright ball in a dark head; every voxel differs from its neighbours."""
    z, y, x = np.indices(GRID.shape)
    ball = (z - 2.5) ** 2 + (y - 4) ** 2 / 4 + (x - 5) ** 2 / 6 < 4
    return Image(
        (400 * ball + (np.arange(np.prod(GRID.shape)).reshape(GRID.shape) * 7) % 90).astype(np.int16), GRID, "MR"
    )


@pytest.fixture
def head(tmp_path: Path, image: Image) -> Path:
    """A folder with the image as a DICOM series."""
    folder = tmp_path / "head"
    folder.mkdir()
    formats.write_dicom_series(image, folder, study=STUDY, series=SERIES)
    return folder


def one_sentence(text: str) -> bool:
    """Whether stderr holds one sentence and nothing else."""
    return text.count("\n") == 1 and 20 < len(text) < 400 and "Traceback" not in text
