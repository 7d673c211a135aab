"""Actions that measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.controllers.placing import WITH_TEXT
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.domain.measure.measurement import TITLES, Kind

_TOOLS: dict[Kind, tuple[str, str, str]] = {
    "length": ("&Length", "D", "Drag, or click at both ends"),
    "bidirectional": (
        "&Bidirectional",
        "Shift+D",
        "Drag the longest axis, then the ends of the short one",
    ),
    "angle": ("&Angle", "A", "Click an end, the vertex and the other end"),
    "cobb": ("&Cobb angle", "Shift+A", "Drag along one end plate, then along the other"),
    "ellipse": ("&Ellipse", "Shift+E", "Drag across a region; mean, spread and area stand beside it"),
    "rectangle": ("&Rectangle", "Shift+B", "Drag across a region; mean, spread and area stand beside it"),
    "freehand": ("&Freehand region", "Shift+F", "Drag around a region, or click its corners and double-click the last"),
    "sphere": ("&Sphere", "Shift+S", "Drag from the middle outwards; mean, spread and volume stand beside it"),
    "arrow": ("Arro&w", "Shift+N", "Drag from what is meant outwards, and say what it is"),
    "text": ("&Text", "Shift+X", "Click where a text is to stand"),
    "point": ("&Point", "Shift+P", "Click on a place to find again"),
    "probe": ("Pro&be", "Shift+Q", "Click on a voxel to read its value"),
}

_FILES = ("Table (*.csv)", "DICOM structured report (*.dcm)")


def measure_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """A tool for each kind, and what is done with the measurement that is chosen."""
    session = services.session

    def choose(tool: str) -> Callable[[], None]:
        return lambda: commands.view.choose_tool(services, tool)

    def step(steps: int) -> None:
        uids = [m.uid for m in session.measurements]
        now = uids.index(session.chosen_measurement) if session.chosen_measurement in uids else -1 if steps > 0 else 0
        commands.measuring.jump_to(services, uids[(now + steps) % len(uids)])

    def rename() -> None:
        m = commands.measuring.found(session, session.chosen_measurement)
        label = dialogs.ask_text("Name the measurement", f"What this {TITLES[m.kind].lower()} is called", m.label)
        if label is not None:
            commands.measuring.name(services, m.uid, label)

    def reword() -> None:
        m = commands.measuring.found(session, session.chosen_measurement)
        if m.kind not in WITH_TEXT:
            session.say("Only an arrow or a text says something; name other measurements in their list.")
            return
        text = dialogs.ask_text("Text", "What it says", m.text)
        if text is not None and text.strip():
            commands.measuring.change(services, replace(m, text=text.strip()))

    def mark(node: bool) -> None:
        m = commands.measuring.found(session, session.chosen_measurement)
        same = m.target and m.node == node
        commands.measuring.change(services, replace(m, target=not same, node=node and not same))

    def save() -> None:
        path = dialogs.save_path("Save measurements", "measurements.csv", _FILES)
        if path is not None:
            commands.measured.export(services, path)

    def read() -> None:
        for path in dialogs.open_paths(folder=False):
            commands.measured_read.read(services, path)

    def organ() -> None:
        m = commands.measuring.found(session, session.chosen_measurement)
        answer = dialogs.ask_text("Organ", f"Which organ {m.title} lies in", m.organ)
        if answer is not None:
            commands.measured.set_organ(services, m.uid, answer)

    tools = [
        Spec(f"tool.{kind}", title, "measure", choose(kind), text, (key,), "1", "image_open", f"tool == '{kind}'")
        for kind, (title, key, text) in _TOOLS.items()
    ]
    return [
        *tools,
        Spec(
            "measure.next",
            "&Next measurement",
            "measure",
            lambda: step(1),
            "Go to the next measurement of the study",
            ("J",),
            "2",
            "measured_any",
        ),
        Spec(
            "measure.previous",
            "Previous measurement",
            "measure",
            lambda: step(-1),
            "Go to the measurement before",
            ("Shift+J",),
            "2",
            "measured_any",
        ),
        Spec(
            "measure.name",
            "Na&me…",
            "measure",
            rename,
            "Name the chosen measurement; the same name in an earlier study is its prior",
            ("Ctrl+J",),
            "3",
            "measurement_chosen",
        ),
        Spec(
            "measure.text",
            "Change te&xt…",
            "measure",
            reword,
            "Change what the chosen arrow or text says; a double click on it does too",
            ("Ctrl+Shift+J",),
            "3",
            "measurement_chosen",
        ),
        Spec(
            "measure.target",
            "Tar&get lesion",
            "measure",
            lambda: mark(node=False),
            "Add the chosen measurement's longest diameter to the RECIST 1.1 sum, or take it out",
            (),
            "3",
            "measurement_chosen",
            "chosen_target",
        ),
        Spec(
            "measure.node",
            "Target l&ymph node",
            "measure",
            lambda: mark(node=True),
            "Add the chosen measurement's short axis to the RECIST 1.1 sum, or take it out",
            (),
            "3",
            "measurement_chosen",
            "chosen_node",
        ),
        Spec(
            "measure.organ",
            "&Organ…",
            "measure",
            organ,
            "Say which organ the chosen measurement lies in: RECIST 1.1 takes two targets of one organ at most",
            (),
            "3",
            "measurement_chosen",
        ),
        Spec(
            "measure.read",
            "Rea&d measurements…",
            "measure",
            read,
            "Take over what a DICOM report (TID 1500) says was measured, also of other programs",
            (),
            "5",
            "image_open",
        ),
        Spec(
            "measure.save",
            "Sa&ve measurements…",
            "measure",
            save,
            "Save what was measured in the study as a table (.csv) or a DICOM report (.dcm)",
            (),
            "5",
            "measured_any",
        ),
        Spec(
            "measure.delete",
            "&Delete",
            "measure",
            lambda: commands.measuring.remove(services, session.chosen_measurement),
            "Take the chosen measurement away; undo brings it back",
            ("Delete",),
            "3",
            "measurement_chosen",
        ),
        Spec(
            "measure.show",
            "S&how measurements",
            "measure",
            lambda: setattr(session.view, "show_measures", not session.view.show_measures),
            "Show or hide what was measured",
            ("Shift+U",),
            "4",
            "image_open",
            "measures_shown",
        ),
        Spec(
            "measure.list",
            "L&ist of measurements",
            "measure",
            lambda: shell.show_panel("measure"),
            "Open the list of what was measured",
            ("Ctrl+Shift+M",),
            "4",
        ),
    ]
