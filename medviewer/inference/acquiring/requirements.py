"""Whether this Python has what a package says that it needs. Nothing is installed."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
import tomllib
from collections.abc import Iterable
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

import medviewer
from medviewer.errors import PluginError

_SAID = 400_000
"""Bytes of a METADATA or pyproject.toml that are looked at; a long description may follow what is read."""


def from_metadata(data: bytes) -> tuple[list[str], str]:
    """Requirements and the range of Pythons of a wheel's METADATA (core metadata, ``Requires-Dist``)."""
    headers = HeaderParser().parsestr(data[:_SAID].decode("utf-8", "replace"))
    return [str(line) for line in headers.get_all("Requires-Dist") or []], str(headers.get("Requires-Python") or "")


def from_pyproject(file: Path) -> tuple[list[str], str]:
    """Requirements and the range of Pythons of a ``pyproject.toml``; nothing where it says nothing.

    Raises
    ------
    PluginError
        If it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            data: dict[str, Any] = tomllib.loads(stream.read(_SAID).decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PluginError("pyproject.toml of the plugin cannot be read; mend the file.", str(error)) from error
    project = data.get("project")
    known = project if isinstance(project, dict) else {}
    listed = known.get("dependencies", [])
    texts = [str(line) for line in listed] if isinstance(listed, list) else []
    return texts, str(known.get("requires-python", ""))


def check_requirements(name: str, requirements: Iterable[str], python: str) -> None:
    """Refuse a plugin whose needs this Python does not meet.

    Parameters
    ----------
    requirements
        As in ``Requires-Dist`` (PEP 508); those of another system or of an extra do not count.
    python
        The range of Pythons (PEP 440), or empty.

    Raises
    ------
    PluginError
        Naming what is missing, and the pip command that gets it.
    """
    try:
        fits = not python or SpecifierSet(python).contains(platform.python_version(), prereleases=True)
        missing = [one for one in map(Requirement, requirements) if _counts(one) and not _is_met(one)]
    except (InvalidSpecifier, InvalidRequirement, InvalidVersion) as error:
        raise PluginError(f"What {name} says that it needs cannot be read; ask its author.", str(error)) from error
    if not fits:
        raise PluginError(f"{name} needs Python {python}, but this one is {platform.python_version()}; ask its author.")
    if missing:
        # An address is the author's word on where code comes from: pip is asked for the name instead.
        wanted = [f"{one.name}{one.specifier}" for one in missing]
        command = " ".join(["pip install", *map(shlex.quote, wanted)])
        raise PluginError(
            f"{name} needs {', '.join(wanted)}, which this Python does not have; if you trust these packages run "
            f"{command} and install it again."
        )


def _counts(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _is_met(requirement: Requirement) -> bool:
    name = canonicalize_name(requirement.name)
    try:
        # a checkout is not installed, and still is what the plugin asks for
        version = medviewer.__version__ if name == "medviewer" else importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)
