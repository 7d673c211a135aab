"""The window: the only room that imports PySide6, napari, vispy and superqt."""
