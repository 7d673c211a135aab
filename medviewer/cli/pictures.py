"""The command that makes a picture of an image with what was found on it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medviewer.cli.console import report
from medviewer.cli.options import OUTPUT, SERIES, SOURCE
from medviewer.cli.reading import Case, check_output, read

if TYPE_CHECKING:
    from medviewer.app.state import Session


class Layout(StrEnum):
    """How the viewports are laid out."""

    MPR = "mpr"
    SOLID = "solid"
    SINGLE = "single"
    COMPARE = "compare"
    BESIDE = "1x2"
    ABOVE = "2x1"
    FOUR = "2x2"


def screenshot(
    context: typer.Context,
    path: SOURCE,
    output: OUTPUT,
    layout: Annotated[
        Layout | None,
        typer.Option(
            "--layout", help="Three planes and 3D (mpr), one big view, or several; by default what suits the image."
        ),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", metavar="FILE", help="A mask to show on it: DICOM SEG, RTSTRUCT or NIfTI.")
    ] = None,
    heatmap: Annotated[
        Path | None, typer.Option("--heatmap", metavar="FILE", help="A heat map to show on it, as explain writes it.")
    ] = None,
    look: Annotated[
        str,
        typer.Option("--look", metavar="NAME", help="How 3D looks: bone, skin, mip and others; see 3D in the manual."),
    ] = "",
    series: SERIES = None,
) -> None:
    """Make a picture of a series.

    It shows what the window would show, without opening it, as .png. Names of patients stand in the
    picture where the file has them.
    """
    check_output(output, (".png",))
    case = read(path, series)
    session = session_of(case, mask, heatmap)
    if layout is not None:
        from medviewer.app.commands.panes import arrange

        arrange(session, layout.value)
    if look:
        from medviewer.app.solid_looks import needed

        session.solid_looks = {case.image.modality: needed(look, case.image).id}
    context.obj.screen().render(session, output)
    report(f"Wrote {output}")


def session_of(case: Case, mask: Path | None = None, heatmap: Path | None = None) -> Session:
    """A session that shows an image with overlays from files, and knows of no archive.

    Raises
    ------
    GridMismatchError
        If an overlay does not lie on the image's grid.
    """
    from medviewer import formats
    from medviewer.app.commands.study import present
    from medviewer.app.mask_store import MaskStore
    from medviewer.app.state import Session

    session = Session(studies=(case.study,))
    present(session, case.series, case.image)
    if mask is not None:
        session.mask = MaskStore(formats.load_segmentation(mask, case.image.grid, case.series))
    if heatmap is not None:
        session.heatmap = formats.load_heatmap(heatmap, case.image.grid)
    return session
