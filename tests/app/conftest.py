"""A small study on disk, a session with an image in it, and services over an archive of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medviewer.app.commands import study as study_commands
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Rescale, Window
from medviewer.domain.study import Patient, Series, Study

GRID = Grid((4, 6, 8), (3.0, 2.0, 1.0), (10.0, -20.0, 30.0))
SERIES = Series("1.2.826.0.1.77", "CT", "Head", GRID, (), "dicom", number=3)
STUDY = Study(
    "1.2.826.0.1.70", "2020-03-01", "Trauma", Patient("ID-17", "Muster^Eva", "1960-03-02", "F"), (SERIES,), "A1"
)


@pytest.fixture
def image() -> Image:
    """A CT of 4 x 6 x 8 voxels, every value its own, in HU."""
    voxels = np.arange(192, dtype=np.int16).reshape(GRID.shape)
    return Image(voxels, GRID, "CT", Rescale(2.0, -100.0, "HU"), (Window(40, 400, "Soft tissue"),))


@pytest.fixture
def session(image: Image) -> Session:
    """The image is open."""
    made = Session(studies=(STUDY,))
    study_commands.present(made, SERIES, image)
    return made


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Services]]:
    """Start the program on one archive, as often as asked; `opened` shows the CT in it."""
    running: list[Services] = []

    def make(*, opened: Image | None = None) -> Services:
        services = Services.open(tmp_path / "archive")
        services.author = "reader"
        running.append(services)
        if opened is not None:
            services.session.studies = (STUDY,)
            services.session.hang_automatic = False  # a head would hang in its own way
            study_commands._present(services, SERIES, opened)
        return services

    yield make
    for services in running:
        services.close()


@pytest.fixture
def services(launch: Callable[..., Services], image: Image) -> Services:
    """The program with the CT open."""
    return launch(opened=image)


@pytest.fixture
def radiograph(session: Session) -> Session:
    """A chest radiograph, MONOCHROME1, without pixel spacing."""
    grid = Grid((1, 5, 7))
    series = replace(SERIES, uid="1.2.9", modality="DX", grid=grid, body_part="CHEST", view="PA", description="")
    picture = Image(np.arange(35, dtype=np.uint16).reshape(grid.shape), grid, "DX", inverted=True, calibrated=False)
    session.studies = (replace(STUDY, series=(series,)),)
    study_commands.present(session, series, picture)
    return session
