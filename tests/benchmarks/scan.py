"""How long a scan takes, against pydicom that reads only the headers, in one run.

Usage: ``python -m tests.benchmarks.scan [FILES]``
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from medviewer.formats import scan

TAGS = ["ImagePositionPatient", "ImageOrientationPatient", "SeriesInstanceUID", "Rows", "Columns"]
SERIES = 20
REPEATS = 5


def template(number: int) -> pydicom.Dataset:
    """A header of about 80 elements, as a scanner writes it, and 16 x 16 pixels."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    kind = CTImageStorage if number % 2 else MRImageStorage
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = kind
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.Modality = "CT" if number % 2 else "MR"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate"):
        setattr(ds, keyword, "20200102")
    for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime"):
        setattr(ds, keyword, "101112.345000")
    for keyword in ("Manufacturer", "InstitutionName", "StationName", "ManufacturerModelName", "ProtocolName"):
        setattr(ds, keyword, f"{keyword[:9]} here")
    for keyword in ("StudyDescription", "SeriesDescription", "InstitutionAddress", "SoftwareVersions", "StudyID"):
        setattr(ds, keyword, f"a {number}")
    for keyword in ("AccessionNumber", "PatientID", "DeviceSerialNumber", "ConvolutionKernel", "BodyPartExamined"):
        setattr(ds, keyword, f"N{number}")
    for keyword in ("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "PatientName"):
        setattr(ds, keyword, "Some^Body")
    for keyword in ("KVP", "DataCollectionDiameter", "ReconstructionDiameter", "PatientWeight", "TableHeight"):
        setattr(ds, keyword, "120.5")
    for keyword in ("SliceThickness", "SpacingBetweenSlices", "RepetitionTime", "EchoTime", "GantryDetectorTilt"):
        setattr(ds, keyword, "2.5")
    for keyword in ("ExposureTime", "XRayTubeCurrent", "Exposure", "GeneratorPower", "AcquisitionNumber"):
        setattr(ds, keyword, "100")
    for name in ("ReferencedImageSequence", "RequestAttributesSequence", "ProcedureCodeSequence"):
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-1", "SRT", "Something"
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = kind, generate_uid()
        setattr(ds, name, [item])
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge, ds.PatientPosition = "19700101", "F", "050Y", "HFS"
    ds.StudyInstanceUID = generate_uid(entropy_srcs=[f"study {number // 4}"])
    ds.SeriesInstanceUID, ds.FrameOfReferenceUID = generate_uid(), generate_uid()
    ds.SeriesNumber = number
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.Rows = ds.Columns = 16
    ds.PixelSpacing = [0.7, 0.7]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept, ds.RescaleSlope = "40", "400", "-1024", "1"
    block = ds.private_block(0x0029, "A VENDOR", create=True)
    for k in range(6):
        block.add_new(k, "LO", f"private {k}")
    block.add_new(0x10, "OB", bytes(3000))
    ds.PixelData = np.arange(256, dtype=np.uint16).tobytes()
    return ds


def write(folder: Path, count: int, series: int = SERIES) -> None:
    """A mixed folder: files of all series beside each other."""
    sets = [template(k) for k in range(series)]
    for k in range(count):
        ds, z = sets[k % series], k // series
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(k)])
        ds.InstanceNumber, ds.SliceLocation = z + 1, z * 2.5
        ds.ImagePositionPatient = [-100, -100, z * 2.5]
        target = io.BytesIO()
        ds.save_as(target, enforce_file_format=True)
        (folder / f"IM{k:05d}").write_bytes(target.getvalue())


def bare(folder: Path) -> int:
    """What any reader must do: every header, through pydicom, for the five elements that place a slice."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS) for path in sorted(folder.iterdir())]
    return len({header.SeriesInstanceUID for header in headers})


def ours(folder: Path) -> int:
    """A whole scan: headers, series, geometry."""
    return len(scan([folder]).series)


def best(work: Callable[[Path], int], folder: Path) -> float:
    """The shortest of some runs, in s."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work(folder)
        times.append(time.perf_counter() - start)
    return min(times)


def report(text: str) -> None:
    """One line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Write the folders, then time both."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as name:
        for files, series in ((count // 4, SERIES), (count // 2, SERIES), (count, SERIES), (600, 1)):
            folder = Path(name) / f"{files}-{series}"
            folder.mkdir()
            write(folder, files, series)
            if ours(folder) != series or bare(folder) != series:
                raise SystemExit(f"expected {series} series in {files} files")
            a, b = best(ours, folder), best(bare, folder)
            report(
                f"{files} files in {series} series: scan {a:.3f} s ({a / files * 1e6:.0f} us a file), "
                f"pydicom {b:.3f} s, ratio {a / b:.2f}"
            )


if __name__ == "__main__":
    main()
