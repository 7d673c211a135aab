"""Adapters: plugins that run models of other makers' forms, found by the same door as plugins.

An adapter is a package folder with an ``adapter.yaml``. A model that it runs is a plugin folder like any other, whose
``plugin.yaml`` names the adapter instead of an entry. ``medviewer plugin install`` asks each adapter whether it knows
what it is given, and the one that does writes that folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import yaml
from pydantic import Field, ValidationError, field_validator

from medviewer.errors import ManifestError
from medviewer.plugin_api.context import RunContext
from medviewer.plugin_api.manifest import API_VERSION, Manifest, fault_in
from medviewer.plugin_api.protocols import Plugin
from medviewer.plugin_api.spec import Strict

ADAPTER_FILE = "adapter.yaml"


class AdapterManifest(Strict):
    """One adapter, as its adapter.yaml describes it.

    Parameters
    ----------
    id, name, version, description
        As of a plugin.
    entry
        ``package.module:Class`` of an `Adapter`, whose package is the adapter's folder.
    reads
        What it knows, in words for the user: ``an ONNX file``.
    needs
        Packages that have to be importable for it, beside those of medviewer.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,63}$")
    name: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str
    api: int = API_VERSION
    entry: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    reads: str = Field(min_length=1)
    needs: tuple[str, ...] = ()

    @field_validator("api")
    @classmethod
    def _known_api(cls, value: int) -> int:
        if value != API_VERSION:
            raise ValueError(f"this medviewer offers plugin API {API_VERSION}, not {value}")
        return value


@runtime_checkable
class Adapter(Protocol):
    """What every adapter does. It takes no argument, does no work before a method is called, and lives in the child."""

    def recognises(self, source: Path) -> bool:
        """Whether `source`, a file or a folder, is of the form that it knows. Reads names and headers; runs nothing."""
        ...

    def install(self, source: Path, folder: Path, context: RunContext) -> None:
        """Write a plugin folder for the model in `source`: its plugin.yaml, and its weights as safetensors if it can.

        `folder` is empty. Nothing of `source` is run: configurations are parsed, pickled weights are read with
        ``weights_only=True``. Raises `PluginError` with one clear sentence when the model cannot be taken over.
        """
        ...

    def open(self, folder: Path, manifest: Manifest, *, trusted: bool) -> Plugin:
        """The plugin object for a model folder that `install` (or a person) wrote.

        Without `trusted` nothing of the folder may run: no script, no expression, no TorchScript. A model that cannot
        do without raises `UntrustedError` with the way to trust it. The plugin may have any of the optional powers.
        """
        ...


def read_adapter(folder: Path) -> AdapterManifest:
    """Read ``adapter.yaml`` of an adapter's folder.

    Raises
    ------
    ManifestError
        If it is missing, is not YAML, or does not fit; the text names the first field that is wrong.
    """
    try:
        data = yaml.safe_load((folder / ADAPTER_FILE).read_text(encoding="utf-8"))
        return AdapterManifest.model_validate(data)
    except OSError as error:
        raise ManifestError(f"An adapter needs a {ADAPTER_FILE}; {folder.name} has none that can be read.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:  # the last: lists in lists in lists
        raise ManifestError(f"{ADAPTER_FILE} of {folder.name} is not valid YAML; mend the file.", str(error)) from error
    except ValidationError as error:
        raise ManifestError(
            f"{ADAPTER_FILE} of {folder.name}: {fault_in(AdapterManifest, error)}; mend the file.", str(error)
        ) from error
