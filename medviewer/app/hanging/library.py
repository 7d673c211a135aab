"""Hanging protocols as files: those that come with the program, and the user's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from medviewer.app.colours import COLOUR_MAPS
from medviewer.app.hanging.protocol import Protocol, protocol_of
from medviewer.app.resources import resource
from medviewer.errors import InputError, StoreError
from medviewer.formats.atomic import replacing

FOLDER = "hanging"
"""Of the user's own protocols, in the archive's folder: a file each."""

_SHIPPED = "presets/hanging.yaml"
_SCHEMA = "presets/hanging.schema.json"
_LARGEST = 1 << 18
"""Bytes of a file that can be a protocol."""
_DEEPEST = 50
"""Lists and mappings that can be within each other in one."""


@dataclass(frozen=True)
class Row:
    """One file of the user's.

    Parameters
    ----------
    path
        Where it lies.
    protocol
        What it says, or None where it cannot be read.
    error
        Why not, with the line; empty otherwise.
    """

    path: Path
    protocol: Protocol | None
    error: str = ""

    @property
    def name(self) -> str:
        """What it is called: the file's name where nothing else is known."""
        return self.path.stem if self.protocol is None else self.protocol.name


@cache
def shipped() -> tuple[Protocol, ...]:
    """The protocols that come with the program, in their order."""
    # They are checked against the schema by a test, and not whenever the program starts.
    data = yaml.load(resource(_SHIPPED).read_text(encoding="utf-8"), _Loader)  # a safe loader
    return tuple(protocol_of(one) for one in data)


def own_rows(home: Path) -> tuple[Row, ...]:
    """The files of the user's protocols, by their names; a broken one is a row with its error."""
    rows = []
    for path in (home / FOLDER).glob("*.yaml"):
        try:
            told = path.stat()
        except OSError:
            continue  # it was removed just now
        rows.append(_row(path, told.st_mtime_ns, told.st_size))
    return tuple(sorted(rows, key=lambda row: (row.name.casefold(), row.path.name)))


def parsed(text: str, key: str) -> Protocol:
    """A protocol of the user's from the text of its file.

    Raises
    ------
    InputError
        If it is none; the sentence names the line and says what was expected there.
    """
    try:
        _check_depth(text)
        node = yaml.compose(text, _Loader)
        data = yaml.load(text, _Loader)  # a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise InputError(
            f"{line}This is no YAML ({getattr(error, 'problem', None) or 'it cannot be read'})."
        ) from error
    fault = _fault(data)
    if fault is not None:
        path, reason = fault
        raise InputError(f"line {_line(node, path)}: {_where(path)}{reason}")
    return protocol_of(data, own=True, key=key)


def keep(home: Path, data: Mapping[str, Any], path: Path | None = None) -> Path:
    """Write a protocol of the user's, into a new file or over one that there is; returns the file.

    Raises
    ------
    InputError
        If it is no protocol.
    StoreError
        If it cannot be written.
    """
    target = path or _free(home / FOLDER, str(data.get("name", "")))
    text = yaml.dump(_plain(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    parsed(text, target.stem)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            temporary.write_text(
                f"# A hanging protocol of medviewer; the manual's page says what may stand here.\n{text}"
            )
    except (InputError, OSError) as error:
        raise StoreError(
            f"The hanging protocol could not be kept in {target.parent}; check that the folder may be written to.",
            str(error),
        ) from error
    return target


def rename(row: Row, name: str) -> None:
    """Give one of the user's protocols another name; all else in its file stays as it was written.

    Raises
    ------
    InputError
        If the name is none, or the file has no name to change.
    StoreError
        If it cannot be written.
    """
    try:
        text = row.path.read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError("The file of the hanging protocol is not there any more.", str(error)) from error
    written = json.dumps(name.strip(), ensure_ascii=False)
    changed, count = re.subn(r"(?m)^name:.*$", lambda _: f"name: {written}", text, count=1)
    if not count:
        raise InputError("The file should have a line that begins with name:, and has none; change it by hand.")
    parsed(changed, row.path.stem)
    try:
        with replacing(row.path) as temporary:
            temporary.write_text(changed, encoding="utf-8")
    except OSError as error:
        raise StoreError("The hanging protocol could not be renamed; check its folder.", str(error)) from error


def remove(row: Row) -> None:
    """Delete the file of one of the user's protocols. Raises StoreError if that is refused."""
    try:
        row.path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError("The hanging protocol could not be removed; check its folder.", str(error)) from error


def schema() -> Any:
    """What a protocol may say, as a JSON schema."""
    return json.loads(resource(_SCHEMA).read_text(encoding="utf-8"))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the fast one, where there is one
    """YAML without objects of Python."""


class _Dumper(yaml.SafeDumper):
    """YAML in which short lists stay on their line, as a person would write them."""


def _short_lists(dumper: yaml.SafeDumper, data: Sequence[Any]) -> yaml.Node:
    flow = all(not isinstance(one, (list, dict)) for one in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _short_lists)


def _plain(data: Any) -> Any:
    """The same with lists for tuples."""
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(one) for one in data] if isinstance(data, (list, tuple)) else data


def _free(folder: Path, name: str) -> Path:
    """A file of that name that there is not yet."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40] or "protocol"
    number = 1
    while (path := folder / (f"{stem}.yaml" if number == 1 else f"{stem}-{number}.yaml")).exists():
        number += 1
    return path


@lru_cache(maxsize=256)
def _row(path: Path, changed: int, size: int) -> Row:
    """What a file says; read again when it was changed: that it says it right takes long to check."""
    try:
        if size > _LARGEST:
            raise InputError("The file is too large for a hanging protocol.")
        return Row(path, parsed(path.read_text(encoding="utf-8"), path.stem))
    except (InputError, OSError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, InputError) else "The file cannot be read as text."
        return Row(path, None, reason)


def _check_depth(text: str) -> None:
    """Raise InputError where lists are nested so deeply that the loader, which calls itself for each, would crash."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            mark = event.start_mark
            line = f"line {mark.line + 1}: " if mark is not None else ""
            raise InputError(f"{line}It is nested more than {_DEEPEST} levels deep.")


def _fault(data: Any) -> tuple[Sequence[str | int], str] | None:
    """Where something is no protocol, and why; None where nothing speaks against it."""
    # here, and not above: their import takes long, and most users have no protocols of their own
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    validator = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    found = best_match(validator.iter_errors(data))
    if found is not None:
        if found.validator == "oneOf":
            return [], "A protocol has either viewports or steps."
        return list(found.absolute_path), f"{found.message}."
    for k, viewport in _viewports(data):
        for which in (viewport, viewport.get("overlay", {})):
            colours = which.get("colours")
            if colours is not None and all(one.id != colours for one in COLOUR_MAPS):
                known = ", ".join(one.id for one in COLOUR_MAPS)
                return [*k, "colours"], f"There are no colours {colours!r}; there are {known}."
    return _too_many(data)


def _viewports(data: Any) -> list[tuple[list[str | int], Any]]:
    if "viewports" in data:
        return [(["viewports", k], one) for k, one in enumerate(data["viewports"])]
    return [
        (["steps", n, "viewports", k], one)
        for n, step in enumerate(data["steps"])
        for k, one in enumerate(step["viewports"])
    ]


def _too_many(data: Any) -> tuple[Sequence[str | int], str] | None:
    """A step whose layout has not as many viewports as are hung."""
    protocol = protocol_of(data, key="checked")
    for n, step in enumerate(protocol.steps):
        path: list[str | int] = ["steps", n] if "steps" in data else []
        room = None if step.arranged is None else len(step.arranged.slices)
        if room is not None and len(step.viewports) != room:
            return [*path, "viewports"], f"The layout {step.layout} has {room} viewports, not {len(step.viewports)}."
    return None


def _line(node: Any, path: Sequence[str | int]) -> int:
    """The line, counted from 1, where something stands, or the nearest thing around it that does."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _where(path: Sequence[str | int]) -> str:
    words = [f"viewport {part + 1}" if isinstance(part, int) else part for part in path if part != "viewports"]
    return f"{' / '.join(words)}: " if words else ""
