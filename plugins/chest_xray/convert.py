"""From a Keras archive in a package to torch's tensors. Reads numbers and names only: nothing in it is run."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from safetensors.torch import save_file
from torch import Tensor

from medviewer.errors import PluginError

_MEMBER = "pneumonia_model_package/trained_models/pneumonia_xception_model_val-acc_0.861.keras"
_GROUPS = {"Conv2D": "conv2d", "SeparableConv2D": "separable_conv2d", "BatchNormalization": "batch_normalization"}
"""Keras numbers the groups of a class by their order in the model, whatever the layers are called."""


def convert_package(package: Path, destination: Path) -> None:
    """Write the weights inside the published wheel as safetensors.

    Raises
    ------
    PluginError
        If the wheel does not hold them in the known form.
    """
    with tempfile.TemporaryDirectory(prefix="medviewer-") as folder:
        archive = Path(folder) / "model.keras"
        try:
            with zipfile.ZipFile(package) as opened, opened.open(_MEMBER) as source, archive.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            state = convert(archive)
        except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
            raise PluginError(
                "The package should hold the network's weights, but they cannot be read; fetch it again.", str(error)
            ) from error
    save_file(state, destination, metadata={"format": "pt", "source": package.name})


def package_films(package: Path) -> list[NDArray[np.float32]]:
    """The radiographs that the published wheel holds, grey values 0 to 255, each (y, x).

    Raises
    ------
    PluginError
        If there are none, or they cannot be read.
    """
    try:
        with zipfile.ZipFile(package) as opened:
            names = sorted(name for name in opened.namelist() if name.endswith(".jpeg"))
            films = []
            for name in names:
                with opened.open(name) as stream, Pillow.open(stream, formats=["JPEG"]) as picture:
                    films.append(np.asarray(picture.convert("L"), np.float32))
    except (OSError, zipfile.BadZipFile) as error:
        raise PluginError(
            "The package should hold radiographs, but they cannot be read; fetch it again.", str(error)
        ) from error
    if not films:
        raise PluginError("The package should hold radiographs, but holds none; tell the plugin's author.")
    return films


def convert(archive: Path) -> dict[str, Tensor]:
    """The state of `ChestXception` from a ``.keras`` archive.

    Parameters
    ----------
    archive
        A ZIP of ``config.json``, which names the layers, and ``model.weights.h5``, which numbers them.

    Raises
    ------
    KeyError, ValueError, OSError, zipfile.BadZipFile
        If it is not such an archive.
    """
    with zipfile.ZipFile(archive) as opened:
        config = json.loads(opened.read("config.json"))
        with opened.open("model.weights.h5") as stream, h5py.File(stream, "r") as weights:
            layers = weights["layers"]
            state = _dense(layers, "dense") | _dense(layers, "dense_1")
            for name, kind, group in _named_groups(config):
                variables = layers[f"functional/layers/{group}/vars"]
                state |= _layer(name, kind, [np.asarray(variables[str(k)]) for k in range(len(variables))])
    return state


def _named_groups(config: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(layer name, class, group in the HDF5 file) of every layer of the backbone that has weights."""
    backbone = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Functional")
    seen: dict[str, int] = {}
    named = []
    for layer in backbone["config"]["layers"]:
        kind = layer["class_name"]
        if kind in _GROUPS:
            count = seen.get(kind, 0)
            seen[kind] = count + 1
            named.append((layer["config"]["name"], kind, _GROUPS[kind] + (f"_{count}" if count else "")))
    return named


def _layer(name: str, kind: str, variables: list[NDArray[np.float32]]) -> dict[str, Tensor]:
    if kind == "BatchNormalization":
        keys = ("weight", "bias", "running_mean", "running_var")
        numbers = {f"{name}.{key}": torch.tensor(value) for key, value in zip(keys, variables, strict=True)}
        return {**numbers, f"{name}.num_batches_tracked": torch.tensor(0)}
    if kind == "SeparableConv2D":
        depthwise, pointwise = variables
        # Depthwise filters are (y, x, in, 1) in Keras and (in, 1, y, x) here.
        return {
            f"{name}.depthwise.weight": _tensor(depthwise.transpose(2, 3, 0, 1)),
            f"{name}.pointwise.weight": _tensor(pointwise.transpose(3, 2, 0, 1)),
        }
    return {f"{name}.weight": _tensor(variables[0].transpose(3, 2, 0, 1))}


def _dense(layers: Any, name: str) -> dict[str, Tensor]:
    weight, bias = (np.asarray(layers[f"{name}/vars/{k}"]) for k in (0, 1))
    return {f"{name}.weight": _tensor(weight.T), f"{name}.bias": _tensor(bias)}


def _tensor(values: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
