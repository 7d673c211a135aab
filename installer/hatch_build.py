"""What the wheel holds beside the package: resources and first-party plugins, where an installed medviewer looks.

A checkout finds them beside the package (see ``medviewer/app/resources.py``), so an editable install copies nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("resources", "plugins")
# Tests, caches and the scripts that make the demo and the manual's pictures are for a checkout.
LEFT_OUT_FOLDERS = {"tests", "__pycache__"}
LEFT_OUT_FILES = {"conftest.py", "build.py", "make_pictures.py"}


class WheelFiles(BuildHookInterface):
    """Adds the files one by one: a folder named in ``force-include`` would bring its tests along."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name every file and its place in the wheel."""
        if version != "standard":
            return
        root = Path(self.root)
        for folder in FOLDERS:
            for path in sorted((root / folder).rglob("*")):
                place = path.relative_to(root)
                if path.is_file() and not LEFT_OUT_FOLDERS & set(place.parts) and path.name not in LEFT_OUT_FILES:
                    build_data["force_include"][str(path)] = f"medviewer/{place.as_posix()}"
