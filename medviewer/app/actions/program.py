"""Actions about files, the queue and the program itself."""

from __future__ import annotations

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services

MASK_FILES = ("DICOM segmentation (*.dcm)", "NIfTI (*.nii.gz)")


def file_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Open, close, load and save."""

    def open_some(folder: bool) -> None:
        paths = dialogs.open_paths(folder)
        if paths:
            commands.study.open_paths(services, paths)

    def save_mask() -> None:
        path = dialogs.save_path("Save mask", "mask.dcm", MASK_FILES)
        if path is not None:
            commands.masks.export(services, path)

    def load_mask() -> None:
        image = services.session.image
        paths = dialogs.open_paths(False)
        if paths and services.session.image is not image:
            services.session.say(
                "Another series was opened while you were asked; load the mask where it is meant.", "warning"
            )
        elif paths:
            commands.masks.import_mask(services, paths[0])

    def export_deidentified() -> object:
        files = commands.deidentify.files_of_chosen(services)
        choice = shell.ask_deidentify(commands.deidentify.chosen_in_words(services))
        return commands.deidentify.export(services, files, choice) if choice is not None else None

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
            "Open files, a DICOMDIR or a ZIP archive",
            ("Ctrl+Shift+O",),
        ),
        Spec(
            "file.open_demo",
            "Open the &demo",
            "file",
            lambda: commands.study.open_demo(services),
            "Open the studies that come with medviewer",
            ("Ctrl+D",),
        ),
        Spec(
            "file.close",
            "&Close series",
            "file",
            lambda: commands.study.close(services),
            "Close the open series; its mask is kept",
            ("Ctrl+W",),
            when="image_open",
        ),
        Spec(
            "file.load_mask",
            "&Load mask…",
            "file",
            load_mask,
            "Open a mask from DICOM SEG, RTSTRUCT or NIfTI",
            ("Ctrl+L",),
            "2",
            "image_complete",
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
        Spec(
            "file.deidentify",
            "Export de-i&dentified…",
            "file",
            export_deidentified,
            "Copy the chosen study without what identifies the patient",
            ("Ctrl+Shift+E",),
            "2",
            "study_at_hand",
        ),
        Spec("file.quit", "&Quit", "file", shell.quit, "Quit; everything is kept", ("Ctrl+Q",), "9"),
    ]


def edit_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Undo and redo."""
    return [
        Spec(
            "edit.undo",
            "&Undo",
            "edit",
            lambda: commands.undoing.undo(services),
            "Take back the last stroke, measurement or key image",
            ("Ctrl+Z",),
            when="can_undo",
        ),
        Spec(
            "edit.redo",
            "&Redo",
            "edit",
            lambda: commands.undoing.redo(services),
            "Do again what was taken back",
            ("Ctrl+Shift+Z",),
            when="can_redo",
        ),
    ]


def queue_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Learning."""
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


def help_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """The manual, the keys, and what this is."""
    return [
        Spec("help.manual", "&Manual", "help", shell.show_manual, "Read the manual", ("F1",)),
        Spec(
            "help.tour",
            "&Tour",
            "help",
            shell.show_tour,
            "Go through opening, looking and correcting in three steps, in the window itself",
            ("Ctrl+F1",),
        ),
        Spec("help.keys", "&Keys", "help", shell.show_keys, "Show every key on one sheet", ("Shift+/",)),
        Spec("help.about", "&About", "help", shell.show_about, "Version, licence and intended use", ("Shift+F1",)),
    ]
