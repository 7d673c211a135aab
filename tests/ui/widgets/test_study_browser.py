"""The list of studies: what it shows, finds and opens."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from medviewer.app.commands import study as commands
from medviewer.app.services import Services
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Window
from medviewer.domain.study import Patient, Series, Study, Warning
from medviewer.ui.widgets.study_browser import StudyBrowser
from medviewer.ui.widgets.study_model import Node, Role, person
from medviewer.ui.widgets.thumbnails import EDGE, middle_file, picture

Wait = Callable[[Callable[[], bool]], None]


def series(uid: str, modality: str = "MR", description: str = "T1", **more: object) -> Series:
    files = (Path("nowhere.dcm"),)
    return replace(Series(uid, modality, description, Grid((3, 4, 5)), files, "dicom"), **more)  # type: ignore[arg-type]


def two_patients() -> tuple[Study, ...]:
    jane, john = Patient("P1", "DOE^JANE"), Patient("P2", "ROE^JOHN")
    return (
        Study("s1", "2019-05-06", "Head MR", jane, (series("a"), series("b", description="T2"))),
        Study("s2", "2021-02-03", "Chest CT", john, (series("c", "CT", "Lung"),)),
        Study("s3", "2020-01-02", "Head CT", jane, (series("d", "CT", "Bone"),)),
    )


@pytest.fixture
def browser(qtbot: QtBot, services: Services) -> StudyBrowser:
    made = StudyBrowser(services)
    made.resize(260, 900)
    qtbot.addWidget(made)
    return made


def shown(browser: StudyBrowser, above: QModelIndex | None = None) -> list[str]:
    above = above or QModelIndex()
    model = browser.filter
    rows = [model.index(k, 0, above) for k in range(model.rowCount(above))]
    return [text for row in rows for text in (row.data(), *shown(browser, row))]


def index_of(browser: StudyBrowser, uid: str) -> QModelIndex:
    node = next(node for node in browser.model.root.walk() if node.key == uid)
    return browser.filter.mapFromSource(browser.model.index_of(node))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DOE^JANE", "DOE, JANE"),
        ("DOE^JANE^M^^", "DOE, JANE M"),
        ("Yamada^Tarou=山田^太郎", "Yamada, Tarou"),
        ("", ""),
        ("Solo", "Solo"),
    ],
)
def test_names_have_the_family_first(name: str, text: str) -> None:
    assert person(name) == text


def test_patients_hold_their_studies_newest_first(browser: StudyBrowser, services: Services) -> None:
    services.session.studies = two_patients()
    assert shown(browser) == [
        "ROE, JOHN", "2021-02-03  Chest CT", "Lung",
        "DOE, JANE", "2020-01-02  Head CT", "Bone", "2019-05-06  Head MR", "T1", "T2",
    ]  # fmt: skip


def test_studies_without_name_or_id_are_not_taken_for_one_person(browser: StudyBrowser, services: Services) -> None:
    services.session.studies = (Study("x", series=(series("a"),)), Study("y", series=(series("b"),)))
    assert browser.filter.rowCount() == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("jane t2", ["T2"]),
        ("P2", ["Lung"]),
        ("2019-05", ["T1", "T2"]),
        ("ct", ["Lung", "Bone"]),
        ("doe^jane bone", ["Bone"]),
    ],
)
def test_search_looks_at_name_id_date_modality_and_description(
    browser: StudyBrowser, services: Services, text: str, found: list[str]
) -> None:
    services.session.studies = two_patients()
    browser.search.setText(text)
    assert [row for row in shown(browser) if row in ("T1", "T2", "Lung", "Bone")] == found


def test_search_without_a_match_says_so_and_comes_back(browser: StudyBrowser, services: Services) -> None:
    services.session.studies = two_patients()
    browser.search.setText("zebra")
    assert browser.pages.currentIndex() == 2
    assert "zebra" in browser.no_match.text()
    browser.search.clear()
    assert browser.pages.currentIndex() == 0


def test_what_the_user_folded_stays_folded(browser: StudyBrowser, services: Services) -> None:
    services.session.studies = two_patients()
    browser.tree.collapse(index_of(browser, "s1"))
    services.session.studies = (*two_patients(), Study("s4", "2022-01-01", series=(series("e"),)))
    assert not browser.tree.isExpanded(index_of(browser, "s1"))
    assert browser.tree.isExpanded(index_of(browser, "s2"))


def test_empty_state_opens_the_demo(browser: StudyBrowser, services: Services, qtbot: QtBot, wait: Wait) -> None:
    assert browser.pages.currentIndex() == 1
    browser.show()
    browser.demo_button.click()
    wait(lambda: services.session.image is not None)
    assert browser.pages.currentIndex() == 0
    series = [node.value for node in browser.model.root.walk() if isinstance(node.value, Series)]
    assert len(series) == 2
    wait(lambda: all(browser.thumbnails.get(one) is not None for one in series))


def test_a_double_click_opens_once(
    browser: StudyBrowser, services: Services, qtbot: QtBot, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    show = commands.show
    monkeypatch.setattr(commands, "show", lambda services, series: asked.append(series.uid) or show(services, series))
    services.session.studies = two_patients()
    browser.show()
    where = browser.tree.visualRect(index_of(browser, "c")).center()
    qtbot.mouseClick(browser.tree.viewport(), Qt.MouseButton.LeftButton, pos=where)
    qtbot.mouseDClick(browser.tree.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert asked == ["c"]
    wait(lambda: services.session.message is not None)  # its file is not there: the user is told
    assert services.session.message is not None
    assert services.session.message.level == "error"
    qtbot.mouseClick(browser.tree.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert asked == ["c", "c"]


def test_enter_opens_the_row_of_the_keyboard(
    browser: StudyBrowser, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(commands, "show", lambda _, series: asked.append(series.uid))
    services.session.studies = two_patients()
    browser.tree.setCurrentIndex(index_of(browser, "d"))
    qtbot.keyClick(browser.tree, Qt.Key.Key_Return)
    assert asked == ["d"]


def test_warnings_are_in_the_tool_tip_those_of_loading_too(browser: StudyBrowser, services: Services) -> None:
    (study, *_) = two_patients()
    bad = replace(study.series[0], warnings=(Warning("missing-slice", "Slice 3 is missing."),))
    services.session.studies = (replace(study, series=(bad,)),)
    index = index_of(browser, "a")
    assert "Slice 3 is missing." in index.data(Qt.ItemDataRole.ToolTipRole)
    services.session.series = replace(bad, warnings=(*bad.warnings, Warning("unreadable", "Slice 5 is blank.")))
    assert "Slice 5 is blank." in index.data(Qt.ItemDataRole.ToolTipRole)


def test_the_shown_series_is_the_current_row(browser: StudyBrowser, services: Services) -> None:
    services.session.studies = two_patients()
    services.session.series = services.session.studies[1].series[0]
    node = browser.tree.currentIndex().data(Role.NODE)
    assert isinstance(node, Node)
    assert node.key == "c"


def test_painting_rows_of_every_kind_works(browser: StudyBrowser, services: Services, qtbot: QtBot, wait: Wait) -> None:
    warned = replace(series("w"), warnings=(Warning("duplicate", "Twice."),))
    services.session.studies = (Study("s", patient=Patient("P", "A^B"), series=(warned, series("n", reader="nifti"))),)
    services.session.series = warned
    browser.show()
    assert not browser.grab().isNull()
    wait(lambda: not [job for job in services.runner.jobs if not job.done])
    assert browser.thumbnails.get(warned) is None
    assert services.session.message is None


def test_thumbnail_is_the_middle_slice_as_a_reader_sees_it() -> None:
    voxels = np.zeros((3, 10, 20), np.int16)
    voxels[1, :, :10] = 100
    image = Image(voxels, Grid((3, 10, 20), (5.0, 2.0, 1.0)), windows=(Window(50, 100),))
    made = picture(image)
    assert made.width() == made.height() == 2 * EDGE  # 20 mm high, 20 mm wide
    left, right = (QColor(made.pixel(QPoint(x, EDGE))).red() for x in (10, 2 * EDGE - 10))
    assert (left, right) == (255, 0)
    inverted = picture(replace(image, inverted=True))
    assert QColor(inverted.pixel(QPoint(10, EDGE))).red() == 0


def test_thumbnail_of_colour() -> None:
    voxels = np.zeros((1, 4, 4, 3), np.uint8)
    voxels[..., 0] = 200
    made = picture(Image(voxels, Grid((1, 4, 4))))
    assert QColor(made.pixel(QPoint(EDGE, EDGE))).getRgb()[:3] == (200, 0, 0)


def test_middle_file_is_a_series_of_one_slice_where_it_lies() -> None:
    files = tuple(Path(f"{k}.dcm") for k in range(3))
    one = middle_file(series("a", files=files))
    assert one.files == (files[1],)
    assert one.grid.shape == (1, 4, 5)
    assert one.grid.origin == (0.0, 0.0, 1.0)
    gap = middle_file(series("a", files=files[:2], index=(0, 2)))
    assert (gap.files, gap.index, gap.grid.origin) == ((files[1],), (), (0.0, 0.0, 2.0))
