"""Build the demo studies beside this script: a head MR and a chest radiograph, from images that may be passed on.

    python resources/demo/build.py --colin ch2.nii.gz [--chest RG1_UNCR.dcm]

`ch2.nii.gz` is the Colin27 average in Debian's package `mricron-data` (/usr/share/mricron/templates); the radiograph is
in the Python package `pydicom-data`, which is used when --chest is not given. The same input makes the same files.
Sources and licences: LICENSES.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless, generate_uid

from medviewer.domain.image import Image, Window
from medviewer.domain.study import Patient, Series, Study
from medviewer.formats import load, scan
from medviewer.formats.dicom.write import write_dicom_series

HERE = Path(__file__).parent


def build_colin(source: Path, folder: Path) -> None:
    """Write the head as an axial MR series, one file a slice."""
    head = load(scan([source]).series[0])
    if head.grid.axes[0, 2] < 0:
        # NIfTI runs to the patient's right and front; an axial MR's rows run to the left and its columns to the back.
        flipped = head.voxels[:, ::-1, ::-1]
        origin = head.grid.index_to_world((0, head.grid.shape[1] - 1, head.grid.shape[2] - 1))
        grid = type(head.grid)(head.grid.shape, head.grid.spacing, tuple(origin))
    else:
        flipped, grid = head.voxels, head.grid
    image = Image(flipped.astype(np.uint16), grid, "MR", windows=(Window(90, 160),))
    patient = Patient("COLIN27", "Colin27^Demo", "", "M")
    study = Study(_uid("colin27 study"), "1998-03-01", "Head MR, average of one volunteer", patient)
    series = Series(
        _uid("colin27 series"),
        "MR",
        "T1 average of 27 scans",
        grid,
        (),
        "dicom",
        number=1,
        body_part="HEAD",
        frame_of_reference=_uid("colin27 frame of reference"),
    )
    _fresh(folder)
    write_dicom_series(
        image, folder, study=study, series=series, transfer_syntax=JPEGLSLossless, attributes=_mr_attributes()
    )


def _mr_attributes() -> Dataset:
    """How Colin27 was acquired: T1 spoiled gradient echo, TR 18 ms, TE 10 ms, flip 30 degrees (Holmes et al. 1998)."""
    extra = Dataset()
    extra.StudyID = "1"
    extra.ScanningSequence, extra.SequenceVariant, extra.ScanOptions = "GR", "SP", ""
    extra.MRAcquisitionType, extra.EchoTrainLength = "3D", 1
    extra.RepetitionTime, extra.EchoTime, extra.FlipAngle = "18", "10", "30"
    extra.MagneticFieldStrength, extra.NumberOfAverages = "1.5", "27"
    extra.PatientPosition, extra.PositionReferenceIndicator = "HFS", "AC"
    # 8 bits of grey in 16: JPEG-LS codes 12 bits as small as 8, and readers expect MR in 12.
    extra.BitsStored, extra.HighBit = 12, 11
    extra.ImageComments = "Colin27 in MNI space, from MRIcron's ch2; see LICENSES.md. Research use only."
    extra.LossyImageCompression = "00"
    return extra


_CHEST_KEPT = [
    "SpecificCharacterSet",
    "SOPClassUID",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "PatientOrientation",
    "PatientSex",
    "KVP",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "WindowCenter",
    "WindowWidth",
    "PixelData",
]
"""All that is taken from the original: what describes the picture, nothing that describes the person or the place."""


def build_chest(source: Path, folder: Path) -> None:
    """Write the radiograph without anything that points to the patient, its pixels unchanged."""
    original = pydicom.dcmread(source)
    chest = Dataset()
    for keyword in _CHEST_KEPT:
        if keyword in original:
            chest[keyword] = original[keyword]
    chest.file_meta = pydicom.dataset.FileMetaDataset()
    chest.file_meta.TransferSyntaxUID = original.file_meta.TransferSyntaxUID
    chest.file_meta.MediaStorageSOPClassUID = original.SOPClassUID
    chest.SOPInstanceUID = chest.file_meta.MediaStorageSOPInstanceUID = _uid("chest instance")
    chest.StudyInstanceUID, chest.SeriesInstanceUID = _uid("chest study"), _uid("chest series")
    chest.PatientName, chest.PatientID, chest.PatientBirthDate = "Chest^Demo", "CHESTPA", ""
    chest.StudyDate, chest.StudyTime, chest.StudyID, chest.AccessionNumber = "", "", "1", ""
    chest.ReferringPhysicianName, chest.Manufacturer = "", ""
    chest.ImageType = ["DERIVED", "PRIMARY"]
    chest.StudyDescription, chest.SeriesDescription = "Chest radiograph", "Chest PA"
    chest.SeriesNumber, chest.InstanceNumber = 1, 1
    chest.PatientIdentityRemoved, chest.DeidentificationMethod = "YES", "Built anew from the pixels and a list of tags"
    chest.ImageComments = "From pydicom-data; see LICENSES.md. Research use only."
    _fresh(folder)
    chest.compress(JPEGLSLossless, generate_instance_uid=False)
    chest.save_as(folder / "chest_pa.dcm", enforce_file_format=True)


def _fresh(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def _uid(name: str) -> str:
    return str(generate_uid(entropy_srcs=["medviewer demo", name]))


def _installed_chest() -> Path | None:
    """The radiograph in the installed package pydicom-data, whose module is called data_store."""
    spec = importlib.util.find_spec("data_store")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "data" / "RG1_UNCR.dcm"


def main() -> int:
    """Build what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--colin", type=Path, help="ch2.nii.gz; without it the head is left as it is")
    parser.add_argument(
        "--chest", type=Path, default=_installed_chest(), help="RG1_UNCR.dcm; default: from pydicom-data"
    )
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    if arguments.chest is None:
        parser.error("RG1_UNCR.dcm was not found: install pydicom-data, or give --chest")
    build_chest(arguments.chest, arguments.out / "chest")
    if arguments.colin is not None:
        build_colin(arguments.colin, arguments.out / "colin27")
    size = sum(file.stat().st_size for file in arguments.out.rglob("*.dcm"))
    sys.stdout.write(f"{size / 1e6:.1f} MB of DICOM in {arguments.out}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
