"""The viewport that shows a volume in 3D, with the mask's structures in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from medviewer.app.ports import Scene
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.looks import PlainImage, ordered, set_visible

HARDWARE_EDGE, SOFTWARE_EDGE = 320, 96
"""Largest number of voxels along an axis that is drawn, with a graphics card and without."""
_AVERAGED = 30_000_000
"""Voxels up to which a volume is averaged to be thinned; a larger one would hold up the window, and is sampled."""
_SETTLE_MS = 250
"""A change is drawn once nothing has changed for so long: 3D is for looking, not for following a drag."""


class VolumeView(QFrame):
    """Implements `VolumePort`: attenuated maximum intensity, turned with the mouse."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewport")
        self.setMinimumSize(120, 100)
        self._canvas: NapariCanvas | None = None
        self.shown: Scene | None = None
        self._wanted: Scene | None = None
        self._image: Any = None
        self._surface: Any = None
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
            self._timer.start()

    def settle(self) -> None:
        """Draw what was asked for last, now."""
        self._timer.stop()
        scene = self._wanted
        if scene is not None and not self.isVisible():
            return
        old, self.shown = self.shown, scene
        if scene is None:
            for layer in (self._image, self._surface):
                set_visible(layer, False)
            self._note.hide()
            return
        if old is None or old.voxels is not scene.voxels:
            self._make_image(scene)
        elif old.limits != scene.limits:
            self._image.contrast_limits = ordered(scene.limits)
        self._apply_mask(scene)

    def showEvent(self, event: Any) -> None:
        """Draw what was asked for while the view was hidden."""
        super().showEvent(event)
        if self._wanted is not None and _differs(self.shown, self._wanted):
            self._timer.start()

    def _make_image(self, scene: Scene) -> None:
        """Layers are filled anew rather than removed: drawing right after a mesh was removed can crash the driver."""
        data, step = self._sample(scene, scene.voxels)
        scale = [scene.spacing[axis] * step for axis in scene.order]
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
        self.canvas.node(self._image).relative_step_size = 1.0 if step > 1 else 0.8
        self._look(data.shape, scale)
        self._note.setText("3D" if step == 1 else f"3D at 1/{step} of the resolution")
        self._note.adjustSize()
        self._note.show()
        self._note.raise_()

    def _apply_mask(self, scene: Scene) -> None:
        mesh = self._mesh(scene)
        if mesh is None:
            set_visible(self._surface, False)
            return
        data, colours, step = mesh
        if self._surface is None:
            self._surface = self.canvas.model.add_surface(
                data, vertex_colors=colours, shading="smooth", opacity=0.55, name="mask"
            )
        else:
            # colours of the old vertices would not fit the new ones
            self._surface.vertex_colors = None
            self._surface.data = data
            self._surface.vertex_colors = colours
        self._surface.scale = [scene.spacing[axis] * step for axis in scene.order]
        set_visible(self._surface, True)

    def _mesh(self, scene: Scene) -> tuple[tuple[Any, ...], NDArray[np.float32], int] | None:
        if scene.mask is None:
            return None
        labels, step = self._sample(scene, scene.mask.labels)
        vertices, faces, colours, count = [], [], [], 0
        for label, colour in scene.mask.colours:
            surface = surface_of(labels == label)
            if surface is None:
                continue
            vertices.append(surface[0])
            faces.append(surface[1] + count)
            count += len(surface[0])
            colours.append(np.tile(np.array([*colour, 255], np.float32) / 255, (len(surface[0]), 1)))
        if not vertices:
            return None
        points = np.concatenate(vertices)
        return (points, np.concatenate(faces), np.ones(count, np.float32)), np.concatenate(colours), step

    def _sample(self, scene: Scene, volume: NDArray[Any]) -> tuple[NDArray[Any], int]:
        """The volume turned head up and face forward, thinned to what can be drawn smoothly; and the step."""
        limit = SOFTWARE_EDGE if _software_rendered() else HARDWARE_EDGE
        step = max(1, -(-max(volume.shape[:3]) // limit))
        if step == 1 or volume.size > _AVERAGED or volume is not scene.voxels:
            thin = volume[::step, ::step, ::step].transpose(scene.order)
        else:
            from skimage.measure import block_reduce

            # an average has no rings, where every nth voxel has
            mean = block_reduce(volume, step, np.mean)  # type: ignore[no-untyped-call]  # scikit-image again
            thin = mean.astype(np.float32).transpose(scene.order)
        flips = tuple(slice(None, None, -1 if flip else 1) for flip in scene.flips)
        return np.ascontiguousarray(thin[flips]), step

    def _look(self, shape: tuple[int, ...], scale: list[float]) -> None:
        extent = np.array(shape) * np.array(scale)
        camera = self.canvas.camera
        camera.center = tuple(extent / 2)
        size = self.size()  # the canvas may be new, and not have its size yet
        camera.zoom = 0.75 * min(size.width(), size.height()) / float(extent.max())
        camera.set_view_direction(view_direction=(0.25, 1, 0.45), up_direction=(-1, 0, 0))


def surface_of(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.int32]] | None:
    """Vertices (n, 3), in voxels, and triangles (m, 3) of a mask's smoothed surface; None when it is empty.

    Marching cubes as in Lewiner et al. 2003, on the mask blurred by one voxel.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    if not mask.any():
        return None
    padded = gaussian_filter(np.pad(mask, 2).astype(np.float32), 1.0)
    if padded.max() <= 0.5:
        padded = np.pad(mask, 2).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(padded, 0.5)  # type: ignore[no-untyped-call]  # scikit-image has no types here
    return (vertices - 2).astype(np.float32), faces.astype(np.int32)


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
    """Whether OpenGL runs on the processor (Mesa's llvmpipe or softpipe)."""
    from vispy.gloo import gl

    renderer = str(gl.glGetParameter(gl.GL_RENDERER) or "")
    return any(name in renderer.lower() for name in ("llvmpipe", "softpipe", "swrast"))
