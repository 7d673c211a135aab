"""Queue, training and versions, as the panel shows them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import learning, masks, verdicts
from medviewer.app.services import Services
from medviewer.domain.mask import Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.inference.client import base_weights
from medviewer.learning.gate import CaseScore, Score
from medviewer.learning.options import FinetuneOptions
from medviewer.plugin_api import RunContext
from medviewer.ui.widgets.learning_dialogs import FinetuneDialog, ReasonDialog
from medviewer.ui.widgets.learning_panel import LearningPanel
from tests.ui.widgets.conftest import open_head

Wait = Callable[[Callable[[], bool]], None]
PLUGIN = "brain-extraction"


@pytest.fixture
def panel(qtbot: QtBot, services: Services) -> LearningPanel:
    made = LearningPanel(services)
    made.resize(300, 600)
    qtbot.addWidget(made)
    return made


def approve_one(services: Services) -> str:
    """Approve a model's mask of a small head; returns the case's id."""
    image = open_head(services)
    manifest = services.plugin(PLUGIN).manifest
    assert manifest is not None
    made = Provenance(PLUGIN, manifest.version, "1.0.0", author=masks.ALGORITHM)
    labels = (image.voxels > 100).astype(np.uint8)
    masks.replace_with(services, Segmentation(labels, image.grid, manifest.segments(), made))
    return verdicts.approve(services).id


def add_version(services: Services, case: str, held_out: int, gain: float) -> str:
    """Register the base version and a candidate that was scored on so many cases."""
    plugin = services.plugin(PLUGIN)
    weights = base_weights(plugin, services.archive.home)
    services.registry.ensure_base(plugin, weights)
    pairs = [CaseScore(case, Score(0.90, 3.0), Score(0.90 + gain, 2.9))] * held_out
    made = services.registry.add_candidate(
        PLUGIN, "1.0.0", "1.0.0", Path(weights), training_cases=[case], sides={}, pairs=pairs,
        provenance=Provenance(PLUGIN, "1.0.0", "1.0.0"), author="reader",
    )  # fmt: skip
    services.session.models_revision += 1
    return made.version


def test_an_empty_queue_says_what_to_do(panel: LearningPanel) -> None:
    assert panel.counts.text().startswith("No case yet")
    assert not panel.train_button.isEnabled()
    assert not panel.promote_button.isEnabled()


def test_an_approved_case_appears_without_the_patient(panel: LearningPanel, services: Services) -> None:
    approve_one(services)
    (row,) = panel.queue.rows
    assert row.cells[0] == "MR Head"
    assert row.cells[2:] == ("1.000", "waiting")
    assert panel.counts.text() == "Cases: 1 waiting"
    assert panel.train_button.isEnabled()
    assert "DOE" not in row.tip
    assert "P1" not in row.tip


def test_training_shows_loss_progress_and_can_be_stopped(
    panel: LearningPanel, services: Services, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[FinetuneOptions | None] = []

    def train(context: RunContext) -> None:
        context.report(0.5, "Step 2 of 4, loss 0.3000")
        context.cancelled.wait()
        context.check()

    def finetune(services: Services, plugin_id: str, options: FinetuneOptions | None) -> object:
        chosen.append(options)
        return services.runner.submit(train, title="Fine-tuning")

    monkeypatch.setattr(learning, "finetune", finetune)
    approve_one(services)
    panel.train_button.click()
    (dialog,) = panel.findChildren(FinetuneDialog)
    dialog.length.setCurrentIndex(1)
    dialog.start_button.click()
    assert chosen == [FinetuneOptions(epochs=50, max_steps=200)]
    wait(lambda: panel.bar.value() == 50)
    job = services.runner.jobs[-1]
    for step, loss in ((1, 0.5), (2, 0.3), (3, float("nan"))):
        job.event.emit({"kind": "loss", "epoch": 1, "step": step, "steps": 4, "loss": loss})
    assert panel.curve.losses == ((1, 0.5), (2, 0.3))
    assert not panel.curve.grab().isNull()
    assert not panel.train_button.isEnabled()
    panel.cancel_button.click()
    wait(lambda: panel.training.isHidden())
    assert panel.train_button.isEnabled()


def test_a_better_version_is_promoted_and_rolled_back(panel: LearningPanel, services: Services) -> None:
    version = add_version(services, approve_one(services), held_out=3, gain=0.02)
    assert [row.cells[:2] for row in panel.versions.rows] == [(version, "candidate"), ("1.0.0", "active")]
    assert panel.versions.chosen == "1.0.0"
    assert not panel.promote_button.isEnabled()
    panel.versions.choose(version)
    assert panel.versions.rows[0].cells[2:] == ("0.920", "2.9")
    assert "Better" in panel.sentence.text()
    panel.promote_button.click()
    assert services.registry.active(PLUGIN).version == version
    assert panel.rollback_button.isEnabled()
    panel.rollback_button.click()
    assert services.registry.active(PLUGIN).version == "1.0.0"
    assert not panel.rollback_button.isEnabled()


def test_where_the_gate_cannot_tell_a_person_decides_with_a_reason(panel: LearningPanel, services: Services) -> None:
    version = add_version(services, approve_one(services), held_out=0, gain=0.0)
    panel.versions.choose(version)
    panel.promote_button.click()
    (dialog,) = panel.findChildren(ReasonDialog)
    assert not dialog.promote_button.isEnabled()
    dialog.reason.setText("I looked at ten masks")
    dialog.promote_button.click()
    assert services.registry.active(PLUGIN).version == version
    assert services.registry.history(PLUGIN)[-1].reason == "I looked at ten masks"


def test_a_worse_version_cannot_be_promoted(panel: LearningPanel, services: Services) -> None:
    version = add_version(services, approve_one(services), held_out=3, gain=-0.1)
    panel.versions.choose(version)
    assert not panel.promote_button.isEnabled()
    assert "present version stays" in panel.promote_button.toolTip()
    assert panel.sentence.text() == panel.promote_button.toolTip()
