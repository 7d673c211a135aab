"""What the keys 1 to 9 choose."""

from __future__ import annotations

from dataclasses import replace

from medviewer.app.presets import choices, windows_for
from medviewer.domain.image import Image, Window


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
