"""Plugin code comes from its source, and an edited plugin gets a process of its own."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medviewer.inference import loader, sources
from medviewer.inference.client import plugin_lane
from medviewer.plugin_api.discovery import DiscoverResult, Origin
from tests.inference.tiny_plugins import write_plugin


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What importing changes in this process is put back."""
    monkeypatch.setattr(sources, "_folders", set())
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.partition(".")[0] == "planted":
            del sys.modules[name]
    loader.load_code.cache_clear()


def _plant(source: Path, canary: Path) -> None:
    """Byte code of other source, which Python takes for that source's because date and size agree."""
    genuine, stat = source.read_text(), source.stat()
    evil = f"open({str(canary)!r}, 'w').close()\n"
    source.write_text(evil + "#" * (stat.st_size - len(evil)))
    assert source.stat().st_size == stat.st_size
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    py_compile.compile(str(source), cfile=importlib.util.cache_from_source(str(source)), doraise=True)
    source.write_text(genuine)
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.usefixtures("clean")
def test_byte_code_that_was_planted_does_not_run(tmp_path: Path) -> None:
    plugin = write_plugin(tmp_path, "planted", "    # a long line\n" + "#" * 400 + "\n")
    canary = tmp_path / "canary"
    (plugin.folder / "__init__.py").write_text("VALUE = 1\n" + "#" * 400 + "\n")
    for name in ("__init__.py", "plugin.py"):
        _plant(plugin.folder / name, canary)
    planted = sorted((plugin.folder / "__pycache__").iterdir())
    before = [path.read_bytes() for path in planted]
    manifest, made = loader.load_code(plugin.folder)
    assert (manifest.id, type(made).__name__) == ("planted", "Tiny")
    assert not canary.exists()
    assert sorted((plugin.folder / "__pycache__").iterdir()) == planted, "and none is kept"
    assert [path.read_bytes() for path in planted] == before


@pytest.mark.parametrize("origin", [Origin.INSTALLED, Origin.NAMED])
def test_an_edited_plugin_gets_a_new_process_and_an_unchanged_one_stays_warm(tmp_path: Path, origin: Origin) -> None:
    plugin: DiscoverResult = replace(write_plugin(tmp_path, "edited"), origin=origin, trusted="f" * 64)
    before = plugin_lane(plugin)
    assert plugin_lane(plugin) == before
    (plugin.folder / "weights.safetensors").write_bytes(b"other")
    assert plugin_lane(plugin) == before
    with (plugin.folder / "plugin.py").open("a") as code:
        code.write("# edited\n")
    assert plugin_lane(plugin) != before
