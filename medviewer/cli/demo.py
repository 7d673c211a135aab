"""The demo's whole job without a window: open, segment, classify, explain, and save what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer import __version__
from medviewer.cli.console import report, report_json, say
from medviewer.cli.options import DEVICE, JSON, Device
from medviewer.cli.pictures import session_of
from medviewer.cli.predictions import save_classification, save_heatmap, save_segmentation
from medviewer.cli.reading import Case, load, opened_services, result_of, scan
from medviewer.errors import InputError, MedviewerError

if TYPE_CHECKING:
    from medviewer.app.ports.shell import Screen
    from medviewer.app.services import Services
    from medviewer.app.state import Session

BRAIN = "brain-extraction"
CHEST = "chest-xray"
NOTICE = "Research use only; not for diagnosis."


@dataclass
class _Demo:
    """One run of the demo: where it writes, what it tells, and what it will have done."""

    services: Services
    screen: Callable[[], Screen]
    out: Path
    device: str
    write: Callable[[str], None]
    told: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """Say what was done; the summary says it again."""
        self.told.append(text)
        self.write(text)

    def path(self, name: str) -> Path:
        """Where a file of that name goes; it is listed in the summary."""
        self.files.append(name)
        return self.out / name

    def skip(self, what: str) -> None:
        """Say plainly what is left out, and how to get it."""
        self.left_out.append(what)
        self.tell(f"Left out: {what}")

    def picture(self, session: Session, name: str, what: str) -> None:
        """Draw a session; a machine that cannot draw leaves out the pictures, not the rest."""
        try:
            self.screen().render(session, self.out / name)
        except MedviewerError as error:
            self.skip(f"{name}, because no picture could be drawn here. {error}")
            return
        self.files.append(name)
        self.tell(f"Wrote {name}: {what}")


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for what it makes.")] = Path(
        "medviewer-demo"
    ),
    device: DEVICE = Device.AUTO,
    as_json: JSON = False,
) -> None:
    """Do the demo's whole job without the window.

    Opens the study that comes with medviewer (a head MR and a chest radiograph), extracts the brain, shows why,
    classifies the radiograph where its weights are there, and saves pictures, DICOM SEG, heat maps and a summary.
    """
    from medviewer.app.resources import resource

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another folder with --out.") from error
    with opened_services() as services:
        run = _Demo(services, context.obj.screen, out, device.value, say if as_json else report)
        run.tell(f"medviewer {__version__}. {NOTICE}")
        found = scan(resource("demo"))
        run.tell(f"Opened the demo: {len(found.studies)} studies, {len(found.series)} series.")
        for series in sorted(found.series, key=lambda series: series.grid.shape[0] == 1):  # the volume first
            case = load(found, series)
            name = series.description or series.modality
            run.tell(f"Loaded {name}: {series.modality}, {series.size_text}")
            if case.image.is_volume:
                _segment(run, case)
            else:
                _classify(run, case)
    summary = _save_summary(run)
    if as_json:
        report_json(summary)


def _segment(run: _Demo, case: Case) -> None:
    """Extract the brain, explain it, save SEG, heat map and pictures."""
    from medviewer.app.commands import predict as predicting
    from medviewer.domain.mask import Segmentation

    run.tell(f"Running {BRAIN} ...")
    job = predicting.submit(run.services, case.image, case.series, BRAIN, device=run.device)
    mask = result_of(run.services, job)
    assert isinstance(mask, Segmentation)  # its manifest says segment
    seg = run.path("brain.dcm")
    data = save_segmentation(mask, seg, case)
    for row in data["segments"]:
        run.tell(f"{row['name']}: {row['volume_ml']:.0f} ml ({mask.provenance.label}, on {mask.provenance.device})")
    run.tell(f"Wrote {seg.name}: the mask as DICOM SEG")
    run.results[BRAIN] = data
    run.picture(session_of(case, seg), "brain.png", "three planes and 3D with the mask")
    heat = _explain(run, case, BRAIN, "brain.heatmap.nii.gz")
    run.picture(session_of(case, None, heat), "brain-why.png", "what moved the answer (Grad-CAM)")


def _classify(run: _Demo, case: Case) -> None:
    """Classify and explain the radiograph where the weights are there; its picture comes in any case."""
    from medviewer.app.commands import predict as predicting
    from medviewer.domain.finding import Classification

    session = session_of(case)
    if not predicting.weights_present(run.services, run.services.plugin(CHEST)):
        run.skip(
            f"classifying the chest radiograph, because the weights of {CHEST} do not come with medviewer. "
            f"Read where they come from and fetch them with: medviewer plugin fetch {CHEST}"
        )
        run.picture(session, "chest.png", "the chest radiograph")
        return
    run.tell(f"Running {CHEST} ...")
    result = result_of(run.services, predicting.submit(run.services, case.image, case.series, CHEST, device=run.device))
    assert isinstance(result, Classification)  # its manifest says classify
    answer = run.path("chest.json")
    run.results[CHEST] = save_classification(result, answer)
    numbers = ", ".join(f"{name} {probability:.2f}" for name, probability in result.probabilities.items())
    run.tell(f"{numbers} ({result.provenance.label}). {' '.join(result.notes)}".strip())
    run.tell(f"Wrote {answer.name}: the answer")
    heat = _explain(run, case, CHEST, "chest.heatmap.nii.gz")
    session = session_of(case, None, heat)
    session.classification = result
    run.picture(session, "chest.png", "the chest radiograph with what moved the answer")


def _explain(run: _Demo, case: Case, plugin: str, name: str) -> Path:
    from medviewer.app.commands import explain as explaining

    run.tell(f"Explaining {plugin} ...")
    job = explaining.submit(run.services, case.image, case.series, plugin, method="gradcam", device=run.device)
    path = run.path(name)
    data = save_heatmap(result_of(run.services, job), path)
    run.results[f"{plugin} heat map"] = data
    run.tell(f"Wrote {name}: {data['method']} of {data['target']}")
    return path


def _save_summary(run: _Demo) -> dict[str, Any]:
    """Write summary.json and summary.txt; returns the former's content."""
    from medviewer.formats.atomic import replacing

    files = [*run.files, "summary.json", "summary.txt"]
    summary = {
        "medviewer": __version__,
        "intended_use": NOTICE,
        "folder": str(run.out),
        "files": files,
        "results": run.results,
        "left_out": run.left_out,
    }
    lines = [*run.told, "", "Files:", *(f"  {name}" for name in files)]
    for name, text in (("summary.json", json.dumps(summary, indent=2)), ("summary.txt", "\n".join(lines))):
        with replacing(run.out / name) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    run.tell(f"Wrote summary.json and summary.txt. Everything is in {run.out}")
    return summary
