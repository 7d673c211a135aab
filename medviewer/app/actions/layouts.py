"""Actions about which viewports there are, and what hangs in them."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app import commands
from medviewer.app.actions.spec import Spec, toggle
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.errors import InputError


def layout_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """How the viewports are laid out."""

    def layout(name: str) -> Callable[[], None]:
        return lambda: commands.panes.arrange(services.session, name)

    rows = (
        ("mpr", "Three &planes and 3D", "F2", "Show axial, sagittal, coronal and 3D"),
        ("single", "&One viewport", "F3", "Show the active viewport large; a double click does too"),
        ("compare", "&Compare side by side", "F4", "Show two viewports in the plane of the acquisition"),
        ("2x2", "&Four viewports", "F5", "Show axial, sagittal, coronal, and the plane of the acquisition once more"),
        ("1x2", "Two planes side &by side", "Shift+F4", "Show axial and coronal"),
        ("solid", "&3D large", "F8", "Show 3D large, and the three planes beside it"),
        ("2x1", "Two planes, one &above the other", "Shift+F5", "Show sagittal above coronal"),
    )
    return [
        Spec(
            f"view.{name}",
            title,
            "layout",
            layout(name),
            text,
            (key,),
            when="volume_open" if name in ("mpr", "solid") else "image_open",
            checked=f"layout == '{name}'",
        )
        for name, title, key, text in rows
    ]


def beside_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Series beside the main one."""
    session = services.session

    def open_chosen() -> object:
        if not session.chosen_series:
            raise InputError("A series should be chosen in the list of studies to be opened beside; choose one there.")
        return commands.listed.open_beside(services, session.chosen_study, session.chosen_series)

    return [
        Spec(
            "view.beside",
            "Open chosen series besi&de",
            "beside",
            open_chosen,
            "Show the series that is chosen in the list in a further viewport; one can be dragged there, too",
            ("Ctrl+Shift+B",),
            "15",
            "image_open",
        ),
        Spec(
            "view.link",
            "&Link here",
            "beside",
            lambda: commands.beside.link_here(session),
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
            lambda: commands.panes.next_plane(session),
            "Show axial, sagittal or coronal in the active viewport, in turn",
            ("Ctrl+Alt+P",),
            "1",
            "volume_open",
        ),
        Spec(
            "view.lines",
            "Reference li&nes",
            "over",
            toggle(session.view, "show_lines"),
            "Show or hide where the active slice cuts those of other series",
            ("Ctrl+Alt+L",),
            "4",
            "image_open",
            "lines_shown",
        ),
        Spec(
            "view.sync_zoom",
            "&Zoom and pan together",
            "beside",
            toggle(session.view, "sync_zoom"),
            "Let a zoom or pan go for every series of that modality in that plane, as a CT and its prior",
            ("Alt+Z",),
            "15",
            "image_open",
            "zoom_together",
        ),
        Spec(
            "view.sync_window",
            "&Window together",
            "beside",
            toggle(session.view, "sync_window"),
            "Let a window go for every series of that modality",
            ("Alt+W",),
            "15",
            "image_open",
            "window_together",
        ),
    ]
