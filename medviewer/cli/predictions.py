"""Commands that run a plugin on an image: what it sees, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medviewer.cli.console import report, report_json, say
from medviewer.cli.options import (
    CHANNEL,
    DEVICE,
    ENSEMBLE,
    JSON,
    OUTPUT,
    PLUGIN,
    SAMPLES,
    SERIES,
    SET,
    SOURCE,
    TTA,
    UNCERTAINTY,
    Device,
    Thorough,
)
from medviewer.cli.reading import IMAGE_NAMES, MASK_NAMES, Case, check_output, opened_services, read, result_of, stem
from medviewer.errors import NotFoundError

if TYPE_CHECKING:
    from medviewer.app.run_choice import RunChoice
    from medviewer.app.services import Services
    from medviewer.domain.finding import Classification, Detections
    from medviewer.domain.heatmap import Heatmap
    from medviewer.domain.mask import Segmentation
    from medviewer.domain.provenance import Provenance
    from medviewer.inference.preparing.channels import Channel
    from medviewer.plugin_api import Manifest

TARGET = Annotated[
    str | None,
    typer.Option("--target", metavar="LABEL", help="The label that is explained; by default the model's own answer."),
]


def predict(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...", help="A folder, file, DICOMDIR or ZIP archive with images; with --table many."
        ),
    ] = None,
    plugin: Annotated[
        str, typer.Option("--plugin", "-p", metavar="ID", help="The plugin; `medviewer plugin list` shows them.")
    ] = ...,  # type: ignore[assignment]  # an option without a default, behind an argument that has one
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write; with --table a folder.")
    ] = ...,  # type: ignore[assignment]  # as above
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="METHOD", help="Also write FILE's name + .heatmap.nii.gz, e.g. gradcam."),
    ] = None,
    device: DEVICE = Device.AUTO,
    series: SERIES = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="VERSION", help="A model version other than the active one.")
    ] = None,
    parameters: SET = None,
    tta: TTA = Thorough.OFF,
    samples: SAMPLES = 0,
    uncertainty: UNCERTAINTY = False,
    ensemble: ENSEMBLE = None,
    channels: CHANNEL = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table", metavar="FILE", help="Run on every series of every PATH: a row a case in .csv or .json."
        ),
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="With --table: paths, one a line, a tab and a series UID after it."
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="With --table: run cases that are done, too.")] = False,
    names: Annotated[bool, typer.Option("--names", help="With --table: patients' names and IDs in the table.")] = False,
    as_json: JSON = False,
) -> None:
    """Run a plugin on a series, or on many, and save what it found.

    A segmentation is saved as DICOM SEG (.dcm) or NIfTI (.nii.gz, .nii), a classification or detections as .json.
    Every result names plugin, model version, input and doubt. With --table, output is a folder, and a run that was
    stopped goes on. Research use only; not for diagnosis.
    """
    from medviewer.cli.choosing import channels_of, choice_of

    with opened_services() as services:
        manifest = services.plugin(plugin).manifest
        assert manifest is not None
        choice = choice_of(manifest, parameters, tta, samples, uncertainty, ensemble)
        choice = replace(choice, device=device.value, version=model or "")
        if table is not None:
            from medviewer.cli import many

            asked = many.Asked(tuple(paths or ()), listed, table, output, again, names)
            many.predict_many(services, plugin, asked, choice, as_json)
            return
        path = _only_path(paths, listed, again, names)
        check_output(output, MASK_NAMES if "segment" in manifest.kinds else (".json",))
        case = read(path, series, manifest)
        others = channels_of(manifest, channels)
        data = _one(services, case, plugin, output, choice, others, explain)
    if as_json:
        report_json(data)
        return
    _report(data)


def _only_path(paths: list[Path] | None, listed: Path | None, again: bool, names: bool) -> Path:
    if listed is not None or again or names:
        raise typer.BadParameter("--list, --again and --names belong to --table.", param_hint="--table")
    if not paths or len(paths) > 1:
        raise typer.BadParameter("one PATH is needed; several run with --table.", param_hint="PATH")
    return paths[0]


def _one(
    services: Services,
    case: Case,
    plugin: str,
    output: Path,
    choice: RunChoice,
    others: Mapping[str, Channel] | None,
    explain: str | None,
) -> dict[str, Any]:
    """Run on one series, and write what was found."""
    from medviewer.app.commands import explain as explaining
    from medviewer.app.commands import predict as predicting
    from medviewer.domain.finding import Detections
    from medviewer.domain.mask import Segmentation

    job = predicting.submit(services, case.image, case.series, plugin, choice=choice, others=others)
    reasons = None
    if explain is not None:  # asked for at once, so that a wrong method is told before the network runs
        version = choice.version or None
        reasons = explaining.submit(
            services, case.image, case.series, plugin, method=explain, device=choice.device, version=version
        )
    result = result_of(services, job)
    if isinstance(result, Segmentation):
        data = save_segmentation(result, output, case)
        maps = [save_heatmap(one, _beside(output, one.method)) for one in result.uncertainty]
        data |= {"uncertainty": maps} if maps else {}
    elif isinstance(result, Detections):
        data = save_detections(result, output)
    else:
        data = save_classification(result, output)
    if reasons is not None:
        data |= {"heatmap": save_heatmap(result_of(services, reasons), _beside(output, "heatmap"))}
    return data


def _beside(output: Path, word: str) -> Path:
    return output.with_name(f"{stem(output)}.{word.lower().replace(' ', '-')}.nii.gz")


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


def save_detections(result: Detections, output: Path) -> dict[str, Any]:
    """Write what was found as JSON, the surest first; returns what there is to report, which is what was written."""
    from medviewer.app.commands.detections import to_json

    data = {
        "series_uid": result.series_uid,
        "output": str(output),
        "detections": to_json(result),
        "intended_use": "Research use only; not for diagnosis.",
        **_origin(result.provenance),
    }
    return _written(data, output)


def save_classification(result: Classification, output: Path) -> dict[str, Any]:
    """Write probabilities as JSON; returns what there is to report, which is what was written."""
    data = {
        "series_uid": result.series_uid,
        "output": str(output),
        "probabilities": result.probabilities,
        "abstained": result.abstained,
        "intended_use": "Research use only; not for diagnosis.",
        **_origin(result.provenance),
    }
    return _written(data, output)


def _written(data: dict[str, Any], output: Path) -> dict[str, Any]:
    """The same data, once they are in the file."""
    import json

    from medviewer.formats.atomic import replacing

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
    from medviewer.app.doubt_text import doubt_text, warnings_of
    from medviewer.domain.provenance import Provenance

    for row in data.get("segments", ()):
        report(f"{row['name']}: {row['volume_ml']:.1f} ml")
    for row in data.get("detections", ()):
        z, y, x = (round((low + high - 1) / 2) for low, high in zip(row["low"], row["high"], strict=True))
        report(f"{row['label']} {row['score']:.2f} at voxel {z}, {y}, {x}")
    if data.get("detections") == []:
        report("Nothing found.")
    for name, probability in data.get("probabilities", {}).items():
        report(f"{name}: {probability:.3f}")
    if data.get("abstained"):
        report("No answer: the figures above are not to be taken as one.")
    made = Provenance.from_json(data["provenance"])
    report(f"By {made.plugin_id}, model {made.model_version}, on {made.device}; {doubt_text(made.doubt)}")
    for note in warnings_of(made.doubt, tuple(data["notes"])):
        say(f"Note: {note}")
    for step in made.steps:
        say(f"Step: {step}")
    for written in (data, *data.get("uncertainty", ()), *([data["heatmap"]] if "heatmap" in data else [])):
        report(f"Wrote {written['output']}")


def _label(manifest: Manifest, name: str) -> int:
    """The index of a declared label by its name, in any case."""
    names = [spec.name for spec in manifest.outputs.labels]
    for index, known in enumerate(names):
        if known.lower() == name.lower():
            return index
    raise NotFoundError(f"{manifest.name} has no label {name!r}; its labels are: {', '.join(names)}.")
