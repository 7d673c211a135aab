"""The vispy visual that casts rays through a volume: what vispy's own has, and tissue that is lit.

vispy's `Volume` blends colours in a step-dependent way, has no lighting for them, and clips sample by sample. Here a
ray is cut to the clipping box before it is walked, opacity is per mm whatever the step and the voxels' size, and
surfaces are lit by the gradient (Levoy, Display of surfaces from volume data, IEEE CG&A 8 (1988) 29-37).

Its texture holds 16-bit values, which are uploaded in slabs, so that no upload holds up the window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from vispy.color import Colormap
from vispy.scene.visuals import create_visual_node
from vispy.visuals.volume import VolumeVisual

from medviewer.ui.viewport.solid import FULL

SLAB_BYTES = 8_000_000
"""How much of a volume is handed to the graphics card at a time."""

_SETUP = """
    // the part of the ray between the box and the near plane, from the back face that this fragment lies on: t <= 0
    vec3 ray = view_ray + vec3(equal(view_ray, vec3(0.0))) * 1e-6;
    vec3 t_low = (u_box_low - v_position) / ray;
    vec3 t_high = (u_box_high - v_position) / ray;
    vec3 t_first = min(t_low, t_high);
    vec3 t_last = max(t_low, t_high);
    float t_near = max(max(t_first.x, t_first.y), max(t_first.z, dot(nearpos - v_position, view_ray)));
    float t_far = min(min(t_last.x, t_last.y), min(t_last.z, 0.0));
    float step_mm = u_step_mm;
    int nsteps = int((t_far - t_near) * length(view_ray * u_spacing) / step_mm + 0.5);
    if (nsteps < 1)
        discard;
    vec3 front = v_position + view_ray * t_near;
    vec3 step = view_ray * ((t_far - t_near) / float(nsteps)) / u_shape;
    vec3 start_loc = (front + 0.5) / u_shape + 0.5 * step;
    frag_depth_point = front;
"""

_LIGHT = """
vec3 gradientAt(vec3 loc) {
    // per mm, over two voxels along each axis
    vec3 d = 1.0 / u_shape;
    return vec3(
        $get_data(loc + vec3(d.x, 0.0, 0.0)).r - $get_data(loc - vec3(d.x, 0.0, 0.0)).r,
        $get_data(loc + vec3(0.0, d.y, 0.0)).r - $get_data(loc - vec3(0.0, d.y, 0.0)).r,
        $get_data(loc + vec3(0.0, 0.0, d.z)).r - $get_data(loc - vec3(0.0, 0.0, d.z)).r
    ) / u_spacing;
}

vec3 lit(vec3 colour, vec3 loc) {
    // a lamp at the viewer's head; what has no surface, as the inside of an organ, keeps its colour
    vec3 gradient = gradientAt(loc);
    float steep = length(gradient);
    vec3 ray_mm = normalize(view_ray * u_spacing);
    float facing = abs(dot(gradient / max(steep, 1e-9), ray_mm));
    float surface = u_shade * smoothstep(0.0, u_steep, steep);
    float shine = 0.25 * pow(facing, 24.0);
    return mix(colour, colour * (0.25 + 0.75 * facing) + shine, surface);
}
"""

_SHADED = {
    "before_loop": """
        vec4 seen = vec4(0.0);
        bool met = false;
        frag_depth_point = front + view_ray * (t_far - t_near);
        // each ray begins elsewhere within a step, or steep opacities draw rings
        start_loc += step * (rand(gl_FragCoord.xy) - 0.5);
        """,
    "in_loop": """
        color = applyColormap(color);
        if (color.a > 0.002) {
            float alpha = 1.0 - pow(1.0 - min(color.a, 0.999), step_mm);
            seen += (1.0 - seen.a) * alpha * vec4(lit(color.rgb, loc), 1.0);
            if (!met && seen.a > 0.5) {
                met = true;
                frag_depth_point = loc * u_shape - 0.5;
            }
            if (seen.a > 0.98)
                iter = nsteps;
        }
        """,
    "after_loop": """
        if (seen.a < 0.004)
            discard;
        gl_FragColor = vec4(seen.rgb / seen.a, seen.a);
        """,
}

_QUICK = {
    "before_loop": """
        vec4 seen = vec4(0.0);
        start_loc += step * (rand(gl_FragCoord.xy) - 0.5);
        vec3 met = start_loc;
        frag_depth_point = front + view_ray * (t_far - t_near);
        """,
    "in_loop": """
        color = applyColormap(color);
        float alpha = 1.0 - pow(1.0 - min(color.a, 0.999), step_mm);
        met = seen.a < 0.4 ? loc : met;
        seen += (1.0 - seen.a) * alpha * vec4(color.rgb, 1.0);
        if (seen.a > 0.98)
            iter = nsteps;
        """,
    "after_loop": """
        if (seen.a < 0.004)
            discard;
        if (seen.a > 0.5)
            frag_depth_point = met * u_shape - 0.5;
        vec3 colour = seen.rgb / seen.a;
        // what is seen through has no one surface
        gl_FragColor = vec4(mix(colour, lit(colour, met), smoothstep(0.3, 0.9, seen.a)), seen.a);
        """,
}
"""Lit once a ray, where it becomes opaque, not once a sample: a processor goes through both sides of every branch."""

_SURFACE = {
    "before_loop": """
        bool found = false;
        vec3 inside = start_loc;
        """,
    "in_loop": """
        if (val >= u_threshold) {
            found = true;
            inside = loc;
            iter = nsteps;
        }
        """,
    "after_loop": """
        if (!found)
            discard;
        // halve the step in which it was passed; where the box cuts it, the cut is the surface
        if (distance(inside, start_loc) > 0.5 * length(step)) {
            vec3 outside = inside - step;
            for (int k = 0; k < 6; k++) {
                vec3 middle = 0.5 * (outside + inside);
                if ($get_data(middle).r >= u_threshold) inside = middle;
                else outside = middle;
            }
        }
        frag_depth_point = inside * u_shape - 0.5;
        gl_FragColor = vec4(lit($cmap(1.0).rgb, inside), 1.0);
        """,
}

_UNIFORMS = """
uniform vec3 u_box_low;
uniform vec3 u_box_high;
uniform vec3 u_spacing;
uniform float u_step_mm;
uniform float u_shade;
uniform float u_steep;
"""

_before, _main = VolumeVisual._shaders["fragment"].split("void main()")


class RaycastVisual(VolumeVisual):  # type: ignore[misc]  # vispy publishes no types
    """A volume of unsigned 16-bit values, shape (z, y, x), seen through a table of colours with an opacity per mm."""

    _shaders: ClassVar[dict[str, str]] = {
        "vertex": VolumeVisual._shaders["vertex"],
        "fragment": _before + _UNIFORMS + _LIGHT + "void main()" + _main,
    }
    _rendering_methods: ClassVar[dict[str, dict[str, str]]] = {
        **VolumeVisual._rendering_methods,
        "shaded": _SHADED,
        "quick": _QUICK,
        "surface": _SURFACE,
    }
    _raycasting_modes: ClassVar[dict[str, str]] = {"volume": _SETUP}

    def __init__(self) -> None:
        self._spacing = np.ones(3, np.float32)
        self._table: NDArray[np.float32] | None = None
        super().__init__(
            np.zeros((2, 2, 2), np.uint16), clim=(0, FULL), interpolation="linear", texture_format=np.uint16
        )
        self.unfreeze()
        self.set_geometry((2, 2, 2), (1.0, 1.0, 1.0))
        self.set_light(0.0, 0.1)

    def set_geometry(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
        """Say how large the volume is, in voxels and in mm a voxel, along z, y, x; the box becomes all of it."""
        self._vol_shape = tuple(shape)
        self._need_vertex_update = True
        self._spacing = np.array(spacing[::-1], np.float32)
        self.shared_program["u_shape"] = tuple(shape[::-1])
        self.shared_program["u_spacing"] = tuple(self._spacing)
        self.set_box((-0.5,) * 3, tuple(n - 0.5 for n in shape))
        self.set_step(1.0)

    def upload(self, values: NDArray[np.uint16], fresh: bool) -> Iterator[int]:
        """Hand the voxels to the graphics card slab by slab; each step of the iterator is one.

        Parameters
        ----------
        fresh
            Whether the texture has another shape so far.
        """
        if fresh:
            self._texture.resize((*values.shape, 1))
        rows = max(1, SLAB_BYTES // max(1, values[0].nbytes))
        for start in range(0, len(values), rows):
            self._texture._set_data(values[start : start + rows], offset=(start, 0, 0))
            yield start

    def set_box(self, low: tuple[float, ...], high: tuple[float, ...]) -> None:
        """Show only what lies between two corners (z, y, x), in voxels, the middle of the first at 0."""
        self.shared_program["u_box_low"] = tuple(float(v) for v in low[::-1])
        self.shared_program["u_box_high"] = tuple(float(v) for v in high[::-1])
        self.update()

    def set_step(self, part: float) -> None:
        """Sample a ray every so many voxels, of their shortest edge."""
        self.shared_program["u_step_mm"] = float(part * self._spacing.min())
        self.update()

    def set_light(self, shade: float, steep: float) -> None:
        """Say how much surfaces are shaded, 0 to 1, and what gradient, of the whole range a mm, is a surface."""
        self.shared_program["u_shade"] = float(shade)
        self.shared_program["u_steep"] = float(max(steep, 1e-6))
        self.update()

    def set_colours(self, table: NDArray[np.float32]) -> None:
        """Colours and opacities a mm, shape (n, 4), from the lower to the upper limit; others mean another shader."""
        if self._table is not None and np.array_equal(self._table, table):
            return
        self._table = table
        self.cmap = Colormap(table, interpolation="linear")

    def set_limits(self, low: float, high: float, threshold: float) -> None:
        """Values of the texture, 0 to 1, that have the first and the last colour, and where a surface is."""
        self.shared_program["clim"] = (float(low), float(max(high, low + 1e-6)))
        # rays that meet nothing above the lower limit stay clear; the darkest is a value in the other direction, too
        self.mip_cutoff = float(low)
        self.minip_cutoff = None
        self.threshold = threshold


Raycast = create_visual_node(RaycastVisual)
