"""napari's own window, made in steps.

`napari.Viewer` makes all of its window in one go, which takes a quarter of a second. Its parts can be made one after
the other: what it calls for them is put off here, in its order. napari is pinned to 0.9.* for that, among other things.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import napari
from napari._qt._qapp_model.qactions import init_qactions
from napari.components import ViewerModel
from napari.plugins import _initialize_plugins
from napari.utils.action_manager import action_manager
from napari.window import Window

from medviewer.ui.viewport.canvas import keep_to_itself


def prepare() -> Iterator[None]:
    """Do what the first window would do otherwise, a part for each item; the second time there is nothing left."""
    _initialize_plugins()
    yield
    importlib.import_module("napari._qt.layer_controls")
    yield
    init_qactions()
    yield


class SteppedWindow(Window):  # type: ignore[misc]  # napari publishes no types
    """A window whose menus, style and docks come with `steps`."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._put_off: list[Callable[[], None]] | None = []
        # For each of its keys napari would write the words of its welcome anew, which it does whenever that is shown.
        # Buttons, which tell their keys too, come with the docks.
        with action_manager.events.shortcut_changed.blocker():
            super().__init__(viewer, show=False)
        keep_to_itself(self._qt_viewer.canvas)  # the user removes layers, and closing it removes all of them

    def steps(self) -> Iterator[None]:
        """Make what was put off, a part for each item."""
        parts, self._put_off = self._put_off or [], None
        for part in parts:
            part()
            yield

    def _later(self, part: Callable[..., None], *args: Any, **options: Any) -> None:
        if self._put_off is None:
            part(*args, **options)
        else:
            self._put_off.append(partial(part, *args, **options))

    def _add_menus(self) -> None:
        self._later(super()._add_menus)

    def _update_theme(self, *args: Any, **options: Any) -> None:
        self._later(super()._update_theme, *args, **options)

    def _add_viewer_dock_widget(self, *args: Any, **options: Any) -> None:
        self._later(super()._add_viewer_dock_widget, *args, **options)


class SteppedViewer(napari.Viewer):  # type: ignore[misc]  # napari publishes no types
    """A `napari.Viewer` with such a window, which is hidden and waits for its `steps`."""

    def __init__(self, title: str) -> None:
        ViewerModel.__init__(self, title=title, ndisplay=2)
        _initialize_plugins()
        self._window = SteppedWindow(self)
        self._instances.add(self)

    def steps(self) -> Iterator[None]:
        """Make the rest of the window, a part for each item."""
        yield from self._window.steps()
