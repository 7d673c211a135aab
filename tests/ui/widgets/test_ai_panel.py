"""The plugins' cards: when they run, what they show, what they ask."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import masks, predict
from medviewer.app.services import Services
from medviewer.domain.finding import Classification
from medviewer.domain.mask import Segmentation
from medviewer.domain.provenance import Provenance
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.ui.widgets.ai_panel import AiPanel
from medviewer.ui.widgets.consent_dialog import ConsentDialog
from medviewer.ui.widgets.plugin_card import BrokenPluginCard
from tests.ui.widgets.conftest import open_head

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def panel(qtbot: QtBot, services: Services) -> AiPanel:
    services.plugins.append(DiscoverResult(Path("bad"), None, "plugin.yaml of bad: id is wrong; mend the file."))
    made = AiPanel(services)
    made.resize(300, 500)
    qtbot.addWidget(made)
    return made


def test_without_a_study_the_reason_is_said(panel: AiPanel) -> None:
    card = panel.cards["brain-extraction"]
    assert not card.run_button.isEnabled()
    assert card.reason.text() == "Open a study first."


def test_an_image_that_does_not_fit_is_said_as_the_plugin_says_it(panel: AiPanel, services: Services) -> None:
    open_head(services)
    assert panel.cards["brain-extraction"].run_button.isEnabled()
    assert panel.cards["brain-extraction"].reason.isHidden()
    card = panel.cards["chest-xray"]
    assert card.run_button.isHidden()
    assert not card.fetch_button.isHidden()


def test_a_broken_plugin_is_a_row_with_its_error(panel: AiPanel) -> None:
    (card,) = panel.findChildren(BrokenPluginCard)
    assert card.error.text() == "plugin.yaml of bad: id is wrong; mend the file."


@pytest.mark.usefixtures("warm_workers")
def test_running_segments_the_open_image(panel: AiPanel, services: Services, wait: Wait) -> None:
    open_head(services)
    card = panel.cards["brain-extraction"]
    card.run_button.click()
    assert card.run_button.isHidden()
    assert not card.cancel_button.isHidden()
    wait(lambda: services.session.mask is not None and not card.found.volumes.isHidden())
    assert card.found.volumes.text().startswith("Brain ")
    assert card.found.made_by.text().startswith("model 1.0.0, ")
    assert card.found.made_by.text().endswith("s")
    assert card.cancel_button.isHidden()


def test_cancel_stops_the_run(panel: AiPanel, services: Services, wait: Wait) -> None:
    open_head(services)
    card = panel.cards["brain-extraction"]
    card.run_button.click()
    card.cancel_button.click()
    wait(lambda: not card.run_button.isHidden())
    assert services.session.mask is None
    assert services.session.message is not None
    assert "cancelled" in services.session.message.text


def test_a_run_that_another_part_started_shows_here(panel: AiPanel, services: Services, wait: Wait) -> None:
    open_head(services)
    predict.run(services, "brain-extraction").cancel()
    card = panel.cards["brain-extraction"]
    assert not card.bar.isHidden()
    wait(lambda: card.bar.isHidden())


def test_a_mask_of_the_archive_shows_its_volume_too(panel: AiPanel, services: Services, wait: Wait) -> None:
    image = open_head(services)
    plugin = services.plugin("brain-extraction").manifest
    assert plugin is not None
    labels = np.ones(image.grid.shape, np.uint8)
    made = Provenance(plugin.id, plugin.version, "1.0.0-ft.2", device="cpu", notes=("Too large.",), author="algorithm")
    masks.replace_with(services, Segmentation(labels, image.grid, plugin.segments(), made))
    card = panel.cards["brain-extraction"]
    wait(lambda: card.found.volumes.text().replace("\u202f", " ") == "Brain 7.7 ml")
    assert card.found.made_by.text() == "model 1.0.0-ft.2, cpu"
    assert card.found.notes.text() == "Too large."
    services.session.mask = None
    assert card.found.volumes.isHidden()
    assert card.found.notes.isHidden()


def test_class_probabilities_are_bars_with_the_plugins_caution(panel: AiPanel, services: Services) -> None:
    open_head(services)
    made = Provenance("chest-xray", "1.0.0", "1.0.0")
    services.session.classification = Classification({"NORMAL": 0.06, "PNEUMONIA": 0.94}, made)
    card = panel.cards["chest-xray"]
    assert card.found.bars.values == {"NORMAL": 0.06, "PNEUMONIA": 0.94}
    assert "Demonstration" in card.found.notes.text()
    assert not card.found.bars.grab().isNull()
    assert panel.cards["brain-extraction"].found.bars.isHidden()


@pytest.mark.parametrize("agreed", [True, False])
def test_weights_are_fetched_only_on_the_users_word(
    panel: AiPanel, services: Services, monkeypatch: pytest.MonkeyPatch, agreed: bool
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(predict, "fetch", lambda _, plugin_id: fetched.append(plugin_id))
    panel.cards["chest-xray"].fetch_button.click()
    (dialog,) = panel.findChildren(ConsentDialog)
    assert not dialog.fetch_button.isDefault()
    (dialog.fetch_button if agreed else dialog.cancel_button).click()
    assert fetched == (["chest-xray"] if agreed else [])


def test_consent_names_source_licence_and_use(panel: AiPanel, qtbot: QtBot) -> None:
    manifest = panel.cards["chest-xray"].manifest
    dialog = ConsentDialog(manifest)
    qtbot.addWidget(dialog)
    texts = {label.text() for label in dialog.findChildren(type(panel.cards["chest-xray"].reason))}
    assert {manifest.weights.source, manifest.weights.licence, manifest.weights.intended_use} <= texts
