"""The part of a bundle that is code, run by MONAI's own parser once the user trusts it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from medviewer.errors import PluginError
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.adapting.catalogue import architecture as architecture_of
from medviewer.plugin_api.adapting.catalogue import build, feature_layer
from medviewer.plugin_api.adapting.model import ModuleModel
from medviewer.plugin_api.spec import lies_inside

if TYPE_CHECKING:
    from monai.bundle.config_parser import ConfigParser


class CodeModel(ModuleModel):
    """A model whose network or preparation is code of its bundle. Made for trusted folders only.

    Parameters
    ----------
    root
        The bundle's configs and scripts.
    code
        ``config``, the file's name; ``network``, the id of the network, empty where MONAI's is built by name;
        ``transforms``, the ids of those that the host cannot do; ``image``, the key that they work on.
    arguments, network
        Of MONAI's network, where it is one.
    """

    def __init__(
        self, manifest: Manifest, root: Path, code: Mapping[str, Any], arguments: Any = None, network: Any = None
    ) -> None:
        super().__init__(manifest)
        self._root, self._code = root, code
        self._named = (str(network), dict(arguments or {})) if network else None

    def build_network(self) -> nn.Module:
        """The untrained network: MONAI's by name, or what the bundle's configuration makes."""
        if self._named:
            return build(*self._named)
        made = self._parser.get_parsed_content(str(self._code.get("network", "network_def")))
        if not isinstance(made, nn.Module):
            raise PluginError(f"The bundle should make a network, but it makes a {type(made).__name__}; ask its maker.")
        return made.cpu()

    def explain_layer(self, network: nn.Module) -> nn.Module:
        """The layer of a network of MONAI's; another's is not known."""
        if self._named:
            return feature_layer(network, architecture_of(self._named[0]))
        return super().explain_layer(network)

    def normalise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The bundle's own transforms on values (z, y, x) or (channels, z, y, x), after what the host did."""
        import torch

        channels = values[None] if len(values.shape) == self.manifest.inputs.ndim else values
        key = str(self._code.get("image", "image"))
        data: Any = {key: torch.from_numpy(np.ascontiguousarray(channels))}
        for transform in self._transforms:
            data = transform(data)
        return cast("NDArray[np.float32]", np.asarray(data[key], dtype=np.float32))

    @cached_property
    def _transforms(self) -> list[Any]:
        return [self._parser.get_parsed_content(str(place)) for place in self._code.get("transforms", ())]

    @cached_property
    def _parser(self) -> ConfigParser:
        """MONAI's parser over the bundle's configuration, its scripts importable as the bundle expects."""
        from monai.bundle.config_parser import ConfigParser

        name = str(self._code.get("config", "inference.json"))
        if not lies_inside(name) or not (self._root / "configs" / name).is_file():
            raise PluginError("The bundle's configuration should lie in its folder, but it does not; install it again.")
        if str(self._root) not in sys.path:
            sys.path.insert(0, str(self._root))
        parser = ConfigParser()
        parser.read_config(str(self._root / "configs" / name))
        parser["bundle_root"] = str(self._root)
        return parser
