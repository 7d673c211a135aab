"""An ONNX graph as a plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from medviewer.errors import ContractError, PluginError
from medviewer.plugin_api import Manifest
from medviewer.plugin_api.adapting.answers import Answers, as_logits
from medviewer.plugin_api.manifest import file_sha256
from onnx_model.graph import Graph, read_graph

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_QUIET = 3
"""onnxruntime's level at which it writes errors and nothing else."""


class RuntimeModel:
    """A NetworkLoader. onnxruntime gives no gradients, so that it is neither explained by them nor trained."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest

    def build_network(self) -> nn.Module:
        """Always refuses: without the file there is nothing to build."""
        raise ContractError(f"{self._manifest.name} is an ONNX file, which is loaded and not built.")

    def load_network(self, weights: Path, device: str) -> nn.Module:
        """The graph behind a module, once it was checked again and its external weights are what the manifest says.

        Raises
        ------
        PluginError
            If it may not run, or cannot.
        """
        graph, declared = read_graph(weights), self._manifest.weights.also
        for name in graph.externals:
            if name not in declared or file_sha256(weights.parent / name) != declared[name]:
                raise PluginError(
                    f"{self._manifest.name} keeps weights in {name}, which is not the file that its manifest names; "
                    "install it again."
                )
        network = Runtime(weights, graph, self._manifest).to(device).eval()
        network.session  # noqa: B018  # opened here, so that a file that cannot run is refused before any image is touched
        return network


class Runtime(nn.Module):
    """onnxruntime behind a module; the session is opened again when the module is moved to another device."""

    place: Tensor

    def __init__(self, path: Path, graph: Graph, manifest: Manifest) -> None:
        super().__init__()
        self._path, self._graph, self._name = path, graph, manifest.name
        self._activation = manifest.outputs.activation
        self._answers: Answers = manifest.settings.get("answers", "logits")
        self._opened: tuple[torch.device, InferenceSession] | None = None
        self.register_buffer("place", torch.zeros(()), persistent=False)

    @property
    def session(self) -> InferenceSession:
        """The session on the device where the module is."""
        device = self.place.device
        if self._opened is None or self._opened[0] != device:
            self._opened = (device, _session(self._path, device, self._name))
        return self._opened[1]

    def forward(self, values: Tensor) -> Tensor:
        """Raw scores of network input (n, c, ...), as float32 on the device of `values`."""
        ready = np.ascontiguousarray(values.detach().cpu().numpy(), np.dtype(self._graph.dtype))
        batch = self._graph.shape[0] or len(ready)
        parts = [self._run(ready[start : start + batch], batch) for start in range(0, len(ready), batch)]
        output = torch.from_numpy(np.concatenate(parts).astype(np.float32, copy=False)).to(values.device)
        return as_logits(output, self._answers, self._activation)

    def _run(self, values: np.ndarray[Any, Any], batch: int) -> np.ndarray[Any, Any]:
        """One call of the graph; of a fixed batch that is not full the rest is made up and cut off again."""
        missing = batch - len(values)
        full = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values
        try:
            (answer,) = self.session.run([self._graph.output], {self._graph.inputs: full})
        except Exception as error:  # onnxruntime's errors share no root but this
            if "Failed to allocate memory" in str(error):
                raise torch.OutOfMemoryError(str(error)) from error
            raise
        if not isinstance(answer, np.ndarray) or len(answer) != batch:
            raise ContractError(f"{self._name} should answer one array for each window, but it answers something else.")
        return answer[: batch - missing]


def on_gpu() -> bool:
    """Whether onnxruntime was built for CUDA."""
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _session(path: Path, device: torch.device, name: str) -> InferenceSession:
    """Open a graph on torch's threads, and on the GPU if onnxruntime was built for it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = _QUIET
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and on_gpu():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # as above
        said = (str(error).strip().splitlines() or [""])[0][:200]
        raise PluginError(
            f"{name} should be an ONNX model that onnxruntime runs, but it refuses it ({said})."
        ) from error
