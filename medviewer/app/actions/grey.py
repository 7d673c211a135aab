"""Actions about grey values: windows and colour maps."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def image_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Grey values."""

    def preset(number: int) -> Callable[[], None]:
        return lambda: commands.view.choose_window(services, number)

    specs = [
        Spec(
            "image.invert",
            "&Invert",
            "image",
            lambda: commands.view.invert(services),
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
            lambda: commands.view.choose_window(services, 0),
            "Fit the window to the values of the image",
            ("0",),
            "2",
            "grey_open",
        ),
        Spec(
            "image.window_file",
            "Next window of the &file",
            "image",
            lambda: commands.looks.next_file_window(services),
            "Show the next window that the file brings",
            ("Ctrl+Shift+W",),
            "2",
            "file_windows",
        ),
        Spec(
            "image.window_type",
            "&Set window…",
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
            lambda: commands.looks.next_colours(services),
            "Show the image through the next colour map",
            ("Shift+L",),
            "25",
            "grey_open",
        ),
        Spec(
            "image.grey",
            "&Grey again",
            "image",
            lambda: commands.looks.grey(services),
            "Show the image in grey again",
            ("Ctrl+Shift+G",),
            "25",
            "coloured",
        ),
    ]
    return specs
