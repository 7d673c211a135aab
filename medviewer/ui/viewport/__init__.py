"""Viewports on napari canvases: the only package that touches napari's layers and its non-public parts.

`slice_view` and `volume_view` bring in napari, which takes longer than all the rest of the window: import them where a
viewport is made, see `ui.ahead`.
"""
