"""Actions about key images and the report."""

from __future__ import annotations

from pathlib import Path

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services

_PICTURES = ("Pictures (*.png)",)
_OBJECTS = ("DICOM key object selection (*.dcm)",)
_PDF = ("PDF (*.pdf)",)
_SR = ("DICOM structured report (*.dcm)",)
_DOCUMENT = ("PDF in DICOM (*.dcm)",)


def key_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Mark slices, go to them, say what they show, and save them."""
    session = services.session

    def step(steps: int) -> None:
        uids = [one.uid for one in session.key_images]
        now = uids.index(session.chosen_key) if session.chosen_key in uids else -1 if steps > 0 else 0
        commands.key_images.jump_to(services, uids[(now + steps) % len(uids)])

    def note() -> None:
        one = commands.key_images.found(session, session.chosen_key)
        text = dialogs.ask_text("Note of the key image", f"What {one.place} shows", one.note)
        if text is not None:
            commands.key_images.annotate(services, one.uid, text)

    def pictures() -> None:
        path = dialogs.save_path("Save key images: every one gets its own number", "key-image.png", _PICTURES)
        if path is not None:
            commands.key_images.save_pictures(services, Path(path).parent, stem=path.stem)

    def objects() -> None:
        path = dialogs.save_path("Save key images as a DICOM object", "key-images.dcm", _OBJECTS)
        if path is not None:
            commands.key_images.save_objects(services, path)

    return [
        Spec(
            "key.mark",
            "Mark &key image",
            "report",
            lambda: commands.key_images.mark(services),
            "Keep what the active viewport shows as a key image, with its window, plane and measurements",
            ("Shift+K",),
            "1",
            "image_complete",
        ),
        Spec(
            "key.next",
            "&Next key image",
            "report",
            lambda: step(1),
            "Go to the next key image of the study, and look at it as it was marked",
            ("Alt+K",),
            "1",
            "keys_any",
        ),
        Spec(
            "key.previous",
            "Previous key image",
            "report",
            lambda: step(-1),
            "Go to the key image before",
            ("Shift+Alt+K",),
            "1",
            "keys_any",
        ),
        Spec(
            "key.note",
            "N&ote of the key image…",
            "report",
            note,
            "Say what the chosen key image shows: its caption in the report",
            (),
            "1",
            "key_chosen",
        ),
        Spec(
            "key.remove",
            "Remove the key image",
            "report",
            lambda: commands.key_images.remove(services, session.chosen_key),
            "Take the mark of the chosen key image away; undo brings it back",
            (),
            "1",
            "key_chosen",
        ),
        Spec(
            "key.list",
            "&List of key images",
            "report",
            lambda: shell.show_panel("keys"),
            "Open the list of key images",
            ("Ctrl+Shift+K",),
            "1",
        ),
        Spec(
            "key.pictures",
            "Save key images as &pictures…",
            "report",
            pictures,
            "Save every key image as a PNG file; no name of the patient is in them",
            (),
            "2",
            "keys_any",
        ),
        Spec(
            "key.objects",
            "Save key images as &DICOM…",
            "report",
            objects,
            "Save which slices were marked as a DICOM key object selection, that other viewers read",
            (),
            "2",
            "keys_any",
        ),
    ]


def report_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Write the report of the study, make it final, and save it."""

    def save(title: str, name: str, filters: tuple[str, ...], *, as_document: bool = False) -> None:
        path = dialogs.save_path(title, name, filters)
        if path is not None:
            commands.report.export(services, path, as_document=as_document)

    def sign() -> None:
        commands.report.check_signable(services)  # said before the question, not after it
        text = "Text, tables and pictures stay as they are now; an addendum or a new version can follow."
        if dialogs.confirm("Make the report final", text, "Make final"):
            commands.report.sign(services)

    def discard() -> None:
        text = "What was written in this draft is lost. Final versions stay."
        if dialogs.confirm("Throw the draft away", text, "Throw away"):
            commands.report.discard(services)

    return [
        Spec(
            "report.open",
            "&Report…",
            "report",
            shell.show_report,
            "Write the report of the open study, with its measurements, key images and AI results",
            ("Ctrl+R",),
            "3",
            "image_open",
        ),
        Spec(
            "report.sign",
            "Make the report &final…",
            "report",
            sign,
            "Let the draft stay for good as it is now",
            (),
            "3",
            "report_draft",
        ),
        Spec(
            "report.add",
            "Write an &addendum",
            "report",
            lambda: commands.report.add(services),
            "Add to the final report, which stays as it is",
            (),
            "3",
            "report_final",
        ),
        Spec(
            "report.renew",
            "Write a new &version",
            "report",
            lambda: commands.report.renew(services),
            "Begin a new version with the text of the final report, which stays as it is",
            (),
            "3",
            "report_final",
        ),
        Spec(
            "report.discard",
            "&Throw the draft away…",
            "report",
            discard,
            "Forget what was written in the draft of the report",
            (),
            "3",
            "report_draft",
        ),
        Spec(
            "report.pdf",
            "&Save the report as PDF…",
            "report",
            lambda: save("Save the report", "report.pdf", _PDF),
            "Save the open report as a PDF, with the patient's name in it",
            (),
            "4",
            "report_open",
        ),
        Spec(
            "report.structured",
            "Save the report as a DICOM &structured report…",
            "report",
            lambda: save("Save the report as a DICOM structured report", "report.dcm", _SR),
            "Save the text of the open report as a DICOM structured report of its study",
            (),
            "4",
            "report_open",
        ),
        Spec(
            "report.document",
            "Save the report as PDF in DI&COM…",
            "report",
            lambda: save("Save the report as PDF in DICOM", "report-pdf.dcm", _DOCUMENT, as_document=True),
            "Save the PDF of the open report inside a DICOM object of its study",
            (),
            "4",
            "report_open",
        ),
    ]
