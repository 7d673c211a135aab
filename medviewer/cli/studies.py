"""Which study a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medviewer.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from medviewer.domain.study import ScanResult, Study

STUDY = Annotated[
    str | None, typer.Option("--study", metavar="UID", help="Which study, where PATH holds several of them.")
]


def one_study(found: ScanResult, uid: str | None) -> Study:
    """The study of that UID, or the only one that has images.

    Raises
    ------
    NotFoundError
        If there is none of that UID.
    InputError
        If there are several and none is named.
    """
    with_images = [study for study in found.studies if study.series]
    names = ", ".join(study.uid for study in with_images)
    if uid is not None:
        for study in with_images:
            if study.uid == uid:
                return study
        raise NotFoundError(f"There is no study {uid}; found are: {names}.")
    if len(with_images) > 1:
        raise InputError(f"One study is wanted, but there are {len(with_images)}; choose one with --study: {names}.")
    return with_images[0]
