"""Actions about the 3D view."""

from __future__ import annotations

from collections.abc import Callable
from math import radians
from pathlib import Path

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.scene import SolidSide
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.app.solid_looks import SolidPreset, presets

_TURN = radians(15)
_VOLUME = "grey_volume_open"
_SIDES: tuple[tuple[SolidSide, str, str, str], ...] = (
    ("anterior", "From the &front", "Shift+Alt+A", "Look at the patient in 3D from anterior"),
    ("posterior", "From the &back", "Shift+Alt+P", "Look at the patient in 3D from posterior"),
    ("left", "From the &left", "Shift+Alt+L", "Look at the patient in 3D from the patient's left"),
    ("right", "From the &right", "Shift+Alt+R", "Look at the patient in 3D from the patient's right"),
    ("head", "From the &head", "Shift+Alt+H", "Look at the patient in 3D from the head"),
    ("feet", "From the f&eet", "Shift+Alt+F", "Look at the patient in 3D from the feet"),
    ("first", "As at firs&t", "Shift+Alt+0", "Turn, move and zoom the 3D view as at first"),
)
_TURNS = (
    ("left", "Turn to the left", "Shift+Alt+Left", -1, 0),
    ("right", "Turn to the right", "Shift+Alt+Right", 1, 0),
    ("up", "Turn upwards", "Shift+Alt+Up", 0, 1),
    ("down", "Turn downwards", "Shift+Alt+Down", 0, -1),
)


def solid_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Looks, sides, the clipping box, and pictures."""
    session = services.session

    def save() -> None:
        commands.solid.bring(session)
        path = dialogs.save_path("Save the 3D picture", str(Path("3d.png")), ("PNG (*.png)",))
        if path is not None:
            shell.save_solid(path)

    return [
        *_looks(services),
        *_box(services),
        *_views(services, shell),
        Spec(
            "solid.save",
            "&Save 3D picture…",
            "solid",
            save,
            "Save the 3D view as a PNG",
            ("Shift+Alt+S",),
            "5",
            _VOLUME,
        ),
    ]


def _seen(services: Services, run: Callable[[], object]) -> Callable[[], None]:
    """Do that, and let it be seen."""

    def both() -> None:
        run()
        commands.solid.bring(services.session)

    return both


def _looks(services: Services) -> list[Spec]:
    def choose(name: str) -> Callable[[], None]:
        return _seen(services, lambda: commands.solid.choose_look(services, name))

    def row(one: SolidPreset) -> Spec:
        text = f"Show the volume in 3D with the look {one.name}"
        return Spec(
            f"solid.{one.id}",
            f"Look: {one.name}",
            "solid",
            choose(one.id),
            text,
            (),
            "1",
            f"look_{one.id}",
            f"solid_look == '{one.id}'",
        )

    return [
        *(row(one) for one in presets()),
        Spec(
            "solid.next",
            "&Next look",
            "solid",
            _seen(services, lambda: commands.solid.next_look(services)),
            "Show the volume in 3D with the next look: bone, vessels, skin, MIP and others",
            ("Shift+Alt+N",),
            "2",
            _VOLUME,
        ),
        Spec(
            "solid.reset_look",
            "Look as it c&omes",
            "solid",
            _seen(services, lambda: commands.solid.reset_look(services)),
            "Take back what dragging with the right button in 3D has moved",
            ("Shift+Alt+O",),
            "2",
            "solid_moved",
        ),
        Spec(
            "solid.through",
            "See the mask &through the volume",
            "solid",
            _seen(services, lambda: _toggle_through(services)),
            "Show the mask's structures through what lies before them in 3D, or only where nothing does",
            ("Shift+Alt+T",),
            "2",
            _VOLUME,
            "solid_through",
        ),
    ]


def _toggle_through(services: Services) -> None:
    view = services.session.view
    view.solid_through = not view.solid_through


def _box(services: Services) -> list[Spec]:
    session = services.session
    rows: tuple[tuple[str, str, Callable[[], None], str, str, str], ...] = (
        (
            "clip_mask",
            "Clip to the &mask",
            lambda: commands.solid.clip_to_mask(session),
            "Cut the 3D view to a box around the shown structures of the mask",
            "Shift+Alt+M",
            "mask_open",
        ),
        (
            "cut_front",
            "Cut away before the crosshair",
            lambda: commands.solid.cut_at_cursor(session, "anterior"),
            "Cut away in 3D what lies before the crosshair; once more takes it back",
            "Shift+Alt+1",
            _VOLUME,
        ),
        (
            "cut_left",
            "Cut away left of the crosshair",
            lambda: commands.solid.cut_at_cursor(session, "left"),
            "Cut away in 3D what lies to the patient's left of the crosshair; once more takes it back",
            "Shift+Alt+2",
            _VOLUME,
        ),
        (
            "cut_top",
            "Cut away above the crosshair",
            lambda: commands.solid.cut_at_cursor(session, "head"),
            "Cut away in 3D what lies above the crosshair; once more takes it back",
            "Shift+Alt+3",
            _VOLUME,
        ),
        (
            "unclip",
            "Show all of the vol&ume",
            lambda: commands.solid.unclip(session),
            "Take the clipping box of the 3D view away",
            "Shift+Alt+U",
            "solid_clipped",
        ),
    )
    return [
        Spec(f"solid.{name}", title, "solid", _seen(services, run), text, (key,), "3", when)
        for name, title, run, text, key, when in rows
    ]


def _views(services: Services, shell: Shell) -> list[Spec]:
    def look(side: SolidSide) -> Callable[[], None]:
        return _seen(services, lambda: shell.look_from(side))

    def turn(right: int, up: int) -> Callable[[], None]:
        return _seen(services, lambda: shell.turn_solid(right * _TURN, up * _TURN))

    sides = [
        Spec(f"solid.from_{side}", title, "solid", look(side), text, (key,), "4", _VOLUME)
        for side, title, key, text in _SIDES
    ]
    turns = [
        Spec(
            f"solid.turn_{name}",
            title,
            "solid",
            turn(right, up),
            f"{title} in 3D by 15 degrees",
            (key,),
            "4",
            _VOLUME,
        )
        for name, title, key, right, up in _TURNS
    ]
    return [*sides, *turns]
