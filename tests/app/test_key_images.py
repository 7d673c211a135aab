"""Key images: marked with their look, undone, gone to, and written as pictures and as a DICOM object."""

from __future__ import annotations

import io
import itertools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures
from PIL.ImageDraw import ImageDraw

from medviewer.app.commands import key_images, measuring, panes, undoing
from medviewer.app.controllers.display import resolve_pane
from medviewer.app.hanging.companions import plane_of
from medviewer.app.pictures import picture_of
from medviewer.app.ports.display import Display
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.domain.image import Window
from medviewer.domain.measure.key_image import KeyImage
from medviewer.domain.measure.measurement import Measurement
from medviewer.domain.turned import Turned
from medviewer.errors import InputError, NotFoundError
from tests.app.conftest import GRID, SERIES, STUDY


def settle(services: Services) -> None:
    for job in list(services.runner.jobs):
        services.runner.wait(job, 60)


def drawn(session: Session, number: int = 0) -> np.ndarray:
    planes = tuple(plane for k in range(len(session.view.hung)) if (plane := plane_of(session, k)))
    display = resolve_pane(session, planes, number)
    assert display is not None
    return picture_of(display)


def test_a_key_image_keeps_the_look_and_brings_it_back(services: Services) -> None:
    view = services.session.view
    view.cursor, view.window = (2, 3, 4), Window(40, 400)
    view.inverted, view.colours, view.slab_mode, view.slab_mm = True, "hot-iron", "mip", 6.0
    panes.turn(services.session, "flip")
    made = key_images.mark(services, note="bleeding")
    assert (made.place, made.slice, made.series_uid, made.author) == ("Ax 3", 2, SERIES.uid, "reader")
    key_images.annotate(services, made.uid, " old bleeding ")
    panes.turn_back(services.session)
    view.cursor, view.window, view.colours = (0, 0, 0), Window(0, 1), "gray"
    view.slab_mode, view.inverted = "none", False
    measuring.restore(services)
    (kept,) = services.session.key_images
    assert kept.note == "old bleeding"
    assert KeyImage.from_json(kept.to_json()) == kept
    key_images.jump_to(services, made.uid)
    assert (view.cursor, view.window.center, view.window.width) == ((2, 3, 4), 40, 400)
    assert (view.inverted, view.colours, view.slab_mode, view.slab_mm) == (True, "hot-iron", "mip", 6.0)
    assert view.hung[view.active].turn.mirrored
    with pytest.raises(NotFoundError, match="no such key image"):
        key_images.jump_to(services, "1.2")


def test_planes_that_were_turned_come_back(services: Services) -> None:
    session = services.session
    point = tuple(float(v) for v in GRID.index_to_world((2, 3, 4)))
    session.view.cursor = (2, 3, 4)
    session.view.turned = Turned.straight(GRID, (point[0], point[1], point[2])).turned("Axial", 0.4)
    made = key_images.mark(services, 1)
    assert made.place == "Sag oblique"
    settle(services)
    assert services.archive.measurements.key_picture(made.uid) is not None
    assert not made.is_stored_slice
    before = session.view.turned
    session.view.turned, session.view.cursor = None, (0, 0, 0)
    measuring.restore(services)
    key_images.jump_to(services, made.uid)
    assert session.view.turned is not None
    np.testing.assert_allclose(session.view.turned.bases, before.bases)
    assert session.view.hung[session.view.active].kind == "sagittal"


def test_marking_again_changes_the_look_and_no_copy_is_made(services: Services) -> None:
    session = services.session
    first = key_images.mark(services, note="one")
    session.view.window = Window(1, 2)
    again = key_images.mark(services)
    assert (again.uid, again.note, again.width) == (first.uid, "one", 2)
    assert session.key_images == (again,)
    session.view.cursor = (3, 3, 4)
    key_images.mark(services)
    assert len(session.key_images) == 2
    undoing.undo(services)
    undoing.undo(services)
    assert session.key_images == (first,)


def test_undo_of_marking_again_brings_the_picture_of_the_former_look_back(services: Services) -> None:
    session, store = services.session, services.archive.measurements
    first = key_images.mark(services)
    settle(services)
    pictures = [store.key_picture(first.uid)]
    session.view.inverted = True
    key_images.mark(services)
    settle(services)
    pictures.append(store.key_picture(first.uid))
    assert pictures[0] != pictures[1]
    for _ in range(2):
        key_images.undo(services)
        assert session.key_images == (first,)
        assert store.key_picture(first.uid) == pictures[0]
        key_images.redo(services)
        assert session.key_images[0].inverted
        assert store.key_picture(first.uid) == pictures[1]


def test_what_was_undone_before_it_was_drawn_has_its_own_picture_when_it_is_done_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = services.archive.measurements
    services.session.view.inverted = True
    first = key_images.mark(services)
    settle(services)
    inverted = store.key_picture(first.uid)
    services.session.view.inverted = False
    key_images.mark(services)
    settle(services)
    plain = store.key_picture(first.uid)
    assert inverted != plain
    go = threading.Event()

    def slow(display: Display) -> np.ndarray:
        assert go.wait(60)
        return picture_of(display)

    monkeypatch.setattr(key_images, "picture_of", slow)
    services.session.view.inverted = True
    key_images.mark(services)
    assert store.key_picture(first.uid) is None, "not that of the former look"
    key_images.undo(services)
    go.set()
    settle(services)
    assert store.key_picture(first.uid) == plain
    key_images.redo(services)
    settle(services)
    assert store.key_picture(first.uid) == inverted
    key_images.undo(services)
    key_images.undo(services)
    key_images.undo(services)
    assert services.session.key_images == ()
    key_images.redo(services)
    settle(services)
    assert store.key_picture(first.uid) == inverted


def test_a_picture_of_a_former_look_that_comes_late_is_not_kept(services: Services) -> None:
    store = services.archive.measurements
    first = key_images.mark(services)
    services.session.view.inverted = True
    again = key_images.mark(services)
    settle(services)
    now = store.key_picture(again.uid)
    assert not store.set_key_picture(first, b"late")
    assert store.key_picture(again.uid) == now
    key_images.annotate(services, again.uid, "cyst")
    assert store.set_key_picture(again, b"with another note it looks as it did")


def test_what_is_taken_away_comes_back_with_its_picture_in_the_order_of_what_was_done(services: Services) -> None:
    session, store = services.session, services.archive.measurements
    made = key_images.mark(services)
    settle(services)
    png = store.key_picture(made.uid)
    assert png is not None
    m = measuring.add(services, Measurement("", "point", ((1, 2, 3),), (0, 0, 1), ""))
    key_images.remove(services, made.uid)
    assert store.key_picture(made.uid) is None
    undoing.undo(services)
    assert session.key_images == (made,)
    assert store.key_picture(made.uid) == png
    undoing.undo(services)
    assert session.measurements == ()
    undoing.undo(services)
    assert session.key_images == ()
    assert not undoing.can_undo(session)
    for _ in range(3):
        undoing.redo(services)
    assert session.key_images == ()
    assert session.measurements == (m,)
    with pytest.raises(InputError, match="no key image to do again"):
        key_images.redo(services)


def test_the_picture_shows_the_grey_values_of_the_window(services: Services) -> None:
    session = services.session
    session.view.cursor, session.view.window = (1, 3, 4), Window(100, 200)
    # axial: 6 rows of 2 mm and 8 columns of 1 mm, enlarged until the longer edge has 800 pixels
    pixels = drawn(session)
    assert pixels.shape == (800, 533, 3)
    image = session.image
    assert image is not None
    wanted = np.clip((image.real()[1] - 0) / 200, 0, 1) * 255
    spots = [(round((r + 0.5) * 800 / 6), round((c + 0.5) * 533 / 8)) for r in (1, 3, 4) for c in (2, 4, 6)]
    found = [int(pixels[spot][0]) for spot in spots]
    expected = [wanted[r, c] for r in (1, 3, 4) for c in (2, 4, 6)]
    np.testing.assert_allclose(found, expected, atol=3)
    session.view.inverted = True
    np.testing.assert_allclose([int(drawn(session)[s][0]) for s in spots], [255 - v for v in expected], atol=3)


def test_the_picture_shows_measurements_and_colours_but_no_name(services: Services) -> None:
    session = services.session
    session.view.cursor, session.view.window = (1, 3, 4), Window(10000, 10)  # all black
    session.view.show_text = False  # letters
    assert drawn(session).max() == 0
    a, b = GRID.index_to_world([(1, 1, 1), (1, 1, 6)]).tolist()
    measuring.add(services, Measurement("", "length", (tuple(a), tuple(b)), (0, 0, 1), ""))
    yellow = (drawn(session) == (242, 214, 75)).all(axis=2)
    rows, columns = np.nonzero(yellow)
    assert rows.min() < 200 < rows.max() + 40  # at row 1.5 of 6, of 800 pixels
    assert columns.max() - columns.min() > 300
    session.view.show_measures = False
    assert drawn(session).max() == 0
    session.view.colours, session.view.window = "viridis", Window(-10000, 10)
    assert drawn(session)[300, 200].tolist() == [253, 231, 36]


def test_words_in_a_picture_are_not_over_each_other(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes: list[tuple[float, float, float, float]] = []
    plain, lines = ImageDraw.text, ImageDraw.multiline_text

    def text(draw: ImageDraw, at: Any, words: str, fill: Any, font: Any, anchor: str = "la", **more: Any) -> None:
        boxes.append(draw.textbbox(at, words, font, anchor, **more_of(more)))
        plain(draw, at, words, fill, font, anchor, **more)

    def multiline(draw: ImageDraw, at: Any, words: str, fill: Any, font: Any, **more: Any) -> None:
        boxes.append(draw.multiline_textbbox(at, words, font, **more_of(more)))
        with monkeypatch.context() as within:
            within.setattr(ImageDraw, "text", plain)
            lines(draw, at, words, fill, font, **more)

    def more_of(more: dict[str, Any]) -> dict[str, Any]:
        return {"stroke_width": more["stroke_width"]}

    monkeypatch.setattr(ImageDraw, "text", text)
    monkeypatch.setattr(ImageDraw, "multiline_text", multiline)
    services.session.view.cursor = (1, 3, 4)
    for row in (5.2, 5.2, 5.2, 0.1, 0.1, 2.6):  # at the lower edge, the upper one, and where a letter stands
        a, b = GRID.index_to_world([(1, row, 5), (1, row, 7.4)]).tolist()
        measuring.add(services, Measurement("", "length", (tuple(a), tuple(b)), (0, 0, 1), ""))
    drawn(services.session)
    assert len(boxes) == 6 + 4
    for one, other in itertools.combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)
        assert 0 <= one[0] < one[2] <= 533
        assert 0 <= one[1] < one[3] <= 800


def test_pictures_that_are_missing_are_drawn_when_the_series_is_open(services: Services, tmp_path: Path) -> None:
    made = key_images.mark(services)
    settle(services)
    store = services.archive.measurements
    png = store.key_picture(made.uid)
    store.remove_key_image(made.uid)
    store.save_key_image(made, STUDY.uid)
    job = key_images.save_pictures(services, tmp_path)
    services.runner.wait(job, 60)
    with pytest.raises(NotFoundError, match="has no picture yet"):
        job.result()
    services.session.view.window = Window(0, 1)
    key_images.complete(services)
    settle(services)
    assert store.key_picture(made.uid) == png, "as it was marked, whatever is looked at now"
    services.runner.wait(key_images.save_pictures(services, tmp_path), 60)
    (path,) = tmp_path.glob("*.png")
    assert path.name == "key-image-01-ax-3.png"
    assert Pictures.open(io.BytesIO(path.read_bytes())).size == (533, 800)


def test_a_key_object_needs_slices_of_files(services: Services, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mark some first"):
        key_images.save_objects(services, tmp_path / "ko.dcm")
    with pytest.raises(InputError, match="mark some first"):
        key_images.save_pictures(services, tmp_path)
    services.session.study = replace(STUDY, series=(replace(SERIES, reader="nifti"),))
    key_images.mark(services)
    with pytest.raises(InputError, match="save them as pictures"):
        key_images.save_objects(services, tmp_path / "ko.dcm")
