"""The viewport that shows a volume in 3D, with the mask's structures in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from medviewer.app.ports import Scene
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.looks import PlainImage, ordered, set_visible
from medviewer.ui.viewport.solid import Mesh, Solid, mesh_of, step_for, thin_labels, thin_volume

HARDWARE_EDGE, SOFTWARE_EDGE = 320, 96
"""Largest number of voxels along an axis that is drawn, with a graphics card and without."""
_SETTLE_MS = 250
"""A change is drawn once nothing has changed for so long: 3D is for looking, not for following a drag."""


Background = Callable[[Callable[[], Solid], Callable[[Solid], None]], None]
"""Runs the first function off the Qt thread and hands what it returns to the second, on the Qt thread."""


def at_once(work: Callable[[], Solid], done: Callable[[Solid], None]) -> None:
    """Run both here and now: for pictures, which wait for what they show."""
    done(work())


class VolumeView(QFrame):
    """Implements `VolumePort`: attenuated maximum intensity, turned with the mouse.

    Parameters
    ----------
    background
        How surfaces are worked out without holding up the window.
    """

    def __init__(self, parent: QWidget | None = None, background: Background = at_once) -> None:
        super().__init__(parent)
        self._background = background
        self._generation = 0
        self._unshown = False
        self.setObjectName("viewport")
        self.setMinimumSize(120, 100)
        self._canvas: NapariCanvas | None = None
        self.shown: Scene | None = None
        self._wanted: Scene | None = None
        self._image: Any = None
        self._surface: Any = None
        self._looked_at: object = None
        self._note = QLabel(self)
        self._note.setObjectName("viewportNote")
        self._note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._note.move(9, 9)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self.settle)

    @property
    def canvas(self) -> NapariCanvas:
        """The canvas, made when it is first drawn on: the window's first picture does not wait for it."""
        if self._canvas is None:
            self._canvas = NapariCanvas(self, ndisplay=3)
            self._note.raise_()
        return self._canvas

    def close_canvas(self) -> None:
        """Let go of the GL widget, if there is one."""
        self._timer.stop()
        if self._canvas is not None:
            self._canvas.close()

    def apply(self, scene: Scene | None) -> None:
        """Show that volume, soon; a hidden view waits until it is seen."""
        self._wanted = scene
        if scene is None:
            self.settle()
        elif _differs(self.shown, scene):
            self._announce(scene)
            self._timer.start()

    def _announce(self, scene: Scene) -> None:
        """Say that a picture is on its way where there is none of that image yet; a film says it only once."""
        if self._image is None or not self._image.visible or scene.identity is not self._looked_at:
            self._tell("Working out 3D…")

    def _tell(self, text: str) -> None:
        self._note.setText(text)
        self._note.adjustSize()
        self._note.show()
        self._note.raise_()

    def settle(self) -> None:
        """Work out what was asked for last, in the background, and draw it."""
        self._timer.stop()
        scene = self._wanted
        if scene is not None and not self.isVisible():
            return
        old, self.shown = self.shown, scene
        self._generation += 1
        if scene is None:
            for layer in (self._image, self._surface):
                set_visible(layer, False)
            self._note.hide()
            return
        fresh = old is None or old.voxels is not scene.voxels
        if not fresh and self._image is not None:
            self._image.contrast_limits = ordered(scene.limits)
        self._work_out(scene, fresh or self._unshown)

    def _work_out(self, scene: Scene, fresh: bool) -> None:
        generation = self._generation
        self._unshown = fresh
        edge = SOFTWARE_EDGE if self._in_software() else HARDWARE_EDGE
        step = step_for(scene.voxels.shape, edge)
        # a copy: the mask may be painted on while its surface is worked out
        labels = thin_labels(scene, step)
        colours = scene.mask.colours if scene.mask is not None else ()

        def work() -> Solid:
            volume = thin_volume(scene, step) if fresh else None
            return Solid(volume, None if labels is None else mesh_of(labels, colours))

        def done(solid: Solid) -> None:
            if generation != self._generation:
                return
            self._unshown = False
            scale = [scene.spacing[axis] * step for axis in scene.order]
            if solid.volume is not None:
                self._draw_volume(scene, solid.volume, scale, step)
                self._look_at(scene, solid.volume.shape, scale)
            self._draw_mesh(solid.mesh, scale)

        self._background(work, done)

    def showEvent(self, event: Any) -> None:
        """Draw what was asked for while the view was hidden."""
        super().showEvent(event)
        if self._wanted is not None and _differs(self.shown, self._wanted):
            self._timer.start()

    def _draw_volume(self, scene: Scene, data: NDArray[Any], scale: list[float], step: int) -> None:
        """Layers are filled anew rather than removed: drawing right after a mesh was removed can crash the driver."""
        if self._image is None:
            self._image = self.canvas.add(
                PlainImage,
                data,
                contrast_limits=ordered(scene.limits),
                colormap="gray",
                rendering="attenuated_mip",
                attenuation=0.15,
                interpolation3d="linear",
                blending="translucent_no_depth",
                name="volume",
            )
        else:
            self._image.data = data
            self._image.contrast_limits = ordered(scene.limits)
        self._image.scale = scale
        set_visible(self._image, True)
        self.canvas.node(self._image).relative_step_size = 0.6 if step > 1 else 0.8
        self._tell("3D" if step == 1 else f"3D at 1/{step} of the resolution")

    def _draw_mesh(self, mesh: Mesh | None, scale: list[float]) -> None:
        if mesh is None:
            set_visible(self._surface, False)
            return
        data = (mesh.vertices, mesh.faces, np.ones(len(mesh.vertices), np.float32))
        if self._surface is None:
            self._surface = self.canvas.model.add_surface(
                data, vertex_colors=mesh.colours, shading="smooth", opacity=0.55, name="mask"
            )
        else:
            # colours of the old vertices would not fit the new ones
            self._surface.vertex_colors = None
            self._surface.data = data
            self._surface.vertex_colors = mesh.colours
        self._surface.scale = scale
        set_visible(self._surface, True)

    def _in_software(self) -> bool:
        self.canvas.make_current()
        return _software_rendered()

    def _look_at(self, scene: Scene, shape: tuple[int, ...], scale: list[float]) -> None:
        """Turn the camera to a new image; another phase of the one that is seen stays as the user turned it."""
        if scene.identity is None or scene.identity is not self._looked_at:
            self._looked_at = scene.identity
            self._look(shape, scale)

    def _look(self, shape: tuple[int, ...], scale: list[float]) -> None:
        extent = np.array(shape) * np.array(scale)
        camera = self.canvas.camera
        camera.center = tuple(extent / 2)
        size = self.size()  # the canvas may be new, and not have its size yet
        camera.zoom = 0.75 * min(size.width(), size.height()) / float(extent.max())
        camera.set_view_direction(view_direction=(0.25, 1, 0.45), up_direction=(-1, 0, 0))


def _differs(old: Scene | None, new: Scene) -> bool:
    if old is None or old.voxels is not new.voxels or old.limits != new.limits:
        return True
    if (old.mask is None) != (new.mask is None):
        return True
    if old.mask is None or new.mask is None:
        return False
    return (old.revision, old.mask.labels is new.mask.labels, old.mask.colours) != (
        new.revision,
        True,
        new.mask.colours,
    )


def _software_rendered() -> bool:
    """Whether OpenGL runs on the processor (Mesa's llvmpipe or softpipe); asks the current context."""
    from vispy.gloo import gl

    renderer = str(gl.glGetParameter(gl.GL_RENDERER) or "")
    return any(name in renderer.lower() for name in ("llvmpipe", "softpipe", "swrast"))
