"""Named enablement keys: what is possible just now. Actions name them in their `enablement` and `toggled`."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app.commands import undoing
from medviewer.app.commands.heatmaps import doubt_map
from medviewer.app.controllers.fusing import shows_fused
from medviewer.app.hanging.wearing import window_of
from medviewer.app.solid_looks import SolidPreset, presets, solid_look
from medviewer.app.state import Session


def _solid_look(session: Session) -> str:
    look = solid_look(session)
    return "" if look is None else look.preset.id


def _offers(one: SolidPreset) -> Callable[[Session], bool]:
    # not of half an image: what its values spread over is kept from when it is first asked for
    return lambda session: session.image is not None and session.arrival is None and one.fits(session.image)


KEYS: dict[str, Callable[[Session], object]] = {
    "image_open": lambda s: s.image is not None,
    "image_complete": lambda s: s.image is not None and s.arrival is None,
    "magnifier": lambda s: s.view.magnifier,
    "turned": lambda s: s.image is not None and any(pane.turn != pane.hung for pane in s.view.hung),
    "grey_open": lambda s: s.image is not None and not s.image.is_colour,
    "file_windows": lambda s: s.image is not None and not s.image.is_colour and bool(s.image.windows),
    "coloured": lambda s: s.view.colours != "gray",
    "volume_open": lambda s: s.image is not None and s.image.is_volume,
    "grey_volume_open": lambda s: s.image is not None and s.image.is_volume and not s.image.is_colour,
    "phases_open": lambda s: s.image is not None and s.image.dynamic is not None,
    "playing": lambda s: s.view.playing,
    "mask_open": lambda s: s.mask is not None,
    "can_undo": undoing.can_undo,
    "can_redo": undoing.can_redo,
    "measured_any": lambda s: bool(s.measurements),
    "measurement_chosen": lambda s: bool(s.chosen_measurement),
    "measures_shown": lambda s: s.view.show_measures,
    "keys_any": lambda s: bool(s.key_images),
    "key_chosen": lambda s: bool(s.chosen_key),
    "report_open": lambda s: s.report is not None,
    "report_draft": lambda s: s.report is not None and not s.report.is_final and s.report.uid != s.report_signing,
    "report_final": lambda s: bool(s.report_versions) and s.report_versions[-1].is_final,
    "chosen_target": lambda s: any(m.uid == s.chosen_measurement and m.target and not m.node for m in s.measurements),
    "chosen_node": lambda s: any(m.uid == s.chosen_measurement and m.target and m.node for m in s.measurements),
    "text_dragged": lambda s: any(m.uid == s.chosen_measurement and m.text_at is not None for m in s.measurements),
    "segments_hidden": lambda s: s.mask is not None and bool(s.hidden_labels),
    "clicks_open": lambda s: bool(s.clicks),
    "click_plugin": lambda s: s.click_plugin,
    "heat_open": lambda s: s.heatmap is not None,
    "heats_open": lambda s: len(s.heatmaps) > 1,
    "doubt_open": lambda s: doubt_map(s) is not None,
    "found_any": lambda s: s.detections is not None and bool(s.detections.found),
    "study_at_hand": lambda s: s.study is not None or bool(s.chosen_study),
    "study_chosen": lambda s: bool(s.chosen_state),
    "study_state": lambda s: s.chosen_state,
    "inverted": lambda s: window_of(s, s.view.active)[1],
    "text_shown": lambda s: s.view.show_text,
    "graphics_open": lambda s: s.image is not None and bool(s.image.overlays),
    "graphics_shown": lambda s: s.view.show_graphics,
    "crosshair_shown": lambda s: s.view.show_crosshair,
    "mask_shown": lambda s: s.view.mask_visible,
    "heat_shown": lambda s: s.view.heat_visible,
    "tool": lambda s: s.view.tool,
    "planes_turned": lambda s: s.view.turned is not None,
    "path_there": lambda s: s.path is not None,
    "path_open": lambda s: s.path_open,
    "fused": lambda s: s.fusion is not None,
    "fused_shown": lambda s: s.fusion is not None and s.fusion.visible,
    "fused_here": lambda s: s.fusion is not None and shows_fused(s, s.view.active),
    "slab_mode": lambda s: s.view.slab_mode,
    "solid_look": _solid_look,
    "solid_moved": lambda s: (s.view.solid_shift, s.view.solid_stretch) != (0.0, 1.0),
    "solid_clipped": lambda s: s.view.solid_box is not None,
    "solid_through": lambda s: s.view.solid_through,
    **{f"look_{one.id}": _offers(one) for one in presets()},
    "beside_open": lambda s: bool(s.companions),
    "linked": lambda s: (
        bool(s.companions) and all(one.offset is not None or not one.image.is_volume for one in s.companions)
    ),
    "hanging_steps": lambda s: (
        s.image is not None
        and s.arrival is None
        and s.hanging is not None
        and s.hanging.protocol is not None
        and len(s.hanging.protocol.steps) > 1
    ),
    "hang_automatic": lambda s: s.hang_automatic,
    "lines_shown": lambda s: s.view.show_lines,
    "zoom_together": lambda s: s.view.sync_zoom,
    "window_together": lambda s: s.view.sync_window,
    "layout": lambda s: s.view.layout,
    "mode": lambda s: s.mode,
}


def _why(one: SolidPreset) -> str:
    what = f"in {one.unit}" if one.unit else " or ".join(one.only)
    return f"open a volume {what} first" if what else "open a volume of grey values first"


REASONS: dict[str, str] = {
    "beside_open": "no series is open beside the main one",
    "hanging_steps": "no hanging protocol with several steps is in use",
    "turned": "nothing is turned",
    "image_open": "open a series first",
    "image_complete": "open a series first, and wait until it is read",
    "grey_open": "open a series of grey values first",
    "file_windows": "the file names no window",
    "coloured": "it is shown in grey",
    "volume_open": "open a volume first",
    "grey_volume_open": "open a volume of grey values first",
    "path_there": "there is no path; draw one first",
    "path_open": "no path is being drawn",
    "fused": "nothing is laid over the series",
    "planes_turned": "the planes are straight",
    "solid_moved": "the look is as it comes",
    "solid_clipped": "nothing is cut away",
    **{f"look_{one.id}": _why(one) for one in presets()},
    "phases_open": "the open series has one phase",
    "mask_open": "there is no mask",
    "can_undo": "nothing to take back",
    "can_redo": "nothing was taken back",
    "measured_any": "nothing is measured yet",
    "measurement_chosen": "choose a measurement first",
    "keys_any": "no key image is marked yet",
    "report_open": "open the report first",
    "report_draft": "there is no open draft of a report",
    "report_final": "there is no final report yet",
    "key_chosen": "choose a key image first",
    "text_dragged": "its text was not dragged away",
    "segments_hidden": "no segment is hidden",
    "clicks_open": "nothing was clicked on",
    "heat_open": "there is no heat map",
    "heats_open": "there is no second heat map",
    "doubt_open": "there is no map of doubt",
    "found_any": "no detector found anything",
    "study_at_hand": "open or choose a study first",
    "study_chosen": "choose a study of the list first",
    "graphics_open": "the file draws nothing over its pixels",
}
"""Why an action is not possible while its key is false: what the command palette says beside it."""


def current(session: Session) -> dict[str, object]:
    """The value of every key now."""
    return {name: getter(session) for name, getter in KEYS.items()}
