"""What an ONNX file says of itself, read before anything opens it to run: parsed, never executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from medviewer.errors import PluginError
from medviewer.plugin_api.spec import lies_inside

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

_MOST_BYTES = 2**31
"""What one ONNX file can hold; larger ones keep their weights beside it."""
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operators that onnxruntime brings along. Any other would need a library of somebody's code."""
_FORBIDDEN = frozenset({"EPContext"})
"""Operators that name compiled files of their own."""
_TYPES = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16"}
_SQUASHES = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
_PASSED_THROUGH = frozenset({"Cast", "Identity"})
_LONGEST_NAMES = 100_000


@dataclass(frozen=True)
class Graph:
    """What is known of an ONNX file.

    Parameters
    ----------
    inputs
        Name of its one input.
    output
        Name of its first output.
    shape
        Of its input: batch, channels and sizes; None where any will do.
    rank
        Number of axes of its output, 0 where it does not say.
    channels
        Length of its output's second axis, None where it does not say.
    dtype
        ``float32`` or ``float16``, what its input wants to be.
    ends_in
        ``softmax`` or ``sigmoid`` where the output is one, else empty.
    externals
        Files beside it that hold weights.
    labels
        Names of its classes, where its metadata says them.
    """

    inputs: str
    output: str
    shape: tuple[int | None, ...]
    rank: int
    channels: int | None
    dtype: str
    ends_in: str
    externals: tuple[str, ...]
    labels: tuple[str, ...]


def read_graph(path: Path) -> Graph:
    """Read and check an ONNX file.

    Raises
    ------
    PluginError
        If it is none, needs operators that onnxruntime does not bring, keeps weights outside its folder or beyond the
        end of a file, or does not take one array of numbers.
    """
    model = _parsed(path)
    domains = sorted({one.domain for one in model.opset_import} - _DOMAINS)
    if domains:
        raise PluginError(
            f"{path.name} needs operators of {domains[0]}, which are code of their own; export it without."
        )
    bad = sorted({node.op_type for node in _nodes(model) if node.op_type in _FORBIDDEN or node.domain not in _DOMAINS})
    if bad:
        raise PluginError(
            f"{path.name} needs the operator {bad[0]}, which runs code from other files; export it without."
        )
    known = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in known]
    if len(inputs) != 1 or not model.graph.output:
        names = ", ".join(one.name for one in inputs) or "none"
        raise PluginError(f"{path.name} should take one array and answer one, but its inputs are: {names}.")
    dtype = _TYPES.get(inputs[0].type.tensor_type.elem_type)
    shape = _shape(inputs[0])
    if dtype is None or len(shape) not in (4, 5):
        raise PluginError(
            f"{path.name} should take floating-point numbers, (batch, channels, sizes), but its input is another."
        )
    output = model.graph.output[0]
    answer = _shape(output)
    return Graph(
        inputs=inputs[0].name,
        output=output.name,
        shape=shape,
        rank=len(answer),
        channels=answer[1] if len(answer) > 1 else None,
        dtype=dtype,
        ends_in=_squash(model.graph, output.name),
        externals=_externals(model, path),
        labels=_labels(model),
    )


def _parsed(path: Path) -> ModelProto:
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise PluginError(f"{path.name} should be an ONNX file, which has at most 2 GB; it has more.")
        model = onnx.load(path, load_external_data=False)
    except (OSError, DecodeError, ValueError, RuntimeError) as error:
        raise PluginError(f"{path.name} should be an ONNX file, but it cannot be read as one.", str(error)) from error
    if not model.opset_import or not model.graph.node:
        raise PluginError(f"{path.name} should be an ONNX file, but there is no graph in it.")
    return model


def _shape(value: ValueInfoProto) -> tuple[int | None, ...]:
    """Sizes of a value; 0 and names stand for any."""
    return tuple(one.dim_value or None for one in value.type.tensor_type.shape.dim)


def _graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The main graph and those inside its nodes and functions."""
    waiting: list[Any] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting.extend([attribute.g] if attribute.HasField("g") else [])
                waiting.extend(attribute.graphs)


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    for graph in _graphs(model):
        yield from graph.node


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor that a file holds, wherever it may stand."""
    for graph in _graphs(model):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from ([attribute.t] if attribute.HasField("t") else [])
                yield from attribute.tensors
                sparse_ones = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
                for sparse in (*sparse_ones, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)


def _externals(model: ModelProto, path: Path) -> tuple[str, ...]:
    """Names of the files beside the model that hold its weights, each checked to be one and large enough."""
    found: dict[str, int] = {}
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data:
            continue
        told = {entry.key: entry.value for entry in tensor.external_data}
        name = told.get("location", "")
        found[name] = max(found.get(name, 0), _end(told, path.name))
    for name, end in found.items():
        beside = path.parent / name
        if not lies_inside(name) or beside.is_symlink() or not _inside(beside, path.parent):
            raise PluginError(
                f"{path.name} wants weights from outside its folder ({name[:80]!r}); do not use this file."
            )
        if not beside.is_file():
            raise PluginError(f"{path.name} keeps weights in {name}, which should lie beside it; put it there.")
        if end > beside.stat().st_size:
            raise PluginError(f"{path.name} wants more weights than {name} holds; get both files again.")
    return tuple(sorted(found))


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _end(told: dict[str, str], name: str) -> int:
    """Where a tensor's bytes end in its file."""
    try:
        offset, length = int(told.get("offset", 0)), int(told.get("length", 0))
    except ValueError as error:
        raise PluginError(f"{name} says in words where its weights lie; get the file again.") from error
    if offset < 0 or length < 0:
        raise PluginError(f"{name} says that its weights lie before the beginning of a file; do not use this file.")
    return offset + length


def _squash(graph: GraphProto, name: str) -> str:
    """The squashing that makes an output, through nodes that change nothing."""
    makers = {output: node for node in graph.node for output in node.output}
    for _ in range(len(_PASSED_THROUGH) + 2):
        node = makers.get(name)
        if node is None:
            return ""
        if node.op_type not in _PASSED_THROUGH:
            return _SQUASHES.get(node.op_type, "")
        name = node.input[0]
    return ""


def _labels(model: ModelProto) -> tuple[str, ...]:
    """Names of the classes in the metadata, as the usual exporters write them: a list, or numbers and names."""
    told = {entry.key: entry.value for entry in model.metadata_props}
    text = told.get("labels") or told.get("names") or told.get("classes") or ""
    if not text or len(text) > _LONGEST_NAMES:
        return ()
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        names = text.split(",")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)] if all(isinstance(key, int) for key in names) else []
    return tuple(str(one).strip() for one in names) if isinstance(names, list | tuple) else ()
