"""How a picture is turned so that it hangs the way that it is read."""

from __future__ import annotations

from medviewer.domain.plane import UNTURNED, Plane, Turn

_TURNS = tuple(Turn(quarters, mirrored) for mirrored in (False, True) for quarters in (0, 2, 1, 3))
"""Every way to turn a picture, those first that change least."""


def turn_to(plane: Plane, right: str, bottom: str) -> Turn:
    """The turn after which a picture's right and bottom edges lie towards these sides of the patient.

    As Patient Orientation (DICOM PS3.3 C.7.6.1.1.1) has them: the direction of the rows, then of the columns. Only the
    main letter of an edge counts: the ``FL`` of an oblique mammogram is F. Where both edges cannot lie so, the right
    one does; where that one cannot either, nothing is turned.

    Parameters
    ----------
    plane
        The picture as it is shown at first; its file has to say how the patient lay.
    right, bottom
        ``L``, ``R``, ``A``, ``P``, ``S`` (head) or ``I`` (feet).
    """
    fitting = [turn for turn in _TURNS if _edges(plane, turn) == (right, bottom)]
    if not fitting:
        fitting = [turn for turn in _TURNS if turn.quarters % 2 == 0 and _edges(plane, turn)[0] == right]
        fitting.sort(key=lambda turn: turn.quarters)
    return fitting[0] if fitting else UNTURNED


def _edges(plane: Plane, turn: Turn) -> tuple[str, str]:
    _, right, _, bottom = plane.turned(turn).letters()
    return right[:1], bottom[:1]
