"""The list of studies: what it shows, finds and opens."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from PySide6.QtCore import QBuffer, QIODevice, QMimeData, QModelIndex, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QColor, QDropEvent, QImage
from pytestqt.qtbot import QtBot

from medviewer import formats
from medviewer.app.commands import catalog, listed
from medviewer.app.commands import study as commands
from medviewer.app.controllers.texts import person
from medviewer.app.resources import resource
from medviewer.app.services import Services
from medviewer.archive.catalog import SeriesEntry, StudyEntry
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Window
from medviewer.domain.study import UNORIENTED_PICTURE, Attachment, Patient, ScanResult, Series, Study, Warning
from medviewer.ui.widgets import study_model
from medviewer.ui.widgets.study_browser import StudyBrowser
from medviewer.ui.widgets.study_model import Role
from medviewer.ui.widgets.study_rows import Node, extent, origin, subtitle, tip
from medviewer.ui.widgets.thumbnails import EDGE, Thumbnails, middle_file, picture

Wait = Callable[[Callable[[], bool]], None]


def series(uid: str, modality: str = "MR", description: str = "T1", **more: object) -> Series:
    files = (Path("nowhere.dcm"),)
    return replace(Series(uid, modality, description, Grid((3, 4, 5)), files, "dicom"), **more)  # type: ignore[arg-type]


def two_patients() -> tuple[Study, ...]:
    jane, john = Patient("P1", "DOE^JANE"), Patient("P2", "ROE^JOHN")
    return (
        Study("s1", "2019-05-06", "Head MR", jane, (series("a"), series("b", description="T2"))),
        Study("s3", "2020-01-02", "Head CT", jane, (series("d", "CT", "Bone"),)),
        Study("s2", "2021-02-03", "Chest CT", john, (series("c", "CT", "Lung"),)),
    )


def fill(services: Services, studies: tuple[Study, ...]) -> None:
    """Put studies into the catalogue, each with a file that is there."""
    there = tuple(
        replace(one, series=tuple(replace(own, files=(Path(__file__),)) for own in one.series)) for one in studies
    )
    services.archive.catalog.add(ScanResult(there))
    catalog.noted(services)


@pytest.fixture
def browser(qtbot: QtBot, services: Services) -> StudyBrowser:
    made = StudyBrowser(services)
    made.resize(260, 900)
    qtbot.addWidget(made)
    return made


def shown(browser: StudyBrowser, above: QModelIndex | None = None) -> list[str]:
    """The texts of the rows that are unfolded."""
    above = above or QModelIndex()
    model = browser.model
    rows = [model.index(k, 0, above) for k in range(model.rowCount(above))]
    below = {row: shown(browser, row) if browser.tree.isExpanded(row) else [] for row in rows}
    return [text for row in rows for text in (row.data(), *below[row])]


def index_of(browser: StudyBrowser, uid: str) -> QModelIndex:
    item = browser.model.study_item(uid) or browser.model.series_item(uid)
    assert item is not None
    return item.index()


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


def test_the_lower_line_says_what_there_is() -> None:
    assert extent(SeriesEntry("1", "2", "CT", slices=1200, images=1200)) == "1,200 slices"
    assert extent(SeriesEntry("1", "2", "MR", slices=10, images=50)) == "50 images"
    assert extent(SeriesEntry("1", "2", "CR", rows=3, columns=4)) == "4 × 3"
    entry = StudyEntry("1", modalities=("CT", "PT"), images=1, tags=("a", "b"))
    assert subtitle(entry) == "CT PT · 1 image · a · b"
    assert subtitle(StudyEntry("1", modalities=("OT",), images=2)) == "2 images"
    assert [origin("OT", "nifti"), origin("OT", "dicom"), origin("MR", "itk")] == ["NIfTI", "", "MR"]
    assert subtitle(Patient("ID", "A^B", "1960-01-02", "F")) == "ID · 1960-01-02 · F"


# -- the tree


def test_patients_hold_their_studies_newest_first(browser: StudyBrowser, services: Services) -> None:
    fill(services, two_patients())
    assert shown(browser)[3:] == ["DOE, JANE", "2020-01-02  Head CT", "Bone", "2019-05-06  Head MR", "T1", "T2"]
    assert shown(browser)[:3] == ["ROE, JOHN", "2021-02-03  Chest CT", "Lung"]
    assert browser.number.text() == "3 studies"


def test_the_catalogue_is_listed_at_the_start(qtbot: QtBot, services: Services) -> None:
    fill(services, two_patients())
    made = StudyBrowser(services)
    qtbot.addWidget(made)
    assert "Lung" in shown(made)


def test_what_was_just_opened_is_there_before_the_catalogue_has_it(browser: StudyBrowser, services: Services) -> None:
    services.session.studies = two_patients()
    assert {"Lung", "Bone", "T1", "T2"} <= set(shown(browser))
    browser.search.setText("jane t2")
    assert "Head MR" in " ".join(shown(browser))
    assert "Lung" not in shown(browser)
    browser.search.clear()
    fill(services, two_patients())
    assert sorted(shown(browser)).count("Lung") == 1


def test_studies_without_name_or_id_are_not_taken_for_one_person(browser: StudyBrowser, services: Services) -> None:
    fill(services, (Study("x", series=(series("a"),)), Study("y", series=(series("b"),))))
    assert browser.model.rowCount() == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [("jane", {"s1", "s3"}), ("P2", {"s2"}), ("2019-05", {"s1"}), ("ct", {"s2", "s3"}), ("doe^jane bone", {"s3"})],
)
def test_search_finds_studies(browser: StudyBrowser, services: Services, text: str, found: set[str]) -> None:
    fill(services, two_patients())
    browser.search.setText(text)
    assert {uid for uid in ("s1", "s2", "s3") if browser.model.study_item(uid) is not None} == found


def test_search_without_a_match_says_so_and_comes_back(browser: StudyBrowser, services: Services) -> None:
    fill(services, two_patients())
    browser.search.setText("zebra")
    assert browser.pages.currentIndex() == 2
    assert "zebra" in browser.no_match.text()
    browser.search.clear()
    assert browser.pages.currentIndex() == 0


def test_filters_narrow_the_list_and_say_so(browser: StudyBrowser, services: Services) -> None:
    fill(services, two_patients())
    catalog.mark(services, "s1", "read")
    browser.filters.state.setCurrentIndex(browser.filters.state.findData("read"))
    assert (browser.model.count, browser.filter_text.text()) == (1, "read")
    assert browser.number.text() == "1 of 3 studies"
    browser.filters.first.setText("2020-")
    assert browser.model.count == 1, "a date that is half typed"
    browser.filters.first.setText("2020-01")
    assert browser.model.count == 0
    assert "filter" in browser.no_match.text()
    browser.filters.clear()
    assert browser.model.count == 3
    assert browser.filter_text.isHidden()


def test_pages_come_as_they_are_needed(
    browser: StudyBrowser, services: Services, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_model, "PAGE", 5)
    many = tuple(Study(f"n{k}", patient=Patient(f"P{k}"), series=(series(f"n{k}.1"),)) for k in range(23))
    fill(services, many)
    browser.resize(260, 300)
    browser.show()
    wait(lambda: browser.model.loaded >= 5)
    assert browser.number.text().endswith("of 23")
    while browser.model.loaded < 23:
        before = browser.model.loaded
        bar = browser.tree.verticalScrollBar()
        bar.setValue(bar.maximum())
        browser.model.near_end = lambda: True
        browser.model.fetchMore(QModelIndex())
        wait(lambda before=before: browser.model.loaded > before)
    assert browser.number.text() == "23 studies"
    assert len({browser.model.item(k).text() for k in range(browser.model.rowCount())}) == 23


def test_a_large_catalogue_is_asked_off_the_home_thread_and_only_the_last_word_counts(
    browser: StudyBrowser, services: Services, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(services, two_patients())
    monkeypatch.setattr(study_model, "SMALL", 0)
    for text in ("j", "ja", "jan", "roe"):
        browser.search.setText(text)
    assert browser.model.study_item("s1") is not None, "nothing has come yet"
    wait(lambda: browser.model.study_item("s1") is None)
    assert browser.model.study_item("s2") is not None
    assert browser.model.query.text == "roe"


def test_what_the_user_folded_stays_folded(browser: StudyBrowser, services: Services) -> None:
    fill(services, two_patients())
    browser.tree.collapse(index_of(browser, "s1"))
    fill(services, (*two_patients(), Study("s4", "2022-01-01", series=(series("e"),))))
    assert not browser.tree.isExpanded(index_of(browser, "s1"))
    assert browser.tree.isExpanded(index_of(browser, "s2"))


def test_of_many_studies_series_are_loaded_when_they_are_unfolded(browser: StudyBrowser, services: Services) -> None:
    fill(services, tuple(Study(f"n{k}", patient=Patient("P"), series=(series(f"m{k}"),)) for k in range(12)))
    assert browser.model.series_item("m3") is None
    browser.tree.expand(index_of(browser, "n3"))
    assert browser.model.series_item("m3") is not None
    assert browser.model.rowCount(index_of(browser, "n3")) == 1


def test_missing_files_are_marked(browser: StudyBrowser, services: Services, tmp_path: Path, wait: Wait) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(b"gone soon")
    one = Study("s", patient=Patient("P"), series=(series("a", files=(file,)),))
    services.archive.catalog.add(ScanResult((one,)))
    file.unlink()
    catalog.noted(services)
    wait(lambda: index_of(browser, "s").data(Role.NODE).absent)
    assert "missing" in index_of(browser, "s").data(Qt.ItemDataRole.ToolTipRole)


# -- opening


def test_empty_state_opens_the_demo(browser: StudyBrowser, services: Services, qtbot: QtBot, wait: Wait) -> None:
    assert browser.pages.currentIndex() == 1
    browser.show()
    browser.demo_button.click()
    wait(lambda: services.session.image is not None)
    assert browser.pages.currentIndex() == 0
    wait(lambda: services.archive.catalog.count() == 2)
    uids = [one.uid for study in services.session.studies for one in study.series]
    wait(lambda: all(services.archive.catalog.thumbnail(uid) is not None for uid in uids))


def test_a_listed_study_opens_after_a_restart(qtbot: QtBot, services: Services, wait: Wait) -> None:
    found = formats.scan([resource("demo/chest")])
    services.archive.catalog.add(found)
    browser = StudyBrowser(services)
    qtbot.addWidget(browser)
    assert services.session.studies == ()
    browser._open(index_of(browser, found.series[0].uid))
    wait(lambda: services.session.image is not None)
    assert services.session.series is not None
    assert services.session.series.uid == found.series[0].uid
    assert services.session.study is not None


def test_a_study_whose_files_are_gone_says_so(
    browser: StudyBrowser, services: Services, wait: Wait, tmp_path: Path
) -> None:
    file = tmp_path / "a.dcm"
    file.write_bytes(b"gone soon")
    services.archive.catalog.add(ScanResult((Study("s", series=(series("a", files=(file,)),)),)))
    file.unlink()
    catalog.noted(services)
    browser._open(index_of(browser, "a"))
    wait(lambda: services.session.message is not None)
    assert services.session.message is not None
    assert "where they are now" in services.session.message.text


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


def test_a_study_opens_by_the_keyboard_alone_from_the_search(
    browser: StudyBrowser, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(listed, "open_series", lambda _, study, uid="": asked.append((study, uid)))
    fill(services, two_patients())
    qtbot.keyClicks(browser.search, "john")
    qtbot.keyClick(browser.search, Qt.Key.Key_Return)
    assert browser.tree.currentIndex() == index_of(browser, "s2")
    assert not asked, "the name is to be seen before a study opens"
    qtbot.keyClick(browser.tree, Qt.Key.Key_Return)
    assert asked == [("s2", "")]
    assert browser.tree.isExpanded(index_of(browser, "s2"))


def test_a_search_that_would_hide_what_was_opened_is_over(browser: StudyBrowser, services: Services) -> None:
    jane, other, john = two_patients()
    fill(services, (jane, other))
    browser.search.setText("jane")
    services.session.studies, services.session.series = (jane,), jane.series[0]
    services.session.study = jane
    assert browser.search.text() == "jane"
    services.session.studies, services.session.series = (jane, john), john.series[0]
    services.session.study = john
    assert browser.search.text() == ""
    assert "Lung" in shown(browser)
    assert services.session.chosen_study == john.uid, "what is marked, tagged or exported is what is seen"


def test_what_is_dropped_is_opened(browser: StudyBrowser, services: Services, wait: Wait) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(resource("demo/chest")))])
    none = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    browser.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, *none))
    wait(lambda: services.session.image is not None)


# -- what is chosen


@pytest.fixture
def actions(browser: StudyBrowser) -> dict[str, QAction]:
    made = {name: QAction(name) for name in ("study.mark_read", "study.remove", "file.deidentify")}
    browser.commands = made
    return made


def test_the_chosen_row_is_what_actions_are_about(
    browser: StudyBrowser, services: Services, qtbot: QtBot, actions: dict[str, QAction]
) -> None:
    fill(services, two_patients())
    browser.tree.setCurrentIndex(index_of(browser, "d"))
    assert (services.session.chosen_study, services.session.chosen_state) == ("s3", "new")
    removed = MagicMock()
    actions["study.remove"].triggered.connect(removed)
    qtbot.keyClick(browser.tree, Qt.Key.Key_Delete)
    removed.assert_called_once()
    catalog.mark(services, "s3", "to-correct")
    assert services.session.chosen_state == "to-correct"
    assert index_of(browser, "s3").data(Role.NODE).value.state == "to-correct"


def test_the_context_menu_has_what_the_program_has(
    browser: StudyBrowser, services: Services, actions: dict[str, QAction]
) -> None:
    fill(services, two_patients())
    menu = browser.menu_of(index_of(browser, "s1"))
    assert [one.text() for one in menu.actions() if not one.isSeparator()] == [
        "Open",
        "study.mark_read",
        "file.deidentify",
        "study.remove",
    ]
    menu.deleteLater()


def test_removing_takes_the_row_away(browser: StudyBrowser, services: Services) -> None:
    fill(services, two_patients())
    services.session.studies = two_patients()
    catalog.remove(services, "s2")
    assert browser.model.study_item("s2") is None
    assert browser.model.study_item("s1") is not None


# -- what rows say


def test_warnings_are_in_the_tool_tip_those_of_loading_too(browser: StudyBrowser, services: Services) -> None:
    (study, *_) = two_patients()
    bad = replace(study.series[0], warnings=(Warning("missing-slice", "Slice 3 is missing."),))
    services.session.studies = (replace(study, series=(bad,)),)
    index = index_of(browser, "a")
    assert "Slice 3 is missing." in index.data(Qt.ItemDataRole.ToolTipRole)
    services.session.series = replace(bad, warnings=(*bad.warnings, Warning("unreadable", "Slice 5 is blank.")))
    assert "Slice 5 is blank." in index.data(Qt.ItemDataRole.ToolTipRole)


def test_what_is_usual_is_told_without_a_warning_sign(browser: StudyBrowser, services: Services) -> None:
    (study, *_) = two_patients()
    sono = replace(study.series[0], warnings=(Warning("no-orientation", UNORIENTED_PICTURE),))
    services.session.studies = (replace(study, series=(sono,)),)
    told = index_of(browser, "a").data(Qt.ItemDataRole.ToolTipRole)
    assert UNORIENTED_PICTURE in told
    assert "⚠" not in told


def test_tags_that_the_narrow_list_cuts_off_are_in_the_tool_tip() -> None:
    told = tip(Node(StudyEntry("s", Patient("P"), tags=("teaching", "second opinion", "to discuss"))))
    assert "Tags: teaching, second opinion, to discuss" in told.split("\n")


def test_the_shown_series_is_the_current_row(browser: StudyBrowser, services: Services) -> None:
    services.session.studies = two_patients()
    services.session.study = services.session.studies[2]
    services.session.series = services.session.studies[2].series[0]
    node = browser.tree.currentIndex().data(Role.NODE)
    assert isinstance(node, Node)
    assert node.key == "c"


def test_painting_rows_of_every_kind_works(browser: StudyBrowser, services: Services, qtbot: QtBot, wait: Wait) -> None:
    warned = replace(series("w"), warnings=(Warning("duplicate", "Twice."),))
    attached = tuple(Attachment(kind, kind, kind, Path("x"), kind.upper()) for kind in ("seg", "report", "pdf"))
    one = Study("s", "", "", Patient("P", "A^B"), (warned, series("n", reader="nifti")), attachments=attached)
    services.session.studies = (one,)
    services.session.series = warned
    browser.show()
    assert shown(browser)[-3:] == ["seg", "report", "pdf"]
    assert not browser.grab().isNull()
    wait(lambda: not [job for job in services.runner.jobs if not job.done])
    assert browser.thumbnails.get(SeriesEntry.of(warned, "s")) is None
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


def test_thumbnail_of_a_mammogram_is_that_of_a_smaller_one() -> None:
    rows, columns = np.ogrid[-1:1:2600j, -1:1:2200j]
    voxels = (1000 * np.clip(1.4 - rows**2 - columns**2, 0, 1)).astype(np.int16)[None]
    voxels[0, :650, :550] = 0
    small = voxels[:, ::4, ::4]
    window = (Window(500, 1000),)
    made = picture(Image(voxels, Grid(voxels.shape, (1.0, 0.1, 0.1)), windows=window))
    expected = picture(Image(small, Grid(small.shape, (1.0, 0.4, 0.4)), windows=window))
    assert made.size() == expected.size()
    grey = [
        [QColor(one.pixel(x, y)).red() for x in range(made.width()) for y in range(made.height())]
        for one in (made, expected)
    ]
    assert np.abs(np.subtract(*grey)).mean() < 2
    assert max(grey[0]) - min(grey[0]) > 200


def test_thumbnail_of_colour() -> None:
    voxels = np.zeros((1, 4, 4, 3), np.uint8)
    voxels[..., 0] = 200
    made = picture(Image(voxels, Grid((1, 4, 4))))
    assert QColor(made.pixel(QPoint(EDGE, EDGE))).getRgb()[:3] == (200, 0, 0)


def test_a_slice_of_a_volume_lies_in_its_thumbnail_as_in_the_viewport() -> None:
    voxels = np.zeros((1, 4, 4), np.uint8)
    voxels[0, 0] = 200
    prone = Grid((1, 4, 4), direction=(0, 0, -1, 0, -1, 0, 1, 0, 0))  # rows run to the right, columns to the front
    stored, shown = (picture(Image(voxels, prone), of_volume=of_volume) for of_volume in (False, True))
    edge = EDGE * 2 - 1
    assert stored.pixelColor(edge // 2, 0).red() > 100 > stored.pixelColor(edge // 2, edge).red()
    assert shown.pixelColor(edge // 2, edge).red() > 100 > shown.pixelColor(edge // 2, 0).red(), "the front is up"


def former_thumbnail() -> bytes:
    """As medviewer made them before the recipe stood in them: red, which no slice is."""
    image = QImage(8, 8, QImage.Format.Format_RGB888)
    image.fill(Qt.GlobalColor.red)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # Qt takes the name as str
    return bytes(buffer.data().data())


def test_a_thumbnail_of_a_former_recipe_is_made_anew_once(services: Services, wait: Wait) -> None:
    found = formats.scan([resource("demo/chest")])
    (one,) = found.series
    catalog = services.archive.catalog
    catalog.add(found)
    catalog.set_thumbnail(one.uid, former_thumbnail())
    thumbnails = Thumbnails(services)
    entry = SeriesEntry.of(one, found.studies[0].uid)
    wait(lambda: thumbnails.get(entry) is not None)
    kept = catalog.thumbnail(one.uid)
    assert kept is not None
    assert kept != former_thumbnail()
    again = Thumbnails(services)
    wait(lambda: again.get(entry) is not None)
    assert catalog.thumbnail(one.uid) == kept


def test_a_former_thumbnail_stays_where_the_files_are_gone(services: Services, tmp_path: Path, wait: Wait) -> None:
    file = tmp_path / "chest.dcm"
    file.write_bytes(next(resource("demo/chest").glob("*.dcm")).read_bytes())
    found = formats.scan([file])
    (one,) = found.series
    services.archive.catalog.add(found)
    assert services.archive.catalog.set_thumbnail(one.uid, former_thumbnail())
    file.unlink()
    thumbnails = Thumbnails(services)
    entry = SeriesEntry.of(one, found.studies[0].uid)
    wait(lambda: thumbnails.get(entry) is not None)
    made = thumbnails.get(entry)
    assert made is not None
    assert made.toImage().pixelColor(4, 4) == QColor(Qt.GlobalColor.red)
    assert services.archive.catalog.thumbnail(one.uid) == former_thumbnail()


def test_middle_file_is_a_series_of_one_slice_where_it_lies() -> None:
    files = tuple(Path(f"{k}.dcm") for k in range(3))
    one = middle_file(series("a", files=files))
    assert one.files == (files[1],)
    assert one.grid.shape == (1, 4, 5)
    assert one.grid.origin == (0.0, 0.0, 1.0)
    gap = middle_file(series("a", files=files[:2], index=(0, 2)))
    assert (gap.files, gap.index, gap.grid.origin) == ((files[1],), (), (0.0, 0.0, 2.0))
