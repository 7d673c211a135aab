"""What the user said of a plugin reaches the list of plugins, and what nobody trusts is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from medviewer.app import settings
from medviewer.app.services import Services
from medviewer.domain.image import Image
from medviewer.errors import PluginError, UntrustedError
from medviewer.inference import base_weights, submit_check, submit_prediction
from medviewer.plugin_api.discovery import Origin
from tests.app.conftest import SERIES
from tests.inference.tiny_plugins import write_plugin


def put(services: Services, name: str = "stranger", body: str = "") -> Path:
    """A plugin among the installed ones, as if somebody had copied it there."""
    write_plugin(services.archive.home / "plugins", name, body, inputs={"modality": ["CT"]})
    services.refresh()
    return services.archive.home / "plugins" / name


def test_an_installed_plugin_is_listed_and_runs_nothing_until_it_is_trusted(services: Services, image: Image) -> None:
    plugins, told = services.plugins, []
    services.session.events.plugins_revision.connect(told.append)
    put(services)
    assert services.plugins is plugins
    assert len(told) == 1
    row = services.plugin("stranger")
    assert (row.origin, row.trusted, row.enabled, row.may_run) == (Origin.INSTALLED, "", True, False)
    weights = base_weights(row, services.archive.home)
    with pytest.raises(UntrustedError, match="medviewer plugin trust stranger"):
        submit_prediction(services.runner, image, SERIES, row, weights, "1.2.3")
    with pytest.raises(UntrustedError):
        submit_check(services.runner, row, weights)
    services.trust.trust("stranger", "ab")
    services.refresh()
    assert services.plugin("stranger").trusted == "ab"


def test_trust_of_one_id_says_nothing_of_a_plugin_that_needs_none(services: Services) -> None:
    services.trust.trust("brain-extraction", "ab")
    services.refresh()
    assert services.plugin("brain-extraction").trusted == ""
    assert services.plugin("brain-extraction").may_run


def test_a_plugin_that_is_switched_off_is_listed_and_not_used(services: Services) -> None:
    home = services.archive.home
    settings.save(home, settings.load(home).switched("chest-xray", False))
    services.refresh()
    assert [row.enabled for row in services.plugins if row.id == "chest-xray"] == [False]
    with pytest.raises(PluginError, match="medviewer plugin enable chest-xray"):
        services.plugin("chest-xray")
    settings.save(home, settings.load(home).switched("chest-xray", True))
    services.refresh()
    assert services.plugin("chest-xray").enabled


def test_an_adapter_among_the_installed_plugins_is_never_run(services: Services) -> None:
    folder = put(services)
    canary = services.archive.home / "canary"
    (folder / "__init__.py").write_text(f"open({str(canary)!r}, 'w')\n")
    (folder / "adapter.yaml").write_text(
        "id: evil\nname: Evil\nversion: 1.0.0\ndescription: x\nentry: stranger.plugin:Tiny\nreads: everything\n"
    )
    text = (folder / "plugin.yaml").read_text().replace("entry: stranger.plugin:Tiny", "adapter: evil")
    (folder / "plugin.yaml").write_text(text)
    services.refresh()
    row = next(row for row in services.plugins if row.id == "stranger")
    assert row.manifest is None
    assert "as a Python package with pip" in row.error
    assert "evil" not in [adapter.id for adapter in services.adapters()]
    assert not canary.exists()
