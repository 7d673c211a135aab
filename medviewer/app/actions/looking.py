"""Actions about how the image is looked at."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app.actions.spec import Spec
from medviewer.app.commands import beside, listed, looks, panes, view
from medviewer.app.ports import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.app.state import MEASURE_TOOLS, TOOLS, View
from medviewer.errors import InputError

_TOOL_HELP = {
    "window": ("Window/level", "W", "Drag to change contrast and brightness; the right button always does"),
    "pan": ("Pan", "P", "Drag to move the picture; the middle button always does"),
    "zoom": ("Zoom", "Z", "Drag up or down to zoom; Ctrl and the wheel always do"),
    "scroll": ("Scroll", "S", "Drag up or down through the slices; the wheel always does"),
    "crosshair": ("Crosshair", "C", "Click or drag to bring all planes to one point"),
    "brush": ("Brush", "B", "Paint the active segment"),
    "eraser": ("Eraser", "E", "Erase labels"),
    "fill": ("Fill", "F", "Fill the connected region of this slice with the active segment"),
    "turn": (
        "Turn planes",
        "Q",
        "Drag round the crosshair to turn its lines: the two other planes become oblique; Alt and drag always does",
    ),
    "click": (
        "Click segment",
        "T",
        "Click on a structure to segment it by a model; Ctrl and click says what does not belong to it",
    ),
}


def _toggle(view_state: View, name: str) -> Callable[[], None]:
    return lambda: setattr(view_state, name, not getattr(view_state, name))


def layout_specs(services: Services) -> list[Spec]:
    """How the viewports are laid out."""

    def layout(name: str) -> Callable[[], None]:
        return lambda: panes.arrange(services.session, name)

    rows = (
        ("mpr", "Three &planes and 3D", "F2", "Show axial, sagittal, coronal and 3D"),
        ("single", "&One viewport", "F3", "Show the active viewport large; a double click does too"),
        ("compare", "&Compare side by side", "F4", "Show two viewports in the plane of the acquisition"),
        ("2x2", "&Four viewports", "F5", "Show axial, sagittal, coronal, and the plane of the acquisition once more"),
        ("1x2", "Two planes side &by side", "Shift+F4", "Show axial and coronal"),
        ("2x1", "Two planes, one &above the other", "Shift+F5", "Show sagittal above coronal"),
    )
    return [
        Spec(
            f"view.{name}",
            title,
            "view",
            layout(name),
            text,
            (key,),
            when="volume_open" if name == "mpr" else "image_open",
            checked=f"layout == '{name}'",
        )
        for name, title, key, text in rows
    ]


def beside_specs(services: Services) -> list[Spec]:
    """Series beside the main one."""
    session = services.session

    def open_chosen() -> object:
        if not session.chosen_series:
            raise InputError("A series should be chosen in the list of studies to be opened beside; choose one there.")
        return listed.open_beside(services, session.chosen_study, session.chosen_series)

    return [
        Spec(
            "view.beside",
            "Open chosen series besi&de",
            "view",
            open_chosen,
            "Show the series that is chosen in the list in a further viewport; one can be dragged there, too",
            ("Ctrl+Shift+B",),
            "15",
            "image_open",
        ),
        Spec(
            "view.link",
            "&Link here",
            "view",
            lambda: beside.link_here(session),
            "Let series beside scroll with the main one from here on, or each by itself",
            ("Alt+L",),
            "15",
            "beside_open",
            "linked",
        ),
        Spec(
            "view.plane",
            "Next plane in this &viewport",
            "view",
            lambda: panes.next_plane(session),
            "Show axial, sagittal or coronal in the active viewport, in turn",
            ("Ctrl+Alt+P",),
            "15",
            "volume_open",
        ),
        Spec(
            "view.lines",
            "Reference li&nes",
            "view",
            _toggle(session.view, "show_lines"),
            "Show or hide where the active slice cuts those of other series",
            ("Ctrl+Alt+L",),
            "4",
            "image_open",
            "lines_shown",
        ),
        Spec(
            "view.sync_zoom",
            "&Zoom and move together",
            "view",
            _toggle(session.view, "sync_zoom"),
            "Zoom and move series of one modality and plane together",
            ("Alt+Z",),
            "15",
            "image_open",
            "zoom_together",
        ),
        Spec(
            "view.sync_window",
            "&Window together",
            "view",
            _toggle(session.view, "sync_window"),
            "Use one window for all series of a modality",
            ("Alt+W",),
            "15",
            "image_open",
            "window_together",
        ),
    ]


def view_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Layout, scrolling, and what is shown."""
    state = services.session.view

    def step(slices: int) -> None:
        shell.step(slices)

    return [
        *layout_specs(services),
        *beside_specs(services),
        Spec(
            "view.next",
            "&Next viewport",
            "view",
            shell.next_viewport,
            "Make the next viewport the active one",
            ("Tab",),
            when="volume_open",
        ),
        Spec("view.fit", "&Fit", "view", shell.fit, "Fit the picture into its viewport", ("=",), "2", "image_open"),
        Spec("view.slice_up", "Slice &up", "view", lambda: step(-1), "Go one slice up", ("Up",), "3", "volume_open"),
        Spec(
            "view.slice_down",
            "Slice &down",
            "view",
            lambda: step(1),
            "Go one slice down",
            ("Down",),
            "3",
            "volume_open",
        ),
        Spec(
            "view.page_up",
            "Ten slices up",
            "view",
            lambda: step(-10),
            "Go ten slices up",
            ("PageUp",),
            "3",
            "volume_open",
        ),
        Spec(
            "view.page_down",
            "Ten slices down",
            "view",
            lambda: step(10),
            "Go ten slices down",
            ("PageDown",),
            "3",
            "volume_open",
        ),
        Spec(
            "view.phase_back",
            "Pre&vious phase",
            "view",
            lambda: view.step_phase(services, -1),
            "Show the phase before: an earlier time, echo, b-value, frame or page",
            (",",),
            "35",
            "phases_open",
        ),
        Spec(
            "view.phase_on",
            "Next p&hase",
            "view",
            lambda: view.step_phase(services, 1),
            "Show the phase after: a later time, echo, b-value, frame or page",
            (".",),
            "35",
            "phases_open",
        ),
        Spec(
            "view.play",
            "Pla&y",
            "view",
            lambda: view.toggle_play(services),
            "Play all phases as a film, as fast as they were recorded, or stop",
            ("K",),
            "35",
            "phases_open",
            "playing",
        ),
        Spec(
            "view.text",
            "&Text over the image",
            "view",
            _toggle(state, "show_text"),
            "Show or hide the text over the image",
            ("O",),
            "4",
            "image_open",
            "text_shown",
        ),
        Spec(
            "view.corners",
            "Text in the corners…",
            "view",
            shell.show_corners,
            "Choose which line of text stands in which corner, or hide it",
            ("Ctrl+Shift+T",),
            "4",
        ),
        Spec(
            "view.crosshair",
            "C&rosshair lines",
            "view",
            _toggle(state, "show_crosshair"),
            "Show or hide the crosshair",
            ("Shift+C",),
            "4",
            "volume_open",
            "crosshair_shown",
        ),
        Spec(
            "view.graphics",
            "&Overlays of the file",
            "view",
            _toggle(state, "show_graphics"),
            "Show or hide what the file draws over its pixels",
            ("Shift+O",),
            "4",
            "graphics_open",
            "graphics_shown",
        ),
        Spec(
            "view.mask",
            "&Mask",
            "view",
            _toggle(state, "mask_visible"),
            "Show or hide the mask",
            ("M",),
            "4",
            "mask_open",
            "mask_shown",
        ),
        Spec(
            "view.heat",
            "Salienc&y",
            "view",
            _toggle(state, "heat_visible"),
            "Show or hide the heat map",
            ("G",),
            "4",
            "heat_open",
            "heat_shown",
        ),
        Spec("view.find", "&Find study", "view", shell.find_study, "Search the list of studies", ("Ctrl+F",), "5"),
        Spec(
            "view.browser",
            "&Studies panel",
            "view",
            shell.toggle_browser,
            "Show or hide the list of studies",
            ("F9",),
            "5",
        ),
        Spec(
            "view.panels",
            "&Tools panel",
            "view",
            shell.toggle_panels,
            "Show or hide the panels on the right",
            ("F10",),
            "5",
        ),
    ]


def image_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Grey values."""

    def preset(number: int) -> Callable[[], None]:
        return lambda: view.choose_window(services, number)

    specs = [
        Spec(
            "image.invert",
            "&Invert",
            "image",
            lambda: view.invert(services),
            "Exchange black and white",
            ("I",),
            when="image_open",
            checked="inverted",
        )
    ]
    specs += [
        Spec(
            f"image.window_{n}",
            f"Window preset &{n}",
            "image",
            preset(n),
            f"Choose window {n}: a preset of the modality, one of yours, or one of the file",
            (str(n),),
            "2",
            "image_open",
        )
        for n in range(1, 10)
    ]
    specs += [
        Spec(
            "image.window_auto",
            "&Automatic window",
            "image",
            lambda: view.choose_window(services, 0),
            "Fit the window to the values of the image",
            ("0",),
            "2",
            "grey_open",
        ),
        Spec(
            "image.window_file",
            "Next window of the &file",
            "image",
            lambda: looks.next_file_window(services),
            "Show the next window that the file brings",
            ("Ctrl+Shift+W",),
            "2",
            "file_windows",
        ),
        Spec(
            "image.window_type",
            "&Type a window in…",
            "image",
            shell.show_window_dialog,
            "Type width and level, or the values shown black and white; keep windows of your own",
            ("Shift+W",),
            "2",
            "grey_open",
        ),
        Spec(
            "image.window_list",
            "&List windows and colours",
            "image",
            shell.show_window_menu,
            "Choose from every window and colour map, at the viewport",
            ("L",),
            "2",
            "grey_open",
        ),
        Spec(
            "image.next_colours",
            "Next &colour map",
            "image",
            lambda: looks.next_colours(services),
            "Show the image through the next colour map",
            ("Shift+L",),
            "25",
            "grey_open",
        ),
        Spec(
            "image.grey",
            "&Grey again",
            "image",
            lambda: looks.grey(services),
            "Show the image in grey again",
            ("Ctrl+Shift+G",),
            "25",
            "coloured",
        ),
    ]
    return specs


def turning_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """How the picture of the active viewport lies, and how large it is."""
    session = services.session

    def row(
        name: str, title: str, run: Callable[[], object], text: str, key: str, when: str, checked: str = ""
    ) -> Spec:
        return Spec(f"image.{name}", title, "image", run, text, (key,), "27", when, checked or None)

    return [
        row(
            "flip",
            "Flip left and ri&ght",
            lambda: panes.turn(session, "flip"),
            "Exchange left and right in the active viewport; the letters follow",
            "H",
            "image_open",
        ),
        row(
            "upend",
            "Flip top and &bottom",
            lambda: panes.turn(session, "upend"),
            "Exchange top and bottom in the active viewport; the letters follow",
            "V",
            "image_open",
        ),
        row(
            "rotate",
            "&Rotate",
            lambda: panes.turn(session, "rotate"),
            "Rotate the active viewport by 90 degrees clockwise; the letters follow",
            "R",
            "image_open",
        ),
        row(
            "unturn",
            "Turn back",
            lambda: panes.turn_back(session),
            "Show every viewport as it was before it was flipped or rotated",
            "Shift+R",
            "turned",
        ),
        row(
            "magnifier",
            "&Magnifier",
            _toggle(session.view, "magnifier"),
            "Show a lens at the pointer, with the pixels as they are, or hide it",
            "Y",
            "image_open",
            "magnifier",
        ),
        row(
            "true_size",
            "&True size",
            shell.true_size,
            "Show a centimetre of the patient as a centimetre of the screen",
            "Shift+=",
            "image_open",
        ),
        row(
            "pixel_size",
            "Pi&xel for pixel",
            shell.pixel_size,
            "Show each pixel of the image as one of the screen",
            "Alt+=",
            "image_open",
        ),
    ]


def tools_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """What the left button does."""

    def choose(tool: str) -> Callable[[], None]:
        return lambda: view.choose_tool(services, tool)

    specs = []
    for tool in (tool for tool in TOOLS if tool not in MEASURE_TOOLS):
        title, key, text = _TOOL_HELP[tool]
        menu = "segment" if tool in ("brush", "eraser", "fill", "click") else "image"
        specs.append(
            Spec(f"tool.{tool}", title, menu, choose(tool), text, (key,), "3", "image_open", f"tool == '{tool}'")
        )
    specs.append(
        Spec(
            "tool.swap",
            "Swap the last two tools",
            "image",
            lambda: view.swap_tool(services),
            "Go back to the tool before this one",
            ("X",),
            "3",
            "image_open",
        )
    )
    return specs
