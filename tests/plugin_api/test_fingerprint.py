"""The number of a plugin's folder: what changes it, and its cheap companion."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from medviewer.plugin_api.discovery import DiscoverResult
from medviewer.plugin_api.fingerprint import fingerprint, stamp
from medviewer.plugin_api.manifest import file_sha256, read_manifest
from tests.inference.tiny_plugins import write_plugin


@pytest.fixture
def plugin(tmp_path: Path) -> DiscoverResult:
    return write_plugin(tmp_path, "counted")


def _stamp(plugin: DiscoverResult) -> str:
    return stamp(plugin.folder, read_manifest(plugin.folder))


def test_weights_and_caches_are_left_out(plugin: DiscoverResult) -> None:
    before = fingerprint(plugin.folder), _stamp(plugin)
    (plugin.folder / "weights.safetensors").write_bytes(b"longer than before" * 1000)
    (plugin.folder / "__pycache__").mkdir()
    (plugin.folder / "__pycache__" / "plugin.pyc").write_bytes(b"x")
    assert (fingerprint(plugin.folder), _stamp(plugin)) == before


@pytest.mark.parametrize("name", ["helper.py", "helper.pyc", "helper.so", "helper.pyd", "settings.yaml", "noending"])
def test_code_that_is_called_weights_counts(plugin: DiscoverResult, name: str) -> None:
    extra = plugin.folder / name
    extra.write_bytes(b"one")
    fields = yaml.safe_load((plugin.folder / "plugin.yaml").read_text())
    fields["weights"]["also"] = {name: file_sha256(extra)}
    (plugin.folder / "plugin.yaml").write_text(yaml.safe_dump(fields))
    before = fingerprint(plugin.folder), _stamp(plugin)
    extra.write_bytes(b"another")
    after = fingerprint(plugin.folder), _stamp(plugin)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_stamp_changes_with_every_file_that_comes_goes_or_is_written(plugin: DiscoverResult) -> None:
    seen = [_stamp(plugin)]
    assert _stamp(plugin) == seen[0]
    (plugin.folder / "parts").mkdir()
    (plugin.folder / "parts" / "more.py").touch()
    seen.append(_stamp(plugin))
    os.utime(plugin.folder / "plugin.py", (1, 1))  # older than before, as a copy of another version may be
    seen.append(_stamp(plugin))
    (plugin.folder / "parts" / "more.py").unlink()
    seen.append(_stamp(plugin))
    assert len(set(seen)) == 4
