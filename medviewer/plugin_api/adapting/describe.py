"""The description that comes with a model of another maker's form, and the plugin folder that is made of it.

A description has the fields of plugin.yaml, of which most may be left out: ``model.yaml`` in the model's folder, or a
file of the model's own name that ends in ``.yaml`` beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medviewer.errors import ManifestError, PluginError
from medviewer.plugin_api.adapting.parse import read_mapping, write_mapping
from medviewer.plugin_api.manifest import FILE_NAME, Manifest, file_sha256, read_manifest
from medviewer.plugin_api.spec import lies_inside

DESCRIPTION = "model.yaml"

_FIELDS = frozenset(Manifest.model_fields) - {"entry", "adapter", "schema_version"} | {"schema"}
_WEIGHTS = frozenset({"file", "source", "licence", "intended_use", "reference"})


def find_description(source: Path) -> Path | None:
    """The description that comes with a model's file or folder, None if there is none."""
    places = [source / DESCRIPTION, source / "model.yml"] if source.is_dir() else []
    if source.is_file():
        places = [source.with_suffix(".yaml"), source.with_suffix(".yml")]
    return next((path for path in places if path.is_file()), None)


def read_description(source: Path, needed: str) -> dict[str, Any]:
    """The fields of the description that comes with a model.

    Parameters
    ----------
    needed
        The fields that cannot be guessed for this form, in words.

    Raises
    ------
    PluginError
        If there is none, or it has a field that no description has.
    """
    path = find_description(source)
    if path is None:
        name = DESCRIPTION if source.is_dir() else source.with_suffix(".yaml").name
        raise PluginError(
            f"{source.name} needs a description, {name}, that says {needed}; help on models has one to copy."
        )
    data = read_mapping(path)
    weights = data.get("weights", {})
    if not isinstance(weights, dict):
        raise PluginError(f"{path.name}: weights should be a mapping of fields (file, source, licence); mend it.")
    unknown = sorted(set(data) - _FIELDS) + sorted(f"weights.{key}" for key in set(weights) - _WEIGHTS)
    if unknown:
        raise PluginError(f"{path.name} has a field that no description has, {unknown[0]}; mend or remove it.")
    return data


def weights_file(source: Path, data: Mapping[str, Any], suffixes: tuple[str, ...]) -> Path:
    """The file of weights that a description is about: the one that it names, or the only one in its folder.

    Raises
    ------
    PluginError
        If it lies outside the folder, or there is none or a choice.
    """
    if source.is_file():
        return source
    named = data.get("weights", {}).get("file", "")
    if named:
        path = source / str(named)
        if not lies_inside(str(named)) or not path.resolve().is_relative_to(source.resolve()):
            raise PluginError(
                f"The weights should lie in the folder of their description, not at {named!r}; move them."
            )
        return path
    found = sorted(path for path in source.iterdir() if path.suffix.lower() in suffixes and path.is_file())
    if len(found) != 1:
        raise PluginError(
            f"{source.name} should hold one file of weights ({', '.join(suffixes)}), but it holds {len(found)}; "
            "name the one to take in weights.file."
        )
    return found[0]


def write_plugin(
    folder: Path,
    data: Mapping[str, Any],
    *,
    adapter: str,
    weights: str,
    defaults: Mapping[str, Any],
    also: Iterable[str] = (),
) -> Manifest:
    """Write plugin.yaml of a model folder, and return what it says.

    Parameters
    ----------
    data
        What the description says; it goes before `defaults`.
    adapter
        Id of the adapter that runs the model.
    weights
        Name of its weights, which lie in `folder` already.
    defaults
        Fields of the manifest that the adapter worked out; those of `outputs` are filled in one by one.
    also
        Names of more files that the weights consist of.

    Raises
    ------
    PluginError
        If the two make no manifest; the text names the first field that is wrong.
    """
    merged: dict[str, Any] = {"schema": 1, "api": 1, "version": "1.0.0", **defaults, **data, "adapter": adapter}
    merged.setdefault("name", weights.partition(".")[0])
    merged.setdefault("id", slug(str(merged["name"])))
    merged.setdefault("description", f"{merged['name']}, a model that was added by its file.")
    if isinstance(data.get("outputs"), dict):
        merged["outputs"] = {**defaults.get("outputs", {}), **data["outputs"]}
    merged["weights"] = {
        "source": "the file that was installed",
        "licence": "none stated; ask whoever made the model",
        **defaults.get("weights", {}),
        **data.get("weights", {}),
        "file": weights,
        "sha256": file_sha256(folder / weights),
        "also": {name: file_sha256(folder / name) for name in also},
    }
    write_mapping(folder / FILE_NAME, merged)
    try:
        return read_manifest(folder)
    except ManifestError as error:
        said = str(error).replace(f"{FILE_NAME} of {folder.name}", "The model's description")
        raise PluginError(said, error.details) from error


def slug(name: str) -> str:
    """An id made of a name: lower-case letters, digits and hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return plain[:64] if len(plain) > 1 and plain[0].isalpha() else f"model-{plain}"[:64].rstrip("-")
