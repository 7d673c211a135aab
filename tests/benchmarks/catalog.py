"""Time the search of a catalogue of made-up studies as somebody types whole names, letter by letter.

    python tests/benchmarks/catalog.py [--studies 10000] [--names 60] [--json] [--keep FOLDER]

Every keystroke asks for the first page and the count of all matches, as the list of studies does. Names are made up.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from medviewer.archive import Archive
from medviewer.archive.catalog import Query, State
from medviewer.domain.geometry import Grid
from medviewer.domain.study import Patient, Series, Study

TARGET_MS = 50.0
_FAMILY = [
    "Arden", "Bellweather", "Corvin", "Dunmore", "Ellery", "Fennimore", "Garrick", "Hollin", "Ibsley", "Jorvik",
    "Kestrel", "Lindqvist", "Marchetti", "Nakamura", "Ostrander", "Pellerin", "Quillon", "Rosewater", "Söderholm",
    "Tremaine", "Ullmann", "Vandermeer", "Wexford", "Yarrow", "Zelenka", "Abelard", "Brünn", "Castellane", "Dorian",
]  # fmt: skip
_GIVEN = [
    "Ada", "Bruno", "Clara", "Dario", "Elin", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Katja", "Leo", "Mira",
    "Nils", "Olga", "Pavel", "Quentin", "Rosa", "Stefan", "Tilda", "Ugo", "Vera", "Wanda", "Xenia", "Yuri", "Zoë",
]  # fmt: skip
_KINDS = {
    "CT": ("Head CT", ("Scout", "Axial 5 mm", "Bone 1 mm", "Coronal MPR")),
    "MR": ("Brain MR", ("Localizer", "T1", "T2 FLAIR", "DWI b1000")),
    "CR": ("Chest PA", ("PA", "Lateral")),
    "US": ("Abdomen US", ("Liver", "Kidneys")),
    "PT": ("Whole body PET", ("AC", "NAC", "CT low dose")),
}
_TAGS = ("teaching", "follow-up", "trial A", "second look", "quality")


def made_up(count: int, seed: int = 7) -> tuple[Study, ...]:
    """That many studies of about three quarters as many patients, four series each; no file is there."""
    draw = random.Random(seed)
    people = [
        Patient(
            f"ID-{k:06d}",
            f"{draw.choice(_FAMILY)}^{draw.choice(_GIVEN)}^{draw.choice('ABCDEFG')}",
            f"{draw.randint(1930, 2018)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}",
            draw.choice("MF"),
        )
        for k in range(max(1, count * 3 // 4))
    ]
    return tuple(_study(draw, draw.choice(people), k) for k in range(count))


def _study(draw: random.Random, patient: Patient, k: int) -> Study:
    modality = draw.choice(list(_KINDS))
    description, names = _KINDS[modality]
    day = f"{draw.randint(2009, 2024)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
    root = f"1.2.826.0.1.3680043.8.498.{k}"
    series = tuple(
        Series(
            f"{root}.{n}",
            modality,
            names[n % len(names)],
            Grid((draw.randint(20, 300), 512, 512)),
            (Path(f"/archive/{k // 100}/{k}/{n}.dcm"),),
            "dicom",
            n + 1,
        )
        for n in range(4)
    )
    return Study(root, day, description, patient, series, f"ACC{k:07d}")


def fill(archive: Archive, studies: tuple[Study, ...], seed: int = 8) -> None:
    """Put studies into a catalogue, with states and tags, in one transaction: no file is looked at."""
    from medviewer.archive.catalog import rows
    from medviewer.archive.catalog.paths import Known
    from medviewer.archive.tables import StudyRow, TagRow

    draw = random.Random(seed)
    with archive.session() as session:
        for k, study in enumerate(studies):
            row, _ = rows.study_row(session, study, f"2026-01-01T{k // 3600:02d}:{k // 60 % 60:02d}:{k % 60:02d}+00:00")
            assert isinstance(row, StudyRow)
            for series in study.series:
                files = [Known(file, 1000, 0) for file in series.files]
                rows.series_row(session, row.number, series, files, alone=True)
            row.state = draw.choices(list(State), (6, 3, 1, 2))[0].value
            session.add_all(
                [TagRow(study=row.number, tag=tag) for tag in draw.sample(_TAGS, draw.choice((0, 0, 1, 2)))]
            )
            session.flush()
            rows.sum_up(session, row)


def keystrokes(archive: Archive, words: list[str], **more: str) -> list[float]:
    """Milliseconds of each keystroke while words are typed."""
    spent = []
    for word in words:
        for end in range(1, len(word) + 1):
            start = time.perf_counter()
            archive.catalog.page(Query(word[:end], **more))
            spent.append(1000 * (time.perf_counter() - start))
    return spent


def row(name: str, spent: list[float]) -> dict[str, float | str | bool]:
    """One line of the table."""
    ordered = sorted(spent)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return {
        "what": name,
        "n": len(spent),
        "p50_ms": round(statistics.median(spent), 2),
        "p95_ms": round(p95, 2),
        "max_ms": round(ordered[-1], 2),
        "within": ordered[-1] <= TARGET_MS,
    }


def measured(archive: Archive, studies: tuple[Study, ...], names: int) -> list[dict[str, float | str | bool]]:
    """The table."""
    draw = random.Random(9)
    chosen = draw.sample(studies, min(names, len(studies)))
    people = [study.patient.name.replace("^", " ") for study in chosen]
    letters = [chr(k) for k in range(ord("a"), ord("z") + 1)] + list("0123456789")
    pages = []
    for offset in range(0, len(studies), 200):
        start = time.perf_counter()
        archive.catalog.search(limit=200, offset=offset)
        pages.append(1000 * (time.perf_counter() - start))
    return [
        row("whole names, letter by letter", keystrokes(archive, people)),
        row("the first letter alone", keystrokes(archive, letters)),
        row("IDs", keystrokes(archive, [study.patient.id for study in chosen[:10]])),
        row("dates", keystrokes(archive, [study.date for study in chosen[:10]])),
        row(
            "names, MR of 2015 on, new", keystrokes(archive, people[:20], modality="MR", state="new", date_from="2015")
        ),
        row("nothing typed, every page", pages),
    ]


def main() -> int:
    """Fill a catalogue, measure, and tell. Exit code 1 where a keystroke took longer than the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--names", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, help="fill the archive in this folder, and leave it there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Archive.open(options.keep or Path(scratch)) as archive:
        studies = made_up(options.studies)
        start = time.perf_counter()
        fill(archive, studies)
        filled = time.perf_counter() - start
        table = measured(archive, studies, options.names)
    if options.json:
        sys.stdout.write(json.dumps({"studies": options.studies, "fill_s": round(filled, 1), "rows": table}) + "\n")
    else:
        sys.stdout.write(f"{options.studies} studies, {4 * options.studies} series, filled in {filled:.1f} s\n")
        for line in table:
            sys.stdout.write(
                f"{line['what']:32} n={line['n']:5} p50 {line['p50_ms']:7.2f}  p95 {line['p95_ms']:7.2f}  "
                f"max {line['max_ms']:7.2f} ms  {'ok' if line['within'] else 'TOO SLOW'}\n"
            )
    return 0 if all(line["within"] for line in table) else 1


if __name__ == "__main__":
    raise SystemExit(main())
