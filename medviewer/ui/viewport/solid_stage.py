"""What of the 3D view lives on the graphics card: the volume, the structures' surfaces, the light and the box.

Nothing that was drawn is ever removed, only filled anew or hidden: drawing right after a mesh was removed can crash
the driver.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from vispy.gloo import gl
from vispy.visuals.transforms import STTransform

from medviewer.app.ports.scene import Scene
from medviewer.app.solid_looks import Point, SolidLook, SolidMode, SolidPreset
from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.raycast import Raycast
from medviewer.ui.viewport.solid import Mesh, Texture
from medviewer.ui.viewport.structures import Structures
from medviewer.ui.viewport.tables import ordered

_METHODS: dict[SolidMode, str] = {
    "shaded": "shaded",
    "surface": "surface",
    "depth": "attenuated_mip",
    "mip": "mip",
    "minip": "minip",
    "mean": "average",
}
_STEPS = {False: (0.6, 1.6), True: (1.2, 3.5)}
"""Voxels between two samples at rest and in motion, without and with drawing in software."""
_STEEP = 0.06
"""The part of a look's range that values have to change by in a mm for a surface to be lit fully."""
_THROUGH = 0.6
"""Opacity of structures that are seen through what lies before them."""
_GL_MAX_3D_TEXTURE_SIZE = 0x8073
_LEAST_LIMIT = 256
"""What every OpenGL of version 3 can do (table 23.51 of its 4.6 specification asks for more since)."""


class SolidStage:
    """The volume and the surfaces of one canvas.

    Parameters
    ----------
    canvas
        Where they are drawn.
    software
        Whether OpenGL runs on the processor: then there is less light and larger steps.
    """

    def __init__(self, canvas: NapariCanvas, software: bool) -> None:
        self._canvas = canvas
        self._software = software
        self._surface: Structures | None = None
        self._texture: Texture | None = None
        self._shape: tuple[int, ...] = ()
        self._box: object = None
        self.moving = False
        self.node = Raycast(parent=canvas.scene)
        self.node.order = -1  # below the surfaces
        self.node.transform = STTransform()
        self.node.visible = False
        canvas.share_commands(self.node._texture)

    @property
    def shown(self) -> bool:
        """Whether a volume is to be seen."""
        return bool(self.node.visible)

    def fill(self, texture: Texture, scene: Scene) -> Iterator[None]:
        """Hand a volume to the graphics card; each step of the iterator takes little time."""
        spacing = [scene.spacing[axis] for axis in scene.order]
        fresh = texture.values.shape != self._shape
        if fresh:
            self.node.visible = False
        for _ in self.node.upload(texture.values, fresh):
            self._canvas.flush()
            yield
        self._shape = texture.values.shape
        self._texture = Texture(texture.values[:0], texture.low, texture.span, texture.factors)
        thinned = tuple(mm * f for mm, f in zip(spacing, texture.factors, strict=True))
        self.node.set_geometry(texture.values.shape, thinned)
        first = [mm * (f - 1) / 2 for mm, f in zip(spacing, texture.factors, strict=True)]
        self.node.transform.scale = thinned[::-1]
        self.node.transform.translate = first[::-1]
        self.set_moving(self.moving)
        self._box = None
        self.dress(scene)
        self.node.visible = True

    def dress(self, scene: Scene) -> None:
        """Give what is drawn the scene's look and box: quick, and at once."""
        texture = self._texture
        if texture is None:
            return
        look = scene.look or _plain(scene)
        first, last = (texture.place_of((value - scene.intercept) / scene.slope) for value in look.limits)
        table = look.table()
        if first > last:
            first, last, table = last, first, table[::-1]
        method = "quick" if self._software and look.preset.mode == "shaded" else _METHODS[look.preset.mode]
        if self.node.method != method:
            self.node.method = method
        self.node.attenuation = 0.15
        self.node.set_colours(table)
        self.node.set_limits(first, last, (first + last) / 2)
        self.node.set_light(look.preset.shade, _STEEP * (last - first))
        self.node.set_gl_state(
            "translucent", depth_test=not scene.through, cull_face=False, blend_func=_BLEND, blend=True
        )
        self._dress_surface(scene)
        self._cut(scene, texture)
        self.node.update()

    def draw_mesh(self, mesh: Mesh | None, scene: Scene) -> None:
        """Show those surfaces, or none."""
        if mesh is None:
            self._hide_surface()
            return
        if self._surface is None:
            self._surface = Structures(self._canvas, mesh)
            self._box = None
        else:
            self._surface.fill(mesh)
        self._surface.visible = True
        self.light()
        if self._texture is not None:
            self._dress_surface(scene)
            self._cut(scene, self._texture)

    def light(self) -> None:
        """Let the structures be lit from where the camera looks now."""
        if self._surface is not None:
            self._surface.light(self._canvas.camera)

    def hide(self) -> None:
        """Show nothing."""
        self.node.visible = False
        self._hide_surface()

    def _hide_surface(self) -> None:
        if self._surface is not None:
            self._surface.visible = False

    def set_moving(self, moving: bool) -> None:
        """Draw coarsely and quickly, or finely."""
        self.moving = moving
        self.node.set_step(_STEPS[self._software][moving])

    def _dress_surface(self, scene: Scene) -> None:
        if self._surface is not None:
            self._surface.opacity = _THROUGH if scene.through else 1.0

    def _cut(self, scene: Scene, texture: Texture) -> None:
        """Cut volume and surfaces to one box."""
        corners = box_corners(scene)
        if corners == self._box:
            return
        self._box = corners
        low, high = corners
        to_node = [
            [(edge - (f - 1) / 2) / f for edge, f in zip(corner, texture.factors, strict=True)] for corner in corners
        ]
        self.node.set_box(tuple(to_node[0]), tuple(to_node[1]))
        if self._surface is not None:
            spacing = np.array([scene.spacing[axis] for axis in scene.order])
            # with a hair more room, or what lies in the outermost voxels is cut where nothing should be
            at = np.array([np.array(low) * spacing - 1e-3, np.array(high) * spacing + 1e-3])[:, ::-1]
            planes = [[at[0], axis] for axis in np.eye(3)] + [[at[1], -axis] for axis in np.eye(3)]
            self._surface.clip(np.array(planes, np.float32))


_BLEND = ("src_alpha", "one_minus_src_alpha", "one", "one_minus_src_alpha")


def box_corners(scene: Scene) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Low and high corner of what is shown, along the turned axes, in voxels of full resolution."""
    low, high = [], []
    for place, axis in enumerate(scene.order):
        count = scene.voxels.shape[axis]
        first, last = scene.box[axis] if scene.box is not None else (-0.5, count - 0.5)
        if scene.flips[place]:
            first, last = count - 1 - last, count - 1 - first
        low.append(first)
        high.append(last)
    return tuple(low), tuple(high)


def texture_limit() -> int:
    """The longest edge that a volume may have on this graphics card; asks the current context."""
    found = gl.glGetParameter(_GL_MAX_3D_TEXTURE_SIZE)
    return int(found) if found else _LEAST_LIMIT


def software_rendered() -> bool:
    """Whether OpenGL runs on the processor (Mesa's llvmpipe or softpipe); asks the current context."""
    renderer = str(gl.glGetParameter(gl.GL_RENDERER) or "")
    return any(name in renderer.lower() for name in ("llvmpipe", "softpipe", "swrast"))


def _plain(scene: Scene) -> SolidLook:
    """Grey, for a scene without a look."""
    low, high = ordered(scene.limits)
    points = (Point(low, (0, 0, 0), 1), Point(high, (1, 1, 1), 1))
    real = tuple(Point(p.value * scene.slope + scene.intercept, p.colour, p.opacity) for p in points)
    return SolidLook(SolidPreset("", "Grey", "depth", real), real)
