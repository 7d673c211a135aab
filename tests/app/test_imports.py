"""The program without its window: no Qt, and nothing that takes a second to import."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys

import medviewer.app
from medviewer.app import commands

HEAVY = ("PySide6", "qtpy", "superqt", "napari", "vispy", "magicgui", "torch", "monai", "captum")


def test_app_loads_neither_qt_nor_networks() -> None:
    modules = ["medviewer.app", *(m.name for m in pkgutil.walk_packages(medviewer.app.__path__, "medviewer.app."))]
    assert len(modules) > 15
    program = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert [name for name in HEAVY if name in json.loads(result.stdout)] == []


def test_every_module_of_commands_is_named_once() -> None:
    there = sorted(one.name for one in pkgutil.iter_modules(commands.__path__))
    assert sorted(commands.__all__) == there
    assert commands.undoing.undo is importlib.import_module("medviewer.app.commands.undoing").undo
