"""ONNX files that reach for other files or for code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from tests.security.conftest import Attack

DESCRIBED = {
    "settings": {},
    "inputs": {"modality": ["CT"], "windows": {"roi": [8, 8, 8]}},
    "outputs": {"labels": [{"name": "Thing"}], "activation": "sigmoid"},
}


def external(location: str, **entries: str) -> TensorProto:
    """A number that lies in another file."""
    tensor = TensorProto(name="bias", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "length": "4", **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def model(*nodes: NodeProto, bias: TensorProto | None = None, domain: str = "") -> ModelProto:
    """A model that adds a number, and has more nodes."""
    number = bias or helper.make_tensor("bias", TensorProto.FLOAT, [1], [1.0])
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "bias"], ["y"]), *nodes],
        "harm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "z", "y", "x"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "z", "y", "x"])],
        [number],
    )
    domains = [helper.make_opsetid("", 18), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=domains, ir_version=9)


def hidden() -> ModelProto:
    """The reference to another file stands in a branch of a branch."""
    constant = NodeProto(op_type="Constant", output=["far"])
    attribute = constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR)
    attribute.t.CopyFrom(external("../../secret.bin"))
    out = [helper.make_tensor_value_info("far", TensorProto.FLOAT, [1])]
    inner = helper.make_graph([constant], "inner", [], out)
    nested = helper.make_node("If", ["yes"], ["far2"], then_branch=inner, else_branch=inner)
    outer_out = [helper.make_tensor_value_info("far2", TensorProto.FLOAT, [1])]
    outer = helper.make_graph([nested], "outer", [], outer_out)
    made = model(helper.make_node("If", ["yes"], ["z"], then_branch=outer, else_branch=outer))
    made.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    return made


def sparse() -> ModelProto:
    """The reference stands in a sparse number."""
    made = model()
    graph: GraphProto = made.graph
    one = graph.sparse_initializer.add(dims=[4])
    one.values.CopyFrom(external("/etc/passwd"))
    one.indices.CopyFrom(helper.make_tensor("where", TensorProto.INT64, [1], [0]))
    return made


MODELS: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "absolute": (lambda: model(bias=external("/etc/passwd")), "from outside its folder"),
    "above": (lambda: model(bias=external("../secret.bin")), "from outside its folder"),
    "down and above": (lambda: model(bias=external("sub/../../secret.bin")), "from outside its folder"),
    "Windows": (lambda: model(bias=external("C:\\Windows\\win.ini")), "from outside its folder"),
    "above, Windows": (lambda: model(bias=external("..\\secret.bin")), "from outside its folder"),
    "nameless": (lambda: model(bias=external("")), "from outside its folder"),
    "hidden": (hidden, "from outside its folder"),
    "sparse": (sparse, "from outside its folder"),
    "link": (lambda: model(bias=external("link.bin")), "from outside its folder"),
    "linked folder": (lambda: model(bias=external("folder/passwd")), "from outside its folder"),
    "beyond the end": (lambda: model(bias=external("four.bin", offset="1000000")), "wants more weights than"),
    "before the beginning": (lambda: model(bias=external("four.bin", offset="-4")), "before the beginning"),
    "in words": (lambda: model(bias=external("four.bin", offset="here")), "says in words"),
    "missing": (lambda: model(bias=external("nowhere.bin")), "should lie beside it"),
    "operator of a library": (
        lambda: model(helper.make_node("Evil", ["x"], ["z"], domain="evil.ops"), domain="evil.ops"),
        "needs operators of evil.ops",
    ),
    "operator without its import": (
        lambda: model(helper.make_node("Evil", ["x"], ["z"], domain="evil.ops")),
        "needs the operator Evil",
    ),
    "compiled code": (
        lambda: model(
            helper.make_node("EPContext", ["x"], ["z"], domain="com.microsoft", ep_cache_context="../evil.so"),
            domain="com.microsoft",
        ),
        "needs the operator EPContext",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_reaches_for_other_files(attack: Attack, tmp_path: Path, name: str) -> None:
    make, said = MODELS[name]
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(np.zeros(4, np.float32).tobytes())
    (folder / "four.bin").write_bytes(bytes(4))
    (folder / "link.bin").symlink_to("/etc/passwd")
    (folder / "folder").symlink_to("/etc")
    source = folder / "harm.onnx"
    source.write_bytes(make().SerializeToString())
    assert said in attack.refused(attack.describe(source, **DESCRIBED))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x09" * 1000, b"\xff" * 4096, b"\x3a" + b"\xff" * 9])
def test_what_is_no_model(attack: Attack, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "harm.onnx"
    source.write_bytes(content)
    assert "should be an ONNX file" in attack.refused(attack.describe(source, **DESCRIBED))


def test_a_model_exchanged_after_it_was_installed(attack: Attack, tmp_path: Path) -> None:
    """Even where the manifest was made to fit, the file is looked at again before it is opened."""
    from medviewer.plugin_api.manifest import file_sha256

    source = tmp_path / "harm.onnx"
    source.write_bytes(model().SerializeToString())
    plugin = attack.install(attack.describe(source, **DESCRIBED))
    weights = plugin.folder / "model.onnx"
    former = file_sha256(weights)
    weights.write_bytes(model(bias=external("/etc/passwd")).SerializeToString())
    path = plugin.folder / "plugin.yaml"
    path.write_text(path.read_text().replace(former, file_sha256(weights)))
    from medviewer.inference.loader import load_adapter
    from medviewer.plugin_api.manifest import read_manifest

    assert plugin.adapter is not None
    opened = load_adapter(plugin.adapter).open(plugin.folder, read_manifest(plugin.folder), trusted=False)
    with pytest.raises(Exception, match="from outside its folder"):
        opened.load_network(weights, "cpu")  # type: ignore[attr-defined]
