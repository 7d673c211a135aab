"""What a command hands to the program when options are left out, and when several belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from medviewer.app.commands import explain, learning, predict
from medviewer.app.run_choice import RunChoice
from medviewer.errors import InputError
from medviewer.learning.options import FinetuneOptions
from tests.cli.conftest import Run


def test_the_heat_map_beside_a_prediction_explains_the_same_version(
    head: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def refuse(*_: object, version: str | None = None, choice: RunChoice | None = None, **__: object) -> None:
        asked.append(version or (choice and choice.version))
        if len(asked) == 2:
            raise InputError("That is all that had to be seen of this call; it ends here.")

    monkeypatch.setattr(predict, "submit", refuse)
    monkeypatch.setattr(explain, "submit", refuse)
    out = tmp_path / "mask.nii.gz"
    run("predict", head, "--plugin", "brain-extraction", "-o", out, "--model", "1.0.0-ft.1", "--explain", "gradcam")
    assert asked == ["1.0.0-ft.1", "1.0.0-ft.1"]


def test_a_version_that_is_not_there_is_not_explained(head: Path, tmp_path: Path, run: Run) -> None:
    call = ("predict", head, "--plugin", "brain-extraction", "-o", tmp_path / "mask.nii.gz", "--model", "9.9.9")
    told = run(*call, "--explain", "gradcam")
    assert (told.code, "9.9.9" in told.err) == (1, True)


def test_training_has_the_same_defaults_as_in_the_window(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[FinetuneOptions] = []

    def refuse(_: object, __: str, options: FinetuneOptions) -> None:
        chosen.append(options)
        raise InputError("That is all that had to be seen of this call; it ends here.")

    monkeypatch.setattr(learning, "finetune", refuse)
    run("finetune", "--plugin", "brain-extraction", "--max-steps", "3")
    assert chosen == [FinetuneOptions(max_steps=3)]
