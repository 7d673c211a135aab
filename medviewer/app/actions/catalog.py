"""Actions about the studies of the catalogue."""

from __future__ import annotations

from collections.abc import Callable

from medviewer.app import commands
from medviewer.app.actions.spec import Spec
from medviewer.app.ports.shell import Dialogs, Shell
from medviewer.app.services import Services

_MARKS = (
    ("new", "&New", "Mark the chosen study: nobody has read it yet"),
    ("read", "&Read", "Mark the chosen study: it was read"),
    ("to-correct", "To &correct", "Mark the chosen study: a mask of it is to be corrected"),
    ("approved", "&Approved", "Mark the chosen study: a mask of it is approved; approving one does this too"),
)


def study_specs(services: Services, dialogs: Dialogs, shell: Shell) -> list[Spec]:
    """Import, worklist state, tags, and what happens to a study of the list."""

    def import_some(folder: bool) -> None:
        paths = dialogs.open_paths(folder)
        if paths:
            commands.listed.import_copy(services, paths)

    def tag() -> None:
        entry = commands.catalog.entry_of_chosen(services)
        answer = dialogs.ask_text("Tags", "Tags of this study, parted by commas", ", ".join(entry.tags))
        if answer is not None:
            commands.catalog.set_tags(services, entry.uid, answer.split(","))

    def reveal() -> None:
        commands.catalog.find_folder(services, commands.catalog.entry_of_chosen(services).uid, shell.reveal)

    def remove() -> None:
        entry = commands.catalog.entry_of_chosen(services)
        text = "The study is forgotten; its files are left alone, and masks of it are kept."
        if entry.copied:
            text = (
                "The study is forgotten, and its files in medviewer's folder are deleted: those that were imported as "
                "a copy, unpacked or retrieved. Masks of it are kept."
            )
        accept = "Delete these files" if entry.copied else "Remove"
        if dialogs.confirm("Remove the study from the list", text, accept):
            if services.session.study is not None and services.session.study.uid == entry.uid:
                commands.study.close(services)
            commands.catalog.remove(services, entry.uid)

    return [
        Spec(
            "study.import_folder",
            "&Import a copy of a folder…",
            "study",
            lambda: import_some(True),
            "Copy the studies of a folder into the archive, and list them",
            ("Ctrl+I",),
        ),
        Spec(
            "study.import_files",
            "Import copies of &files…",
            "study",
            lambda: import_some(False),
            "Copy files, or the content of a ZIP archive, into the archive, and list them",
            ("Ctrl+Shift+I",),
        ),
        *_marks(services),
        Spec(
            "study.tag",
            "&Tags…",
            "study",
            tag,
            "Change the tags of the chosen study",
            ("Ctrl+T",),
            "3",
            "study_chosen",
        ),
        Spec(
            "study.reveal",
            "&Show in folder",
            "study",
            reveal,
            "Open the folder in which the files of the chosen study lie",
            ("Ctrl+Shift+R",),
            "4",
            "study_chosen",
        ),
        Spec(
            "study.remove",
            "Remove from the &list…",
            "study",
            remove,
            "Forget the chosen study; only its files in medviewer's own folder are deleted",
            ("Ctrl+Delete",),
            "4",
            "study_chosen",
        ),
    ]


def _marks(services: Services) -> list[Spec]:
    def mark(state: str) -> Callable[[], None]:
        return lambda: commands.catalog.mark(services, commands.catalog.entry_of_chosen(services).uid, state)

    return [
        Spec(
            f"study.mark_{state.replace('-', '_')}",
            f"Mark: {title}",
            "study",
            mark(state),
            text,
            (f"Alt+{number}",),
            "2",
            "study_chosen",
            f"study_state == '{state}'",
        )
        for number, (state, title, text) in enumerate(_MARKS, 1)
    ]
