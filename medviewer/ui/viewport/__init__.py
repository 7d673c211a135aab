"""Viewports on napari canvases: the only module that touches napari's layers and its non-public parts."""

from medviewer.ui.viewport.slice_view import SliceView
from medviewer.ui.viewport.volume_view import VolumeView

__all__ = ["SliceView", "VolumeView"]
