"""Hanging protocols of the user's own: files, their mistakes, and what is made of a layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from medviewer.app.commands import hanging_choice, hanging_own, hanging_plan, panes, view
from medviewer.app.commands.hanging_own import Wanted
from medviewer.app.hanging import library
from medviewer.app.hanging.in_use import is_own
from medviewer.app.hanging.wearing import window_of
from medviewer.app.services import Services
from medviewer.app.state import Session
from medviewer.domain.slab import WHOLE_MM
from medviewer.errors import InputError, StoreError
from tests.app.hung_studies import write_mammography, write_radiograph, write_volume
from tests.app.test_hanging import Opener, descriptions, in_use, opened, settle, shown  # noqa: F401  # a fixture

HEAD = """name: Head, one window
when:
  modality: ct
layout: 1x2
viewports:
  - {window: Brain}
  - {plane: coronal, window: {center: 600, width: 2800}}
"""


def write(services: Services, text: str, name: str = "mine") -> Path:
    folder = services.archive.home / library.FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: [", "line 2: This is no YAML"),
        pytest.param("name: x\nsteps: " + "[" * 100_000, "line 2: It is nested more than 50", id="lists in lists"),
        pytest.param("- " * 100_000, "line 1: It is nested more than 50", id="rows in rows"),
        ("", "line 1: None is not of type 'object'."),
        ("name: x\nlayout: 1x2\n", "line 1: A protocol has either viewports or steps."),
        (HEAD.replace("layout: 1x2", "layout: 9x9"), "line 4: layout: '9x9' does not match"),
        (HEAD.replace("layout: 1x2", "layout: 2x2"), "line 5: The layout 2x2 has 4 viewports, not 2."),
        (HEAD.replace("coronal", "corona"), "line 7: viewport 2 / plane: 'corona' is not one of ['axial'"),
        (HEAD.replace("width: 2800", "width: 0"), "line 7: viewport 2 / window"),
        (
            HEAD.replace("{window: Brain}", "{colours: mauve}"),
            "line 6: viewport 1 / colours: There are no colours 'mauve'",
        ),
        (HEAD.replace("{window: Brain}", "{series: {description: '('}}"), "line 6: viewport 1 / series / description"),
        (HEAD.replace("modality: ct", "modalty: ct"), "line 2: when: Additional properties are not allowed ('modalty'"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(InputError) as raised:
        library.parsed(text, "mine")
    assert str(raised.value).startswith(told)


def test_a_broken_file_is_a_row_and_no_more(services: Services) -> None:
    write(services, HEAD, "good")
    write(services, HEAD.replace("1x2", "2x2"), "bad")
    (services.archive.home / library.FOLDER / "worse.yaml").write_bytes(b"\xff\xfe\x00name")
    rows = {row.path.stem: row for row in library.own_rows(services.archive.home)}
    assert rows["good"].protocol is not None
    assert rows["good"].protocol.when.modality == ("CT",)
    assert (rows["bad"].name, rows["bad"].protocol) == ("bad", None)
    assert rows["bad"].error.startswith("line 5")
    assert rows["worse"].error == "The file cannot be read as text."
    assert [one.id for one in hanging_plan.protocols(services) if one.own] == ["good"]


def test_a_file_that_is_mended_is_read_again(services: Services) -> None:
    path = write(services, HEAD.replace("1x2", "2x2"))
    assert library.own_rows(services.archive.home)[0].protocol is None
    path.write_text(HEAD, encoding="utf-8")
    assert library.own_rows(services.archive.home)[0].protocol is not None


def test_a_layout_comes_back_as_it_was_saved(tmp_path: Path, opened: Opener) -> None:  # noqa: F811  # a fixture
    services = opened(write_volume(tmp_path, "CT", "Thorax", BodyPartExamined="CHEST"))
    session = services.session
    panes.arrange(session, "1x2")
    session.view.active = 1
    panes.turn(session, "flip")
    view.choose_window(services, 6)  # of the series, as no viewport has a look of its own
    session.view.sync_zoom = False
    wanted = hanging_own.proposal(services)
    assert wanted == Wanted("My CT chest", "CT", "CHEST")
    kept = hanging_own.keep(services, replace(wanted, name="Lungs"))
    assert (in_use(services), session.hanging.by_hand, is_own(session)) == (kept.id, True, False)
    [row] = library.own_rows(services.archive.home)
    assert yaml.safe_load(row.path.read_text(encoding="utf-8")) == {
        "name": "Lungs",
        "when": {"modality": ["CT"], "body_part": ["CHEST"]},
        "layout": "1x2",
        "viewports": [
            {"series": "main", "plane": "axial", "window": "Lung"},
            {"series": "main", "plane": "coronal", "window": "Lung", "orient": ["R", "I"]},
        ],
        "links": {"zoom": False, "window": False, "lines": True, "scroll": False},
    }
    before = [(display.limits, display.letters) for display in shown(services)]
    write_volume(tmp_path / "next", "CT", "Thorax", "next", BodyPartExamined="CHEST")
    opened(tmp_path / "next", services=services)
    assert in_use(services) == kept.id, "of two that say as much, the user's comes first"
    assert "of the two, it is yours" in session.hanging.why
    assert [(display.limits, display.letters) for display in shown(services)] == before


def test_windows_colours_and_slabs_of_single_viewports_are_saved(
    tmp_path: Path,
    opened: Opener,  # noqa: F811  # a fixture
) -> None:
    services = opened(write_volume(tmp_path, "CT", "Head", BodyPartExamined="HEAD"))
    session = services.session
    session.view.active = 2
    view.drag_window(services, 0.1, 0, 2)
    view.invert(services)
    session.view.slab_mode, session.view.slab_mm = "mean", 6.0
    session.view.colours = "hot-iron"
    made = hanging_own.written(services, Wanted("x", automatic=False))
    assert made["automatic"] is False
    first, _, third, _ = made["viewports"]
    everywhere = {"colours": "hot-iron", "slab": {"mode": "mean", "mm": 6.0}}
    assert first == {"series": "main", "plane": "axial", "window": "Brain", **everywhere}
    assert third["invert"] is True
    assert third["window"] == {
        "center": pytest.approx(window_of(session, 2)[0].center),
        "width": pytest.approx(window_of(session, 2)[0].width, abs=1e-3),
    }
    session.view.slab_mm = WHOLE_MM
    assert hanging_own.written(services, Wanted("x"))["viewports"][0]["slab"] == {"mode": "mean", "whole": True}
    view.choose_window(services, 5)
    panes.arrange(session, "single")
    made = hanging_own.written(services, Wanted("x"))
    assert (made["layout"], len(made["viewports"])) == ("1x1", 1)


def test_series_beside_are_found_again_by_what_they_are(
    tmp_path: Path,
    opened: Opener,  # noqa: F811  # a fixture
) -> None:
    services = opened(write_mammography(tmp_path))
    hanging_own.keep(services, Wanted("Mine", "MG", "BREAST"))
    made = yaml.safe_load(library.own_rows(services.archive.home)[0].path.read_text(encoding="utf-8"))
    assert made["viewports"][1] == {
        "series": {"modality": ["MG"], "view": ["CC"], "laterality": ["L"], "slices": {"at_most": 1}},
        "orient": ["A", "R"],
        "side": "left",
    }
    assert descriptions(services) == ["R CC 2024", "L CC 2024", "R MLO 2024", "L MLO 2024"]
    services.session.hanging = replace(services.session.hanging, places=())  # as if the user had dragged them there
    made = hanging_own.written(services, Wanted("x"))
    assert made["viewports"][1]["series"] == {"modality": "MG", "view": "CC", "laterality": "L"}


def test_what_lies_over_another_series_is_saved(
    tmp_path: Path,
    opened: Opener,  # noqa: F811  # a fixture
) -> None:
    write_volume(tmp_path, "CT", "CT low dose", BodyPartExamined="CHEST")
    services = opened(write_volume(tmp_path, "PT", "PET AC", RescaleIntercept=0))
    services.session.fusion = replace(services.session.fusion, opacity=0.4, colours="viridis")
    kept = hanging_own.keep(services, Wanted("Mine", "CT"))
    first, second, *_ = kept.steps[0].viewports
    assert first.overlay is None
    assert (second.overlay.colours, second.overlay.opacity) == ("viridis", 0.4)
    assert [display.fused is not None for display in shown(services)] == [False, True, False, False]


def test_a_prior_is_saved_as_one(tmp_path: Path, opened: Opener) -> None:  # noqa: F811  # a fixture
    write_radiograph(tmp_path, "PA", "before", "20220101")
    services = opened(write_radiograph(tmp_path, "PA").parent)
    hanging_choice.compare_with_prior(services)
    settle(services)
    assert hanging_own.proposal(services).prior
    made = hanging_own.written(services, hanging_own.proposal(services))
    assert made["when"]["prior"] is True
    assert [one.get("of") for one in made["viewports"]] == [None, "prior"]


def test_names_are_changed_and_files_removed(services: Services) -> None:
    write(services, f"# by hand\n{HEAD}")
    [row] = library.own_rows(services.archive.home)
    revision = services.session.hanging_revision
    hanging_own.rename(services, row, 'The "head": mine')
    [row] = library.own_rows(services.archive.home)
    assert row.name == 'The "head": mine'
    assert row.path.read_text(encoding="utf-8").startswith("# by hand\n"), "what else was written stays"
    with pytest.raises(InputError, match="line 2: name"):
        hanging_own.rename(services, row, "  ")
    hanging_own.remove(services, row)
    assert library.own_rows(services.archive.home) == ()
    assert services.session.hanging_revision == revision + 2
    with pytest.raises(StoreError, match="not there any more"):
        hanging_own.rename(services, row, "x")


def test_what_cannot_be_kept_is_told(services: Services, session: Session) -> None:
    with pytest.raises(InputError, match="needs a name"):
        hanging_own.keep(services, Wanted("  "))
    with pytest.raises(InputError, match="regex"):
        hanging_own.keep(services, Wanted("x", description="("))
    (services.archive.home / library.FOLDER).write_text("no folder")
    with pytest.raises(StoreError, match="could not be kept"):
        hanging_own.keep(services, Wanted("x"))
