"""What stands on a report's page beside its text, out of the archive and the open study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from medviewer.app.commands import measured
from medviewer.app.commands.masks import ALGORITHM
from medviewer.app.controllers.measures import where_of
from medviewer.app.controllers.texts import age_of, person
from medviewer.app.doubt_text import doubt_text, no_answer, warnings_of
from medviewer.domain.measure.follow_up import OTHERS, RESPONSES, overall
from medviewer.domain.measure.measurement import TITLES, Measurement
from medviewer.domain.measure.target_table import TargetTable
from medviewer.domain.measure.values import Value, format_number, percent_text, summary, with_sign, with_unit
from medviewer.domain.report import Report
from medviewer.reporting.page import Answer, KeyEntry, Page, Table

if TYPE_CHECKING:
    # They load the database, which commands that only read files do without.
    from medviewer.app.services import Services
    from medviewer.archive import Archive
    from medviewer.domain.mask import Segmentation
    from medviewer.domain.provenance import Provenance
    from medviewer.domain.study import Study


def gatherer(services: Services, study: Study, report: Report, title: str) -> Callable[[], Page]:
    """What collects the page; the slow part, the volumes of masks, on any thread.

    Parameters
    ----------
    study
        Whose report it is; its series are those that are listed.
    report
        What the reader says beside the targets is in it.
    title
        What the page is called.
    """
    session, archive = services.session, services.archive
    kept = archive.measurements.of_studies([study.uid])
    found = measured.compare(services, study.uid)
    known = {series.uid: f"{series.modality} {series.description}".strip() for series in study.series}
    rows = tuple(_measured_row(one.measurement, one.values, where_of(session, one.measurement)) for one in kept)
    keys = tuple(
        KeyEntry(one.uid, "  ".join(filter(None, (one.place, known.get(one.series_uid, "")))), one.note)
        for one in archive.measurements.key_images_of(study.uid)
    )
    page = Page(
        title=title,
        header=header_of(study, found.prior.date if found.prior is not None else ""),
        measured=Table(("Name", "Kind", "Value", "Where"), rows),
        changes=changes_table(found),
        targets=targets_table(found.table, report),
        keys=keys,
    )
    names = dict(session.plugin_names)
    return lambda: replace(page, answers=_answers(archive, known, names))


def header_of(study: Study, prior: str = "") -> tuple[tuple[str, str], ...]:
    """Patient and study, as the report's head has them; what the file does not say is left out."""
    patient = study.patient
    series = ", ".join(dict.fromkeys(one.modality for one in study.series if one.modality))
    rows = (
        ("Name", person(patient.name)),
        ("Patient ID", patient.id),
        ("Born", patient.birth_date),
        ("Age at study", age_of(study)),
        ("Sex", patient.sex),
        ("Study date", study.date),
        ("Study", study.description),
        ("Modality", series),
        ("Accession", study.accession),
        ("Compared with", prior),
    )
    return tuple((name, value) for name, value in rows if value)


def changes_table(found: measured.FollowUp) -> Table:
    """Each lesion before and now; what is only suggested is left out."""
    if found.prior is None:
        return Table()
    rows = []
    for change in found.changes:
        now, before, difference = change.now.main, None, change.difference
        if not change.confirmed or now is None:
            continue
        before = change.prior.main if change.prior is not None else None
        told = signed(difference) if difference is not None else "new" if change.is_new else ""
        if before is None and not change.is_new:
            told = "no prior"
        part = percent_text(change.percent) if change.percent is not None else ""
        rows.append((change.now.measurement.title, before.text if before is not None else "–", now.text, told, part))
    head = ("Lesion", f"Before ({found.prior.date})", "Now", "Change", "%")
    return Table(head, tuple(rows), numbers=(1, 2, 3, 4))


def targets_table(table: TargetTable, report: Report) -> Table:
    """The targets at all time points, their sums, and the response."""
    if not table.rows:
        return Table()
    rows = [
        (
            f"{row.title} (node)" if row.node else row.title,
            row.organ,
            *("–" if mm is None else f"{mm:.1f}" for mm in row.mm),
        )
        for row in table.rows
    ]
    rows.append(("Sum of diameters", "", *(f"{mm:.1f}" for mm in table.sums)))
    if len(table.dates) > 1:
        rows.append(("Change to baseline", "", *(_part(part) for part in table.from_baseline)))
        rows.append(("Change to nadir", "", *(_part(part) for part in table.from_nadir)))
        said = ("baseline", *(response or "NE" for response in table.responses[1:]))
        rows.append(("Response of the targets", "", *said))
    head = ("Target, mm", "Organ", *(_dated(table, k) for k in range(len(table.dates))))
    lines = (*_response(table, report), *table.notes)
    return Table(head, tuple(rows), lines, tuple(range(2, len(head))))


def signed(difference: Value) -> str:
    """A change with its sign and unit: ``+2.0 mm``."""
    return with_unit(with_sign(format_number(difference)), difference.unit)


def _response(table: TargetTable, report: Report) -> tuple[str, ...]:
    if len(table.dates) < 2 or not table.current:
        return ()
    targets = table.responses[-1]
    whole = overall(targets, report.others, report.new_lesions)
    lines = [f"Targets: {_named(targets)}"]
    lines.append(f"Other lesions: {OTHERS[report.others]}. New lesions: {'yes' if report.new_lesions else 'no'}.")
    lines.append(f"Overall response (RECIST 1.1): {_named(whole)}")
    return tuple(lines)


def _named(response: str | None) -> str:
    found = next((text for key, text in RESPONSES.items() if key == response), "")
    return f"{response}, {found}" if found else "NE, not evaluable"


def _part(part: float | None) -> str:
    return "" if part is None else percent_text(part)


def _dated(table: TargetTable, k: int) -> str:
    what = "baseline" if k == 0 else "nadir" if k == table.nadir and k < len(table.dates) - 1 else ""
    return f"{table.dates[k] or 'no date'} {what}".strip()


def _measured_row(m: Measurement, values: Sequence[Value], where: tuple[str, str]) -> tuple[str, str, str, str]:
    told = "; ".join(summary(replace(m, label="", text=""), values))
    name = m.label or m.text
    role = " (target node)" if m.target and m.node else " (target)" if m.target else ""
    return f"{name}{role}".strip(), TITLES[m.kind], told, "  ".join(part for part in where if part)


def _answers(archive: Archive, series: dict[str, str], names: dict[str, str]) -> tuple[Answer, ...]:
    """What models said of the series of a study, the newest answer of each; with doubt and flags, never without."""
    found = []
    for uid, title in series.items():
        results = archive.results
        for said in results.classifications_for(uid)[:1]:
            lines = tuple(f"{name} {part:.0%}".replace("%", " %") for name, part in said.probabilities.items())
            answer = no_answer(said)
            shown = (f"No answer. {answer.removeprefix('No answer: ')}",) if answer else (", ".join(lines),)
            found.append(_answer(said.provenance, names, title, shown, said.notes))
        for boxes in results.detections_for(uid)[:1]:
            listed = tuple(f"{one.label} {one.score:.2f}" for one in boxes.found) or ("nothing found",)
            found.append(_answer(boxes.provenance, names, title, listed))
        for record in archive.masks.masks_for(uid)[:1]:
            if record.provenance.plugin_id:
                mask = archive.masks.load_mask(record.id)
                corrected = record.provenance.author != ALGORITHM
                lines = (*_volumes(mask), *(("corrected by hand",) if corrected else ()))
                found.append(_answer(record.provenance, names, title, lines))
    return tuple(found)


def _answer(
    made: Provenance, names: dict[str, str], series: str, lines: Sequence[str], notes: Sequence[str] = ()
) -> Answer:
    plugin = names.get(made.plugin_id, made.plugin_id)
    who = f"{plugin}, model {made.model_version}" if made.model_version else plugin
    when = made.created[:16].replace("T", " ")
    title = "  ".join(part for part in (who, f"on {series}" if series else "", when) if part)
    flags = warnings_of(made.doubt, (*made.notes, *notes))
    return Answer(title, tuple(lines), f"Confidence: {doubt_text(made.doubt)}", flags)


def _volumes(mask: Segmentation) -> tuple[str, ...]:
    told = [f"{one.name} {mask.volume_ml(one.label):.1f} ml" for one in mask.segments]
    return (", ".join(told),) if told else ("no structure found",)
