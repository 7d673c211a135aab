"""ONNX models: derived from the file, checked, run by onnxruntime."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import TensorProto, helper
from onnx_model.adapter import OnnxModel
from onnx_model.graph import read_graph
from onnx_model.model import RuntimeModel

from medviewer.errors import PluginError
from medviewer.inference import base_weights, submit_check
from medviewer.jobs import Runner
from medviewer.plugin_api import Manifest, RunContext
from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.plugin_api.manifest import read_manifest

if TYPE_CHECKING:
    from plugins.conftest import Blobs

PICTURES: dict[str, Any] = {"inputs": {"modality": ["DX"]}}


@pytest.fixture(scope="module")
def source(blobs: Blobs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained network as an ONNX file that takes any number of windows of any size."""
    path = tmp_path_factory.mktemp("source") / "exported.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice to whoever exports
        torch.onnx.export(
            blobs.network,
            (torch.zeros(1, 1, 24, 24, 24),),
            str(path),
            dynamo=False,
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes={"image": [0, 2, 3, 4], "scores": [0, 2, 3, 4]},
        )
    path.with_suffix(".yaml").write_text(yaml.safe_dump({**blobs.description, "name": "Exported"}))
    return path


def classifier(path: Path, batch: int | str = "n", squash: bool = True, metadata: str = "", dtype: int = 1) -> Path:
    """An ONNX file with the mean of each of two channels, squashed: shape (batch, 2, 8, 6) to (batch, 2)."""
    nodes = [helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0)]
    nodes += [helper.make_node("Softmax" if squash else "Identity", ["mean"], ["y"])]
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", dtype, [batch, 2, 8, 6])],
        [helper.make_tensor_value_info("y", dtype, [batch, 2])],
        [axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if metadata:
        helper.set_model_props(model, {"names": metadata})
    onnx.save(model, path)
    return path


def installed(path: Path, target: Path, description: dict[str, Any]) -> Manifest:
    """Install a file into a folder, without a host."""
    path.with_suffix(".yaml").write_text(yaml.safe_dump(description))
    target.mkdir()
    OnnxModel().install(path, target, RunContext())
    return read_manifest(target)


def test_it_finds_the_ball_on_nobodys_word(
    source: Path, adopt: Callable[..., DiscoverResult], overlap: Callable[[DiscoverResult], float], runner: Runner
) -> None:
    model = adopt(source)
    assert not model.may_run
    assert overlap(model) > 0.8
    job = submit_check(runner, model, base_weights(model, Path("unused")), device="cpu")
    runner.wait(job, 240)
    assert [f"{row.name}: {row.text}" for row in job.result() if not row.ok] == []


def test_the_file_tells_what_it_can(tmp_path: Path) -> None:
    path = classifier(tmp_path / "mean.onnx", metadata="{0: 'low', 1: 'high'}")
    described = {"inputs": {"channels": ["T1", "T2"]}, "name": "Means"}
    manifest = installed(path, tmp_path / "out", described)
    assert manifest.kinds == ("classify",)
    assert manifest.inputs.ndim == 2
    assert manifest.inputs.size == (8, 6)
    assert [label.name for label in manifest.outputs.labels] == ["low", "high"]
    assert manifest.outputs.activation == "softmax"
    assert manifest.settings == {"answers": "probabilities"}


@pytest.mark.parametrize(
    ("providers", "told", "gpu"),
    [
        (["CPUExecutionProvider"], {}, "never"),
        (["CPUExecutionProvider"], {"memory_gb": 1}, "never"),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], {}, "optional"),
        (["CPUExecutionProvider"], {"gpu": "optional"}, "optional"),
    ],
)
def test_a_model_that_cannot_use_the_gpu_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, providers: list[str], told: dict[str, Any], gpu: str
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    path = classifier(tmp_path / "mean.onnx", metadata="{0: 'low', 1: 'high'}")
    described = {"inputs": {"channels": ["T1", "T2"]}, "name": "Means", "resources": told}
    assert installed(path, tmp_path / "out", described).resources.gpu == gpu


@pytest.mark.parametrize(("batch", "dtype"), [(1, 1), (4, 1), ("n", 1), (2, 10)])
def test_answers_are_those_of_the_graph_whatever_its_batch(tmp_path: Path, batch: int | str, dtype: int) -> None:
    path = classifier(tmp_path / "mean.onnx", batch, metadata="['low', 'high']", dtype=dtype)
    manifest = installed(path, tmp_path / "out", {"inputs": {"channels": ["T1", "T2"]}})
    network = RuntimeModel(tmp_path / "out", manifest).load_network(tmp_path / "out" / "model.onnx", "cpu")
    values = torch.randn(3, 2, 8, 6)
    expected = values.mean(dim=(2, 3)).softmax(dim=1)
    torch.testing.assert_close(network(values).softmax(dim=1), expected, atol=2e-3 if dtype == 10 else 1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": {"channels": ["T1"]}}, "channels should be 2"),
        ({"inputs": {"channels": ["T1", "T2"], "size": [8, 8]}}, "size 2 of its input should be 6"),
        ({"outputs": {"labels": [{"name": "one"}]}}, "outputs should be 2"),
        ({"settings": {"library": "custom.so"}}, "settings should have answers"),
        ({"entry": "os:system"}, "has a field that no description has, entry"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = classifier(tmp_path / "mean.onnx")
    described = {
        "inputs": {"channels": ["T1", "T2"]},
        "outputs": {"labels": [{"name": "low"}, {"name": "high"}]},
        **changes,
    }
    with pytest.raises(PluginError, match=said):
        installed(path, tmp_path / "out", described)


def test_weights_beside_the_file_come_along_and_are_named(tmp_path: Path) -> None:
    described = {"inputs": {"channels": ["T1", "T2"]}, "outputs": {"labels": [{"name": "low"}, {"name": "high"}]}}
    manifest = installed(with_external(tmp_path / "big.onnx", "big.data"), tmp_path / "out", described)
    assert list(manifest.weights.also) == ["big.data"]
    network = RuntimeModel(tmp_path / "out", manifest).load_network(tmp_path / "out" / "model.onnx", "cpu")
    assert network(torch.ones(1, 2, 8, 6)).shape == (1, 2)
    (tmp_path / "out" / "big.data").write_bytes(bytes(8))
    with pytest.raises(PluginError, match="not the file that its manifest names"):
        RuntimeModel(tmp_path / "out", manifest).load_network(tmp_path / "out" / "model.onnx", "cpu")


def with_external(path: Path, location: str, **entries: str) -> Path:
    """A classifier that adds two numbers which lie in another file."""
    model = onnx.load(classifier(path))
    (path.parent / "big.data").write_bytes(np.array([1, 2], np.float32).tobytes())
    bias = TensorProto(name="bias", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "8", **entries}.items():
        bias.external_data.add(key=key, value=value)
    model.graph.initializer.append(bias)
    model.graph.node.insert(1, helper.make_node("Add", ["mean", "bias"], ["moved"]))
    model.graph.node[2].input[0] = "moved"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_fixed_size_is_the_window(tmp_path: Path) -> None:
    graph = read_graph(classifier(tmp_path / "mean.onnx", squash=False))
    assert (graph.shape, graph.rank, graph.channels, graph.ends_in) == ((None, 2, 8, 6), 2, 2, "")
