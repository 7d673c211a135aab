"""Commands that run a plugin on an image: what it sees, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report, report_json, say
from medviewer.cli.options import DEVICE, JSON, OUTPUT, PLUGIN, SERIES, SOURCE, Device
from medviewer.cli.reading import IMAGE_NAMES, MASK_NAMES, Case, check_output, opened_services, read, result_of, stem
from medviewer.errors import NotFoundError

if TYPE_CHECKING:
    from medviewer.domain.finding import Classification
    from medviewer.domain.heatmap import Heatmap
    from medviewer.domain.mask import Segmentation
    from medviewer.domain.provenance import Provenance
    from medviewer.plugin_api import Manifest

TARGET = Annotated[
    str | None,
    typer.Option("--target", metavar="LABEL", help="The label that is explained; by default the model's own answer."),
]


def predict(
    path: SOURCE,
    plugin: PLUGIN,
    output: OUTPUT,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="METHOD", help="Also write FILE's name + .heatmap.nii.gz, e.g. gradcam."),
    ] = None,
    device: DEVICE = Device.AUTO,
    series: SERIES = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="VERSION", help="A model version other than the active one.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Run a plugin on a series and save what it found.

    A segmentation is saved as DICOM SEG (.dcm) or NIfTI (.nii.gz, .nii), a classification as .json. Every result
    names plugin, model version and input. Research use only; not for diagnosis.
    """
    from medviewer.app.commands import explain as explaining
    from medviewer.app.commands import predict as predicting
    from medviewer.domain.mask import Segmentation

    with opened_services() as services:
        manifest = services.plugin(plugin).manifest
        assert manifest is not None
        check_output(output, MASK_NAMES if "segment" in manifest.kinds else (".json",))
        case = read(path, series, manifest)
        job = predicting.submit(services, case.image, case.series, plugin, device=device, version=model)
        reasons = None
        if explain is not None:  # asked for at once, so that a wrong method is told before the network runs
            reasons = explaining.submit(
                services, case.image, case.series, plugin, method=explain, device=device, version=model
            )
        result = result_of(services, job)
        if isinstance(result, Segmentation):
            data = save_segmentation(result, output, case)
        else:
            data = save_classification(result, output)
        if reasons is not None:
            heat = output.with_name(f"{stem(output)}.heatmap.nii.gz")
            data |= {"heatmap": save_heatmap(result_of(services, reasons), heat)}
    if as_json:
        report_json(data)
        return
    _report(data)


def explain(
    path: SOURCE,
    plugin: PLUGIN,
    method: Annotated[str, typer.Option("--method", metavar="M", help="The way to explain, for example gradcam.")],
    output: OUTPUT,
    target: TARGET = None,
    device: DEVICE = Device.AUTO,
    series: SERIES = None,
    as_json: JSON = False,
) -> None:
    """Show what moved a plugin's answer.

    Writes a heat map on the image's own grid, 0 to 1, as NIfTI (.nii.gz or .nii), with method, target and model
    version in its header.
    """
    from medviewer.app.commands import explain as explaining

    with opened_services() as services:
        check_output(output, IMAGE_NAMES)
        manifest = services.plugin(plugin).manifest
        assert manifest is not None
        label = None if target is None else _label(manifest, target)
        case = read(path, series, manifest)
        job = explaining.submit(services, case.image, case.series, plugin, method=method, label=label, device=device)
        data = save_heatmap(result_of(services, job), output)
    if as_json:
        report_json(data)
        return
    report(f"{data['method']} of {data['target']}, {plugin}, model {data['provenance']['model_version']}")
    report(f"Wrote {output}")


def save_segmentation(mask: Segmentation, output: Path, case: Case) -> dict[str, Any]:
    """Write a mask as DICOM SEG or NIfTI; returns what there is to report."""
    from medviewer import formats

    formats.save_segmentation(mask, output, case.series)
    rows = [{"label": s.label, "name": s.name, "volume_ml": mask.volume_ml(s.label)} for s in mask.segments]
    return {"series_uid": mask.series_uid, "output": str(output), "segments": rows, **_origin(mask.provenance)}


def save_classification(result: Classification, output: Path) -> dict[str, Any]:
    """Write probabilities as JSON; returns what there is to report, which is what was written."""
    import json

    from medviewer.formats.atomic import replacing

    data = {
        "series_uid": result.series_uid,
        "output": str(output),
        "probabilities": result.probabilities,
        "intended_use": "Research use only; not for diagnosis.",
        **_origin(result.provenance),
    }
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return data


def save_heatmap(heatmap: Heatmap, output: Path) -> dict[str, Any]:
    """Write a heat map as NIfTI; returns what there is to report."""
    from medviewer import formats

    formats.save_heatmap(heatmap, output)
    data = {"output": str(output), "method": heatmap.method, "target": heatmap.target}
    return {"series_uid": heatmap.series_uid, **data, **_origin(heatmap.provenance)}


def _origin(provenance: Provenance) -> dict[str, Any]:
    return {"notes": list(provenance.notes), "provenance": provenance.to_json()}


def _report(data: dict[str, Any]) -> None:
    for row in data.get("segments", ()):
        report(f"{row['name']}: {row['volume_ml']:.1f} ml")
    for name, probability in data.get("probabilities", {}).items():
        report(f"{name}: {probability:.3f}")
    made = data["provenance"]
    report(f"By {made['plugin_id']}, model {made['model_version']}, on {made['device']}")
    for note in data["notes"]:
        say(f"Note: {note}")
    report(f"Wrote {data['output']}")
    if "heatmap" in data:
        report(f"Wrote {data['heatmap']['output']}")


def _label(manifest: Manifest, name: str) -> int:
    """The index of a declared label by its name, in any case."""
    names = [spec.name for spec in manifest.outputs.labels]
    for index, known in enumerate(names):
        if known.lower() == name.lower():
            return index
    raise NotFoundError(f"{manifest.name} has no label {name!r}; its labels are: {', '.join(names)}.")
