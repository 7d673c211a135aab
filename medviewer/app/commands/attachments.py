"""Open what a study has beside its images: masks on their image, reports and documents to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer import formats
from medviewer.domain.document import Document
from medviewer.domain.study import Attachment
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
