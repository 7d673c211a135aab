"""The program without its window: no Qt, and nothing that takes a second to import."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import medviewer.app

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
