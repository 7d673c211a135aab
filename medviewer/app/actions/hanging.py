"""Actions about hanging protocols."""

from __future__ import annotations

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services


def hanging_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """By what a study is hung."""
    session = services.session
    return [
        Spec(
            "hang.list",
            "&List hanging protocols",
            "hanging",
            shell.show_hanging_menu,
            "Choose from every hanging protocol, at the viewport",
            ("Ctrl+H",),
            "12",
            "image_complete",
        ),
        Spec(
            "hang.again",
            "Hang a&new",
            "hanging",
            lambda: commands.hanging_choice.again(services),
            "Lay out the open study by the hanging protocol that fits it best",
            ("Ctrl+Alt+H",),
            "12",
            "image_complete",
        ),
        Spec(
            "hang.next",
            "Next step of the &hanging protocol",
            "hanging",
            lambda: commands.hanging_choice.next_step(services),
            "Show the next views of a hanging protocol that has several steps, as mammography",
            ("Alt+PageDown",),
            "12",
            "hanging_steps",
        ),
        Spec(
            "hang.prior",
            "Compare with p&rior",
            "hanging",
            lambda: commands.hanging_choice.compare_with_prior(services),
            "Show the open series beside the one of the latest earlier study that is most like it",
            ("Ctrl+Shift+H",),
            "12",
            "image_complete",
        ),
        Spec(
            "hang.save",
            "Save this layout as a hanging protocol…",
            "hanging",
            shell.show_hanging_save,
            "Keep what hangs where, in which window, for studies such as this one",
            group="12",
            when="image_complete",
        ),
        Spec(
            "hang.own",
            "Your hanging protocols…",
            "hanging",
            shell.show_hanging_own,
            "Rename or remove hanging protocols that you saved, and see what is wrong with one",
            group="12",
        ),
        Spec(
            "hang.automatic",
            "Hang studies when they are opened",
            "hanging",
            lambda: commands.hanging_choice.set_automatic(services, not session.hang_automatic),
            "Lay out a study by the hanging protocol that fits it best when it is opened, or as every other",
            group="12",
            checked="hang_automatic",
        ),
    ]
