"""What a user points at, and the plugins that answer it.

Positions are voxel indices (z, y, x), not rounded, of the grid that the prompts lie on: the host turns those of the
image into those of the piece that the network sees, so that a plugin never meets another grid than its network's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from medviewer.plugin_api.protocols import Plugin

PromptKind = Literal["point", "box", "scribble"]
Position = tuple[float, float, float]

_VERTICES = {"point": (1, 1), "box": (2, 2), "scribble": (1, 10_000)}
"""Fewest and most positions of each kind."""


@dataclass(frozen=True)
class Prompt:
    """One thing that the user pointed at.

    Parameters
    ----------
    kind
        ``point``; ``box``, flat where it was drawn on a slice; ``scribble``, a line through its positions.
    at
        One position, two opposite corners (both inside the box), or the line's positions. Voxel indices (z, y, x).
    positive
        Whether it lies in what is looked for, or outside.

    Raises
    ------
    ValueError
        If it has another number of positions than its kind, or one that is not finite.
    """

    kind: PromptKind
    at: tuple[Position, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        if self.kind not in _VERTICES:
            raise ValueError(f"a prompt is one of {', '.join(_VERTICES)}, not {self.kind!r}")
        fewest, most = _VERTICES[self.kind]
        if not fewest <= len(self.at) <= most or not np.isfinite(np.array(self.at, float)).all():
            raise ValueError(f"a {self.kind} needs {fewest} to {most} finite positions, not {self.at[:3]}")

    def moved(self, to: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Prompt:
        """The same prompt on another grid; `to` maps positions (n, 3)."""
        return replace(self, at=tuple(_position(row) for row in to(np.array(self.at, float))))

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest position on each axis."""
        positions = np.array(self.at, float)
        return positions.min(axis=0), positions.max(axis=0)


@dataclass(frozen=True)
class Prompts:
    """Everything that the user pointed at for one structure, in the order in which it came: the last one is the newest.

    Parameters
    ----------
    marks
        The prompts.
    """

    marks: tuple[Prompt, ...] = ()

    def of(self, kind: PromptKind, positive: bool) -> tuple[Prompt, ...]:
        """Those of one kind and sign."""
        return tuple(mark for mark in self.marks if mark.kind == kind and mark.positive == positive)

    def moved(self, to: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Prompts:
        """The same prompts on another grid; `to` maps positions (n, 3)."""
        return Prompts(tuple(mark.moved(to) for mark in self.marks))

    def to_json(self) -> list[dict[str, Any]]:
        """Return a JSON-ready list."""
        return [{"kind": mark.kind, "at": [list(p) for p in mark.at], "positive": mark.positive} for mark in self.marks]

    @classmethod
    def from_json(cls, data: Iterable[dict[str, Any]]) -> Prompts:
        """Read back what `to_json` wrote."""
        return cls(
            tuple(
                Prompt(mark["kind"], tuple(_position(row) for row in mark["at"]), bool(mark["positive"]))
                for mark in data
            )
        )


def _position(row: Any) -> Position:
    z, y, x = (float(value) for value in row)
    return z, y, x


@runtime_checkable
class Interactive(Plugin, Protocol):
    """A plugin that segments what the user points at. Its manifest declares one label and `inputs.prompts`.

    The host cuts a piece of the size of `inputs.windows.roi` around the newest prompt, on the network's grid, puts the
    prompts' channels behind the image's, and runs the network. `outputs.activation` says what the output means, as for
    a segmenter; with ``own`` the plugin has `probabilities` too.
    """

    def encode_prompts(self, prompts: Prompts, previous: NDArray[np.bool_], zoom: float) -> NDArray[np.float32]:
        """Turn prompts and the mask as it is into channels of the network's input.

        Parameters
        ----------
        prompts
            All of them, in voxel indices of the piece; some may lie outside of it.
        previous
            The structure's mask as it is, (z, y, x) on the piece.
        zoom
            How many voxels of the declared grid one voxel of this piece is wide: 1, or more where the structure did not
            fit and the host looks again from further away.

        Returns
        -------
        Channels (n, z, y, x), float32, finite; of a picture, which has one slice, the host takes the z axis away.
        """
        ...
