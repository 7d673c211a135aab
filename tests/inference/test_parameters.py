"""Parameters of a run: what the plugin's JSON Schema lets through, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medviewer.errors import InputError
from medviewer.inference.parameters import checked_parameters, fault, parsed
from medviewer.plugin_api import Manifest
from tests.inference.tiny_plugins import write_plugin

PARAMS: dict[str, Any] = {
    "threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
    "steps": {"type": "integer", "minimum": 1},
    "mode": {"enum": ["fast", "slow"], "default": "fast"},
    "fill": {"type": "boolean", "default": True},
}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    found = write_plugin(tmp_path, "tuned", params=PARAMS).manifest
    assert found is not None
    return found


def test_defaults_are_filled_in(manifest: Manifest) -> None:
    assert checked_parameters(manifest, {}) == {"threshold": 0.5, "mode": "fast", "fill": True}
    assert checked_parameters(manifest, {"steps": 3, "fill": False})["steps"] == 3


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"speed": 3}, "no parameter speed; its parameters are: fill, mode, steps, threshold"),
        ({"threshold": 2}, "parameter threshold of Tuned cannot be that: 2 is greater than the maximum of 1"),
        ({"threshold": "high"}, "'high' is not of type 'number'"),
        ({"steps": 1.5}, "1.5 is not of type 'integer'"),
        ({"fill": 1}, "1 is not of type 'boolean'"),
        ({"mode": "best"}, "parameter mode of Tuned"),
    ],
)
def test_what_cannot_be_is_named(manifest: Manifest, chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        checked_parameters(manifest, chosen)
    assert words in str(refused.value)


def test_a_schema_that_names_an_address_opens_none() -> None:
    assert fault({"$ref": "http://127.0.0.1:9/schema.json"}, 3) == "what it may be is described elsewhere"
    assert fault({"$ref": "file:///etc/passwd"}, 3) == "what it may be is described elsewhere"


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("3", 3), ("true", True), ("fast", "fast"), ("[1, 2]", [1, 2]), ('"3"', "3")]
)
def test_values_of_a_command_line(text: str, value: object) -> None:
    assert parsed(text) == value
