"""YAML and JSON that somebody sent, read as data and within bounds: no tags, no depth, no bulk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from medviewer.errors import PluginError

_MOST_BYTES = 2**20
_MOST_NODES = 200_000
_MOST_DEPTH = 40
_MOST_BRACKETS = 200
"""Open at once: PyYAML takes a time that grows with their square before it gives up."""
_MOST_BITS = 64


class _PlainLoader(yaml.SafeLoader):
    """YAML without merge keys: a few lines of them grow beyond what a machine holds while they are read.

    Aliases share what they stand for, so that it is enough to count them afterwards.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("merge keys (<<) are not read")
        super().flatten_mapping(node)


class _PlainDumper(yaml.SafeDumper):
    """YAML that says everything out, without aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def write_mapping(path: Path, data: Mapping[str, Any]) -> None:
    """Write plain values as YAML that a person can read, in the order that they have."""
    text = yaml.dump(dict(data), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a ``.json``, ``.yaml`` or ``.yml`` file holds.

    Raises
    ------
    PluginError
        If it cannot be read, is too large or too deep, or is something other than a mapping of plain values.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise PluginError(f"{path.name} should be a description of a few pages, but it is larger than 1 MB.")
        return parse_mapping(path.read_bytes(), path.name)
    except OSError as error:
        raise PluginError(f"{path.name} should be readable, but it is not ({error.strerror}).", str(error)) from error


def parse_mapping(text: bytes, name: str) -> dict[str, Any]:
    """The mapping in the text of a file of that name; errors as in `read_mapping`."""
    _refuse_brackets(text, name)
    try:
        if name.lower().endswith(".json"):
            data = json.loads(text.decode("utf-8-sig"))
        else:
            # the loader is SafeLoader's child and knows no more tags than it does
            data = yaml.load(text.decode("utf-8"), Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise PluginError(
            f"{name} should be plain YAML or JSON, but it is not ({said}); mend it.", str(error)
        ) from error
    if not isinstance(data, dict):
        raise PluginError(f"{name} should hold a mapping of fields, but it holds a {type(data).__name__}.")
    for count, (value, depth) in enumerate(_values(data, 0)):
        large = isinstance(value, int) and value.bit_length() > _MOST_BITS
        if count > _MOST_NODES or depth > _MOST_DEPTH or large:
            raise PluginError(f"{name} should be a description of a few pages, but it holds far too much.")
    if not all(isinstance(key, str) for key in data):
        raise PluginError(f"{name} should name its fields in words, but one of them is no word; mend it.")
    return data


def _refuse_brackets(text: bytes, name: str) -> None:
    depth = 0
    for found in re.finditer(rb"[\[\]{}]", text):
        depth += 1 if found[0] in b"[{" else -1
        if depth > _MOST_BRACKETS:
            raise PluginError(f"{name} should be a description of a few pages, but it is nested without end.")


def _values(value: object, depth: int) -> Iterator[tuple[object, int]]:
    """Every value inside a value, and itself, with its depth."""
    yield value, depth
    if depth > _MOST_DEPTH:
        return
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from _values(item, depth + 1)
