"""Run a plugin on many series, one after the other: a row a case, resumable, and nothing of it in the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from medviewer import formats
from medviewer.app.case_table import CaseRow, CaseTable
from medviewer.app.commands import predict
from medviewer.app.commands.batch_places import Place
from medviewer.app.commands.batch_results import Keep, columns_of, filled, keep_in_archive
from medviewer.app.run_choice import RunChoice
from medviewer.domain.image import Image
from medviewer.domain.provenance import utc_now
from medviewer.domain.study import Patient, ScanResult, Series, Study
from medviewer.errors import InputError, JobCancelled, JobError, MedviewerError, UnsuitableImageError
from medviewer.inference.suitability import check_suitable
from medviewer.jobs import Job
from medviewer.plugin_api import Manifest

if TYPE_CHECKING:
    from medviewer.app.services import Services

_AT_ONCE = 20
"""Cases that need no job and are done before the window gets a word in."""


class Batch:
    """One plugin on many series. It belongs to the home thread, and goes on from the ends of its jobs.

    Parameters
    ----------
    places
        Where the series come from, in order.
    table
        Where rows go; None keeps them in `rows` only.
    keep
        What becomes of a result; None keeps it in the archive, with its series.
    again
        Whether cases run that the table has already.
    people
        Whether rows tell the patient's name and ID.
    """

    changed = Signal()
    finished = Signal()

    def __init__(
        self,
        services: Services,
        plugin_id: str,
        places: Sequence[Place],
        keep: Keep | None = None,
        *,
        table: CaseTable | None = None,
        choice: RunChoice | None = None,
        again: bool = False,
        people: bool = False,
    ) -> None:
        plugin = services.plugin(plugin_id)
        assert plugin.manifest is not None
        if plugin.manifest.inputs.channel_count > 1:
            raise InputError(
                f"{plugin.manifest.name} looks at several series together, which only you can choose; run it case by "
                "case."
            )
        version, _ = predict.active_weights(services, plugin, choice.version if choice and choice.version else None)
        self.manifest: Manifest = plugin.manifest
        self.version = version
        self.rows: list[CaseRow] = []
        self.skipped = 0
        self.error: MedviewerError | None = None
        self.done = False
        self.cancelled = False
        self.job: Job[Any] | None = None
        self.message = ""
        self._services, self._table, self._in_archive = services, table, keep is None
        self._keep = keep or keep_in_archive(services)
        self._choice, self._again, self._people = choice or RunChoice(), again, people
        self.places, self._at = tuple(places), 0
        self._cases: list[tuple[Study, Series]] = []
        self._here = 0
        self._began = time.monotonic()

    # -- what can be asked of it

    @property
    def fraction(self) -> float:
        """How far it is, 0 to 1; a place counts as one, and the cases of the present one as parts of it."""
        if self.done:
            return 1.0
        inside = 0.0 if not self._here else 1 - len(self._cases) / self._here
        return min(1.0, (max(0, self._at - 1) + inside) / max(1, len(self.places)))

    @property
    def left_s(self) -> float | None:
        """Seconds that are left at the present pace; None before that can be told."""
        ran = [row for row in self.rows if row.status != "refused"]
        if self.done or not ran or self.fraction < 0.01:
            return None
        return (time.monotonic() - self._began) * (1 - self.fraction) / self.fraction

    def start(self) -> Batch:
        """Begin."""
        self._go_on()
        return self

    def cancel(self) -> None:
        """Stop; rows that are written stay, and the case that is under way gets none."""
        self.cancelled = True
        if self.job is not None:
            self.job.cancel()

    # -- its way

    def _go_on(self) -> None:
        """Begin what comes next; what needs no job is done at once, with a pause now and then for the window."""
        steps = 0
        while not self.done and self.job is None:
            steps += 1
            if self.cancelled or self.error is not None:
                self._end()
            elif steps > _AT_ONCE:
                self._guard(self._pause, self._lost)
            elif self._cases:
                study, series = self._cases.pop(0)
                self._guard(partial(self._begin, study, series), partial(self._missed, study, series))
            elif self._at < len(self.places):
                place = self.places[self._at]
                self._guard(partial(self._open, place), partial(self._unread, place))
            else:
                self._end()

    def _guard(self, step: Callable[[], None], failed: Callable[[MedviewerError], None]) -> None:
        """Begin a step; one that cannot begin is told, and never leaves the rest standing."""
        try:
            step()
        except JobError as error:  # the program closes: no other one could begin either
            self._lost(error)
        except MedviewerError as error:
            failed(error)

    def _pause(self) -> None:
        self._follow(self._services.runner.submit(lambda _: None, title=""), lambda _: None, self._lost)

    def _lost(self, error: MedviewerError) -> None:
        self.error = error

    def _missed(self, study: Study, series: Series, error: MedviewerError) -> None:
        """A case that could not begin; it names no patient, for that may be what failed."""
        about = CaseRow(series.uid, study.uid, modality=series.modality, description=series.description)
        made = self.manifest
        self._tell(replace(about, reason=str(error), plugin=made.id, plugin_version=made.version, created=utc_now()))

    def _unread(self, place: Place, error: MedviewerError) -> None:
        self._tell(self._row_of_place(place, str(error)))

    def _end(self) -> None:
        self.done, self.job, self.message = True, None, ""
        self.changed.emit()
        self.finished.emit()

    def _open(self, place: Place) -> None:
        self._at += 1
        self._here = 0
        self.message = place.title

        def found(result: ScanResult) -> None:
            pairs = [(study, one) for study in result.studies for one in study.series]
            self._cases = [pair for pair in pairs if not place.only or {pair[1].uid, pair[1].instance_uid} & place.only]
            self._here = len(self._cases)
            if not self._here:
                first = result.warnings[0].text if result.warnings else "No image was found there."
                self._tell(self._row_of_place(place, first))
            elif self._table is not None:
                self._table.drop(self._row_of_place(place, ""))  # it failed once, and is there now

        self._follow(self._services.runner.submit(place.scan, title=""), found, partial(self._unread, place))

    def _begin(self, study: Study, series: Series) -> None:
        row = self._row(study, series)
        if self._table is not None and not self._again and self._table.has(row):
            self.skipped += 1
            self.changed.emit()
            return
        self.message = series.description or series.modality
        why_not = _obstacle(self.manifest, series)
        if why_not:
            self._tell(replace(row, status="refused", reason=why_not))
            return
        began = time.monotonic()

        def loaded(image: Image) -> None:
            self._run(row, series, image, began)

        def failed(error: MedviewerError) -> None:
            self._tell(replace(row, reason=str(error), seconds=time.monotonic() - began))

        load = self._services.runner.submit(
            lambda context: formats.load(series, context.report, context.cancelled), title=""
        )
        self._follow(load, loaded, failed)

    def _run(self, row: CaseRow, series: Series, image: Image, began: float) -> None:
        def took() -> float:
            return round(time.monotonic() - began, 3)

        def found(result: predict.Prediction) -> None:
            try:
                output = self._keep(series, result)
            except MedviewerError as error:
                self._tell(replace(row, reason=str(error), seconds=took()))
                return
            found = filled(self._services, row, result, columns_of(self.manifest))
            self._tell(replace(found, seconds=took(), output=output))

        def failed(error: MedviewerError) -> None:
            refused = isinstance(error, UnsuitableImageError)
            self._tell(replace(row, status="refused" if refused else "failed", reason=str(error), seconds=took()))

        try:
            job = predict.submit(
                self._services,
                image,
                series,
                self.manifest.id,
                choice=self._choice,
                version=self.version,
                kept=self._in_archive,
            )
        except MedviewerError as error:
            failed(error)
            return
        self._follow(job, found, failed)

    def _follow(self, job: Job[Any], then: Callable[[Any], None], failed: Callable[[MedviewerError], None]) -> None:
        """Wait for a job; what comes after it is begun from its end."""

        def over() -> None:
            self.job = None
            error = job.error
            if error is not None and not (self.cancelled and isinstance(error, JobCancelled)):
                failed(error)  # one that was stopped elsewhere, on the plugin's card, is one case and not all of them
            elif error is None and not self.cancelled:
                self._guard(partial(then, job.result()), failed)
            self._go_on()

        self.job = job
        job.finished.connect(over)
        job.progressed.connect(self._progressed)
        self.changed.emit()

    def _progressed(self, *_: object) -> None:
        self.changed.emit()

    # -- rows

    def _tell(self, row: CaseRow) -> None:
        self.rows.append(row)
        if self._table is not None:
            try:
                self._table.add(row)
            except MedviewerError as error:  # without its table there is no sense in going on
                self.error = error
        self.changed.emit()

    def _row_of_place(self, place: Place, reason: str) -> CaseRow:
        return CaseRow(place.title, reason=reason, plugin=self.manifest.id, plugin_version=self.manifest.version)

    def _row(self, study: Study, series: Series) -> CaseRow:
        return CaseRow(
            series.uid,
            study.uid,
            self._patient(study.patient, study.uid),
            series.modality,
            series.description,
            plugin=self.manifest.id,
            plugin_version=self.manifest.version,
            model_version=self.version,
            created=utc_now(),
            person={"patient_name": study.patient.name, "patient_id": study.patient.id} if self._people else {},
        )

    def _patient(self, patient: Patient, study_uid: str) -> str:
        from medviewer.archive.patient_key import patient_key

        return patient_key(self._services.archive.home, patient.id, study_uid)[:16]


def _obstacle(manifest: Manifest, series: Series) -> str:
    """Why a series is not for this plugin, as far as its header says; empty when it may be."""
    blank = np.broadcast_to(np.zeros((), np.int16), series.grid.shape)  # takes no memory; its values are not looked at
    try:
        check_suitable(manifest, Image(blank, series.grid, series.modality), series)
    except UnsuitableImageError as error:
        return str(error)
    return ""
