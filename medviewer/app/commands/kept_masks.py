"""Masks in the archive that were kept when medviewer placed or divided the series in another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from medviewer import formats
from medviewer.app.mask_store import of_phase
from medviewer.domain.mask import Segmentation
from medviewer.domain.study import Series

if TYPE_CHECKING:
    # Loads the database, which commands that only read files do without.
    from medviewer.archive import Archive
    from medviewer.archive.masks import MaskRecord


@dataclass(frozen=True)
class Kept:
    """The newest mask of a series.

    Parameters
    ----------
    mask
        As it lies on the grid of the series; as it was kept where it cannot be brought there.
    id
        Its id in the archive.
    moved
        What was done to bring it here, a part of a sentence; empty where it is what was kept.
    """

    mask: Segmentation
    id: str
    moved: str = ""

    @property
    def noted(self) -> Segmentation:
        """The mask with what was done in its provenance."""
        made = self.mask.provenance
        return replace(self.mask, provenance=replace(made, notes=(*made.notes, self.moved)))


def newest(archive: Archive, series: Series) -> Kept | None:
    """The newest mask that was kept for a series or, where none was, for one of its later phases.

    These were series of their own until phases became one series.

    Raises
    ------
    StoreError
        If its file is missing or damaged.
    """
    rows = archive.masks.masks_for(series.uid)
    if rows:
        mask, moved = brought_over(archive.masks.load_mask(rows[0].id), series)
        return Kept(mask, rows[0].id, moved)
    rows = archive.masks.masks_for(*former_uids(series))
    if not rows:
        return None
    mask, moved = brought_over(archive.masks.load_mask(rows[0].id), series)
    volume = rows[0].series_uid.rpartition("t")[2]
    told = f"painted on volume {volume} of {_count(series)}, when that was a series of its own"
    mask = of_phase(replace(mask, series_uid=series.uid), int(volume) - 1)
    return Kept(mask, rows[0].id, f"{told}; {moved}" if moved else told)


def are_kept(archive: Archive, series: Series) -> bool:
    """Whether there is a mask for `newest`."""
    return bool(_rows(archive, series))


def read_ahead(archive: Archive, series: Series) -> NDArray[Any] | None:
    """Read what `newest` will be asked for in a moment, off the home thread; the labels that it will have."""
    rows = _rows(archive, series)
    return archive.masks.read_ahead(rows[0].id) if rows else None


def _rows(archive: Archive, series: Series) -> list[MaskRecord]:
    return archive.masks.masks_for(series.uid) or archive.masks.masks_for(*former_uids(series))


def brought_over(mask: Segmentation, series: Series) -> tuple[Segmentation, str]:
    """A mask on the grid of its series, and what was done; unchanged, and nothing, where it is there or cannot be.

    Tilted and uneven series were shown slice by slice before they were put on an even grid (`Series.source`); masks of
    that time have one slice a slice of the file.
    """
    source = series.source
    if source is None or mask.grid.matches(series.grid) or mask.grid.shape != (len(source.positions), *source.shape):
        return mask, ""
    labels = formats.from_slices(mask.labels, series.grid, source)
    return replace(mask, labels=labels, grid=series.grid), "brought from the slices of the file onto the even grid"


def former_uids(series: Series) -> Sequence[str]:
    """What the volumes after the first were called before they became phases of `series`; none without phases."""
    mark = "-t" if "#" in series.uid else "#t"
    return [f"{series.uid}{mark}{k}" for k in range(2, _count(series) + 1)]


def _count(series: Series) -> int:
    return len(series.phases) if series.phases is not None else 1
