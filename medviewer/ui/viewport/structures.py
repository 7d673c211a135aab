"""The surfaces of structures on one 3D canvas: a mesh that was worked out before, so that only its upload is left.

napari's own layer for surfaces works out corners and normals on the window's thread, each time that vertices, colours
or anything else of it is set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vispy.scene.visuals import Mesh as MeshNode
from vispy.visuals.filters.clipping_planes import PlanesClipper

from medviewer.ui.viewport.canvas import NapariCanvas
from medviewer.ui.viewport.solid import Mesh


class Structures:
    """Shows one `Mesh`, smoothly shaded, lit from behind the viewer's right shoulder.

    Parameters
    ----------
    canvas
        Where it is drawn.
    mesh
        What is shown at first.
    """

    def __init__(self, canvas: NapariCanvas, mesh: Mesh) -> None:
        self.node = MeshNode(meshdata=mesh.drawable, shading="smooth", parent=canvas.scene)
        self._clipper = PlanesClipper()
        self.node.attach(self._clipper)
        blend = ("src_alpha", "one_minus_src_alpha", "one", "one")
        self.node.set_gl_state(
            depth_test=True, cull_face=False, blend=True, blend_func=blend, blend_equation="func_add"
        )
        self.mesh = mesh

    def fill(self, mesh: Mesh) -> None:
        """Show another mesh."""
        if mesh is not self.mesh:
            self.mesh = mesh
            self.node.set_data(meshdata=mesh.drawable)

    @property
    def visible(self) -> bool:
        """Whether it is to be seen."""
        return bool(self.node.visible)

    @visible.setter
    def visible(self, visible: bool) -> None:
        if self.node.visible != visible:
            self.node.visible = visible

    @property
    def opacity(self) -> float:
        """Of all structures, 0 to 1."""
        return float(self.node.opacity)

    @opacity.setter
    def opacity(self, opacity: float) -> None:
        if self.node.opacity != opacity:
            self.node.opacity = opacity

    def clip(self, planes: NDArray[np.float32]) -> None:
        """Cut it to what lies behind all of some planes, shape (n, 2, 3): a place and a normal, as x, y, z in mm."""
        self._clipper.clipping_planes = planes
        self.node.update()

    def light(self, camera: Any) -> None:
        """Light it from where a camera of napari looks."""
        view, up = (np.array(axis[::-1], float) for axis in (camera.view_direction, camera.up_direction))
        self.node.shading_filter.light_dir = up - view + np.cross(up, view)
        self.node.update()
