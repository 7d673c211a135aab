"""How the tests here hand a file to the program, and see that nothing of it ran."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from medviewer.errors import MedviewerError
from medviewer.inference.acquiring.install import put_in_place, submit_prepare
from medviewer.inference.client import base_weights, plugin_run
from medviewer.inference.loader import load_adapter, load_plugin
from medviewer.jobs import Runner
from medviewer.plugin_api import RunContext
from medviewer.plugin_api.discovery import DiscoverResult, discover, discover_adapters, find

PLUGINS = Path(__file__).parents[2] / "plugins"

ARGUMENTS = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [2, 4], "strides": [2]}
DESCRIPTION: dict[str, Any] = {
    "name": "Harm",
    "settings": {"network": "UNet", "arguments": ARGUMENTS},
    "inputs": {"modality": ["CT"], "windows": {"roi": [8, 8, 8]}},
    "outputs": {"labels": [{"name": "Thing"}]},
}


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One runner, whose worker for adapters stays warm."""
    made = Runner(tmp_path_factory.mktemp("scratch"))
    yield made
    made.shutdown()


@dataclass(frozen=True)
class Attack:
    """One attack.

    Parameters
    ----------
    mark
        The file that is there once anything of the attacker ran.
    """

    runner: Runner
    folder: Path
    mark: Path

    def describe(self, source: Path, **changes: Any) -> Path:
        """Write a healthy description beside a file, or into a folder."""
        place = source / "model.yaml" if source.is_dir() else source.with_suffix(".yaml")
        place.write_text(yaml.safe_dump({**DESCRIPTION, **changes}))
        return source

    def install(self, source: Path) -> DiscoverResult:
        """Install as the program does, in a child process. Nothing may have run by then."""
        job = submit_prepare(self.runner, source, self.folder, discover_adapters(shipped=[PLUGINS]))
        self.runner.wait(job, 120)
        assert not self.mark.exists()
        candidate = job.result()
        put_in_place(candidate, self.folder)
        return find(candidate.manifest.id, discover(shipped=[PLUGINS], installed=[self.folder]))

    def refused(self, source: Path) -> str:
        """See that a source is refused in the child, and by every adapter in this process too; what is said."""
        with pytest.raises(MedviewerError) as caught:
            self.install(source)
        for row in discover_adapters(shipped=[PLUGINS]):
            adapter = load_adapter(row.folder)
            target = Path(tempfile.mkdtemp(dir=self.folder))
            try:
                if adapter.recognises(source):
                    adapter.install(source, target, RunContext())
                    pytest.fail(f"{row.id} took it")
            except MedviewerError:
                pass  # refused, as it should be; anything else is an error of this test
        assert not self.mark.exists()
        assert not list(self.folder.glob("*/plugin.yaml"))
        return str(caught.value)

    def load(self, plugin: DiscoverResult, trusted: bool = False) -> torch.nn.Module:
        """Load an installed model as its child process does."""
        row = replace(plugin, trusted="") if not trusted else plugin
        run = plugin_run(row, base_weights(row, Path("unused")), "", "cpu", {})
        return load_plugin(replace(run, trusted=trusted), "cpu").network


@pytest.fixture
def attack(runner: Runner, tmp_path: Path) -> Attack:
    """An attack with a folder of its own."""
    folder = tmp_path / "installed"
    folder.mkdir()
    return Attack(runner, folder, tmp_path / "mark")


@pytest.fixture
def healthy_state() -> dict[str, torch.Tensor]:
    """Weights that fit the description's network."""
    from monai.networks.nets import UNet

    state: dict[str, torch.Tensor] = UNet(**ARGUMENTS).state_dict()
    return state


Write = Callable[..., Path]
