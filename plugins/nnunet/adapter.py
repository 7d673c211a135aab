"""The adapter: knows result folders, takes them over, opens what it took over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medviewer.errors import PluginError
from medviewer.plugin_api import Manifest, Plugin, RunContext
from medviewer.plugin_api.adapting.checkpoints import fitted, write_state
from medviewer.plugin_api.adapting.describe import write_plugin
from nnunet import nninteractive
from nnunet.checkpoint import Checkpoint, read_checkpoint
from nnunet.describe import outputs_of, recipe_of, segmenter
from nnunet.model import NormalisingModel, SegmentationModel
from nnunet.network import Recipe, UNet
from nnunet.plans import Source, find_source, read_configuration

if TYPE_CHECKING:
    from torch import Tensor

ID = "nnunet"
WEIGHTS = "weights.safetensors"


class NnUnet:
    """An `Adapter` for result folders of nnU-Net v2."""

    def recognises(self, source: Path) -> bool:
        """Whether it is a result folder with at least one trained fold, one fold of it, or the dataset's around it."""
        return find_source(source) is not None

    def install(self, source: Path, folder: Path, context: RunContext) -> None:
        """Read the plan, read each fold's weights as numbers, and write both as a plugin folder.

        All folds become one network that averages them; give the path of one fold to take that one alone.
        """
        found = find_source(source)
        if found is None or not found.checkpoints:
            raise PluginError(f"{source.name} should be a result folder of nnU-Net v2 with a trained fold, but is not.")
        if nninteractive.is_one(found.folder):
            self._install_interactive(found, folder, context)
            return
        first = read_checkpoint(found.checkpoints[0])
        plan = read_configuration(found.folder, first.configuration)
        if len(plan.channels) > 1 and "RGBTo01Normalization" in plan.schemes:
            raise PluginError(
                "This network sees colour pictures, which medviewer does not show to networks; none is run."
            )
        recipe = recipe_of(plan, outputs_of(plan))
        _write_folds(found.checkpoints, first, recipe, plan.residual, folder, context)
        data = segmenter(plan, found.folder, first, recipe, len(found.checkpoints))
        write_plugin(folder, {}, adapter=ID, weights=WEIGHTS, defaults=data)

    def open(self, folder: Path, manifest: Manifest, *, trusted: bool) -> Plugin:
        """The plugin object; nothing of the folder is code, so trust is not asked for."""
        if "prompts" in manifest.settings:
            return nninteractive.InteractiveModel(manifest)
        return NormalisingModel(manifest) if "channels" in manifest.settings else SegmentationModel(manifest)

    @staticmethod
    def _install_interactive(found: Source, folder: Path, context: RunContext) -> None:
        first = read_checkpoint(found.checkpoints[0])
        plan = read_configuration(found.folder, first.configuration)
        channels = nninteractive.read_channels(found.folder)
        recipe = recipe_of(plan, 2, channels.count)
        _write_folds(found.checkpoints[:1], first, recipe, plan.residual, folder, context)
        data = nninteractive.manifest_of(plan, found.folder, channels, recipe)
        write_plugin(folder, {}, adapter=ID, weights=WEIGHTS, defaults=data)


def _write_folds(
    paths: Sequence[Path], first: Checkpoint, recipe: Recipe, residual: bool, folder: Path, context: RunContext
) -> None:
    """Read every fold, see that it fits the network, and write all as one file of safetensors."""
    from torch import device

    with device("meta"):  # names and shapes are all that is looked at
        network = UNet(recipe, residual)
    state: dict[str, Tensor] = {}
    for k, path in enumerate(paths):
        context.progress(k / len(paths), f"Reading fold {k + 1} of {len(paths)}")
        fold = first if k == 0 else read_checkpoint(path)
        if fold.configuration != first.configuration:
            raise PluginError("The folds should be of one configuration, but they are of two; install them one by one.")
        for name, tensor in fitted(fold.state, network, f"{path.parent.name}/{path.name}").items():
            state[f"folds.{k}.{name}"] = tensor
    context.progress(0.95, "Writing the weights")
    write_state(state, folder / WEIGHTS, {"format": "pt"})
