"""What the keys 1 to 9 choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.presets import by_key, first_window, found_window, listed, opens_inverted, windows_for
from medviewer.app.settings import OwnWindow
from medviewer.domain.geometry import Grid
from medviewer.domain.image import Image, Lut, Rescale, Window


def test_ct_has_the_windows_that_readers_expect() -> None:
    windows = {window.name: (window.center, window.width) for window in windows_for("CT")}
    assert windows["Soft tissue"] == (40, 400)
    assert windows["Lung"] == (-600, 1500)
    assert windows["Brain"] == (40, 80)
    assert windows_for("MR") == ()


def test_a_preset_has_its_digit_whatever_the_file_brings(image: Image) -> None:
    expected = ["Soft tissue", "Brain", "Subdural", "Stroke", "Bone", "Lung", "Abdomen", "Liver", "Mediastinum"]
    for windows in ((), (Window(1, 2, "First"), Window(3, 4))):
        keys = by_key(replace(image, windows=windows))
        assert [keys[n].name for n in range(10)] == ["Auto", *expected]


def test_the_list_has_the_automatic_one_the_presets_and_all_of_the_file(image: Image) -> None:
    several = replace(image, windows=(Window(1, 2, "First"), Window(3, 4)))
    choices = listed(several)
    assert [(c.window.name, c.source, c.key) for c in (choices[0], choices[1], *choices[-3:])] == [
        ("Auto", "auto", 0),
        ("Soft tissue", "preset", 1),
        ("Angiography", "preset", None),
        ("First", "file", None),
        ("File 2", "file", None),
    ]
    assert [(c.window.name, c.key) for c in listed(replace(several, modality="MR"))] == [
        ("Auto", 0),
        ("First", 1),
        ("File 2", 2),
    ]
    assert listed(replace(image, voxels=np.zeros((*image.grid.shape, 3), np.uint8))) == ()


def test_a_window_of_the_user_takes_a_digit_from_a_preset(image: Image) -> None:
    mine = OwnWindow(name="Ear", modality="CT", unit="HU", center=700, width=4000, key=5)
    spare = OwnWindow(name="Spine", modality="CT", unit="HU", center=50, width=250)
    other = OwnWindow(name="Knee", modality="MR", center=1, width=2, key=6)
    choices = listed(image, (mine, spare, other))
    keys = by_key(image, (mine, spare, other))
    assert (keys[5].name, keys[6].name) == ("Ear", "Lung")
    assert [(c.window.name, c.key) for c in choices if c.source == "own"] == [("Ear", 5), ("Spine", None)]
    assert next(c.key for c in choices if c.window.name == "Bone") is None
    mri = replace(image, modality="MR", rescale=Rescale(), windows=tuple(Window(k, 1) for k in range(1, 9)))
    assert [by_key(mri, (other,))[k].name for k in (5, 6, 7)] == ["File 5", "Knee", "File 6"]


def test_tables_and_sigmoids_stay_what_they_are(image: Image) -> None:
    lut = Lut(0, np.array([0, 1], np.uint8), 1)
    several = replace(
        image, windows=(Window(0.5, 1, "NORMAL", lut=lut), Window(0.5, 1, lut=lut), Window(1, 2, "", "SIGMOID"))
    )
    chosen = [choice.window for choice in listed(several) if choice.source == "file"]
    assert [window.name for window in chosen] == ["NORMAL", "File 2", "File 3"]
    assert [window.lut is lut for window in chosen] == [True, True, False]
    assert chosen[2].function == "SIGMOID"


def test_pet_in_suv_opens_as_0_to_10_and_has_its_presets_on_the_keys(image: Image) -> None:
    pet = replace(image, modality="PT", rescale=Rescale(0.1, 0, "SUV"), windows=())
    assert first_window(pet).limits == (0, 10)
    keys = by_key(pet)
    assert [keys[k].name for k in range(5)] == ["Auto", "SUV 0-5", "SUV 0-7", "SUV 0-10", "SUV 0-15"]
    assert [keys[k].limits for k in (1, 2, 3, 4)] == [(0, 5), (0, 7), (0, 10), (0, 15)]
    own = Window(3, 6, "Own")
    assert first_window(replace(pet, windows=(own,))) is own
    assert by_key(replace(pet, windows=(own,)))[5] == own


def test_pet_in_its_files_own_unit_opens_automatically(image: Image) -> None:
    counts = replace(image, modality="PT", rescale=Rescale(1, 0, "BQML"), windows=())
    assert first_window(counts).name == "Auto"
    assert [choice.window.name for choice in listed(counts)] == ["Auto"]


@pytest.mark.parametrize(
    ("modality", "stored", "inverted"), [("PT", False, True), ("PT", True, False), ("CT", False, False)]
)
def test_pet_is_black_on_white(image: Image, modality: str, stored: bool, inverted: bool) -> None:
    assert opens_inverted(replace(image, modality=modality, inverted=stored)) is inverted


def film(modality: str = "DX", *windows: Window) -> Image:
    """A body of 3000 to 16000 within bare detector of 100 and a collimator of 29 000."""
    voxels = np.full((1, 200, 200), 100, np.uint16)
    voxels[0, 10:190, 10:190] = np.linspace(3000, 16000, 180, dtype=np.uint16)
    voxels[0, :, :6] = 29_000
    return Image(voxels, Grid((1, 200, 200)), modality, windows=windows)


def test_a_radiograph_opens_with_its_own_window_or_with_that_of_the_body() -> None:
    body = found_window(film())
    low, high = body.limits
    assert 3000 < low < 5000
    assert 14_000 < high < 16_000
    assert first_window(film()) == body
    assert listed(film())[0].window == body, "the key 0 chooses it, too"
    chosen = Window(9000, 14_000)
    assert first_window(film("DX", chosen)) == chosen
    everything = Window(15_000, 30_000)
    assert first_window(film("DX", everything)) == body, "it was not chosen: it spans what there is, and shows all pale"
    assert first_window(film("MG", everything)) == everything
    table = Window(15_000, 30_000, lut=Lut(0, np.arange(256, dtype=np.uint8), 8))
    assert first_window(film("DX", table)) == table
    close = Window(15_000, 30_000)
    wide = replace(film("DX", close), voxels=np.linspace(0, 29_999, 40_000).astype(np.uint16).reshape(1, 200, 200))
    assert first_window(wide) == close, "the body takes most of it"
