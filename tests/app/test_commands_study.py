"""Which series is shown when several are asked for one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer import formats
from medviewer.app.commands import explain, masks, predict, study, view
from medviewer.app.context import current
from medviewer.app.services import Services
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Window
from medviewer.domain.mask import empty
from medviewer.domain.study import UNORIENTED_PICTURE, ScanResult, Series, Study, Warning
from medviewer.errors import InputError, NotFoundError, UnreadableError
from medviewer.jobs import FinishReason

WAIT_S = 60.0


def series(uid: str, depth: int = 2) -> Series:
    return Series(uid, "MR", f"Series {uid}", Grid((depth, 3, 4)), (), "nifti")


class Disk:
    """A disk on which each series takes as long as the test wants."""

    def __init__(self) -> None:
        self.ready: dict[str, threading.Event] = {}
        self.warnings: dict[str, Warning] = {}
        self.early: set[str] = set()
        self.images: dict[str, Image] = {}

    def load(self, asked: Series, *_: Any, warn: Any, early: Any) -> Image:
        if asked.uid in self.early:
            self.fill(asked, early)
        assert self.ready.setdefault(asked.uid, threading.Event()).wait(WAIT_S)
        if asked.uid in self.warnings:
            warn(self.warnings[asked.uid])
        if asked.uid == "broken":
            raise UnreadableError("A slice should hold 12 pixels, but is cut short; copy the study again.")
        if asked.uid in self.images:
            image = self.images[asked.uid]
            image.voxels[...] = np.arange(image.voxels.size).reshape(image.voxels.shape)
            return image
        return Image(np.zeros(asked.grid.shape, np.int16), asked.grid, asked.modality)

    def fill(self, asked: Series, early: Any) -> None:
        """The middle slice is there at once, the others when the test says so."""
        image = Image(np.zeros(asked.grid.shape, np.int16), asked.grid, asked.modality)
        image.voxels[asked.grid.shape[0] // 2] = 100
        self.images[asked.uid] = image
        early(image)

    def finish(self, *uids: str) -> None:
        for uid in uids:
            self.ready.setdefault(uid, threading.Event()).set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Replaces the reader; nothing waits any more at the end."""
    made = Disk()
    monkeypatch.setattr(formats, "load", made.load)
    yield made
    made.finish(*made.ready)


def test_a_late_answer_of_an_older_request_is_dropped(services: Services, disk: Disk) -> None:
    slow, fast = study.show(services, series("slow")), study.show(services, series("fast"))
    disk.finish("fast")
    services.runner.wait(fast, WAIT_S)
    image = services.session.image
    assert services.session.series.uid == "fast"
    disk.finish("slow")
    services.runner.wait(slow, WAIT_S)
    assert services.session.series.uid == "fast"
    assert services.session.image is image


def test_an_overtaken_request_is_cancelled_without_a_word(services: Services, disk: Disk) -> None:
    slow = study.show(services, series("slow"))
    fast = study.show(services, series("fast"))
    disk.finish("slow", "fast")
    services.runner.wait(slow, WAIT_S)
    services.runner.wait(fast, WAIT_S)
    assert slow.reason is FinishReason.CANCELLED
    assert services.session.series.uid == "fast"
    assert services.session.message is None
    assert services.loading is None


def test_what_was_read_ahead_of_a_series_that_is_not_shown_is_let_go(services: Services, disk: Disk) -> None:
    asked = series("left")
    mask = empty(asked.grid)
    services.archive.masks.save_mask(asked.uid, mask)
    job = study.show(services, asked)
    kept: list[int] = []
    restore = services.archive.ahead.fetch

    def fetch(path: Path) -> Any:
        got = restore(path)
        kept.append(len(services.archive.ahead._arrays))
        study.close(services)
        return got

    services.archive.ahead.fetch = fetch  # type: ignore[method-assign]  # it is closed just then
    disk.finish("left")
    services.runner.wait(job, WAIT_S)
    assert kept == [1]
    assert services.archive.ahead._arrays == {}
    assert services.session.image is None


def test_what_a_newer_request_read_ahead_outlives_the_end_of_an_older_one(services: Services, disk: Disk) -> None:
    newer, there = series("newer"), threading.Event()
    services.archive.masks.save_mask(newer.uid, empty(newer.grid))
    ahead = services.archive.ahead
    fetch = ahead.fetch

    def told(path: Path) -> Any:
        got = fetch(path)
        there.set()
        return got

    ahead.fetch = told  # type: ignore[method-assign]  # to know when it is there
    slow, fast = study.show(services, series("older")), study.show(services, newer)
    disk.finish("newer")
    assert there.wait(WAIT_S)
    disk.finish("older")
    services.runner.wait(slow, WAIT_S, alone=True)
    assert len(ahead._arrays) == 1, "else the window's thread would unpack it"
    services.runner.wait(fast, WAIT_S)
    assert ahead._arrays == {}
    assert services.session.mask is not None


def test_a_second_part_of_a_study_joins_the_first(services: Services) -> None:
    session = services.session
    first, second = series("1"), series("2")
    study._add(services, ScanResult((Study("a", series=(first,)), Study("b", series=(series("9"),))), ()), False)
    newer = replace(first, description="Read again")
    study._add(services, ScanResult((Study("a", description="Head", series=(second, newer)),), ()), False)
    (found,) = [listed for listed in session.studies if listed.uid == "a"]
    assert found.series == (newer, second)
    assert found.description == "Head"
    assert [listed.uid for listed in session.studies].count("b") == 1


def test_an_answer_that_comes_after_closing_is_dropped(services: Services, disk: Disk) -> None:
    job = study.show(services, series("slow"))
    study.close(services)
    disk.finish("slow")
    services.runner.wait(job, WAIT_S)
    assert services.session.image is None


def until(services: Services, true: Any) -> None:
    """Pump until something holds."""
    done = threading.Event()
    for _ in range(10_000):
        services.runner.pump()
        if true():
            return
        done.wait(0.005)
    pytest.fail("it never came to hold")


def test_a_series_is_on_the_screen_while_its_slices_arrive(services: Services, disk: Disk) -> None:
    session = services.session
    disk.early.add("large")
    job = study.show(services, series("large", 9))
    until(services, lambda: session.series is not None and session.series.uid == "large")
    image = session.image
    assert session.arrival is not None
    assert (current(session)["image_open"], current(session)["image_complete"]) == (True, False)
    assert session.view.window.limits[0] > 99  # of the middle slice, and not of the blank ones
    disk.finish("large")
    services.runner.wait(job, WAIT_S)
    assert session.image is image
    assert session.arrival is None
    assert current(session)["image_complete"]
    assert session.view.window == image.auto_window()
    assert session.view.window.limits[1] > 100


def test_what_the_user_chose_meanwhile_stays(services: Services, disk: Disk) -> None:
    session = services.session
    disk.early.add("large")
    job = study.show(services, series("large", 9))
    until(services, lambda: session.arrival is not None)
    session.view.window, session.view.cursor = Window(5, 6), (1, 1, 1)
    disk.finish("large")
    services.runner.wait(job, WAIT_S)
    assert (session.view.window, session.view.cursor) == (Window(5, 6), (1, 1, 1))


def test_nothing_is_worked_out_from_a_series_that_is_not_whole(services: Services, disk: Disk) -> None:
    session = services.session
    disk.early.add("large")
    study.show(services, series("large", 9))
    until(services, lambda: session.arrival is not None)
    for command in (
        lambda: masks.new(services),
        lambda: predict.run(services, "any"),
        lambda: explain.run(services, "any"),
    ):
        with pytest.raises(InputError, match="still being read"):
            command()
    view.choose_tool(services, "brush")
    view.begin_stroke(services)
    assert session.mask is None
    assert "still being read" in session.message.text


@pytest.mark.parametrize("end", ["cancelled", "failed", "overtaken"])
def test_a_series_that_will_not_be_whole_is_taken_away(services: Services, disk: Disk, end: str) -> None:
    session = services.session
    uid = "broken" if end == "failed" else "large"
    disk.early.add(uid)
    job = study.show(services, series(uid, 9))
    until(services, lambda: session.arrival is not None)
    if end == "cancelled":
        job.cancel()
    if end == "overtaken":
        study.show(services, series("other"))
        assert session.image is None
    disk.finish(uid)
    services.runner.wait(job, WAIT_S)
    assert (session.image, session.series, session.arrival) == (None, None, None)


def test_a_series_that_cannot_be_read_leaves_the_open_one(services: Services, disk: Disk) -> None:
    image = services.session.image
    disk.finish("broken")
    services.runner.wait(study.show(services, series("broken")), WAIT_S)
    assert services.session.image is image
    assert (services.session.message.level, services.session.message.text[:7]) == ("error", "A slice")


def test_changing_the_series_keeps_the_mask_and_clears_results(services: Services, disk: Disk) -> None:
    masks.new(services).paint(np.array([3]), 1)
    services.session.view.inverted = True
    disk.finish("next")
    services.runner.wait(study.show(services, series("next", 5)), WAIT_S)
    session = services.session
    assert (session.mask, session.heatmap, session.classification) == (None, None, None)
    assert (session.view.cursor, session.view.inverted, session.view.layout) == ((2, 1, 2), False, "mpr")
    services.saves.settle_all()
    assert len(services.archive.masks.masks_for("1.2.826.0.1.77")) == 1


def test_what_was_wrong_on_loading_is_told_and_stays_with_the_series(services: Services, disk: Disk) -> None:
    missing = Warning("missing-slice", "Slice 2 of 3 should be there, but is not; it is shown blank.")
    disk.warnings["odd"] = missing
    disk.finish("odd")
    services.runner.wait(study.show(services, replace(series("odd"), warnings=(missing,))), WAIT_S)
    assert services.session.series.warnings == (missing,)
    assert (services.session.message.level, services.session.message.text) == ("warning", missing.text)


def test_the_first_window_is_the_files_then_the_modalitys_then_automatic() -> None:
    grid = Grid((2, 3, 4))
    voxels = np.arange(24, dtype=np.int16).reshape(grid.shape)
    assert study.first_window(Image(voxels, grid, "CT", windows=(Window(1, 2),))) == Window(1, 2)
    assert study.first_window(Image(voxels, grid, "CT")).name == "Soft tissue"
    assert study.first_window(Image(voxels, grid, "MR")).name == "Auto"


def test_find_series() -> None:
    found = ScanResult((Study("a", series=(series("1"), series("2"))),), ())
    assert study.find_series(found).uid == "1"
    assert study.find_series(found, "2").uid == "2"
    with pytest.raises(NotFoundError, match="no series 3; found are: 1, 2"):
        study.find_series(found, "3")
    radiographs = ScanResult((Study("a", series=(series("1#aa"), series("2#bb"), series("2#cc"), series("3"))),))
    assert study.find_series(radiographs, "1").uid == "1#aa"
    assert study.find_series(radiographs, "2#cc").uid == "2#cc"
    with pytest.raises(NotFoundError, match="no series 2; found are: 1#aa, 2#bb, 2#cc, 3"):
        study.find_series(radiographs, "2")
    with pytest.raises(UnreadableError, match="No image was found"):
        study.find_series(ScanResult())


def test_what_was_said_of_a_series_goes_with_it(services: Services, disk: Disk) -> None:
    disk.finish("odd", "next")
    odd = replace(series("odd"), warnings=(Warning("missing-slice", "Slice 2 is missing."),))
    services.runner.wait(study.show(services, odd), WAIT_S)
    assert services.session.message.series_uid == "odd"
    services.runner.wait(study.show(services, series("next")), WAIT_S)
    assert services.session.message is None


def test_what_was_said_of_a_scan_stays_when_a_series_opens(services: Services, disk: Disk) -> None:
    disk.finish("next")
    services.session.say("One file could not be read.", "warning")
    services.runner.wait(study.show(services, series("next")), WAIT_S)
    assert services.session.message.text == "One file could not be read."


def test_what_is_usual_for_a_kind_of_image_alarms_nobody(services: Services, disk: Disk) -> None:
    usual = Warning("no-orientation", UNORIENTED_PICTURE)
    disk.finish("sono", "odd")
    services.runner.wait(study.show(services, replace(series("sono", 1), warnings=(usual,))), WAIT_S)
    assert services.session.message is None
    assert services.session.series.warnings == (usual,), "it is still known, and no letters are shown"
    both = (usual, Warning("odd", "Slice 2 is cut short."))
    services.runner.wait(study.show(services, replace(series("odd", 1), warnings=both)), WAIT_S)
    assert services.session.message.text == "Slice 2 is cut short."
    assert UNORIENTED_PICTURE in services.session.message.details


def test_pet_opens_black_on_white_and_the_next_ct_does_not(services: Services, disk: Disk) -> None:
    disk.finish("pet", "ct")
    for uid, modality, inverted in (("pet", "PT", True), ("ct", "CT", False)):
        services.runner.wait(study.show(services, replace(series(uid), modality=modality)), WAIT_S)
        assert services.session.view.inverted is inverted
