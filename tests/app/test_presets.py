"""What the keys 1 to 9 choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medviewer.app.presets import choices, first_window, opens_inverted, windows_for
from medviewer.domain.image import Image, Lut, Rescale, Window


def test_ct_has_the_windows_that_readers_expect() -> None:
    windows = {window.name: (window.center, window.width) for window in windows_for("CT")}
    assert windows["Soft tissue"] == (40, 400)
    assert windows["Lung"] == (-600, 1500)
    assert windows["Brain"] == (40, 80)
    assert windows_for("MR") == ()


def test_own_windows_first_then_the_automatic_one_then_presets(image: Image) -> None:
    several = replace(image, windows=(Window(1, 2, "First"), Window(3, 4)))
    names = [window.name for window in choices(several)]
    assert names[:4] == ["First", "File 2", "Auto", "Soft tissue"]
    assert len(names) == 9
    assert [window.name for window in choices(replace(image, modality="MR", windows=()))] == ["Auto"]


def test_tables_and_sigmoids_stay_what_they_are(image: Image) -> None:
    lut = Lut(0, np.array([0, 1], np.uint8), 1)
    several = replace(
        image, windows=(Window(0.5, 1, "NORMAL", lut=lut), Window(0.5, 1, lut=lut), Window(1, 2, "", "SIGMOID"))
    )
    chosen = choices(several)[:3]
    assert [window.name for window in chosen] == ["NORMAL", "File 2", "File 3"]
    assert [window.lut is lut for window in chosen] == [True, True, False]
    assert chosen[2].function == "SIGMOID"


def test_pet_in_suv_opens_as_0_to_10_and_has_its_presets_on_the_keys(image: Image) -> None:
    pet = replace(image, modality="PT", rescale=Rescale(0.1, 0, "SUV"), windows=())
    assert first_window(pet).limits == (0, 10)
    names = [window.name for window in choices(pet)]
    assert names == ["Auto", "SUV 0-5", "SUV 0-7", "SUV 0-10", "SUV 0-15"]
    assert [choices(pet)[k].limits for k in (1, 2, 3, 4)] == [(0, 5), (0, 7), (0, 10), (0, 15)]
    own = Window(3, 6, "Own")
    assert first_window(replace(pet, windows=(own,))) is own


def test_pet_in_its_files_own_unit_opens_automatically(image: Image) -> None:
    counts = replace(image, modality="PT", rescale=Rescale(1, 0, "BQML"), windows=())
    assert first_window(counts).name == "Auto"
    assert [window.name for window in choices(counts)] == ["Auto"]


@pytest.mark.parametrize(
    ("modality", "stored", "inverted"), [("PT", False, True), ("PT", True, False), ("CT", False, False)]
)
def test_pet_is_black_on_white(image: Image, modality: str, stored: bool, inverted: bool) -> None:
    assert opens_inverted(replace(image, modality=modality, inverted=stored)) is inverted
