"""ONNX models: a graph of known operators, run by onnxruntime."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medviewer.errors import PluginError
from medviewer.plugin_api import Manifest, Plugin, RunContext
from medviewer.plugin_api.adapting.answers import ANSWERS
from medviewer.plugin_api.adapting.describe import find_description, read_description, weights_file, write_plugin
from onnx_model.graph import Graph, read_graph
from onnx_model.model import RuntimeModel, on_gpu

_SUFFIXES = (".onnx",)
_WEIGHTS = "model.onnx"
_NEEDED = "its inputs (modality, spacing or size, intensity) and outputs.labels"


class OnnxModel:
    """The adapter of ONNX files. They are graphs of known operators and not code: nobody has to trust them."""

    def recognises(self, source: Path) -> bool:
        """A file that ends in .onnx, or a folder with a description and one such file."""
        if source.is_file():
            return source.suffix.lower() in _SUFFIXES
        return find_description(source) is not None and any(source.glob("*.onnx"))

    def install(self, source: Path, folder: Path, context: RunContext) -> None:
        """Copy the file and the weights beside it, and write plugin.yaml from the description and the file itself.

        Raises
        ------
        PluginError
            If the description is missing or wrong, or the file is none that may run.
        """
        data = read_description(source, _NEEDED)
        path = weights_file(source, data, _SUFFIXES)
        context.progress(0.1, "Reading the model")
        graph = read_graph(path)
        for name in graph.externals:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path.parent / name, folder / name)
        if _WEIGHTS in graph.externals:
            raise PluginError(f"{path.name} keeps weights in {_WEIGHTS}, a name that is taken; export it again.")
        shutil.copyfile(path, folder / _WEIGHTS)
        defaults = {"name": path.stem, **_derived(graph)}
        resources = data.setdefault("resources", {})
        if isinstance(resources, dict):
            resources.setdefault("gpu", "optional" if on_gpu() else "never")
        data["inputs"] = _inputs(data.get("inputs"), graph, defaults["kinds"])
        settings = data.setdefault("settings", {})
        if isinstance(settings, dict) and graph.ends_in:
            settings.setdefault("answers", "probabilities")
        manifest = write_plugin(
            folder, data, adapter="onnx-model", weights=_WEIGHTS, defaults=defaults, also=graph.externals
        )
        check_fits(manifest, graph)
        self.open(folder, manifest, trusted=False)
        context.progress(1.0, "Done")

    def open(self, folder: Path, manifest: Manifest, *, trusted: bool) -> Plugin:
        """The model; what it may contain is checked again when it is loaded."""
        if not set(manifest.settings) <= {"answers"} or manifest.settings.get("answers", "logits") not in ANSWERS:
            raise PluginError(f"settings should have answers ({' or '.join(ANSWERS)}) and nothing else; mend them.")
        return RuntimeModel(folder, manifest)


def _derived(graph: Graph) -> dict[str, Any]:
    """Fields of the manifest that the file itself tells."""
    kind = "classify" if graph.rank == 2 else "segment"
    outputs: dict[str, Any] = {"activation": graph.ends_in or "softmax"}
    if graph.channels == 1 and kind == "segment":
        outputs["activation"] = "sigmoid"
    if graph.labels:
        skipped = int(kind == "segment" and outputs["activation"] == "softmax")
        outputs["labels"] = [{"name": name} for name in graph.labels[skipped:]]
    return {"kinds": [kind], "outputs": outputs}


def _inputs(told: object, graph: Graph, kinds: list[str]) -> object:
    """The description's inputs, with what the file tells: how many axes, and the sizes where they are fixed."""
    if not isinstance(told, Mapping):
        return told
    inputs: dict[str, Any] = {"ndim": len(graph.shape) - 2, **told}
    sizes = graph.shape[2:]
    if "size" not in inputs and "windows" not in inputs and None not in sizes:
        inputs |= {"size": list(sizes)} if kinds == ["classify"] else {"windows": {"roi": list(sizes)}}
    return inputs


def check_fits(manifest: Manifest, graph: Graph) -> None:
    """Compare what the description promises with what the file takes and answers.

    Raises
    ------
    PluginError
        If axes, channels, sizes or labels differ.
    """
    inputs, name = manifest.inputs, manifest.name
    seen = inputs.windows.roi if inputs.windows else inputs.size
    background = int(manifest.outputs.activation == "softmax" and "segment" in manifest.kinds)
    pairs = [
        ("axes of its input", len(graph.shape) - 2, inputs.ndim),
        ("channels", graph.shape[1], inputs.channel_count * inputs.intensity.repeat),
        *((f"size {k + 1} of its input", size, seen[k]) for k, size in enumerate(graph.shape[2 : 2 + len(seen)])),
        ("outputs", graph.channels, len(manifest.outputs.labels) + background),
    ]
    for what, has, said in pairs:
        if has is not None and has != said:
            raise PluginError(
                f"{name}: {what} should be {has}, as the ONNX file has it, not {said}; mend the description."
            )
