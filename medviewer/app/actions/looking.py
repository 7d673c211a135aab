"""Actions about where the viewports look, and what they show."""

from __future__ import annotations

from medviewer.app.actions.spec import Spec, toggle
from medviewer.app.commands import view
from medviewer.app.ports import Dialogs, Shell
from medviewer.app.services import Services


def view_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Scrolling, and what is shown."""
    state = services.session.view

    def step(slices: int) -> None:
        shell.step(slices)

    return [
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
            toggle(state, "show_text"),
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
            toggle(state, "show_crosshair"),
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
            toggle(state, "show_graphics"),
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
            toggle(state, "mask_visible"),
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
            toggle(state, "heat_visible"),
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
