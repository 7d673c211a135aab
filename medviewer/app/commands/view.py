"""Look at the open image: move, window, tools, painting."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.app import commands
from medviewer.app.brush import fill_voxels, stroke_voxels
from medviewer.app.commands import companion_looks
from medviewer.app.hanging.companions import companion_of, looked_at
from medviewer.app.presets import by_key
from medviewer.app.state import EDIT_TOOLS, TOOLS, PlayMode
from medviewer.domain.mask import Segment
from medviewer.domain.plane import Plane
from medviewer.errors import InputError

if TYPE_CHECKING:
    from medviewer.app.services import Services

Point = tuple[float, float]

BRUSH_RANGE = (0.5, 50.0)
"""Smallest and largest radius of the brush, mm."""


def move_cursor(services: Services, index: tuple[float, float, float]) -> None:
    """Put the crosshair on the voxel nearest to an index (z, y, x)."""
    image = services.session.image
    if image is not None:
        services.session.view.cursor = image.grid.clamp(index)


def scroll(services: Services, plane: Plane, steps: int) -> None:
    """Move along a plane's axis by whole slices."""
    cursor = list(services.session.view.cursor)
    cursor[plane.axis] += steps
    move_cursor(services, (cursor[0], cursor[1], cursor[2]))


PLAY_MS = 100.0
"""Time from one phase to the next where the file gives none: ten a second."""


def phase_count(services: Services) -> int:
    """Steps of the open image's 4th axis; 0 where it has none."""
    image = services.session.image
    return len(image.dynamic.axis) if image is not None and image.dynamic is not None else 0


def set_phase(services: Services, phase: int) -> None:
    """Show a step of the 4th axis, counted from 0; the nearest one that there is."""
    count = phase_count(services)
    if count:
        services.session.view.phase = min(max(phase, 0), count - 1)


def step_phase(services: Services, steps: int) -> None:
    """Go along the 4th axis, and round from its end to its start."""
    companion = companion_of(services.session, services.session.view.active)
    if companion is not None:
        companion_looks.set_phase(services.session, companion, steps)
        return
    count = phase_count(services)
    if count:
        services.session.view.phase = (services.session.view.phase + steps) % count


def toggle_play(services: Services) -> None:
    """Let the 4th axis run as a film, or stop it; a series that is still being read does not run yet."""
    view = services.session.view
    if not view.playing and services.loading is not None:
        services.session.say("A film plays once all of it is read; wait for the end of the loading.")
    elif view.playing or phase_count(services):
        view.playing = not view.playing


SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""How many times as fast as it was recorded a film may run."""
PLAY_MODES: dict[PlayMode, str] = {"loop": "Loop", "bounce": "Back and forth", "once": "Once"}


def set_speed(services: Services, speed: float) -> None:
    """Let films run so many times as fast as they were recorded; the nearest of `SPEEDS`."""
    services.session.view.play_speed = min(SPEEDS, key=lambda one: abs(one - speed))


def step_speed(services: Services, steps: int) -> None:
    """Let films run faster or slower."""
    at = SPEEDS.index(services.session.view.play_speed) + steps
    set_speed(services, SPEEDS[min(max(at, 0), len(SPEEDS) - 1)])


def set_play_mode(services: Services, mode: PlayMode) -> None:
    """Let films begin anew at their end, run back from there, or end.

    Raises
    ------
    InputError
        If there is no such way.
    """
    if mode not in PLAY_MODES:
        raise InputError(f"A film should run as one of {', '.join(PLAY_MODES)}, not {mode}.")
    services.session.view.play_mode = mode


def next_play_mode(services: Services) -> None:
    """Go from loop to back and forth, once, and loop again."""
    modes = list(PLAY_MODES)
    set_play_mode(services, modes[(modes.index(services.session.view.play_mode) + 1) % len(modes)])


def play_interval(services: Services) -> float:
    """Milliseconds from one phase to the next: as recorded where the file says so (Frame Time), by the speed."""
    image = services.session.image
    axis = image.dynamic.axis if image is not None and image.dynamic is not None else None
    recorded = axis.interval_ms if axis is not None and axis.interval_ms else PLAY_MS
    return recorded / services.session.view.play_speed


def phase_at(start: int, elapsed_ms: float, interval_ms: float, count: int, mode: PlayMode = "loop") -> int:
    """The phase that a film shows some time after it was started at `start`.

    By the clock and not by counted ticks: a slow machine drops frames, and none of them pile up.
    """
    steps = start + int(elapsed_ms / interval_ms)
    if mode == "once" or count == 1:
        return min(steps, count - 1)
    if mode == "loop":
        return steps % count
    there = steps % (2 * (count - 1))
    return there if there < count else 2 * (count - 1) - there


def drag_window(services: Services, right: float, down: float, number: int | None = None) -> None:
    """Window/level by dragging: right widens, down darkens, as on every workstation.

    Parameters
    ----------
    right, down
        Part of the viewport's size that the pointer moved; one whole viewport is twice the present width, at least.
    number
        The viewport; None for the first that shows the main series.
    """
    main = next((k for k, pane in enumerate(services.session.view.hung) if not pane.series), 0)
    companion_looks.drag(services.session, main if number is None else number, right, down)


def choose_window(services: Services, number: int) -> None:
    """Choose a window by its digit: 0 is the automatic one, and `app.presets.listed` says the others."""
    session = services.session
    image = looked_at(session)
    window = by_key(image, session.own_windows).get(number) if image is not None else None
    if window is not None:
        companion_looks.give_window(session, window)


def invert(services: Services) -> None:
    """Exchange black and white."""
    companion_looks.invert(services.session)


def choose_tool(services: Services, tool: str) -> None:
    """Choose what the left button does; an edit tool starts an empty mask where there is none."""
    if tool not in TOOLS:
        raise InputError(f"The tool should be one of {', '.join(TOOLS)}, not {tool}.")
    session, view = services.session, services.session.view
    whole = session.image is not None and session.arrival is None
    if tool == "click":
        commands.interactive.chosen(services)  # or it says why not
    if tool in (*EDIT_TOOLS, "click") and session.mask is None and whole:
        commands.masks.new(services)
    if tool == "click":
        commands.interactive.get_ready(services)
    if tool != view.tool:
        view.last_tool, view.tool = view.tool, tool


def click_with(services: Services, plugin_id: str) -> None:
    """Let the left button ask an interactive plugin what it points at."""
    services.session.click_plugin = services.plugin(plugin_id).id
    choose_tool(services, "click")


def swap_tool(services: Services) -> None:
    """Go back to the tool before this one."""
    choose_tool(services, services.session.view.last_tool)


def resize_brush(services: Services, factor: float) -> None:
    """Make the brush larger or smaller by a factor."""
    view = services.session.view
    view.brush_mm = min(max(view.brush_mm * factor, BRUSH_RANGE[0]), BRUSH_RANGE[1])


def set_brush(services: Services, radius_mm: float) -> None:
    """Set the radius of the brush."""
    services.session.view.brush_mm = min(max(radius_mm, BRUSH_RANGE[0]), BRUSH_RANGE[1])


def begin_stroke(services: Services) -> None:
    """The button went down with an edit tool; an empty mask is started where there is none.

    The tool may have been chosen while another series was open.
    """
    session = services.session
    if session.image is None:
        return
    store = session.mask or services.attempt(lambda: commands.masks.new(services))
    if store is not None:
        services.attempt(store.begin)
        if store.in_stroke and session.image.dynamic is not None:
            store.note_phase(session.view.phase)


def stroke(services: Services, plane: Plane, k: int, start: Point, end: Point) -> None:
    """Paint or erase along a segment on slice k, in rows and columns.

    Where the mask was changed for another while the button is held, the rest of the movement is not painted.
    """
    session = services.session
    if session.mask is None or session.image is None or not session.mask.in_stroke:
        return
    view = session.view
    if view.tool == "fill":
        where = fill_voxels(plane, k, end, session.mask.labels)
        session.mask.paint(where, session.active_label)
        return
    where = stroke_voxels(plane, k, start, end, view.brush_mm)
    session.mask.paint(where, 0 if view.tool == "eraser" else session.active_label)


def end_stroke(services: Services) -> None:
    """The button came up: the stroke is one step of undo and is in the journal."""
    store = services.session.mask
    if store is not None:
        services.attempt(store.end)  # the journal may fail, and no action stands around the pointer
    if services.clicks.waiting is not None:  # a stroke that changed nothing is told to nobody
        commands.interactive.refresh(services)


def undo(services: Services) -> None:
    """Take back the last stroke."""
    if services.session.mask is not None:
        services.session.mask.undo()


def redo(services: Services) -> None:
    """Do the last stroke again that was taken back."""
    if services.session.mask is not None:
        services.session.mask.redo()


def toggle_label(services: Services, label: int) -> None:
    """Show or hide one segment."""
    session = services.session
    session.hidden_labels = session.hidden_labels ^ {label}


def add_segment(services: Services, name: str = "") -> Segment:
    """Add a structure to the mask, which is started where there is none, and make it the active one."""
    store = services.session.mask or commands.masks.new(services)
    segment = store.add_segment(name.strip() or f"Segment {len(store.segments) + 1}")
    services.session.active_label = segment.label
    return segment


def rename_segment(services: Services, label: int, name: str) -> None:
    """Give a segment another name."""
    store = services.session.mask
    if store is not None and name.strip():
        store.segments = tuple(replace(s, name=name.strip()) if s.label == label else s for s in store.segments)
        store.dirty = True
        store.segments_changed.emit()
