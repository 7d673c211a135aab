"""Open what a study has beside its images: masks on their image, reports and documents to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.domain.document import Document
from medviewer.domain.study import Attachment, ScanResult
from medviewer.jobs import Job

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services


def open_attachment(services: Services, attachment: Attachment) -> None:
    """Open an attachment: a mask on its image, a report or document in a window of its own.

    The document becomes `Session.document`, which the window shows.

    Raises
    ------
    MedviewerError
        What opening a mask raises; what is wrong with a document is told when it was read.
    """
    if attachment.is_mask:
        from medviewer.app.commands import masks  # brings the label store, which a report does without

        masks.open_attachment(services, attachment)
        return
    read(services, attachment)


def read(services: Services, attachment: Attachment) -> Job[Document]:
    """Read a report or document off the home thread, and show it."""

    def opened(document: Document) -> None:
        services.session.document = document

    job = services.runner.submit(lambda _: formats.read_document(attachment), title="Opening a document")
    return services.when_done(job, opened)


def announce(services: Services, found: ScanResult) -> None:
    """Say where masks, reports and documents are listed of which no image came along: nothing else is seen of them."""
    came = [attachment for study in found.studies for attachment in study.attachments]
    if not came:
        return
    masks = sum(attachment.is_mask for attachment in came)
    documents = sum(attachment.kind in ("pdf", "cda") for attachment in came)
    counts = ((masks, "mask"), (len(came) - masks - documents, "report"), (documents, "document"))
    what = " and ".join(f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in counts if n)
    listed = f"{what} {'is' if len(came) == 1 else 'are'} listed"
    if masks == len(came) and not any(_images_of(services, study.uid, study.attachments) for study in found.studies):
        text = f"{listed}, but not the images that {'it belongs' if masks == 1 else 'they belong'} to; open them too."
        services.session.say(text, "warning")
        return
    names = [name for study in found.studies for name in _images_of(services, study.uid, study.attachments)]
    where = dict.fromkeys(names or [" ".join(filter(None, (s.date, s.description))) for s in found.studies])
    beside = f" with {next(iter(where))}" if len(where) == 1 and next(iter(where)) else ""
    services.session.say(f"{listed}{beside}; click {'it to open it' if len(came) == 1 else 'one to open it'}.")


def _images_of(services: Services, study_uid: str, attachments: Sequence[Attachment]) -> list[str]:
    """What the series are called that attachments refer to, as far as they are here."""
    wanted = {uid for attachment in attachments for uid in attachment.of_series}
    here: dict[str, str] = {}
    if services.archive.catalog.listed([study_uid]):
        listed = services.archive.catalog.series_of(study_uid)
        here = {one.uid: _called(one.modality, one.description) for one in listed}
    for study in services.session.studies:
        if study.uid == study_uid:
            here |= {one.uid: _called(one.modality, one.description) for one in study.series}
    return [name for uid, name in here.items() if uid.partition("#")[0] in wanted]


def _called(modality: str, description: str) -> str:
    return description if description.upper().startswith(modality) else f"{modality} {description}".strip()
