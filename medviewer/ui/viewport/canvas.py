"""A napari canvas without napari's own controls.

napari is pinned to 0.9.* because of what is used here and in the modules beside it: `QtViewer.canvas.native` (the GL
widget), `canvas.layer_to_visual` (a layer's vispy visual), `ViewerModel.scene`, and of a layer `_overlays`, `_data`,
`_visible` and `_transforms`, of which the last three are set past napari's cascade of events: it slices,
measures and draws each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from napari.components.viewer_model import ViewerModel
from napari.qt import QtViewer
from PySide6.QtCore import Qt
from PySide6.QtGui import QOpenGLContext
from PySide6.QtWidgets import QVBoxLayout, QWidget

if TYPE_CHECKING:
    from PySide6.QtOpenGLWidgets import QOpenGLWidget

BACKGROUND = "black"
_TILED_EDGE = 4096
"""Pixels from which napari may cut a picture into several textures, by what the driver takes."""


def load_driver() -> None:
    """Have OpenGL's driver there before the first canvas asks for it: that takes as long as all else of the canvas."""
    QOpenGLContext().create()


def keep_to_itself(canvas: Any) -> None:
    """Have a napari canvas delete what it drew in its own OpenGL context, and in no other one.

    When a layer is removed napari sends what is to be deleted to whichever context is current. The numbers of textures
    and programs are those of a context: in another one they are what another canvas draws with.
    """
    clean = canvas._clean_and_update_scenegraph

    def clean_here() -> None:
        if canvas.native.isValid():
            canvas._scene_canvas.set_current()
            clean()
        else:  # before it was first drawn it has no context, and nothing in it
            canvas._update_scenegraph()

    canvas._clean_and_update_scenegraph = clean_here


class _QuietQtViewer(QtViewer):  # type: ignore[misc]  # napari publishes no types
    """A `QtViewer` without napari's keys: ours are actions of the window, and binding napari's takes half its start."""

    def _bind_shortcuts(self) -> None:
        """Bind nothing."""


class NapariCanvas:
    """One `ViewerModel` and its `QtViewer`, of which only the GL widget is shown.

    Parameters
    ----------
    parent
        The widget that the GL widget fills.
    ndisplay
        2 for slices, 3 for a volume.
    """

    def __init__(self, parent: QWidget, ndisplay: int = 2) -> None:
        self.model = ViewerModel(ndisplay=ndisplay)
        self.qt_viewer = _QuietQtViewer(self.model)
        self.qt_viewer.setParent(parent)
        self.qt_viewer.hide()
        self.native = cast("QOpenGLWidget", self.qt_viewer.canvas.native)
        keep_to_itself(self.qt_viewer.canvas)
        scene = self.qt_viewer.canvas._scene_canvas
        if ndisplay == 2:
            # napari tells every layer at every frame which part of it is seen, for the sake of multiscale layers,
            # which ours are not; it takes a fifth of a frame
            scene.events.draw.disconnect(self.qt_viewer.canvas.on_draw)
        self._resized = False
        scene.events.resize.connect(self._note_size)
        scene.events.draw.connect(self._before_draw, position="first")
        scene.events.draw.connect(self._after_draw, position="last")
        self.undrawn = False
        """Whether something is to be drawn that has not been yet; whoever gives it to the canvas says so."""
        self.native.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.native.setAcceptDrops(False)
        self.qt_viewer.canvas.bgcolor = BACKGROUND
        layout = QVBoxLayout(parent)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(self.native)

    def _note_size(self, _: object) -> None:
        self._resized = True

    def _before_draw(self, event: Any) -> None:
        """Leave out what Qt draws while it resizes the widget: nothing fits its size yet, and a frame follows."""
        if self._resized:
            self._resized = False
            event.blocked = True
            self.native.update()

    def _after_draw(self, _: object) -> None:
        self.undrawn = False

    def draw_ahead(self) -> None:
        """Draw the layers that there are before anybody sees them.

        OpenGL makes the widget's context, and compiles what draws a layer, with the first frame of it. All viewports
        show an image, or a result, at the same time, and would all do that then.
        """
        for _ in range(2):  # the first frame only gives it its size
            self.native.grabFramebuffer()
        if self.native.isValid():  # what vispy asks until the widget has a context of its own
            native = cast("Any", self.native)
            native._secondary_context = native._surface = None

    @property
    def camera(self) -> Any:
        """Where the canvas looks: centre in mm, as (depth, down, right), and zoom in pixels a mm."""
        return self.model.scene.camera

    @contextmanager
    def same_view(self) -> Iterator[None]:
        """Keep what is looked at, and how large: napari looks at all there is when the first layer comes."""
        camera = self.camera
        before = camera.center, camera.zoom, camera.angles
        yield
        camera.center, camera.zoom, camera.angles = before

    def node(self, layer: Any) -> Any:
        """The vispy node that draws a layer."""
        return self.qt_viewer.canvas.layer_to_visual[layer].node

    def add(self, kind: type[Any], data: Any, **options: Any) -> Any:
        """Make a layer of that kind and show it; returns it."""
        return self.model.add_layer(kind(data, **options))

    @property
    def scene(self) -> Any:
        """The vispy node that holds what is drawn, for visuals that napari has no layer for."""
        return self.qt_viewer.canvas.view.scene

    def share_commands(self, drawn: Any) -> None:
        """Let `flush` send what is asked of a gloo object, also before it is first drawn."""
        self.qt_viewer.canvas._scene_canvas.context.glir.associate(drawn.glir)

    def flush(self) -> None:
        """Send now what is waiting to go to the graphics card, rather than all of it with the next frame.

        Before the widget was first drawn it has no context: then what waits would go to another canvas's.
        """
        if not self.native.isValid():
            return
        canvas = self.qt_viewer.canvas._scene_canvas
        canvas.set_current()
        canvas.context.flush_commands()

    def show(self, layer: Any, visible: bool) -> None:
        """Show or hide a layer that lies over another one, with the next frame; its buffer has to be uploaded anew."""
        if layer is not None and layer.visible != visible:
            layer._visible = visible
            node = self.node(layer)
            node.visible = visible
            node.update()

    def refit(self, layer: Any, data: Any, spacing: tuple[float, float]) -> None:
        """Give a two-dimensional layer a buffer of another shape, and pixels of another size in mm."""
        if max(*data.shape[:2], *layer.data.shape[:2]) > _TILED_EDGE:
            layer.data = data
        else:
            layer._data = data
        if tuple(layer.scale) != tuple(spacing):
            layer._transforms["data2physical"].scale = spacing
            self.qt_viewer.canvas.layer_to_visual[layer]._on_matrix_change()

    def make_current(self) -> None:
        """Let OpenGL calls, and questions, go to this canvas."""
        self.qt_viewer.canvas.native.makeCurrent()

    def clear(self) -> None:
        """Remove every layer; napari collects garbage each time, which is not worth it for nothing."""
        if self.model.layers:
            self.model.layers.clear()

    def close(self) -> None:
        """Let go of the GL widget and of every connection to napari's settings."""
        # Nothing is drawn any more: napari would collect garbage and build its scene anew, in a third of a second.
        self.qt_viewer.canvas._clean_and_update_scenegraph = lambda: None
        self.clear()
        self.qt_viewer.close()
