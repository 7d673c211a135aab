"""Actions about what a right click points at: a viewport, a measurement, a segment. They work from the keyboard too."""

from __future__ import annotations

from dataclasses import replace

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def pointed_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """What is done with the active viewport, the chosen measurement and the active segment."""
    return [*_viewport(services, shell), *_measurement(services, shell), *_segment(services, dialogs)]


def _viewport(services: Services, shell: Shell) -> list[Spec]:
    def reset() -> None:
        commands.pointed.reset(services.session)
        shell.fit_active()

    return [
        Spec(
            "view.reset",
            "R&eset viewport",
            "view",
            reset,
            "Show the active viewport as it opened: fitted, not turned, with its first window and colours",
            ("Ctrl+0",),
            "2",
            "image_open",
        ),
        Spec(
            "image.copy_value",
            "Copy value at the &crosshair",
            "image",
            lambda: shell.copy_text(commands.pointed.value_at_crosshair(services.session)),
            "Copy the position and the value under the crosshair as text",
            ("Ctrl+C",),
            "28",
            "image_open",
        ),
    ]


def _measurement(services: Services, shell: Shell) -> list[Spec]:
    session = services.session
    return [
        Spec(
            "measure.go",
            "&Go to it",
            "measure",
            lambda: commands.measuring.jump_to(services, session.chosen_measurement),
            "Show the slice of the chosen measurement",
            ("Alt+J",),
            "3",
            "measurement_chosen",
        ),
        Spec(
            "measure.copy",
            "&Copy value",
            "measure",
            lambda: shell.copy_text(commands.pointed.measured_text(session, session.chosen_measurement)),
            "Copy what the chosen measurement comes to as text",
            ("Ctrl+Shift+C",),
            "3",
            "measurement_chosen",
        ),
        Spec(
            "measure.text_home",
            "Text &back beside it",
            "measure",
            lambda: _text_home(services),
            "Let the text of the chosen measurement stand where it would have stood, had nobody dragged it",
            (),
            "3",
            "text_dragged",
        ),
    ]


def _text_home(services: Services) -> None:
    m = commands.measuring.found(services.session, services.session.chosen_measurement)
    commands.measuring.change(services, replace(m, text_at=None))


def _segment(services: Services, dialogs: Dialogs) -> list[Spec]:
    session = services.session

    def rename() -> None:
        segment = commands.segments.active(session)
        name = dialogs.ask_text("Rename segment", "Name of the structure", segment.name)
        if name is not None:
            commands.segments.rename(services, segment.label, name)

    return [
        Spec(
            "segment.go",
            "&Go to segment",
            "segment",
            lambda: commands.segments.go_to(services, session.active_label),
            "Put the crosshair into the largest slice of the active segment",
            ("Ctrl+G",),
            "55",
            "mask_open",
        ),
        Spec(
            "segment.rename",
            "Re&name segment…",
            "segment",
            rename,
            "Give the active segment another name",
            ("Ctrl+F2",),
            "55",
            "mask_open",
        ),
        Spec(
            "segment.hide",
            "&Hide or show segment",
            "segment",
            lambda: commands.segments.toggle(services, session.active_label),
            "Hide the active segment, or show it again",
            ("Shift+H",),
            "55",
            "mask_open",
        ),
        Spec(
            "segment.only",
            "Show &only this segment",
            "segment",
            lambda: commands.segments.show_only(services, session.active_label),
            "Hide all segments but the active one",
            ("Shift+I",),
            "55",
            "mask_open",
        ),
        Spec(
            "segment.all",
            "Show a&ll segments",
            "segment",
            lambda: commands.segments.show_all(services),
            "Show every segment again",
            ("Alt+N",),
            "55",
            "segments_hidden",
        ),
    ]
