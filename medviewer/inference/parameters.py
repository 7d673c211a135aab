"""The parameters of a run, against the JSON Schema that the plugin declares: in the host, and again in the child."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from medviewer.errors import InputError
from medviewer.plugin_api import Manifest


def checked_parameters(manifest: Manifest, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a run: what was chosen, and the defaults of the rest.

    Raises
    ------
    InputError
        If a parameter is unknown, or its value is not what the plugin declares; the text names it.
    """
    unknown = sorted(set(chosen) - set(manifest.params))
    if unknown:
        known = ", ".join(manifest.params) or "none"
        raise InputError(f"{manifest.name} has no parameter {', '.join(unknown)}; its parameters are: {known}.")
    values = {**manifest.default_parameters(), **chosen}
    for name, value in values.items():
        wrong = fault(manifest.params[name], value)
        if wrong:
            raise InputError(f"The parameter {name} of {manifest.name} cannot be that: {wrong}; choose another value.")
    return values


def fault(schema: Any, value: Any) -> str:
    """What speaks against a value, in a few words; empty when nothing does."""
    # here, and not above: their import takes as long as all manifests
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # An empty registry, because jsonschema's own would open addresses that a schema names.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        found = next(validator.iter_errors(value), None)
    except Unresolvable:
        return "what it may be is described elsewhere"
    return "" if found is None else str(found.message)


def parsed(text: str) -> Any:
    """A value as a command line gives it: JSON, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
