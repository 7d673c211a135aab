"""Actions about how the planes cut the volume."""

from __future__ import annotations

from collections.abc import Callable
from math import radians

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.app.words import word
from medviewer.domain.slab import WHOLE_MM, Mode

_SLABS: tuple[tuple[Mode, str, str], ...] = (
    ("none", "Single slices", "Show single slices, no slab"),
    ("mip", "Slab: &MIP", "Show the highest value within the thickness of the slab"),
    ("minip", "Slab: M&inIP", "Show the lowest value within the thickness of the slab"),
    ("mean", "Slab: m&ean", "Show the mean value within the thickness of the slab"),
)
_STEP = 1.25
_TURN = radians(5)


def planes_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Slabs, and planes that are turned."""

    def choose(mode: Mode) -> Callable[[], None]:
        return lambda: commands.planes.set_slab(services, mode)

    def ask() -> None:
        thickness = services.session.view.slab_mm
        now = word(commands.planes.WHOLE) if thickness == WHOLE_MM else f"{thickness:g}"
        answer = dialogs.ask_text("Slab thickness", "Thickness of the slab in mm, or whole volume", now)
        if answer is not None:
            commands.planes.type_slab_mm(services, answer)

    return [
        Spec(
            "view.slab_next",
            "Next s&lab mode",
            "slab",
            lambda: commands.planes.cycle_slab(services),
            "Show slabs of several slices: MIP, MinIP, mean, then single slices again",
            ("Shift+M",),
            "36",
            "grey_volume_open",
        ),
        *(
            Spec(
                f"view.slab_{mode}",
                title,
                "slab",
                choose(mode),
                text,
                (),
                "36",
                "grey_volume_open",
                f"slab_mode == '{mode}'",
            )
            for mode, title, text in _SLABS
        ),
        Spec(
            "view.slab_mm",
            "Slab thic&kness…",
            "slab",
            ask,
            "Type the thickness of the slab in mm, or whole volume",
            ("Shift+T",),
            "36",
            "grey_volume_open",
        ),
        Spec(
            "view.slab_thicker",
            "Thicker slab",
            "slab",
            lambda: commands.planes.thicken_slab(services, _STEP),
            "Make the slab a quarter thicker, from 200 mm on the whole volume; where there is none, show one",
            ("Ctrl+]",),
            "36",
            "grey_volume_open",
        ),
        Spec(
            "view.slab_thinner",
            "Thinner slab",
            "slab",
            lambda: commands.planes.thicken_slab(services, 1 / _STEP),
            "Make the slab a fifth thinner; where there is none, show one",
            ("Ctrl+[",),
            "36",
            "grey_volume_open",
        ),
        *_turns(services, shell),
    ]


def _turns(services: Services, shell: Shell) -> list[Spec]:
    return [
        Spec(
            "view.turn_back",
            "Turn planes anticloc&kwise",
            "oblique",
            lambda: shell.turn(-_TURN),
            "Turn the crosshair's lines in the active viewport by 5 degrees; the two other planes become oblique",
            ("Ctrl+Left",),
            "37",
            "grey_volume_open",
        ),
        Spec(
            "view.turn_on",
            "Turn planes cl&ockwise",
            "oblique",
            lambda: shell.turn(_TURN),
            "Turn the crosshair's lines in the active viewport by 5 degrees; the two other planes become oblique",
            ("Ctrl+Right",),
            "37",
            "grey_volume_open",
        ),
        Spec(
            "view.straight",
            "Strai&ght planes",
            "oblique",
            lambda: commands.planes.straighten(services),
            "Let turned planes lie along the acquisition's axes again",
            ("Alt+T",),
            "37",
            "planes_turned",
        ),
    ]
