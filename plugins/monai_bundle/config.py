"""A bundle's configuration as data: references are followed, expressions are never evaluated.

The form is MONAI's (docs.monai.io, "Bundle configuration"): ``@id`` stands for another value, ``%id`` for its text,
``$...`` for a Python expression, and a mapping with ``_target_`` for an object. An expression that is nothing but a
literal or a reference is one; every other stays an `Expression`, and what needs its value needs trust.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from medviewer.errors import PluginError

_MOST_VALUES = 20_000
_MOST_DEPTH = 40
_LONGEST_LITERAL = 1_000
_REFERENCE = re.compile(r"[@%]([A-Za-z_]\w*(?:(?:::|#)\w+)*)")
_SPECIAL = frozenset({"_target_", "_desc_", "_disabled_", "_mode_", "_requires_"})
_HARMLESS_MODES = ("default", "")


@dataclass(frozen=True)
class Expression:
    """A value that only running code would tell."""

    text: str


@dataclass(frozen=True)
class Component:
    """An object that a configuration describes.

    Parameters
    ----------
    target
        Its dotted name.
    arguments
        Its arguments, references followed; may hold an `Expression`.
    place
        Where it stands in the configuration.
    odd
        Whether it asks for more than being made: other code first, or another way of being called.
    """

    target: str
    arguments: Mapping[str, Any]
    place: str
    odd: bool = False


@dataclass
class Config:
    """The values of one configuration file.

    Parameters
    ----------
    data
        What the file holds.
    """

    data: Mapping[str, Any]
    _count: int = field(default=0, init=False)

    def has(self, name: str) -> bool:
        """Whether there is a value of that id."""
        return name in self.data

    def at(self, place: str, depth: int = 0) -> Any:
        """The value at an id such as ``inferer::roi_size``, everything in it followed and turned into data.

        Raises
        ------
        PluginError
            If there is none, or it refers to itself or to absurdly much.
        """
        value: Any = self.data
        for part in re.split("::|#", place):
            value = self._child(self._followed(value, depth), part, place)
        return self._plain(value, place, depth)

    def components(self, place: str) -> list[Component]:
        """The objects at an id: one, a list of them, or those inside a ``Compose``."""
        found = self.at(place)
        items = found if isinstance(found, list) else [found]
        if len(items) == 1 and isinstance(items[0], Component) and last_name(items[0].target) == "Compose":
            inner = items[0].arguments.get("transforms", [])
            items = inner if isinstance(inner, list) else [inner]
        return [
            item if isinstance(item, Component) else Component("", {"value": item}, place, odd=True) for item in items
        ]

    def _followed(self, value: Any, depth: int) -> Any:
        """A value that a path leads through, when it is a reference itself."""
        if isinstance(value, str) and (found := _REFERENCE.fullmatch(value.strip())):
            self._counted(depth)
            return self._raw(found[1], depth + 1)
        return value

    def _raw(self, place: str, depth: int) -> Any:
        value: Any = self.data
        for part in re.split("::|#", place):
            value = self._child(self._followed(value, depth), part, place)
        return value

    def _child(self, value: Any, part: str, place: str) -> Any:
        if isinstance(value, Mapping) and part in value:
            return value[part]
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            return value[int(part)]
        raise PluginError(f"The bundle's configuration refers to {place[:80]!r}, which is not there; mend it.")

    def _plain(self, value: Any, place: str, depth: int) -> Any:
        self._counted(depth)
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, list):
            return [self._plain(item, f"{place}::{k}", depth + 1) for k, item in enumerate(value)]
        if not isinstance(value, Mapping):
            return value
        if "_target_" in value:
            return self._component(value, place, depth)
        return {key: self._plain(item, f"{place}::{key}", depth + 1) for key, item in value.items()}

    def _component(self, value: Mapping[str, Any], place: str, depth: int) -> Any:
        if value.get("_disabled_") in (True, "True", "true", "$True"):
            return None
        target = value["_target_"]
        arguments = {
            key: self._plain(item, f"{place}::{key}", depth + 1) for key, item in value.items() if key not in _SPECIAL
        }
        odd = (
            bool(value.get("_requires_"))
            or value.get("_mode_", "") not in _HARMLESS_MODES
            or "_disabled_" in value
            or not isinstance(target, str)
            or target.startswith(("@", "$", "%"))
        )
        return Component(str(target), arguments, place, odd)

    def _text(self, text: str, depth: int) -> Any:
        stripped = text.strip()
        inside = stripped[1:].strip() if stripped.startswith("$") else stripped
        if found := _REFERENCE.fullmatch(inside):
            return self.at(found[1], depth + 1)
        if not stripped.startswith(("$", "@", "%")):
            return text
        if stripped.startswith("$") and len(inside) <= _LONGEST_LITERAL:
            try:
                return ast.literal_eval(inside)
            except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
                pass  # no literal: what it is, only running it would tell
        return Expression(text)

    def _counted(self, depth: int) -> None:
        self._count += 1
        if self._count > _MOST_VALUES or depth > _MOST_DEPTH:
            raise PluginError(
                "The bundle's configuration refers to itself or to absurdly much; do not use it, and ask who made it."
            )


def last_name(target: str) -> str:
    """The last part of a dotted name."""
    return target.rpartition(".")[2]


def expressions(value: Any, strict: bool = False) -> Iterator[str]:
    """The text of every expression inside a value; with `strict` also the name of every object."""
    if isinstance(value, Expression):
        yield value.text
    elif isinstance(value, Component):
        if value.odd or strict:
            yield value.target
        yield from expressions(value.arguments, strict)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from expressions(item, strict)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from expressions(item, strict)
