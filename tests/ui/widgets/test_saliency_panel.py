"""The panel that asks why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from medviewer.app.commands import explain as commands
from medviewer.app.commands import plugins
from medviewer.app.mask_store import MaskStore
from medviewer.app.services import Services
from medviewer.domain.heatmap import Heatmap
from medviewer.domain.mask import empty
from medviewer.domain.provenance import Provenance
from medviewer.explain.methods import METHODS
from medviewer.ui.widgets.saliency_panel import SaliencyPanel
from tests.ui.widgets.conftest import open_head

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def panel(qtbot: QtBot, services: Services) -> SaliencyPanel:
    made = SaliencyPanel(services)
    qtbot.addWidget(made)
    return made


def test_says_what_to_do_while_nothing_is_open(panel: SaliencyPanel) -> None:
    assert panel.reason.text() == "Open a study first."
    assert panel.run_button.isHidden()
    assert panel.look.isHidden()


def test_offers_the_plugins_that_fit_their_labels_and_every_method(panel: SaliencyPanel, services: Services) -> None:
    open_head(services)
    assert [panel.plugins.itemData(k) for k in range(panel.plugins.count())] == ["brain-extraction"]
    assert [panel.targets.itemText(k) for k in range(panel.targets.count())] == ["The model's answer", "Brain"]
    assert [panel.methods.itemData(k) for k in range(panel.methods.count())] == list(METHODS)
    assert panel.run_button.isEnabled()


def test_a_plugin_that_is_switched_off_is_offered_no_longer(panel: SaliencyPanel, services: Services) -> None:
    open_head(services)
    assert panel.plugins.count() == 1
    plugins.switch(services, "brain-extraction", False)
    assert panel.plugins.count() == 0
    plugins.switch(services, "brain-extraction", True)
    assert panel.plugins.count() == 1


def test_explaining_puts_a_heat_map_over_the_image(
    panel: SaliencyPanel, services: Services, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = open_head(services)
    made = Provenance("brain-extraction", "1.0.0", "1.0.0")
    answer = Heatmap(np.zeros(image.grid.shape, np.float32), image.grid, "Saliency", "Brain", made)
    asked: list[tuple[str, str, int | None]] = []

    def submit(services: Services, image: object, series: object, plugin_id: str, **chosen: Any) -> object:
        asked.append((plugin_id, chosen["method"], chosen["label"]))
        return services.runner.submit(lambda context: answer, title="Explaining")

    # the real way takes a child process and half a minute; the tests of `explain` go it
    monkeypatch.setattr(commands, "submit", submit)
    panel.targets.setCurrentIndex(1)
    panel.methods.setCurrentIndex(panel.methods.findData("saliency"))
    panel.run_button.click()
    assert asked == [("brain-extraction", "saliency", 0)]
    assert not panel.bar.isHidden()
    assert not panel.run_button.isEnabled()
    wait(lambda: services.session.heatmap is not None)
    assert panel.what.text() == answer.label
    assert panel.run_button.isEnabled()
    panel.clear_button.click()
    assert services.session.heatmap is None
    assert panel.look.isHidden()


def test_look_and_session_follow_each_other(panel: SaliencyPanel, services: Services) -> None:
    image = open_head(services)
    look = services.session.view
    values = np.zeros(image.grid.shape, np.float32)
    made = Provenance("brain-extraction", "1.0.0", "1.0.0", notes=("The map is empty.",))
    services.session.heatmap = Heatmap(values, image.grid, "Grad-CAM", "Brain", made)
    assert not panel.look.isHidden()
    assert panel.notes.text() == "The map is empty."
    panel.opacity.setValue(30)
    panel.colour_maps.setCurrentIndex(panel.colour_maps.findData("viridis"))
    panel.shown.setChecked(False)
    assert (look.heat_opacity, look.heat_colormap, look.heat_visible) == (0.3, "viridis", False)
    look.heat_opacity, look.heat_colormap, look.heat_visible = 0.75, "turbo", True
    assert (panel.opacity.value(), panel.colour_maps.currentData(), panel.shown.isChecked()) == (75, "turbo", True)


def test_cancel_stops_the_explanation(panel: SaliencyPanel, services: Services, wait: Wait) -> None:
    open_head(services)
    panel.run_button.click()
    panel.cancel_button.click()
    wait(lambda: panel.bar.isHidden())
    assert services.session.heatmap is None
    assert panel.run_button.isEnabled()


def test_the_plugin_is_the_one_that_is_looked_at_until_another_is_chosen(
    panel: SaliencyPanel, services: Services
) -> None:
    row = services.plugin("brain-extraction")
    assert row.manifest is not None
    other = row.manifest.model_copy(update={"id": "other", "name": "Other"})
    services.plugins.append(replace(row, manifest=other))
    image, session = open_head(services), services.session
    values = np.zeros(image.grid.shape, np.float32)

    def map_of(plugin_id: str) -> Heatmap:
        return Heatmap(values, image.grid, "Saliency", "Brain", Provenance(plugin_id, "1.0.0", "1.0.0"))

    assert panel.plugins.currentData() == "brain-extraction"
    session.busy_plugins = frozenset({"other"})
    assert panel.plugins.currentData() == "other", "it runs, or explains"
    panel.plugins.setCurrentIndex(panel.plugins.findData("brain-extraction"))
    session.busy_plugins = frozenset()
    assert panel.plugins.currentData() == "brain-extraction", "the user's choice holds"
    session.heatmap = map_of("other")
    assert panel.plugins.currentData() == "other"
    made = Provenance("brain-extraction", "1.0.0", "1.0.0")
    session.mask = MaskStore(replace(empty(image.grid), provenance=made))
    assert panel.plugins.currentData() == "brain-extraction"
    session.heatmap = map_of("a plugin that is gone")
    assert panel.plugins.currentData() == "brain-extraction"
