"""YAML and JSON that somebody sent, read as data and within bounds: no tags, no depth, no bulk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from medviewer.errors import PluginError

_MOST_BYTES = 4 * 2**20
_MOST_NODES = 200_000
_MOST_DEPTH = 40


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
            raise PluginError(f"{path.name} should be a description of a few pages, but it is larger than 4 MB.")
        return parse_mapping(path.read_bytes(), path.name)
    except OSError as error:
        raise PluginError(f"{path.name} should be readable, but it is not ({error.strerror}).", str(error)) from error


def parse_mapping(text: bytes, name: str) -> dict[str, Any]:
    """The mapping in the text of a file of that name; errors as in `read_mapping`."""
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
    for count, depth in enumerate(_depths(data, 0)):
        if count > _MOST_NODES or depth > _MOST_DEPTH:
            raise PluginError(f"{name} should be a description of a few pages, but it holds far too many values.")
    if not all(isinstance(key, str) for key in data):
        raise PluginError(f"{name} should name its fields in words, but one of them is no word; mend it.")
    return data


def _depths(value: object, depth: int) -> Iterator[int]:
    """The depth of every value inside a value, and of itself."""
    yield depth
    if depth > _MOST_DEPTH:
        return
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from _depths(item, depth + 1)
