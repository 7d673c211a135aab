"""plugin.yaml: what is accepted, and the sentence for what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from medviewer.errors import ManifestError
from medviewer.plugin_api.manifest import FILE_NAME, Manifest, read_manifest

ROOT = Path(__file__).parents[2] / "plugins"


def _fields() -> dict[str, Any]:
    return {
        "schema": 1,
        "id": "liver",
        "name": "Liver",
        "version": "1.0.0",
        "description": "Finds the liver.",
        "kinds": ["segment"],
        "entry": "liver.plugin:Liver",
        "inputs": {"ndim": 3, "size": [64, 64, 64]},
        "outputs": {"labels": [{"name": "Liver"}, {"name": "Tumour"}]},
        "weights": {"file": "weights.safetensors", "sha256": "0" * 64, "source": "us", "licence": "Apache-2.0"},
        "params": {"smooth": {"type": "boolean", "default": True}, "free": {"type": "string"}},
    }


def _read(folder: Path, fields: object) -> Manifest:
    (folder / FILE_NAME).write_text(yaml.safe_dump(fields))
    return read_manifest(folder)


def test_labels_become_segments(tmp_path: Path) -> None:
    manifest = _read(tmp_path, _fields())
    first, second = manifest.segments()
    assert [(one.label, one.name) for one in (first, second)] == [(1, "Liver"), (2, "Tumour")]
    assert first.colour != second.colour
    assert first.code.meaning == "Tissue"
    assert manifest.default_parameters() == {"smooth": True}


def test_first_party_manifests_are_valid_and_name_what_they_stand_on() -> None:
    manifests = [read_manifest(path.parent) for path in sorted(ROOT.glob(f"*/{FILE_NAME}"))]
    assert {manifest.id for manifest in manifests} >= {"brain-extraction", "chest-xray"}
    for manifest in manifests:
        assert manifest.weights.source
        assert manifest.weights.licence
        assert "not for diagnosis" in manifest.weights.intended_use.lower()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 2}, "reads schema 1, not 2"),
        ({"api": 7}, "offers plugin API 1, not 7"),
        ({"id": "Liver!"}, "id is wrong"),
        ({"version": "1.0"}, "version is wrong"),
        ({"kinds": []}, "kinds is wrong"),
        ({"kinds": ["paint"]}, "kinds.0 is wrong"),
        ({"entry": "liver.plugin"}, "entry is wrong"),
        ({"inputs": {"ndim": 3, "size": [64, 64]}}, "needs 3 positive sizes"),
        ({"inputs": {"ndim": 2, "size": [64, 0]}}, "inputs.size.1 is wrong"),
        ({"inputs": {"ndim": 2, "size": [64, 64], "intensity": "loud"}}, "inputs.intensity.source is wrong"),
        (
            {"inputs": {"ndim": 2, "size": [64, 64], "intensity": {"source": "display", "expected": [0, 255]}}},
            "expected needs source: real",
        ),
        ({"inputs": {"ndim": 3}}, "inputs.size (3 positive sizes) or inputs.windows"),
        ({"inputs": {"ndim": 3, "size": [8, 8, 8], "windows": {"roi": [4, 4, 4]}}}, "stands alone"),
        ({"inputs": {"ndim": 3, "windows": {"roi": [4, 4]}}}, "inputs.windows.roi needs 3"),
        ({"inputs": {"ndim": 3, "size": [8, 8, 8], "orientation": "RLS"}}, "inputs.orientation is wrong"),
        ({"api": ">=2"}, "offers plugin API 1"),
        ({"api": "new"}, "needs a number or a range"),
        ({"params": {"keep": {"type": "whole"}}}, "is no JSON Schema"),
        ({"adapter": "onnx"}, "either an entry"),
        ({"outputs": {"labels": []}}, "outputs.labels is wrong"),
        ({"weights": {"sha256": "0" * 64, "source": "", "licence": ""}}, "either a file or fetch: true"),
        (
            {"weights": {"file": "../w", "sha256": "0" * 64, "source": "", "licence": ""}},
            "has to lie inside the plugin's folder",
        ),
        ({"colour": "red"}, "there is no field colour"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        _read(tmp_path, {**_fields(), **change})
    assert words in str(caught.value)
    assert "mend the file" in str(caught.value)


def test_what_is_no_manifest_at_all(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="has none that can be read"):
        read_manifest(tmp_path)
    with pytest.raises(ManifestError, match="a mapping of fields"):
        _read(tmp_path, ["a", "list"])
    (tmp_path / FILE_NAME).write_text("id: [")
    with pytest.raises(ManifestError, match="not valid YAML"):
        read_manifest(tmp_path)
    (tmp_path / FILE_NAME).write_text("[" * 5000)
    with pytest.raises(ManifestError, match="not valid YAML"):
        read_manifest(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ManifestError, match="not valid YAML"):
        read_manifest(tmp_path)
