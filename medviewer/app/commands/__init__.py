"""Commands: plain functions over `Services`. The window and the command line call the same ones.

A module of them is imported when it is first asked for, as `commands.study`: menus name all there are, and a start
that waited for what they need would take twice as long.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medviewer.app.commands import (
        arriving as arriving,
    )
    from medviewer.app.commands import (
        attachments as attachments,
    )
    from medviewer.app.commands import (
        batch as batch,
    )
    from medviewer.app.commands import (
        batch_job as batch_job,
    )
    from medviewer.app.commands import (
        beside as beside,
    )
    from medviewer.app.commands import (
        catalog as catalog,
    )
    from medviewer.app.commands import (
        companion_looks as companion_looks,
    )
    from medviewer.app.commands import (
        curved as curved,
    )
    from medviewer.app.commands import (
        deidentify as deidentify,
    )
    from medviewer.app.commands import (
        detections as detections,
    )
    from medviewer.app.commands import (
        doubtful as doubtful,
    )
    from medviewer.app.commands import (
        explain as explain,
    )
    from medviewer.app.commands import (
        fusion as fusion,
    )
    from medviewer.app.commands import (
        hanging as hanging,
    )
    from medviewer.app.commands import (
        hanging_choice as hanging_choice,
    )
    from medviewer.app.commands import (
        hanging_own as hanging_own,
    )
    from medviewer.app.commands import (
        heatmaps as heatmaps,
    )
    from medviewer.app.commands import (
        interactive as interactive,
    )
    from medviewer.app.commands import (
        kept_masks as kept_masks,
    )
    from medviewer.app.commands import (
        key_images as key_images,
    )
    from medviewer.app.commands import (
        learning as learning,
    )
    from medviewer.app.commands import (
        listed as listed,
    )
    from medviewer.app.commands import (
        looks as looks,
    )
    from medviewer.app.commands import (
        mask_restore as mask_restore,
    )
    from medviewer.app.commands import (
        masks as masks,
    )
    from medviewer.app.commands import (
        measured as measured,
    )
    from medviewer.app.commands import (
        measured_read as measured_read,
    )
    from medviewer.app.commands import (
        measuring as measuring,
    )
    from medviewer.app.commands import (
        pacs as pacs,
    )
    from medviewer.app.commands import (
        panes as panes,
    )
    from medviewer.app.commands import (
        planes as planes,
    )
    from medviewer.app.commands import (
        plugins as plugins,
    )
    from medviewer.app.commands import (
        pointed as pointed,
    )
    from medviewer.app.commands import (
        predict as predict,
    )
    from medviewer.app.commands import (
        recent as recent,
    )
    from medviewer.app.commands import (
        report as report,
    )
    from medviewer.app.commands import (
        report_page as report_page,
    )
    from medviewer.app.commands import (
        research as research,
    )
    from medviewer.app.commands import (
        results as results,
    )
    from medviewer.app.commands import (
        scaffold as scaffold,
    )
    from medviewer.app.commands import (
        segments as segments,
    )
    from medviewer.app.commands import (
        solid as solid,
    )
    from medviewer.app.commands import (
        strokes as strokes,
    )
    from medviewer.app.commands import (
        study as study,
    )
    from medviewer.app.commands import (
        teaching as teaching,
    )
    from medviewer.app.commands import (
        undoing as undoing,
    )
    from medviewer.app.commands import (
        verdicts as verdicts,
    )
    from medviewer.app.commands import (
        view as view,
    )


def __getattr__(name: str) -> Any:
    whole = f"{__name__}.{name}"
    if name.startswith("_") or importlib.util.find_spec(whole) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(whole)
