"""Everything that the user can do, as data: id, title, menu, keys, when it is possible, and the function behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app_model.types import Action, KeyBindingRule, MenuRule

from medviewer.app.commands import explain, masks, predict, study, view
from medviewer.app.ports import Dialogs, Shell
from medviewer.app.services import Services
from medviewer.app.state import TOOLS, View

MENUS = {
    "file": "&File",
    "edit": "&Edit",
    "view": "&View",
    "image": "&Image",
    "segment": "&Segment",
    "ai": "&AI",
    "queue": "&Queue",
    "help": "&Help",
}
"""Menu ids and titles, in the order of the menu bar."""

MASK_FILES = ("DICOM segmentation (*.dcm)", "NIfTI (*.nii.gz)")

_TOOL_HELP = {
    "window": ("Window/level", "W", "Drag to change contrast and brightness; the right button always does"),
    "pan": ("Pan", "P", "Drag to move the picture; the middle button always does"),
    "zoom": ("Zoom", "Z", "Drag up or down to zoom; Ctrl and the wheel always do"),
    "scroll": ("Scroll", "S", "Drag up or down through the slices; the wheel always does"),
    "crosshair": ("Crosshair", "C", "Click or drag to bring all planes to one point"),
    "brush": ("Brush", "B", "Paint the active segment"),
    "eraser": ("Eraser", "E", "Erase labels"),
    "fill": ("Fill", "F", "Fill the connected region of this slice with the active segment"),
}


@dataclass(frozen=True)
class Spec:
    """One action, before it is bound to a running program."""

    id: str
    title: str
    menu: str
    run: Callable[[], Any]
    help: str
    keys: tuple[str, ...] = ()
    group: str = "1"
    when: str | None = None
    checked: str | None = None
    order: int = field(default=0)


def build(services: Services, dialogs: Dialogs, shell: Shell) -> list[Action[..., Any]]:
    """Every action, bound to the running program; what a command raises on purpose becomes a message."""
    groups = (_file, _edit, _view, _image, _tools, _segment, _ai, _queue, _help)
    specs = [spec for group in groups for spec in group(services, dialogs, shell)]
    return [_action(services, spec, order) for order, spec in enumerate(specs)]


def _action(services: Services, spec: Spec, order: int) -> Action[..., Any]:
    return Action(
        id=spec.id,
        title=spec.title,
        tooltip=spec.help,
        status_tip=spec.help,
        callback=lambda: services.attempt(spec.run),
        menus=[MenuRule(id=spec.menu, group=spec.group, order=order)],
        keybindings=[KeyBindingRule(primary=key) for key in spec.keys] or None,
        enablement=spec.when,
        toggled=spec.checked,
    )


def _file(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    def open_some(folder: bool) -> None:
        paths = dialogs.open_paths(folder)
        if paths:
            study.open_paths(services, paths)

    def save_mask() -> None:
        path = dialogs.save_path("Save mask", "mask.dcm", MASK_FILES)
        if path is not None:
            masks.export(services, path)

    def load_mask() -> None:
        paths = dialogs.open_paths(False)
        if paths:
            masks.import_mask(services, paths[0])

    def screenshot() -> None:
        path = dialogs.save_path("Save picture", "medviewer.png", ("PNG (*.png)",))
        if path is not None:
            shell.screenshot(path)

    return [
        Spec(
            "file.open_folder",
            "Open &folder…",
            "file",
            lambda: open_some(True),
            "Open all studies of a folder",
            ("Ctrl+O",),
        ),
        Spec(
            "file.open_files",
            "Open f&iles…",
            "file",
            lambda: open_some(False),
            "Open files or a ZIP archive",
            ("Ctrl+Shift+O",),
        ),
        Spec(
            "file.open_demo",
            "Open the &demo",
            "file",
            lambda: study.open_demo(services),
            "Open the studies that come with medviewer",
            ("Ctrl+D",),
        ),
        Spec(
            "file.close",
            "&Close series",
            "file",
            lambda: study.close(services),
            "Close the open series; its mask is kept",
            ("Ctrl+W",),
            when="image_open",
        ),
        Spec(
            "file.load_mask",
            "&Load mask…",
            "file",
            load_mask,
            "Open a mask from DICOM SEG or NIfTI",
            ("Ctrl+L",),
            "2",
            "image_open",
        ),
        Spec(
            "file.save_mask",
            "&Save mask as…",
            "file",
            save_mask,
            "Save the mask as DICOM SEG or NIfTI",
            ("Ctrl+S",),
            "2",
            "mask_open",
        ),
        Spec(
            "file.screenshot",
            "Save &picture…",
            "file",
            screenshot,
            "Save the viewports as a PNG",
            ("Ctrl+P",),
            "2",
            "image_open",
        ),
        Spec("file.quit", "&Quit", "file", shell.quit, "Quit; everything is kept", ("Ctrl+Q",), "9"),
    ]


def _edit(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    return [
        Spec(
            "edit.undo",
            "&Undo stroke",
            "edit",
            lambda: view.undo(services),
            "Take back the last stroke",
            ("Ctrl+Z",),
            when="can_undo",
        ),
        Spec(
            "edit.redo",
            "&Redo stroke",
            "edit",
            lambda: view.redo(services),
            "Do the last stroke again",
            ("Ctrl+Shift+Z",),
            when="can_redo",
        ),
    ]


def _toggle(view_state: View, name: str) -> Callable[[], None]:
    return lambda: setattr(view_state, name, not getattr(view_state, name))


def _view(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    state = services.session.view

    def step(slices: int) -> None:
        shell.step(slices)

    def layout(name: str) -> None:
        state.layout = name

    return [
        Spec(
            "view.mpr",
            "Three &planes and 3D",
            "view",
            lambda: layout("mpr"),
            "Show axial, sagittal, coronal and 3D",
            ("F2",),
            when="volume_open",
            checked="layout == 'mpr'",
        ),
        Spec(
            "view.single",
            "&One viewport",
            "view",
            lambda: layout("single"),
            "Show the active viewport large; a double click does too",
            ("F3",),
            when="image_open",
            checked="layout == 'single'",
        ),
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


def _image(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
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
            f"Choose window {n}: the file's own first, then automatic, then the modality's",
            (str(n),),
            "2",
            "image_open",
        )
        for n in range(1, 10)
    ]
    return specs


def _tools(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    def choose(tool: str) -> Callable[[], None]:
        return lambda: view.choose_tool(services, tool)

    specs = []
    for tool in TOOLS:
        title, key, text = _TOOL_HELP[tool]
        menu = "segment" if tool in ("brush", "eraser", "fill") else "image"
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


def _segment(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    def add() -> None:
        name = dialogs.ask_text("New segment", "Name of the structure")
        if name:
            view.add_segment(services, name)

    def approve() -> None:
        mask = services.session.mask
        if mask is None or mask.base.provenance.plugin_id or _agreed(services, dialogs):
            masks.approve(services)

    def reject() -> None:
        note = dialogs.ask_text("Reject mask", "Why (optional)")
        if note is not None:
            masks.reject(services, note)

    return [
        Spec(
            "segment.smaller",
            "Smaller brush",
            "segment",
            lambda: view.resize_brush(services, 1 / 1.25),
            "Make the brush smaller",
            ("[",),
            "4",
            "image_open",
        ),
        Spec(
            "segment.larger",
            "Larger brush",
            "segment",
            lambda: view.resize_brush(services, 1.25),
            "Make the brush larger",
            ("]",),
            "4",
            "image_open",
        ),
        Spec(
            "segment.new",
            "&New mask",
            "segment",
            lambda: masks.new(services),
            "Start an empty mask; the present one is kept",
            ("Ctrl+N",),
            "5",
            "image_open",
        ),
        Spec(
            "segment.add",
            "&Add segment…",
            "segment",
            add,
            "Add a structure to the mask",
            ("Ctrl+Shift+N",),
            "5",
            "image_open",
        ),
        Spec(
            "segment.keep",
            "&Keep",
            "segment",
            lambda: masks.keep(services),
            "Keep the mask as a version in the archive",
            ("Ctrl+K",),
            "6",
            "mask_open",
        ),
        Spec(
            "segment.approve",
            "A&pprove",
            "segment",
            approve,
            "Approve the mask: it enters the fine-tuning queue",
            ("Ctrl+Enter",),
            "6",
            "mask_open",
        ),
        Spec(
            "segment.reject",
            "&Reject…",
            "segment",
            reject,
            "Reject the mask: nothing is trained on it",
            ("Ctrl+Backspace",),
            "6",
            "mask_open",
        ),
    ]


def _agreed(services: Services, dialogs: Dialogs) -> bool:
    """Whether the user wants the plugin to learn that would learn from a mask painted by hand."""
    learner = masks.learner_of(services)
    labels = ", ".join(spec.name for spec in learner.outputs.labels)
    text = f"This mask was painted by hand. {learner.name} would learn from it what {labels} looks like."
    return dialogs.confirm("Approve a mask painted by hand", text, f"Approve as {labels}")


def _ai(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    def run(plugin_id: str) -> Callable[[], Any]:
        return lambda: predict.run(services, plugin_id)

    def why(plugin_id: str) -> Callable[[], Any]:
        return lambda: explain.run(services, plugin_id)

    specs = []
    healthy = [plugin.manifest for plugin in services.plugins if plugin.manifest is not None]
    for k, manifest in enumerate(healthy, 1):
        key = (f"Ctrl+{k}",) if k < 10 else ()
        specs.append(
            Spec(
                f"ai.run.{manifest.id}",
                f"Run {manifest.name}",
                "ai",
                run(manifest.id),
                manifest.description,
                key,
                "1",
                "image_open",
            )
        )
        if "explain" in manifest.kinds:
            key = (f"Ctrl+Shift+{k}",) if k < 10 else ()
            text = f"Show by Grad-CAM what moved {manifest.name}"
            specs.append(
                Spec(
                    f"ai.explain.{manifest.id}",
                    f"Explain {manifest.name}",
                    "ai",
                    why(manifest.id),
                    text,
                    key,
                    "2",
                    "image_open",
                )
            )
    specs.append(
        Spec(
            "ai.clear_heat",
            "Clear saliency",
            "ai",
            lambda: explain.clear(services),
            "Take the heat map away",
            ("Shift+G",),
            "3",
            "heat_open",
        )
    )
    return specs


def _queue(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    return [
        Spec(
            "queue.show",
            "&Queue and model versions",
            "queue",
            lambda: shell.show_panel("learning"),
            "Show the fine-tuning queue and the model versions",
            ("Ctrl+Shift+Q",),
        ),
    ]


def _help(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    return [
        Spec("help.manual", "&Manual", "help", shell.show_manual, "Read the manual", ("F1",)),
        Spec("help.keys", "&Keys", "help", shell.show_keys, "Show every key on one sheet", ("Shift+/",)),
        Spec("help.about", "&About", "help", shell.show_about, "Version, licence and intended use"),
    ]
