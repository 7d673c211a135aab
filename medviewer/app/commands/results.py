"""What plugins answered before: shown again with its series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medviewer.app.commands.masks import ALGORITHM
from medviewer.domain.heatmap import Heatmap
from medviewer.errors import StoreError
from medviewer.jobs import Job

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.archive.results import HeatmapRecord


def keep_heatmaps(services: Services, *heatmaps: Heatmap) -> Job[list[str]]:
    """Keep heat maps in the archive, the last as the newest, off the home thread: each is as large as its image."""
    store = services.archive.results
    job = services.runner.submit(lambda _: [store.save_heatmap(heatmap) for heatmap in heatmaps], title="")
    return services.when_done(job, lambda _: None)


def restore(services: Services) -> None:
    """Show the newest classification, the newest detections and the newest heat maps of the open series again."""
    session = services.session
    if session.series is None or session.image is None:
        return
    try:
        found = services.archive.results.classifications_for(session.series.uid)
        session.classification = found[0] if found else None
        boxes = services.archive.results.detections_for(session.series.uid)
        maps = [services.archive.results.load_heatmap(record.id) for record in _newest(services, session.series.uid)]
    except StoreError as error:  # the image opens all the same
        session.say(str(error), "warning", error.details)
        return
    fits = bool(boxes) and boxes[0].grid.matches(session.image.grid)
    session.detections, session.chosen_detection = boxes[0] if fits else None, -1
    # One of another grid was made of other files under the same UID.
    fitting = tuple(heatmap for heatmap in maps if heatmap.grid.matches(session.image.grid))
    session.heatmaps, session.heatmap = fitting, fitting[0] if fitting else None


def are_kept(services: Services, series_uid: str) -> bool:
    """Whether `restore` would read heat maps of a series."""
    return bool(_newest(services, series_uid))


def read_ahead(services: Services, series_uid: str) -> None:
    """Read the heat maps that `restore` will show in a moment, off the home thread."""
    for record in _newest(services, series_uid):
        services.archive.results.read_ahead(record.id)


def _newest(services: Services, series_uid: str) -> list[HeatmapRecord]:
    """The newest map of the reasons and of the doubt, the newer first; no more, for each is as large as its image.

    Doubt about an answer that another one has followed says nothing any more.
    """
    masks = services.archive.masks.masks_for(series_uid)
    answered = max((one.provenance.created for one in masks if one.provenance.author == ALGORITHM), default="")
    kept: dict[bool, HeatmapRecord] = {}
    for record in services.archive.results.heatmaps_for(series_uid):
        if not record.is_doubt or record.provenance.created >= answered:
            kept.setdefault(record.is_doubt, record)
    return list(kept.values())
