"""How a plugin runs is chosen for the session: versions, passes, parameters, and the series of its channels."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medviewer.app.commands import plugins, predict
from medviewer.app.doubt_text import doubt_text, no_answer, warnings_of
from medviewer.app.run_choice import RunChoice
from medviewer.app.services import Services
from medviewer.archive.blobs import write_array
from medviewer.domain.doubt import Doubt
from medviewer.domain.finding import Classification
from medviewer.domain.image import Image
from medviewer.domain.provenance import Provenance
from medviewer.errors import InputError, NotFoundError
from medviewer.inference.request import RunOptions
from medviewer.plugin_api.manifest import file_sha256
from tests.app.conftest import SERIES, STUDY
from tests.inference.tiny_plugins import write_plugin

PARAMS = {"steps": {"type": "integer", "minimum": 1, "default": 2}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a prediction was submitted with."""
    seen: dict[str, Any] = {}

    def submit(runner: Any, *_: Any, **more: Any) -> Any:
        seen.update(more)
        return runner.submit(lambda _: Classification({"A": 1.0}, Provenance()), title="")

    monkeypatch.setattr(predict, "submit_prediction", submit)
    return seen


def put(services: Services, **changes: Any) -> None:
    inputs = {"modality": ["CT"], **changes.pop("inputs", {})}
    write_plugin(services.archive.home / "plugins", "tuned", inputs=inputs, **changes)
    services.refresh()


def test_the_choice_of_the_session_counts_for_the_menu_too(services: Services, asked: dict[str, Any]) -> None:
    put(services, params=PARAMS)
    services.choices["tuned"] = RunChoice({"steps": 5}, "cpu", tta="full", samples=3, uncertainty=True)
    services.runner.wait(predict.run(services, "tuned"))
    assert (asked["parameters"], asked["device"]) == ({"steps": 5}, "cpu")
    assert asked["options"] == RunOptions("full", 3, True)


@pytest.mark.usefixtures("warm_workers")
def test_a_mask_is_packed_off_the_home_thread(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin runs, and who packs the file is looked at: a large mask takes long."""
    put(services)
    folder = services.archive.home / "plugins" / "tuned"
    services.runner.wait(plugins.trust(services, "tuned", plugins.fingerprint(folder)))
    packed: list[int] = []

    def write(path: Path, array: Any) -> None:
        packed.append(threading.get_ident())
        write_array(path, array)

    monkeypatch.setattr("medviewer.archive.masks.write_array", write)
    services.runner.wait(predict.run(services, "tuned", device="cpu"), 120)
    store = services.session.mask
    assert store is not None, services.session.message
    assert len(packed) == 1
    assert packed[0] != threading.get_ident()
    (kept,) = services.archive.masks.masks_for(SERIES.uid)
    np.testing.assert_array_equal(services.archive.masks.load_mask(kept.id).labels, store.labels)


def test_further_versions_are_averaged_with_the_one_that_runs(services: Services, asked: dict[str, Any]) -> None:
    put(services)
    services.choices["tuned"] = RunChoice(ensemble=("1.2.3",))
    services.runner.wait(predict.run(services, "tuned"))
    assert asked["options"].ensemble == (), "it is the version that runs already"
    manifest = services.archive.home / "plugins" / "tuned" / "plugin.yaml"
    manifest.write_text(manifest.read_text().replace("version: 1.2.3", "version: 1.3.0"))
    services.refresh()
    services.choices["tuned"] = RunChoice(version="1.3.0", ensemble=("1.2.3",))
    services.runner.wait(predict.run(services, "tuned"))
    weights = manifest.with_name("weights.safetensors")
    assert asked["options"].versions == ((weights, file_sha256(weights)),), (
        "each is checked once more when it is loaded"
    )
    services.choices["tuned"] = RunChoice(ensemble=("9.9.9",))
    with pytest.raises(NotFoundError, match=r"9\.9\.9"):
        predict.run(services, "tuned")


def test_a_plugin_of_several_series_reads_the_others_first(
    services: Services, image: Image, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(services, inputs={"channels": ["T1", "FLAIR"]})
    with pytest.raises(InputError, match="also needs FLAIR; choose a series"):
        predict.run(services, "tuned")
    other = replace(SERIES, uid="1.2.3.4")
    services.session.study = replace(STUDY, series=(SERIES, other))
    services.choices["tuned"] = RunChoice(channels={"FLAIR": other.uid})
    monkeypatch.setattr("medviewer.formats.load", lambda *_: image)
    reading = predict.run(services, "tuned")
    assert services.session.busy_plugins == {"tuned"}
    with pytest.raises(InputError, match="at work already; wait for it"):
        predict.run(services, "tuned")
    services.runner.wait(reading)
    assert services.session.busy_plugins == {"tuned"}, "it runs now"
    for job in services.runner.jobs:
        services.runner.wait(job)
    assert services.session.busy_plugins == frozenset()
    reading = predict.run(services, "tuned")
    reading.cancel()
    services.runner.wait(reading)
    assert services.session.busy_plugins == frozenset()
    assert asked["others"] == {"FLAIR": (image, other)}


@pytest.mark.parametrize(
    ("doubt", "text"),
    [
        (Doubt(), "doubt not measured"),
        (Doubt(0.124), "uncertainty 12 %"),
        (Doubt(0.5, 0.62), "uncertainty 50 %, like the training set (0.6 of 1)"),
        (Doubt(None, 1.84), "1.8× beyond the training set"),
        (Doubt(None, float("inf")), "far beyond the training set"),
    ],
)
def test_doubt_in_words(doubt: Doubt, text: str) -> None:
    assert doubt_text(doubt) == text


def test_no_answer_has_a_reason() -> None:
    made = Provenance(doubt=Doubt(flags=("No answer: 0.55 is below 0.7.",)))
    found = Classification({"A": 0.55, "B": 0.45}, made, abstained=True)
    assert no_answer(found) == "No answer: 0.55 is below 0.7."
    assert no_answer(replace(found, provenance=Provenance())).startswith("No answer: the highest probability is 55 %")
    assert no_answer(replace(found, abstained=False)) == ""
    assert warnings_of(Doubt(flags=("a", "b")), ("b", "c")) == ("a", "b", "c")


def test_nothing_changed_is_no_choice() -> None:
    assert (RunChoice().changed, RunChoice(device="cpu", samples=2).changed) == (0, 2)
