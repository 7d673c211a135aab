"""Whatever is handed in, the command line says what is wrong in one sentence and exits with 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name

from medviewer import formats
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image
from medviewer.domain.mask import Segmentation
from tests.cli.conftest import GRID, SERIES, STUDY, Run, one_sentence
from tests.inference.tiny_plugins import FAULTS, write_plugin

pytestmark = pytest.mark.usefixtures("warm_workers")  # each command is a program


def _refused(run: Run, *arguments: object, words: tuple[str, ...] = ()) -> None:
    told = run(*arguments)
    assert told.code == 1, told.err
    assert told.out == ""
    assert one_sentence(told.err), told.err
    for word in words:
        assert word in told.err, told.err


def test_an_empty_folder(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    _refused(run, "info", folder, words=("empty", "no files", "choose"))
    _refused(run, "info", folder, "--json", words=("no files",))


def test_text_files_named_dcm(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("a.dcm", "b.dcm", "c.dcm"):
        (folder / name).write_text("This is a text, not an image.\n" * 20)
    _refused(run, "info", folder, words=("texts", "3 files of other kinds"))
    _refused(run, "info", folder / "a.dcm", words=("a.dcm", "no image of a format that is read"))


def test_a_truncated_slice_opens_with_a_warning_and_alone_is_refused(head: Path, tmp_path: Path, run: Run) -> None:
    path = head / "0004.dcm"
    path.write_bytes(path.read_bytes()[:-60])
    out = tmp_path / "out.nii.gz"
    told = run("convert", head, "-o", out)
    assert told.code == 0
    assert "0004.dcm" in told.err
    assert sitk.ReadImage(out).GetSize() == (11, 9, 6)
    _refused(run, "convert", path, "-o", out, words=("0004.dcm",))


def test_a_series_with_mixed_sizes_opens_with_a_warning(head: Path, tmp_path: Path, run: Run) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    grid = Grid((1, 5, 7), GRID.spacing, tuple(GRID.index_to_world((6, 0, 0))), GRID.direction)
    formats.write_dicom_series(Image(np.ones(grid.shape, np.int16), grid, "MR"), odd, study=STUDY, series=SERIES)
    (odd / "0001.dcm").rename(head / "9999.dcm")
    series = json.loads(run("info", head, "--json").out)["studies"][0]["series"]
    assert [one["shape"] for one in series] == [[6, 9, 11], [1, 5, 7]]
    assert series[0]["warnings"]


def test_a_nifti_with_a_broken_header(tmp_path: Path, image: Image, run: Run) -> None:
    path = tmp_path / "broken.nii"
    formats.save_image(image, path)
    data = bytearray(path.read_bytes())
    data[40:56] = b"\xff" * 16
    path.write_bytes(data)
    _refused(run, "info", path, words=("broken.nii", "header"))
    path.write_bytes(data[:200])
    _refused(run, "info", path, words=("broken.nii",))


def test_a_mask_on_another_grid(head: Path, tmp_path: Path, run: Run) -> None:
    other = Grid((6, 9, 11), (1.0, 1.0, 1.0))
    mask = tmp_path / "mask.nii.gz"
    formats.save_segmentation(Segmentation(np.ones(other.shape, np.uint8), other, ()), mask)
    call = ("queue", "add", head, "--mask", mask, "--plugin", "brain-extraction")
    _refused(run, *call, words=("mask.nii.gz", "6 x 9 x 11"))
    _refused(run, "screenshot", head, "-o", tmp_path / "a.png", "--mask", mask, words=("mask.nii.gz",))
    _refused(run, "screenshot", head, "-o", tmp_path / "a.png", "--heatmap", mask, words=("mask.nii.gz",))
    assert not (tmp_path / "a.png").exists()
    assert json.loads(run("queue", "list", "--json").out) == {"cases": []}


def test_an_image_that_a_plugin_must_refuse(head: Path, tmp_path: Path, run: Run) -> None:
    call = ("predict", head, "--plugin", "chest-xray", "-o", tmp_path / "a.json")
    told = run(*call)
    assert told.code == 1
    assert one_sentence(told.err), told.err


def test_weights_that_are_not_here(tmp_path: Path, run: Run) -> None:
    grid = Grid((1, 40, 30))
    chest = tmp_path / "chest.nii.gz"
    formats.save_image(Image(np.zeros(grid.shape, np.uint8), grid, "CR"), chest)
    _refused(
        run,
        *("predict", chest, "--plugin", "chest-xray", "-o", tmp_path / "a.json"),
        words=("chest-xray", "medviewer plugin fetch chest-xray"),
    )
    _refused(run, "plugin", "check", "chest-xray", words=("weights",))


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        *((name, FAULTS[name].body, FAULTS[name].words) for name in ("raises", "dies", "wrong_shape")),
        ("hangs", "    def normalise(self, values):\n        time.sleep(1000)\n", ("progress", "3 s")),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_a_plugin_that_fails(
    name: str,
    body: str,
    words: tuple[str, ...],
    head: Path,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDVIEWER_PLUGINS", str(tmp_path / "plugins"))
    if name == "hangs":
        monkeypatch.setattr("medviewer.inference.client.SILENCE_S", 3.0)
    plugin = write_plugin(tmp_path / "plugins", name, body)
    out = tmp_path / "mask.nii.gz"
    out.write_bytes(b"what was saved before")
    _refused(run, "predict", head, "--plugin", plugin.id, "-o", out, "--device", "cpu", words=words)
    assert out.read_bytes() == b"what was saved before"


def test_a_broken_manifest_is_a_row_and_stops_nothing(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDVIEWER_PLUGINS", str(tmp_path))
    write_plugin(tmp_path, "from_the_future", api=99)
    rows = {row["id"]: row for row in json.loads(run("plugin", "list", "--json").out)["plugins"]}
    assert "plugin API 1, not 99" in rows["from_the_future"]["error"]
    assert rows["brain-extraction"]["error"] == ""
    assert "plugin API 1, not 99" in run("plugin", "list").out
    _refused(run, "plugin", "check", "from_the_future", words=("not 99",))
