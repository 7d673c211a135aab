"""Patient and study of a study, as the objects that are made of it need them: from its files, or as it was scanned."""

from __future__ import annotations

import pydicom
from pydicom import Dataset
from pydicom.uid import UID, generate_uid

from medviewer.domain.study import Study
from medviewer.formats.dicom.measurement_places import REQUIRED
from medviewer.formats.dicom.quiet import quiet


def study_header(study: Study) -> tuple[Dataset, bool]:
    """Header of one of the study's DICOM files, and whether there is one; else what is known of the study.

    Attributes that a new object copies are all there, and may be empty.
    """
    for series in study.series:
        if series.reader == "dicom":
            for path in series.files:
                if path.is_file():
                    with quiet():
                        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
                    return _filled(dataset), True
    made = Dataset()
    patient = study.patient
    made.StudyInstanceUID = study.uid if UID(study.uid).is_valid else generate_uid(entropy_srcs=["study", study.uid])
    made.PatientID, made.PatientName = patient.id, patient.name
    made.PatientBirthDate = patient.birth_date.replace("-", "")
    made.PatientSex = patient.sex if patient.sex in ("M", "F", "O") else ""
    made.AccessionNumber, made.StudyDate = study.accession, study.date.replace("-", "")
    # of a secondary capture: highdicom looks up which attributes an object of that kind has, to copy them
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.SOPInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    return _filled(made), False


def _filled(dataset: Dataset) -> Dataset:
    for keyword in REQUIRED:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    return dataset
